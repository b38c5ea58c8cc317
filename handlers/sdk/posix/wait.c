/* Waiting for clients and for the supervisor at the same time. One Baton is open in a process, so
 * its pipe and its signal are of the process too. */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAKE, CHANNEL, FIRST_SOURCE };

static int wake_pipe[2] = {-1, -1};
static volatile sig_atomic_t stop_is_wanted;
static volatile uint32_t asked_at_ms; /* of a clock that turns over */
static bool has_handler;

/* A supervisor that was killed asks once for each of its threads (prctl(2), PR_SET_PDEATHSIG). */
#define SAME_ORDER_MS 1000u

/* Who asks again later means it. */
static void on_sigterm(int number) {
    int error = errno;
    uint32_t now_ms = (uint32_t)body_now_ms();
    if (!stop_is_wanted) {
        asked_at_ms = now_ms;
        stop_is_wanted = 1;
        body_wake();
    } else if (now_ms - asked_at_ms >= SAME_ORDER_MS) {
        signal(number, SIG_DFL);
        (void)raise(number);
    }
    errno = error;
}

void body_wake(void) {
    /* Full is good enough: it is readable. */
    (void)!write(wake_pipe[1], "", 1);
}

/* A program that said itself what SIGTERM shall do is left alone. SA_RESTART: the connection that
 * is being served does not notice. */
static int watch_sigterm(void) {
    struct sigaction action = {.sa_handler = on_sigterm, .sa_flags = SA_RESTART};
    struct sigaction before;
    if (sigaction(SIGTERM, NULL, &before) != 0)
        return BATON_E_SYSTEM;
    if (before.sa_handler != SIG_DFL)
        return 0;
    has_handler = true;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGTERM, &action, NULL) == 0 ? 0 : BATON_E_SYSTEM;
}

int body_wait_prepare(bool watches_sigterm) {
    if (wake_pipe[0] < 0) {
        if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
            return BATON_E_SYSTEM;
        stop_is_wanted = 0;
    }
    return watches_sigterm && !has_handler ? watch_sigterm() : 0;
}

void body_wait_release(void) {
    struct sigaction now;
    if (has_handler && sigaction(SIGTERM, NULL, &now) == 0 && now.sa_handler == on_sigterm)
        signal(SIGTERM, SIG_DFL);
    has_handler = false;
    for (int i = 0; i < 2; i++) {
        if (wake_pipe[i] >= 0)
            close(wake_pipe[i]);
        wake_pipe[i] = -1;
    }
}

/* Fills in whom to wait for; poll(2) passes over negative descriptors. False if a source needs no
 * waiting: it is *index. */
static bool set_up(const struct body_wait *what, struct pollfd *polls, size_t *index) {
    polls[WAKE] = (struct pollfd){.fd = wake_pipe[0], .events = POLLIN};
    polls[CHANNEL] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (what->channel != NULL)
        polls[CHANNEL].fd = (int)what->channel->in;
    for (size_t i = 0; i < what->sources->used_mark; i++) {
        const struct body_source *source = &what->sources->items[i];
        bool is_here = source->state == BODY_SOURCE_HERE && !what->is_full;
        *index = i;
        if (is_here && sources_is_whole(what->sources, source))
            return false;
        polls[FIRST_SOURCE + i] =
            (struct pollfd){.fd = is_here ? source->socket : -1, .events = POLLIN};
    }
    return true;
}

static bool is_stop(const struct body_wait *what) {
    return stop_is_wanted && !what->knows_stop;
}

static int tell_ready(const struct body_wait *what, const struct pollfd *polls, size_t *index) {
    size_t count = what->sources->used_mark;
    char bytes[64];
    if (polls[WAKE].revents != 0) {
        while (read(wake_pipe[0], bytes, sizeof bytes) > 0) {
        }
        return is_stop(what) ? BODY_READY_STOP : BODY_READY_WOKEN;
    }
    if (polls[CHANNEL].revents != 0)
        return BODY_READY_CHANNEL;
    for (size_t i = 0; i < count; i++) {
        *index = (what->sources->turn + i) % count;
        if (polls[FIRST_SOURCE + *index].revents != 0)
            return BODY_READY_SOURCE;
    }
    return BODY_READY_WOKEN;
}

int body_wait(const struct body_wait *what, size_t *index) {
    struct pollfd polls[FIRST_SOURCE + BODY_SOURCES_MAX_COUNT];
    int64_t deadline_ms = (int64_t)body_now_ms() + what->idle_ms;
    for (;;) {
        if (is_stop(what))
            return BODY_READY_STOP;
        if (!set_up(what, polls, index))
            return BODY_READY_SOURCE;
        int64_t left_ms = deadline_ms - (int64_t)body_now_ms();
        int timeout_ms = left_ms > INT32_MAX ? INT32_MAX : left_ms > 0 ? (int)left_ms : 0;
        if (what->idle_ms == UINT32_MAX)
            timeout_ms = -1;
        int count = poll(polls, FIRST_SOURCE + what->sources->used_mark, timeout_ms);
        if (count < 0 && errno != EINTR)
            return BATON_E_SYSTEM;
        if (count == 0)
            return BODY_READY_IDLE;
        if (count > 0)
            return tell_ready(what, polls, index);
    }
}

/* Errors of accept(2) that concern one client, or pass by themselves. */
static bool is_passing(int error) {
    switch (error) {
    case EINTR:
    case EAGAIN:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM: /* a firewall's rule */
        return true;
    default:
        return false;
    }
}

/* Who waits there may be taken by another process that shares the listener, and then accept must
 * not wait for the next one: nobody would see SIGTERM. The mode belongs to all copies, and a
 * supervisor may set it back before each hand-over, so it is looked at each time. */
static int do_not_wait(int listener) {
    int flags = fcntl(listener, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0)
        flags = fcntl(listener, F_SETFL, flags | O_NONBLOCK);
    return flags >= 0 ? 0 : BATON_E_SYSTEM;
}

int body_accept(baton_socket listener, baton_socket *out) {
    *out = BATON_SOCKET_NONE;
    if (do_not_wait((int)listener) != 0)
        return BATON_E_SYSTEM;
    *out = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (*out < 0)
        return is_passing(errno) ? 0 : BATON_E_SYSTEM;
    /* On some systems it inherits O_NONBLOCK from the listener. */
    body_make_blocking(*out);
    return 1;
}
