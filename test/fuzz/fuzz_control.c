/* Control requests, and the lines of replies that have their bytes in them: whatever they are, a
 * line is one object of JSON, within its bound. */
#include "core/base/text.h"
#include "core/control/control.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* Behind the text of JSON that begins at `at`. */
static const char *skip_text(const char *at, const char *end) {
    require(at < end && *at == '"');
    at++;
    while (at < end && *at != '"') {
        size_t sequence = text_utf8_length(at, (size_t)(end - at));
        require(sequence > 0 && (unsigned char)*at >= ' ');
        if (*at == '\\') {
            require(end - at > 2 && strchr("\"\\nrtu", at[1]) != NULL);
            sequence = at[1] == 'u' ? 6 : 2;
        }
        at += sequence;
    }
    require(at < end);
    return at + 1;
}

/* Flat: texts, whole numbers, true and false. */
static void check_line(const struct record *line) {
    require(line->length > 3 && line->length <= RECORD_LINE_BYTES);
    const char *at = line->bytes;
    const char *end = line->bytes + line->length;
    require(memchr(at, '\n', line->length) == end - 1 && end[-2] == '}');
    require(*at == '{');
    do {
        at = skip_text(at + 1, end);
        require(*at == ':');
        at++;
        if (*at == '"') {
            at = skip_text(at, end);
        } else {
            size_t value = strspn(at, "0123456789truefals");
            require(value > 0);
            at += value;
        }
    } while (*at == ',');
    require(at == end - 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static struct record line, log;
    char room[CONTROL_REQUEST_BYTES];
    char text[2 * RECORD_LINE_BYTES];
    struct control_request request;
    size_t request_bytes = length < sizeof room ? length : sizeof room - 1;
    size_t text_bytes = length < sizeof text ? length : sizeof text - 1;
    memcpy(room, bytes, request_bytes);
    enum control_code code = control_parse(room, request_bytes, &request);
    require(code < CONTROL_CODE_COUNT);
    for (size_t i = 0; code == CONTROL_OK && i < request.word_count; i++) {
        require(request.words[i] > room && request.words[i] < room + request_bytes);
        require(request.words[i][0] != '\0');
    }
    memcpy(text, bytes, text_bytes);
    text[text_bytes] = '\0';
    control_end(&line, code, text, text);
    check_line(&line);
    log.copy = &line;
    record_begin(&log, LOG_FORMAT_LOGFMT, 0, LOG_LEVEL_INFO, "output");
    record_bytes(&log, "text", text, text_bytes);
    record_number(&log, "bytes", length);
    record_end(&log);
    check_line(&line);
    return 0;
}
