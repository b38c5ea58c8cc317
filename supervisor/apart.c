/* Another program reads the command line and the config: baton-config, which lies beside this one,
 * or where it was installed. */
#include "apart.h"
#include "core/base/error.h"
#include "core/base/snapshot.h"
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
    char *user; /* `[supervisor] user`; "" = none */
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
    if (head.mark != APART_MARK || head.text_bytes > length) {
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

static char *copy_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    return copy == NULL ? NULL : memcpy(copy, text, bytes);
}

/* For the log: what is a fault of the config is in the answer. */
static char *make_problem(const char *program, int result, int code,
                          const struct baton_cause *cause) {
    char line[PATH_BYTES + 600], why[512];
    if (program != asked.program && result == BATON_INVALID && code == 0) {
        text_format(why, sizeof why, "%s", "it is no batond that can take over");
    } else {
        explain_silence(result, code, cause, why, sizeof why);
    }
    text_format(line, sizeof line, "%s: %s\n", program, why);
    return copy_text(line);
}

/* Of who is asked beside the loop, and has to look at handlers' files, which may be where everybody
 * is made to wait. */
#define ANSWER_PATIENCE_MS 60000u

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
    int result = platform_ask_program(asked.program, asked.arguments, true, ANSWER_PATIENCE_MS,
                                      &bytes, &length, &code, &cause);
    if (result == BATON_OK) {
        result = read_answer(bytes, length, table, &config, problems);
    }
    free(bytes);
    if (result != BATON_OK && *problems == NULL) {
        *problems = make_problem(asked.program, result, code, &cause);
        return BATON_SYSTEM;
    }
    return result;
}

/* ---- A restart ---- */

/* All that it wrote of what is wrong, and the rest. BATON_INVALID: it is no answer. */
static int split_answer(char *bytes, size_t length, char **problems, char **rest,
                        size_t *rest_bytes) {
    struct apart_head head;
    if (length < sizeof head) {
        return BATON_INVALID;
    }
    memcpy(&head, bytes, sizeof head);
    if (head.mark != APART_MARK || head.text_bytes > length - sizeof head) {
        return BATON_INVALID;
    }
    *rest_bytes = length - sizeof head - head.text_bytes;
    *rest = malloc(*rest_bytes + 1);
    *problems = calloc(1, (size_t)head.text_bytes + 1);
    if (*rest == NULL || *problems == NULL) {
        return BATON_NO_MEMORY;
    }
    memcpy(*problems, bytes + sizeof head, head.text_bytes);
    memcpy(*rest, bytes + sizeof head + head.text_bytes, *rest_bytes);
    return head.result;
}

/* In another thread: nothing of `asked` changes any more. */
static int rehearse(void *context, const char *layout, char **extra, size_t *extra_bytes,
                    char **problems) {
    const struct source *source = context;
    const char *program = source->renewal.program;
    static char word[] = APART_REHEARSE;
    struct baton_cause cause = {0};
    char *bytes = NULL;
    size_t length = 0, count = 0;
    int code = 0;
    while (source->renewal.argv[count] != NULL) {
        count++;
    }
    char **arguments = calloc(count + APART_REHEARSE_ARGUMENTS + 1, sizeof *arguments);
    int result = BATON_NO_MEMORY;
    if (arguments != NULL) {
        arguments[0] = (char *)(uintptr_t)program;
        arguments[1] = word;
        arguments[2] = (char *)(uintptr_t)layout;
        arguments[3] = asked.started_by;
        arguments[4] = asked.user;
        for (size_t i = 1; i < count; i++) {
            arguments[APART_REHEARSE_ARGUMENTS + i] = source->renewal.argv[i];
        }
        result = platform_ask_program(program, arguments, true, ANSWER_PATIENCE_MS, &bytes, &length,
                                      &code, &cause);
    }
    if (result == BATON_OK) {
        result = split_answer(bytes, length, problems, extra, extra_bytes);
    }
    free(arguments);
    free(bytes);
    if (result == BATON_OK || (result == BATON_INVALID && *problems != NULL)) {
        return result;
    }
    if (*problems == NULL || (*problems)[0] == '\0') {
        free(*problems);
        *problems = make_problem(program, result, code, &cause);
    }
    return BATON_SYSTEM;
}

