// Frames of the channel protocol: reading, writing, and the test vectors. See stranger.h.
#include "stranger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum form { NUMBER, WORDS, ADDRESS, BYTES };

enum { IN_OFFER = 1, IN_LIMITS = 2 };

// The page's *Tags*, as far as they come to a handler.
static const struct known {
    enum tag tag;
    const char *name;
    enum form form;
    uint64_t least, most; // of a number: its value, of others: their size
    size_t size;          // of a number
    int in, required;     // in which messages
} tags[] = {
    {CAPACITY, "capacity", NUMBER, 1, 65535, 4, IN_LIMITS, IN_LIMITS},
    {SERVICE, "service", WORDS, 1, 255, 0, IN_OFFER, IN_OFFER},
    {KIND, "kind", NUMBER, CONNECTION, DATAGRAM, 1, IN_OFFER, IN_OFFER},
    {PEER, "peer", ADDRESS, 7, 19, 0, IN_OFFER, 0},
    {LOCAL, "local", ADDRESS, 7, 19, 0, IN_OFFER, 0},
    {ACCEPTED_US, "accepted_us", NUMBER, 0, UINT64_MAX, 8, IN_OFFER, IN_OFFER},
    {ID, "id", NUMBER, 0, UINT64_MAX, 8, IN_OFFER, IN_OFFER},
    {PROTOCOL_INFO, "protocol_info", BYTES, 628, 628, 0, IN_OFFER, 0},
    {PEER_COUNT, "peer_count", NUMBER, 1, UINT32_MAX, 4, IN_OFFER, 0},
    {VIA, "via", ADDRESS, 7, 19, 0, IN_OFFER, 0},
    {PATH, "path", WORDS, 1, 108, 0, IN_OFFER, 0},
    {PEER_UID, "peer_uid", NUMBER, 0, UINT32_MAX, 4, IN_OFFER, 0},
    {PEER_PID, "peer_pid", NUMBER, 1, UINT32_MAX, 4, IN_OFFER, 0},
    {HANDSHAKE_MS, "handshake_ms", NUMBER, 0, UINT32_MAX, 4, IN_LIMITS, IN_LIMITS},
    {STOP_MS, "stop_ms", NUMBER, 0, UINT32_MAX, 4, IN_LIMITS, IN_LIMITS},
    {REUSE, "reuse", NUMBER, 0, UINT32_MAX, 4, IN_LIMITS, IN_LIMITS},
};
enum { TAGS = sizeof tags / sizeof tags[0] };

const char *result_name(enum result result) {
    static const char *const names[] = {"OK",          "SKIP",     "BAD_MAGIC",  "BAD_VERSION",
                                        "BAD_FLAGS",   "BAD_TYPE", "BAD_LENGTH", "BAD_CONNECTION",
                                        "BAD_FIELD",   "BAD_TAG",  "MISSING",    "BAD_TEXT",
                                        "OTHER_SYSTEM"};
    return names[result];
}

