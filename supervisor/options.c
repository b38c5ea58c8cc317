#include "options.h"
#include "core/base/text.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char options_help[] =
    "usage: batond [-c FILE] [--handlers DIR] [--check [--defaults] |\n"
    "              --explain SERVICE ADDRESS]\n"
    "\n"
    "Listens on the ports that the config names, launches a handler for each\n"
    "connection, and hands it the accepted socket.\n"
    "\n"
    "  -c, --config FILE  the config, FILE.ini or FILE.yaml; else the first of conf/ports.ini,\n"
    "                     ports.ini, ../conf/ports.ini beside batond, and\n"
    "                     /etc/baton/ports.ini (Windows: %ProgramData%\\baton\\ports.ini)\n"
    "  --handlers DIR     where handler names are looked up (default: what the config\n"
    "                     says, else the folder `handlers` beside batond's own folder)\n"
    "  --check            validate the config, print what it means, and end\n"
    "  --defaults         with --check: print the defaults and options, too\n"
    "  --explain SERVICE ADDRESS\n"
    "                     tell whether a client at ADDRESS (at a local socket uid:NUMBER)\n"
    "                     would be let in now, by which rule, and what would run as whom\n"
    "  --version          print the version and end\n"
    "  --help             print this and end\n"
    "\n"
    "An inetd.conf or xinetd.conf becomes a config by `baton-import FILE`.\n"
    "\n"
    "exit: 0 ordered stop or valid config, 64 usage, 71 the system refused,\n"
    "      74 standard output could not be written, 78 config\n";

static bool fault(char *message, size_t size_bytes, const char *what, const char *word) {
    text_format(message, size_bytes, "%s `%s`; `batond --help` lists what there is", what, word);
    return false;
}

/* An argument that takes a value, or is a flag; it goes to `offset` of struct options. */
struct known {
    char name[11];
    bool takes_value;
    uint8_t offset;
};

enum match { OTHER, TAKEN, TAKEN_WITH_NEXT, VALUE_MISSING };

/* Matches "NAME", "NAME VALUE" (`next` is what follows, NULL at the end) and "--NAME=VALUE". */
static enum match match(const struct known *known, const char *argument, const char *next,
                        struct options *out) {
    size_t length = strlen(known->name);
    bool is_long = length > 2;
    if (strncmp(argument, known->name, length) != 0) {
        return OTHER;
    }
    const char *rest = argument + length;
    void *place = (char *)out + known->offset;
    if (!known->takes_value && *rest == '\0') {
        *(bool *)place = true;
        return TAKEN;
    }
    if (known->takes_value && *rest == '=' && is_long) {
        *(const char **)place = rest + 1;
        return rest[1] == '\0' ? VALUE_MISSING : TAKEN;
    }
    if (known->takes_value && *rest == '\0') {
        *(const char **)place = next;
        return next == NULL || next[0] == '\0' ? VALUE_MISSING : TAKEN_WITH_NEXT;
    }
    return OTHER;
}

bool options_parse(int argc, char *const *argv, struct options *out, char *message,
                   size_t size_bytes) {
    static const struct known table[] = {
        {"-c", true, offsetof(struct options, config)},
        {"--config", true, offsetof(struct options, config)},
        {"--handlers", true, offsetof(struct options, handlers)},
        {"--check", false, offsetof(struct options, check)},
        {"--defaults", false, offsetof(struct options, defaults)},
        {"--version", false, offsetof(struct options, version)},
        {"--help", false, offsetof(struct options, help)},
        {"-h", false, offsetof(struct options, help)},
    };
    memset(out, 0, sizeof *out);
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        enum match result = OTHER;
        if (strncmp(argument, "--import", sizeof "--import" - 1) == 0) {
            text_format(message, size_bytes,
                        "the import is a program of its own; run `baton-import FILE`");
            return false;
        }
        if (strcmp(argument, "--explain") == 0) {
            if (argc - i < 3) {
                return fault(message, size_bytes, "SERVICE and ADDRESS must follow", argument);
            }
            out->service = argv[++i];
            out->client = argv[++i];
            continue;
        }
        for (size_t k = 0; k < sizeof table / sizeof *table && result == OTHER; k++) {
            result = match(&table[k], argument, i + 1 < argc ? argv[i + 1] : NULL, out);
        }
        if (result == OTHER) {
            return fault(message, size_bytes, "unknown argument", argument);
        }
        if (result == VALUE_MISSING) {
            return fault(message, size_bytes, "a value is missing after", argument);
        }
        i += result == TAKEN_WITH_NEXT ? 1 : 0;
    }
    return !out->defaults || out->check ||
           fault(message, size_bytes, "--check must stand beside", "--defaults");
}
