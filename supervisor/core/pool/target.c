#include "core/pool/target.h"

struct target target_make(uint32_t count, uint32_t min_count, uint32_t max_count) {
    return (struct target){.count = count, .min_count = min_count, .max_count = max_count};
}

void target_used(struct target *target) {
    target->is_used = true;
}

bool target_missed(struct target *target, uint64_t now_us) {
    bool is_same_burst = target->has_grown && now_us - target->grown_us < TARGET_GROWS_US;
    target->is_used = true;
    target->is_missed = true;
    if (target->count >= target->max_count || is_same_burst) {
        return false;
    }
    uint32_t room_count = target->max_count - target->count;
    uint32_t more_count = target->count > 0 ? target->count : 1;
    target->count += more_count < room_count ? more_count : room_count;
    target->has_grown = true;
    target->grown_us = now_us;
    return true;
}

void target_note_idle(struct target *target, uint32_t idle_count) {
    if (idle_count < target->least_idle_count) {
        target->least_idle_count = idle_count;
    }
}

bool target_is_high(const struct target *target) {
    return target->count > target->min_count;
}

bool target_look(struct target *target, uint32_t idle_count) {
    bool was_needed = target->is_used && target->least_idle_count == 0;
    bool goes_down = target_is_high(target) && !target->is_missed && !was_needed;
    target->count -= goes_down ? 1 : 0;
    target->is_used = false;
    target->is_missed = false;
    target->least_idle_count = idle_count;
    return goes_down;
}
