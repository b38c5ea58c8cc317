#include "core/pool/relay.h"

void relay_init(struct relay *relay) {
    relay->in = (struct relay_direction){.bytes = relay->in_bytes};
    relay->out = (struct relay_direction){.bytes = relay->out_bytes};
}

size_t relay_space(struct relay_direction *direction, uint8_t **room) {
    if (direction->source_ended || direction->count == RELAY_BUFFER_BYTES) {
        return 0;
    }
    uint32_t end = direction->start + direction->count;
    if (end >= RELAY_BUFFER_BYTES) {
        end -= RELAY_BUFFER_BYTES;
    }
    *room = direction->bytes + end;
    return (end < direction->start ? direction->start : RELAY_BUFFER_BYTES) - end;
}

void relay_filled(struct relay_direction *direction, size_t length) {
    direction->filled_bytes += length;
    if (!direction->sink_gone) {
        direction->count += (uint32_t)length;
    }
}

void relay_source_ended(struct relay_direction *direction) {
    direction->source_ended = true;
}

size_t relay_data(const struct relay_direction *direction, const uint8_t **data) {
    uint32_t to_the_edge = RELAY_BUFFER_BYTES - direction->start;
    if (direction->count == 0) {
        return 0;
    }
    *data = direction->bytes + direction->start;
    return direction->count < to_the_edge ? direction->count : to_the_edge;
}

void relay_drained(struct relay_direction *direction, size_t length) {
    direction->drained_bytes += length;
    direction->count -= (uint32_t)length;
    direction->start += (uint32_t)length;
    /* An empty buffer begins anew, so that a short conversation touches few of its pages. */
    if (direction->count == 0 || direction->start == RELAY_BUFFER_BYTES) {
        direction->start = 0;
    }
}

void relay_sink_gone(struct relay_direction *direction) {
    direction->sink_gone = true;
    direction->start = direction->count = 0;
}

bool relay_should_finish(struct relay_direction *direction) {
    if (!direction->source_ended || direction->count > 0 || direction->sink_gone ||
        direction->finish_told) {
        return false;
    }
    direction->finish_told = true;
    return true;
}

void relay_client_lost(struct relay *relay) {
    relay_source_ended(&relay->out);
    relay_sink_gone(&relay->out);
}

void relay_program_exited(struct relay *relay) {
    relay_sink_gone(&relay->in);
}

bool relay_source_has_ended(const struct relay_direction *direction) {
    return direction->source_ended;
}

uint64_t relay_bytes_in(const struct relay *relay) {
    return relay->in.filled_bytes;
}

uint64_t relay_bytes_out(const struct relay *relay) {
    return relay->out.drained_bytes;
}

bool relay_direction_is_over(const struct relay_direction *direction) {
    return direction->source_ended && (direction->sink_gone || direction->finish_told);
}

bool relay_is_over(const struct relay *relay) {
    return relay_direction_is_over(&relay->in) && relay_direction_is_over(&relay->out);
}

/* What is held follows, in one piece. */
static void save_direction(const struct relay_direction *direction, struct snapshot *out) {
    struct relay_direction state = *direction;
    uint32_t to_the_edge = RELAY_BUFFER_BYTES - direction->start;
    uint32_t first = direction->count < to_the_edge ? direction->count : to_the_edge;
    state.bytes = NULL;
    state.start = 0;
    snapshot_add(out, &state, sizeof state);
    snapshot_add(out, direction->bytes + direction->start, first);
    snapshot_add(out, direction->bytes, direction->count - first);
}

static bool load_direction(struct relay_direction *direction, struct snapshot_block *block) {
    uint8_t *bytes = direction->bytes;
    if (!snapshot_take(block, direction, sizeof *direction)) {
        direction->bytes = bytes;
        return false;
    }
    direction->bytes = bytes;
    return direction->count <= RELAY_BUFFER_BYTES && snapshot_take(block, bytes, direction->count);
}

void relay_save(const struct relay *relay, struct snapshot *out) {
    save_direction(&relay->in, out);
    save_direction(&relay->out, out);
}

bool relay_load(struct relay *relay, struct snapshot_block *block) {
    return load_direction(&relay->in, block) && load_direction(&relay->out, block);
}
