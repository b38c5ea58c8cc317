#include "core/pool/circuit.h"

#include "core/base/backoff.h"

bool circuit_refuses(const struct circuit *circuit, uint64_t now_us) {
    return circuit->state == CIRCUIT_PROBED ||
           (circuit->state == CIRCUIT_OPEN && now_us < circuit->open_until_us);
}

enum circuit_verdict circuit_judge(struct circuit *circuit, uint64_t now_us) {
    if (circuit->state == CIRCUIT_CLOSED) {
        return CIRCUIT_LETS_IN;
    }
    if (circuit_refuses(circuit, now_us)) {
        return CIRCUIT_REFUSES;
    }
    circuit->state = CIRCUIT_PROBED;
    return CIRCUIT_LETS_IN_A_PROBE;
}

uint64_t circuit_failed(struct circuit *circuit, bool is_probe, uint64_t now_us) {
    if (circuit->state != CIRCUIT_CLOSED && !is_probe) {
        return 0; /* had come before it opened */
    }
    if (++circuit->failures_count < CIRCUIT_FAILURES_COUNT) {
        return 0;
    }
    uint64_t pause_us =
        1000u * (uint64_t)backoff_delay_ms(circuit->failures_count - CIRCUIT_FAILURES_COUNT + 1,
                                           CIRCUIT_FIRST_MS, CIRCUIT_LAST_MS);
    circuit->state = CIRCUIT_OPEN;
    circuit->open_until_us = now_us + pause_us;
    return pause_us;
}

bool circuit_taken(struct circuit *circuit) {
    bool was_open = circuit->state != CIRCUIT_CLOSED;
    *circuit = (struct circuit){0};
    return was_open;
}

void circuit_left(struct circuit *circuit) {
    if (circuit->state == CIRCUIT_PROBED) {
        circuit->state = CIRCUIT_OPEN;
    }
}
