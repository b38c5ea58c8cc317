/*
 * The codec of wire.h. One table says which field belongs to which message, how long it is and
 * where its value lives in struct wire_message; decoding and encoding both read that table.
 */
#include "wire.h"

#include <string.h>

enum { NONCE_DIGITS = 2 * WIRE_NONCE_BYTES, NO_FLAG = 0xffff };

/* Messages as bits, so that a field can name all those it belongs to. */
enum message_bit {
    HELLO = 1 << 0,
    ACK = 1 << 1,
    NACK = 1 << 2,
    DONE = 1 << 3,
    RETIRE = 1 << 4,
    OFFER = 1 << 5,
    CANCEL = 1 << 6,
    DRAIN = 1 << 7,
    LIMITS = 1 << 8
};

static const struct message_rule {
    uint16_t bit;
    uint8_t type;
    uint8_t sender; /* enum wire_sender */
    bool about_connection;
    char name[7];
} message_rules[] = {
    {HELLO, WIRE_HELLO, WIRE_FROM_HANDLER, false, "HELLO"},
    {ACK, WIRE_ACK, WIRE_FROM_HANDLER, true, "ACK"},
    {NACK, WIRE_NACK, WIRE_FROM_HANDLER, true, "NACK"},
    {DONE, WIRE_DONE, WIRE_FROM_HANDLER, true, "DONE"},
    {RETIRE, WIRE_RETIRE, WIRE_FROM_HANDLER, false, "RETIRE"},
    {OFFER, WIRE_OFFER, WIRE_FROM_SUPERVISOR, true, "OFFER"},
    {CANCEL, WIRE_CANCEL, WIRE_FROM_SUPERVISOR, true, "CANCEL"},
    {DRAIN, WIRE_DRAIN, WIRE_FROM_SUPERVISOR, false, "DRAIN"},
    {LIMITS, WIRE_LIMITS, WIRE_FROM_SUPERVISOR, false, "LIMITS"},
};

enum field_form { FORM_U8, FORM_U32, FORM_U64, FORM_BYTES, FORM_TEXT, FORM_ADDRESS };

#define AT(member) offsetof(struct wire_message, member)

