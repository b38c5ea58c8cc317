#include "run/internal.h"

#include <string.h>

#define OFFER_RETRY_US 100000u

_Static_assert(WIRE_OFFER_MAX_BYTES <= PLATFORM_SEND_MAX_BYTES, "an offer fits the channel");
_Static_assert(WIRE_TEXT_MAX_BYTES <= POOL_TEXT_MAX_BYTES, "what a handler says is kept whole");

void run_handoff_create(struct supervisor *s) {
    s->offering.retry.token = token_make(RUN_TOKEN_OFFERS, 0, 0);
}

/* What is known of a local socket goes into fields of their own: see tell_local(). */
static void to_wire(const struct address *address, struct wire_address *out) {
    if (address->family != ADDRESS_UNIX) {
        out->family = (uint8_t)address->family;
        out->port = address->port;
        memcpy(out->bytes, address->bytes, sizeof out->bytes);
    }
}

/* ---- To the handler ---- */

static int send_bytes(struct supervisor *s, uint32_t process, const uint8_t *frame, long length,
                      struct platform_socket attach) {
    struct baton_cause cause = {0};
    return length < 0 ? BATON_TOO_LONG
                      : platform_channel_send(s->launching.processes[process].handle, frame,
                                              (size_t)length, attach, &cause);
}

static int send_frame(struct supervisor *s, uint32_t process, const struct wire_message *message) {
    uint8_t frame[WIRE_OFFER_MAX_BYTES];
    return send_bytes(s, process, frame, wire_encode(message, frame, sizeof frame),
                      PLATFORM_SOCKET_NONE);
}

/* A frame that says no more than its type, about a connection by its number (0 = none). True if it
 * has to be sent again. The end of the channel says the same, and so does any other failure. */
static bool send_word(struct supervisor *s, uint32_t process, enum wire_type type,
                      uint32_t number) {
    const struct wire_message message = {.type = (uint8_t)type, .connection = number};
    return s->pool.processes[process].channel_open &&
           send_frame(s, process, &message) == BATON_AGAIN;
}

static enum wire_kind kind_of(const struct connection *c, const struct service *service) {
    if (!c->is_activation) {
        return WIRE_KIND_CONNECTION;
    }
    return service->protocol == PROTOCOL_UDP ? WIRE_KIND_DATAGRAM : WIRE_KIND_LISTENER;
}

/* Its path, and who is at the other end of it. */
static void tell_local(const struct connection *c, const struct service *service,
                       struct wire_message *message) {
    const struct address *direct = c->via.family != ADDRESS_NONE ? &c->via : &c->peer;
    const char *path = service->listen[c->place].path;
    if (path != NULL) {
        message->path = (struct wire_text){path, strlen(path)};
    }
    message->has_peer_uid = direct->has_uid;
    message->peer_uid = direct->uid;
    message->has_peer_pid = direct->pid != 0;
    message->peer_pid = direct->pid;
}

long run_handoff_write_offer(const struct supervisor *s, uint32_t connection, const uint8_t *info,
                             uint8_t frame[WIRE_OFFER_MAX_BYTES]) {
    const struct connection *c = &s->pool.connections[connection];
    const struct service *service = c->rules;
    struct wire_message message = {
        .type = WIRE_OFFER,
        .connection = c->number,
        .service = {service->name, strlen(service->name)},
        .kind = (uint8_t)kind_of(c, service),
        .accepted_us = (uint64_t)c->accepted_wall_us,
        .id = c->id,
        .protocol_info = info,
        .has_peer_count = !c->is_activation,
        .peer_count = c->is_activation ? 0 : c->from_peer_count,
    };
    to_wire(&c->peer, &message.peer);
    to_wire(&c->local, &message.local);
    to_wire(&c->via, &message.via);
    tell_local(c, service, &message);
    long length = wire_encode(&message, frame, WIRE_OFFER_MAX_BYTES);
    if (length < 0 && message.path.length > 0) {
        /* The folder's name may be no UTF-8, which the protocol cannot say. */
        message.path = (struct wire_text){NULL, 0};
        length = wire_encode(&message, frame, WIRE_OFFER_MAX_BYTES);
    }
    return length;
}

