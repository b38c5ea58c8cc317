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

static int own_table(const struct spawn *spawn) {
    return spawn->table_end == 0
               ? 0
               : (int)syscall(SYS_close_range, spawn->table_end, ~0u, CLOSE_RANGE_UNSHARE);
}

/* Whatever close(2) says, `result` and its errno stay. */
static int close_and_say(int descriptor, int result) {
    int code = errno;
    close(descriptor);
    errno = code;
    return result;
}

/* Who has the supervisor's terminal can open it as /dev/tty, and type there (TIOCSTI). A session of
 * its own (setsid(2)) would take it away as well, and give each handler a share of the processor
 * like that of the supervisor and all others together (sched(7), autogroup), which was seen to cost
 * two fifths of the connections per second. Who does not lead a session never gets a terminal again
 * (tty_ioctl(4), TIOCNOTTY). */
static int give_up_terminal(void) {
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal < 0) {
        return errno == ENXIO || errno == ENOENT ? 0 : -1; /* gone since */
    }
    return close_and_say(terminal, ioctl(terminal, TIOCNOTTY));
}

static int replace_streams(const struct spawn *spawn) {
    for (int i = 0; i < 3; i++) {
        if (dup2(posix_handover_find(spawn->handover, spawn->streams[i]), i) < 0) {
            return -1;
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
                errno = errno == EINVAL ? EMFILE : errno; /* `end` itself is above the limit */
                return -1;
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
            return -1;
        }
    }
    return 0;
}

static void write_listen_pid(char *out) {
    char digits[16];
    size_t count = 0;
    for (pid_t rest = getpid(); rest > 0; rest /= 10) {
        digits[count++] = (char)('0' + rest % 10);
    }
    while (count > 0) {
        *out++ = digits[--count];
    }
    *out = '\0';
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

static int adjust_oom(const struct step *step) {
    size_t length = 0;
    while (step->oom.text[length] != '\0') {
        length++;
    }
    int file = posix_plan_open_oom(step);
    return file < 0 ? -1 : close_and_say(file, (int)write(file, step->oom.text, length));
}

/* The memory, which is the supervisor's still, can be traced by nobody from here on: the kernel
 * takes that away before the new user is to be seen (prctl(2), PR_SET_DUMPABLE). */
static int become_user(const struct step *step) {
    if (step->id.keeps_capabilities && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(CALL_SETRESUID, step->id.id, step->id.id, step->id.id);
}

/* Root has after execve(2) all that is in the bounding set, and others what is ambient. */
static int keep_capabilities(const struct step *step) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t low = (uint32_t)step->capabilities.kept;
    uint32_t high = (uint32_t)(step->capabilities.kept >> 32);
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{low, low, low},
                                                                    {high, high, high}};
    if (step->capabilities.is_own) {
        data[0].inheritable = data[1].inheritable = 0; /* and so none is ambient */
    }
    for (int i = 0; step->capabilities.is_root && i < CAPABILITIES_MAX_COUNT; i++) {
        bool is_kept = (step->capabilities.kept >> i & 1u) != 0;
        if (!is_kept && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 &&
            prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0) {
            return -1;
        }
    }
    if (syscall(SYS_capset, &header, data) != 0) {
        return -1;
    }
    bool is_passed = !step->capabilities.is_root && !step->capabilities.is_own;
    for (int i = 0; is_passed && i < CAPABILITIES_MAX_COUNT; i++) {
        if ((step->capabilities.kept >> i & 1u) != 0 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0) {
            return -1;
        }
    }
    return 0;
}

/* It is told of an end that comes, so behind it one that came before is looked for (prctl(2)). */
static int ask_for_death_signal(pid_t supervisor) {
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        return -1;
    }
    errno = ESRCH;
    return getppid() == supervisor ? 0 : -1;
}

static int reset_dispositions(const struct step *step) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < step->signals.count; i++) {
        if (sigaction(step->signals.numbers[i], &standard, NULL) != 0) {
            return -1;
        }
    }
    return 0;
}

static int clear_mask(void) {
    static const unsigned long none[8 / sizeof(unsigned long)]; /* as the kernel has it */
    return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, sizeof none);
}

static int take(const struct step *step, const struct spawn *spawn) {
    switch (step->kind) {
    case STEP_OWN_TABLE:
        return own_table(spawn);
    case STEP_TAKE:
        return posix_handover_take(spawn);
    case STEP_GROUP:
        return setpgid(0, 0);
    case STEP_TERMINAL:
        return give_up_terminal();
    case STEP_STREAMS:
        return replace_streams(spawn);
    case STEP_MAKE_WAY:
        return make_way(step, spawn);
    case STEP_PASS:
        return pass(step, spawn);
    case STEP_LISTEN_PID:
        write_listen_pid(step->listen_pid);
        return 0;
    case STEP_LIMIT_MEMORY:
    case STEP_LIMIT_CORE:
    case STEP_LIMIT_CPU:
    case STEP_LIMIT_FILES:
    case STEP_LIMIT_PROCESSES:
        return prlimit(0, step->limit.resource, &step->limit.values, NULL);
    case STEP_OOM:
        return adjust_oom(step);
    case STEP_NICE:
        return (int)syscall(SYS_setpriority, PRIO_PROCESS, 0, step->nice_count);
    case STEP_GROUPS:
        return (int)syscall(CALL_SETGROUPS, step->groups.count, step->groups.ids);
    case STEP_CHROOT:
        /* Where no directory is given, it is the new root itself: nothing outside shall be left. */
        return chroot(step->chroot) == 0 ? chdir("/") : -1;
    case STEP_DIRECTORY:
        return chdir(step->directory);
    case STEP_UMASK:
        umask(step->umask_bits);
        return 0;
    case STEP_GID:
        return (int)syscall(CALL_SETRESGID, step->id.id, step->id.id, step->id.id);
    case STEP_UID:
        return become_user(step);
    case STEP_CAPABILITIES:
        return keep_capabilities(step);
    case STEP_NO_NEW_PRIVILEGES:
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    case STEP_DEATH_SIGNAL:
        return ask_for_death_signal(step->supervisor);
    case STEP_DISPOSITIONS:
        return reset_dispositions(step);
    case STEP_MASK:
        return clear_mask();
    case STEP_EXECUTE:
        return execve(step->execute.path, spawn->argv, step->execute.environment);
    case STEP_KIND_COUNT:
        break;
    }
    return 0;
}

void posix_plan_walk(const struct plan *plan, const struct spawn *spawn,
                     struct plan_failure *failure) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        if (take(step, spawn) < 0) {
            failure->code = errno;
            failure->step = step;
            if (spawn != NULL) {
                posix_handover_return(spawn->handover);
            }
            return;
        }
    }
}
