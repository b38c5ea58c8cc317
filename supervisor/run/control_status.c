/* What control clients are told of the supervisor, its services and its connections: line by line,
 * each as things are when it is made. */
#include "core/base/text.h"
#include "run/internal.h"

#include <string.h>

/* Slots that are looked at for one piece of a reply, where few of them may be told of. */
#define LOOKS_COUNT 2048u

void run_control_count(struct supervisor *s, const struct connection *connection) {
    struct run_control_counts *counts = &s->launching.services[connection->service].counts;
    enum outcome outcome = connection->outcome;
    s->control.outcomes_count[outcome]++;
    if (outcome == OUTCOME_SERVED) {
        counts->served++;
    } else if (outcome_is_refusal(outcome)) {
        counts->refused++;
    } else if (outcome_is_bad(outcome)) {
        counts->failed++;
    } else {
        counts->other++;
    }
}

/* ---- The supervisor ---- */

static void tell_supervisor(struct supervisor *s) {
    struct record *line = s->control.line;
    uint32_t open_count = 0, closed_count = 0;
    SLOTS_EACH(slot, &s->listening.slots) {
        const struct run_listener *l = &s->listening.listeners[slot];
        open_count += l->handle != NULL;
        closed_count += l->handle == NULL && s->roster.states[l->service] == ROSTER_ON;
    }
    control_begin(line, "supervisor");
    record_text(line, "version", BATON_VERSION);
    record_number(line, "pid", platform_own_pid());
    record_number(line, "uptime_ms", (s->timers.now_us - s->control.started_us) / 1000u);
    if (s->machine != NULL && s->machine->config_path != NULL) {
        record_text(line, "config", s->machine->config_path);
    }
    record_text(line, "state", s->stopping ? "stopping" : "serving");
    record_text(line, "log_level", record_level_text(s->log.level));
    record_number(line, "services", run_roster_count(s));
    record_number(line, "listeners_open", open_count);
    record_number(line, "listeners_failed", closed_count);
    record_number(line, "connections", pool_live_count(&s->pool));
    record_number(line, "processes", s->pool.process_slots.in_use_count);
    record_number(line, "launchers", s->launching.launchers_count);
    record_number(line, "accepted", s->pool.last_id);
    size_t dropped_count, lost_count;
    run_log_count(&s->log, &dropped_count, &lost_count);
    record_number(line, "log_dropped", dropped_count);
    record_number(line, "log_lost", lost_count);
    record_number(line, "control_clients",
                  s->control.endpoints[RUN_CONTROL_COMMANDS].clients_count);
    record_end(line);
}

static void tell_outcomes(struct supervisor *s) {
    struct record *line = s->control.line;
    control_begin(line, "outcomes");
    for (unsigned outcome = OUTCOME_SERVED; outcome < OUTCOMES_COUNT; outcome++) {
        if (s->control.outcomes_count[outcome] > 0) {
            record_number(line, outcome_text((enum outcome)outcome),
                          s->control.outcomes_count[outcome]);
        }
    }
    record_end(line);
}

/* ---- Services ---- */

/* NULL where there is none yet, as the service cannot start. */
static const struct run_listener *listener_at(struct supervisor *s, uint32_t service,
                                              uint32_t place) {
    return s->launching.services[service].listeners == NULL ? NULL
                                                            : run_listen_at(s, service, place);
}

/* `state`, and why. */
static void tell_state(struct supervisor *s, uint32_t service) {
    const struct run_service *r = &s->launching.services[service];
    const struct run_listener *first_closed = NULL;
    const char *state = "serving", *reason = NULL;
    bool is_open = false;
    for (uint32_t place = 0; r->is_ready && place < r->rules->listen_count; place++) {
        const struct run_listener *l = listener_at(s, service, place);
        is_open = is_open || l->handle != NULL;
        first_closed = l->handle == NULL && first_closed == NULL ? l : first_closed;
    }
    const struct pool_service *p = &s->pool.services[service];
    bool has_some = p->live_count > 0 || p->process_count > 0;
    if (s->stopping || s->roster.states[service] != ROSTER_ON) {
        state = s->stopping                                            ? "stopping"
                : s->roster.states[service] == ROSTER_OFF && !has_some ? "off"
                                                                       : "draining";
    } else if (!r->is_ready) {
        state = "failed";
        reason = run_tell_words(s, r->result, &r->cause);
    } else if (!is_open && first_closed != NULL) {
        state = "failed";
        reason = run_tell_words(s, first_closed->result, &first_closed->cause);
    } else if (s->listening.blocked) {
        state = "paused";
        reason = run_log_is_congested(&s->log) ? "nobody takes the log"
                                               : "descriptors or memory are short";
    } else if (r->rules->handoff != HANDOFF_LISTENER || timer_is_set(&p->pause)) {
        reason = pool_lacks_room_for(&s->pool, service);
        state = reason != NULL ? "paused" : state;
    }
    record_text(s->control.line, "state", state);
    if (reason != NULL) {
        record_text(s->control.line, "reason", reason);
    }
}