static int send_offer(struct supervisor *s, uint32_t process, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    struct platform_socket socket = s->sockets[connection];
    uint8_t info[PLATFORM_SOCKET_INFO_BYTES], frame[WIRE_OFFER_MAX_BYTES];
    size_t info_bytes = 0;
    struct baton_cause cause = {0};
    if (c->is_activation) {
        socket = platform_listener_socket(run_listen_at(s, c->service, c->place)->handle);
    }
    int result = platform_socket_export(s->launching.processes[process].handle, c->pid, socket,
                                        info, &info_bytes, &cause);
    if (result != BATON_OK) {
        return result;
    }
    return send_bytes(s, process, frame,
                      run_handoff_write_offer(s, connection, info_bytes > 0 ? info : NULL, frame),
                      socket);
}

bool run_handoff_is_void(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    return c->is_activation ? run_listen_at(s, c->service, c->place)->handle == NULL
                            : platform_socket_was_reset(s->sockets[connection]);
}

/* A process that had the socket may have set what it liked, and it holds for the next one. */
static int put_back(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    if (c->offers_count <= 1 || c->is_activation) {
        return BATON_OK;
    }
    return platform_socket_put_back(s->platform, s->sockets[connection], &c->rules->options);
}

static void offer(struct supervisor *s, uint32_t process) {
    uint32_t connection = s->pool.processes[process].offer;
    struct run_process *r = &s->launching.processes[process];
    r->offer_unsent = false;
    if (connection == SLOT_NONE || s->pool.connections[connection].state != CONNECTION_OFFERED) {
        return;
    }
    if (run_handoff_is_void(s, connection)) {
        pool_abandoned(&s->pool, connection);
        return;
    }
    int result = put_back(s, connection);
    if (result == BATON_OK) {
        result = send_offer(s, process, connection);
    }
    r->offer_unsent = result == BATON_AGAIN || result == BATON_SHORTAGE;
    if (result == BATON_SHORTAGE) {
        /* No fault of the process, and most likely what others meet as well: so many descriptors
         * are under way (unix(7)). */
        const struct baton_cause nothing = {0};
        timers_after(&s->timers, &s->offering.retry, OFFER_RETRY_US);
        pool_offer_waits(&s->pool, process);
        run_pause_log_shortage(s, s->pool.processes[process].service, result, &nothing);
    } else if (result != BATON_OK && result != BATON_AGAIN) {
        pool_offer_failed(&s->pool, process);
    }
}

void run_handoff_offer(struct supervisor *s, uint32_t process) {
    const struct run_process *r = &s->launching.processes[process];
    offer(s, process);
    if (r->drain_unsent && !r->offer_unsent) {
        run_handoff_send_drain(s, process);
    }
}

void run_handoff_send_limits(struct supervisor *s, uint32_t process) {
    const struct process *p = &s->pool.processes[process];
    const struct service *service = p->rules;
    const struct wire_message message = {.type = WIRE_LIMITS,
                                         .capacity = process_offers_at_a_time(p),
                                         .handshake_ms = service->handshake_timeout_ms,
                                         .stop_ms = service->stop_timeout_ms,
                                         .reuse = service_reuse(service)};
    if (p->channel_open) {
        (void)send_frame(s, process, &message);
    }
}

void run_handoff_send_drain(struct supervisor *s, uint32_t process) {
    struct run_process *r = &s->launching.processes[process];
    if (!s->pool.processes[process].rules->has_channel) {
        platform_process_signal(r->handle, PLATFORM_TERMINATE);
        return;
    }
    /* Nothing is offered behind it. */
    r->drain_unsent = r->offer_unsent || send_word(s, process, WIRE_DRAIN, 0);
}

