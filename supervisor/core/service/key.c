#include "core/service/key.h"

#include "core/base/identity.h"
#include "core/base/text.h"

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
        if ((key_table[i].sections & sections) != 0 &&
            name_matches(key_name(&key_table[i]), name)) {
            return &key_table[i];
        }
    }
    return NULL;
}

unsigned key_sections_of(const char *name) {
    unsigned sections = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        sections |= name_matches(key_name(&key_table[i]), name) ? key_table[i].sections : 0u;
    }
    return sections;
}

const char *key_nearest(const char *name, unsigned sections) {
    size_t best_distance = text_distance_limit(name) + 1;
    const char *best = NULL;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        size_t distance = text_distance(name, key_name(&key_table[i]), best_distance);
        if ((key_table[i].sections & sections) != 0 && distance < best_distance) {
            best_distance = distance;
            best = key_name(&key_table[i]);
        }
    }
    return best;
}

/* Above what any number here may be; as many gigabytes in KiB are still 64 bits. */
#define NUMBER_MAX (1ull << 43)

/* Of sizes, how many bytes "K", "M" and "G" behind a number are; 0 = it is none of these. */
static uint64_t size_unit_bytes(const struct key *key, const char *suffix) {
    static const char units[] = "KMG";
    const char *unit = strchr(units, suffix[0]);
    if (key->type != KEY_TYPE_SIZE || suffix[0] == '\0' || suffix[1] != '\0' || unit == NULL) {
        return suffix[0] == '\0';
    }
    return 1024ull << (10 * (unit - units));
}

/* A word for a limit: `inherited` or `unlimited`. */
static bool parse_limit_word(const struct key *key, const char *value, uint32_t *number) {
    bool same = strcmp(value, "inherited") == 0;
    if (key->type == KEY_TYPE_NUMBER || (!same && strcmp(value, "unlimited") != 0)) {
        return false;
    }
    *number = same ? IDENTITY_SAME : IDENTITY_UNLIMITED;
    return true;
}

static bool parse_number(const struct key *key, const char *value, uint32_t *number,
                         struct key_message *message) {
    bool negative = key->minimum > key->maximum && value[0] == '-';
    const char *text = value + negative;
    size_t digits = strspn(text, "0123456789");
    uint64_t unit_bytes = size_unit_bytes(key, text + digits);
    uint64_t parsed = 0;
    for (size_t i = 0; i < digits && parsed < NUMBER_MAX; i++) {
        parsed = parsed * 10 + (uint64_t)(text[i] - '0');
    }
    if (parsed < NUMBER_MAX && key->type == KEY_TYPE_SIZE) {
        parsed = unit_bytes < 1024 ? parsed / 1024 : parsed * (unit_bytes / 1024);
    }
    uint64_t least = key->minimum > key->maximum ? 0 : key->minimum;
    uint64_t most = negative ? 0u - key->minimum : key->maximum;
    const char *wrong = unit_bytes == 0 || digits == 0    ? "is not a whole number"
                        : text[0] == '0' && digits > 1    ? "has a leading zero"
                        : parsed < least || parsed > most ? "is out of range"
                                                          : NULL;
    if (parse_limit_word(key, value, number)) {
        return true;
    }
    if (wrong != NULL) {
        char limits[2][32];
        text_format(message->text, sizeof message->text, "%s; give %s from %s to %s%s", wrong,
                    key_words(key), key_print_value(key, key->minimum, limits[0], sizeof limits[0]),
                    key_print_value(key, key->maximum, limits[1], sizeof limits[1]),
                    key->type == KEY_TYPE_NUMBER ? "" : ", `unlimited` or `inherited`");
        return false;
    }
    *number = negative ? 0u - (uint32_t)parsed : (uint32_t)parsed;
    return true;
}

static bool parse_boolean(const char *value, uint32_t *number, struct key_message *message) {
    static const char words[][6] = {"no", "yes", "false", "true", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (text_equal_nocase(value, words[i])) {
            *number = (uint32_t)(i % 2);
            return true;
        }
    }
    text_format(message->text, sizeof message->text,
                "is neither yes nor no; give one of yes, no, true, false, on, off");
    return false;
}

/* The word of a choice that is number `index`, and its length; "" = there are not so many. */
static const char *choice_word(const struct key *key, uint32_t index, size_t *length) {
    const char *at = key_words(key);
    for (; index > 0; index--) {
        at += strcspn(at, ",");
        at += strspn(at, ", ");
    }
    *length = strcspn(at, ",");
    return at;
}

static bool parse_choice(const struct key *key, const char *value, uint32_t *number,
                         struct key_message *message) {
    size_t length = 1;
    for (uint32_t i = 0; length > 0; i++) {
        const char *word = choice_word(key, i, &length);
        if (length > 0 && length == strlen(value) && memcmp(word, value, length) == 0) {
            *number = i;
            return true;
        }
    }
    text_format(message->text, sizeof message->text, "is not known here; give one of %s",
                key_words(key));
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
        text_format(
            message->text, sizeof message->text,
            "gives no permissions; write three octal digits for owner, group and others, as in "
            "0%03lo",
            (unsigned long)key->default_number);
        return false;
    }
    *number = parsed;
    return true;
}

