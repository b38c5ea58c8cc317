/* Relay: what a pump moves between its client and its program. core/pool/relay.h decides; here the
 * bytes are read and written. The pool is told of the program's end only when all that the program
 * has written is with the client, so that the connection's record is the last word about it. */
#include "run/internal.h"

#include <stdlib.h>

/* Pieces that one relay moves in a row before others get their turn. */
#define ROUNDS_AT_A_TIME 16
/* After the end of the program: a client that takes nothing for this long gets no more. */
#define FLUSH_US 30000000u
/* When everything is flushed, closing at once would make a reset of what the client still sends,
 * and a reset can destroy what it has not read yet: so that is taken for this long. */
#define LINGER_US 2000000u

int relay_create(struct supervisor *s) {
    uint32_t count = 0;
    s->ready_relay = SLOT_NONE;
    for (size_t i = 0; i < s->table->service_count; i++) {
        const struct service *service = &s->table->services[i];
        count += service->handoff == HANDOFF_PUMP ? service->max_connections_count : 0;
    }
    if (count == 0) {
        return BATON_OK;
    }
    /* Not table_create(): its first entries would be resident, and these are large. */
    s->relays = calloc(count, sizeof *s->relays);
    return s->relays == NULL ? BATON_NO_MEMORY : slots_init(&s->relay_slots, count);
}

void relay_clear(struct supervisor *s) {
    free(s->relays);
    slots_clear(&s->relay_slots);
}

/* ---- The beginning ---- */

static void free_relay(struct supervisor *s, uint32_t index) {
    struct run_relay *r = &s->relays[index];
    timers_unset(&s->timers, &r->timer);
    platform_stream_close(&r->client);
    platform_stream_close(&r->input);
    platform_stream_close(&r->output);
    s->processes[r->process].relay = SLOT_NONE;
    slots_give(&s->relay_slots, index);
}

int relay_begin(struct supervisor *s, uint32_t process, uint32_t connection,
                struct baton_cause *cause) {
    uint32_t index = slots_take(&s->relay_slots);
    if (index == SLOT_NONE) {
        return BATON_SHORTAGE;
    }
    struct run_relay *r = &s->relays[index];
    relay_init(&r->relay);
    r->client = r->input = r->output = NULL;
    r->process = process;
    r->waiting = 0;
    r->exited = r->lingers = r->client_lost =
        false; /* is_ready stays: it may still be in that list */
    r->timer = (struct timer){.owner = ((uint32_t)RUN_TIMER_RELAY << RUN_TIMER_SHIFT) | index};
    s->processes[process].relay = index;
    int result =
        platform_stream_open(s->platform, s->sockets[connection],
                             slots_token(&s->relay_slots, TOKEN_RELAY, index), &r->client, cause);
    if (result != BATON_OK) {
        free_relay(s, index);
        return result;
    }
    r->socket = s->sockets[connection];
    s->sockets[connection] = PLATFORM_SOCKET_NONE;
    return BATON_OK;
}

void relay_undo(struct supervisor *s, uint32_t process, uint32_t connection) {
    uint32_t index = s->processes[process].relay;
    s->sockets[connection] = s->relays[index].socket;
    free_relay(s, index);
}

static void set_ready(struct supervisor *s, uint32_t index) {
    struct run_relay *r = &s->relays[index];
    if (!r->is_ready) {
        r->is_ready = true;
        r->next_ready = s->ready_relay;
        s->ready_relay = index;
    }
}

void relay_launched(struct supervisor *s, uint32_t process,
                    const struct platform_launched *launched) {
    struct run_relay *r = &s->relays[s->processes[process].relay];
    r->input = launched->input;
    r->output = launched->output;
    set_ready(s, s->processes[process].relay); /* what waits already will not be told again */
}

/* ---- Moving ---- */

/* What said AGAIN, and is not asked again before an event. */
enum waiting { READ_CLIENT = 1, WRITE_INPUT = 2, READ_OUTPUT = 4, WRITE_CLIENT = 8 };

/* The client has reset the connection. The program finds its output broken; its input ends behind
 * what the client has sent, which a failed write does not take from the socket. */
static void lose_client(struct run_relay *r) {
    relay_client_lost(&r->relay);
    r->client_lost = true;
    r->waiting &= ~(unsigned)READ_CLIENT;
    platform_stream_close(&r->output);
}

/* AGAIN means that there is nothing for now; or for ever, when nobody is left to say more: a client
 * that is lost, or a program that has ended, whoever has its pipe. */
static bool has_ended(const struct run_relay *r, enum waiting what) {
    return (what == READ_OUTPUT && r->exited) || (what == READ_CLIENT && r->client_lost);
}

/* Reads for a direction once. True if that changed anything. */
static bool fill(struct run_relay *r, struct relay_direction *d, struct platform_stream *stream,
                 enum waiting what) {
    uint8_t *room = NULL;
    size_t room_bytes = relay_space(d, &room);
    size_t length = 0;
    struct baton_cause cause = {0};
    if (stream == NULL || room_bytes == 0 || (r->waiting & what) != 0) {
        return false;
    }
    int result = platform_stream_read(stream, room, room_bytes, &length, &cause);
    if (result == BATON_OK) {
        relay_filled(d, length);
        return true;
    }
    if (result == BATON_AGAIN && !has_ended(r, what)) {
        r->waiting |= what;
        return false;
    }
    if (result == BATON_GONE && what == READ_CLIENT) {
        lose_client(r);
    }
    relay_source_ended(d);
    return true;
}