void run_handoff_send_cancel(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    if (c->state == CONNECTION_HELD &&
        send_word(s, c->process, WIRE_CANCEL, s->pool.connections[connection].number)) {
        s->launching.processes[c->process].cancel_unsent = true;
    }
}

/* Which of them found no room is not kept: who is told twice has nothing to do the second time. */
static void cancel_again(struct supervisor *s, uint32_t process) {
    uint32_t next = s->pool.processes[process].first_held;
    s->launching.processes[process].cancel_unsent = false;
    while (next != SLOT_NONE) {
        const struct connection *c = &s->pool.connections[next];
        if (c->timed_out) {
            run_handoff_send_cancel(s, next);
        }
        next = c->next;
    }
}

void run_handoff_retry(struct supervisor *s) {
    SLOTS_EACH(process, &s->pool.process_slots) {
        if (s->launching.processes[process].offer_unsent) {
            run_handoff_offer(s, process);
        }
    }
}

void run_handoff_on_writable(struct supervisor *s, uint32_t process) {
    if (s->launching.processes[process].offer_unsent) {
        run_handoff_offer(s, process);
    }
    if (s->launching.processes[process].cancel_unsent) {
        cancel_again(s, process);
    }
    if (s->launching.processes[process].drain_unsent) {
        run_handoff_send_drain(s, process);
    }
}

/* ---- From the handler ---- */

/* `type` is that of the frame; 0 when not even that can be told. */
static void log_breach(struct supervisor *s, uint32_t process, uint8_t type, const char *reason) {
    const struct process *p = &s->pool.processes[process];
    run_tell(s, LOG_LEVEL_WARNING, "protocol_error", p->service, "pid=%i message=%s reason=%s",
             p->pid, wire_type_name(type), reason);
}

/* For who looks for a fault: who speaks, by what it calls itself. */
static void tell_hello(struct supervisor *s, const struct process *p,
                       const struct wire_message *message) {
    struct record *line = run_tell_line(s, LOG_LEVEL_DEBUG, "hello", p->service);
    if (line != NULL) {
        record_number(line, "pid", p->pid);
        record_number(line, "capacity", message->capacity);
        if (message->sdk.length > 0) {
            record_bytes(line, "sdk", message->sdk.bytes, message->sdk.length);
        }
        run_log_end(&s->log);
    }
}

/* NULL, or what is wrong with a HELLO. */
static const char *take_hello(struct supervisor *s, uint32_t process,
                              const struct wire_message *message) {
    struct run_process *r = &s->launching.processes[process];
    if (memcmp(message->nonce, r->nonce, sizeof r->nonce) != 0) {
        return "a wrong nonce";
    }
    const struct process *p = &s->pool.processes[process];
    uint32_t speaker = platform_process_speaker(r->handle, message->pid);
    if (speaker == 0 && p->is_offered_early && platform_process_is_hidden(r->handle)) {
        /* It may have served its client and ended, in a pid namespace of its own: what it has done
         * counts, and nobody can be asked any more what it was called. */
        speaker = p->pid;
    }
    if (speaker == 0) {
        return run_breach_say(s, "pid ", message->pid, 10,
                              platform_process_is_hidden(r->handle)
                                  ? ", which is not the handler's, and the system does not tell "
                                    "what it is called"
                                  : ", which is not the handler's");
    }
    if (!pool_hello(&s->pool, process, speaker, message->capacity)) {
        return "a second HELLO";
    }
    tell_hello(s, p, message);
    return NULL;
}

/* What the frame says of its connection. A pid is told by fork servers, which name the process that
 * has it, and what it has used: for the record only, since who is signalled and waited for is who
 * was launched. */
