#include "core/pool/process.h"
#include "core/service/service.h"

bool process_takes_offers(const struct process *process) {
    return process->state == PROCESS_READY && process->channel_open && !process->exiting &&
           !process->busy && process->overdue_count == 0 && process->fault == OUTCOME_NONE &&
           process->offer == SLOT_NONE && process->held_count < process->capacity_count &&
           process->life_left_count > 0;
}

uint32_t process_offers_at_a_time(const struct process *process) {
    const struct service *rules = process->rules;
    uint32_t least = process->capacity_count < rules->max_connections_count
                         ? process->capacity_count
                         : rules->max_connections_count;
    return least < rules->reuse_count ? least : rules->reuse_count;
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
