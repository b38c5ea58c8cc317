#include "rehearse.h"
#include "apart.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "here.h"
#include "platform/platform.h"

#include <stdlib.h>
#include <string.h>

/* ---- Who asks ---- */

#define REHEARSAL_PATIENCE_MS 30000u /* and for the process that is to take over once more */
#define REHEARSAL_ARGUMENTS 2        /* APART_REHEARSE, and the layout of the snapshot */
#define EXIT_CODES_OF_SYSTEM 0xC0000000u

static char *make_line(const char *what, const char *why) {
    size_t size_bytes = strlen(what) + strlen(why) + 4;
    char *line = malloc(size_bytes);
    if (line != NULL) {
        text_format(line, size_bytes, "%s: %s\n", what, why);
    }
    return line;
}

/* BATON_INVALID: it is no answer. */
static int read_rehearsal(const char *bytes, size_t length, char **problems) {
    struct apart_head head;
    if (length < sizeof head) {
        return BATON_INVALID;
    }
    memcpy(&head, bytes, sizeof head);
    if (head.text_bytes != length - sizeof head) {
        return BATON_INVALID;
    }
    *problems = head.text_bytes > 0 ? calloc(1, (size_t)head.text_bytes + 1) : NULL;
    if (*problems != NULL) {
        memcpy(*problems, bytes + sizeof head, head.text_bytes);
    }
    return head.result;
}

/* Why there is no answer. */
static char *explain_rehearsal(const char *program, int result, int code,
                               const struct baton_cause *cause) {
    char why[512], words[256];
    if (cause->call != NULL) {
        text_format(why, sizeof why, "%s: %s", cause->call,
                    platform_error_text(cause->system_code, words, sizeof words));
    } else if (result == BATON_INVALID && code == 0) {
        text_format(why, sizeof why, "%s", "it is no batond that can take over");
    } else if (result == BATON_INVALID && (uint32_t)code >= EXIT_CODES_OF_SYSTEM) {
        text_format(why, sizeof why, "it has ended by exception %lx without an answer",
                    (unsigned long)(uint32_t)code);
    } else if (result == BATON_INVALID) {
        text_format(why, sizeof why, "it has ended by exit code %u without an answer",
                    (unsigned)code);
    } else {
        text_format(why, sizeof why, "%s", baton_error_text(result));
    }
    return make_line(program, why);
}

/* In another thread. What was rehearsed is started at once, and reads the config for itself once
 * more: then all that is left for it to do is to take over. */
static int rehearse(void *context, const char *layout, char **extra, size_t *extra_bytes,
                    char **problems) {
    const struct supervisor_source *own = context;
    static char word[] = APART_REHEARSE;
    struct baton_cause cause = {0};
    char *bytes = NULL;
    size_t length = 0, count = 0;
    int code = 0;
    *extra = NULL;
    *extra_bytes = 0;
    while (own->argv[count] != NULL) {
        count++;
    }
    char **arguments = calloc(count + REHEARSAL_ARGUMENTS + 1, sizeof *arguments);
    int result = BATON_NO_MEMORY;
    if (arguments != NULL) {
        arguments[0] = own->argv[0];
        arguments[1] = word;
        arguments[2] = (char *)(uintptr_t)layout;
        for (size_t i = 1; i < count; i++) {
            arguments[REHEARSAL_ARGUMENTS + i] = own->argv[i];
        }
        result = platform_ask_program(own->program, arguments, true, REHEARSAL_PATIENCE_MS, &bytes,
                                      &length, &code, &cause);
    }
    if (result == BATON_OK) {
        result = read_rehearsal(bytes, length, problems);
    }
    if (result == BATON_OK) { /* then it is true what is known of it by now */
        result =
            platform_restart_summon(own->program, own->argv, REHEARSAL_PATIENCE_MS, &code, &cause);
    }
    free(arguments);
    free(bytes);
    if (result == BATON_OK || (result == BATON_INVALID && *problems != NULL)) {
        return result;
    }
    if (*problems == NULL) {
        *problems = explain_rehearsal(own->program, result, code, &cause);
    }
    return BATON_SYSTEM;
}

void rehearse_offer(struct source *source, char *const *arguments) {
    struct supervisor_source *renewal = &source->renewal;
    renewal->program = platform_started_file();
    renewal->argv = arguments;
    renewal->context = renewal;
    renewal->rehearse = renewal->program == NULL ? NULL : rehearse;
}

/* ---- Who is asked ---- */

bool source_is_rehearsed(int argc, char **argv) {
    return argc > 1 && strcmp(argv[1], APART_REHEARSE) == 0;
}

static int read_as_successor(int count, char **arguments, const char *layout, char **problems) {
    struct service_table table = {0};
    char own_layout[20];
    supervisor_snapshot_layout(own_layout);
    if (strcmp(layout, own_layout) != 0) {
        *problems = make_line("this batond (" BATON_VERSION ") has another version of the snapshot",
                              "stop the one that runs, and start this");
        return BATON_SYSTEM;
    }
    int result = here_try(count, arguments, &table, problems);
    service_table_clear(&table);
    return result;
}

enum exit_code source_rehearse(int argc, char **argv) {
    char *problems = NULL;
    int count = 0;
    char **arguments = platform_arguments(argc, argv, &count);
    if (arguments == NULL || count <= REHEARSAL_ARGUMENTS || !platform_answer_begin()) {
        complain("usage", "`" APART_REHEARSE "` is for a batond that is restarted");
        return EXIT_USAGE;
    }
    const char *layout = arguments[2];
    arguments[REHEARSAL_ARGUMENTS] = arguments[0];
    int result = read_as_successor(count - REHEARSAL_ARGUMENTS, arguments + REHEARSAL_ARGUMENTS,
                                   layout, &problems);
    size_t text_bytes = problems == NULL || result == BATON_OK ? 0 : strlen(problems);
    const struct apart_head head = {.result = result, .text_bytes = (uint32_t)text_bytes};
    bool is_sent =
        platform_answer((const char *)&head, sizeof head) && platform_answer(problems, text_bytes);
    free(problems);
    return is_sent ? EXIT_DONE : EXIT_SYSTEM;
}
