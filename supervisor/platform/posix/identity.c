/*
 * As whom a program runs: the steps of its plan that change what the child has of us. What it has
 * already is not set again, so a program that runs as we do costs nothing.
 */
#include "core/base/text.h"
#include "platform/posix/held.h"
#include "platform/posix/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OOM_FILE "/proc/self/oom_score_adj"

/* ---- What we have ourselves ---- */

/* -1 and errno if the system does not tell; else whether there are any. `*permitted` unless NULL.
 */
static int read_capabilities(uint64_t *permitted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0) {
        return -1;
    }
    if (permitted != NULL) {
        *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    }
    return (data[0].permitted | data[1].permitted | data[0].inheritable | data[1].inheritable) != 0;
}

/* What cannot be told may be. */
static bool has_capabilities(void) {
    return read_capabilities(NULL) != 0;
}

/* ---- Limits ---- */

static const struct {
    enum step_kind kind;
    int resource;
    rlim_t unit;
} limits[LIMIT_COUNT] = {[LIMIT_MEMORY_KIB] = {STEP_LIMIT_MEMORY, RLIMIT_AS, 1024},
                         [LIMIT_CORE_KIB] = {STEP_LIMIT_CORE, RLIMIT_CORE, 1024},
                         [LIMIT_CPU_S] = {STEP_LIMIT_CPU, RLIMIT_CPU, 1},
                         [LIMIT_FILES_COUNT] = {STEP_LIMIT_FILES, RLIMIT_NOFILE, 1},
                         [LIMIT_PROCESSES_COUNT] = {STEP_LIMIT_PROCESSES, RLIMIT_NPROC, 1}};

static rlim_t value_of(const struct identity *identity, size_t limit) {
    uint32_t wanted = identity->limits[limit];
    return wanted == IDENTITY_UNLIMITED ? RLIM_INFINITY : wanted * limits[limit].unit;
}

bool platform_raises_limits(void *context, const struct identity *identity) {
    (void)context;
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        struct rlimit own;
        if (identity->limits[i] != IDENTITY_SAME &&
            prlimit(0, limits[i].resource, NULL, &own) == 0 &&
            value_of(identity, i) > own.rlim_max) {
            return true;
        }
    }
    return false;
}

static void add_limits(struct plan *plan, const struct platform *platform,
                       const struct identity *identity) {
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        bool is_wanted = identity != NULL && identity->limits[i] != IDENTITY_SAME;
        if (is_wanted || i == LIMIT_FILES_COUNT) {
            rlim_t value = is_wanted ? value_of(identity, i) : 0;
            struct step *step = posix_plan_add(plan, limits[i].kind);
            step->limit.resource = limits[i].resource;
            step->limit.values =
                is_wanted ? (struct rlimit){value, value} : platform->original_descriptors;
            plan->is_limited = plan->is_limited || is_wanted;
        }
    }
}

/* ---- The score of who is killed first when memory is short, proc(5) ---- */

/* From a file, which is closed. False and "" if it tells nothing. */
static bool read_score(int file, char score[OOM_TEXT_BYTES]) {
    bool is_read = posix_read_text(file, score, OOM_TEXT_BYTES) > 0;
    score[strcspn(score, "\n")] = '\0';
    return is_read;
}

static bool write_own_score(const char *score) {
    int file = open(OOM_FILE, O_WRONLY | O_CLOEXEC);
    bool is_written = file >= 0 && write(file, score, strlen(score)) > 0;
    posix_close_any(file);
    return is_written;
}

/* Whether we may write to it at all is tried on ourselves, and whether we have what it takes to
 * make it smaller: CAP_SYS_RESOURCE, which containers lack. To make it larger again takes nothing.
 */
