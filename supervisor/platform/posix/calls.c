/*
 * System calls in the form in which several files need them: what is asked comes back as a value,
 * and the system's structures stay here. posix_look() and what is about options is called in
 * carriers as well (carriers.h), and so is async-signal-safe.
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

pid_t posix_fork(void) {
#ifdef BATON_FORKS_BARELY
    return _Fork();
#else
    return fork();
#endif
}

void posix_close_any(int descriptor) {
    if (descriptor >= 0) {
        close(descriptor);
    }
}

void posix_close_descriptor(int *descriptor) {
    posix_close_any(*descriptor);
    *descriptor = -1;
}

short posix_look(int descriptor, int events) {
    struct pollfd one = {.fd = descriptor, .events = (short)events};
    return poll(&one, 1, 0) == 1 ? one.revents : 0;
}

int posix_set_option(int descriptor, int level, int name, int value) {
    return setsockopt(descriptor, level, name, &value, sizeof value);
}

int posix_get_option(int descriptor, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : 0;
}

int posix_open_of_process(pid_t pid, const char *name, int flags) {
    char path[48];
    text_format(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    return open(path, flags | O_CLOEXEC, 0);
}

ssize_t posix_read_text(int file, char *text, size_t size_bytes) {
    ssize_t length = file < 0 ? -1 : read(file, text, size_bytes - 1);
    posix_close_any(file);
    text[length < 0 ? 0 : length] = '\0';
    return length;
}

ssize_t posix_send_packet(int descriptor, const void *bytes, size_t length, int attached) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (attached >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(sizeof attached);
        memcpy(CMSG_DATA(&control.align), &attached, sizeof attached);
    }
    ssize_t sent;
    do {
        sent = sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

ssize_t posix_read_all(int descriptor, void *buffer, size_t capacity) {
    size_t done = 0;
    while (done < capacity) {
        ssize_t got = read(descriptor, (char *)buffer + done, capacity - done);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)done;
}

bool posix_write_all(int descriptor, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(descriptor, at, length);
        if (written > 0) {
            at += written;
            length -= (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}
