/*
 * What handlers write: one pair of stream sockets for all of them, on which the kernel names the
 * writer and never gives out bytes of two writers together (SO_PASSCRED, unix(7)).
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static int make_pair(struct platform_output *output, uint32_t wanted, struct baton_cause *cause) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return posix_failed(cause, "socketpair", errno);
    }
    output->watch.descriptor = pair[0];
    output->child_end = pair[1];
    const int on = 1;
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
        return posix_failed(cause, "setsockopt", errno);
    }
    /* A handler that reads from its standard output sees the end, instead of waiting for ever. */
    if (shutdown(pair[0], SHUT_WR) != 0) {
        return posix_failed(cause, "shutdown", errno);
    }
    int code = posix_watch_set(output->platform, &output->watch, wanted);
    return code == 0 ? BATON_OK : posix_failed(cause, "epoll_ctl", code);
}

static void drop_pair(struct platform_output *output) {
    posix_watch_close(output->platform, &output->watch);
    posix_close_descriptor(&output->child_end);
}

int platform_output_open(struct platform *platform, uint64_t token, struct platform_output **out,
                         struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){0};
    struct platform_output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        return BATON_NO_MEMORY;
    }
    output->platform = platform;
    output->child_end = -1;
    posix_watch_init(&output->watch, POSIX_WATCH_OUTPUT, token);
    int result = make_pair(output, EPOLLIN, cause);
    if (result != BATON_OK) {
        platform_output_close(&output);
        return result;
    }
    *out = output;
    return BATON_OK;
}

/* A handler has called shutdown(2) on its standard output, which all of them share. Those who hold
 * the old pair have lost it already; new ones get a new pair, with the same token. If there is none
 * to be had, the end of the old pair is not reported again before platform_output_resume(). */
static int renew_pair(struct platform_output *output, struct baton_cause *cause) {
    struct platform_output fresh = {.platform = output->platform, .child_end = -1};
    posix_watch_init(&fresh.watch, POSIX_WATCH_OUTPUT, output->watch.token);
    int result = make_pair(&fresh, 0, cause);
    if (result != BATON_OK) {
        drop_pair(&fresh);
        posix_watch_forget(output->platform, &output->watch);
        output->watch.wanted = 0;
        return result;
    }
    uint32_t wanted = output->watch.wanted;
    drop_pair(output);
    output->watch.descriptor = fresh.watch.descriptor;
    output->child_end = fresh.child_end;
    int code = posix_watch_set(output->platform, &output->watch, wanted);
    return code == 0 ? BATON_AGAIN : posix_failed(cause, "epoll_ctl", code);
}

/* O_NONBLOCK belongs to the open file, which all handlers of an output share, and event loops set
 * it on their standard streams. Who is launched finds it as a program may expect it; a sibling that
 * lives meanwhile shares it all the same, then and later, and may see EAGAIN (write(2)). */
void posix_output_make_blocking(const struct platform_output *output) {
    fcntl(output->child_end, F_SETFL, 0);
}

int platform_output_read(struct platform_output *output, char *buffer, size_t capacity,
                         size_t *length, uint32_t *pid, struct baton_cause *cause) {
    *length = 0;
    *pid = 0;
    *cause = (struct baton_cause){0};
    struct origin writer;
    ssize_t got = posix_credentials_receive(output->watch.descriptor, buffer, capacity, &writer);
    if (got == 0) {
        return renew_pair(output, cause);
    }
    if (got < 0) {
        if (errno == EAGAIN) {
            return BATON_AGAIN;
        }
        posix_failed(cause, "recvmsg", errno);
        return BATON_SYSTEM;
    }
    *length = (size_t)got;
    *pid = writer.pid > 0 ? (uint32_t)writer.pid : 0;
    return BATON_OK;
}

void platform_output_pause(struct platform_output *output) {
    posix_watch_set(output->platform, &output->watch, 0);
}

void platform_output_resume(struct platform_output *output) {
    posix_watch_set(output->platform, &output->watch, EPOLLIN);
}

void platform_output_close(struct platform_output **output) {
    if (*output != NULL) {
        drop_pair(*output);
        free(*output);
        *output = NULL;
    }
}
