#include "core/service/strict.h"

#include "core/base/error.h"
#include "core/base/text.h"

#include <string.h>

/* Linux follows as many in one path. */
#define LINKS_MAX_COUNT 40

#define OTHERS_WRITE 0022u
#define STICKY 01000u

struct walk {
    const struct service_machine *machine;
    const struct strict_account *account; /* who else may write: only its `user` */
    unsigned wanted;                      /* 0 = the question is who else may write */
    bool is_to_root;                      /* on the way to the folder that is made the root */
    bool is_at_end;                       /* nothing of the way is left */
    size_t root_length;                   /* of `path`: `..` does not lead out of it */
    char *path;       /* where the walk is, of STRICT_PATH_MAX_BYTES; "" = the system's root */
    const char *rest; /* what is still to go; of whoever asks, or in `way` */
    struct path_facts facts; /* of `path` */
    char way[STRICT_PATH_MAX_BYTES];
};

/* Whoever owns a link can replace it where the folder is sticky; what its mode says has no
 * meaning. */
static enum strict_kind judge_writer(const struct walk *walk) {
    const struct path_facts *facts = &walk->facts;
    if (facts->user != 0 && facts->user != walk->account->user) {
        return STRICT_OWNER;
    }
    bool is_safe = facts->kind == PATH_KIND_FOLDER && (facts->mode & STICKY) != 0 &&
                   facts->user == 0 && !(walk->is_to_root && walk->is_at_end);
    /* Where each user has a group of his own, of his own number, files are the group's to write. */
    bool is_alone = facts->user != 0 && facts->group == facts->user &&
                    facts->group == walk->account->group && !facts->has_acl;
    unsigned others = OTHERS_WRITE & (is_alone ? 0002u : 0777u);
    return facts->kind != PATH_KIND_LINK && (facts->mode & others) != 0 && !is_safe
               ? STRICT_WRITABLE
               : STRICT_NONE;
}

static bool is_in_group(const struct strict_account *account, uint32_t group) {
    bool is_in = account->group == group;
    for (size_t i = 0; i < account->group_count; i++) {
        is_in = is_in || account->groups[i] == group;
    }
    return is_in;
}

static enum strict_kind judge_barrier(const struct walk *walk) {
    const struct path_facts *facts = &walk->facts;
    const struct strict_account *account = walk->account;
    unsigned wanted = walk->is_at_end ? walk->wanted : STRICT_EXECUTE;
    uint32_t rights = facts->mode;
    if (walk->is_to_root || facts->kind == PATH_KIND_LINK) {
        return STRICT_NONE;
    }
    if (account->passes_all) {
        /* Even root executes only what somebody may execute. */
        rights = STRICT_READ | (facts->kind == PATH_KIND_FOLDER || (facts->mode & 0111u) != 0);
    } else if (account->user == facts->user) {
        rights = facts->mode >> 6;
    } else if (facts->has_acl) {
        return STRICT_NONE;
    } else if (is_in_group(account, facts->group)) {
        rights = facts->mode >> 3;
    }
    return (wanted & ~rights) != 0 ? STRICT_BARRIER : STRICT_NONE;
}

/* Past what does not lead anywhere: "/", "./". */
static const char *past_idle(const char *rest) {
    for (;;) {
        rest += strspn(rest, "/");
        if (rest[0] != '.' || (rest[1] != '/' && rest[1] != '\0')) {
            return rest;
        }
        rest++;
    }
}

static void go_up(struct walk *walk) {
    size_t length = strlen(walk->path);
    while (length > walk->root_length && walk->path[length] != '/') {
        length--;
    }
    walk->path[length] = '\0';
}

/* Puts the target in the place of the link. False if that is too long. */
static bool follow(struct walk *walk) {
    const char *target = walk->facts.target;
    size_t target_length = strlen(target);
    size_t rest_bytes = strlen(walk->rest) + 1;
    if (target_length + 1 + rest_bytes > sizeof walk->way) {
        return false;
    }
    memmove(walk->way + target_length + 1, walk->rest, rest_bytes);
    memcpy(walk->way, target, target_length);
    walk->way[target_length] = '/';
    walk->rest = walk->way;
    if (target[0] == '/') {
        walk->path[walk->root_length] = '\0';
    } else {
        go_up(walk);
    }
    return true;
}

