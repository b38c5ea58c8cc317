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

uint32_t process_offers_at_a_time(const struct process *process) {
    const struct service *rules = process->rules;
    uint32_t least = least_of(process->capacity_count, rules->max_connections_count);
    return least_of(least_of(least, rules->capacity_count), rules->reuse_count);
}

/* Nothing stands against further offers, but perhaps for the moment. */
static bool is_young(const struct process *process) {
    return process->channel_open && !process->exiting && process->fault == OUTCOME_NONE &&
           process->retire == RETIRE_NONE && process->life_left_count > 0;
}

/* How many more it may have than it holds and is offered. */
static uint32_t free_count(const struct process *process) {
    uint32_t used_count = process->held_count + (process->offer != SLOT_NONE ? 1 : 0);
    uint32_t most_count = process_offers_at_a_time(process);
    uint32_t count = used_count < most_count ? most_count - used_count : 0;
    return count < process->life_left_count ? count : process->life_left_count;
}

bool process_takes_offers(const struct process *process) {
    return process->state == PROCESS_READY && is_young(process) && !process->busy &&
           process->overdue_count == 0 && process->offer == SLOT_NONE && free_count(process) > 0;
}

struct process_credits process_credits_of(const struct process *process) {
    struct process_credits credits = {0};
    bool is_free = false;
    if (process->state == PROCESS_LAUNCHED) {
        credits.is_launching =
            process->fault == OUTCOME_NONE && process->retire == RETIRE_NONE && !process->exiting;
    } else if (process->state == PROCESS_READY) {
        uint32_t used_count = process->held_count + (process->offer != SLOT_NONE ? 1 : 0);
        bool is_full = used_count >= process_offers_at_a_time(process);
        is_free = is_young(process) && !process->busy && process->overdue_count == 0;
        credits.is_handler = process->overdue_count == 0 && (is_full || is_young(process));
    }
    credits.is_handler = credits.is_handler || credits.is_launching;
    if (is_free) {
        *(process->offer == SLOT_NONE ? &credits.idle_count : &credits.pending_count) =
            free_count(process);
    }
    return credits;
}

void process_retire(struct process *process, enum retire_reason reason) {
    if (process->retire == RETIRE_NONE) {
        process->retire = reason;
    }
}

void process_count_offer(struct process *process, int step) {
    if (process->rules->reuse_count > 0 || process->is_outdated) {
        process->life_left_count -= (uint32_t)step;
    }
}

bool process_is_finished(const struct process *process) {
    return process->state == PROCESS_READY && process->offer == SLOT_NONE &&
           process->held_count == 0 && process->fault == OUTCOME_NONE &&
           (process->retire != RETIRE_NONE || process->life_left_count == 0);
}

bool process_advance(struct process *process, enum process_state next) {
    if (process->state == PROCESS_FREE || process->state >= next) {
        return false;
    }
    process->state = next;
    return true;
}
