/*
 * Listeners: those whose clients we accept (accept.c), and those that are handed over. The latter
 * are registered with WSAEventSelect while no handler has them, because a registration belongs to
 * the kernel's object: it would travel to the handler, and the handler's own would silence ours.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsaeventselect
 */
#include "listener.h"

#include <stdlib.h>

void win32_listener_report(const struct platform_listener *listener) {
    win32_packet_post(listener->platform->port, PACKET_ACCEPT, listener->index,
                      listener->generation);
}

/* Windows sets the event at once if something waits already, and so does Wine 8. */
int win32_listener_watch(const struct platform_listener *listener, struct baton_cause *cause) {
    long what = listener->protocol == PLATFORM_UDP ? FD_READ : FD_ACCEPT;
    return WSAEventSelect(listener->socket, listener->event, what) == 0
               ? BATON_OK
               : win32_listener_failed(cause, "WSAEventSelect");
}

static void stop_watching(const struct platform_listener *listener) {
    u_long blocking = 0;
    /* In this order: a registered socket cannot be made blocking. */
    WSAEventSelect(listener->socket, NULL, 0);
    ioctlsocket(listener->socket, FIONBIO, &blocking);
}

/* Takes nothing from the socket. What is by accept() alone is false of one that is handed over. */
static bool has_something(const struct platform_listener *listener) {
    WSAPOLLFD poll = {.fd = listener->socket, .events = POLLRDNORM};
    return listener->untold || (listener->by_accept && !listener->watched) ||
           listener->accepted != INVALID_SOCKET ||
           (WSAPoll(&poll, 1, 0) == 1 && (poll.revents & (POLLRDNORM | POLLERR)) != 0);
}

/* A packet may be older than the handler that has taken the client, or than the client's end. Then
 * the registration is made anew: for a client, Windows sets the event once until somebody accepts,
 * and here nobody does. */
static bool watched_event(const struct platform_listener *listener) {
    struct baton_cause ignored;
    bool has = has_something(listener);
    if (!has) {
        (void)win32_listener_watch(listener, &ignored);
    }
    return has;
}

bool win32_listener_event(struct platform_listener *listener, struct platform_event *event) {
    bool is_watched = listener->is_handed_over || listener->by_accept;
    if (listener->paused || (is_watched && !watched_event(listener))) {
        return false;
    }
    /* Nothing to report while the one under way has not ended; its end will be another packet. */
    if (listener->armed && !HasOverlappedIoCompleted(&listener->operation)) {
        return false;
    }
    *event = (struct platform_event){PLATFORM_EVENT_ACCEPT, listener->token};
    return true;
}

void platform_listener_pause(struct platform_listener *listener) {
    if (!listener->paused && listener->is_handed_over) {
        stop_watching(listener);
    }
    listener->paused = true;
}

/* One that is handed over: the handler that had it may have registered it or made it non-blocking
 * itself, which the registration replaces. */
void platform_listener_resume(struct platform_listener *listener) {
    struct baton_cause ignored;
    bool was_paused = listener->paused;
    listener->paused = false;
    if (listener->is_handed_over) {
        if (was_paused && win32_listener_watch(listener, &ignored) != BATON_OK) {
            win32_listener_report(listener);
        }
        return;
    }
    /* The event, or the packet, may have come and gone during the pause. */
    listener->watched = listener->watched && !was_paused;
    win32_listener_accept_on(listener); /* also where a shortage has left nothing under way */
    bool has = listener->by_accept || listener->has_client
                   ? has_something(listener)
                   : listener->armed && HasOverlappedIoCompleted(&listener->operation);
    if (was_paused && has) {
        win32_listener_report(listener);
    }
}

/* Who has it has a socket of his own. */
void platform_listener_check(struct platform_listener *listener) {
    (void)listener;
}

struct platform_socket platform_listener_socket(struct platform_listener *listener) {
    return (struct platform_socket){listener->socket};
}

void platform_listener_address(const struct platform_listener *listener, struct address *out) {
    *out = listener->address;
}

static int prepare(struct platform_listener *listener, struct baton_cause *cause) {
    listener->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (listener->event == NULL) {
        return win32_cause_last(cause, "CreateEventW");
    }
    int code = win32_source_take(listener->platform, SOURCE_LISTENER, listener, &listener->index,
                                 &listener->generation);
    if (code != BATON_OK) {
        return code;
    }
    listener->in_table = true;
    listener->watch = (struct watch){listener->platform->port, NULL, PACKET_ACCEPT, listener->index,
                                     listener->generation};
    return win32_watch_start(&listener->watch, listener->event, cause);
}

int win32_listener_make(struct platform *platform, const struct platform_listener_spec *spec,
                        uint64_t token, struct platform_listener **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    struct platform_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return BATON_NO_MEMORY;
    }
    listener->platform = platform;
    listener->token = token;
    listener->protocol = spec->protocol;
    listener->is_handed_over = spec->is_handed_over || spec->protocol == PLATFORM_UDP;
    listener->is_plain = spec->is_plain;
    listener->options = spec->options;
    listener->socket = INVALID_SOCKET;
    listener->accepted = INVALID_SOCKET;
    listener->spec = *spec;
    int code = prepare(listener, cause);
    if (code != BATON_OK) {
        platform_listener_close(&listener);
    }
    *out = listener;
    return code;
}

int platform_listener_open(struct platform *platform, const struct platform_listener_spec *spec,
                           uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause) {
    int code = win32_listener_make(platform, spec, token, out, cause);
    struct platform_listener *listener = *out;
    if (code == BATON_OK) {
        code = win32_listener_bind(listener, spec, cause);
    }
    if (code == BATON_OK) {
        listener->spec.address = listener->address;
        code = listener->is_handed_over ? win32_listener_watch(listener, cause)
                                        : win32_listener_start_accepting(listener, cause);
    }
    if (code != BATON_OK) {
        platform_listener_close(out);
    }
    return code;
}

/* A socket to be accepted into is made before its client comes, and a registration belongs to the
 * kernel's object: what has to do with either takes another listener. */
int platform_listener_change(struct platform_listener *listener,
                             const struct platform_listener_spec *spec, struct baton_cause *cause) {
    bool is_handed_over = spec->is_handed_over || spec->protocol == PLATFORM_UDP;
    *cause = (struct baton_cause){NULL, 0};
    if (spec->protocol != listener->protocol || is_handed_over != listener->is_handed_over ||
        spec->is_plain != listener->is_plain) {
        return BATON_UNSUPPORTED;
    }
    listener->options = spec->options;
    listener->spec = *spec;
    listener->spec.address = listener->address;
    if (spec->protocol == PLATFORM_UDP || listener->socket == INVALID_SOCKET) {
        return BATON_OK;
    }
    return listen(listener->socket, (int)spec->backlog_count) == 0
               ? BATON_OK
               : win32_listener_failed(cause, "listen");
}

void platform_listener_close(struct platform_listener **address) {
    struct platform_listener *listener = *address;
    *address = NULL;
    if (listener == NULL) {
        return;
    }
    win32_watch_stop(&listener->watch);
    win32_listener_stop_accepting(listener);
    if (listener->socket != INVALID_SOCKET) {
        if (listener->is_handed_over && !listener->paused) {
            stop_watching(listener); /* somebody may have a duplicate */
        }
        closesocket(listener->socket);
    }
    win32_local_remove(&listener->file);
    if (listener->event != NULL) {
        CloseHandle(listener->event);
    }
    if (listener->in_table) {
        win32_source_release(listener->platform, listener->index);
    }
    free(listener);
}
