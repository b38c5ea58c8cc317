#include "ctl/lines.h"

#include <string.h>

char *ctl_lines_room(struct ctl_lines *lines, size_t *room_bytes) {
    memmove(lines->bytes, lines->bytes + lines->taken, lines->used - lines->taken);
    lines->used -= lines->taken;
    lines->taken = 0;
    *room_bytes = sizeof lines->bytes - lines->used;
    return lines->bytes + lines->used;
}

void ctl_lines_add(struct ctl_lines *lines, size_t count) {
    lines->used += count;
}

const char *ctl_lines_next(struct ctl_lines *lines, size_t *length) {
    char *line = lines->bytes + lines->taken;
    char *end = memchr(line, '\n', lines->used - lines->taken);
    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    *length = (size_t)(end - line);
    lines->taken += *length + 1;
    return line;
}

size_t ctl_lines_rest(const struct ctl_lines *lines) {
    return lines->used - lines->taken;
}