static struct pool_words words_of(const struct wire_message *message) {
    return (struct pool_words){
        .status = message->status,
        .pid = message->has_pid ? message->pid : 0,
        .has_bytes_in = message->has_bytes_in,
        .has_bytes_out = message->has_bytes_out,
        .bytes_in = message->bytes_in,
        .bytes_out = message->bytes_out,
        .cpu_us = message->cpu_us,
        .memory_peak_kib = message->memory_peak_kib,
        .text = message->text.bytes,
        .text_bytes = message->text.length,
    };
}

static bool take_nack(struct supervisor *s, uint32_t process, uint32_t connection,
                      const struct wire_message *message) {
    enum pool_decline reason = POOL_DECLINE_REFUSE;
    if (message->reason == WIRE_REASON_RETIRE) {
        reason = POOL_DECLINE_RETIRE;
    } else if (message->reason == WIRE_REASON_BUSY) {
        reason = POOL_DECLINE_BUSY;
    }
    struct pool_words words = words_of(message);
    return pool_nack(&s->pool, process, connection, reason, &words);
}

/* An offer that still waits to be sent cannot be answered, but its number can be guessed. */
static uint32_t find_connection(const struct supervisor *s, uint32_t process, uint32_t number) {
    uint32_t connection = pool_find_connection(&s->pool, process, number);
    bool is_unsent = s->launching.processes[process].offer_unsent &&
                     connection == s->pool.processes[process].offer;
    return is_unsent ? SLOT_NONE : connection;
}

/* NULL, or what is wrong with the frame. */
static const char *take_message(struct supervisor *s, uint32_t process,
                                const struct wire_message *message) {
    uint32_t connection = find_connection(s, process, message->connection);
    struct pool_words words = words_of(message);
    const char *not_in = ", which is not offered";
    bool taken = false;
    switch (message->type) {
    case WIRE_HELLO:
        return take_hello(s, process, message);
    case WIRE_ACK:
        taken = pool_ack(&s->pool, process, connection, &words);
        break;
    case WIRE_NACK:
        taken = take_nack(s, process, connection, message);
        break;
    case WIRE_DONE:
        taken = pool_done(&s->pool, process, connection, &words);
        run_living_measure(s, process);
        not_in = ", which is not held";
        break;
    default: /* RETIRE; what else there is may be skipped */
        pool_retire(&s->pool, process);
        return NULL;
    }
    return taken ? NULL : run_breach_say(s, "connection ", message->connection, 10, not_in);
}

static const char *take_frame(struct supervisor *s, uint32_t process, const uint8_t *frame,
                              size_t length) {
    struct wire_message message;
    if (wire_decode(frame, length, WIRE_FROM_HANDLER, &message) != WIRE_OK) {
        return run_breach_of_frame(s, BATON_OK, frame, length);
    }
    if (message.type != WIRE_HELLO && s->pool.processes[process].greeted_us == 0) {
        return "before HELLO";
    }
    return message.skip ? NULL : take_message(s, process, &message);
}

bool run_handoff_on_channel(struct supervisor *s, uint32_t process) {
    uint8_t frame[WIRE_HEADER_BYTES + WIRE_BODY_MAX_TO_SUPERVISOR];
    size_t length = 0;
    struct baton_cause cause = {0};
    const char *fault = NULL;
    if (!s->pool.processes[process].channel_open) {
        return false; /* ended by a breach, behind which nothing counts, or by the last DONE */
    }
    int result = platform_channel_receive(s->launching.processes[process].handle, frame,
                                          sizeof frame, &length, &cause);
    switch (result) {
    case BATON_AGAIN:
        return false;
    case BATON_OK:
        fault = take_frame(s, process, frame, length);
        break;
    case BATON_TOO_LONG:
    case BATON_INVALID:
    case BATON_DENIED:
        fault = run_breach_of_frame(s, result, frame, length);
        break;
    default:
        pool_channel_ended(&s->pool, process);
        return false;
    }
    if (fault != NULL) {
        log_breach(s, process, length > WIRE_TYPE_OFFSET ? frame[WIRE_TYPE_OFFSET] : 0, fault);
        pool_breach(&s->pool, process);
    }
    return true;
}
