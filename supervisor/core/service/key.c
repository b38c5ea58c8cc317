#include "core/service/key.h"

#include <stdio.h>
#include <string.h>

/* "interpreter.EXT" stands for "interpreter." and at least one name character. */
static bool name_matches(const char *row_name, const char *name) {
    if (!text_ends_with(row_name, ".EXT", false)) {
        return strcmp(row_name, name) == 0;
    }
    size_t stem_length = strlen(row_name) - strlen("EXT");
    if (strncmp(row_name, name, stem_length) != 0 || name[stem_length] == '\0') {
        return false;
    }
    for (const char *at = name + stem_length; *at != '\0'; at++) {
        if (!text_is_name_char(*at)) {
            return false;
        }
    }
    return true;
}

const struct key *key_find(const char *name, unsigned sections) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if ((key_table[i].sections & sections) != 0 && name_matches(key_table[i].name, name)) {
            return &key_table[i];
        }
    }
    return NULL;
}

const char *key_nearest(const char *name, unsigned sections) {
    size_t best_distance = text_distance_limit(name) + 1;
    const char *best = NULL;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        size_t distance = text_distance(name, key_table[i].name, best_distance);
        if ((key_table[i].sections & sections) != 0 && distance < best_distance) {
            best_distance = distance;
            best = key_table[i].name;
        }
    }
    return best;
}

static bool parse_number(const struct key *key, const char *value, uint32_t *number,
                         struct key_message *message) {
    uint32_t parsed = 0;
    size_t digits = strspn(value, "0123456789");
    const char *wrong = value[digits] != '\0' || digits == 0 ? "is not a whole number"
                        : value[0] == '0' && digits > 1      ? "has a leading zero"
                                                             : NULL;
    if (wrong == NULL &&
        (!text_parse_number(value, &parsed) || parsed < key->minimum || parsed > key->maximum)) {
        wrong = "is out of range";
    }
    if (wrong != NULL) {
        snprintf(message->text, sizeof message->text, "`%s` %s; give %s from %lu to %lu",
                 text_excerpt(value).text, wrong, key->unit, (unsigned long)key->minimum,
                 (unsigned long)key->maximum);
        return false;
    }
    *number = parsed;
    return true;
}

static bool parse_boolean(const char *value, uint32_t *number, struct key_message *message) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (text_equal_nocase(value, words[i])) {
            *number = (uint32_t)(i % 2);
            return true;
        }
    }
    snprintf(message->text, sizeof message->text,
             "`%s` is neither yes nor no; give one of "
             "yes, no, true, false, on, off",
             text_excerpt(value).text);
    return false;
}

static bool parse_choice(const struct key *key, const char *value, uint32_t *number,
                         struct key_message *message) {
    size_t used = 0;
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        if (strcmp(value, key->choices[i]) == 0) {
            *number = (uint32_t)i;
            return true;
        }
    }
    used = (size_t)snprintf(message->text, sizeof message->text,
                            "`%s` is not known here; give "
                            "one of",
                            text_excerpt(value).text);
    for (size_t i = 0; key->choices[i] != NULL && used < sizeof message->text; i++) {
        used += (size_t)snprintf(message->text + used, sizeof message->text - used, "%s %s",
                                 i > 0 ? "," : "", key->choices[i]);
    }
    return false;
}

static bool parse_permissions(const struct key *key, const char *value, uint32_t *number,
                              struct key_message *message) {
    uint32_t parsed = 0;
    size_t digits = strspn(value, "01234567");
    for (size_t i = 0; i < digits && parsed <= key->maximum; i++) {
        parsed = parsed * 8 + (uint32_t)(value[i] - '0');
    }
    if (value[digits] != '\0' || digits < 3 || parsed > key->maximum) {
        snprintf(message->text, sizeof message->text,
                 "`%s` gives no permissions; write three octal digits for owner, group and "
                 "others, as in 0660",
                 text_excerpt(value).text);
        return false;
    }
    *number = parsed;
    return true;
}

