#include "core/base/text.h"
#include "core/control/control.h"

#include <string.h>

#define VERSION_TEXT "1 "

/* Names one behind the other, as text_nth() takes them. */
static const char names[] =
#define VERB_NAME(id, name, least, most) name "\0"
    CONTROL_VERB_TABLE(VERB_NAME)
#undef VERB_NAME
    ;

/* How many words each may have: the least, the most. */
static const uint8_t counts[][2] = {
#define VERB_COUNTS(id, name, least, most) {least, most},
    CONTROL_VERB_TABLE(VERB_COUNTS)
#undef VERB_COUNTS
};

static bool find_verb(const char *name, enum control_verb *out) {
    unsigned verb = 0;
    while (verb < CONTROL_VERB_COUNT && strcmp(text_nth(names, verb), name) != 0) {
        verb++;
    }
    *out = (enum control_verb)verb;
    return verb < CONTROL_VERB_COUNT;
}

/* Cuts `line` into words, the first of which is the verb. More than fit are counted all the same.
 * Returns how many; 0 where one is empty. */
static size_t cut(char *line, const char *words[CONTROL_WORDS_MAX + 1]) {
    size_t count = 0;
    bool more = true;
    while (more) {
        size_t length = strcspn(line, " ");
        more = line[length] == ' ';
        line[length] = '\0';
        if (length == 0) {
            return 0;
        }
        if (count <= CONTROL_WORDS_MAX) {
            words[count] = line;
        }
        count++;
        line += length + 1;
    }
    return count;
}

enum control_code control_parse(char *line, size_t length, struct control_request *out) {
    const char *words[CONTROL_WORDS_MAX + 1];
    size_t where;
    const size_t version_bytes = sizeof VERSION_TEXT - 1;
    *out = (struct control_request){0};
    if (text_check(line, length, &where) != TEXT_FINE || memchr(line, '\t', length) != NULL) {
        return CONTROL_NOT_TEXT;
    }
    line[length] = '\0';
    if (length == 0 || line[0] == ' ') {
        return CONTROL_SYNTAX;
    }
    if (strncmp(line, VERSION_TEXT, version_bytes) != 0) {
        return CONTROL_VERSION;
    }
    size_t count = cut(line + version_bytes, words);
    if (count == 0) {
        return CONTROL_SYNTAX;
    }
    if (!find_verb(words[0], &out->verb)) {
        return CONTROL_UNKNOWN_VERB;
    }
    out->word_count = count - 1;
    if (out->word_count < counts[out->verb][0] || out->word_count > counts[out->verb][1]) {
        return CONTROL_WORD_COUNT;
    }
    memcpy(out->words, words + 1, out->word_count * sizeof *words);
    return CONTROL_OK;
}
