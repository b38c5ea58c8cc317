/*
 * The steps of a new process: their order, and what each does. plan.h says what a step may do.
 */
#include "platform/posix/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int limit_descriptors(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of(setrlimit(RLIMIT_NOFILE, &step->descriptor_limit));
}

static int enter_directory(const struct step *step, const struct spawn *spawn) {
    (void)spawn;
    return code_of(chdir(step->directory));
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
    [STEP_DESCRIPTOR_LIMIT] = {"setrlimit", limit_descriptors},
    [STEP_DIRECTORY] = {"chdir", enter_directory},
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

/* ---- Which steps, in which order ---- */

/* Kinds go up from step to step, so there is room for each, and the enum tells the order. */
static struct step *add(struct plan *plan, enum step_kind kind) {
    assert(plan->count == 0 || plan->steps[plan->count - 1].kind < kind);
    struct step *step = &plan->steps[plan->count++];
    *step = (struct step){.kind = kind};
    return step;
}

/* The sources of the streams are all above 2, since the platform keeps 0 to 2 occupied; what is
 * passed at higher numbers comes last, because these may be the numbers of the other sources. */
static void add_descriptors(struct plan *plan, const struct platform_program *program) {
    int listener_count = (int)program->listener_count;
    struct step_pass passed = {.count = listener_count + (program->nonce != NULL),
                               .listeners_end = FIRST_PASSED_DESCRIPTOR + listener_count};
    add(plan, STEP_STREAMS);
    if (listener_count > 0) { /* a channel alone is in nobody's way */
        add(plan, STEP_MAKE_WAY)->pass = passed;
    }
    if (passed.count > 0) {
        add(plan, STEP_PASS)->pass = passed;
    }
    if (program->listen_pid != NULL) {
        add(plan, STEP_LISTEN_PID)->listen_pid = program->listen_pid;
    }
}

/*
 * Each step stands where what it needs is still there and what it takes away is needed no more.
 * In brackets: what is not there yet, in the place where it belongs.
 *
 *   own table              before anything that touches a descriptor
 *   group, terminal        soon: a Ctrl-C for the supervisor finds the child with it until then
 *   descriptors            while the supervisor's raised limit holds, which their numbers need
 *   descriptor limit       [all other limits here: raising one takes privileges]
 *   [oom_score_adj]        is a file in /proc, which the next root may not have
 *   [nice, groups, chroot] take privileges
 *   directory              is one inside the new root
 *   [ids]                  the user's and the group's: from here on without privileges
 *   [capabilities]         those that shall be kept have to outlast the change of ids
 *   [no new privileges]    binds everything behind it
 *   death signal           is forgotten at a change of ids
 *   [sandbox]              forbids system calls to whatever comes behind it
 *   dispositions, mask     in this order: a signal that waits shall find the default
 *   execute
 */
void posix_plan_make(struct plan *plan, const struct platform *platform,
                     const struct platform_program *program) {
    plan->count = 0;
    add(plan, STEP_OWN_TABLE);
    add(plan, STEP_GROUP);
    if (platform->has_terminal) {
        add(plan, STEP_TERMINAL);
    }
    add_descriptors(plan, program);
    add(plan, STEP_DESCRIPTOR_LIMIT)->descriptor_limit = platform->original_descriptors;
    if (program->directory != NULL) {
        add(plan, STEP_DIRECTORY)->directory = program->directory;
    }
    if (program->ends_with_supervisor) {
        add(plan, STEP_DEATH_SIGNAL)->supervisor = getpid();
    }
    if (platform->ignored_count > 0) {
        struct step *dispositions = add(plan, STEP_DISPOSITIONS);
        dispositions->signals.numbers = platform->ignored;
        dispositions->signals.count = platform->ignored_count;
    }
    add(plan, STEP_MASK);
    struct step *last = add(plan, STEP_EXECUTE);
    last->execute.path = program->path;
    last->execute.environment = program->environment;
}
