/*
 * baton-keeper: the parent of a batond that must be there. It holds copies of the listening
 * sockets, starts batond again when it has crashed or stands still, and can do nothing else: it
 * reads no config, accepts nobody, and launches nothing but that one program.
 *
 *     baton-keeper PROGRAM ARGUMENT...
 *
 * To batond it is what systemd is, by the same pages: sd_notify(3) for READY, WATCHDOG, STOPPING,
 * and the store of descriptors (FDSTORE, FDSTOREREMOVE), sd_listen_fds(3) to give them back. So
 * clients wait in the backlogs while there is no batond, and none is refused. But batond speaks by
 * a socket that it inherits (BATON_KEEPER, its number), not by one with a name: that anybody could
 * send to, fill, or stuff with descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PASSED 3
#define STORE_MAX_COUNT 4096
#define NAME_BYTES 64
#define START_DESCRIPTORS 64
#define MESSAGE_BYTES 1024
/* A batond that has not been heard of for so long stands still; BATON_WATCHDOG_MS says otherwise.
 */
#define WATCHDOG_MS 30000
#define WATCHDOG_LEAST_MS 100
/* Who has lived so long has not failed at the start: the next one comes at once. */
#define LIVED_MS 10000
#define PAUSE_FIRST_MS 100
#define PAUSE_LAST_MS 10000
/* Of the config, or the command line: the next one would say the same. */
#define EXIT_CONFIG 78
#define EXIT_USAGE 64
#define EXIT_SYSTEM 71

struct kept {
    int descriptor;
    char name[NAME_BYTES];
};

static struct keeper {
    char **command;
    pid_t child; /* 0 = none */
    int told;    /* the other end is the child's */
    int signals; /* a signalfd(2) */
    struct kept kept[STORE_MAX_COUNT];
    int kept_count;
    bool was_ready;            /* one of them */
    bool is_ready;             /* the child: its loop goes round */
    struct rlimit descriptors; /* as we found it, and as the child gets it */
    bool stops;
    int64_t began_ms, heard_ms;
    int64_t next_ms; /* when to start the next one */
    int pause_ms, watchdog_ms;
} keeper;

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The store ---- */

static void forget(const char *name) {
    for (int i = keeper.kept_count; i-- > 0;) {
        if (strcmp(keeper.kept[i].name, name) == 0) {
            close(keeper.kept[i].descriptor);
            keeper.kept[i] = keeper.kept[--keeper.kept_count];
        }
    }
}

static void keep(int descriptor, const char *name) {
    if (keeper.kept_count == STORE_MAX_COUNT) {
        close(descriptor);
        return;
    }
    struct kept *kept = &keeper.kept[keeper.kept_count++];
    kept->descriptor = descriptor;
    snprintf(kept->name, sizeof kept->name, "%s", name);
}

/* ---- What batond says ---- */

/* What batond says is known: no text of its own has such an assignment in it. */
static void obey(const char *message, int descriptor) {
    const char *name = strstr(message, "FDNAME=");
    keeper.heard_ms = now_ms();
    keeper.is_ready = keeper.is_ready || strstr(message, "READY=1") != NULL;
    keeper.was_ready = keeper.was_ready || keeper.is_ready;
    keeper.stops = keeper.stops || strstr(message, "STOPPING=1") != NULL;
    if (name != NULL && strstr(message, "FDSTOREREMOVE=1") != NULL) {
        forget(name + strlen("FDNAME="));
    }
    if (descriptor >= 0 && name != NULL && strstr(message, "FDSTORE=1") != NULL) {
        keep(descriptor, name + strlen("FDNAME="));
    } else if (descriptor >= 0) {
        close(descriptor);
    }
}

static bool hear(void) {
    char message[MESSAGE_BYTES];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec bytes = {message, sizeof message - 1};
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    ssize_t length = recvmsg(keeper.told, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) {
        return false;
    }
    int descriptor = -1;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights != NULL && rights->cmsg_type == SCM_RIGHTS) {
        memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor); /* there is room for one */
    }
    message[length] = '\0';
    obey(message, descriptor);
    return true;
}

