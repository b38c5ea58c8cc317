/* passwd(5), group(5) and what else the system asks for accounts: at the start alone, never in a
 * handler's child.
 *
 * Whom the system asks is a matter of nsswitch.conf(5): libraries that it loads, which may ask
 * servers and keep what they like. So that none of it stays in this process, a child of its own
 * asks and hands back what it was told. */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define GROUPS_MAX_COUNT 65536 /* NGROUPS_MAX of Linux */
#define TEXT_BYTES 256

/* The last answers, since services ask for the same few again and again: in memory that is shared
 * with the children who give them. What is not used of it takes none. */
#define KEPT_COUNT 4
static struct kept {
    char kind, asked[TEXT_BYTES]; /* 'u' or 'g', and a name, or nothing for whoever we are */
    int result;
    struct account account;
    char name[TEXT_BYTES], home[4 * TEXT_BYTES];
    gid_t groups[GROUPS_MAX_COUNT];
} * kept;
static unsigned next_kept;

bool posix_account_is_number(const char *name, uint32_t *number) {
    uint64_t value = 0;
    const char *at = name;
    for (; *at >= '0' && *at <= '9' && value < UINT32_MAX; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
    }
    *number = (uint32_t)value;
    return at > name && *at == '\0' && value < UINT32_MAX;
}

/* ---- In the child ---- */

static bool keep_text(char *out, size_t size_bytes, const char *text) {
    size_t text_bytes = strlen(text) + 1;
    if (text_bytes > size_bytes) {
        return false;
    }
    memcpy(out, text, text_bytes);
    return true;
}

/* The last number stands for no change, to the system (setresuid(2)) and to us. */
static bool keep_user(struct kept *place, const struct passwd *user) {
    struct account *account = &place->account;
    int count = GROUPS_MAX_COUNT;
    if (user == NULL || user->pw_uid == IDENTITY_SAME || user->pw_gid == IDENTITY_SAME ||
        !keep_text(place->name, sizeof place->name, user->pw_name) ||
        !keep_text(place->home, sizeof place->home, user->pw_dir) ||
        getgrouplist(user->pw_name, user->pw_gid, place->groups, &count) < 0) {
        return false;
    }
    *account = (struct account){.uid = user->pw_uid,
                                .gid = user->pw_gid,
                                .name = place->name,
                                .home = place->home,
                                .groups = place->groups};
    for (int i = 0; i < count; i++) { /* those beside its own */
        if (place->groups[i] != account->gid) {
            place->groups[account->group_count++] = place->groups[i];
        }
    }
    return true;
}

static void answer(struct kept *place) {
    uint32_t id = geteuid();
    bool has_number = place->asked[0] == '\0' || posix_account_is_number(place->asked, &id);
    bool is_found;
    if (place->kind == 'g') {
        const struct group *group = has_number ? getgrgid(id) : getgrnam(place->asked);
        is_found = group != NULL && group->gr_gid != IDENTITY_SAME;
        place->account.gid = is_found ? group->gr_gid : 0;
    } else {
        is_found = keep_user(place, has_number ? getpwuid(id) : getpwnam(place->asked));
    }
    place->result = is_found ? BATON_OK : BATON_NOT_FOUND;
}

/* ---- Here ---- */

static bool open_kept(void) {
    const size_t bytes = KEPT_COUNT * sizeof *kept;
    const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
    if (kept == NULL) {
        void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
        kept = memory != MAP_FAILED ? memory : NULL;
    }
    return kept != NULL;
}

/* BATON_OK and the answer to a question, or BATON_NOT_FOUND; BATON_NO_MEMORY when the system has
 * not enough for asking. */
static int ask(char kind, const char *name, const struct account **out) {
    if (strlen(name) >= TEXT_BYTES) {
        return BATON_NOT_FOUND;
    }
    if (!open_kept()) {
        return BATON_NO_MEMORY;
    }
    struct kept *place = kept;
    while (place < kept + KEPT_COUNT && (place->kind != kind || strcmp(place->asked, name) != 0)) {
        place++;
    }
    if (place == kept + KEPT_COUNT) {
        place = &kept[next_kept];
        place->kind = kind;
        memcpy(place->asked, name, strlen(name) + 1);
        place->result = BATON_NO_MEMORY;
        pid_t child = posix_fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* whom it asks may never answer */
            answer(place);
            _exit(0);
        }
        if (child > 0) {
            posix_child_await(child);
        }
        if (place->result == BATON_NO_MEMORY) {
            place->kind = '\0';
        } else {
            next_kept = (next_kept + 1) % KEPT_COUNT;
        }
    }
    *out = &place->account;
    return place->result;
}

int platform_find_user(void *context, const char *name, struct account *out) {
    static char digits[16];
    const struct account *found;
    (void)context;
    *out = (struct account){.uid = geteuid(), .gid = getegid(), .name = digits, .home = "/"};
    text_format(digits, sizeof digits, "%lu", (unsigned long)out->uid);
    if (name != NULL && name[0] == '\0') {
        return BATON_NOT_FOUND;
    }
    int result = ask('u', name != NULL ? name : "", &found);
    if (result == BATON_OK) {
        *out = *found;
    }
    return result == BATON_NOT_FOUND && name == NULL ? BATON_OK : result;
}

int platform_find_group(void *context, const char *name, uint32_t *gid) {
    const struct account *found;
    (void)context;
    int result = name[0] != '\0' ? ask('g', name, &found) : BATON_NOT_FOUND;
    if (result == BATON_OK) {
        *gid = found->gid;
    }
    return result;
}

const bool platform_has_accounts = true;
