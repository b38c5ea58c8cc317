#include "core/base/text.h"
#include "run/internal.h"

#include "wire.h"

#include <string.h>

/* All of them together are far shorter than the room. Returns where the NUL is. */
static char *put(char *at, const char *text) {
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

const char *run_breach_say(struct supervisor *s, const char *before, uint32_t number, unsigned base,
                           const char *after) {
    put(text_put_number(put(s->reason, before), number, base), after);
    return s->reason;
}

static uint32_t number_at(const uint8_t *bytes, size_t length) {
    uint32_t number = 0;
    for (size_t i = 0; i < length; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/* All is right but its length; `is_cut`: there is more of it. */
static const char *of_length(struct supervisor *s, const uint8_t *frame, size_t length,
                             bool is_cut) {
    uint32_t body_bytes = length < WIRE_HEADER_BYTES ? 0 : number_at(frame + 12, 4);
    if (body_bytes > WIRE_BODY_MAX_TO_SUPERVISOR) {
        return run_breach_say(s, "length ", body_bytes, 10, ", at most 512");
    }
    if (is_cut) {
        return "more than 528 bytes";
    }
    if (length < WIRE_HEADER_BYTES) {
        return run_breach_say(s, "", (uint32_t)length, 10, " bytes, which are no header");
    }
    const char *text = run_breach_say(s, "length ", body_bytes, 10, ", but ");
    char *end = s->reason + strlen(text);
    put(text_put_number(end, length - WIRE_HEADER_BYTES, 10), " bytes follow the header");
    return text;
}

/* The number, and what wire_result_text() says of it. */
static const char *of_contents(struct supervisor *s, const char *before, uint32_t number,
                               unsigned base, enum wire_result result) {
    const char *text = run_breach_say(s, before, number, base, ": ");
    put(s->reason + strlen(text), wire_result_text(result));
    return text;
}

const char *run_breach_of_frame(struct supervisor *s, int code, const uint8_t *frame,
                                size_t length) {
    struct wire_message message;
    enum wire_result result = wire_decode(frame, length, WIRE_FROM_HANDLER, &message);
    if (code == BATON_DENIED) {
        return "a descriptor or other control data came with it";
    }
    switch (result) {
    case WIRE_BAD_MAGIC:
        return run_breach_say(s, "magic 0x", number_at(frame, 4), 16, ", not 0x4241544e");
    case WIRE_BAD_VERSION:
        return run_breach_say(s, "version ", frame[4], 10, ", not 1");
    case WIRE_BAD_FLAGS:
        return run_breach_say(s, "flags 0x", number_at(frame + 6, 2), 16, ", not 0");
    case WIRE_BAD_TYPE:
        return of_contents(s, "type 0x", frame[WIRE_TYPE_OFFSET], 16, result);
    case WIRE_BAD_CONNECTION:
        return of_contents(s, "connection ", message.connection, 10, result);
    case WIRE_OK:
    case WIRE_BAD_LENGTH:
        return of_length(s, frame, length, code == BATON_TOO_LONG);
    default:
        return of_contents(s, "tag 0x", message.fault_tag, 16, result);
    }
}