static void add_oom(struct plan *plan, struct platform *platform, const struct identity *identity) {
    int wanted = (int32_t)identity->oom_score_adj;
    struct step step = {.kind = STEP_OOM};
    char *own = step.oom.own;
    bool is_known = read_score(open(OOM_FILE, O_RDONLY | O_CLOEXEC), own);
    text_format(step.oom.text, sizeof step.oom.text, "%d", wanted);
    if (strcmp(own, step.oom.text) == 0) {
        return;
    }
    if (!identity->must_adjust_oom) {
        bool is_smaller = (int)strtoul(own, NULL, 10) > wanted;
        bool is_refused = !is_known || (is_smaller && !write_own_score(step.oom.text));
        if (is_refused || !write_own_score(own)) {
            platform->skipped_default = "oom_score_adj";
            return;
        }
    }
    if (!is_known) {
        memcpy(own, "0", sizeof "0");
    }
    step.oom.may_trace = has_capabilities();
    *posix_plan_add(plan, STEP_OOM) = step;
}

/* True if the child's score was another than it has written, and is put right. */
static bool correct_score(pid_t pid, const struct step *step) {
    char score[OOM_TEXT_BYTES];
    const char *text = step->oom.text;
    if (!read_score(posix_open_of_process(pid, "oom_score_adj", O_RDONLY), score) ||
        strcmp(score, text) == 0) {
        return false;
    }
    int file = posix_open_of_process(pid, "oom_score_adj", O_WRONLY);
    bool is_written = file >= 0 && write(file, text, strlen(text)) > 0;
    posix_close_any(file);
    return is_written;
}

/* The kernel tells that the child lets go of our memory a moment before it has: what is written
 * within it is written to both, so it is looked at until each has its own. */
#define CORRECTIONS_MAX_COUNT 1000

void posix_identity_end_sharing(const struct step *oom, int file, pid_t pid) {
    for (int i = 0; i < CORRECTIONS_MAX_COUNT; i++) {
        (void)!pwrite(file, oom->oom.own, strlen(oom->oom.own), 0);
        if (pid <= 0 || !correct_score(pid, oom)) {
            break;
        }
        sched_yield();
    }
    close(file);
}

static void add_nice(struct plan *plan, const struct identity *identity) {
    int added_count = (int32_t)identity->nice_count;
    if (added_count != 0) {
        int wanted_count = getpriority(PRIO_PROCESS, 0) + added_count;
        posix_plan_add(plan, STEP_NICE)->nice_count = wanted_count > 19    ? 19
                                                      : wanted_count < -20 ? -20
                                                                           : wanted_count;
    }
}

/* ---- User, groups, capabilities ---- */

static bool has_groups(const struct identity *identity) {
    static gid_t own[NGROUPS_MAX]; /* of which the used part alone is ever touched */
    int count = getgroups(NGROUPS_MAX, own);
    return count >= 0 && identity_has_groups(identity, own, (size_t)count);
}

static bool is_group(gid_t wanted) {
    gid_t real, effective, saved;
    return getresgid(&real, &effective, &saved) == 0 && real == wanted && effective == wanted &&
           saved == wanted;
}

static bool is_user(uid_t wanted) {
    uid_t real, effective, saved;
    return getresuid(&real, &effective, &saved) == 0 && real == wanted && effective == wanted &&
           saved == wanted;
}

static void add_ids(struct plan *plan, const struct identity *identity) {
    if (!is_group(identity->gid)) {
        posix_plan_add(plan, STEP_GID)->id.id = identity->gid;
    }
    if (!is_user(identity->uid)) {
        struct step *step = posix_plan_add(plan, STEP_UID);
        step->id.id = identity->uid;
        step->id.keeps_capabilities = identity->capabilities != 0 && identity->uid != 0;
    }
}

static void add_capabilities(struct plan *plan, const struct identity *identity) {
    uid_t uid = identity->uid == IDENTITY_SAME ? geteuid() : identity->uid;
    if (identity->has_capabilities || (uid != 0 && has_capabilities())) {
        struct step *step = posix_plan_add(plan, STEP_CAPABILITIES);
        step->capabilities.kept = identity->capabilities;
        step->capabilities.is_root = uid == 0;
    }
}

