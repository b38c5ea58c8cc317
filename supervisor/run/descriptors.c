/* Whether the descriptors that are left do for the services: said at the start, since later a
 * shortage looks like any other. */
#include "core/base/must.h"
#include "run/internal.h"

/* What one connection takes: while its handler is launched, and then until that ends. */
struct need {
    size_t launch_count, life_count;
};

/* A channel's connection, both ends of the channel and the process's own descriptor, of which the
 * connection and the handler's end go; and so on. */
static struct need need_of(const struct service *service) {
    static const struct need modes[] = {[HANDOFF_CHANNEL] = {4, 2},
                                        [HANDOFF_STDIO] = {2, 1},
                                        [HANDOFF_LISTENER] = {1, 1},
                                        [HANDOFF_PUMP] = {6, 4}};
    bool has_pipe = service->output_to == OUTPUT_LOG && service->stderr_to == STDERR_LOG;
    struct need need = modes[service->handoff];
    need.launch_count += has_pipe ? 2 : 0;
    need.life_count += has_pipe ? 1 : 0;
    return need;
}

/* `service` SLOT_NONE: all of them together. */
static void tell(struct supervisor *s, uint32_t service, const struct platform_descriptors *limit) {
    bool is_one = service != SLOT_NONE;
    run_tell(s, is_one ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "few_descriptors", service,
             "reason=%s limit=%llu needed=%llu hint=%s",
             is_one ? "too few open files for a single connection"
                    : "too few open files for all `max_connections`",
             (unsigned long long)limit->limit_count, (unsigned long long)limit->least_count,
             "raise `ulimit -Hn` to `needed` at least");
}

/* Services in their thousands need few different numbers, and each is asked about once. */
#define LAUNCH_MAX_COUNT 8
struct answers {
    struct platform_descriptors limits[LAUNCH_MAX_COUNT + 1];
    bool are_short[LAUNCH_MAX_COUNT + 1], are_known[LAUNCH_MAX_COUNT + 1];
};

static bool is_short(struct supervisor *s, struct answers *answers, size_t launch_count) {
    must(launch_count <= LAUNCH_MAX_COUNT);
    if (!answers->are_known[launch_count]) {
        answers->are_short[launch_count] =
            platform_descriptors_short(s->platform, launch_count, &answers->limits[launch_count]) >
            0;
        answers->are_known[launch_count] = true;
    }
    return answers->are_short[launch_count];
}

bool run_descriptors_suffice(struct supervisor *s) {
    struct platform_descriptors limit;
    struct answers answers = {0};
    size_t sum_count = 0;
    size_t refused_count = 0; /* who are told why */
    size_t most_count = 0;    /* that a launch takes for a while */
    bool serves = false;
    SLOTS_EACH(i, &s->services.slots) {
        const struct service *service = services_get(&s->services, i);
        struct need need = need_of(service);
        size_t passing_count = need.launch_count - need.life_count;
        most_count = passing_count > most_count ? passing_count : most_count;
        sum_count += need.life_count * service->max_connections_count;
        refused_count = service->refuse_message != NULL ? REFUSALS_MAX_COUNT : refused_count;
        if (is_short(s, &answers, need.launch_count)) {
            tell(s, i, &answers.limits[need.launch_count]);
        } else {
            serves = true;
        }
    }
    sum_count += most_count + refused_count;
    sum_count += s->control.clients != NULL ? CONTROL_SLOTS_COUNT : 0;
    if (serves && platform_descriptors_short(s->platform, sum_count, &limit) > 0) {
        tell(s, SLOT_NONE, &limit);
    }
    return serves;
}
