#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_wire_vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTORS_LEAST_COUNT = 80, LINE_BYTES = 65536 };

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
add(char *out, const char *format, ...) {
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out + used, MEANING_BYTES - used, format, arguments);
    va_end(arguments);
    assert_in_range(length, 0, MEANING_BYTES - used - 1);
}

static void add_hex(char *out, const char *name, const uint8_t *bytes, size_t length) {
    add(out, "%s", name);
    for (size_t i = 0; i < length; i++)
        add(out, "%02x", bytes[i]);
}

static void add_text(char *out, const char *name, struct wire_text text) {
    if (text.length > 0)
        add(out, " %s=", name);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        bool is_escaped = byte <= ' ' || strchr("\\|\x7f", byte) != NULL;
        add(out, is_escaped ? "\\x%02x" : "%c", byte);
    }
}

static void add_address(char *out, const char *name, const struct wire_address *address) {
    if (address->family == 0)
        return;
    add(out, " %s=%u:%u", name, address->family, address->port);
    add_hex(out, ":", address->bytes, address->family == 4 ? 4 : 16);
}

void print_meaning(const struct wire_message *message, char out[MEANING_BYTES]) {
    out[0] = '\0';
    add(out, "%s connection=%" PRIu32, wire_type_name(message->type), message->connection);
    if (message->nonce != NULL)
        add_hex(out, " nonce=", message->nonce, WIRE_NONCE_BYTES);
    if (message->has_pid)
        add(out, " pid=%" PRIu32, message->pid);
    if (message->capacity != 0)
        add(out, " capacity=%" PRIu32, message->capacity);
    add_text(out, "sdk", message->sdk);
    if (message->reason != 0)
        add(out, " reason=%u", message->reason);
    if (message->type == WIRE_DONE)
        add(out, " status=%u", message->status);
    if (message->has_bytes_in)
        add(out, " bytes_in=%" PRIu64, message->bytes_in);
    if (message->has_bytes_out)
        add(out, " bytes_out=%" PRIu64, message->bytes_out);
    add_text(out, "text", message->text);
    add_text(out, "service", message->service);
    if (message->kind != 0)
        add(out, " kind=%u", message->kind);
    add_address(out, "peer", &message->peer);
    add_address(out, "local", &message->local);
    if (message->type == WIRE_OFFER)
        add(out, " accepted_us=%" PRIu64 " id=%" PRIu64, message->accepted_us, message->id);
    if (message->protocol_info != NULL)
        add_hex(out, " protocol_info=", message->protocol_info, WIRE_PROTOCOL_INFO_BYTES);
    if (message->has_peer_count)
        add(out, " peer_count=%" PRIu32, message->peer_count);
    add_address(out, "via", &message->via);
    add_text(out, "path", message->path);
    if (message->has_peer_uid)
        add(out, " peer_uid=%" PRIu32, message->peer_uid);
    if (message->has_peer_pid)
        add(out, " peer_pid=%" PRIu32, message->peer_pid);
    if (message->type == WIRE_LIMITS)
        add(out, " handshake_ms=%" PRIu32 " stop_ms=%" PRIu32 " reuse=%" PRIu32,
            message->handshake_ms, message->stop_ms, message->reuse);
    if (message->has_cpu_us)
        add(out, " cpu_us=%" PRIu64, message->cpu_us);
    if (message->has_memory_peak_kib)
        add(out, " memory_peak_kib=%" PRIu32, message->memory_peak_kib);
}

const char *result_name(enum wire_result result) {
    static const struct {
        enum wire_result result;
        const char *name;
    } names[] = {{WIRE_OK, "OK"},
                 {WIRE_BAD_MAGIC, "BAD_MAGIC"},
                 {WIRE_BAD_VERSION, "BAD_VERSION"},
                 {WIRE_BAD_FLAGS, "BAD_FLAGS"},
                 {WIRE_BAD_TYPE, "BAD_TYPE"},
                 {WIRE_BAD_LENGTH, "BAD_LENGTH"},
                 {WIRE_BAD_CONNECTION, "BAD_CONNECTION"},
                 {WIRE_BAD_FIELD, "BAD_FIELD"},
                 {WIRE_BAD_TAG, "BAD_TAG"},
                 {WIRE_MISSING, "MISSING"},
                 {WIRE_BAD_TEXT, "BAD_TEXT"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].result == result)
            return names[i].name;
    return "?";
}

static size_t parse_hex(const char *text, unsigned char *out) {
    size_t length = strlen(text) / 2;
    assert_in_range(length, 0, VECTOR_BYTES);
    for (size_t i = 0; i < length; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (unsigned char)byte;
    }
    return length;
}

/* Cuts the next column off `*rest`. */
static const char *column(char **rest) {
    char *start = *rest;
    char *end = strstr(start, " | ");
    if (end == NULL) {
        end = start + strcspn(start, "\r\n");
        *rest = end;
    } else {
        *rest = end + strlen(" | ");
    }
    *end = '\0';
    return start;
}

static void copy_column(char *out, size_t size, char **line) {
    const char *text = column(line);
    size_t length = strlen(text);
    assert_in_range(length, 1, size - 1);
    memcpy(out, text, length + 1);
}

static void parse_line(char *line, struct vector *vector) {
    copy_column(vector->name, sizeof vector->name, &line);
    const char *direction = column(&line);
    vector->sender =
        strcmp(direction, "to-handler") == 0 ? WIRE_FROM_SUPERVISOR : WIRE_FROM_HANDLER;
    if (vector->sender == WIRE_FROM_HANDLER)
        assert_string_equal(direction, "to-supervisor");
    copy_column(vector->system, sizeof vector->system, &line);
    copy_column(vector->result, sizeof vector->result, &line);
    vector->length = parse_hex(column(&line), vector->frame);
    snprintf(vector->meaning, sizeof vector->meaning, "%s", column(&line));
}

void for_each_vector(void (*check)(const struct vector *vector)) {
    static struct vector vector;
    static char line[LINE_BYTES];
    char path[1024];
    size_t count = 0;
    const char *root = getenv("BATON_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/test/golden/wire/vectors.txt", root != NULL ? root : ".");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[0] == '\n' || line[0] == '\r')
            continue;
        parse_line(line, &vector);
        check(&vector);
        count++;
    }
    fclose(file);
    assert_true(count >= VECTORS_LEAST_COUNT);
}
