#include "ctl/show_internal.h"

#include <string.h>

void ctl_show_begin(struct ctl_show *show, text_emit *emit, void *context, bool coloured,
                    bool has_places) {
    *show = (struct ctl_show){
        .emit = emit, .context = context, .coloured = coloured, .has_places = has_places};
}

void ctl_show_line(struct ctl_show *show, const struct ctl_reply *reply) {
    static const struct {
        const char *type;
        void (*show)(struct ctl_show *show, const struct ctl_reply *reply);
    } types[] = {{"supervisor", ctl_show_supervisor},
                 {"outcomes", ctl_show_outcomes},
                 {"service", ctl_show_service},
                 {"place", ctl_show_place},
                 {"connection", ctl_show_connection},
                 {"event", ctl_show_event},
                 {"lost", ctl_show_lost},
                 {"change", ctl_show_change},
                 {"problem", ctl_show_problem},
                 {"waiting", ctl_show_waiting}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (ctl_reply_is(reply, types[i].type)) {
            types[i].show(show, reply);
            return;
        }
    }
}

bool ctl_show_end(struct ctl_show *show) {
    if (show->has_printed && show->table.row_count > 0) {
        show->emit(show->context, "\n");
    }
    ctl_table_print(&show->table, show->coloured, show->emit, show->context);
    if (show->notes.length > 0) {
        show->emit(show->context, "\n");
        show->emit(show->context, show->notes.text);
    }
    bool failed =
        show->line.failed || show->aside.failed || show->notes.failed || show->table.failed;
    ctl_table_clear(&show->table);
    ctl_buffer_clear(&show->line);
    ctl_buffer_clear(&show->aside);
    ctl_buffer_clear(&show->notes);
    return !failed;
}

void ctl_show_verdict(const struct ctl_reply *end, struct ctl_buffer *out) {
    struct ctl_value text = ctl_reply_value(end, "text");
    struct ctl_value hint = ctl_reply_value(end, "hint");
    ctl_put(out, "");
    ctl_put_value(out, &text);
    ctl_put(out, text.length > 0 && hint.length > 0 ? "; " : "");
    ctl_put_value(out, &hint);
}