static void add_umask(struct plan *plan, const struct identity *identity) {
    mode_t own = umask(0);
    umask(own);
    if (own != identity->umask_bits) {
        posix_plan_add(plan, STEP_UMASK)->umask_bits = identity->umask_bits;
    }
}

void posix_plan_add_identity(struct plan *plan, struct platform *platform,
                             const struct platform_program *program) {
    const struct identity *identity = program->has_identity ? &program->identity : NULL;
    if (identity != NULL) {
        add_oom(plan, platform, identity);
    }
    add_limits(plan, platform, identity);
    if (identity != NULL) {
        add_nice(plan, identity);
        if (identity->uid != IDENTITY_SAME && !has_groups(identity)) {
            struct step *step = posix_plan_add(plan, STEP_GROUPS);
            step->groups.ids = identity->groups;
            step->groups.count = identity->group_count;
        }
        if (identity->chroot != NULL) {
            posix_plan_add(plan, STEP_CHROOT)->chroot = identity->chroot;
        }
    }
    if (program->directory != NULL) {
        posix_plan_add(plan, STEP_DIRECTORY)->directory = program->directory;
    }
    if (identity != NULL) {
        add_umask(plan, identity);
        if (identity->uid != IDENTITY_SAME) {
            add_ids(plan, identity);
        }
        add_capabilities(plan, identity);
    }
}

const char *platform_skipped_default(const struct platform *platform) {
    return platform->skipped_default;
}

/* ---- Becoming another ourselves ---- */

/* Ours, by the step of a child's plan: to be had by what we execute, or by ourselves alone. */
static bool set_capabilities(bool is_own) {
    struct plan plan = {.count = 0};
    struct plan_failure failure = {NULL, 0};
    uint64_t permitted = 0;
    if (read_capabilities(&permitted) < 0) {
        return false;
    }
    struct step *step = posix_plan_add(&plan, STEP_CAPABILITIES);
    step->capabilities.kept = permitted;
    step->capabilities.is_own = is_own;
    posix_plan_walk(&plan, NULL, &failure);
    errno = failure.code;
    return failure.step == NULL;
}

bool posix_capabilities_make_ambient(void) {
    return geteuid() == 0 || set_capabilities(false);
}

void posix_capabilities_end_ambient(void) {
    if (geteuid() != 0) {
        (void)set_capabilities(true);
    }
}

/* By the steps of a child's plan, which are system calls as they are: those of the C library would
 * have every thread do the same, and ours take no signal. So there is no other thread meanwhile. */
int platform_become(struct platform *platform, const struct identity *identity,
                    bool forbids_new_privileges, struct baton_cause *cause) {
    struct plan plan = {.count = 0};
    struct plan_failure failure = {NULL, 0};
    uint64_t permitted;
    *cause = (struct baton_cause){0};
    if (read_capabilities(&permitted) < 0) {
        return posix_failed(cause, "capget");
    }
    struct step *groups = posix_plan_add(&plan, STEP_GROUPS);
    groups->groups.ids = identity->groups;
    groups->groups.count = identity->group_count;
    posix_plan_add(&plan, STEP_GID)->id.id = identity->gid;
    struct step *user = posix_plan_add(&plan, STEP_UID);
    user->id.id = identity->uid;
    user->id.keeps_capabilities = true;
    struct step *capabilities = posix_plan_add(&plan, STEP_CAPABILITIES);
    capabilities->capabilities.kept = identity->capabilities & permitted;
    capabilities->capabilities.is_own = true;
    if (forbids_new_privileges) {
        posix_plan_add(&plan, STEP_NO_NEW_PRIVILEGES);
    }
    posix_logs_give(platform, identity->uid, identity->gid);
    int result = posix_threads_end(platform, cause);
    if (result == BATON_OK) {
        posix_plan_walk(&plan, NULL, &failure);
        result = failure.step == NULL
                     ? posix_threads_begin(platform, cause)
                     : posix_failed_with(cause, posix_plan_step_name(failure.step), failure.code);
    }
    return result;
}
