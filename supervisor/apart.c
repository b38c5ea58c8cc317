/* Another program reads the command line and the config: baton-config, which lies beside this one,
 * or where it was installed. */
#include "apart.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/service/image.h"
#include "load.h"
#include "platform/platform.h"
#include "source.h"
#include "system.h"

#include <stdlib.h>
#include <string.h>

#define SIGNAL_CODE 128 /* what is above was a signal */

static struct {
    char folder[PATH_BYTES]; /* where batond is */
    char program[PATH_BYTES];
    char **arguments; /* of the program; the second tells how it is asked */
    char started_by[24];
} asked;

/* BATON_OK or why not. */
static int find_program(struct baton_cause *cause) {
    int result = platform_own_directory(asked.folder, sizeof asked.folder, cause);
    if (result != BATON_OK) {
        return result;
    }
    int length = text_format(asked.program, sizeof asked.program, "%s/baton-config", asked.folder);
    if (length < 0 || (size_t)length >= sizeof asked.program) {
        return BATON_TOO_LONG;
    }
#ifdef BATON_LIBEXEC_FROM_HERE
    char installed[PATH_BYTES];
    length = text_format(installed, sizeof installed, "%s/%s/baton-config", asked.folder,
                         BATON_LIBEXEC_FROM_HERE);
    if (platform_probe_program(NULL, asked.program) == BATON_NOT_FOUND && length >= 0 &&
        (size_t)length < sizeof installed &&
        platform_probe_program(NULL, installed) != BATON_NOT_FOUND) {
        memcpy(asked.program, installed, sizeof installed);
    }
#endif
    return BATON_OK;
}

static int make_arguments(int argc, char **argv) {
    asked.arguments = calloc((size_t)argc + APART_ARGUMENTS + 1, sizeof *asked.arguments);
    if (asked.arguments == NULL) {
        return BATON_NO_MEMORY;
    }
    asked.arguments[0] = asked.program;
    asked.arguments[2] = asked.folder;
    asked.arguments[3] = asked.started_by;
    for (int i = 1; i < argc; i++) {
        asked.arguments[APART_ARGUMENTS + i] = argv[i];
    }
    return BATON_OK;
}

/* Takes the answer apart. BATON_INVALID: it is none. */
static int read_answer(const char *bytes, size_t length, struct service_table *table,
                       struct image_config *config, char **problems) {
    struct apart_head head;
    if (length < sizeof head) {
        return BATON_INVALID;
    }
    memcpy(&head, bytes, sizeof head);
    bytes += sizeof head;
    length -= sizeof head;
    if (head.text_bytes > length) {
        return BATON_INVALID;
    }
    if (head.text_bytes > 0) {
        *problems = calloc(1, (size_t)head.text_bytes + 1);
        if (*problems == NULL) {
            return BATON_NO_MEMORY;
        }
        memcpy(*problems, bytes, head.text_bytes);
    }
    return head.result != BATON_OK ? head.result
                                   : image_read(bytes + head.text_bytes, length - head.text_bytes,
                                                BATON_VERSION, table, config);
}

/* Why there is no answer. */
static const char *explain_silence(int result, int code, const struct baton_cause *cause, char *out,
                                   size_t size_bytes) {
    char words[256];
    if (cause->call != NULL) {
        platform_error_text(cause->system_code, words, sizeof words);
        text_format(out, size_bytes, "%s: %s", cause->call, words);
    } else if (result == BATON_INVALID && code == 0) {
        text_format(out, size_bytes, "%s",
                    "it is of another version than the batond that runs; install both, and start "
                    "batond anew");
    } else if (result == BATON_INVALID) {
        text_format(out, size_bytes, "it has ended by %s %u without an answer",
                    code > SIGNAL_CODE ? "signal" : "exit code",
                    (unsigned)(code > SIGNAL_CODE ? code - SIGNAL_CODE : code));
    } else {
        text_format(out, size_bytes, "%s", baton_error_text(result));
    }
    return out;
}

