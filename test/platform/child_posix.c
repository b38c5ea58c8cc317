#include "child.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int offered = -1;

char **child_arguments(int argc, char **argv, int *out_argc) {
    /* A test that failed must not leave this process behind for ever. */
    alarm(60);
    *out_argc = argc;
    return argv;
}

void child_write(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written <= 0) {
            _exit(98);
        }
        bytes += written;
        length -= (size_t)written;
    }
}

const char *child_variable(const char *name) {
    return getenv(name);
}

uint32_t child_pid(void) {
    return (uint32_t)getpid();
}

const char *child_directory(void) {
    static char path[PATH_MAX];
    return getcwd(path, sizeof path);
}

static int channel(void) {
    const char *text = getenv("BATON_CHANNEL");
    return text == NULL ? -1 : (int)strtol(text, NULL, 10);
}

bool channel_write(const void *bytes, size_t length) {
    return send(channel(), bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

long channel_read(void *frame, size_t size) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec room = {.iov_base = frame, .iov_len = size};
    struct msghdr message = {.msg_iov = &room,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(channel(), &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&offered, CMSG_DATA(header), sizeof offered);
    }
    return got;
}

void channel_shut(void) {
    close(channel());
}

bool child_serve_socket(const uint8_t *info) {
    (void)info;
    if (offered < 0) {
        return false;
    }
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    bool blocking = (fcntl(offered, F_GETFL) & O_NONBLOCK) == 0;
    bool peer = getpeername(offered, (struct sockaddr *)&name, &length) == 0;
    char bytes[256];
    ssize_t got;
    while ((got = recv(offered, bytes, sizeof bytes, 0)) > 0) {
        send(offered, bytes, (size_t)got, MSG_NOSIGNAL);
    }
    bool down = shutdown(offered, SHUT_WR) == 0;
    /* Close-on-exec is the receiver's own choice here (MSG_CMSG_CLOEXEC). */
    int flags = fcntl(offered, F_GETFD);
    char line[128];
    int line_length =
        snprintf(line, sizeof line, "blocking=%d inheritable=%d peer=%d shutdown=%d\n", blocking,
                 (flags & FD_CLOEXEC) == 0, peer, down);
    child_write(line, (size_t)line_length);
    close(offered);
    return true;
}

void child_spawn(const char *self, const char *action, bool escape) {
    int ready[2];
    if (pipe(ready) != 0) {
        child_crash();
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (escape) {
            setsid();
        }
        close(ready[0]);
        close(ready[1]);
        execl(self, self, action, (char *)NULL);
        _exit(97);
    }
    /* It has left the group before the line is printed. */
    close(ready[1]);
    char none;
    if (read(ready[0], &none, 1) != 0) {
        child_crash();
    }
    close(ready[0]);
    char line[64];
    int length = snprintf(line, sizeof line, "grandchild %d\n", (int)pid);
    child_write(line, (size_t)length);
}

/* A frame as it should be, but with two descriptors. */
static void send_descriptors(void) {
    char bytes[16] = "BATN\1\5\0\0\0\0\0\0\0\0\0";
    int descriptors[2] = {0, 0};
    union {
        char bytes[CMSG_SPACE(sizeof descriptors)];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec content = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &content,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(header), descriptors, sizeof descriptors);
    sendmsg(channel(), &message, MSG_NOSIGNAL);
}

/* The header claims the longest body that a handler may send, and more than that follows in the
 * same packet: cut off at the reader's capacity it would look right. */
static void send_long_packet(void) {
    char bytes[16 + 600] = "BATN\1\5\0\0\0\0\0\0\0\0\2";
    send(channel(), bytes, sizeof bytes, MSG_NOSIGNAL);
}

static void list_descriptors(void) {
    char line[1024] = "";
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        child_crash();
    }
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        int number = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && number != dirfd(folder)) {
            size_t used = strlen(line);
            snprintf(line + used, sizeof line - used, "%d ", number);
        }
    }
    closedir(folder);
    child_write("descriptors ", 12);
    child_write(line, strlen(line));
    child_write("\n", 1);
}

