#include "actor.h"

#include <string.h>

#define CLIENT_COUNT_MAX 65536
#define STRANGER_PID 77u

static uint8_t acked[CLIENT_COUNT_MAX];

uint32_t actor_acked_count(uint32_t client) {
    return acked[client];
}

void actor_forget_all(void) {
    memset(acked, 0, sizeof acked);
}

/* ---- Frames ---- */

/* What the next NACK or DONE says. */
static struct wire_text text;

static bool send_as(uint32_t process, const struct wire_message *message, uint32_t sender_pid) {
    uint8_t frame[1024];
    long length = wire_encode(message, frame, sizeof frame);
    return length > 0 && fake_handler_send(process, frame, (size_t)length, sender_pid);
}

static bool send(uint32_t process, const struct wire_message *message) {
    return send_as(process, message, 0);
}

static void hello(uint32_t process, enum act act) {
    uint8_t nonce[WIRE_NONCE_BYTES] = {0};
    uint32_t pid = fake_process(process)->pid;
    wire_nonce_parse(fake_process(process)->nonce_hex, nonce);
    nonce[7] ^= act == ACT_HELLO_WRONG_NONCE ? 1 : 0;
    struct wire_message message = {.type = WIRE_HELLO,
                                   .nonce = nonce,
                                   .has_pid = true,
                                   .sdk = {"an actor", 8},
                                   .pid = act == ACT_HELLO_STRANGER ? STRANGER_PID : pid,
                                   .capacity = act == ACT_HELLO_WIDE ? 8 : 1};
    send_as(process, &message, act == ACT_HELLO_FOREIGN ? STRANGER_PID : 0);
}

static bool say(uint32_t process, uint8_t type, uint32_t connection) {
    return send(process, &(struct wire_message){.type = type, .connection = connection});
}

static bool nack(uint32_t process, uint32_t connection, uint8_t reason) {
    return send(process,
                &(struct wire_message){
                    .type = WIRE_NACK, .connection = connection, .reason = reason, .text = text});
}

/* FAKE_NONE: it is its listeners. */
static void close_offered(uint32_t process, uint32_t client) {
    if (client == FAKE_NONE) {
        fake_handler_close_listeners(process);
    } else {
        fake_handler_close_client(process, client);
    }
}

bool actor_ack(struct actor *actor, uint32_t process) {
    if (actor->offered == 0 || actor->held_count == ACTOR_HELD_COUNT ||
        !say(process, WIRE_ACK, actor->offered)) {
        return false;
    }
    if (actor->client != FAKE_NONE && !actor->broke) {
        acked[actor->client]++;
    }
    actor->held[actor->held_count].number = actor->offered;
    actor->held[actor->held_count++].client = actor->client;
    actor->offered = 0;
    return true;
}

static bool decline(struct actor *actor, uint32_t process, uint8_t reason) {
    if (actor->offered == 0) {
        return false;
    }
    close_offered(process, actor->client);
    nack(process, actor->offered, reason);
    actor->offered = 0;
    return true;
}

bool actor_done(struct actor *actor, uint32_t process, uint32_t held, uint8_t status) {
    if (held >= actor->held_count) {
        return false;
    }
    uint32_t number = actor->held[held].number;
    close_offered(process, actor->held[held].client);
    actor->held_count--;
    memmove(&actor->held[held], &actor->held[held + 1],
            (actor->held_count - held) * sizeof actor->held[0]);
    return send(process,
                &(struct wire_message){
                    .type = WIRE_DONE, .connection = number, .status = status, .text = text});
}

bool actor_listen(struct actor *actor, uint32_t process) {
    struct fake_frame frame;
    bool heard = false;
    int result;
    while ((result = fake_handler_receive(process, &frame)) == BATON_OK) {
        struct wire_message message;
        heard = true;
        if (wire_decode(frame.bytes, frame.length, WIRE_FROM_SUPERVISOR, &message) != WIRE_OK) {
            continue;
        }
        if (message.type == WIRE_OFFER) {
            actor->offered = message.connection;
            actor->client = frame.client;
            actor->kind = message.kind;
            actor->told_uid = message.has_peer_uid;
            actor->told_pid = message.has_peer_pid;
            actor->uid = message.peer_uid;
            actor->offer_count++;
        }
        if (message.type == WIRE_LIMITS) {
            actor->limits_count++;
            actor->limits[0] = message.capacity;
            actor->limits[1] = message.handshake_ms;
            actor->limits[2] = message.stop_ms;
            actor->limits[3] = message.reuse;
        }
        if (message.type == WIRE_CANCEL) {
            actor->cancelled = message.connection;
            actor->cancel_count++;
        }
        actor->drained = actor->drained || message.type == WIRE_DRAIN;
    }
    if (result == BATON_END && !actor->drained) {
        actor->drained = true;
        heard = true;
    }
    return heard;
}

/* ---- Acts ---- */

static bool is_breach(const struct actor *actor, enum act act) {
    bool is_early = !actor->greeted && act != ACT_HELLO && act != ACT_HELLO_WIDE;
    bool is_late = actor->greeted && (act == ACT_HELLO || act == ACT_HELLO_WIDE);
    return is_early || is_late || act >= ACT_HELLO_WRONG_NONCE;
}

