/* Drain: the ordered stop. Nothing is left behind: no connection without a record, no process. */
#include "run/internal.h"

static void log_stopping(struct supervisor *s, const char *event) {
    struct record *line = run_log_begin(&s->log, LOG_LEVEL_INFO, event);
    if (line != NULL) {
        record_number(line, "connections", s->pool.connection_slots.in_use_count);
        record_number(line, "processes", s->pool.process_slots.in_use_count);
        run_log_end(&s->log);
    }
}

void drain_on_stop(struct supervisor *s) {
    if (s->stopping) {
        s->hurrying = true;
        log_stopping(s, "stopping_now");
        pool_hurry(&s->pool, s->now_us);
        return;
    }
    s->stopping = true;
    log_stopping(s, "stopping");
    listen_close_all(s);
    pool_stop(&s->pool, s->now_us);
}
