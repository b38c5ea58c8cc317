/*
 * What the system says of one name in a folder (lstat(2), readlink(2)).
 */
#ifndef BATON_BASE_PATH_FACTS_H
#define BATON_BASE_PATH_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_FACTS_TARGET_BYTES 4096u

enum path_kind { PATH_KIND_FILE, PATH_KIND_FOLDER, PATH_KIND_LINK, PATH_KIND_OTHER };

struct path_facts {
    enum path_kind kind;
    uint32_t mode;        /* permission bits with those above them, 07777 */
    uint32_t user, group; /* who owns it, by number */
    bool has_acl; /* further accounts have rights, of which the group's bits show the most that any
                     of them has (acl(5)) */
    char target[PATH_FACTS_TARGET_BYTES]; /* PATH_KIND_LINK: where it leads; else not set */
};

#endif