static enum exit_code send_rehearsal(int result, const char *text, const char *bytes,
                                     size_t length) {
    size_t text_bytes = text == NULL ? 0 : strlen(text);
    const struct apart_head head = {.result = result,
                                    .mark = APART_MARK,
                                    .text_bytes = (uint32_t)((text_bytes + 15) / 16 * 16)};
    const char padding[16] = {0};
    bool is_sent =
        platform_answer((const char *)&head, sizeof head) && platform_answer(text, text_bytes) &&
        platform_answer(padding, head.text_bytes - text_bytes) && platform_answer(bytes, length);
    return is_sent ? EXIT_DONE : EXIT_SYSTEM;
}

/* Who has become another user may have a log that nobody would open for him again. */
static int try_log(const struct supervisor_options *options, char **problems) {
    const struct platform_log_sink sink = {.path = options->log,
                                           .is_syslog = options->log_is_syslog,
                                           .mode = options->has_log_mode ? options->log_mode : 0};
    struct platform *platform = NULL;
    struct platform_log *log = NULL;
    struct baton_cause cause = {0};
    int result = platform_open(&platform, &cause);
    if (result == BATON_OK) {
        result = platform_log_open(platform, &log, &sink, &cause);
    }
    if (result != BATON_OK) {
        free(*problems);
        *problems = make_problem(options->log, result, 1, &cause);
        result = BATON_INVALID;
    }
    return result; /* what is open ends with this process */
}

/* What keeps this program from taking over, in *problems; else the answer of its own baton-config.
 */
static int prepare_to_succeed(int argc, char **argv, char **answer, size_t *length,
                              char **problems) {
    static char again[] = APART_AGAIN;
    char layout[20], line[256];
    struct baton_cause cause = {0};
    struct image_config config;
    struct service_table table = {0};
    int code = 0;
    supervisor_snapshot_layout(layout);
    if (strcmp(argv[2], layout) != 0) {
        text_format(line, sizeof line,
                    "this batond (%s) has another version of the snapshot: stop the one that runs, "
                    "and start this\n",
                    BATON_VERSION);
        *problems = copy_text(line);
        return BATON_SYSTEM;
    }
    int result = find_program(&cause);
    if (result == BATON_OK) {
        text_format(asked.started_by, sizeof asked.started_by, "%s", argv[3]);
        result = make_arguments(argc - APART_REHEARSE_ARGUMENTS, argv + APART_REHEARSE_ARGUMENTS);
    }
    if (result == BATON_OK) {
        asked.arguments[1] = again; /* it is of our group, which may be ended */
        result = platform_ask_program(asked.program, asked.arguments, false, 0, answer, length,
                                      &code, &cause);
    }
    if (result == BATON_OK) {
        result = read_answer(*answer, *length, &table, &config, problems);
        const char *user = table.options.user == NULL ? "" : table.options.user;
        if (result == BATON_OK && strcmp(user, argv[4]) != 0) {
            free(*problems);
            *problems = copy_text("`user` of [supervisor] takes a stop and a start\n");
            result = BATON_INVALID;
        } else if (result == BATON_OK && table.options.log != NULL) {
            result = try_log(&table.options, problems);
        }
        service_table_clear(&table);
    }
    if (result != BATON_OK && *problems == NULL) {
        *problems = make_problem(asked.program, result, code, &cause);
        result = BATON_SYSTEM;
    }
    return result;
}

enum exit_code source_rehearse(int argc, char **argv) {
    char *answer = NULL, *problems = NULL;
    size_t length = 0;
    if (argc <= APART_REHEARSE_ARGUMENTS || !platform_answer_begin()) {
        complain("usage", "`" APART_REHEARSE "` is for a batond that is restarted");
        return EXIT_USAGE;
    }
    int result = prepare_to_succeed(argc, argv, &answer, &length, &problems);
    enum exit_code code = send_rehearsal(result, problems, answer, result == BATON_OK ? length : 0);
    free(answer);
    free(problems);
    return code;
}

