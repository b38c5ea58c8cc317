#include "run/snapshot.h"

#include "core/pool/snapshot.h"
#include "core/service/image.h"

#include <stdlib.h>
#include <string.h>

/* ---- The layout ---- */

static uint64_t mix(uint64_t sum, uint64_t number) {
    return (sum ^ number) * UINT64_C(0x100000001b3); /* FNV-1a */
}

uint64_t run_snapshot_layout(void) {
    static const size_t sizes[] = {sizeof(void *),
                                   sizeof(struct snapshot_head),
                                   sizeof(struct snapshot_listening),
                                   sizeof(struct snapshot_launching),
                                   sizeof(struct snapshot_service),
                                   sizeof(struct snapshot_listener),
                                   sizeof(struct snapshot_process),
                                   sizeof(struct snapshot_pump),
                                   sizeof(struct snapshot_sink),
                                   sizeof(struct snapshot_control),
                                   sizeof(struct snapshot_client),
                                   sizeof(struct run_output_line),
                                   sizeof(struct run_output_piece),
                                   sizeof(struct proxy_reader),
                                   sizeof(struct waiting_set),
                                   sizeof(struct service),
                                   sizeof(struct supervisor_options)};
    uint64_t sum = mix(UINT64_C(0xcbf29ce484222325), SNAPSHOT_VERSION);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sum = mix(sum, sizes[i]);
    }
    for (size_t i = 0; i < pool_snapshot_sizes_count; i++) {
        sum = mix(sum, pool_snapshot_sizes[i]);
    }
    return sum;
}

/* ---- Services ---- */

/* A table of all that there are, in the order of their slots. */
static bool gather(const struct supervisor *s, struct service_table *table) {
    size_t count = s->services.slots.in_use_count;
    table->services = calloc(count + 1, sizeof *table->services);
    table->accesses = calloc(count + 1, sizeof(struct rule_tree *));
    if (table->services == NULL || table->accesses == NULL) {
        return false;
    }
    SLOTS_EACH(slot, &s->services.slots) {
        struct service *service = &table->services[table->service_count++];
        *service = *services_get(&s->services, slot);
        size_t i = 0;
        while (i < table->access_count && table->accesses[i] != service->access) {
            i++;
        }
        if (i == table->access_count && service->access != NULL) {
            table->accesses[table->access_count++] = service->access;
        }
    }
    return true;
}

static void save_services(struct supervisor *s, struct snapshot *out) {
    struct service_table table = {0};
    const struct image_config config = {0};
    size_t image_bytes = 0;
    char *image =
        gather(s, &table) ? image_make(&table, &config, SNAPSHOT_IMAGE, &image_bytes) : NULL;
    out->has_failed = out->has_failed || image == NULL;
    if (image != NULL) {
        snapshot_put(out, SNAPSHOT_SERVICES, 0, image, image_bytes);
    }
    free(image);
    free(table.services);
    free(table.accesses);
    snapshot_put_slots(out, SNAPSHOT_SERVICE_SLOTS, &s->services.slots);
    snapshot_put(out, SNAPSHOT_SERVICE_USERS, 0, s->services.users_count,
                 s->services.slots.used_mark * sizeof *s->services.users_count);
    snapshot_put(out, SNAPSHOT_ROSTER, 0, s->roster.states,
                 s->services.slots.used_mark * sizeof *s->roster.states);
}

static void save_run_service(struct supervisor *s, uint32_t slot, struct snapshot *out) {
    const struct run_service *r = &s->launching.services[slot];
    const bool has_places = r->is_ready && r->listeners != NULL;
    const struct snapshot_service held = {
        .starting = r->starting,
        .renewing = r->renewing,
        .limit = r->limit,
        .workers = r->workers,
        .full_told_us = r->full_told_us,
        .calm_us = r->calm_us,
        .output_suppressed_count = r->output_suppressed_count,
        .output_rate = r->output_rate,
        .refused = r->refused,
        .counts = r->counts,
        .full_count = r->full_count,
        .last_place = r->last_place,
        .first_queued = r->first_queued,
        .last_queued = r->last_queued,
        .next_waiting = r->next_waiting,
        .place_count = has_places ? (uint32_t)r->rules->listen_count : 0,
        .waiting_count = has_places && r->waiting != NULL ? (uint32_t)r->rules->listen_count : 0,
        .result = r->result,
        .identifies = r->identifies,
        .is_ready = r->is_ready,
        .has_changed = r->has_changed,
        .is_lacking = r->lacked != NULL};
    snapshot_put(out, SNAPSHOT_RUN_SERVICE, slot, &held, sizeof held);
    snapshot_add(out, r->listeners, held.place_count * sizeof *r->listeners);
    snapshot_add(out, r->waiting, held.waiting_count * sizeof *r->waiting);
}

