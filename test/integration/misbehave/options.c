#include "options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool parse_step(const char *text, enum step *out) {
    static const char *const names[] = {"never", "start", "hello", "offer", "ack", "done"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum step)i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, uint32_t *out) {
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    *out = (uint32_t)value;
    return end != text && *end == '\0' && value <= UINT32_MAX;
}

static bool parse_flag(const char *name, struct options *out) {
    if (strcmp(name, "--child") == 0) {
        out->child = true;
    } else if (strcmp(name, "--escape") == 0) {
        out->escape = true;
    } else if (strcmp(name, "--ignore-terminate") == 0) {
        out->ignore_terminate = true;
    } else {
        return false;
    }
    return true;
}

static bool parse_value(const char *name, const char *value, struct options *out) {
    if (strcmp(name, "--at") == 0) {
        return parse_step(value, &out->at);
    }
    if (strcmp(name, "--times") == 0) {
        return parse_number(value, &out->times_count);
    }
    if (strcmp(name, "--capacity") == 0) {
        return parse_number(value, &out->capacity);
    }
    if (strcmp(name, "--do") == 0) {
        out->act = value;
    } else if (strcmp(name, "--count") == 0) {
        out->count_file = value;
    } else if (strcmp(name, "--serve") == 0) {
        out->serve = value;
    } else if (strcmp(name, "--write") == 0) {
        out->write = value;
    } else {
        return false;
    }
    return true;
}

bool options_parse(int argc, char **argv, struct options *out) {
    *out =
        (struct options){.at = STEP_NEVER, .act = "", .serve = "line", .write = "", .capacity = 1};
    for (int i = 1; i < argc; i++) {
        if (parse_flag(argv[i], out)) {
            continue;
        }
        if (i + 1 >= argc || !parse_value(argv[i], argv[i + 1], out)) {
            return false;
        }
        i++;
    }
    return out->times_count == 0 || out->count_file != NULL;
}