/* For the log: what is a fault of the config is in the answer. */
static char *make_problem(int result, int code, const struct baton_cause *cause) {
    char why[512];
    explain_silence(result, code, cause, why, sizeof why);
    size_t size_bytes = strlen(asked.program) + strlen(why) + 8;
    char *line = malloc(size_bytes);
    if (line != NULL) {
        text_format(line, size_bytes, "%s: %s\n", asked.program, why);
    }
    return line;
}

static int load_anew(void *context, struct service_table *table, char **problems) {
    struct baton_cause cause = {0};
    struct image_config config;
    char *bytes = NULL;
    size_t length = 0;
    int code = 0;
    static char again[] = APART_AGAIN;
    (void)context;
    asked.arguments[1] = again;
    *table = (struct service_table){0};
    int result =
        platform_ask_program(asked.program, asked.arguments, true, &bytes, &length, &code, &cause);
    if (result == BATON_OK) {
        result = read_answer(bytes, length, table, &config, problems);
    }
    free(bytes);
    if (result != BATON_OK && *problems == NULL) {
        *problems = make_problem(result, code, &cause);
        return BATON_SYSTEM;
    }
    return result;
}

/* What it could not even say. */
static enum exit_code complain_of(int result, int code, const struct baton_cause *cause) {
    char why[512];
    complain(asked.program, explain_silence(result, code, cause, why, sizeof why));
    return EXIT_SYSTEM;
}

/* The table keeps the texts of `config`, and is emptied when it is served. */
static int keep_config(struct source *source, const struct image_config *config) {
    static struct image_config kept;
    size_t file_bytes = strlen(config->file) + 1;
    size_t path_bytes = config->path == NULL ? 0 : strlen(config->path) + 1;
    char *texts = malloc(file_bytes + path_bytes);
    if (texts == NULL) {
        return BATON_NO_MEMORY;
    }
    kept = *config;
    text_format(asked.started_by, sizeof asked.started_by, "%u %u", (unsigned)config->uid,
                (unsigned)config->is_privileged);
    kept.file = memcpy(texts, config->file, file_bytes);
    kept.path = path_bytes == 0 ? NULL : memcpy(texts + file_bytes, config->path, path_bytes);
    source->machine.config_file = kept.file;
    source->machine.config_path = kept.path;
    source->machine.config_is_input = kept.path == NULL;
    source->machine.config_is_found = kept.is_found;
    source->machine.own_machine = kept.own_machine;
    source->machine.runs_other_formats = kept.runs_other_formats;
    return BATON_OK;
}

enum exit_code source_read(int argc, char **argv, struct source *source) {
    static uint32_t looks_left = LOOKS_MAX_COUNT;
    static char first[] = APART_FIRST;
    struct baton_cause cause = {0};
    struct image_config config = {0};
    char *bytes = NULL, *problems = NULL;
    size_t length = 0;
    int code = 0;
    argv = platform_arguments(argc, argv, &argc);
    int result = find_program(&cause);
    if (result == BATON_OK) {
        result = make_arguments(argc, argv);
    }
    if (result == BATON_OK) {
        asked.arguments[1] = first;
        result = platform_ask_program(asked.program, asked.arguments, false, &bytes, &length, &code,
                                      &cause);
    }
    if (result == BATON_OK && code <= SIGNAL_CODE && (code != 0 || length == 0)) {
        free(bytes);
        return (enum exit_code)code; /* it has said why, or done all that there was to do */
    }
    if (result == BATON_OK) {
        result = read_answer(bytes, length, &source->table, &config, &problems);
    }
    free(bytes);
    free(problems);
    if (result == BATON_OK) {
        system_describe(&source->machine);
        source->machine.looks_left = &looks_left;
        result = keep_config(source, &config);
    }
    if (result != BATON_OK) {
        return complain_of(result, code, &cause);
    }
    source->renewal.load = load_anew;
    source->serves = true;
    return EXIT_DONE;
}
