/* The pool is told of the program's end only when all that the program has written is with the
 * client, so that the connection's record is the last word about it. */
#include "core/base/table.h"
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

/* Pieces that one pump moves in a row before others get their turn. */
#define ROUNDS_AT_A_TIME 16
/* After the end of the program: a client that takes nothing for this long gets no more, or for
 * `idle_timeout_ms` where that is less. */
#define FLUSH_US 30000000u
/* When everything is flushed, closing at once would make a reset of what the client still sends,
 * and a reset can destroy what it has not read yet: so that is taken for this long. */
#define LINGER_US 2000000u
/* What is under way when a pump seems to be idle is here by then. */
#define LOOK_AGAIN_US 1000000u

int run_pump_create(struct supervisor *s) {
    struct run_pumps *pumps = &s->pumps;
    pumps->ready = SLOT_NONE;
    pumps->chunks = table_create(PUMP_CHUNKS_COUNT, sizeof(struct run_pump *));
    pumps->uses_counts = table_create(PUMP_CHUNKS_COUNT, sizeof *pumps->uses_counts);
    return pumps->chunks == NULL || pumps->uses_counts == NULL
               ? BATON_NO_MEMORY
               : slots_init(&pumps->slots, s->pool.connection_slots.count);
}

void run_pump_clear(struct supervisor *s) {
    for (uint32_t i = 0; s->pumps.chunks != NULL && i < PUMP_CHUNKS_COUNT; i++) {
        free(s->pumps.chunks[i]);
    }
    free((void *)s->pumps.chunks);
    free(s->pumps.uses_counts);
    slots_clear(&s->pumps.slots);
}

struct run_pump *run_pump_at(struct supervisor *s, uint32_t pump) {
    return &s->pumps.chunks[pump / PUMPS_IN_A_CHUNK][pump % PUMPS_IN_A_CHUNK];
}

/* Sees to it that there is memory for the pump in this slot. */
static bool make_chunk(struct supervisor *s, uint32_t pump) {
    struct run_pump **chunk = &s->pumps.chunks[pump / PUMPS_IN_A_CHUNK];
    if (*chunk == NULL) {
        /* calloc: pages of buffers are not resident before they are used. */
        *chunk = calloc(PUMPS_IN_A_CHUNK, sizeof **chunk);
        s->pumps.chunk_count += *chunk != NULL ? 1 : 0;
    }
    return *chunk != NULL;
}

int run_pump_prepare(struct supervisor *s) {
    return make_chunk(s, 0) ? BATON_OK : BATON_NO_MEMORY;
}

/* A free slot whose chunk is there; SLOT_NONE when there is none. */
static uint32_t take_slot(struct supervisor *s) {
    uint32_t slot = slots_take(&s->pumps.slots);
    if (slot != SLOT_NONE && !make_chunk(s, slot)) {
        slots_give(&s->pumps.slots, slot);
        return SLOT_NONE;
    }
    if (slot != SLOT_NONE) {
        s->pumps.uses_counts[slot / PUMPS_IN_A_CHUNK]++;
    }
    return slot;
}

/* After a crowd has left, gives back the memory that it took: not what a crowd half as large would
 * take again, nor while any pump is in the list of the ready, who may be among those that ended. */
static void trim(struct run_pumps *pumps) {
    bool is_large = pumps->chunk_count > 2 * (pumps->slots.in_use_count / PUMPS_IN_A_CHUNK + 1);
    if (!pumps->may_trim || pumps->ready != SLOT_NONE || !is_large) {
        return;
    }
    pumps->may_trim = false;
    for (uint32_t i = 1; i < PUMP_CHUNKS_COUNT; i++) {
        if (pumps->chunks[i] != NULL && pumps->uses_counts[i] == 0) {
            free(pumps->chunks[i]);
            pumps->chunks[i] = NULL;
            pumps->chunk_count--;
        }
    }
}

static uint32_t pump_of(const struct supervisor *s, uint32_t process) {
    return s->launching.processes[process].pump;
}

/* ---- A restart ---- */