/* For the next child; what the one of before has said is read. Returns its end, or -1. */
static int open_told(void) {
    int ends[2];
    if (keeper.told >= 0) {
        close(keeper.told);
    }
    keeper.told = -1;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -1;
    }
    keeper.told = ends[0];
    return ends[1];
}

/* ---- Starting it ---- */

static void set_number(const char *name, long number) {
    char text[24];
    snprintf(text, sizeof text, "%ld", number);
    setenv(name, text, 1);
}

/* More than that many can be open, however many listeners there are; where the system says no, what
 * is not passed is not counted. */
static void raise_limit(void) {
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &keeper.descriptors);
    most = keeper.descriptors;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
}

/* In the child. Each descriptor is first put above all that it may be put to; behind them comes the
 * one by which we are told. */
static void pass_store(int told) {
    static char names[STORE_MAX_COUNT * NAME_BYTES];
    static int copies[STORE_MAX_COUNT];
    const int above = FIRST_PASSED + keeper.kept_count + 1;
    size_t used = 0;
    int count = 0;
    for (int i = 0; i < keeper.kept_count; i++) {
        copies[count] = fcntl(keeper.kept[i].descriptor, F_DUPFD_CLOEXEC, above);
        if (copies[count] >= 0) {
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                     count > 0 ? ":" : "", keeper.kept[i].name);
            count++;
        }
    }
    told = fcntl(told, F_DUPFD_CLOEXEC, above);
    for (int i = 0; i < count; i++) {
        dup2(copies[i], FIRST_PASSED + i);
    }
    if (told >= 0 && dup2(told, FIRST_PASSED + count) >= 0) {
        set_number("BATON_KEEPER", FIRST_PASSED + count);
    }
    if (count > 0) {
        set_number("LISTEN_PID", getpid());
        set_number("LISTEN_FDS", count);
        setenv("LISTEN_FDNAMES", names, 1);
    }
    if (count < keeper.kept_count || told < 0) {
        dprintf(STDERR_FILENO, "baton-keeper: error: %d of %d sockets could be passed: %s\n", count,
                keeper.kept_count, strerror(errno));
    }
    /* As we found it, but for room to start in. */
    struct rlimit limit = keeper.descriptors;
    rlim_t least = (rlim_t)above + START_DESCRIPTORS;
    limit.rlim_cur = limit.rlim_cur > least ? limit.rlim_cur : least;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void start(void) {
    sigset_t none;
    int told = open_told();
    keeper.is_ready = false;
    keeper.child = told < 0 ? -1 : fork();
    if (keeper.child != 0) {
        keeper.began_ms = keeper.heard_ms = now_ms();
        if (keeper.child < 0) {
            dprintf(STDERR_FILENO, "baton-keeper: error: %s: %s\n",
                    told < 0 ? "socketpair" : "fork", strerror(errno));
            keeper.child = 0;
            keeper.next_ms = now_ms() + PAUSE_LAST_MS;
        }
        if (told >= 0) {
            close(told);
        }
        return;
    }
    /* Without its keeper it goes on, as it would if it had none. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    set_number("WATCHDOG_USEC", keeper.watchdog_ms * 1000L);
    pass_store(told);
    execv(keeper.command[0], keeper.command);
    dprintf(STDERR_FILENO, "baton-keeper: error: %s: %s\n", keeper.command[0], strerror(errno));
    _exit(EXIT_SYSTEM);
}

/* ---- Its end ---- */

/* Returns the exit code of the keeper, or -1: the next one is started, now or after a pause. */
static int judge(int status) {
    int64_t now = now_ms();
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    bool is_hopeless = !keeper.was_ready && WIFEXITED(status);
    keeper.child = 0;
    if (keeper.stops || (WIFEXITED(status) && code == 0) || is_hopeless) {
        return code;
    }
    keeper.pause_ms = now - keeper.began_ms >= LIVED_MS ? 0 : keeper.pause_ms;
    dprintf(
        STDERR_FILENO,
        "baton-keeper: warning: batond has ended by %s %d; the next one is started in %d ms, with "
        "%d listening sockets\n",
        WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? code : WTERMSIG(status),
        keeper.pause_ms, keeper.kept_count);
    keeper.next_ms = now + keeper.pause_ms;
    keeper.pause_ms = keeper.pause_ms < PAUSE_FIRST_MS      ? PAUSE_FIRST_MS
                      : 2 * keeper.pause_ms < PAUSE_LAST_MS ? 2 * keeper.pause_ms
                                                            : PAUSE_LAST_MS;
    return -1;
}

/* Orphans of a batond that has crashed are reaped, too. */
static int reap(void) {
    int status;
    pid_t pid;
    int code = -1;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == keeper.child) {
            while (hear()) { /* what it has said before its end */
            }
            code = judge(status);
        }
    }
    return code;
}