static bool act_frame(struct actor *actor, uint32_t process, enum act act) {
    static const uint8_t garbage[] = "GET / HTTP/1.0\r\n\r\n";
    uint8_t optional[WIRE_HEADER_BYTES] = {0x42, 0x41, 0x54, 0x4e, WIRE_VERSION, 0xf0};
    actor->broke = actor->broke || is_breach(actor, act);
    switch (act) {
    case ACT_ACK:
        return actor_ack(actor, process);
    case ACT_NACK_RETIRE:
        return decline(actor, process, WIRE_REASON_RETIRE);
    case ACT_NACK_BUSY:
        return decline(actor, process, WIRE_REASON_BUSY);
    case ACT_NACK_REFUSE:
        return decline(actor, process, WIRE_REASON_REFUSE);
    case ACT_DONE:
        return actor_done(actor, process, 0, 0);
    case ACT_DONE_BAD:
        return actor_done(actor, process, 0, 3);
    case ACT_RETIRE:
        return say(process, WIRE_RETIRE, 0);
    case ACT_OPTIONAL:
        return fake_handler_send(process, optional, sizeof optional, 0);
    case ACT_ACK_UNKNOWN:
        return say(process, WIRE_ACK, 4000000);
    case ACT_NACK_UNKNOWN:
        return nack(process, 4000000, WIRE_REASON_BUSY);
    case ACT_DONE_UNKNOWN:
        return say(process, WIRE_DONE, 4000000);
    case ACT_DONE_OFFERED:
        return send(process, &(struct wire_message){
                                 .type = WIRE_DONE,
                                 .connection = actor->offered != 0 ? actor->offered : 4000000,
                                 .has_bytes_in = true,
                                 .bytes_in = 5});
    case ACT_GARBAGE:
        return fake_handler_send(process, garbage, sizeof garbage, 0);
    case ACT_OFFER:
        return say(process, WIRE_DRAIN, 0);
    case ACT_TORN:
        return fake_handler_send_fault(process, BATON_INVALID, false);
    case ACT_TOO_LONG:
        return fake_handler_send_fault(process, BATON_TOO_LONG, false);
    case ACT_RIGHTS:
        return fake_handler_send_fault(process, BATON_DENIED, false);
    case ACT_BROKEN:
        return fake_handler_send_fault(process, BATON_INVALID, true);
    default:
        hello(process, act);
        actor->greeted = true;
        return true;
    }
}

/* ---- Without a channel ---- */

static bool take(struct actor *actor, uint32_t process) {
    uint32_t client = fake_handler_take(process);
    if (client == FAKE_NONE) {
        return false;
    }
    fake_handler_close_client(process, client);
    actor->taken_count++;
    return true;
}

/* True at the end of the input. */
static bool read_input(struct actor *actor, uint32_t process, bool copy) {
    char piece[1000];
    size_t length = 0;
    int result;
    while ((result = fake_program_read(process, piece, sizeof piece, &length)) == BATON_OK) {
        actor->moved = true;
        actor->read_bytes += length;
        if (copy && !fake_program_write(process, piece, length)) {
            return true;
        }
    }
    return result == BATON_END;
}

/* False when it waits. */
static bool act_alone(struct actor *actor, uint32_t process, enum act act) {
    switch (act) {
    case ACT_TAKE:
        return take(actor, process);
    case ACT_TAKE_ALL:
        while (take(actor, process)) {
        }
        break;
    case ACT_COPY:
        return read_input(actor, process, true);
    case ACT_READ:
        read_input(actor, process, false);
        break;
    case ACT_WRITE:
        fake_program_write(process, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
        break;
    case ACT_CLOSE_INPUT:
        fake_program_close_input(process);
        break;
    case ACT_CLOSE_OUTPUT:
        fake_program_close_output(process);
        break;
    default:
        fake_program_leave_pipes(process);
        break;
    }
    return true;
}

bool actor_act(struct actor *actor, uint32_t process, enum act act) {
    bool acted;
    if (act >= ACT_TAKE && act <= ACT_LEAVE_PIPES) {
        return act_alone(actor, process, act);
    }
    switch (act) {
    case ACT_DONE_TEXT:
    case ACT_NACK_TEXT:
        text = (struct wire_text){"told", 4};
        acted = act_frame(actor, process, act == ACT_DONE_TEXT ? ACT_DONE : ACT_NACK_BUSY);
        text = (struct wire_text){0};
        return acted;
    case ACT_STAY:
        return false;
    case ACT_AWAIT_OFFER:
        actor_listen(actor, process);
        if (actor->offered == 0 && actor->drained) {
            fake_handler_exit(process, false, 0);
            return true;
        }
        return actor->offered != 0;
    case ACT_AWAIT_DRAIN:
        actor_listen(actor, process);
        return actor->drained;
    case ACT_CLOSE_CHANNEL:
        fake_handler_close_channel(process);
        return true;
    case ACT_EXIT:
        fake_handler_exit(process, false, 0);
        return true;
    case ACT_EXIT_3:
        fake_handler_exit(process, false, 3);
        return true;
    case ACT_CRASH:
        fake_handler_exit(process, true, 11);
        return true;
    default:
        act_frame(actor, process, act);
        return true;
    }
}

bool actor_play(struct actor *actor, uint32_t process) {
    bool acted = false;
    while (fake_process(process)->is_alive) {
        enum act act = actor->play->acts[actor->at];
        if (act == ACT_REPEAT) {
            actor->at = 1;
            continue;
        }
        if (act == ACT_TICK) {
            actor->at++;
            return true;
        }
        if (!actor_act(actor, process, act)) {
            break;
        }
        actor->at++;
        acted = true;
    }
    acted = acted || actor->moved;
    actor->moved = false;
    return acted;
}

void actor_signalled(struct actor *actor, uint32_t process, enum platform_signal how) {
    if (actor->play->immortal) {
        return;
    }
    if (how == PLATFORM_TERMINATE) {
        if (!actor->play->deaf) {
            fake_handler_exit(process, true, 15);
        }
        return;
    }
    const enum act *words = actor->play->last_words;
    actor_listen(actor, process);
    while (words != NULL && *words != ACT_STAY && fake_process(process)->is_alive) {
        actor_act(actor, process, *words++);
    }
    fake_handler_exit(process, true, 9);
}
