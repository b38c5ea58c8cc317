#include "core/pool/process.h"

#include "core/base/text.h"
#include "core/service/service.h"

/* A limit of 0 is none. */
static uint32_t least_of(uint32_t count, uint32_t limit_count) {
    return limit_count == 0 || count < limit_count ? count : limit_count;
}

const char *retire_reason_text(enum retire_reason reason) {
    static const char texts[] =
#define RETIRE_TEXT(name, text) text "\0"
        RETIRE_TABLE(RETIRE_TEXT)
#undef RETIRE_TEXT
        ;
    return text_nth(texts, reason);
}

bool process_takes_offers(const struct process *process) {
    return process->state == PROCESS_READY && process->channel_open && !process->exiting &&
           !process->busy && process->overdue_count == 0 && process->fault == OUTCOME_NONE &&
           process->offer == SLOT_NONE && process->life_left_count > 0 &&
           process->held_count < process_offers_at_a_time(process);
}

uint32_t process_offers_at_a_time(const struct process *process) {
    const struct service *rules = process->rules;
    uint32_t least = least_of(process->capacity_count, rules->max_connections_count);
    return least_of(least_of(least, rules->capacity_count), rules->reuse_count);
}

bool process_is_finished(const struct process *process) {
    return process->state == PROCESS_READY && process->offer == SLOT_NONE &&
           process->held_count == 0 && process->life_left_count == 0;
}

bool process_advance(struct process *process, enum process_state next) {
    if (process->state == PROCESS_FREE || process->state >= next) {
        return false;
    }
    process->state = next;
    return true;
}
