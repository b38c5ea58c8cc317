#include "lines.h"

#include "platform/fake/fake.h"

#include <stdio.h>
#include <string.h>

/* Not by strchr() and strncmp(): when they are checked strictly (AddressSanitizer) each call
 * measures the whole log. */
static const char *next_line(const char *line) {
    while (*line != '\0' && *line != '\n') {
        line++;
    }
    return *line == '\0' ? line : line + 1;
}

static bool begins_with(const char *text, const char *start) {
    while (*start != '\0' && *text == *start) {
        text++;
        start++;
    }
    return *start == '\0';
}

/* The value's start, NULL if the line has no such key. Looks between texts in quotes only. */
static const char *find_value(const char *line, const char *key) {
    size_t length = strlen(key);
    bool quoted = false;
    for (const char *at = line; *at != '\0' && *at != '\n'; at++) {
        if (quoted && *at == '\\') {
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        } else if (!quoted && (at == line || at[-1] == ' ') && begins_with(at, key) &&
                   at[length] == '=') {
            return at + length + 1;
        }
    }
    return NULL;
}

bool lines_has(const char *line, const char *key) {
    return find_value(line, key) != NULL;
}

const char *lines_value(const char *line, const char *key) {
    static char texts[4][8192];
    static unsigned turn;
    char *out = texts[turn++ % 4];
    size_t length = 0;
    const char *at = find_value(line, key);
    if (at == NULL) {
        return "";
    }
    bool quoted = *at == '"';
    for (at += quoted ? 1 : 0; length + 2 < sizeof texts[0]; at++) {
        if (*at == '\n' || *at == '\0' || (quoted ? *at == '"' : *at == ' ')) {
            break;
        }
        out[length++] = *at;
        if (quoted && *at == '\\') {
            out[length++] = *++at;
        }
    }
    out[length] = '\0';
    return out;
}

const char *lines_find(const char *event, uint32_t number) {
    for (const char *line = fake_log(); *line != '\0'; line = next_line(line)) {
        if (strcmp(lines_value(line, "event"), event) == 0 && number-- == 0) {
            return line;
        }
    }
    return NULL;
}

uint32_t lines_count(const char *event) {
    uint32_t count = 0;
    for (const char *line = fake_log(); *line != '\0'; line = next_line(line)) {
        count += strcmp(lines_value(line, "event"), event) == 0 ? 1 : 0;
    }
    return count;
}

const char *lines_record(uint64_t id) {
    char wanted[24];
    const char *found = NULL;
    snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)id);
    for (const char *line = fake_log(); *line != '\0'; line = next_line(line)) {
        const char *event = lines_value(line, "event");
        if ((strcmp(event, "connection") == 0 || strcmp(event, "activation") == 0) &&
            strcmp(lines_value(line, "id"), wanted) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = line;
        }
    }
    return found;
}
