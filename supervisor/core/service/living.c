/* Handlers that live on: how the keys about them go together. */
#include "core/service/build.h"

static const char *name_of(enum key_id id) {
    return key_name(&key_table[id]);
}

/* True if the number is what it is meant to be; else that was told. */
static bool is_known(const struct service_values *values, enum key_id id) {
    struct key_message message;
    uint32_t number = 0;
    return values->given[id] == NULL ||
           (key_fits_mode(&key_table[id], values->mode) &&
            key_parse(&key_table[id], values->given[id]->value, &number, &message));
}

/* Where a fault of two keys is told: where the service itself says one of them. */
static bool is_blamed(const struct service_values *values, enum key_id id, enum key_id other) {
    return values->own[id] != NULL || (values->own[other] == NULL && values->given[id] != NULL);
}

/* Reports it if the number of one key is above that of another. */
static void check_order(struct service_builder *builder, const struct service_values *values,
                        enum key_id low, enum key_id high) {
    bool is_low = is_blamed(values, low, high);
    enum key_id id = is_low ? low : high;
    enum key_id other = is_low ? high : low;
    if (values->numbers[low] <= values->numbers[high] || !is_known(values, low) ||
        !is_known(values, high) || values->given[id] == NULL ||
        !service_is_news(builder, values, id)) {
        return;
    }
    service_report_value(builder, values->given[id], values->given[id]->value,
                         " is %s than `%s`, which is %lu; give at %s that, or %s there",
                         is_low ? "more" : "less", name_of(other),
                         (unsigned long)values->numbers[other], is_low ? "most" : "least",
                         is_low ? "more" : "less");
}

/* ---- Spares ---- */

static bool is_given(const struct service_values *values, enum key_id id) {
    return values->given[id] != NULL;
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Fills in those of the three keys that are not given. */
static void complete_spares(struct service_values *values) {
    uint32_t *numbers = values->numbers;
    bool has_bounds = is_given(values, KEY_SPARES_MIN) || is_given(values, KEY_SPARES_MAX);
    if (!is_given(values, KEY_SPARES_MIN)) {
        numbers[KEY_SPARES_MIN] = numbers[KEY_SPARES];
    }
    if (!is_given(values, KEY_SPARES) && has_bounds) {
        numbers[KEY_SPARES] = numbers[KEY_SPARES_MIN];
    }
    if (!is_given(values, KEY_SPARES_MAX)) {
        numbers[KEY_SPARES_MAX] = larger(numbers[KEY_SPARES_MIN], numbers[KEY_SPARES]);
    }
}

/* The key that says how many there may be, of those that are given if any is. */
static enum key_id most_spares(const struct service_values *values) {
    if (is_given(values, KEY_SPARES_MAX)) {
        return KEY_SPARES_MAX;
    }
    bool is_min = values->numbers[KEY_SPARES] < values->numbers[KEY_SPARES_MAX] ||
                  !is_given(values, KEY_SPARES);
    return is_min ? KEY_SPARES_MIN : KEY_SPARES;
}

static void check_spares(struct service_builder *builder, struct service_values *values) {
    enum key_id limit =
        values->numbers[KEY_MAX_HANDLERS] != 0 ? KEY_MAX_HANDLERS : KEY_MAX_CONNECTIONS;
    complete_spares(values);
    if (is_given(values, KEY_SPARES)) {
        check_order(builder, values, KEY_SPARES_MIN, KEY_SPARES);
        check_order(builder, values, KEY_SPARES, KEY_SPARES_MAX);
    } else {
        check_order(builder, values, KEY_SPARES_MIN, KEY_SPARES_MAX);
    }
    check_order(builder, values, most_spares(values), limit);
}

/* ---- What has no effect ---- */

/* Reports a key of the service's own that has none. */
static void report_idle(struct service_builder *builder, const struct service_values *values,
                        enum key_id id, const char *needed) {
    const struct config_setting *setting = values->own[id];
    if (setting != NULL && is_known(values, id)) {
        service_report(builder, setting,
                       "has no effect without %s: a process is there for one connection; add "
                       "that, or leave this out",
                       needed);
    }
}

static void check_effects(struct service_builder *builder, struct service_values *values) {
    static const char reuse[] = "`reuse` other than 1 (0 is without end)";
    static const char reuse_or_spares[] = "`spares`, or `reuse` other than 1 (0 is without end)";
    if (values->numbers[KEY_REUSE] != 1 || !is_known(values, KEY_REUSE)) {
        return;
    }
    if (values->numbers[KEY_CAPACITY] > 1) {
        report_idle(builder, values, KEY_CAPACITY, reuse);
        values->numbers[KEY_CAPACITY] = 0; /* that of [defaults] is for the others */
    }
    if (values->numbers[KEY_RETIRE_MEMORY] > 0) {
        report_idle(builder, values, KEY_RETIRE_MEMORY, reuse);
    }
    if (values->numbers[KEY_SPARES_MAX] == 0) {
        report_idle(builder, values, KEY_IDLE_EXIT, reuse_or_spares);
        report_idle(builder, values, KEY_RETIRE_AFTER, reuse_or_spares);
    }
}

/* ---- Workers ---- */

/* What holds for clients cannot be kept where nobody asks us about them. */
static void check_workers(struct service_builder *builder, struct service_values *values) {
    const struct config_setting *rate = values->own[KEY_RATE];
    bool is_hours = is_blamed(values, KEY_HOURS, KEY_WORKERS);
    enum key_id id = is_hours ? KEY_HOURS : KEY_WORKERS;
    if (values->numbers[KEY_WORKERS] == 0) {
        return;
    }
    if (values->given[KEY_HOURS] != NULL && service_is_news(builder, values, id)) {
        service_report(builder, values->given[id],
                       "does not go with `%s`: workers are there, and accept clients, at any "
                       "time; leave one of them out",
                       name_of(is_hours ? KEY_WORKERS : KEY_HOURS));
    }
    if (rate != NULL) {
        service_report(builder, rate,
                       "does not go with `workers`, which no client causes to be launched; leave "
                       "one of them out");
    }
    values->service.limits.rate = (struct rate_limit){0};
    values->given[KEY_RATE] = NULL;
}

void service_check_living(struct service_builder *builder, struct service_values *values) {
    if (values->mode != 0 && (values->mode & KEY_MODE_CHANNEL) == 0) {
        check_workers(builder, values);
        return;
    }
    check_spares(builder, values);
    check_effects(builder, values);
    if (values->numbers[KEY_REUSE] > 1) {
        check_order(builder, values, KEY_CAPACITY, KEY_REUSE);
    }
    check_order(builder, values, KEY_MAX_HANDLERS, KEY_MAX_CONNECTIONS);
}