/* Writes for a direction once. The same. */
static bool empty(struct run_relay *r, struct relay_direction *d, struct platform_stream *stream,
                  enum waiting what) {
    const uint8_t *data = NULL;
    size_t data_bytes = relay_data(d, &data);
    size_t written = 0;
    struct baton_cause cause = {0};
    if (stream == NULL || data_bytes == 0 || (r->waiting & what) != 0) {
        return false;
    }
    int result = platform_stream_write(stream, data, data_bytes, &written, &cause);
    if (result == BATON_AGAIN) {
        r->waiting |= what;
        return false;
    }
    if (result == BATON_OK) {
        relay_drained(d, written);
    } else if (what == WRITE_CLIENT) {
        lose_client(r);
    } else {
        relay_sink_gone(d); /* the program has closed its input: the rest is for nobody */
    }
    return true;
}

/* One piece in each direction. True if there may be more to do. */
static bool move(struct run_relay *r) {
    struct relay_direction *in = &r->relay.in;
    struct relay_direction *out = &r->relay.out;
    bool moved = fill(r, in, r->client, READ_CLIENT);
    moved = empty(r, in, r->input, WRITE_INPUT) || moved;
    moved = fill(r, out, r->output, READ_OUTPUT) || moved;
    moved = empty(r, out, r->client, WRITE_CLIENT) || moved;
    if (relay_should_finish(in)) {
        platform_stream_finish(r->input);
    }
    if (relay_should_finish(out)) {
        platform_stream_finish(r->client);
    }
    return moved;
}

/* ---- The end ---- */

void relay_close(struct supervisor *s, uint32_t process) {
    uint32_t index = s->processes[process].relay;
    if (index != SLOT_NONE) {
        struct platform_socket socket = s->relays[index].socket;
        free_relay(s, index);
        platform_socket_close(&socket);
    }
}

/* Tells the pool of the program's end, with `note` (static; NULL = nothing) for the record. What
 * the pool makes of it is carried out by the caller's caller: this may be one of many that a stop
 * ends in a row. */
static void finish(struct supervisor *s, uint32_t index, const char *note) {
    struct run_relay *r = &s->relays[index];
    uint32_t process = r->process;
    uint32_t connection = s->pool.processes[process].first_held;
    if (connection != SLOT_NONE) {
        struct connection *c = &s->pool.connections[connection];
        c->has_bytes_in = c->has_bytes_out = true;
        c->bytes_in = relay_bytes_in(&r->relay);
        c->bytes_out = relay_bytes_out(&r->relay);
    }
    s->processes[process].note = note;
    relay_close(s, process);
    reap_tell_exit(s, process);
}

static void set_timer(struct supervisor *s, struct run_relay *r, uint64_t delay_us) {
    timers_set(&s->timers, &r->timer, s->now_us + delay_us);
}

/* After the program's end: done, or how long to wait for the client. */
static void wait_for_client(struct supervisor *s, uint32_t index) {
    struct run_relay *r = &s->relays[index];
    uint64_t sent_bytes = relay_bytes_out(&r->relay);
    if (relay_is_over(&r->relay)) {
        finish(s, index, NULL);
    } else if (relay_direction_is_over(&r->relay.out)) {
        if (!r->lingers) {
            r->lingers = true;
            set_timer(s, r, LINGER_US);
        }
    } else if (r->timer.position == 0 || sent_bytes != r->sent_bytes) {
        r->sent_bytes = sent_bytes;
        set_timer(s, r, FLUSH_US);
    }
}

static void go_on(struct supervisor *s, uint32_t index) {
    struct run_relay *r = &s->relays[index];
    int rounds = 0;
    while (rounds < ROUNDS_AT_A_TIME && move(r)) {
        rounds++;
    }
    if (rounds == ROUNDS_AT_A_TIME) {
        set_ready(s, index);
    }
    if (r->exited) {
        wait_for_client(s, index);
    }
}

void relay_on_stream(struct supervisor *s, uint32_t relay) {
    s->relays[relay].waiting = 0; /* the event does not tell for which of them it is */
    go_on(s, relay);
}

void relay_go_on(struct supervisor *s) {
    uint32_t next = s->ready_relay;
    s->ready_relay = SLOT_NONE;
    while (next != SLOT_NONE) {
        uint32_t index = next;
        next = s->relays[index].next_ready;
        s->relays[index].is_ready = false;
        if (slots_is_used(&s->relay_slots, index)) {
            go_on(s, index);
            supervisor_act(s);
        }
    }
}

void relay_on_exit(struct supervisor *s, uint32_t process) {
    uint32_t index = s->processes[process].relay;
    struct run_relay *r = &s->relays[index];
    r->exited = true;
    r->waiting = 0; /* AGAIN means something else from now on */
    platform_stream_close(&r->input);
    relay_program_exited(&r->relay);
    go_on(s, index);
    if (s->pool.processes[process].state == PROCESS_KILLED) {
        relay_give_up(s, process); /* there is no time left to wait for the client */
    }
}

bool relay_give_up(struct supervisor *s, uint32_t process) {
    uint32_t index = s->processes[process].relay;
    if (index == SLOT_NONE || !s->relays[index].exited) {
        return false;
    }
    finish(s, index,
           s->relays[index].lingers
               ? NULL
               : "the supervisor stopped before the client had taken everything");
    return true;
}

void relay_on_timer(struct supervisor *s, uint32_t relay) {
    finish(s, relay,
           s->relays[relay].lingers ? NULL
                                    : "the client stopped taking what the program had written");
}
