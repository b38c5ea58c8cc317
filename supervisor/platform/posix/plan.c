/*
 * The steps of a new process: what each does. plan.h says what a step may do; order.c, which there
 * are.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where there are two of a kind, the first has ids of 16 bits. */
#ifdef SYS_setresuid32
#define CALL_SETGROUPS SYS_setgroups32
#define CALL_SETRESGID SYS_setresgid32
#define CALL_SETRESUID SYS_setresuid32
#else
#define CALL_SETGROUPS SYS_setgroups
#define CALL_SETRESGID SYS_setresgid
#define CALL_SETRESUID SYS_setresuid
#endif

#define CAPABILITIES_MAX_COUNT 64

/* ---- What each step does ---- */

/* Of a system call that says -1 where it fails. */
static int code_of(int result) {
    return result == -1 ? errno : 0;
}

static int own_table(const struct step *step, const struct spawn *spawn) {
    (void)step;
    return spawn->table_end == 0
               ? 0
               : code_of((int)syscall(SYS_close_range, spawn->table_end, ~0u, CLOSE_RANGE_UNSHARE));
}

static int lead_group(const struct step *step, const struct spawn *spawn) {
    (void)step;
    (void)spawn;
    return code_of(setpgid(0, 0));
}

/* Who has the supervisor's terminal can open it as /dev/tty, and type there (TIOCSTI). A session of
 * its own (setsid(2)) would take it away as well, and give each handler a share of the processor
 * like that of the supervisor and all others together (sched(7), autogroup), which was seen to cost
 * two fifths of the connections per second. Who does not lead a session never gets a terminal again
 * (tty_ioctl(4), TIOCNOTTY). */
static int give_up_terminal(const struct step *step, const struct spawn *spawn) {
    (void)step;
    (void)spawn;
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal < 0) {
        return errno == ENXIO ? 0 : errno; /* gone since */
    }
    int code = code_of(ioctl(terminal, TIOCNOTTY));
    close(terminal);
    return code;
}

static int replace_streams(const struct step *step, const struct spawn *spawn) {
    (void)step;
    int streams[] = {spawn->input, spawn->output, spawn->error};
    int log = spawn->log_path[0] == '\0' ? -1 : open(spawn->log_path, O_WRONLY | O_CLOEXEC);
    if (log < 0 && spawn->log_path[0] != '\0') {
        return errno;
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(streams[i] == SPAWN_LOG ? log : streams[i], i) < 0) {
            return errno;
        }
    }
    return 0;
}

/* Nobody makes way for the channel: it gets its number when all listeners have theirs. */
static int make_way(const struct step *step, const struct spawn *spawn) {
    int end = step->pass.listeners_end;
    for (int i = 0; i < step->pass.count; i++) {
        int *descriptor = &spawn->passed[i];
        if (*descriptor < end && *descriptor != FIRST_PASSED_DESCRIPTOR + i) {
            *descriptor = fcntl(*descriptor, F_DUPFD_CLOEXEC, end);
            if (*descriptor < 0) {
                return errno == EINVAL ? EMFILE : errno; /* `end` itself is above the limit */
            }
        }
    }
    return 0;
}

static int pass(const struct step *step, const struct spawn *spawn) {
    for (int i = 0; i < step->pass.count; i++) {
        int wanted = FIRST_PASSED_DESCRIPTOR + i;
        int result = spawn->passed[i] != wanted
                         ? dup2(spawn->passed[i], wanted)
                         : fcntl(wanted, F_SETFD, 0); /* dup2 would leave close-on-exec set */
        if (result < 0) {
            return errno;
        }
    }
    return 0;
}

static int write_listen_pid(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    char *out = step->listen_pid;
    char digits[16];
    size_t count = 0;
    for (pid_t rest = getpid(); rest > 0; rest /= 10) {
        digits[count++] = (char)('0' + rest % 10);
    }
    while (count > 0) {
        *out++ = digits[--count];
    }
    *out = '\0';
    return 0;
}

static int set_limit(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of(setrlimit(step->limit.resource, &step->limit.values));
}

/* The files in /proc of who has changed its user are root's while nobody may trace it
 * (PR_SET_DUMPABLE, prctl(2)). */
int posix_plan_open_oom(const struct step *step) {
    static const char path[] = "/proc/self/oom_score_adj";
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 && errno == EACCES && step->oom.may_trace &&
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0) {
        file = open(path, O_WRONLY | O_CLOEXEC);
        int code = errno;
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        errno = code;
    }
    return file;
}

static int adjust_oom(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    size_t length = 0;
    while (step->oom.text[length] != '\0') {
        length++;
    }
    int file = posix_plan_open_oom(step);
    if (file < 0) {
        return errno;
    }
    int code = code_of((int)write(file, step->oom.text, length));
    close(file);
    return code;
}

static int rank(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of((int)syscall(SYS_setpriority, PRIO_PROCESS, 0, step->nice_count));
}

static int set_groups(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of((int)syscall(CALL_SETGROUPS, step->groups.count, step->groups.ids));
}

/* Where no directory is given, it is the new root itself: nothing outside shall be left. */
static int change_root(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return chroot(step->chroot) != 0 ? errno : code_of(chdir("/"));
}