/* In the order of their tags, which count up from 1: a tag tells its row. */
static const struct field_rule {
    uint16_t tag;
    uint16_t allowed;  /* bits of the messages that may have it */
    uint16_t required; /* bits of the messages that must have it */
    uint8_t form;      /* enum field_form */
    uint8_t min_value;
    uint16_t min_bytes, max_bytes;
    uint32_t max_value; /* as min_value: of FORM_U8 and FORM_U32 */
    uint16_t offset;
    uint16_t has_offset; /* NO_FLAG: presence shows in the value itself */
} field_rules[] = {
    {WIRE_TAG_NONCE, HELLO, HELLO, FORM_BYTES, 0, WIRE_NONCE_BYTES, WIRE_NONCE_BYTES, 0, AT(nonce),
     NO_FLAG},
    {WIRE_TAG_PID, HELLO | ACK | DONE, HELLO, FORM_U32, 1, 4, 4, UINT32_MAX, AT(pid), AT(has_pid)},
    {WIRE_TAG_CAPACITY, HELLO | LIMITS, HELLO | LIMITS, FORM_U32, 1, 4, 4, WIRE_CAPACITY_MAX,
     AT(capacity), NO_FLAG},
    {WIRE_TAG_SDK, HELLO, 0, FORM_TEXT, 0, 0, WIRE_SDK_MAX_BYTES, 0, AT(sdk), NO_FLAG},
    {WIRE_TAG_REASON, NACK, NACK, FORM_U8, WIRE_REASON_RETIRE, 1, 1, WIRE_REASON_REFUSE, AT(reason),
     NO_FLAG},
    {WIRE_TAG_STATUS, DONE, DONE, FORM_U8, 0, 1, 1, UINT8_MAX, AT(status), NO_FLAG},
    {WIRE_TAG_BYTES_IN, DONE, 0, FORM_U64, 0, 8, 8, 0, AT(bytes_in), AT(has_bytes_in)},
    {WIRE_TAG_BYTES_OUT, DONE, 0, FORM_U64, 0, 8, 8, 0, AT(bytes_out), AT(has_bytes_out)},
    {WIRE_TAG_TEXT, NACK | DONE, 0, FORM_TEXT, 0, 0, WIRE_TEXT_MAX_BYTES, 0, AT(text), NO_FLAG},
    {WIRE_TAG_SERVICE, OFFER, OFFER, FORM_TEXT, 0, 1, WIRE_SERVICE_MAX_BYTES, 0, AT(service),
     NO_FLAG},
    {WIRE_TAG_KIND, OFFER, OFFER, FORM_U8, WIRE_KIND_CONNECTION, 1, 1, WIRE_KIND_DATAGRAM, AT(kind),
     NO_FLAG},
    {WIRE_TAG_PEER, OFFER, 0, FORM_ADDRESS, 0, 7, 19, 0, AT(peer), NO_FLAG},
    {WIRE_TAG_LOCAL, OFFER, 0, FORM_ADDRESS, 0, 7, 19, 0, AT(local), NO_FLAG},
    {WIRE_TAG_ACCEPTED_US, OFFER, OFFER, FORM_U64, 0, 8, 8, 0, AT(accepted_us), NO_FLAG},
    {WIRE_TAG_ID, OFFER, OFFER, FORM_U64, 0, 8, 8, 0, AT(id), NO_FLAG},
    {WIRE_TAG_PROTOCOL_INFO, OFFER, 0, FORM_BYTES, 0, WIRE_PROTOCOL_INFO_BYTES,
     WIRE_PROTOCOL_INFO_BYTES, 0, AT(protocol_info), NO_FLAG},
    {WIRE_TAG_PEER_COUNT, OFFER, 0, FORM_U32, 1, 4, 4, UINT32_MAX, AT(peer_count),
     AT(has_peer_count)},
    {WIRE_TAG_VIA, OFFER, 0, FORM_ADDRESS, 0, 7, 19, 0, AT(via), NO_FLAG},
    {WIRE_TAG_PATH, OFFER, 0, FORM_TEXT, 0, 1, WIRE_PATH_MAX_BYTES, 0, AT(path), NO_FLAG},
    {WIRE_TAG_PEER_UID, OFFER, 0, FORM_U32, 0, 4, 4, UINT32_MAX, AT(peer_uid), AT(has_peer_uid)},
    {WIRE_TAG_PEER_PID, OFFER, 0, FORM_U32, 1, 4, 4, UINT32_MAX, AT(peer_pid), AT(has_peer_pid)},
    {WIRE_TAG_HANDSHAKE_MS, LIMITS, LIMITS, FORM_U32, 0, 4, 4, UINT32_MAX, AT(handshake_ms),
     NO_FLAG},
    {WIRE_TAG_STOP_MS, LIMITS, LIMITS, FORM_U32, 0, 4, 4, UINT32_MAX, AT(stop_ms), NO_FLAG},
    {WIRE_TAG_REUSE, LIMITS, LIMITS, FORM_U32, 0, 4, 4, UINT32_MAX, AT(reuse), NO_FLAG},
    {WIRE_TAG_CPU_US, DONE, 0, FORM_U64, 0, 8, 8, 0, AT(cpu_us), AT(has_cpu_us)},
    {WIRE_TAG_MEMORY_PEAK_KIB, DONE, 0, FORM_U32, 0, 4, 4, UINT32_MAX, AT(memory_peak_kib),
     AT(has_memory_peak_kib)},
};

enum {
    MESSAGE_RULE_COUNT = sizeof message_rules / sizeof *message_rules,
    FIELD_RULE_COUNT = sizeof field_rules / sizeof *field_rules
};

_Static_assert(FIELD_RULE_COUNT <= 32, "a field's bit must fit the mask of fields seen");

