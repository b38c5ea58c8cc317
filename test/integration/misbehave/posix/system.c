#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int channel = -1;

static void fail(const char *what) {
    fprintf(stderr, "misbehave: %s: %s\n", what, strerror(errno));
    exit(90);
}

void system_open(uint8_t nonce[WIRE_NONCE_BYTES]) {
    const char *channel_text = getenv("BATON_CHANNEL");
    const char *nonce_text = getenv("BATON_NONCE");
    if (channel_text == NULL || nonce_text == NULL || !wire_nonce_parse(nonce_text, nonce)) {
        fail("no channel in the environment");
    }
    channel = (int)strtol(channel_text, NULL, 10);
    signal(SIGPIPE, SIG_IGN);
}

uint32_t system_own_pid(void) {
    return (uint32_t)getpid();
}

uint32_t system_parent_pid(void) {
    return (uint32_t)getppid();
}

void system_send(const void *bytes, size_t length) {
    if (channel >= 0 && send(channel, bytes, length, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
        errno != ECONNRESET) {
        fail("send");
    }
}

bool system_send_with_descriptor(const void *bytes, size_t length) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    const int descriptor = STDIN_FILENO;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) {
        fail("sendmsg");
    }
    return true;
}

static uintptr_t attached_socket(struct msghdr *packet) {
    struct cmsghdr *header = CMSG_FIRSTHDR(packet);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) {
        return SYSTEM_SOCKET_NONE;
    }
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return (uintptr_t)descriptor;
}

bool system_receive(struct wire_message *message, uintptr_t *socket) {
    static uint8_t frame[WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = frame, .iov_len = sizeof frame};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = sizeof control.room};
    ssize_t length;
    do {
        length = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length <= 0) {
        return false;
    }
    *socket = attached_socket(&packet);
    enum wire_result result = wire_decode(frame, (size_t)length, WIRE_FROM_SUPERVISOR, message);
    if (result != WIRE_OK) {
        fail(wire_result_text(result));
    }
    return true;
}

void system_channel_close(void) {
    close(channel);
    channel = -1;
}

size_t system_socket_read(uintptr_t socket, void *buffer, size_t size_bytes) {
    ssize_t length;
    do {
        length = recv((int)socket, buffer, size_bytes, 0);
    } while (length < 0 && errno == EINTR);
    return length < 0 ? 0 : (size_t)length;
}

void system_socket_write(uintptr_t socket, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t written = send((int)socket, next, length, MSG_NOSIGNAL);
        if (written < 0) {
            return;
        }
        next += written;
        length -= (size_t)written;
    }
}

void system_socket_close(uintptr_t socket) {
    close((int)socket);
}

bool system_wait_for_drain(uintptr_t socket) {
    struct pollfd waits[2] = {{.fd = (int)socket, .events = POLLIN},
                              {.fd = channel, .events = POLLIN}};
    while (poll(waits, 2, -1) < 0) {
        if (errno != EINTR) {
            fail("poll");
        }
    }
    return waits[1].revents != 0;
}

void system_write(bool to_error, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t written = write(to_error ? STDERR_FILENO : STDOUT_FILENO, next, length);
        if (written < 0) {
            return;
        }
        next += written;
        length -= (size_t)written;
    }
}

uint32_t system_count_launch(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat status;
    if (file < 0 || write(file, "#", 1) != 1 || fstat(file, &status) != 0) {
        fail(path);
    }
    /* Launches of one connection follow each other, so the size is this launch's number. */
    close(file);
    return (uint32_t)status.st_size;
}

void system_pause_ms(uint32_t duration_ms) {
    poll(NULL, 0, (int)duration_ms);
}

void system_crash(void) {
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

void system_hang(void) {
    signal(SIGALRM, SIG_DFL);
    alarm(SYSTEM_LIFE_MAX_S);
    for (;;) {
        pause();
    }
}

void system_ignore_terminate(void) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void execute_self(const char *const *argv) {
    execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    fail("execv");
}

static pid_t fork_or_fail(void) {
    pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    return pid;
}

void system_spawn(const char *const *argv, enum system_spawn how) {
    pid_t pid = fork_or_fail();
    if (pid != 0) {
        if (how == SYSTEM_SPAWN_ESCAPE) {
            waitpid(pid, NULL, 0);
        }
        return;
    }
    if (how == SYSTEM_SPAWN_ESCAPE && (setsid() < 0 || fork_or_fail() != 0)) {
        _exit(0);
    }
    system_ignore_terminate();
    execute_self(argv);
}

int system_run(const char *const *argv) {
    pid_t pid = fork_or_fail();
    if (pid == 0) {
        execute_self(argv);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            fail("waitpid");
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void system_wait_for_input_end(void) {
    char bytes[64];
    while (read(STDIN_FILENO, bytes, sizeof bytes) > 0) {
    }
}

/* Appends "NUMBER=TARGET " for each descriptor of /proc/self/fd but the one that reads it. */
void system_list_handles(char *out, size_t size_bytes) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        fail("/proc/self/fd");
    }
    size_t used = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char target[200];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (length < 0 || (int)strtol(entry->d_name, NULL, 10) == dirfd(folder)) {
            continue;
        }
        target[length] = '\0';
        int added = snprintf(out + used, size_bytes - used, "%s=%s ", entry->d_name, target);
        if (added < 0 || (size_t)added >= size_bytes - used) {
            break;
        }
        used += (size_t)added;
    }
    closedir(folder);
    snprintf(out + used, size_bytes - used, "channel=%d\n", channel);
}

void system_parent_facts(char *out, size_t size_bytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)getppid());
    DIR *folder = opendir(path);
    unsigned handles = 0;
    while (folder != NULL && readdir(folder) != NULL) {
        handles++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    snprintf(out, size_bytes, "pid=%d handles=%u\n", (int)getppid(), handles);
}
