/* A client who reads why he is refused has most likely written something first, and a socket that
 * is closed with bytes unread resets the connection, message and all. So the message is sent, our
 * sending ended, and what he sends is read away until he ends his, for a while. */
#include "run/refuse.h"

#include "core/base/table.h"
#include "core/door/access.h"
#include "core/tell/filling.h"
#include "run/internal.h"

#include <stdlib.h>

/* So long, and so many bytes, until it is closed all the same. */
#define PATIENCE_US 1000000u
#define READ_MAX_BYTES 65536u

/* Lines a second and service, and at once. */
static const struct rate_limit line_limit = {10, 1, 100};
#define SUPPRESSED_TELL_US 1000000u

int run_refuse_prepare(struct supervisor *s) {
    struct run_refusals *refusals = &s->refusals;
    if (refusals->entries == NULL) {
        refusals->entries = table_create(REFUSALS_MAX_COUNT, sizeof *refusals->entries);
        if (refusals->entries == NULL ||
            slots_init(&refusals->slots, REFUSALS_MAX_COUNT) != BATON_OK) {
            free(refusals->entries);
            refusals->entries = NULL;
            return BATON_NO_MEMORY;
        }
    }
    return BATON_OK;
}

static void end(struct supervisor *s, uint32_t slot) {
    struct run_refusal *refusal = &s->refusals.entries[slot];
    timers_unset(&s->timers, &refusal->timer);
    platform_stream_close(&refusal->stream);
    platform_socket_drop(&refusal->socket);
    slots_give(&s->refusals.slots, slot);
    run_pause_relieve(s);
}

void run_refuse_give_up(struct supervisor *s) {
    if (s->refusals.entries != NULL) {
        SLOTS_EACH(slot, &s->refusals.slots) {
            end(s, slot);
        }
    }
}

void run_refuse_clear(struct supervisor *s) {
    run_refuse_give_up(s);
    if (s->refusals.entries != NULL) {
        slots_clear(&s->refusals.slots);
        free(s->refusals.entries);
        s->refusals.entries = NULL;
    }
}

/* ---- The client ---- */

/* True if all is written. */
static bool write_on(struct run_refusal *refusal) {
    struct baton_cause cause = {0};
    size_t written = 0;
    int result = BATON_OK;
    while (result == BATON_OK && refusal->written_bytes < refusal->length) {
        result = platform_stream_write(refusal->stream, refusal->message + refusal->written_bytes,
                                       refusal->length - refusal->written_bytes, &written, &cause);
        refusal->written_bytes += result == BATON_OK ? written : 0;
    }
    if (result == BATON_GONE) {
        refusal->written_bytes = refusal->length; /* nobody is there to be told */
    }
    return refusal->written_bytes == refusal->length;
}

/* True if there is nothing more to read. */
static bool read_away(struct run_refusal *refusal) {
    char bytes[512];
    struct baton_cause cause = {0};
    size_t length = 0;
    int result = BATON_OK;
    while (result == BATON_OK && refusal->read_bytes < READ_MAX_BYTES) {
        result = platform_stream_read(refusal->stream, bytes, sizeof bytes, &length, &cause);
        refusal->read_bytes += result == BATON_OK ? length : 0;
    }
    return result != BATON_AGAIN;
}

void run_refuse_on_stream(struct supervisor *s, uint32_t slot) {
    struct run_refusal *refusal = &s->refusals.entries[slot];
    bool was_written = refusal->written_bytes == refusal->length;
    if (!was_written && write_on(refusal)) {
        platform_stream_finish(refusal->stream);
    }
    if (refusal->written_bytes == refusal->length && read_away(refusal)) {
        end(s, slot);
    }
}

void run_refuse_on_timer(struct supervisor *s, uint32_t slot) {
    end(s, slot);
}