/* ---- Listeners ---- */

static void save_listening(struct supervisor *s, struct snapshot *out) {
    const struct run_listening *listening = &s->listening;
    const struct snapshot_listening held = {.shortage = listening->shortage,
                                            .quiet = listening->quiet,
                                            .turn = listening->turn,
                                            .has_opened = listening->has_opened,
                                            .ready_logged = listening->ready_logged,
                                            .manager = s->manager,
                                            .reloads_asked_count = s->reload.asked_count,
                                            .reloads_begun_count = s->reload.begun_count,
                                            .reloads_done_count = s->reload.done_count,
                                            .retry_offers = s->offering.retry,
                                            .suppressed_output = s->outputs.suppressed,
                                            .suppressed_refusals = s->refusals.suppressed,
                                            .refill = s->launching.refill};
    snapshot_put(out, SNAPSHOT_LISTENING, 0, &held, sizeof held);
    snapshot_put_slots(out, SNAPSHOT_LISTENER_SLOTS, &listening->slots);
    SLOTS_EACH(slot, &listening->slots) {
        const struct run_listener *l = &listening->listeners[slot];
        struct snapshot_listener one = {.listener = *l, .held.is_there = l->handle != NULL};
        one.listener.handle = NULL;
        one.listener.rules = NULL;
        one.listener.cause = (struct baton_cause){0};
        if (one.held.is_there) {
            platform_listener_hold(l->handle, &one.held.held);
        }
        snapshot_put(out, SNAPSHOT_LISTENER, slot, &one, sizeof one);
    }
}

/* ---- Connections and processes ---- */

static void save_sockets(struct supervisor *s, struct snapshot *out) {
    SLOTS_EACH(slot, &s->pool.connection_slots) {
        struct platform_held held;
        if (platform_socket_is_open(s->sockets[slot])) {
            platform_socket_hold(s->platform, s->sockets[slot], &held);
            snapshot_put(out, SNAPSHOT_SOCKET, slot, &held, sizeof held);
        }
        const struct run_preface *preface =
            s->prefaces.entries == NULL ? NULL : &s->prefaces.entries[slot];
        if (preface != NULL && preface->stream != NULL) {
            struct proxy_reader reader = preface->reader;
            reader.fault = NULL;
            snapshot_put(out, SNAPSHOT_PREFACE, slot, &reader, sizeof reader);
        }
    }
}

static void save_processes(struct supervisor *s, struct snapshot *out) {
    struct snapshot_launching launching = {.first_waiting = s->launching.first_waiting,
                                           .last_waiting = s->launching.last_waiting};
    memcpy(launching.waits, s->launching.waits, sizeof launching.waits);
    snapshot_put(out, SNAPSHOT_LAUNCHING, 0, &launching, sizeof launching);
    SLOTS_EACH(slot, &s->pool.process_slots) {
        const struct run_process *r = &s->launching.processes[slot];
        struct snapshot_process one = {.process = *r, .held.is_there = r->handle != NULL};
        one.process.handle = NULL;
        if (one.held.is_there) {
            platform_process_hold(r->handle, &one.held.held);
        }
        snapshot_put(out, SNAPSHOT_RUN_PROCESS, slot, &one, sizeof one);
    }
}

static void save_stream(const struct platform_stream *stream, enum snapshot_kind kind,
                        uint32_t slot, struct snapshot *out) {
    struct platform_held held;
    const void *bytes;
    size_t length;
    if (stream != NULL) {
        platform_stream_hold(stream, &held, &bytes, &length);
        snapshot_put(out, kind, slot, &held, sizeof held);
        snapshot_add(out, bytes, length);
    }
}

static void save_pumps(struct supervisor *s, struct snapshot *out) {
    snapshot_put_slots(out, SNAPSHOT_PUMP_SLOTS, &s->pumps.slots);
    SLOTS_EACH(slot, &s->pumps.slots) {
        const struct run_pump *pump = run_pump_at(s, slot);
        struct snapshot_pump one = {.socket.is_there = platform_socket_is_open(pump->socket),
                                    .has_client = pump->client != NULL,
                                    .has_input = pump->input != NULL,
                                    .has_output = pump->output != NULL};
        memcpy(one.state, pump, sizeof one.state);
        if (one.socket.is_there) {
            platform_socket_hold(s->platform, pump->socket, &one.socket.held);
        }
        snapshot_put(out, SNAPSHOT_PUMP, slot, &one, sizeof one);
        snapshot_begin(out, SNAPSHOT_RELAY, slot);
        relay_save(&pump->relay, out);
        save_stream(pump->input, SNAPSHOT_PUMP_INPUT, slot, out);
        save_stream(pump->output, SNAPSHOT_PUMP_OUTPUT, slot, out);
    }
}