static int enter_directory(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of(chdir(step->directory));
}

static int set_umask(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    umask(step->umask_bits);
    return 0;
}

static int become_group(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of((int)syscall(CALL_SETRESGID, step->id.id, step->id.id, step->id.id));
}

/* The memory, which is the supervisor's still, can be traced by nobody from here on: the kernel
 * takes that away before the new user is to be seen (prctl(2), PR_SET_DUMPABLE). */
static int become_user(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    if (step->id.keeps_capabilities && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    return code_of((int)syscall(CALL_SETRESUID, step->id.id, step->id.id, step->id.id));
}

/* Root has after execve(2) all that is in the bounding set, and others what is ambient. */
static int keep_capabilities(const struct step *step, const struct spawn *spawn) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t low = (uint32_t)step->capabilities.kept;
    uint32_t high = (uint32_t)(step->capabilities.kept >> 32);
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{low, low, low},
                                                                    {high, high, high}};
    if (step->capabilities.is_own) {
        data[0].inheritable = data[1].inheritable = 0; /* and so none is ambient */
    }
    (void)spawn;
    for (int i = 0; step->capabilities.is_root && i < CAPABILITIES_MAX_COUNT; i++) {
        bool is_kept = (step->capabilities.kept >> i & 1u) != 0;
        if (!is_kept && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 &&
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0) {
            return errno;
        }
    }
    if (syscall(SYS_capset, &header, data) != 0) {
        return errno;
    }
    bool is_passed = !step->capabilities.is_root && !step->capabilities.is_own;
    for (int i = 0; is_passed && i < CAPABILITIES_MAX_COUNT; i++) {
        if ((step->capabilities.kept >> i & 1u) != 0 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0) {
            return errno;
        }
    }
    return 0;
}

static int forbid_new_privileges(const struct step *step, const struct spawn *spawn) {
    (void)step;
    (void)spawn;
    return code_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* It is told of an end that comes, so behind it one that came before is looked for (prctl(2)). */
static int ask_for_death_signal(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        return errno;
    }
    return getppid() == step->supervisor ? 0 : ESRCH;
}

static int reset_dispositions(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < step->signals.count; i++) {
        if (sigaction(step->signals.numbers[i], &standard, NULL) != 0) {
            return errno;
        }
    }
    return 0;
}

static int clear_mask(const struct step *step, const struct spawn *spawn) {
    (void)step;
    (void)spawn;
    sigset_t none;
    sigemptyset(&none);
    return code_of(sigprocmask(SIG_SETMASK, &none, NULL));
}

static int execute(const struct step *step, const struct spawn *spawn) {
    return code_of(execve(step->execute.path, spawn->argv, step->execute.environment));
}

static const struct {
    const char *name;
    int (*take)(const struct step *step, const struct spawn *spawn);
} kinds[STEP_KIND_COUNT] = {
    [STEP_OWN_TABLE] = {"close_range", own_table},
    [STEP_GROUP] = {"setpgid", lead_group},
    [STEP_TERMINAL] = {"ioctl", give_up_terminal},
    [STEP_STREAMS] = {"dup2", replace_streams},
    [STEP_MAKE_WAY] = {"fcntl", make_way},
    [STEP_PASS] = {"dup2", pass},
    [STEP_LISTEN_PID] = {"getpid", write_listen_pid},
    [STEP_LIMIT_MEMORY] = {"setrlimit RLIMIT_AS", set_limit},
    [STEP_LIMIT_CORE] = {"setrlimit RLIMIT_CORE", set_limit},
    [STEP_LIMIT_CPU] = {"setrlimit RLIMIT_CPU", set_limit},
    [STEP_LIMIT_FILES] = {"setrlimit RLIMIT_NOFILE", set_limit},
    [STEP_LIMIT_PROCESSES] = {"setrlimit RLIMIT_NPROC", set_limit},
    [STEP_OOM] = {"oom_score_adj", adjust_oom},
    [STEP_NICE] = {"setpriority", rank},
    [STEP_GROUPS] = {"setgroups", set_groups},
    [STEP_CHROOT] = {"chroot", change_root},
    [STEP_DIRECTORY] = {"chdir", enter_directory},
    [STEP_UMASK] = {"umask", set_umask},
    [STEP_GID] = {"setresgid", become_group},
    [STEP_UID] = {"setresuid", become_user},
    [STEP_CAPABILITIES] = {"capset", keep_capabilities},
    [STEP_NO_NEW_PRIVILEGES] = {"prctl PR_SET_NO_NEW_PRIVS", forbid_new_privileges},
    [STEP_DEATH_SIGNAL] = {"prctl", ask_for_death_signal},
    [STEP_DISPOSITIONS] = {"sigaction", reset_dispositions},
    [STEP_MASK] = {"sigprocmask", clear_mask},
    [STEP_EXECUTE] = {"execve", execute},
};

const char *posix_plan_step_name(const struct step *step) {
    return kinds[step->kind].name;
}

void posix_plan_walk(const struct plan *plan, const struct spawn *spawn,
                     struct plan_failure *failure) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        int code = kinds[step->kind].take(step, spawn);
        if (code != 0) {
            failure->code = code;
            failure->step = step;
            return;
        }
    }
}
