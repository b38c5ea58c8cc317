/*
 * The loop: one completion port for posted packets (PITFALLS: nothing else may be bound to it).
 */
#include "stream.h"

#include <stdlib.h>

#define PACKETS_PER_WAIT 64

int win32_source_take(struct platform *platform, enum source_kind kind, void *object,
                      uint32_t *index, uint32_t *generation) {
    size_t at = 0;
    while (at < platform->source_count && platform->sources[at].kind != SOURCE_FREE) {
        at++;
    }
    if (at == platform->source_count) {
        struct source *grown = realloc(platform->sources, (at + 1) * sizeof *grown);
        if (grown == NULL) {
            return BATON_NO_MEMORY;
        }
        grown[at].generation = 0;
        platform->sources = grown;
        platform->source_count++;
    }
    platform->sources[at].kind = kind;
    platform->sources[at].object = object;
    *index = (uint32_t)at;
    *generation = platform->sources[at].generation;
    return BATON_OK;
}

void win32_source_release(struct platform *platform, uint32_t index) {
    platform->sources[index].kind = SOURCE_FREE;
    platform->sources[index].object = NULL;
    platform->sources[index].generation++;
}

static bool process_packet(struct platform_process *process, enum packet_kind kind,
                           struct platform_event *event) {
    if (process == NULL) {
        return false;
    }
    switch (kind) {
    case PACKET_CHANNEL:
        return win32_channel_event(process, event);
    case PACKET_WRITABLE:
        return win32_writable_event(process, event);
    default:
        return win32_exit_event(process, event);
    }
}

/* The packets that it has; -1 = none. */
static int kind_of_source(const struct source *source) {
    static const int kinds[] = {[SOURCE_FREE] = -1,
                                [SOURCE_LISTENER] = PACKET_ACCEPT,
                                [SOURCE_OUTPUT] = PACKET_OUTPUT,
                                [SOURCE_FILE] = PACKET_CHANGED,
                                [SOURCE_CONTROL] = PACKET_ACCEPT};
    return kinds[source->kind];
}

static bool source_packet(const struct source *source, uint32_t generation, enum packet_kind kind,
                          struct platform_event *event) {
    if (kind_of_source(source) != (int)kind || source->generation != generation) {
        return false;
    }
    switch (source->kind) {
    case SOURCE_LISTENER:
        return win32_listener_event(source->object, event);
    case SOURCE_OUTPUT:
        return win32_output_event(source->object, event);
    case SOURCE_CONTROL:
        return win32_control_event(source->object, event);
    default:
        return win32_file_watch_event(source->object, event);
    }
}

/* Finds the packet's object; one that has been closed since is another generation. */
static bool translate(struct platform *platform, const OVERLAPPED_ENTRY *packet,
                      struct platform_event *event) {
    enum packet_kind kind =
        (enum packet_kind)(packet->lpCompletionKey & ((1u << PACKET_KIND_BITS) - 1u));
    uint32_t index = (uint32_t)(packet->lpCompletionKey >> PACKET_KIND_BITS);
    uint32_t generation = packet->dwNumberOfBytesTransferred;
    struct output_pipe *pipe;
    switch (kind) {
    case PACKET_CHANNEL:
    case PACKET_WRITABLE:
    case PACKET_EXIT:
        return process_packet(win32_slot_table_find(&platform->processes, index, generation), kind,
                              event);
    case PACKET_ACCEPT:
    case PACKET_OUTPUT:
    case PACKET_CHANGED:
        return source_packet(&platform->sources[index], generation, kind, event);
    case PACKET_PIPE:
        pipe = win32_slot_table_find(&platform->pipes, index, generation);
        return pipe != NULL && win32_pipe_event(pipe, event);
    case PACKET_STREAM:
        return win32_stream_packet(platform, index, generation, event);
    case PACKET_STOP:
        platform->stop_reason = (enum stop_reason)index;
        *event = (struct platform_event){PLATFORM_EVENT_STOP, 0};
        return true;
    case PACKET_HANGUP:
        *event = (struct platform_event){PLATFORM_EVENT_HANGUP, 0};
        return true;
    case PACKET_WORK:
        return win32_work_event(platform, event);
    case PACKET_LOG:
        *event = (struct platform_event){PLATFORM_EVENT_LOG_WRITABLE, 0};
        return true;
    }
    return false;
}

/* Rounded up: a wait that ends before the deadline would be repeated without need. */
static DWORD wait_ms(struct platform *platform, uint64_t deadline_us) {
    if (deadline_us == PLATFORM_WAIT_FOREVER) {
        return INFINITE;
    }
    uint64_t now_us = platform_now_us(platform);
    uint64_t left_ms = deadline_us > now_us ? (deadline_us - now_us + 999u) / 1000u : 0;
    return left_ms > 0x7fffffffu ? 0x7fffffffu : (DWORD)left_ms;
}