/* ---- Output and logs ---- */

static void save_output(struct supervisor *s, struct snapshot *out) {
    SLOTS_EACH(service, &s->services.slots) {
        const struct platform_output *output = s->launching.services[service].output;
        struct platform_held held;
        const void *bytes;
        size_t length;
        uint32_t at = 0;
        while (output != NULL && platform_output_hold(output, &at, &held, &bytes, &length)) {
            snapshot_put(out, SNAPSHOT_OUTPUT_PIPE, service, &held, sizeof held);
            snapshot_add(out, bytes, length);
        }
    }
    for (uint32_t i = 0; i < RUN_OUTPUT_LINE_COUNT; i++) {
        const struct run_output_line *line = &s->outputs.lines[i];
        if (line->writer.pid != 0) {
            snapshot_put(out, SNAPSHOT_OUTPUT_LINE, i, line, sizeof *line);
        }
    }
}

static void save_sink(const struct run_sink *sink, uint32_t index, struct snapshot *out) {
    const struct run_output_piece *piece = &sink->output.piece;
    struct snapshot_sink held = {.used_bytes = sink->used_bytes,
                                 .dropped_count = sink->dropped_count,
                                 .lost_count = sink->lost_count,
                                 .lost_records_count = sink->lost_records_count,
                                 .at_line_start = sink->at_line_start,
                                 .head_is_record = sink->head_is_record,
                                 .is_failing = sink->is_failing,
                                 .is_behind = sink->output.is_behind,
                                 .has_piece = piece->done < piece->length};
    memcpy(held.reason, sink->reason, sizeof held.reason);
    platform_log_hold(sink->log, &held.log);
    snapshot_put(out, SNAPSHOT_SINK, index, &held, sizeof held);
    snapshot_add_text(out, sink->path);
    snapshot_add(out, sink->buffer, sink->used_bytes);
    if (held.has_piece) {
        snapshot_add(out, piece, sizeof *piece);
    }
}

static void save_sinks(const struct supervisor *s, struct snapshot *out) {
    uint32_t index = 0;
    save_sink(&s->log.own, index, out);
    for (const struct run_sink *sink = s->log.services; sink != NULL; sink = sink->next) {
        save_sink(sink, ++index, out);
    }
}

/* ---- Control ---- */

static void save_control(struct supervisor *s, struct snapshot *out) {
    struct run_control *control = &s->control;
    struct snapshot_control held = {.started_us = control->started_us,
                                    .followers_count = control->followers_count};
    memcpy(held.outcomes_count, control->outcomes_count, sizeof held.outcomes_count);
    for (size_t i = 0; i < RUN_CONTROL_KINDS; i++) {
        held.endpoints[i].is_there = control->endpoints[i].handle != NULL;
        if (held.endpoints[i].is_there) {
            platform_control_hold(control->endpoints[i].handle, &held.endpoints[i].held);
        }
    }
    snapshot_put(out, SNAPSHOT_CONTROL, 0, &held, sizeof held);
    for (size_t i = 0; i < RUN_CONTROL_KINDS; i++) {
        snapshot_add_text(out, control->endpoints[i].path);
    }
    if (control->clients == NULL) {
        return;
    }
    snapshot_put_slots(out, SNAPSHOT_CONTROL_SLOTS, &control->slots);
    SLOTS_EACH(slot, &control->slots) {
        const struct run_control_client *c = &control->clients[slot];
        struct snapshot_client one;
        memcpy(one.state, c, sizeof one.state);
        platform_client_hold(s->platform, &c->peer, &one.socket);
        snapshot_put(out, SNAPSHOT_CONTROL_CLIENT, slot, &one, sizeof one);
        snapshot_add(out, c->bytes + c->sent_bytes, c->used_bytes - c->sent_bytes);
    }
}

bool run_snapshot_make(struct supervisor *s, struct snapshot *out) {
    const struct snapshot_head head = {.magic = SNAPSHOT_MAGIC,
                                       .layout = run_snapshot_layout(),
                                       .pid = platform_own_pid(),
                                       .connection_count = s->pool.connection_slots.count};
    snapshot_put(out, SNAPSHOT_HEAD, 0, &head, sizeof head);
    platform_hold(s->platform, out);
    snapshot_put(out, SNAPSHOT_OPTIONS, 0, s->source->options, s->source->options_bytes);
    save_services(s, out);
    pool_save(&s->pool, out);
    save_listening(s, out);
    SLOTS_EACH(slot, &s->services.slots) {
        save_run_service(s, slot, out);
    }
    save_sockets(s, out);
    save_processes(s, out);
    save_pumps(s, out);
    save_output(s, out);
    save_sinks(s, out);
    save_control(s, out);
    return !out->has_failed;
}
