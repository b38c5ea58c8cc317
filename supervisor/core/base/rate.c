#include "core/base/rate.h"

#define SECOND_US 1000000u

bool rate_passes(struct rate *rate, uint32_t per_s, uint64_t now_us) {
    if (per_s == 0) {
        return true;
    }
    uint64_t from_us = rate->used_until_us > now_us ? rate->used_until_us : now_us;
    if (from_us - now_us >= (uint64_t)RATE_BURST_S * SECOND_US) {
        rate->refused_count++;
        return false;
    }
    rate->used_until_us = from_us + SECOND_US / per_s;
    return true;
}

uint64_t rate_take_refused(struct rate *rate) {
    uint64_t count = rate->refused_count;
    rate->refused_count = 0;
    return count;
}