/* Limit, mask, dispositions and group of a process fresh from the launch. */
static void print_state(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    unsigned char mask[8] = {0}; /* the kernel's, with what libc keeps for itself */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, mask, sizeof mask);
    int blocked_count = 0;
    int ignored_count = 0;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        blocked_count += mask[(number - 1) / 8] >> (number - 1) % 8 & 1;
        ignored_count += sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
    }
    char line[128];
    int length = snprintf(line, sizeof line, "limit=%llu blocked=%d ignored=%d leads=%d\n",
                          (unsigned long long)limit.rlim_cur, blocked_count, ignored_count,
                          getpgrp() == getpid());
    child_write(line, (size_t)length);
}

static void read_both_standard_streams(void) {
    char byte;
    ssize_t input = read(STDIN_FILENO, &byte, 1);
    ssize_t output = read(STDOUT_FILENO, &byte, 1);
    char line[64];
    int length = snprintf(line, sizeof line, "input=%zd output=%zd\n", input, output);
    child_write(line, (size_t)length);
}

/* To the group of a child of ours, in the same session: allowed to every group leader. */
static void leave_group(void) {
    pid_t member = fork();
    if (member == 0) {
        child_hold();
    }
    if (setpgid(member, member) != 0 || setpgid(0, member) != 0) {
        child_crash();
    }
}

/* One link of a chain: it has a child that goes on, and ends. Each in a session of its own. */
static void link_chain(const struct timespec *start) {
    for (;;) {
        struct pollfd end = {.fd = channel()};
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (poll(&end, 1, 0) != 0) {
            _exit(0);
        }
        if (now.tv_sec > start->tv_sec + 20) {
            child_write("chain too long\n", 15);
            _exit(0);
        }
        if (fork() != 0) {
            _exit(0);
        }
        setsid();
    }
}

/* Strays without end, faster than one process can reap them, until the supervisor's end of the
 * channel is closed. */
static void start_chains(void) {
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    child_write("chain begins\n", 13);
    for (int i = 0; i < 32; i++) {
        if (fork() == 0) {
            setsid();
            link_chain(&start);
        }
    }
}