static void replace_of_process(const struct platform_process *process, LONG kinds) {
    HANDLE port = process->platform->port;
    if ((kinds & 1 << PACKET_CHANNEL) != 0) {
        win32_packet_post(port, PACKET_CHANNEL, process->index, process->generation);
    }
    if ((kinds & 1 << PACKET_WRITABLE) != 0) {
        win32_packet_post(port, PACKET_WRITABLE, process->index, process->generation);
    }
    if ((kinds & 1 << PACKET_EXIT) != 0 &&
        WaitForSingleObject(process->handle, 0) == WAIT_OBJECT_0) {
        win32_packet_post(port, PACKET_EXIT, process->index, process->generation);
    }
}

static void replace_of_source(const struct platform *platform, uint32_t index, LONG kinds) {
    const struct source *source = &platform->sources[index];
    int kind = kind_of_source(source);
    if (kind >= 0 && (kinds & 1 << kind) != 0) {
        win32_packet_post(platform->port, (enum packet_kind)kind, index, source->generation);
    }
}

/* A packet for which the system had no room would never come again. Who lost it is not known, so
 * everybody gets one; each object looks for itself if there is something to report. */
static void replace_lost(struct platform *platform) {
    LONG kinds = win32_packets_take_lost();
    if (kinds == 0) {
        return;
    }
    const struct platform_process *process;
    for (uint32_t at = 0; (process = win32_slot_table_next(&platform->processes, &at)) != NULL;) {
        replace_of_process(process, kinds);
    }
    if ((kinds & 1 << PACKET_PIPE) != 0) {
        const struct output_pipe *pipe;
        for (uint32_t at = 0; (pipe = win32_slot_table_next(&platform->pipes, &at)) != NULL;) {
            win32_packet_post(platform->port, PACKET_PIPE, pipe->index, pipe->generation);
        }
    }
    for (size_t i = 0; i < platform->source_count; i++) {
        replace_of_source(platform, (uint32_t)i, kinds);
    }
    if ((kinds & 1 << PACKET_STREAM) != 0) {
        win32_streams_report(platform);
    }
    if ((kinds & 1 << PACKET_STOP) != 0) {
        win32_packet_post(platform->port, PACKET_STOP, 0, 0);
    }
    if ((kinds & 1 << PACKET_HANGUP) != 0) {
        win32_packet_post(platform->port, PACKET_HANGUP, 0, 0);
    }
    if ((kinds & 1 << PACKET_WORK) != 0) {
        win32_packet_post(platform->port, PACKET_WORK, 0, 0);
    }
    if ((kinds & 1 << PACKET_LOG) != 0) {
        win32_packet_post(platform->port, PACKET_LOG, 0, 0);
    }
}

const char platform_hangup_name[] = "PARAMCHANGE";

const char *platform_stop_reason(const struct platform *platform) {
    static const char *const reasons[] = {
        [STOP_BY_CONSOLE] = "Ctrl-C, Ctrl-Break or the end of the console",
        [STOP_BY_MANAGER] = "the service manager",
        [STOP_HOST_GONE] = "the host of the Windows service has ended"};
    return reasons[platform->stop_reason];
}

int platform_wait(struct platform *platform, struct platform_event *events, size_t capacity,
                  uint64_t deadline_us, struct baton_cause *cause) {
    OVERLAPPED_ENTRY packets[PACKETS_PER_WAIT];
    ULONG room = capacity < PACKETS_PER_WAIT ? (ULONG)capacity : PACKETS_PER_WAIT;
    int count = 0;
    *cause = (struct baton_cause){NULL, 0};
    platform->wait_count++;
    replace_lost(platform);
    while (count == 0) {
        ULONG packet_count = 0;
        DWORD timeout_ms = wait_ms(platform, deadline_us);
        if (!GetQueuedCompletionStatusEx(platform->port, packets, room, &packet_count, timeout_ms,
                                         FALSE)) {
            if (GetLastError() != WAIT_TIMEOUT) {
                win32_cause_last(cause, "GetQueuedCompletionStatusEx");
                return BATON_SYSTEM;
            }
            if (timeout_ms == 0 || platform_now_us(platform) >= deadline_us) {
                break;
            }
        }
        for (ULONG i = 0; i < packet_count; i++) {
            if (translate(platform, &packets[i], &events[count])) {
                count++;
            }
        }
    }
    return count;
}