struct run_pump *run_pump_restore(struct supervisor *s, uint32_t pump) {
    if (!make_chunk(s, pump)) {
        return NULL;
    }
    s->pumps.uses_counts[pump / PUMPS_IN_A_CHUNK]++;
    return run_pump_at(s, pump);
}

/* ---- The beginning ---- */

static void free_pump(struct supervisor *s, uint32_t pump) {
    struct run_pump *r = run_pump_at(s, pump);
    timers_unset(&s->timers, &r->timer);
    platform_stream_close(&r->client);
    platform_stream_close(&r->input);
    platform_stream_close(&r->output);
    s->launching.processes[r->process].pump = SLOT_NONE;
    s->pumps.uses_counts[pump / PUMPS_IN_A_CHUNK]--;
    s->pumps.may_trim = true;
    slots_give(&s->pumps.slots, pump);
}

int run_pump_begin(struct supervisor *s, uint32_t process, uint32_t connection,
                   struct baton_cause *cause) {
    uint32_t pump = take_slot(s);
    if (pump == SLOT_NONE) {
        return BATON_SHORTAGE;
    }
    struct run_pump *r = run_pump_at(s, pump);
    relay_init(&r->relay);
    r->client = r->input = r->output = NULL;
    r->process = process;
    r->waiting = 0;
    /* is_ready stays: it may still be in that list */
    r->left = r->kept = r->exited = r->lingers = r->client_lost = r->asked_again = false;
    r->watches_idle = true;
    r->moved_us = s->timers.now_us;
    r->timer = (struct timer){.token = token_make(RUN_TOKEN_PUMP, 0, pump)};
    s->launching.processes[process].pump = pump;
    int result =
        platform_stream_open(s->platform, s->sockets[connection],
                             slots_token(&s->pumps.slots, RUN_TOKEN_PUMP, pump), &r->client, cause);
    if (result != BATON_OK) {
        free_pump(s, pump);
        return result;
    }
    r->socket = s->sockets[connection];
    s->sockets[connection] = PLATFORM_SOCKET_NONE;
    return BATON_OK;
}

void run_pump_undo(struct supervisor *s, uint32_t process, uint32_t connection) {
    uint32_t pump = pump_of(s, process);
    s->sockets[connection] = run_pump_at(s, pump)->socket;
    free_pump(s, pump);
}

static void set_ready(struct supervisor *s, uint32_t pump) {
    struct run_pump *r = run_pump_at(s, pump);
    if (!r->is_ready) {
        r->is_ready = true;
        r->next_ready = s->pumps.ready;
        s->pumps.ready = pump;
    }
}

void run_pump_launched(struct supervisor *s, uint32_t process,
                       const struct platform_launched *launched) {
    struct run_pump *r = run_pump_at(s, pump_of(s, process));
    r->input = launched->input;
    r->output = launched->output;
    set_ready(s, pump_of(s, process)); /* what waits already will not be told again */
}

/* ---- Moving ---- */

/* What said AGAIN, and is not asked again before an event. */
enum waiting { READ_CLIENT = 1, WRITE_INPUT = 2, READ_OUTPUT = 4, WRITE_CLIENT = 8 };

/* The client has reset the connection. The program finds its output broken; its input ends behind
 * what the client has sent, which a failed write does not take from the socket. */
static void lose_client(struct run_pump *r) {
    relay_client_lost(&r->relay);
    r->client_lost = true;
    r->waiting &= ~(unsigned)READ_CLIENT;
    platform_stream_close(&r->output);
}

/* AGAIN means that there is nothing for now; or for ever, when nobody is left to say more: a client
 * that is lost, or a program that has ended, whoever has its pipe. */
static bool has_ended(const struct run_pump *r, enum waiting what) {
    return what == READ_CLIENT ? r->client_lost : r->exited && !platform_stream_is_busy(r->output);
}

/* Reads for a direction once. True if that changed anything. */
static bool fill(struct run_pump *r, struct relay_direction *d, struct platform_stream *stream,
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
    } else if (result == BATON_GONE) {
        platform_stream_close(&r->output); /* so that the program does not wait for us to read */
    }
    relay_source_ended(d);
    return true;
}

