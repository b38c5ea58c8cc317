/* conf/KEYS.md, from the table, and what `batonctl keys` says of a key. */
#include "core/service/key_reference.h"

#include "core/base/text.h"
#include "core/service/facts.h"
#include "core/service/key_guide.h"

#include <stdio.h>
#include <string.h>

struct bit_word {
    unsigned bit;
    const char *word;
};

/* A line with the words whose bits the key has, unless it has all of them. */
static void print_bits(const struct key *key, const char *title, const struct bit_word *words,
                       text_emit *emit, void *context) {
    const char *separator = title;
    unsigned all = 0;
    for (size_t i = 0; words[i].word != NULL; i++) {
        all |= words[i].bit;
    }
    if ((key->modes & all) == all) {
        return;
    }
    for (size_t i = 0; words[i].word != NULL; i++) {
        if ((key->modes & words[i].bit) != 0) {
            emit(context, separator);
            emit(context, words[i].word);
            separator = "`, `";
        }
    }
    emit(context, "`");
}

static void print_modes(const struct key *key, text_emit *emit, void *context) {
    static const struct bit_word modes[] = {{KEY_MODE_CHANNEL, "channel"},
                                            {KEY_MODE_STDIO, "stdio"},
                                            {KEY_MODE_LISTENER, "listener"},
                                            {KEY_MODE_PUMP, "pump"},
                                            {0, NULL}};
    static const struct bit_word protocols[] = {
        {KEY_OVER_TCP, "tcp"}, {KEY_MODE_UDP, "udp"}, {KEY_OVER_UNIX, "unix"}, {0, NULL}};
    print_bits(key, "\n- Only with `handoff`: `", modes, emit, context);
    print_bits(key, "\n- Only with `protocol`: `", protocols, emit, context);
}

static void print_type(const struct key *key, text_emit *emit, void *context) {
    static const char *const words[] = {
        [KEY_TYPE_LISTEN] = "places, or a path",
        [KEY_TYPE_HOST] = "IPv4 or IPv6 address",
        [KEY_TYPE_COMMAND] = "command",
        [KEY_TYPE_TEXT] = "text",
        [KEY_TYPE_FILE] = "path of a file",
        [KEY_TYPE_DIRECTORY] = "path of a folder",
        [KEY_TYPE_PATTERNS] = "paths, whose last part may have `*` and `?`",
        [KEY_TYPE_ENVIRONMENT] = "variables",
        [KEY_TYPE_NUMBER] = NULL,
        [KEY_TYPE_LIMIT] = NULL,
        [KEY_TYPE_SIZE] = NULL,
        [KEY_TYPE_PERMISSIONS] = "three octal digits",
        [KEY_TYPE_OWNER] = "user and group",
        [KEY_TYPE_BLOCKS] = "addresses and blocks",
        [KEY_TYPE_RULES] = "addresses, blocks and `@FILE`s",
        [KEY_TYPE_IDS] = "names or numbers",
        [KEY_TYPE_HOURS] = "ranges of hours, `HH:MM-HH:MM`",
        [KEY_TYPE_NAMES] = "names",
        [KEY_TYPE_CODES] = "exit codes",
        [KEY_TYPE_RATE] = "COUNT/s, COUNT/min or COUNT/h, with `burst COUNT`; or none",
        [KEY_TYPE_BOOLEAN] = "yes or no (or true, false, on, off)"};
    char line[96];
    emit(context, "- Value: ");
    if (key->type == KEY_TYPE_CHOICE) {
        emit(context, "`");
        for (const char *at = key_words(key); *at != '\0'; at++) {
            char letter[2] = {*at, '\0'};
            emit(context, *at == ',' ? "`," : *at == ' ' ? " `" : letter);
        }
        emit(context, "`");
    } else if (key_words(key)[0] != '\0') {
        char limits[2][32];
        text_format(line, sizeof line, "%s%s, %s to %s", key_words(key),
                    key->type == KEY_TYPE_SIZE ? " (or with K, M, G)" : "",
                    key_print_value(key, key->minimum, limits[0], sizeof limits[0]),
                    key_print_value(key, key->maximum, limits[1], sizeof limits[1]));
        emit(context, line);
        emit(context, key->type == KEY_TYPE_NUMBER ? "" : ", `unlimited`, `inherited`");
    } else {
        emit(context, words[key->type]);
    }
}

