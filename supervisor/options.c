#include "options.h"

#include <stdio.h>
#include <string.h>

const char options_help[] =
    "usage: batond [-c FILE] [--handlers DIR] [--check]\n"
    "\n"
    "Listens on the ports that the config names, launches a handler for each\n"
    "connection, and hands it the accepted socket.\n"
    "\n"
    "  -c, --config FILE  the config, FILE.ini or FILE.yaml (default: conf/ports.ini)\n"
    "  --handlers DIR     where handler names are looked up (default: what the config\n"
    "                     says, else the folder `handlers` beside batond's own folder)\n"
    "  --check            validate the config, print what it means, and end\n"
    "  --version          print the version and end\n"
    "  --help             print this and end\n"
    "\n"
    "exit: 0 ordered stop or valid config, 64 usage, 71 the system refused, 78 config\n";

static bool fault(char *message, size_t size_bytes, const char *what, const char *word) {
    snprintf(message, size_bytes, "%s `%s`; `batond --help` lists what there is", what, word);
    return false;
}

/* The value of an option `name`, if `argument` is it: "NAME VALUE" or "NAME=VALUE". NULL if it is
 * another option; "" if the value is missing. */
static const char *value_of(const char *name, int argc, char *const *argv, int *i) {
    size_t length = strlen(name);
    const char *argument = argv[*i];
    if (strncmp(argument, name, length) != 0) {
        return NULL;
    }
    if (argument[length] == '=' && length > 2) {
        return argument + length + 1;
    }
    if (argument[length] != '\0') {
        return NULL;
    }
    return *i + 1 < argc ? argv[++*i] : "";
}

bool options_parse(int argc, char *const *argv, struct options *out, char *message,
                   size_t size_bytes) {
    const struct {
        const char *name;
        bool *flag;
        const char **value;
    } known[] = {
        {"-c", NULL, &out->config},
        {"--config", NULL, &out->config},
        {"--handlers", NULL, &out->handlers},
        {"--check", &out->check, NULL},
        {"--version", &out->version, NULL},
        {"--help", &out->help, NULL},
        {"-h", &out->help, NULL},
    };
    memset(out, 0, sizeof *out);
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        bool taken = false;
        for (size_t k = 0; k < sizeof known / sizeof *known && !taken; k++) {
            const char *value = NULL;
            if (known[k].flag != NULL && strcmp(argument, known[k].name) == 0) {
                *known[k].flag = taken = true;
            } else if (known[k].value != NULL) {
                value = value_of(known[k].name, argc, argv, &i);
            }
            if (value != NULL && value[0] == '\0') {
                return fault(message, size_bytes, "a value is missing after", argument);
            }
            if (value != NULL) {
                *known[k].value = value;
                taken = true;
            }
        }
        if (!taken) {
            return fault(message, size_bytes, "unknown argument", argument);
        }
    }
    return true;
}