/* Writes for a direction once. The same. */
static bool empty(struct run_pump *r, struct relay_direction *d, struct platform_stream *stream,
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
        platform_stream_close(&r->input);
    }
    return true;
}

/* One piece in each direction. True if there may be more to do. */
static bool move(struct run_pump *r) {
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

void run_pump_close(struct supervisor *s, uint32_t process) {
    uint32_t pump = pump_of(s, process);
    if (pump != SLOT_NONE) {
        free_pump(s, pump); /* it keeps its place: chunks are freed by trim() alone */
        platform_socket_close(s->platform, &run_pump_at(s, pump)->socket);
    }
}

/* `note`: static, for the record; NULL = nothing to be said. */
static const struct run_pump_end *finish(struct supervisor *s, uint32_t pump, const char *note) {
    const struct run_pump *r = run_pump_at(s, pump);
    s->pumps.end = (struct run_pump_end){
        .process = r->process,
        .words = {.has_bytes_in = true,
                  .has_bytes_out = true,
                  .bytes_in = relay_bytes_in(&r->relay),
                  .bytes_out = relay_bytes_out(&r->relay),
                  .text = note,
                  .text_bytes = note == NULL ? 0 : strlen(note)},
    };
    run_pump_close(s, r->process);
    return &s->pumps.end;
}

static void set_timer(struct supervisor *s, struct run_pump *r, uint64_t delay_us) {
    r->watches_idle = false;
    timers_after(&s->timers, &r->timer, delay_us);
}

static uint64_t idle_timeout_us(const struct supervisor *s, const struct run_pump *r) {
    return (uint64_t)s->pool.processes[r->process].rules->idle_timeout_ms * 1000u;
}

/* After the program's end: done, or how long to wait for the client. */
static const struct run_pump_end *wait_for_client(struct supervisor *s, uint32_t pump) {
    struct run_pump *r = run_pump_at(s, pump);
    uint64_t sent_bytes = relay_bytes_out(&r->relay);
    if (relay_is_over(&r->relay)) {
        return finish(s, pump, NULL);
    }
    if (relay_direction_is_over(&r->relay.out)) {
        if (!r->lingers) {
            r->lingers = true;
            set_timer(s, r, LINGER_US);
        }
    } else if (!timer_is_set(&r->timer) || r->watches_idle || sent_bytes != r->sent_bytes) {
        uint64_t idle_us = idle_timeout_us(s, r);
        r->sent_bytes = sent_bytes;
        set_timer(s, r, idle_us > 0 && idle_us < FLUSH_US ? idle_us : FLUSH_US);
    }
    return NULL;
}

/* The timer is not moved with each byte: when it expires, it is seen what has. */
static const struct run_pump_end *watch_idle(struct supervisor *s, struct run_pump *r) {
    uint64_t most_us = idle_timeout_us(s, r);
    if (most_us > 0 && !timer_is_set(&r->timer)) {
        r->watches_idle = true;
        timers_set(&s->timers, &r->timer, r->moved_us + most_us);
    }
    return NULL;
}

/* Nobody reads the program's input any more, and what is in its output is all that there will be.
 */
static void program_is_over(struct run_pump *r) {
    r->exited = true;
    r->waiting = 0; /* AGAIN means something else from now on */
    platform_stream_close(&r->input);
    relay_program_exited(&r->relay);
}

static const struct run_pump_end *go_on(struct supervisor *s, uint32_t pump) {
    struct run_pump *r = run_pump_at(s, pump);
    int rounds = 0;
    if (s->launching.processes[r->process].is_launching || s->restart.is_holding) {
        return NULL; /* nothing is taken from a client whom nobody may serve */
    }
    while (rounds < ROUNDS_AT_A_TIME && move(r)) {
        rounds++;
        if (r->left && !r->exited && relay_source_has_ended(&r->relay.out)) {
            program_is_over(r);
        }
    }
    if (rounds > 0) {
        r->moved_us = s->timers.now_us;
        r->asked_again = false;
    }
    if (rounds == ROUNDS_AT_A_TIME) {
        set_ready(s, pump);
    }
    /* Nothing to be read, and no end: somebody has the pipe, and no client is too slow for them. */
    if (r->left && !r->exited && !r->kept && (r->waiting & READ_OUTPUT) != 0) {
        r->kept = true;
        timers_unset(&s->timers, &r->timer);
    }
    return r->exited || (r->left && !r->kept) ? wait_for_client(s, pump) : watch_idle(s, r);
}

const struct run_pump_end *run_pump_on_stream(struct supervisor *s, uint32_t pump) {
    run_pump_at(s, pump)->waiting = 0; /* the event does not tell for which of them it is */
    return go_on(s, pump);
}

void run_pump_resume_all(struct supervisor *s) {
    SLOTS_EACH(pump, &s->pumps.slots) {
        run_pump_at(s, pump)->waiting = 0; /* what came meanwhile was not looked at */
        set_ready(s, pump);
    }
}

uint32_t run_pump_take_ready(struct supervisor *s) {
    trim(&s->pumps);
    uint32_t first = s->pumps.ready;
    s->pumps.ready = SLOT_NONE;
    return first;
}

uint32_t run_pump_next_ready(struct supervisor *s, uint32_t pump) {
    return run_pump_at(s, pump)->next_ready;
}

const struct run_pump_end *run_pump_go_on(struct supervisor *s, uint32_t pump) {
    run_pump_at(s, pump)->is_ready = false;
    return slots_is_used(&s->pumps.slots, pump) ? go_on(s, pump) : NULL;
}

const struct run_pump_end *run_pump_on_exit(struct supervisor *s, uint32_t process) {
    uint32_t pump = pump_of(s, process);
    struct run_pump *r = run_pump_at(s, pump);
    const struct process *p = &s->pool.processes[process];
    r->left = service_leaves_children(p->rules);
    r->waiting = 0;
    if (!r->left || relay_source_has_ended(&r->relay.out)) {
        program_is_over(r);
    }
    const struct run_pump_end *end = go_on(s, pump);
    if (end == NULL && p->state == PROCESS_KILLED) {
        return run_pump_give_up(s, process); /* there is no time left to wait for the client */
    }
    return end;
}

const struct run_pump_end *run_pump_give_up(struct supervisor *s, uint32_t process) {
    uint32_t pump = pump_of(s, process);
    if (pump == SLOT_NONE || !(run_pump_at(s, pump)->left || run_pump_at(s, pump)->exited)) {
        return NULL;
    }
    bool cut = s->stopping && !run_pump_at(s, pump)->lingers;
    return finish(s, pump,
                  cut ? "the supervisor stopped before the client had taken everything" : NULL);
}

/* Bytes may be under way that were not seen yet; once, since who keeps them there may do so for
 * ever.
 */
static bool may_have_moved(struct run_pump *r) {
    bool is_busy = (r->input != NULL && platform_stream_is_busy(r->input)) ||
                   (r->output != NULL && platform_stream_is_busy(r->output));
    r->asked_again = !r->asked_again && is_busy;
    return r->asked_again;
}

static const struct run_pump_end *on_idle_timer(struct supervisor *s, uint32_t pump) {
    struct run_pump *r = run_pump_at(s, pump);
    const struct run_pump_end *end = run_pump_on_stream(s, pump);
    if (end != NULL || !r->watches_idle || r->moved_us + idle_timeout_us(s, r) > s->timers.now_us) {
        return end; /* it goes on, and the timer is set */
    }
    if (may_have_moved(r)) {
        timers_after(&s->timers, &r->timer, LOOK_AGAIN_US);
        return NULL;
    }
    uint32_t connection = s->pool.processes[r->process].first_held;
    timers_unset(&s->timers, &r->timer);
    if (connection != SLOT_NONE) { /* else it could not even be killed, and was given up on */
        pool_time_out(&s->pool, connection, "idle_timeout_ms has passed");
    }
    return NULL;
}

const struct run_pump_end *run_pump_on_timer(struct supervisor *s, uint32_t pump) {
    if (run_pump_at(s, pump)->watches_idle) {
        return on_idle_timer(s, pump);
    }
    return finish(s, pump,
                  run_pump_at(s, pump)->lingers
                      ? NULL
                      : "the client stopped taking what the program had written");
}
