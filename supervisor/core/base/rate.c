#include "core/base/rate.h"

#define NS_PER_US 1000u
#define NS_PER_S UINT64_C(1000000000)

static uint64_t share_ns(const struct rate_limit *limit) {
    return limit->period_s * NS_PER_S / limit->count;
}

uint64_t rate_wait_us(const struct rate *rate, const struct rate_limit *limit, uint64_t now_us) {
    uint64_t now_ns = now_us * NS_PER_US;
    if (limit->count == 0 || rate->paid_until_ns <= now_ns) {
        return 0;
    }
    uint64_t debt_ns = rate->paid_until_ns - now_ns;
    uint64_t free_ns = (limit->burst_count - 1) * share_ns(limit);
    return debt_ns > free_ns ? (debt_ns - free_ns + NS_PER_US - 1) / NS_PER_US : 0;
}

void rate_charge(struct rate *rate, const struct rate_limit *limit, uint64_t now_us) {
    uint64_t now_ns = now_us * NS_PER_US;
    if (limit->count > 0) {
        rate->paid_until_ns =
            (rate->paid_until_ns > now_ns ? rate->paid_until_ns : now_ns) + share_ns(limit);
    }
}

bool rate_passes(struct rate *rate, const struct rate_limit *limit, uint64_t now_us) {
    if (rate_wait_us(rate, limit, now_us) > 0) {
        return false;
    }
    rate_charge(rate, limit, now_us);
    return true;
}

bool rate_is_rested(const struct rate *rate, uint64_t now_us) {
    return rate->paid_until_ns <= now_us * NS_PER_US;
}
