#include "ctl/dial.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct ctl_wire {
    int descriptor;
};

int64_t ctl_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int failed(struct baton_cause *cause, const char *call, int error) {
    *cause = (struct baton_cause){call, error};
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return BATON_NOT_FOUND;
    case ECONNREFUSED:
        return BATON_GONE;
    case EACCES:
    case EPERM:
        return BATON_DENIED;
    case EAGAIN:
    case EINPROGRESS:
        return BATON_AGAIN;
    case EPROTOTYPE:
    case ENOTSOCK:
        return BATON_INVALID;
    default:
        return BATON_SYSTEM;
    }
}

/* What of the time is left; at least a little, since 0 is no limit to SO_SNDTIMEO. */
static struct timeval left_of(int64_t deadline_ms) {
    int64_t left_ms = deadline_ms == CTL_NO_DEADLINE ? 0 : deadline_ms - ctl_now_ms();
    if (deadline_ms != CTL_NO_DEADLINE && left_ms < 1) {
        left_ms = 1;
    }
    return (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
}

/* It bounds connect(2) as well, which waits while the listener's backlog is full (socket(7)). */
static void limit_sending(int descriptor, int64_t deadline_ms) {
    struct timeval left = left_of(deadline_ms);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
}

int ctl_dial(const char *path, int64_t deadline_ms, struct ctl_wire **out,
             struct baton_cause *cause) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    *cause = (struct baton_cause){NULL, 0};
    *out = NULL;
    if (length >= sizeof address.sun_path) {
        return BATON_TOO_LONG;
    }
    memcpy(address.sun_path, path, length + 1);
    struct ctl_wire *wire = malloc(sizeof *wire);
    if (wire == NULL) {
        return BATON_NO_MEMORY;
    }
    wire->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->descriptor < 0) {
        int error = errno;
        free(wire);
        *cause = (struct baton_cause){"socket", error};
        return BATON_SYSTEM;
    }
    int result;
    do {
        limit_sending(wire->descriptor, deadline_ms);
        result = connect(wire->descriptor, (struct sockaddr *)&address, sizeof address);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        int code = failed(cause, "connect", errno);
        ctl_wire_close(&wire);
        return code;
    }
    *out = wire;
    return BATON_OK;
}

int ctl_wire_send(struct ctl_wire *wire, const char *bytes, size_t length, int64_t deadline_ms,
                  struct baton_cause *cause) {
    while (length > 0) {
        limit_sending(wire->descriptor, deadline_ms);
        ssize_t sent = send(wire->descriptor, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            int error = errno;
            int code = failed(cause, "send", error);
            return error == EPIPE || error == ECONNRESET ? BATON_GONE : code;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return BATON_OK;
}

int ctl_wire_read(struct ctl_wire *wire, char *out, size_t size_bytes, int64_t deadline_ms,
                  size_t *length, struct baton_cause *cause) {
    for (;;) {
        struct pollfd entry = {wire->descriptor, POLLIN, 0};
        int64_t left_ms = deadline_ms == CTL_NO_DEADLINE ? -1 : deadline_ms - ctl_now_ms();
        if (deadline_ms != CTL_NO_DEADLINE && left_ms < 0) {
            left_ms = 0;
        }
        int ready = poll(&entry, 1, left_ms > 1000000 ? 1000000 : (int)left_ms);
        if (ready == 0 && left_ms <= 1000000) {
            return BATON_AGAIN;
        }
        ssize_t got = ready > 0 ? recv(wire->descriptor, out, size_bytes, MSG_DONTWAIT) : -1;
        if (ready > 0 && got > 0) {
            *length = (size_t)got;
            return BATON_OK;
        }
        if (ready > 0 && (got == 0 || errno == ECONNRESET)) {
            return BATON_END; /* reset: it has closed without having read all of the request */
        }
        if (ready != 0 && errno != EINTR && errno != EAGAIN) {
            *cause = (struct baton_cause){ready < 0 ? "poll" : "recv", errno};
            return BATON_SYSTEM;
        }
    }
}

void ctl_wire_close(struct ctl_wire **wire) {
    if (*wire != NULL) {
        close((*wire)->descriptor);
        free(*wire);
        *wire = NULL;
    }
}

bool ctl_output_is_coloured(void) {
    const char *no_colour = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no_colour == NULL || no_colour[0] == '\0') &&
           kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}
