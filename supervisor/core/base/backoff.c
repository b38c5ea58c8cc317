#include "core/base/backoff.h"

uint32_t backoff_delay_ms(uint32_t tries_count, uint32_t first_ms, uint32_t last_ms) {
    uint64_t delay_ms = first_ms;
    for (uint32_t i = 1; i < tries_count && delay_ms < last_ms; i++) {
        delay_ms *= 2;
    }
    return delay_ms < last_ms ? (uint32_t)delay_ms : last_ms;
}
