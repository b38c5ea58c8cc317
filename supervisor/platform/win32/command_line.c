/*
 * argv as one command line, such that CommandLineToArgvW and the C runtimes take it apart into the
 * same texts. They disagree on two quotes in a row and on quotes in argv[0], so neither is written.
 * https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw
 * https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
 */
#include "program.h"

#include <wchar.h>

static void put(struct command_line *line, wchar_t character) {
    if (line->length + 1 >= COMMAND_LINE_MAX) {
        line->too_long = true;
        return;
    }
    line->text[line->length++] = character;
}

static void put_backslashes(struct command_line *line, size_t count) {
    while (count-- > 0) {
        put(line, L'\\');
    }
}

/* argv[0] has no escapes: it ends at the next quote if it starts with one, else at the next
 * character up to a blank. */
static int put_program(struct command_line *line, const wchar_t *name) {
    size_t length = wcslen(name);
    bool quoted = length == 0;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == L'"') {
            return BATON_INVALID;
        }
        quoted = quoted || name[i] <= L' ';
    }
    if (quoted && length > 0 && name[length - 1] == L'\\') {
        return BATON_INVALID;
    }
    if (quoted) {
        put(line, L'"');
    }
    for (size_t i = 0; i < length; i++) {
        put(line, name[i]);
    }
    if (quoted) {
        put(line, L'"');
    }
    return BATON_OK;
}

/* Blanks separate; and some runtimes expand * and ? in what is not quoted. */
static bool needs_quotes(const wchar_t *argument) {
    return argument[0] == L'\0' || wcspbrk(argument, L" \t\n\v\r\f*?[") != NULL;
}

/* Backslashes are doubled where a quote follows, and only there. */
static void put_argument(struct command_line *line, const wchar_t *argument) {
    bool quoted = needs_quotes(argument);
    size_t backslash_count = 0;
    if (quoted) {
        put(line, L'"');
    }
    for (; *argument != L'\0'; argument++) {
        if (*argument == L'\\') {
            backslash_count++;
            continue;
        }
        if (*argument == L'"') {
            put_backslashes(line, 2 * backslash_count + 1);
        } else {
            put_backslashes(line, backslash_count);
        }
        backslash_count = 0;
        put(line, *argument);
    }
    put_backslashes(line, quoted ? 2 * backslash_count : backslash_count);
    if (quoted) {
        put(line, L'"');
    }
}

int win32_command_line_write(const char *const *argv, struct command_line *line) {
    int code = argv[0] == NULL ? BATON_INVALID : BATON_OK;
    line->length = 0;
    line->too_long = false;
    for (size_t i = 0; code == BATON_OK && argv[i] != NULL; i++) {
        code = win32_text_to_room(argv[i], line->argument, COMMAND_LINE_MAX);
        if (code == BATON_OK && i == 0) {
            code = put_program(line, line->argument);
        } else if (code == BATON_OK) {
            put(line, L' ');
            put_argument(line, line->argument);
        }
        if (code == BATON_OK && line->too_long) {
            code = BATON_TOO_LONG;
        }
    }
    line->text[line->length] = L'\0';
    return code;
}