bool key_is_number(const struct key *key) {
    return key->type == KEY_TYPE_NUMBER || key->type == KEY_TYPE_PERMISSIONS ||
           key->type == KEY_TYPE_BOOLEAN || key->type == KEY_TYPE_CHOICE;
}

bool key_parse(const struct key *key, const char *value, uint32_t *number,
               struct key_message *message) {
    switch (key->type) {
    case KEY_TYPE_NUMBER:
        return parse_number(key, value, number, message);
    case KEY_TYPE_PERMISSIONS:
        return parse_permissions(key, value, number, message);
    case KEY_TYPE_BOOLEAN:
        return parse_boolean(value, number, message);
    case KEY_TYPE_CHOICE:
        return parse_choice(key, value, number, message);
    default:
        snprintf(message->text, sizeof message->text, "is not a number or a choice");
        return false;
    }
}

/* A kind of bits of `modes`, and what messages call them. */
struct mode_word {
    unsigned bit;
    const char *word;
};

static const struct mode_word mode_words[] = {
    {KEY_MODE_CHANNEL, "channel"},   {KEY_MODE_STDIO, "stdio"}, {KEY_MODE_PUMP, "pump"},
    {KEY_MODE_LISTENER, "listener"}, {KEY_MODE_UDP, "udp"},     {0, NULL}};
static const struct mode_word over_words[] = {
    {KEY_OVER_TCP, "tcp"}, {KEY_MODE_UDP, "udp"}, {KEY_OVER_UNIX, "unix"}, {0, NULL}};

/* Says it if `mode` has a bit of `words` that the key has not. */
static bool fits(const struct key *key, unsigned mode, const struct mode_word *words,
                 const char *kind, struct key_message *message) {
    const char *own = NULL;
    size_t used = 0;
    for (size_t i = 0; words[i].word != NULL; i++) {
        bool lacks = (mode & words[i].bit) != 0 && (key->modes & words[i].bit) == 0;
        own = lacks ? words[i].word : own;
    }
    if (own == NULL) {
        return true;
    }
    used = (size_t)snprintf(
        message->text, sizeof message->text,
        "cannot be honoured %s %s %s; leave it out, or take one of the %ss that can:",
        words == over_words ? "with" : "in", kind, own, kind);
    for (size_t i = 0; words[i].word != NULL && used < sizeof message->text; i++) {
        if ((key->modes & words[i].bit) != 0) {
            used += (size_t)snprintf(message->text + used, sizeof message->text - used, " %s",
                                     words[i].word);
        }
    }
    if (key == &key_table[KEY_IDLE_TIMEOUT] && used < sizeof message->text) {
        snprintf(message->text + used, sizeof message->text - used,
                 " (elsewhere nobody but the handler sees the bytes)");
    }
    return false;
}

bool key_fits_mode(const struct key *key, unsigned mode, struct key_message *message) {
    /* UDP is both a mode and a protocol; blame what there is to choose. */
    if ((key->modes & KEY_MODE_LISTENER) != 0) {
        return fits(key, mode, over_words, "protocol", message) &&
               fits(key, mode, mode_words, "mode", message);
    }
    return fits(key, mode, mode_words, "mode", message) &&
           fits(key, mode, over_words, "protocol", message);
}

char *key_print_value(const struct key *key, uint32_t number, char *out, size_t size_bytes) {
    if (key->type == KEY_TYPE_CHOICE) {
        snprintf(out, size_bytes, "%s", key->choices[number]);
    } else if (key->type == KEY_TYPE_BOOLEAN) {
        snprintf(out, size_bytes, "%s", number != 0 ? "yes" : "no");
    } else if (key->type == KEY_TYPE_PERMISSIONS) {
        snprintf(out, size_bytes, "0%03lo", (unsigned long)number);
    } else {
        snprintf(out, size_bytes, "%lu", (unsigned long)number);
    }
    return out;
}
