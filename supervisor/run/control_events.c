/* Those who follow the log. */
#include "run/internal.h"

#include <string.h>

void run_control_follow(struct supervisor *s, uint32_t client) {
    struct run_control *control = &s->control;
    control->clients[client].follows = true;
    control->followers_count++;
    s->log.follow = run_control_tell;
    s->log.follow_context = s;
    s->log.line.copy = control->line;
}

void run_control_follow_no_more(struct supervisor *s, struct run_control_client *c) {
    if (c->follows) {
        c->follows = false;
        s->control.followers_count--;
    }
    if (s->control.followers_count == 0) {
        s->log.line.copy = NULL;
    }
}

/* Who has lost one has no more before that was told. */
static void tell_one(struct run_control_client *c, const struct record *line) {
    if (c->lost_count > 0 || sizeof c->bytes - c->used_bytes < line->length) {
        c->lost_count++;
    } else {
        memcpy(c->bytes + c->used_bytes, line->bytes, line->length);
        c->used_bytes += line->length;
    }
}

void run_control_tell(void *supervisor) {
    struct supervisor *s = supervisor;
    SLOTS_EACH(slot, &s->control.slots) {
        struct run_control_client *c = &s->control.clients[slot];
        if (c->follows) {
            tell_one(c, s->control.line);
        }
        if (c->follows && !c->is_blocked) {
            run_control_wake(&s->control, slot);
        }
    }
}

enum run_control_more run_control_next_lost(struct supervisor *s, struct run_control_client *c) {
    struct record *line = s->control.line;
    if (c->lost_count == 0) {
        return RUN_CONTROL_WAITS;
    }
    control_begin(line, "lost");
    record_number(line, "count", c->lost_count);
    record_end(line);
    c->lost_count = 0;
    return RUN_CONTROL_LINE;
}
