#include "core/pool/breaker.h"

#include "core/base/backoff.h"

static uint64_t pause_for_failure_us(struct breaker *breaker, uint64_t lived_us) {
    if (lived_us >= BREAKER_LIVED_US) {
        breaker->failures_count = 0;
    }
    breaker->failures_count++;
    return 1000u *
           (uint64_t)backoff_delay_ms(breaker->failures_count, BREAKER_FIRST_MS, BREAKER_LAST_MS);
}

uint64_t breaker_pause_us(struct breaker *breaker, enum progress progress, bool failed,
                          uint64_t lived_us, uint64_t now_us) {
    if (progress == PROGRESS_MADE) {
        *breaker = (struct breaker){0};
        return 0;
    }
    if (progress == PROGRESS_UNPROVEN && breaker->failures_count == 0) {
        breaker->failures_count = 1;
        return 0;
    }
    if (progress != PROGRESS_UNKNOWN || failed) {
        return pause_for_failure_us(breaker, lived_us);
    }
    breaker->failures_count = 0;
    if (breaker->paid_until_us < now_us) {
        breaker->paid_until_us = now_us;
    }
    breaker->paid_until_us += BREAKER_INTERVAL_US;
    uint64_t debt_us = breaker->paid_until_us - now_us;
    uint64_t free_us = (uint64_t)BREAKER_BURST_COUNT * BREAKER_INTERVAL_US;
    return debt_us > free_us ? debt_us - free_us : 0;
}
