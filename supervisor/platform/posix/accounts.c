/* passwd(5), group(5) and what else the system asks for accounts: at the start alone, never in a
 * child. */
#include "platform/posix/internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The number that `name` is; false if it is none. */
static bool is_number(const char *name, uint32_t *number) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(name, &end, 10);
    *number = (uint32_t)value;
    return name[0] >= '0' && name[0] <= '9' && *end == '\0' && errno == 0 && value < UINT32_MAX;
}

/* Those beside its own; they stay until the next call. */
static int find_groups(const struct passwd *entry, struct account *out) {
    static gid_t *groups;
    int capacity = 64;
    int count = 0;
    do {
        capacity = count > capacity ? count : capacity;
        gid_t *grown = realloc(groups, (size_t)capacity * sizeof *groups);
        if (grown == NULL) {
            return BATON_NO_MEMORY;
        }
        groups = grown;
        count = capacity;
    } while (getgrouplist(entry->pw_name, entry->pw_gid, groups, &count) < 0 && count > capacity);
    out->groups = groups;
    for (int i = 0; i < count; i++) {
        if (groups[i] != entry->pw_gid) {
            groups[out->group_count++] = groups[i];
        }
    }
    return BATON_OK;
}

int platform_find_user(void *context, const char *name, struct account *out) {
    static char digits[16];
    uint32_t uid = geteuid();
    (void)context;
    bool has_number = name == NULL || is_number(name, &uid);
    const struct passwd *entry = has_number ? getpwuid(uid) : getpwnam(name);
    *out = (struct account){.uid = uid, .gid = getegid(), .name = digits, .home = "/"};
    if (entry == NULL) {
        snprintf(digits, sizeof digits, "%lu", (unsigned long)uid);
        return name == NULL ? BATON_OK : BATON_NOT_FOUND;
    }
    *out = (struct account){entry->pw_uid, entry->pw_gid, entry->pw_name, entry->pw_dir, NULL, 0};
    return find_groups(entry, out);
}

int platform_find_group(void *context, const char *name, uint32_t *gid) {
    (void)context;
    const struct group *entry = is_number(name, gid) ? getgrgid(*gid) : getgrnam(name);
    if (entry == NULL) {
        return BATON_NOT_FOUND;
    }
    *gid = entry->gr_gid;
    return BATON_OK;
}

const bool platform_has_accounts = true;
