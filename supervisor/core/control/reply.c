#include "core/base/text.h"
#include "core/control/control.h"

/* The word of each code, and then its text, as text_nth() takes them. */
static const char codes[] =
#define CODE_TEXTS(id, word, text) word "\0" text "\0"
    CONTROL_CODE_TABLE(CODE_TEXTS)
#undef CODE_TEXTS
    ;

void control_begin(struct record *line, const char *type) {
    record_open(line);
    record_number(line, "v", 1);
    record_text(line, "type", type);
}

void control_end(struct record *line, enum control_code code, const char *text, const char *hint) {
    control_begin(line, "end");
    record_flag(line, "ok", code == CONTROL_OK);
    if (code != CONTROL_OK) {
        record_text(line, "code", text_nth(codes, 2u * code));
        record_text(line, "text", text != NULL ? text : text_nth(codes, 2u * code + 1));
    }
    if (hint != NULL) {
        record_text(line, "hint", hint);
    }
    record_end(line);
}
