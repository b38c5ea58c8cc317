/*
 * Who can get at a path: every folder on the way is looked at, each symbolic link is followed as
 * the system does it (path_resolution(7)), and the first that answers the question is told.
 *
 * Modes and owners are what is judged. An access control list shows in the group's bits (acl(5)),
 * so one that lets others write is found like a group that may. What a file system keeps beside
 * them (NFSv4's lists), and what a security module says, is not seen.
 */
#ifndef BATON_SERVICE_STRICT_H
#define BATON_SERVICE_STRICT_H

#include "core/base/path_facts.h"
#include "core/service/service.h"

enum strict_kind {
    STRICT_NONE,
    STRICT_OWNER,    /* `path` is owned by somebody else */
    STRICT_WRITABLE, /* its group or everybody may write to it */
    STRICT_BARRIER,  /* its mode keeps the account out */
    STRICT_UNKNOWN   /* it cannot be looked at, or more than 40 links lead there */
};

#define STRICT_PATH_MAX_BYTES 4096u

struct strict_finding {
    enum strict_kind kind;
    uint32_t mode, user;              /* of `path`, as in struct path_facts; not of UNKNOWN */
    char path[STRICT_PATH_MAX_BYTES]; /* without links; below the system's root */
};

struct strict_account {
    uint32_t user, group;
    const uint32_t *groups; /* group_count supplementary ones; not owned */
    size_t group_count;
    bool passes_all; /* no mode stops it (CAP_DAC_OVERRIDE): root, with what makes it root */
};

/* What is asked of the last file or folder, or-ed; of those above it STRICT_EXECUTE. */
#define STRICT_EXECUTE 1u
#define STRICT_READ 4u

/* Looks for who else may change what is found at `path`, absolute, as seen from `root`, a folder
 * that is made the root (chroot(2)); NULL = the system's. Others are all but root and `user`. True,
 * and the first place that they may change: a folder or a file of theirs, or one that a group or
 * everybody may write to. A sticky folder of root's is safe, since in it nobody can take away what
 * root or `user` has; but not as `root` itself, where others must not add anything either. False if
 * there is none, if something on the way is not there, or if the system cannot say (Windows).
 * Blocks on the disk, through `machine`. */
bool strict_find_writer(const struct service_machine *machine, const char *root, const char *path,
                        uint32_t user, struct strict_finding *out);

/* Looks for what keeps `account` from `path` once it is in `root` (chroot(2) is called before it
 * becomes the account, so the folders above do not matter). `wanted`: STRICT_EXECUTE, STRICT_READ.
 * True, and the first place that does; false if there is none as far as modes tell, and as above.
 * Who else has rights by a list (has_acl) is not known, and so not kept out.
 *
 * `wanted` 0: as strict_find_writer() with the account's `user`; but where `group` has his number,
 * and so is his own (login.defs(5), USERGROUPS_ENAB), that group may write to what is his. */
bool strict_find_barrier(const struct service_machine *machine, const char *root, const char *path,
                         const struct strict_account *account, unsigned wanted,
                         struct strict_finding *out);

/* Where `path` in `root` is as seen from outside, links followed as in there: what is not there, or
 * cannot be looked at, stands behind what is as it was given. */
void strict_find_outside(const struct service_machine *machine, const char *root, const char *path,
                         char out[STRICT_PATH_MAX_BYTES]);

#endif
