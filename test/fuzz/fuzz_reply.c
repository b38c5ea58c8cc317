/* batonctl's reader of a reply: whatever comes, the lines are those that are there, and what is
 * shown of them has no control character, but the line feeds and colours that are ours. */
#include "core/base/error.h"
#include "ctl/lines.h"
#include "ctl/show.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* UTF-8 without controls; a C1 control is c2 80 to c2 9f. */
static void look(void *context, const char *text) {
    (void)context;
    for (size_t i = 0; text[i] != '\0'; i++) {
        uint8_t byte = (uint8_t)text[i];
        require(byte >= ' ' || byte == '\n');
        require(byte != 0x7f);
        require(byte != 0xc2 || (uint8_t)text[i + 1] >= 0xa0);
        size_t size = byte < 0x80 ? 1 : text_utf8_length(text + i, strlen(text + i));
        require(size > 0);
        i += size - 1;
    }
}

static void take_line(struct ctl_show *show, const char *line, size_t length) {
    struct ctl_reply *reply = NULL;
    struct ctl_fault fault = {""};
    struct ctl_buffer out = {0};
    int result = ctl_reply_read(line, length, &reply, &fault);
    require(result != BATON_INVALID || fault.text[0] != '\0');
    if (result == BATON_OK) {
        ctl_show_line(show, reply);
        ctl_show_verdict(reply, &out);
        look(NULL, out.text);
        ctl_buffer_reset(&out);
        ctl_put_safe_json(&out, line, length);
        look(NULL, out.text);
        /* What was escaped means the same. */
        struct ctl_reply *again = NULL;
        require(ctl_reply_read(out.text, out.length, &again, &fault) == BATON_OK);
        ctl_reply_clear(&again);
    }
    ctl_buffer_clear(&out);
    ctl_reply_clear(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct ctl_lines lines;
    struct ctl_show show;
    memset(&lines, 0, sizeof lines);
    ctl_show_begin(&show, look, NULL, false, length % 2 == 0);
    for (size_t at = 0; at < length;) {
        size_t room_bytes = 0;
        char *room = ctl_lines_room(&lines, &room_bytes);
        if (room_bytes == 0) {
            break;
        }
        size_t piece = length - at < room_bytes ? length - at : room_bytes;
        memcpy(room, bytes + at, piece);
        ctl_lines_add(&lines, piece);
        at += piece;
        size_t line_length = 0;
        const char *line;
        while ((line = ctl_lines_next(&lines, &line_length)) != NULL) {
            take_line(&show, line, line_length);
        }
    }
    require(ctl_show_end(&show));
    return 0;
}
