/* The channel: two queues of frames. */
#include "platform/fake/internal.h"

#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* ---- Queues ---- */

void fake_queue_put(struct fake_queue *queue, struct fake_message *message) {
    message->next = NULL;
    *(queue->first == NULL ? &queue->first : &queue->last->next) = message;
    queue->last = message;
}

struct fake_message *fake_queue_take(struct fake_queue *queue) {
    struct fake_message *message = queue->first;
    if (message != NULL) {
        queue->first = message->next;
    }
    return message;
}

void fake_queue_clear(struct fake_queue *queue) {
    for (struct fake_message *m = fake_queue_take(queue); m != NULL; m = fake_queue_take(queue)) {
        free(m);
    }
}

struct fake_message *fake_message_make(const void *bytes, size_t length) {
    struct fake_message *message = fake_allocate(sizeof *message);
    if (length > sizeof message->bytes) {
        fake_wrong("a frame that is too long for the fake channel");
        length = sizeof message->bytes;
    }
    if (length > 0) {
        memcpy(message->bytes, bytes, length);
    }
    message->length = length;
    message->client = message->listener = FAKE_NONE;
    return message;
}

/* ---- The supervisor's side ---- */

static int check_frame(const struct fake_message *message, size_t capacity) {
    size_t body_bytes = 0;
    if (message->fault != BATON_OK) {
        return message->fault;
    }
    if (message->length > capacity) {
        return BATON_TOO_LONG;
    }
    if (wire_check_header(message->bytes, message->length, WIRE_FROM_HANDLER, &body_bytes) !=
            WIRE_OK ||
        message->length != WIRE_HEADER_BYTES + body_bytes) {
        return BATON_INVALID;
    }
    return BATON_OK;
}

int platform_channel_receive(struct platform_process *process, void *buffer, size_t capacity,
                             size_t *length, struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){0};
    if (process->face.is_closed || process->face.is_launching) {
        fake_wrong("a process that is closed, or whose launch is under way, was read from");
        return BATON_SYSTEM;
    }
    if (!process->face.supervisor_end_open) {
        return BATON_END;
    }
    struct fake_message *message = process->to_supervisor.first;
    if (message == NULL) {
        process->end_told = !process->face.handler_end_open || process->exit_told;
        return process->end_told ? BATON_END : BATON_AGAIN;
    }
    process->speaker_pid = message->sender_pid;
    int result = check_frame(message, capacity);
    *length = message->length < capacity ? message->length : capacity;
    memcpy(buffer, message->bytes, *length);
    if (message->lasting) {
        process->is_broken = true;
        process->end_told = true;
    } else {
        free(fake_queue_take(&process->to_supervisor));
    }
    return result;
}

void fake_message_attach(struct platform_process *process, struct fake_message *message,
                         struct platform_socket socket) {
    if (socket.value >= FAKE_LISTENER_SOCKET) {
        struct platform_listener *listener = fake_listener_of(socket);
        if (listener != NULL) {
            message->listener = (uint32_t)(socket.value - FAKE_LISTENER_SOCKET);
            fake_listener_give(process, listener);
        }
        return;
    }
    const struct fake_peer *peer = fake_peer_of(socket);
    if (peer == NULL) {
        return;
    }
    if (fake_world.listeners[peer->face.listener]->face.spec.is_plain) {
        fake_wrong("a plain socket was sent (PITFALLS 10)");
    }
    message->client = (uint32_t)(socket.value - 1);
    fake_copy_add(process, message->client);
}

int platform_channel_send(struct platform_process *process, const void *frame, size_t length,
                          struct platform_socket attach, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    if (process->face.is_closed || !process->face.has_channel || process->face.is_launching) {
        fake_wrong("a process that is closed, has no channel, or is being launched, was sent to");
        return BATON_SYSTEM;
    }
    if (!process->face.supervisor_end_open || !process->face.handler_end_open) {
        return BATON_GONE;
    }
    if (((const uint8_t *)frame)[WIRE_TYPE_OFFSET] == WIRE_DRAIN) {
        process->is_to_go = true;
    }
    int code = fake_try(FAKE_SEND, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (process->is_full) {
        process->writable_wanted = true;
        return BATON_AGAIN;
    }
    struct fake_message *message = fake_message_make(frame, length);
    if (platform_socket_is_open(attach)) {
        fake_message_attach(process, message, attach);
    }
    fake_queue_put(&process->to_handler, message);
    return BATON_OK;
}

void platform_channel_close(struct platform_process *process) {
    process->face.supervisor_end_open = false;
}

/* ---- The handler's side ---- */

int fake_handler_receive(uint32_t process, struct fake_frame *out) {
    struct platform_process *p = fake_world.processes[process];
    free(p->read);
    p->read = fake_queue_take(&p->to_handler);
    if (p->read == NULL) {
        return p->face.supervisor_end_open && p->face.handler_end_open ? BATON_AGAIN : BATON_END;
    }
    *out = (struct fake_frame){p->read->bytes, p->read->length, p->read->client, p->read->listener};
    return BATON_OK;
}

static bool send_message(struct platform_process *p, struct fake_message *message) {
    if (!p->face.is_alive || !p->face.handler_end_open || !p->face.supervisor_end_open ||
        p->is_lost) {
        free(message);
        return false;
    }
    p->is_lost = message->lasting;
    fake_queue_put(&p->to_supervisor, message);
    return true;
}

bool fake_handler_send(uint32_t process, const void *bytes, size_t length, uint32_t sender_pid) {
    struct platform_process *p = fake_world.processes[process];
    struct fake_message *message = fake_message_make(bytes, length);
    message->sender_pid = sender_pid != 0 ? sender_pid : p->face.pid;
    if (length > WIRE_TYPE_OFFSET && ((const uint8_t *)bytes)[WIRE_TYPE_OFFSET] == WIRE_ACK) {
        p->has_acked = true;
    }
    return send_message(p, message);
}

bool fake_handler_send_fault(uint32_t process, int code, bool lasting) {
    struct platform_process *p = fake_world.processes[process];
    struct fake_message *message = fake_message_make(NULL, 0);
    message->fault = code;
    message->lasting = lasting;
    return send_message(p, message);
}

void fake_handler_close_channel(uint32_t process) {
    fake_world.processes[process]->face.handler_end_open = false;
}

void fake_handler_hide(uint32_t process) {
    fake_world.processes[process]->is_hidden = true;
}

void fake_handler_leave_channel(uint32_t process) {
    fake_world.processes[process]->leaves_channel = true;
}

void fake_handler_set_full(uint32_t process, bool full) {
    struct platform_process *p = fake_world.processes[process];
    p->is_full = full;
    if (!full && p->writable_wanted) {
        p->writable_wanted = false;
        p->writable_due = true;
    }
}