static void print_whether_output_blocks(void) {
    bool blocks = (fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0;
    child_write(blocks ? "blocks\n" : "does not block\n", blocks ? 7 : 15);
}

/* Gives its privileges away, as a daemon does. */
static void become(uid_t user) {
    if (setgroups(0, NULL) != 0 || setgid((gid_t)user) != 0 || setuid(user) != 0) {
        _exit(97);
    }
}

static void print_to(const char *path) {
    char line[256];
    int length = snprintf(line, sizeof line, "to %s\n", path);
    int opened = open(path, O_WRONLY);
    if (opened < 0 || write(opened, line, (size_t)length) != length) {
        _exit(96);
    }
    close(opened);
}

static void print_whether_opened(const char *path) {
    bool denied = open(path, O_RDONLY) < 0 && errno == EACCES;
    child_write(denied ? "EACCES\n" : "opened\n", 7);
}

/* By the system's own calls, as runtimes of all languages do it in the end. */
static void copy_input(void) {
    char bytes[4096];
    ssize_t got;
    while ((got = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
        child_write(bytes, (size_t)got);
    }
}

static int listener_count(void) {
    const char *text = getenv("LISTEN_FDS");
    return text == NULL ? 0 : (int)strtol(text, NULL, 10);
}

/* As sd_listen_fds(3) looks at it, and more: what each descriptor is bound to, whether it blocks,
 * and whether standard input is the first. */
static void print_listeners(void) {
    const char *pid = getenv("LISTEN_PID");
    const char *names = getenv("LISTEN_FDNAMES");
    char line[512];
    int used = snprintf(line, sizeof line, "for-me=%d names=%s input=",
                        pid != NULL && strtol(pid, NULL, 10) == (long)getpid(),
                        names == NULL ? "(unset)" : names);
    for (int i = -1; i < listener_count(); i++) {
        int descriptor = i < 0 ? STDIN_FILENO : 3 + i;
        struct sockaddr_in name = {0};
        socklen_t length = sizeof name;
        getsockname(descriptor, (struct sockaddr *)&name, &length);
        bool blocks = (fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0;
        used += snprintf(line + used, sizeof line - (size_t)used, "%u%s ",
                         (unsigned)ntohs(name.sin_port), blocks ? "" : "!");
    }
    child_write(line, (size_t)used);
    child_write("\n", 1);
}

/* To who has sent what waits there. */
static void connect_listener(void) {
    struct sockaddr_storage client;
    socklen_t length = sizeof client;
    char byte;
    if (recvfrom(3, &byte, 1, 0, (struct sockaddr *)&client, &length) < 0 ||
        connect(3, (struct sockaddr *)&client, length) != 0) {
        exit(1);
    }
}

/* It becomes a connection, to a listener of our own. */
static void turn_listener(void) {
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t length = sizeof name;
    int other = socket(AF_INET, SOCK_STREAM, 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(other, (struct sockaddr *)&name, sizeof name) != 0 || listen(other, 1) != 0 ||
        getsockname(other, (struct sockaddr *)&name, &length) != 0 || shutdown(3, SHUT_RDWR) != 0 ||
        connect(3, (struct sockaddr *)&name, sizeof name) != 0) {
        exit(1);
    }
}

/* It listens elsewhere. */
static void move_listener(void) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct sockaddr_in name = {.sin_family = AF_INET};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    shutdown(3, SHUT_RDWR);
    (void)connect(3, &nobody, sizeof nobody);
    (void)bind(3, (struct sockaddr *)&name, sizeof name);
    listen(3, 1);
}

static void remove_file(void) {
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    if (getsockname(3, (struct sockaddr *)&name, &length) != 0 || unlink(name.sun_path) != 0) {
        exit(1);
    }
}

/* Serves one client of the first listener, or one datagram: sends back what comes. */
static void serve_listener(void) {
    char bytes[256];
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int type = 0;
    socklen_t type_length = sizeof type;
    getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &type_length);
    if (type == SOCK_DGRAM) {
        ssize_t got = recvfrom(3, bytes, sizeof bytes, 0, (struct sockaddr *)&peer, &length);
        sendto(3, bytes, got < 0 ? 0 : (size_t)got, 0, (struct sockaddr *)&peer, length);
        return;
    }
    int client = accept(3, NULL, NULL);
    ssize_t got;
    while ((got = read(client, bytes, sizeof bytes)) > 0) {
        send(client, bytes, (size_t)got, MSG_NOSIGNAL);
    }
    close(client);
}

/* Has the lock of the pipe it writes to from its first byte on, for ever: splice(2) waits for what
 * a silent peer sends. */
static void lock_output(int output) {
    int silent[2];
    alarm(60);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, silent) == 0 && write(output, "x", 1) == 1) {
        splice(silent[0], NULL, output, NULL, 1, 0);
    }
}

/* Leaves its standard streams for ones of its own that lead to the same pipe, and has that's lock.
 */
static void lock_reopened(void) {
    int silent[2];
    int again = open("/proc/self/fd/2", O_WRONLY);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    alarm(60);
    if (again >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, silent) == 0) {
        splice(silent[0], NULL, again, NULL, 1, 0);
    }
}

/* The same of the pipe it reads from, once its peer, who does not read, has had enough. */
static void lock_input(void) {
    int full[2];
    alarm(60);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0) {
        while (splice(STDIN_FILENO, NULL, full[0], NULL, 65536, 0) > 0) {
        }
    }
}