static uint64_t big_endian(const uint8_t *at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

// UTF-8 by RFC 3629, without NUL.
static bool is_text(const uint8_t *at, size_t size) {
    size_t i = 0;
    while (i < size) {
        uint8_t first = at[i++];
        if (first == 0)
            return false;
        if (first < 0x80)
            continue;
        // Only the second byte has narrower bounds: no overlong forms (e0, f0), no surrogates (ed),
        // nothing beyond U+10FFFF (f4).
        uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        int more = first >= 0xc2 && first <= 0xdf   ? 1
                   : first >= 0xe0 && first <= 0xef ? 2
                   : first >= 0xf0 && first <= 0xf4 ? 3
                                                    : 0;
        if (more == 0)
            return false;
        for (; more > 0; more--) {
            if (i == size || at[i] < least || at[i] > most)
                return false;
            i++;
            least = 0x80;
            most = 0xbf;
        }
    }
    return true;
}

static enum result check_value(const struct known *tag, const uint8_t *at, size_t size) {
    if (tag->form == NUMBER) {
        if (size != tag->size)
            return BAD_FIELD;
        uint64_t value = big_endian(at, size);
        return value >= tag->least && value <= tag->most ? OK : BAD_FIELD;
    }
    if (size < tag->least || size > tag->most)
        return BAD_FIELD;
    if (tag->form == ADDRESS)
        return (size == 7 && at[0] == 4) || (size == 19 && at[0] == 6) ? OK : BAD_FIELD;
    return tag->form != WORDS || is_text(at, size) ? OK : BAD_TEXT;
}

static const struct known *find_tag(unsigned number, int in) {
    for (size_t i = 0; i < TAGS; i++)
        if (tags[i].tag == number && (tags[i].in & in) != 0)
            return &tags[i];
    return NULL;
}

static enum result read_fields(const uint8_t *at, size_t left, int in, struct message *message) {
    while (left > 0) {
        if (left < 4)
            return BAD_FIELD;
        unsigned number = (unsigned)big_endian(at, 2);
        size_t size = (size_t)big_endian(at + 2, 2);
        at += 4;
        left -= 4;
        if (size > left)
            return BAD_FIELD;
        const struct known *tag = find_tag(number, in);
        if (tag == NULL && number < 0x8000)
            return BAD_TAG;
        if (tag != NULL) {
            struct field *field = &message->fields[number & 0x7fff];
            if (field->at != NULL)
                return BAD_FIELD;
            enum result result = check_value(tag, at, size);
            if (result != OK)
                return result;
            *field = (struct field){at, size};
        }
        at += size;
        left -= size;
    }
    for (size_t i = 0; i < TAGS; i++)
        if ((tags[i].required & in) != 0 && message->fields[tags[i].tag & 0x7fff].at == NULL)
            return MISSING;
    return OK;
}

enum result read_frame(const uint8_t *frame, size_t size, struct message *message) {
    *message = (struct message){0};
    if (size < HEADER_SIZE)
        return BAD_LENGTH;
    if (memcmp(frame, "BATN", 4) != 0)
        return BAD_MAGIC;
    if (frame[4] != 1)
        return BAD_VERSION;
    if (big_endian(frame + 6, 2) != 0)
        return BAD_FLAGS;
    message->type = frame[5];
    message->connection = (uint32_t)big_endian(frame + 8, 4);
    uint64_t length = big_endian(frame + 12, 4);
    if (length > LONGEST_TO_HANDLER || length != size - HEADER_SIZE)
        return BAD_LENGTH;
    bool about_one = message->type == OFFER || message->type == CANCEL;
    if (!about_one && message->type != DRAIN && message->type != LIMITS)
        return message->type >= 0x80 ? SKIP : BAD_TYPE;
    if (about_one != (message->connection != 0))
        return BAD_CONNECTION;
    int in = message->type == OFFER ? IN_OFFER : message->type == LIMITS ? IN_LIMITS : 0;
    enum result result = read_fields(frame + HEADER_SIZE, (size_t)length, in, message);
    if (result == OK && message->fields[PROTOCOL_INFO].at != NULL)
        return OTHER_SYSTEM;
    return result;
}

uint64_t number_of(const struct message *message, enum tag tag) {
    const struct field *field = &message->fields[tag & 0x7fff];
    return big_endian(field->at, field->size);
}

static void put_big_endian(uint8_t *at, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

void begin_frame(struct frame *frame, enum type type, uint32_t connection) {
    memcpy(frame->bytes, "BATN", 4);
    frame->bytes[4] = 1;
    frame->bytes[5] = (uint8_t)type;
    put_big_endian(frame->bytes + 6, 0, 2);
    put_big_endian(frame->bytes + 8, connection, 4);
    put_big_endian(frame->bytes + 12, 0, 4);
    frame->size = HEADER_SIZE;
}

void put_bytes(struct frame *frame, enum tag tag, const void *value, size_t size) {
    uint8_t *at = frame->bytes + frame->size;
    put_big_endian(at, tag, 2);
    put_big_endian(at + 2, size, 2);
    memcpy(at + 4, value, size);
    frame->size += 4 + size;
    put_big_endian(frame->bytes + 12, frame->size - HEADER_SIZE, 4);
}

void put_number(struct frame *frame, enum tag tag, uint64_t value) {
    uint8_t bytes[8];
    size_t size = tag == REASON || tag == STATUS ? 1 : tag == BYTES_IN || tag == BYTES_OUT ? 8 : 4;
    put_big_endian(bytes, value, size);
    put_bytes(frame, tag, bytes, size);
}

// ---- The vectors ----

static void print_field(FILE *to, enum form form, const struct field *field, uint64_t number) {
    const uint8_t *at = field->at, *end = field->at + field->size;
    if (form == NUMBER) {
        fprintf(to, "%llu", (unsigned long long)number);
    } else if (form == WORDS) {
        for (; at < end; at++)
            fprintf(to, *at <= ' ' || strchr("\\|\x7f", *at) != NULL ? "\\x%02x" : "%c", *at);
    } else {
        if (form == ADDRESS) {
            fprintf(to, "%d:%u:", at[0], (unsigned)big_endian(at + 1, 2));
            at += 3;
        }
        while (at < end)
            fprintf(to, "%02x", *at++);
    }
}

// The meaning of a message, as the vectors have it.
static void print_message(FILE *to, const struct message *message) {
    const char *name = message->type == OFFER    ? "OFFER"
                       : message->type == CANCEL ? "CANCEL"
                       : message->type == DRAIN  ? "DRAIN"
                                                 : "LIMITS";
    fprintf(to, "%s connection=%lu", name, (unsigned long)message->connection);
    for (size_t i = 0; i < TAGS; i++) { // in their order
        const struct field *field = &message->fields[tags[i].tag & 0x7fff];
        if (field->at == NULL)
            continue;
        fprintf(to, " %s=", tags[i].name);
        print_field(to, tags[i].form, field, number_of(message, tags[i].tag));
    }
}

// The bytes of a text in hexadecimal; more than there is room for, or none, are an error.
static bool from_hex(const char *text, uint8_t *to, size_t room, size_t *size) {
    size_t digits = strspn(text, "0123456789abcdef");
    *size = digits / 2;
    if (text[digits] != '\0' || digits % 2 != 0 || *size > room)
        return false;
    for (size_t i = 0; i < *size; i++) {
        const char pair[] = {text[2 * i], text[2 * i + 1], '\0'};
        to[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

enum { NAME, DIRECTION, SYSTEM, RESULT, HEX, MEANING, COLUMNS };

static bool split(char *line, char *columns[COLUMNS]) {
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = line;
        char *end = strstr(line, " | ");
        if (i == MEANING) // which may have anything in it
            return true;
        if (end == NULL)
            return false;
        *end = '\0';
        line = end + 3;
    }
    return false;
}

static bool check_vector(char *const columns[COLUMNS], char *why, size_t room) {
    // A byte more than the longest frame, to see what is too long.
    static uint8_t frame[HEADER_SIZE + LONGEST_TO_HANDLER + 1];
    static char meaning[4 * sizeof frame];
    size_t size = 0;
    if (!from_hex(columns[HEX], frame, sizeof frame, &size)) {
        snprintf(why, room, "this is no frame in hexadecimal");
        return false;
    }
    struct message message;
    enum result result = read_frame(frame, size, &message);
    meaning[0] = '\0';
    if (result == OK) {
        FILE *to = fmemopen(meaning, sizeof meaning, "w");
        if (to == NULL) {
            snprintf(why, room, "%s", strerror(errno));
            return false;
        }
        print_message(to, &message);
        fclose(to);
    }
    snprintf(why, room, "%s %.400s", result_name(result), meaning);
    if (strcmp(columns[SYSTEM], "windows") == 0)
        return result != OK && result != SKIP;
    if (strcmp(columns[RESULT], result_name(result)) != 0)
        return false;
    return result != OK || strcmp(columns[MEANING], meaning) == 0;
}

int check_vectors(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "stranger: %s: %s\n", path, strerror(errno));
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    int count = 0, wrong = 0;
    while (getline(&line, &room, file) >= 0) {
        char *columns[COLUMNS];
        char why[512] = "this is no vector";
        if (line[0] == '#' || line[0] == '\n')
            continue;
        bool right = split(line, columns);
        if (right && strcmp(columns[DIRECTION], "to-handler") != 0)
            continue;
        right = right && check_vector(columns, why, sizeof why);
        count++;
        printf("%s %d - %s\n", right ? "ok" : "not ok", count, columns[NAME]);
        if (!right) {
            printf("# %s\n", why);
            wrong++;
        }
    }
    bool read_all = feof(file) != 0;
    free(line);
    fclose(file);
    printf("1..%d\n", count);
    return wrong == 0 && count > 0 && read_all ? 0 : 1;
}
