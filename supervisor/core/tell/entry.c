#include "core/tell/entry.h"

#include "core/base/text.h"

#include <string.h>

static const struct {
    unsigned short number;
    unsigned char level;
    char event[17];
} rows[] = {
#define ENTRY_ROW(name, number, level, event) {number, level, event},
    ENTRY_LIST(ENTRY_ROW)
#undef ENTRY_ROW
};

/* What stands behind the line. */
#define LEFT_OUT_BYTES 96u

unsigned entry_number(enum entry entry) {
    return rows[entry].number;
}

enum log_level entry_level(enum entry entry) {
    return (enum log_level)rows[entry].level;
}

enum entry entry_of_line(const char *event) {
    unsigned i = 0;
    while (i < ENTRY_COUNT && strcmp(rows[i].event, event) != 0) {
        i++;
    }
    return i < ENTRY_COUNT && event[0] != '\0' ? (enum entry)i : ENTRY_NONE;
}

bool entry_passes(struct entry_counts *counts, enum entry entry, uint64_t now_us,
                  uint64_t *left_out_count) {
    const struct rate_limit limit = {
        .count = ENTRY_PERIOD_COUNT, .period_s = ENTRY_PERIOD_S, .burst_count = ENTRY_PERIOD_COUNT};
    *left_out_count = counts->left_out_counts[entry];
    bool passes = rate_passes(&counts->rates[entry], &limit, now_us);
    counts->left_out_counts[entry] = passes ? 0 : *left_out_count + 1;
    return passes;
}

/* How many bytes a colour takes at `at`; 0 = there is none. The escape itself stands for nothing
 * else in a line. */
static size_t colour_bytes(const char *at, const char *end) {
    const char *last = *at == '\x1b' ? memchr(at, 'm', (size_t)(end - at)) : NULL;
    return last == NULL ? 0 : (size_t)(last - at) + 1;
}

size_t entry_write(const struct record *line, uint64_t left_out_count, char out[ENTRY_TEXT_BYTES]) {
    const size_t room_bytes = ENTRY_TEXT_BYTES - LEFT_OUT_BYTES;
    const char *at = line->bytes + line->start;
    const char *end = line->bytes + line->length;
    size_t length = 0;
    while (at < end && *at != '\n') {
        size_t step = colour_bytes(at, end);
        if (step > 0) {
            at += step;
            continue;
        }
        step = text_utf8_length(at, (size_t)(end - at));
        step = step > 0 ? step : 1;
        const char *put = *at == '%' ? "\\x25" : at;
        size_t put_bytes = *at == '%' ? 4 : step;
        if (length + put_bytes > room_bytes) {
            break;
        }
        memcpy(out + length, put, put_bytes);
        length += put_bytes;
        at += step;
    }
    out[length] = '\0';
    if (left_out_count > 0) {
        length += (size_t)text_format(out + length, LEFT_OUT_BYTES,
                                      "\r\n\r\nof this kind left out since the last one: %lu",
                                      (unsigned long)left_out_count);
    }
    return length;
}
