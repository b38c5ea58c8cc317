#include "core/base/timers.h"

#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"

#include <stdlib.h>

int timers_init(struct timers *timers, uint32_t capacity) {
    *timers = (struct timers){0};
    timers->heap = table_create((size_t)capacity + 1, sizeof(struct timer *));
    if (timers->heap == NULL) {
        return BATON_NO_MEMORY;
    }
    timers->capacity = capacity;
    return BATON_OK;
}

void timers_clear(struct timers *timers) {
    free(timers->heap);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, uint32_t position, struct timer *timer) {
    timers->heap[position] = timer;
    timer->position = position;
}

static void sift_up(struct timers *timers, struct timer *timer) {
    uint32_t position = timer->position;
    while (position > 1 && timers->heap[position / 2]->deadline_us > timer->deadline_us) {
        put(timers, position, timers->heap[position / 2]);
        position /= 2;
    }
    put(timers, position, timer);
}

static void sift_down(struct timers *timers, struct timer *timer) {
    uint32_t position = timer->position;
    for (;;) {
        uint32_t child = position * 2;
        if (child > timers->count) {
            break;
        }
        if (child < timers->count &&
            timers->heap[child + 1]->deadline_us < timers->heap[child]->deadline_us) {
            child++;
        }
        if (timers->heap[child]->deadline_us >= timer->deadline_us) {
            break;
        }
        put(timers, position, timers->heap[child]);
        position = child;
    }
    put(timers, position, timer);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_us) {
    timer->deadline_us = deadline_us;
    if (!timer_is_set(timer)) {
        must(timers->count < timers->capacity);
        timers->count++;
        put(timers, timers->count, timer);
    }
    sift_up(timers, timer);
    sift_down(timers, timer);
}

void timers_after(struct timers *timers, struct timer *timer, uint64_t delay_us) {
    timers_set(timers, timer, timers->now_us + delay_us);
}

void timers_unset(struct timers *timers, struct timer *timer) {
    uint32_t position = timer->position;
    if (position == 0) {
        return;
    }
    struct timer *last = timers->heap[timers->count];
    timers->count--;
    timer->position = 0;
    if (last != timer) {
        put(timers, position, last);
        sift_up(timers, last);
        sift_down(timers, last);
    }
}

uint64_t timers_next_us(const struct timers *timers) {
    return timers->count == 0 ? TIMERS_NEVER : timers->heap[1]->deadline_us;
}

struct timer *timers_expired(struct timers *timers, uint64_t now_us) {
    if (timers->count == 0 || timers->heap[1]->deadline_us > now_us) {
        return NULL;
    }
    struct timer *timer = timers->heap[1];
    timers_unset(timers, timer);
    return timer;
}