/* Takes the next part of the way. False if that is too long. */
static bool go_on(struct walk *walk) {
    size_t length = strcspn(walk->rest, "/");
    size_t path_length = strlen(walk->path);
    if (length == 2 && memcmp(walk->rest, "..", 2) == 0) {
        go_up(walk);
    } else if (path_length + 1 + length >= STRICT_PATH_MAX_BYTES) {
        return false;
    } else {
        walk->path[path_length] = '/';
        memcpy(walk->path + path_length + 1, walk->rest, length);
        walk->path[path_length + 1 + length] = '\0';
    }
    walk->rest += length;
    return true;
}

/* Goes along `rest` from where it is, until a place answers the question. */
static enum strict_kind go(struct walk *walk) {
    const struct service_machine *machine = walk->machine;
    int links_count = 0;
    bool may_be_made = false; /* by anybody, what is not there: a sticky folder keeps what is */
    for (;;) {
        walk->rest = past_idle(walk->rest);
        walk->is_at_end = walk->rest[0] == '\0';
        int result = machine->inspect(machine->context, walk->path[0] == '\0' ? "/" : walk->path,
                                      &walk->facts);
        if (result == BATON_NOT_FOUND && may_be_made) {
            go_up(walk);
            (void)machine->inspect(machine->context, walk->path[0] == '\0' ? "/" : walk->path,
                                   &walk->facts);
            return STRICT_WRITABLE;
        }
        if (result == BATON_NOT_FOUND || result == BATON_UNSUPPORTED) {
            return STRICT_NONE; /* who needs it says so, or it cannot be told */
        }
        if (result != BATON_OK) {
            return STRICT_UNKNOWN;
        }
        enum strict_kind kind = walk->wanted == 0 ? judge_writer(walk) : judge_barrier(walk);
        if (kind != STRICT_NONE) {
            return kind;
        }
        may_be_made = walk->wanted == 0 && walk->facts.kind == PATH_KIND_FOLDER &&
                      (walk->facts.mode & OTHERS_WRITE) != 0;
        bool can_go = true;
        if (walk->facts.kind == PATH_KIND_LINK) {
            can_go = ++links_count <= LINKS_MAX_COUNT && follow(walk);
        } else if (walk->is_at_end || walk->facts.kind != PATH_KIND_FOLDER) {
            return STRICT_NONE;
        } else {
            can_go = go_on(walk);
        }
        if (!can_go) {
            return STRICT_UNKNOWN;
        }
    }
}

static bool walk_to(struct walk *walk, const char *root, const char *path,
                    struct strict_finding *out) {
    enum strict_kind kind = STRICT_NONE;
    out->path[0] = '\0';
    walk->path = out->path;
    walk->rest = root;
    walk->is_to_root = root != NULL;
    if (walk->machine->inspect == NULL) {
        return false;
    }
    if (walk->is_to_root) {
        kind = go(walk);
        walk->is_to_root = false;
        walk->root_length = strlen(walk->path);
    }
    if (kind == STRICT_NONE) {
        walk->rest = path;
        kind = go(walk);
    }
    if (out->path[0] == '\0') {
        memcpy(out->path, "/", sizeof "/");
    }
    out->kind = kind;
    out->mode = walk->facts.mode;
    out->user = walk->facts.user;
    return kind != STRICT_NONE;
}

bool strict_find_barrier(const struct service_machine *machine, const char *root, const char *path,
                         const struct strict_account *account, unsigned wanted,
                         struct strict_finding *out) {
    struct walk walk = {.machine = machine, .account = account, .wanted = wanted};
    return walk_to(&walk, root, path, out);
}

bool strict_find_writer(const struct service_machine *machine, const char *root, const char *path,
                        uint32_t user, struct strict_finding *out) {
    struct strict_account account = {.user = user};
    return strict_find_barrier(machine, root, path, &account, 0, out);
}

void strict_find_outside(const struct service_machine *machine, const char *root, const char *path,
                         char out[STRICT_PATH_MAX_BYTES]) {
    struct strict_account account = {.passes_all = true};
    struct walk walk = {.machine = machine,
                        .account = &account,
                        .wanted = STRICT_READ,
                        .is_to_root = true,
                        .path = out,
                        .rest = root};
    out[0] = '\0';
    if (machine->inspect == NULL || (go(&walk), walk.rest[0] != '\0')) {
        text_format(out, STRICT_PATH_MAX_BYTES, "%s", root);
    } else {
        walk.is_to_root = false;
        walk.root_length = strlen(out);
        walk.rest = path;
        (void)go(&walk);
        path = walk.rest;
    }
    size_t length = strlen(out);
    if (path[0] != '\0' || length == 0) {
        text_format(out + length, STRICT_PATH_MAX_BYTES - length, "%s%s", path[0] == '/' ? "" : "/",
                    path);
    }
}