static void tell_service(struct supervisor *s, uint32_t service) {
    struct record *line = s->control.line;
    const struct service *rules = services_get(&s->services, service);
    const struct pool_service *p = &s->pool.services[service];
    const struct run_control_counts *counts = &s->launching.services[service].counts;
    control_begin(line, "service");
    record_text(line, "service", rules->name);
    tell_state(s, service);
    record_text(line, "handler", rules->handler);
    record_text(line, "handoff", text_nth("channel\0stdio\0listener\0pump\0", rules->handoff));
    record_number(line, "connections", p->live_count);
    record_number(line, "max_connections", rules->max_connections_count);
    record_number(line, "waiting", p->queue.count + p->expecting.count);
    record_number(line, "processes", p->process_count);
    record_number(line, "idle", p->sums.idle_count);
    record_number(line, "spares", p->target.count);
    record_number(line, "accepted",
                  p->live_count + counts->served + counts->refused + counts->failed +
                      counts->other);
    record_number(line, "served", counts->served);
    record_number(line, "refused", counts->refused);
    record_number(line, "failed", counts->failed);
    record_number(line, "other", counts->other);
    record_end(line);
}

static void tell_place(struct supervisor *s, uint32_t service, uint32_t place) {
    struct record *line = s->control.line;
    const struct service *rules = services_get(&s->services, service);
    const struct service_listen *listen = &rules->listen[place];
    const struct run_listener *l = listener_at(s, service, place);
    bool is_open = l != NULL && l->handle != NULL;
    control_begin(line, "place");
    record_text(line, "service", rules->name);
    record_place(line, "address", listen, l != NULL ? &l->address : &listen->address);
    record_text(line, "protocol", text_nth("tcp\0udp\0unix\0", rules->protocol));
    record_flag(line, "open", is_open);
    if (l != NULL && !is_open && l->result != BATON_OK) {
        record_text(line, "reason", run_tell_words(s, l->result, &l->cause));
    }
    record_end(line);
}

/* A service, then its places; the next service. */
static enum run_control_more next_service(struct supervisor *s, struct run_control_client *c) {
    uint32_t service = slots_next(&s->services.slots, c->cursor);
    if (service == SLOT_NONE) {
        return RUN_CONTROL_END;
    }
    uint64_t token = slots_token(&s->services.slots, 0, service);
    if (c->place > 0 && c->of_service != token) {
        c->place = 0; /* it is another one by now */
    }
    c->of_service = token;
    if (c->place == 0) {
        tell_service(s, service);
    } else {
        tell_place(s, service, c->place - 1);
    }
    /* One that has left, or is off, wants none. */
    size_t places_count = s->roster.states[service] == ROSTER_ON
                              ? services_get(&s->services, service)->listen_count
                              : 0;
    c->place = c->place < places_count ? c->place + 1 : 0;
    c->cursor = c->place == 0 ? service + 1 : service;
    return RUN_CONTROL_LINE;
}

enum run_control_more run_control_next_status(struct supervisor *s, struct run_control_client *c) {
    if (c->verb == CONTROL_VERB_STATUS && c->part < 2) {
        if (c->part++ == 0) {
            tell_supervisor(s);
        } else {
            tell_outcomes(s);
        }
        return RUN_CONTROL_LINE;
    }
    return next_service(s, c);
}

/* ---- Connections ---- */

static void tell_connection(struct supervisor *s, uint32_t connection) {
    struct record *line = s->control.line;
    run_accept_name_local(s, connection);
    const struct connection *c = &s->pool.connections[connection];
    const struct service_listen *place = &c->rules->listen[c->place];
    control_begin(line, "connection");
    record_text(line, "service", c->rules->name);
    record_number(line, "id", c->id);
    if (!c->is_activation) {
        record_address(line, "peer", &c->peer);
    }
    if (!c->is_activation || place->path != NULL || c->local.family != ADDRESS_NONE) {
        record_place(line, "local", place, &c->local);
    }
    if (c->via.family != ADDRESS_NONE) {
        record_address(line, "via", &c->via);
    }
    record_text(line, "state",
                text_nth("-\0preface\0waiting\0offered\0recalled\0held\0", c->state));
    if (c->pid != 0) {
        record_number(line, "pid", c->pid);
    }
    record_number(line, "age_ms", (s->timers.now_us - c->accepted_us) / 1000u);
    record_number(line, "attempts", c->attempts_used);
    if (c->timed_out || c->is_killed) {
        record_flag(line, "ending", true);
    }
    record_end(line);
}

static bool is_asked_for(struct supervisor *s, const struct run_control_client *c,
                         uint32_t connection) {
    const struct connection *found = &s->pool.connections[connection];
    if (found->state == CONNECTION_ENDED || c->of_service == 0) {
        return found->state != CONNECTION_ENDED;
    }
    uint32_t service = slots_find(&s->services.slots, c->of_service);
    return service != SLOT_NONE &&
           strcmp(services_get(&s->services, service)->name, found->rules->name) == 0;
}

enum run_control_more run_control_next_connection(struct supervisor *s,
                                                  struct run_control_client *c) {
    for (uint32_t i = 0; i < LOOKS_COUNT; i++) {
        uint32_t connection = slots_next(&s->pool.connection_slots, c->cursor);
        if (connection == SLOT_NONE) {
            return RUN_CONTROL_END;
        }
        c->cursor = connection + 1;
        if (is_asked_for(s, c, connection)) {
            tell_connection(s, connection);
            return RUN_CONTROL_LINE;
        }
    }
    return RUN_CONTROL_LATER;
}