/* Actions about what was passed at launch. */
static bool act_on_streams(const char *action) {
    if (strcmp(action, "copy-input") == 0) {
        copy_input();
    } else if (strcmp(action, "listeners") == 0) {
        print_listeners();
    } else if (strcmp(action, "serve-listener") == 0) {
        serve_listener();
    } else if (strcmp(action, "unblock-listeners") == 0) {
        for (int i = 0; i < listener_count(); i++) {
            fcntl(3 + i, F_SETFL, fcntl(3 + i, F_GETFL) | O_NONBLOCK);
        }
    } else if (strcmp(action, "shut-listener") == 0) {
        shutdown(3, SHUT_RDWR);
    } else if (strcmp(action, "shut-reading") == 0) {
        shutdown(3, SHUT_RD);
    } else if (strcmp(action, "connect-listener") == 0) {
        connect_listener();
    } else if (strcmp(action, "listen-for-none") == 0) {
        listen(3, 0);
    } else if (strcmp(action, "turn-listener") == 0) {
        turn_listener();
    } else if (strcmp(action, "move-listener") == 0) {
        move_listener();
    } else if (strcmp(action, "remove-file") == 0) {
        remove_file();
    } else {
        return false;
    }
    return true;
}

bool child_special(const char *action) {
    if (act_on_streams(action)) {
        return true;
    }
    if (strcmp(action, "empty-packet") == 0) {
        send(channel(), "", 0, MSG_NOSIGNAL);
    } else if (strcmp(action, "attach-two") == 0) {
        send_descriptors();
    } else if (strcmp(action, "long-packet") == 0) {
        send_long_packet();
    } else if (strcmp(action, "descriptors") == 0) {
        list_descriptors();
    } else if (strcmp(action, "state") == 0) {
        print_state();
    } else if (strcmp(action, "streams") == 0) {
        read_both_standard_streams();
    } else if (strcmp(action, "ignore-terminate") == 0) {
        signal(SIGTERM, SIG_IGN);
    } else if (strcmp(action, "shut-output") == 0) {
        shutdown(STDOUT_FILENO, SHUT_RDWR);
    } else if (strcmp(action, "half-close-channel") == 0) {
        shutdown(channel(), SHUT_WR);
    } else if (strcmp(action, "fork-chains") == 0) {
        start_chains();
    } else if (strcmp(action, "unblock-output") == 0) {
        fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    } else if (strncmp(action, "become:", 7) == 0) {
        become((uid_t)strtoul(action + 7, NULL, 10));
    } else if (strncmp(action, "print-to:", 9) == 0) {
        print_to(action + 9);
    } else if (strncmp(action, "read-from:", 10) == 0) {
        print_whether_opened(action + 10);
    } else if (strcmp(action, "output-blocks") == 0) {
        print_whether_output_blocks();
    } else if (strcmp(action, "broken-pipe") == 0) {
        raise(SIGPIPE);
    } else if (strcmp(action, "lock-output") == 0) {
        lock_output(STDOUT_FILENO);
    } else if (strcmp(action, "lock-error") == 0) {
        lock_output(STDERR_FILENO);
    } else if (strcmp(action, "lock-reopened") == 0) {
        lock_reopened();
    } else if (strcmp(action, "lock-input") == 0) {
        lock_input();
    } else if (strcmp(action, "leave-group") == 0) {
        leave_group();
    } else {
        return false;
    }
    return true;
}

static void go_signal(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
}

void child_prepare_go(void) {
    sigset_t go;
    go_signal(&go);
    sigprocmask(SIG_BLOCK, &go, NULL);
}

void child_wait_for_go(void) {
    sigset_t go;
    int number;
    go_signal(&go);
    sigwait(&go, &number);
}

void child_crash(void) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    _exit(96);
}

void child_hold(void) {
    for (;;) {
        pause();
    }
}