/* Returns the exit code, or -1. */
static int take_signal(void) {
    struct signalfd_siginfo signal;
    if (read(keeper.signals, &signal, sizeof signal) != (ssize_t)sizeof signal) {
        return -1;
    }
    if (signal.ssi_signo == SIGCHLD) {
        return reap();
    }
    bool is_stop = signal.ssi_signo != SIGHUP && signal.ssi_signo != SIGUSR2;
    keeper.stops = keeper.stops || is_stop;
    if (keeper.child == 0) {
        return is_stop ? 0 : -1;
    }
    kill(keeper.child, (int)signal.ssi_signo);
    return -1;
}

/* Who reads its config, or stops, may take its time: its loop has not begun, or is about others. */
static bool is_watched(void) {
    return keeper.child != 0 && keeper.is_ready && !keeper.stops;
}

static int wait_ms(void) {
    int64_t due_ms = keeper.child == 0 ? keeper.next_ms : keeper.heard_ms + keeper.watchdog_ms;
    int64_t left_ms = due_ms - now_ms();
    return keeper.child != 0 && !is_watched() ? -1 : left_ms < 0 ? 0 : (int)left_ms;
}

/* What there is to do by now, and then what comes. Returns the exit code, or -1. */
static int go_on(void) {
    if (keeper.child == 0 && now_ms() >= keeper.next_ms) {
        start();
    } else if (is_watched() && now_ms() >= keeper.heard_ms + keeper.watchdog_ms) {
        dprintf(STDERR_FILENO, "baton-keeper: warning: batond stands still and is killed\n");
        keeper.heard_ms = now_ms();
        kill(keeper.child, SIGKILL);
    }
    struct pollfd polls[] = {{.fd = keeper.told, .events = POLLIN},
                             {.fd = keeper.signals, .events = POLLIN}};
    (void)poll(polls, 2, wait_ms());
    while (hear()) {
    }
    return take_signal();
}

int main(int argc, char **argv) {
    static const int taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPWR, SIGUSR2};
    sigset_t signals;
    int code = -1;
    if (argc < 2 || argv[1][0] != '/') {
        dprintf(STDERR_FILENO, "usage: baton-keeper /PATH/OF/batond ARGUMENT...\n");
        return EXIT_USAGE;
    }
    const char *watchdog_ms = getenv("BATON_WATCHDOG_MS");
    keeper.watchdog_ms = watchdog_ms == NULL ? WATCHDOG_MS : (int)strtol(watchdog_ms, NULL, 10);
    keeper.watchdog_ms = keeper.watchdog_ms < WATCHDOG_LEAST_MS ? WATCHDOG_MS : keeper.watchdog_ms;
    keeper.command = argv + 1;
    keeper.pause_ms = PAUSE_FIRST_MS;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        sigaddset(&signals, taken[i]);
    }
    sigprocmask(SIG_BLOCK, &signals, NULL);
    keeper.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    keeper.told = -1;
    if (keeper.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        dprintf(STDERR_FILENO, "baton-keeper: error: cannot start: %s\n", strerror(errno));
        return EXIT_SYSTEM;
    }
    keeper.next_ms = now_ms();
    raise_limit();
    while (code < 0) {
        code = go_on();
    }
    return code;
}
