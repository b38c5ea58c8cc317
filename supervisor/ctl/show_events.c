/* What happens: lines of the log, what a reload has changed, what is still waited for. */
#include "ctl/show_internal.h"

#include <string.h>

static enum ctl_colour colour_of(const struct ctl_value *level) {
    if (level->kind != CTL_TEXT) {
        return CTL_PLAIN;
    }
    return strcmp(level->text, "error") == 0     ? CTL_BAD
           : strcmp(level->text, "warning") == 0 ? CTL_DOUBTFUL
                                                 : CTL_PLAIN;
}

static bool is_in_front(const char *name) {
    return strcmp(name, "time") == 0 || strcmp(name, "level") == 0 || strcmp(name, "event") == 0;
}

/* `name=value`, the value in quotes where it would be taken for several. */
static void put_field(void *context, const char *name, const struct ctl_value *value) {
    struct ctl_show *show = context;
    struct ctl_buffer *line = &show->line;
    if (is_in_front(name)) {
        return;
    }
    ctl_put(line, " ");
    ctl_put_safe(line, name, strlen(name));
    ctl_put(line, "=");
    bool quoted = value->kind == CTL_TEXT &&
                  (value->length == 0 || memchr(value->text, ' ', value->length) != NULL ||
                   memchr(value->text, '"', value->length) != NULL);
    ctl_put(line, quoted ? "\"" : "");
    size_t begun = 0;
    for (size_t i = 0; quoted && i < value->length; i++) {
        if (value->text[i] == '"') {
            ctl_put_safe(line, value->text + begun, i - begun);
            ctl_put(line, "\\");
            begun = i;
        }
    }
    if (quoted) {
        ctl_put_safe(line, value->text + begun, value->length - begun);
    } else {
        ctl_put_value(line, value);
    }
    ctl_put(line, quoted ? "\"" : "");
}

void ctl_show_event(struct ctl_show *show, const struct ctl_reply *reply) {
    struct ctl_value level = ctl_reply_value(reply, "level");
    ctl_show_text(show, reply, "time");
    ctl_put(&show->line, " ");
    ctl_buffer_reset(&show->aside);
    ctl_put(&show->aside, "");
    ctl_put_value(&show->aside, &level);
    if (show->aside.text != NULL) {
        ctl_put_coloured(&show->line, show->aside.text, colour_of(&level), show->coloured);
    }
    ctl_put(&show->line, " ");
    ctl_show_text(show, reply, "event");
    ctl_reply_each(reply, put_field, show);
    ctl_show_flush(show);
}

void ctl_show_lost(struct ctl_show *show, const struct ctl_reply *reply) {
    ctl_put(&show->line, "(");
    ctl_show_count(&show->line, ctl_reply_number(reply, "count"), "line");
    ctl_put(&show->line, " lost here: they were not taken as fast as they came)");
    ctl_show_flush(show);
}

struct listing {
    struct ctl_buffer *line;
    size_t count;
};

static void put_key(void *context, const char *name, const struct ctl_value *value) {
    struct listing *listing = context;
    (void)name;
    ctl_put(listing->line, listing->count++ == 0 ? ": " : ", ");
    ctl_put_value(listing->line, value);
}

void ctl_show_change(struct ctl_show *show, const struct ctl_reply *reply) {
    struct listing listing = {&show->line, 0};
    ctl_show_text(show, reply, "what");
    ctl_put(&show->line, " ");
    ctl_show_text(show, reply, "service");
    ctl_reply_list(reply, "keys", put_key, &listing);
    struct ctl_value keys = ctl_reply_value(reply, "keys");
    if (keys.kind == CTL_TEXT) {
        put_key(&listing, "keys", &keys);
    }
    ctl_show_flush(show);
}

void ctl_show_problem(struct ctl_show *show, const struct ctl_reply *reply) {
    ctl_show_text(show, reply, "text");
    ctl_show_flush(show);
}

void ctl_show_waiting(struct ctl_show *show, const struct ctl_reply *reply) {
    if (ctl_show_text(show, reply, "service")) {
        ctl_put(&show->line, ": ");
    }
    ctl_put(&show->line, "waiting for ");
    ctl_show_count(&show->line, ctl_reply_number(reply, "connections"), "connection");
    ctl_put(&show->line, " and ");
    ctl_show_count(&show->line, ctl_reply_number(reply, "processes"), "process");
    ctl_show_flush(show);
}
