#include "conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 2048, TEXT_BYTES = 8192 };

static FILE *file;
static unsigned line_number;
static struct conversation now;
static char header[LINE_BYTES]; /* the line that begins the next one */
static char text[TEXT_BYTES];   /* the words of this one */
static size_t text_length;

size_t conversation_text(const char *word, char *out, size_t size) {
    size_t length = 0;
    while (*word != '\0') {
        assert_true(length < size);
        if (word[0] == '\\' && word[1] == 'n') {
            out[length++] = '\n';
            word += 2;
        } else if (word[0] == '\\' && word[1] == 'x') {
            const char hex[] = {word[2], word[3], '\0'};
            out[length++] = (char)strtoul(hex, NULL, 16);
            word += 4;
        } else {
            out[length++] = *word++;
        }
    }
    return length;
}

void conversations_open(void) {
    const char *root = getenv("BATON_SOURCE_DIR");
    char path[1024];
    snprintf(path, sizeof path, "%s/test/golden/wire/conversations.txt", root == NULL ? "." : root);
    file = fopen(path, "rb");
    assert_non_null(file);
    line_number = 0;
    header[0] = '\0';
}

void conversations_close(void) {
    fclose(file);
}

/* Where the word ends; its quotes are taken off. */
static char *end_of_word(char *at) {
    char *out = at;
    bool quoted = false;
    for (; *at != '\0' && (quoted || strchr(" \r\n", *at) == NULL); at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else {
            *out++ = *at;
        }
    }
    assert_false(quoted);
    char *end = *at == '\0' ? at : at + 1;
    *out = '\0';
    return end;
}

/* Takes a line apart. The words live as long as `line`. */
static void take_apart(char *line, struct conversation_step *step) {
    *step = (struct conversation_step){.line = line_number};
    for (;;) {
        line += strspn(line, " \r\n");
        if (*line == '\0' || *line == '#') {
            return;
        }
        assert_true(step->word_count < CONVERSATION_WORDS_MAX);
        step->words[step->word_count++] = line;
        line = end_of_word(line);
    }
}

static void add(const struct conversation_step *step) {
    const char *word = step->words[0], *value = step->words[1];
    if (word == NULL || value == NULL) {
        assert_null(word);
        return;
    }
    if (strcmp(word, "tests") == 0) {
        now.tests = value;
    } else if (strcmp(word, "system") == 0) {
        now.system = value;
    } else if (strcmp(word, "reuse") == 0) {
        now.reuse_count = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(word, "needs") == 0) {
        for (size_t i = 1; i < step->word_count; i++) {
            now.needs_other = now.needs_other || step->words[i][0] == '!';
        }
    } else {
        assert_true(now.step_count < CONVERSATION_STEPS_MAX);
        now.steps[now.step_count++] = *step;
    }
}

/* Keeps the line's bytes, as long as the conversation lives. */
static char *keep(const char *line) {
    size_t length = strlen(line) + 1;
    assert_true(text_length + length <= TEXT_BYTES);
    char *kept = memcpy(text + text_length, line, length);
    text_length += length;
    return kept;
}

static void begin(void) {
    struct conversation_step step;
    text_length = 0;
    take_apart(keep(header), &step);
    now = (struct conversation){.name = step.words[1], .tests = "", .system = ""};
    header[0] = '\0';
}

struct conversation *conversations_next(void) {
    char line[LINE_BYTES];
    bool has_begun = header[0] != '\0';
    if (has_begun) {
        begin();
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line_number++;
        assert_non_null(strchr(line, '\n'));
        if (strncmp(line, "conversation ", 13) == 0) {
            snprintf(header, sizeof header, "%s", line);
            if (has_begun) {
                return &now;
            }
            begin();
            has_begun = true;
            continue;
        }
        struct conversation_step step;
        if (has_begun && line[strspn(line, " \r\n")] != '#') {
            take_apart(keep(line), &step);
            add(&step);
        }
    }
    return has_begun ? &now : NULL;
}

bool conversation_has_word(const struct conversation *conversation, const char *word) {
    for (size_t i = 0; i < conversation->step_count; i++) {
        for (size_t k = 0; k < conversation->steps[i].word_count; k++) {
            if (strcmp(conversation->steps[i].words[k], word) == 0) {
                return true;
            }
        }
    }
    return false;
}