bool source_is_rehearsed(int argc, char **argv) {
    return argc > 1 && strcmp(argv[1], APART_REHEARSE) == 0;
}

/* ---- The start ---- */

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

/* For a restart: how we were started, and what [supervisor] said then. */
static int keep_start(struct source *source, char *const *argv, const struct image_config *config) {
    const struct service_table options = {.options = source->table.options};
    asked.user = copy_text(options.options.user == NULL ? "" : options.options.user);
    source->renewal.options =
        image_make(&options, config, BATON_VERSION, &source->renewal.options_bytes);
    if (asked.user == NULL || source->renewal.options == NULL) {
        return BATON_NO_MEMORY;
    }
    source->renewal.argv = argv;
    source->renewal.program = platform_started_file();
    source->renewal.rehearse = source->renewal.program == NULL ? NULL : rehearse;
    source->renewal.context = source;
    return BATON_OK;
}

/* From who was here before: what was rehearsed; or, where that has failed, what was then. */
static int take_left(const struct platform_restarted *left, struct source *source,
                     struct image_config *config) {
    struct snapshot_block block;
    char *problems = NULL;
    size_t at = 0;
    if (left->failure == NULL) {
        int result = left->extra == NULL ? BATON_INVALID
                                         : read_answer(left->extra, left->extra_bytes,
                                                       &source->table, config, &problems);
        free(problems);
        return result;
    }
    while (snapshot_next(left->snapshot, left->snapshot_bytes, &at, &block)) {
        if (block.kind == SNAPSHOT_OPTIONS) {
            return image_read(block.bytes, block.length, BATON_VERSION, &source->table, config);
        }
    }
    return BATON_INVALID;
}

/* Takes what the config says from baton-config. BATON_OK; *is_over: what `*code` says was all. */
static int ask_first(struct source *source, struct image_config *config, int *code, bool *is_over,
                     struct baton_cause *cause) {
    static char first[] = APART_FIRST;
    char *bytes = NULL, *problems = NULL;
    size_t length = 0;
    asked.arguments[1] = first;
    int result = platform_ask_program(asked.program, asked.arguments, false, 0, &bytes, &length,
                                      code, cause);
    *is_over = result == BATON_OK && *code <= SIGNAL_CODE && (*code != 0 || length == 0);
    if (result == BATON_OK && !*is_over) {
        result = read_answer(bytes, length, &source->table, config, &problems);
    }
    free(bytes);
    free(problems);
    return result;
}

enum exit_code source_read(int argc, char **argv, struct source *source) {
    static uint32_t looks_left = LOOKS_MAX_COUNT;
    const struct platform_restarted *left = platform_restarted();
    struct baton_cause cause = {0};
    struct image_config config = {0};
    bool is_over = false;
    int code = 0;
    argv = platform_arguments(argc, argv, &argc);
    int result = find_program(&cause);
    if (result == BATON_OK) {
        result = make_arguments(argc, argv);
    }
    if (result == BATON_OK) {
        result = left != NULL ? take_left(left, source, &config)
                              : ask_first(source, &config, &code, &is_over, &cause);
    }
    if (is_over) {
        return (enum exit_code)code; /* it has said why, or done all that there was to do */
    }
    if (result == BATON_OK) {
        system_describe(&source->machine);
        source->machine.looks_left = &looks_left;
        result = keep_config(source, &config);
    }
    if (result == BATON_OK) {
        result = keep_start(source, argv, &config);
    }
    if (result != BATON_OK && left != NULL) {
        platform_restart_fall_back(argv, "the new batond cannot read what it is to serve");
    }
    if (result != BATON_OK) {
        return complain_of(result, code, &cause);
    }
    source->renewal.load = load_anew;
    source->serves = true;
    return EXIT_DONE;
}
