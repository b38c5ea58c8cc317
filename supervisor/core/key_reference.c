/* conf/KEYS.md, from the table. */
#include "core/key.h"

#include <stdio.h>

static const char introduction[] =
    "# The keys of the config\n"
    "\n"
    "This page is printed from the supervisor's own table of keys; a test keeps the two equal.\n"
    "\n"
    "## Sections\n"
    "\n"
    "- `[ports]`: one line per service, `PORT = HANDLER ARGUMENTS`. The service is named by the\n"
    "  handler's file name without its ending; where several have the same name, all of them get\n"
    "  their port appended (`ok-7777`, `ok-7778`).\n"
    "- `[defaults]`: keys of a service, for every service that does not say otherwise, those of\n"
    "  `[ports]` included.\n"
    "- `[supervisor]`: keys of the process itself.\n"
    "- Any other section is one service and gives it its name: 1 to 48 letters, digits, `.`, `_`,\n"
    "  `-`, beginning with a letter or digit.\n"
    "\n"
    "## Form\n"
    "\n"
    "A file that ends in `.ini` has lines `KEY = VALUE` under `[SECTION]`. A comment has a line "
    "of\n"
    "its own, which begins with `;` or `#`. Lines are not indented, not continued, and at most "
    "4096\n"
    "bytes long; the text is UTF-8.\n"
    "\n"
    "A file that ends in `.yaml` or `.yml` has the same sections and keys: a mapping of sections,\n"
    "each a mapping of keys to texts. A value means what it says (`0777`, `22:22` and `on` are\n"
    "texts, not YAML's numbers and truths). Lists, anchors, aliases and tags are refused. YAML "
    "takes\n"
    "off its own quotes first, so a value with quotes of its own is best put into single quotes:\n"
    "`handler: 'echo \"two words\"'`.\n"
    "\n"
    "In both, a value has at most 4096 bytes, a file at most 1 MiB and 1024 services. Every "
    "mistake\n"
    "is reported with its line, all of them at once.\n"
    "\n"
    "A path may stand in quotes. A relative one starts at the config file's own folder.\n"
    "\n"
    "## Commands\n"
    "\n"
    "Blanks separate words. In `'...'` everything stands for itself. In `\"...\"` a backslash "
    "before\n"
    "`\"` or `\\` makes that character stand for itself; every other backslash is just a "
    "backslash,\n"
    "and so is each one outside quotes. So `C:\\tools\\x.exe` and `\"C:\\Program Files\\x.exe\"` "
    "work as\n"
    "they are; a network path with blanks goes into single quotes: `'\\\\server\\my "
    "share\\x.exe'`.\n"
    "Nothing else is special: no variables, no wildcards, no shell.\n"
    "\n"
    "The first word is the program: the name of a file in the handlers folder (on Windows `.exe` "
    "may\n"
    "be left out), or an absolute path. It is never searched on PATH.\n";

static void print_modes(const struct key *key, text_emit *emit, void *context) {
    static const char *const names[] = {"channel", "stdio", "pump", "listener", "udp"};
    const char *separator = "";
    if (key->modes == KEY_MODES_ALL) {
        return;
    }
    emit(context, "\n- Modes: ");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((key->modes & 1u << i) != 0) {
            emit(context, separator);
            emit(context, names[i]);
            separator = ", ";
        }
    }
}

static void print_type(const struct key *key, text_emit *emit, void *context) {
    static const char *const words[] = {[KEY_TYPE_LISTEN] = "address with port",
                                        [KEY_TYPE_HOST] = "IPv4 or IPv6 address",
                                        [KEY_TYPE_COMMAND] = "command",
                                        [KEY_TYPE_TEXT] = "text",
                                        [KEY_TYPE_FILE] = "path of a file",
                                        [KEY_TYPE_DIRECTORY] = "path of a folder",
                                        [KEY_TYPE_ENVIRONMENT] = "variables",
                                        [KEY_TYPE_NUMBER] = NULL,
                                        [KEY_TYPE_BOOLEAN] = "yes or no (or true, false, on, off)"};
    char line[96];

    emit(context, "- Value: ");
    if (key->type == KEY_TYPE_NUMBER) {
        (void)snprintf(line, sizeof(line), "%s, %lu to %lu", key->unit, (unsigned long)key->minimum,
                       (unsigned long)key->maximum);
        emit(context, line);
    } else if (key->type == KEY_TYPE_CHOICE) {
        for (size_t i = 0; key->choices[i] != NULL; i++) {
            emit(context, i == 0 ? "`" : ", `");
            emit(context, key->choices[i]);
            emit(context, "`");
        }
    } else {
        emit(context, words[key->type]);
    }
}

static void print_key(const struct key *key, text_emit *emit, void *context) {
    emit(context, "\n### ");
    emit(context, key->name);
    emit(context, "\n\n");
    emit(context, key->help);
    emit(context, "\n\n");
    print_type(key, emit, context);
    if (key->default_text != NULL) {
        emit(context, "\n- Default: `");
        emit(context, key->default_text);
        emit(context, "`");
    }
    if ((key->places & KEY_IN_SERVICE) != 0 && (key->places & KEY_IN_DEFAULTS) == 0) {
        emit(context, "\n- Not in `[defaults]`");
    }
    print_modes(key, emit, context);
    emit(context, "\n");
}

static void print_place(unsigned place, const char *title, text_emit *emit, void *context) {
    emit(context, title);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if ((key_table[i].places & place) != 0) {
            print_key(&key_table[i], emit, context);
        }
    }
}

void key_print_reference(text_emit *emit, void *context) {
    emit(context, introduction);
    print_place(KEY_IN_SERVICE, "\n## Keys of a service\n", emit, context);
    print_place(KEY_IN_SUPERVISOR, "\n## Keys of `[supervisor]`\n", emit, context);
}
