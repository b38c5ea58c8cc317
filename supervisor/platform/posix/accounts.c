/* passwd(5), group(5) and what else the system asks for accounts: at the start alone, never in a
 * handler's child.
 *
 * Whom the system asks is a matter of nsswitch.conf(5): libraries that it loads, which may ask
 * servers and keep what they like. So that none of it stays in this process, a child of its own
 * asks and hands back what it was told. */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUPS_MAX_COUNT 65536 /* NGROUPS_MAX of Linux */
#define TEXT_BYTES 256

/* What the child hands back: this, and group_count groups. */
struct reply {
    int result;
    uint32_t uid, gid;
    uint32_t group_count;
    char name[TEXT_BYTES], home[4 * TEXT_BYTES];
};

/* The last answers, since services ask for the same few again and again. */
#define KEPT_COUNT 4
static struct kept {
    char question[TEXT_BYTES + 2];
    struct reply reply;
    uint32_t *groups;
} kept[KEPT_COUNT];
static unsigned next_kept;

/* The number that `name` is; false if it is none. */
static bool is_number(const char *name, uint32_t *number) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(name, &end, 10);
    *number = (uint32_t)value;
    return name[0] >= '0' && name[0] <= '9' && *end == '\0' && errno == 0 && value < UINT32_MAX;
}

/* ---- In the child ---- */

/* `question`: 'u' or 'g', and a name, or nothing behind 'u' for whoever we are. */
static void answer(int pipe, const char *question) {
    static gid_t groups[GROUPS_MAX_COUNT];
    const char *name = question + 1;
    uint32_t id = geteuid();
    bool has_number = name[0] == '\0' || is_number(name, &id);
    struct reply reply = {.result = BATON_NOT_FOUND};
    int count = 0;
    if (question[0] == 'g') {
        const struct group *group = has_number ? getgrgid(id) : getgrnam(name);
        reply.gid = group != NULL ? group->gr_gid : IDENTITY_SAME;
        reply.result = reply.gid != IDENTITY_SAME ? BATON_OK : BATON_NOT_FOUND;
    } else {
        const struct passwd *user = has_number ? getpwuid(id) : getpwnam(name);
        count = user != NULL ? GROUPS_MAX_COUNT : 0;
        /* The last number stands for no change, to the system (setresuid(2)) and to us. */
        if (user != NULL && user->pw_uid != IDENTITY_SAME && user->pw_gid != IDENTITY_SAME &&
            strlen(user->pw_name) < sizeof reply.name && strlen(user->pw_dir) < sizeof reply.home &&
            getgrouplist(user->pw_name, user->pw_gid, groups, &count) >= 0) {
            reply = (struct reply){BATON_OK, user->pw_uid, user->pw_gid, (uint32_t)count, "", ""};
            memcpy(reply.name, user->pw_name, strlen(user->pw_name) + 1);
            memcpy(reply.home, user->pw_dir, strlen(user->pw_dir) + 1);
        }
    }
    (void)(posix_write_all(pipe, &reply, sizeof reply) &&
           posix_write_all(pipe, groups, reply.group_count * sizeof *groups));
}

/* ---- Here ---- */

static bool take_reply(int pipe, struct kept *place) {
    if (posix_read_all(pipe, &place->reply, sizeof place->reply) != sizeof place->reply) {
        return false;
    }
    uint32_t all_count = place->reply.group_count;
    place->groups = calloc((size_t)all_count + 1, sizeof *place->groups);
    size_t all_bytes = all_count * sizeof *place->groups;
    if (place->groups == NULL || all_count > GROUPS_MAX_COUNT ||
        posix_read_all(pipe, place->groups, all_bytes) != (ssize_t)all_bytes) {
        return false;
    }
    uint32_t count = 0; /* of those beside its own */
    for (uint32_t i = 0; i < all_count; i++) {
        if (place->groups[i] != place->reply.gid) {
            place->groups[count++] = place->groups[i];
        }
    }
    place->reply.group_count = count;
    return true;
}

/* The answer to a question; NULL when the system has not enough for asking. */
static const struct kept *ask(const char *question) {
    int ends[2];
    for (unsigned i = 0; i < KEPT_COUNT; i++) {
        if (strcmp(kept[i].question, question) == 0) {
            return &kept[i];
        }
    }
    struct kept *place = &kept[next_kept];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return NULL;
    }
    pid_t child = fork();
    if (child == 0) {
        answer(ends[1], question);
        _exit(0);
    }
    close(ends[1]);
    free(place->groups);
    *place = (struct kept){{0}, {0}, NULL};
    bool is_answered = child > 0 && take_reply(ends[0], place);
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    if (!is_answered) {
        return NULL;
    }
    memcpy(place->question, question, strlen(question) + 1);
    next_kept = (next_kept + 1) % KEPT_COUNT;
    return place;
}

static const struct kept *ask_for(char kind, const char *name) {
    char question[TEXT_BYTES + 2];
    snprintf(question, sizeof question, "%c%s", kind, name == NULL ? "" : name);
    return ask(question);
}

int platform_find_user(void *context, const char *name, struct account *out) {
    static char digits[16];
    (void)context;
    *out = (struct account){.uid = geteuid(), .gid = getegid(), .name = digits, .home = "/"};
    snprintf(digits, sizeof digits, "%lu", (unsigned long)out->uid);
    if (name != NULL && (name[0] == '\0' || strlen(name) >= TEXT_BYTES)) {
        return BATON_NOT_FOUND;
    }
    const struct kept *found = ask_for('u', name);
    if (found == NULL) {
        return BATON_NO_MEMORY;
    }
    if (found->reply.result != BATON_OK) {
        return name == NULL ? BATON_OK : found->reply.result;
    }
    *out = (struct account){.uid = found->reply.uid,
                            .gid = found->reply.gid,
                            .name = found->reply.name,
                            .home = found->reply.home,
                            .groups = found->groups,
                            .group_count = found->reply.group_count};
    return BATON_OK;
}

int platform_find_group(void *context, const char *name, uint32_t *gid) {
    (void)context;
    if (name[0] == '\0' || strlen(name) >= TEXT_BYTES) {
        return BATON_NOT_FOUND;
    }
    const struct kept *found = ask_for('g', name);
    if (found == NULL) {
        return BATON_NO_MEMORY;
    }
    if (found->reply.result == BATON_OK) {
        *gid = found->reply.gid;
    }
    return found->reply.result;
}

const bool platform_has_accounts = true;