bool key_is_number(const struct key *key) {
    return key->type == KEY_TYPE_NUMBER || key->type == KEY_TYPE_LIMIT ||
           key->type == KEY_TYPE_SIZE || key->type == KEY_TYPE_PERMISSIONS ||
           key->type == KEY_TYPE_BOOLEAN || key->type == KEY_TYPE_CHOICE;
}

/* What a parser leaves in `message` is what comes behind the value. */
static bool parse(const struct key *key, const char *value, uint32_t *number,
                  struct key_message *message) {
    switch (key->type) {
    case KEY_TYPE_PERMISSIONS:
        return parse_permissions(key, value, number, message);
    case KEY_TYPE_BOOLEAN:
        return parse_boolean(value, number, message);
    case KEY_TYPE_CHOICE:
        return parse_choice(key, value, number, message);
    default:
        return parse_number(key, value, number, message);
    }
}

bool key_parse(const struct key *key, const char *value, uint32_t *number,
               struct key_message *message) {
    struct key_message wrong;
    if (parse(key, value, number, &wrong)) {
        return true;
    }
    text_format(message->text, sizeof message->text, "`%s` %.240s", text_excerpt(value).text,
                wrong.text);
    return false;
}

/* A kind of bits of `modes`, and what messages call them. */
struct mode_word {
    uint8_t bit;
    char word[9];
};

static const struct mode_word mode_words[] = {
    {KEY_MODE_CHANNEL, "channel"},   {KEY_MODE_STDIO, "stdio"}, {KEY_MODE_PUMP, "pump"},
    {KEY_MODE_LISTENER, "listener"}, {KEY_MODE_UDP, "udp"},     {0, ""}};
static const struct mode_word over_words[] = {
    {KEY_OVER_TCP, "tcp"}, {KEY_MODE_UDP, "udp"}, {KEY_OVER_UNIX, "unix"}, {0, ""}};

/* Says it if `mode` has a bit of `words` that the key has not. */
static bool print_misfit(const struct key *key, unsigned mode, const struct mode_word *words,
                         struct key_message *message) {
    const char *kind = words == over_words ? "protocol" : "mode";
    const char *own = NULL;
    size_t used = 0;
    bool is_first = true;
    for (size_t i = 0; words[i].bit != 0; i++) {
        own = (mode & ~(unsigned)key->modes & words[i].bit) != 0 ? words[i].word : own;
    }
    if (own == NULL) {
        return false;
    }
    used = (size_t)text_format(
        message->text, sizeof message->text,
        "cannot be honoured %s %s %s; leave it out, or take one of the %ss that can:",
        words == over_words ? "with" : "in", kind, own, kind);
    for (size_t i = 0; words[i].bit != 0 && used < sizeof message->text; i++) {
        if ((key->modes & words[i].bit) != 0) {
            used += (size_t)text_format(message->text + used, sizeof message->text - used, "%s %s",
                                        is_first ? "" : ",", words[i].word);
            is_first = false;
        }
    }
    if (key == &key_table[KEY_IDLE_TIMEOUT] && used < sizeof message->text) {
        text_format(message->text + used, sizeof message->text - used,
                    " (elsewhere nobody but the handler sees the bytes)");
    }
    return true;
}

void key_print_misfit(const struct key *key, unsigned mode, struct key_message *message) {
    /* UDP is both a mode and a protocol; blame what there is to choose. */
    bool is_over =
        (key->modes & KEY_MODE_LISTENER) != 0 && print_misfit(key, mode, over_words, message);
    if (!is_over && !print_misfit(key, mode, mode_words, message)) {
        (void)print_misfit(key, mode, over_words, message);
    }
}

char *key_print_value(const struct key *key, uint32_t number, char *out, size_t size_bytes) {
    if (key->type == KEY_TYPE_CHOICE) {
        size_t length = 0;
        const char *word = choice_word(key, number, &length);
        text_format(out, size_bytes, "%.*s", (int)length, word);
    } else if (key->type == KEY_TYPE_BOOLEAN) {
        text_format(out, size_bytes, "%s", number != 0 ? "yes" : "no");
    } else if (key->type == KEY_TYPE_PERMISSIONS) {
        text_format(out, size_bytes, "0%03lo", (unsigned long)number);
    } else if (key->type != KEY_TYPE_NUMBER && number >= IDENTITY_UNLIMITED) {
        text_format(out, size_bytes, "%s", number == IDENTITY_SAME ? "inherited" : "unlimited");
    } else if (key->minimum > key->maximum) {
        text_format(out, size_bytes, "%ld", (long)(int32_t)number);
    } else {
        bool is_size = key->type == KEY_TYPE_SIZE && number > 0;
        unsigned unit = 0;
        for (; is_size && unit < 2 && number % 1024 == 0; unit++) {
            number /= 1024;
        }
        text_format(out, size_bytes, "%lu%.*s", (unsigned long)number, is_size ? 1 : 0,
                    &"KMG"[unit]);
    }
    return out;
}
