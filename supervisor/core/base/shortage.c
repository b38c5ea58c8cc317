#include "core/base/shortage.h"

#include "core/base/backoff.h"

struct shortage shortage_make(uint32_t first_ms, uint32_t last_ms, uint64_t token) {
    return (struct shortage){.first_ms = first_ms, .last_ms = last_ms, .until = {.token = token}};
}

uint32_t shortage_hit(struct shortage *shortage, struct timers *timers) {
    shortage->hits_count++;
    uint32_t delay_ms =
        backoff_delay_ms(shortage->hits_count, shortage->first_ms, shortage->last_ms);
    timers_after(timers, &shortage->until, (uint64_t)delay_ms * 1000);
    return delay_ms;
}

void shortage_relieve(struct shortage *shortage, struct timers *timers) {
    timers_unset(timers, &shortage->until);
}

static bool is_recent(const struct shortage *shortage, const struct timers *timers) {
    return shortage->logged_us != 0 && timers->now_us - shortage->logged_us < SHORTAGE_LOG_US;
}

bool shortage_over(struct shortage *shortage, struct timers *timers) {
    timers_unset(timers, &shortage->until);
    shortage->hits_count = 0;
    if (shortage->logged_us == 0 || is_recent(shortage, timers)) {
        return false;
    }
    shortage->logged_us = 0;
    return true;
}

bool shortage_lasts(const struct shortage *shortage) {
    return timer_is_set(&shortage->until);
}

bool shortage_may_log(struct shortage *shortage, const struct timers *timers) {
    if (is_recent(shortage, timers)) {
        return false;
    }
    shortage->logged_us = timers->now_us;
    return true;
}
