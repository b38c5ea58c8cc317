/* What several kinds of lines are made of. */
#include "ctl/show_internal.h"

#include <string.h>

void ctl_show_flush(struct ctl_show *show) {
    ctl_put(&show->line, "\n");
    if (show->line.text != NULL) {
        show->emit(show->context, show->line.text);
    }
    ctl_buffer_reset(&show->line);
    show->has_printed = true;
}

bool ctl_show_text(struct ctl_show *show, const struct ctl_reply *reply, const char *name) {
    struct ctl_value value = ctl_reply_value(reply, name);
    ctl_put_value(&show->line, &value);
    return value.kind != CTL_NOTHING;
}

void ctl_show_count(struct ctl_buffer *buffer, uint64_t count, const char *noun) {
    ctl_put_number(buffer, count);
    ctl_put(buffer, " ");
    ctl_put(buffer, noun);
    if (count != 1) {
        ctl_put(buffer, noun[strlen(noun) - 1] == 's' ? "es" : "s");
    }
}

void ctl_show_cell(struct ctl_show *show, size_t column, const struct ctl_reply *reply,
                   const char *name) {
    struct ctl_value value = ctl_reply_value(reply, name);
    ctl_buffer_reset(&show->aside);
    ctl_put_value(&show->aside, &value);
    if (value.kind != CTL_NOTHING && show->aside.text != NULL) {
        ctl_table_set(&show->table, column, show->aside.text, CTL_PLAIN);
    }
}