static void print_default(enum key_id id, text_emit *emit, void *context) {
    const struct key *key = &key_table[id];
    char number[32];
    const char *text = id == KEY_BIND           ? KEY_BIND_DEFAULT
                       : id == KEY_SUCCESS_EXIT ? KEY_SUCCESS_EXIT_DEFAULT
                       : key_is_number(key)
                           ? key_print_value(key, key->default_number, number, sizeof number)
                           : NULL;
    if (text != NULL) {
        emit(context, "\n- Default: `");
        emit(context, text);
        emit(context, "`");
    }
}

void key_print_entry(enum key_id id, text_emit *emit, void *context) {
    const struct key *key = &key_table[id];
    emit(context, "\n### ");
    emit(context, key_name(key));
    emit(context, "\n\n");
    emit(context, key_help(id));
    emit(context, "\n\n");
    print_type(key, emit, context);
    print_default(id, emit, context);
    if ((key->sections & KEY_IN_SERVICE) != 0 && (key->sections & KEY_IN_DEFAULTS) == 0) {
        emit(context, "\n- Not in `[defaults]`");
    }
    print_modes(key, emit, context);
    emit(context, "\n");
}

static void print_section(unsigned section, const char *title, text_emit *emit, void *context) {
    emit(context, title);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if ((key_table[i].sections & section) != 0) {
            key_print_entry((enum key_id)i, emit, context);
        }
    }
}

static void print_facts(text_emit *emit, void *context) {
    static const enum fact_context columns[] = {FACT_OF_IP,      FACT_OF_IP_ACTIVATION,
                                                FACT_OF_UNIX,    FACT_OF_UNIX_ACTIVATION,
                                                FACT_OF_IP_MANY, FACT_OF_UNIX_MANY};
    emit(context,
         "| variable | its value | TCP | UDP, TCP listener | local socket | its listener | TCP, "
         "many | local socket, many |\n"
         "|---|---|---|---|---|---|---|---|\n");
    for (const struct fact_variable *fact = fact_variables; fact->name[0] != '\0'; fact++) {
        emit(context, "| `");
        emit(context, fact->name);
        emit(context, "` | `");
        emit(context, fact->template);
        emit(context, "` |");
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            emit(context, (fact->contexts & (unsigned)columns[i]) != 0 ? " yes |" : " |");
        }
        emit(context, "\n");
    }
    emit(context,
         "\nAt a local socket, variables with addresses and ports, and `TCPCONNNUM`, are set only "
         "when a PROXY header has named a client that came by TCP (UCSPI has no count for others; "
         "the OFFER has one). The names of UCSPI (`PROTO`, `TCP...`, "
         "`UNIX...`) and of CGI (`REMOTE_...`, `SERVER_...`) mean what they mean there.\n"
         "\nThe last two columns are those of a process that is not launched for one connection "
         "(`spares`, `reuse` other than 1): it has only what holds for the service, and the rest "
         "comes with each OFFER. `SERVER_PORT`, `SERVER_ADDR` and `UNIXLOCALPATH` are set where "
         "the service has a single place, the config says what that is (no port 0, no address for "
         "all), and no proxy names another. `BATON_FACTS` tells every process with a channel where "
         "the facts of a connection are: `environment` or `offer`.\n"
         "\nEvery handler finds its `handoff` in `BATON_HANDOFF` and its `stop_timeout_ms` in "
         "`BATON_STOP_MS` as well; with a channel also its `handshake_timeout_ms` in "
         "`BATON_HANDSHAKE_MS`, and in `BATON_REUSE` how many clients it is offered in its life "
         "(0: no bound). Where there are `workers`, `BATON_WORKERS` says how many.\n");
}

void key_print_reference(text_emit *emit, void *context) {
    emit(context, key_guide_form);
    emit(context, key_guide_modes);
    print_facts(emit, context);
    emit(context, key_guide_servers);
    print_section(KEY_IN_SERVICE, "\n## Keys of a service\n", emit, context);
    print_section(KEY_IN_SUPERVISOR, "\n## Keys of `[supervisor]`\n", emit, context);
}