static uint64_t get_number(const uint8_t *bytes, size_t length) {
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void put_number(uint8_t *bytes, size_t length, uint64_t value) {
    for (size_t i = length; i-- > 0; value >>= 8)
        bytes[i] = (uint8_t)value;
}

static const struct message_rule *find_message(uint8_t type) {
    for (size_t i = 0; i < MESSAGE_RULE_COUNT; i++)
        if (message_rules[i].type == type)
            return &message_rules[i];
    return NULL;
}

/* The length of the UTF-8 sequence at `bytes`, or 0 if it is NUL, overlong, a surrogate, too large
 * or cut short (RFC 3629, section 4). */
static size_t utf8_length(const uint8_t *bytes, size_t left) {
    uint8_t first = bytes[0];
    if (first >= 0x01 && first <= 0x7f)
        return 1;
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (length == 0 || length > left)
        return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}

static bool text_is_valid(const uint8_t *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t step = utf8_length(bytes + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static enum wire_result read_address(const uint8_t *value, size_t length,
                                     struct wire_address *out) {
    size_t address_bytes = value[0] == 4 ? 4 : value[0] == 6 ? 16 : 0;
    if (address_bytes == 0 || length != 3 + address_bytes)
        return WIRE_BAD_FIELD;
    out->family = value[0];
    out->port = (uint16_t)get_number(value + 1, 2);
    memcpy(out->bytes, value + 3, address_bytes);
    return WIRE_OK;
}

/* Puts one field's value where the table says. `value` has `length` bytes. */
static enum wire_result read_value(const struct field_rule *rule, const uint8_t *value,
                                   size_t length, struct wire_message *out) {
    uint8_t *target = (uint8_t *)out + rule->offset;
    if (length < rule->min_bytes || length > rule->max_bytes)
        return WIRE_BAD_FIELD;
    if (rule->has_offset != NO_FLAG)
        *(bool *)((uint8_t *)out + rule->has_offset) = true;
    switch ((enum field_form)rule->form) {
    case FORM_U8:
    case FORM_U32: {
        uint32_t number = (uint32_t)get_number(value, length);
        if (number < rule->min_value || number > rule->max_value)
            return WIRE_BAD_FIELD;
        if (rule->form == FORM_U8)
            *target = (uint8_t)number;
        else
            *(uint32_t *)(void *)target = number;
        return WIRE_OK;
    }
    case FORM_U64:
        *(uint64_t *)(void *)target = get_number(value, length);
        return WIRE_OK;
    case FORM_BYTES:
        *(const uint8_t **)(void *)target = value;
        return WIRE_OK;
    case FORM_TEXT:
        *(struct wire_text *)(void *)target = (struct wire_text){(const char *)value, length};
        return text_is_valid(value, length) ? WIRE_OK : WIRE_BAD_TEXT;
    case FORM_ADDRESS:
        return read_address(value, length, (struct wire_address *)(void *)target);
    }
    return WIRE_BAD_FIELD;
}

/* The row for a tag in a message; NULL if the tag is unknown or not of this message. */
static const struct field_rule *find_field(uint16_t tag, uint16_t message_bit,
                                           uint32_t *field_bit) {
    size_t i = (tag & ~WIRE_TAG_OPTIONAL) - 1u;
    if (i >= FIELD_RULE_COUNT || field_rules[i].tag != tag ||
        (field_rules[i].allowed & message_bit) == 0)
        return NULL;
    *field_bit = (uint32_t)1 << i;
    return &field_rules[i];
}

static enum wire_result read_fields(const uint8_t *body, size_t length, uint16_t message_bit,
                                    struct wire_message *out) {
    uint32_t seen = 0;
    for (size_t at = 0; at < length;) {
        out->fault_tag = 0;
        if (length - at < WIRE_FIELD_HEADER_BYTES)
            return WIRE_BAD_FIELD;
        uint16_t tag = out->fault_tag = (uint16_t)get_number(body + at, 2);
        size_t value_bytes = (size_t)get_number(body + at + 2, 2);
        at += WIRE_FIELD_HEADER_BYTES;
        if (value_bytes > length - at)
            return WIRE_BAD_FIELD;
        uint32_t field_bit = 0;
        const struct field_rule *rule = find_field(tag, message_bit, &field_bit);
        if (rule == NULL && (tag & WIRE_TAG_OPTIONAL) == 0)
            return WIRE_BAD_TAG;
        if ((seen & field_bit) != 0)
            return WIRE_BAD_FIELD;
        seen |= field_bit;
        enum wire_result result =
            rule == NULL ? WIRE_OK : read_value(rule, body + at, value_bytes, out);
        if (result != WIRE_OK)
            return result;
        at += value_bytes;
    }
    for (size_t i = 0; i < FIELD_RULE_COUNT; i++) {
        out->fault_tag = field_rules[i].tag;
        if ((field_rules[i].required & message_bit) != 0 && (seen & (uint32_t)1 << i) == 0)
            return WIRE_MISSING;
    }
    out->fault_tag = 0;
    return WIRE_OK;
}

enum wire_result wire_check_header(const void *bytes, size_t length, enum wire_sender sender,
                                   size_t *body_bytes) {
    const uint8_t *header = bytes;
    *body_bytes = 0;
    if (length < WIRE_HEADER_BYTES)
        return WIRE_MORE;
    if (get_number(header, 4) != WIRE_MAGIC)
        return WIRE_BAD_MAGIC;
    if (header[4] != WIRE_VERSION)
        return WIRE_BAD_VERSION;
    if (get_number(header + 6, 2) != 0)
        return WIRE_BAD_FLAGS;
    const struct message_rule *rule = find_message(header[5]);
    bool known = rule != NULL && rule->sender == sender;
    if (!known && (header[5] & WIRE_TYPE_OPTIONAL) == 0)
        return WIRE_BAD_TYPE;
    uint64_t body = get_number(header + 12, 4);
    if (body > (sender == WIRE_FROM_HANDLER ? WIRE_BODY_MAX_TO_SUPERVISOR : WIRE_BODY_MAX_BYTES))
        return WIRE_BAD_LENGTH;
    *body_bytes = (size_t)body;
    return WIRE_OK;
}

enum wire_result wire_decode(const void *bytes, size_t length, enum wire_sender sender,
                             struct wire_message *out) {
    const uint8_t *frame = bytes;
    size_t body_bytes = 0;
    memset(out, 0, sizeof *out);
    if (length < WIRE_HEADER_BYTES)
        return WIRE_BAD_LENGTH;
    enum wire_result result = wire_check_header(frame, length, sender, &body_bytes);
    if (result != WIRE_OK)
        return result;
    if (length != WIRE_HEADER_BYTES + body_bytes)
        return WIRE_BAD_LENGTH;
    out->type = frame[5];
    out->connection = (uint32_t)get_number(frame + 8, 4);
    const struct message_rule *rule = find_message(out->type);
    if (rule == NULL || rule->sender != sender) {
        out->skip = true; /* has the optional bit, or the header would be wrong */
        return WIRE_OK;
    }
    if (rule->about_connection != (out->connection != 0))
        return WIRE_BAD_CONNECTION;
    return read_fields(frame + WIRE_HEADER_BYTES, body_bytes, rule->bit, out);
}

/* True if the message has something to write for this row. */
static bool is_present(const struct field_rule *rule, uint16_t message_bit,
                       const struct wire_message *message) {
    const uint8_t *source = (const uint8_t *)message + rule->offset;
    if ((rule->required & message_bit) != 0)
        return true;
    if (rule->has_offset != NO_FLAG)
        return *(const bool *)((const uint8_t *)message + rule->has_offset);
    if (rule->form == FORM_TEXT)
        return ((const struct wire_text *)(const void *)source)->length > 0;
    if (rule->form == FORM_ADDRESS)
        return ((const struct wire_address *)(const void *)source)->family != 0;
    return *(const uint8_t *const *)(const void *)source != NULL;
}

/* Writes a value to `target`, which has room for the row's largest one; returns its length. 0 means
 * that it cannot be expressed: no value of a message is empty when it is written. */
static size_t write_value(const struct field_rule *rule, const struct wire_message *message,
                          uint8_t *target) {
    const void *source = (const uint8_t *)message + rule->offset;
    switch ((enum field_form)rule->form) {
    case FORM_U8:
        target[0] = *(const uint8_t *)source;
        return 1;
    case FORM_U32:
        put_number(target, 4, *(const uint32_t *)source);
        return 4;
    case FORM_U64:
        put_number(target, 8, *(const uint64_t *)source);
        return 8;
    case FORM_BYTES: {
        const uint8_t *bytes = *(const uint8_t *const *)source;
        if (bytes == NULL)
            return 0;
        memcpy(target, bytes, rule->min_bytes);
        return rule->min_bytes;
    }
    case FORM_TEXT: {
        const struct wire_text *text = source;
        if (text->bytes == NULL || text->length > rule->max_bytes)
            return 0;
        memcpy(target, text->bytes, text->length);
        return text->length;
    }
    case FORM_ADDRESS: {
        const struct wire_address *address = source;
        size_t address_bytes = address->family == 4 ? 4 : 16;
        target[0] = address->family;
        put_number(target + 1, 2, address->port);
        memcpy(target + 3, address->bytes, address_bytes);
        return 3 + address_bytes;
    }
    }
    return 0;
}

long wire_encode(const struct wire_message *message, void *out, size_t size) {
    uint8_t *frame = out;
    uint8_t value[WIRE_PROTOCOL_INFO_BYTES];
    struct wire_message check;
    const struct message_rule *rule = find_message(message->type);
    if (rule == NULL || size < WIRE_HEADER_BYTES)
        return WIRE_NO_ROOM;
    size_t at = WIRE_HEADER_BYTES;
    for (size_t i = 0; i < FIELD_RULE_COUNT; i++) {
        const struct field_rule *field = &field_rules[i];
        if ((field->allowed & rule->bit) == 0 || !is_present(field, rule->bit, message))
            continue;
        size_t value_bytes = write_value(field, message, value);
        if (value_bytes == 0 || size - at < WIRE_FIELD_HEADER_BYTES + value_bytes)
            return WIRE_NO_ROOM;
        put_number(frame + at, 2, field->tag);
        put_number(frame + at + 2, 2, value_bytes);
        memcpy(frame + at + WIRE_FIELD_HEADER_BYTES, value, value_bytes);
        at += WIRE_FIELD_HEADER_BYTES + value_bytes;
    }
    put_number(frame, 4, WIRE_MAGIC);
    frame[4] = WIRE_VERSION;
    frame[5] = message->type;
    put_number(frame + 6, 2, 0);
    put_number(frame + 8, 4, message->connection);
    put_number(frame + 12, 4, at - WIRE_HEADER_BYTES);
    /* One set of rules: what our own receiver would refuse is not sent. */
    if (wire_decode(frame, at, rule->sender, &check) != WIRE_OK)
        return WIRE_NO_ROOM;
    return (long)at;
}

/* From WIRE_MORE down to the last of enum wire_result, and what stands for any other number. */
static const char result_texts[] = "frame incomplete\0"
                                   "no error\0"
                                   "wrong magic\0"
                                   "wrong protocol version\0"
                                   "flags not zero\0"
                                   "unknown message type, or not one for this direction\0"
                                   "wrong frame length\0"
                                   "field past the end, of wrong size, repeated, or out of range\0"
                                   "field unknown, or not one of this message\0"
                                   "required field missing\0"
                                   "text with NUL or not UTF-8\0"
                                   "message does not fit\0"
                                   "connection number missing, or given where there is none\0"
                                   "unknown result";

const char *wire_result_text(enum wire_result result) {
    const char *text = result_texts;
    int last = WIRE_BAD_CONNECTION - 1;
    for (int at = WIRE_MORE; at > last && at != (int)result; at--)
        text += strlen(text) + 1;
    return text;
}

const char *wire_type_name(uint8_t type) {
    const struct message_rule *rule = find_message(type);
    return rule != NULL ? rule->name : "?";
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool wire_nonce_parse(const char *text, uint8_t out[WIRE_NONCE_BYTES]) {
    uint8_t bytes[WIRE_NONCE_BYTES];
    for (size_t i = 0; i < NONCE_DIGITS; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        bytes[i / 2] = (uint8_t)((i % 2 == 0 ? 0 : bytes[i / 2] << 4) | digit);
    }
    if (text[NONCE_DIGITS] != '\0')
        return false;
    memcpy(out, bytes, sizeof bytes);
    return true;
}

void wire_nonce_print(const uint8_t nonce[WIRE_NONCE_BYTES], char out[2 * WIRE_NONCE_BYTES + 1]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < NONCE_DIGITS; i++)
        out[i] = digits[i % 2 == 0 ? nonce[i / 2] >> 4 : nonce[i / 2] & 0x0f];
    out[NONCE_DIGITS] = '\0';
}