/* False if it cannot be told anything. */
static bool begin(struct supervisor *s, uint32_t connection, const char *message) {
    const struct connection *c = &s->pool.connections[connection];
    struct baton_cause cause = {0};
    uint32_t slot = slots_take(&s->refusals.slots);
    if (slot == SLOT_NONE) {
        return false;
    }
    struct run_refusal *refusal = &s->refusals.entries[slot];
    *refusal = (struct run_refusal){0};
    refusal->socket = s->sockets[connection];
    refusal->timer.token = token_make(RUN_TOKEN_REFUSAL, 0, slot);
    int result = platform_stream_open(s->platform, refusal->socket,
                                      slots_token(&s->refusals.slots, RUN_TOKEN_REFUSAL, slot),
                                      &refusal->stream, &cause);
    if (result != BATON_OK) {
        slots_give(&s->refusals.slots, slot);
        return false;
    }
    refusal->length =
        filling_expand(message, c->rules, c, refusal->message, sizeof refusal->message);
    timers_after(&s->timers, &refusal->timer, PATIENCE_US);
    s->sockets[connection] = PLATFORM_SOCKET_NONE;
    run_refuse_on_stream(s, slot);
    return true;
}

void run_refuse_client(struct supervisor *s, uint32_t connection) {
    const char *message = s->pool.connections[connection].rules->refuse_message;
    if (message == NULL || s->stopping || !begin(s, connection, message)) {
        platform_socket_drop(&s->sockets[connection]);
    }
}

/* ---- The log ---- */

bool run_refuse_may_record(struct supervisor *s, const struct connection *c) {
    struct run_refused *refused = &s->launching.services[c->service].refused;
    if (rate_passes(&refused->rate, &line_limit, s->timers.now_us)) {
        return true;
    }
    refused->suppressed_count[c->outcome - OUTCOME_REFUSED_ACCESS]++;
    if (!timer_is_set(&s->refusals.suppressed)) {
        s->refusals.suppressed.token = token_make(RUN_TOKEN_REFUSED, 0, 0);
        timers_after(&s->timers, &s->refusals.suppressed, SUPPRESSED_TELL_US);
    }
    return false;
}

const char *run_refuse_rule(struct supervisor *s, const struct connection *c,
                            char out[REFUSE_RULE_BYTES]) {
    struct access_decision decision;
    access_decide(c->rules, &c->peer, c->in_group, c->local_minute, &decision);
    if (decision.reason == ACCESS_BY_RULE) {
        return access_rule_print(c->rules, &decision.rule,
                                 s->machine == NULL ? NULL : s->machine->config_file, out,
                                 REFUSE_RULE_BYTES);
    }
    return decision.reason == ACCESS_BY_USER ? "neither allow_uid nor allow_gid has it"
                                             : "no rule of allow has it";
}

#define KIND_COUNT                                                                                 \
    (sizeof(struct run_refused){0}.suppressed_count /                                              \
     sizeof *(struct run_refused){0}.suppressed_count)

static size_t count_suppressed(const struct run_refused *refused) {
    size_t count = 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        count += refused->suppressed_count[i];
    }
    return count;
}

static size_t tell_suppressed_of(struct supervisor *s, uint32_t service) {
    struct run_refused *refused = &s->launching.services[service].refused;
    const size_t kind_count = KIND_COUNT;
    size_t count = count_suppressed(refused);
    struct record *line =
        count == 0 ? NULL : run_tell_line(s, LOG_LEVEL_WARNING, "refusals_suppressed", service);
    for (size_t i = 0; line != NULL && i < kind_count; i++) {
        if (refused->suppressed_count[i] > 0) {
            record_number(line, outcome_text((enum outcome)(OUTCOME_REFUSED_ACCESS + i)),
                          refused->suppressed_count[i]);
        }
        refused->suppressed_count[i] = 0;
    }
    if (line != NULL) {
        run_log_end(&s->log);
    }
    return count;
}

void run_refuse_on_suppressed(struct supervisor *s) {
    bool waits = false;
    SLOTS_EACH(service, &s->services.slots) {
        const struct run_sink *sink = run_tell_sink(s, service);
        if (sink->is_failing || run_sink_is_congested(sink)) {
            /* The line might be lost, and with it how many there were. */
            waits = waits || count_suppressed(&s->launching.services[service].refused) > 0;
        } else {
            (void)tell_suppressed_of(s, service);
        }
    }
    if (waits) {
        timers_after(&s->timers, &s->refusals.suppressed, SUPPRESSED_TELL_US);
        run_log_flush(&s->log);
    }
}

size_t run_refuse_tell_suppressed(struct supervisor *s) {
    size_t count = 0;
    SLOTS_EACH(service, &s->services.slots) {
        count += tell_suppressed_of(s, service);
    }
    return count;
}
