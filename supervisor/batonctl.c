/* batonctl: argv -> options -> a request to the batond that runs, and its reply -> exit code. What
 * needs no batond, the reference of the keys and the check of a file, it does by itself. */
#include "consult.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "ctl/keys.h"
#include "ctl/options.h"
#include "ctl/show.h"
#include "ctl/talk.h"
#include "load.h"
#include "platform/platform.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define WHY_BYTES 512u
#define PLACE_OF_ROOT "/run/baton/control" /* where a batond that root has started is asked */

const char program_name[] = "batonctl";

/* ---- Where batond is ---- */

struct place {
    char path[PATH_BYTES];
    bool is_said; /* by somebody, so that no other is tried */
};

/* Whether the environment says it, were it that there is none. */
static bool is_said_by_environment(void) {
    static const char name[] = "BATON_CONTROL";
    const size_t length = sizeof name - 1;
    bool is_said = false;
    const char *const *at = platform_environment();
    for (; at != NULL && *at != NULL && !is_said; at++) {
        is_said = platform_is_variable(*at, name, length) && (*at)[length + 1] != '\0';
    }
    return is_said;
}

static enum exit_code find_place(const struct ctl_options *options, struct place *place) {
    int result = BATON_OK;
    place->is_said = options->control != NULL || is_said_by_environment();
    if (options->control != NULL) {
        int length = text_format(place->path, sizeof place->path, "%s", options->control);
        result = (size_t)length < sizeof place->path ? BATON_OK : BATON_TOO_LONG;
    } else {
        result =
            platform_control_default(platform_is_privileged(), place->path, sizeof place->path);
    }
    if (result == BATON_NOT_FOUND && !place->is_said) {
        /* Whoever has no place for a batond of their own means that of the machine. */
        text_format(place->path, sizeof place->path, "%s", PLACE_OF_ROOT);
        result = BATON_OK;
    }
    if (result == BATON_NOT_FOUND) {
        complain("BATON_CONTROL", "it says `none`; name the place where batond can be asked by "
                                  "--control PATH");
        return EXIT_NOBODY;
    }
    if (result != BATON_OK) {
        complain("--control", baton_error_text(result));
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static enum exit_code complain_of_place(const char *path, int result,
                                        const struct baton_cause *cause) {
    char words[256];
    char why[WHY_BYTES];
    switch (result) {
    case BATON_NOT_FOUND:
        complain(path, "no batond is there; is it running, and has its config another [supervisor] "
                       "control? --control PATH names one");
        return EXIT_NOBODY;
    case BATON_GONE:
        complain(path, "nobody listens there any more: its batond has ended");
        return EXIT_NOBODY;
    case BATON_DENIED:
        complain(path, platform_backslash_separates
                           ? "permission denied; it is for administrators and the user that batond "
                             "runs as"
                           : "permission denied; it is for root and the user that batond runs as: "
                             "ask as one of them, as by sudo");
        return EXIT_DENIED;
    case BATON_AGAIN:
        complain(path,
                 "batond did not take the connection in time; --timeout SECONDS waits longer");
        return EXIT_LATE;
    case BATON_INVALID:
        complain(path, platform_backslash_separates
                           ? "this is no pipe; give a name such as \\\\.\\pipe\\baton"
                           : "this is no local stream socket; give the path of batond's");
        return EXIT_USAGE;
    case BATON_TOO_LONG:
        complain(path, "no local socket has so long a path; it has at most 107 bytes");
        return EXIT_USAGE;
    default:
        text_format(why, sizeof why, "%s%s%s", cause->call != NULL ? cause->call : "",
                    cause->call != NULL ? ": " : "",
                    cause->call != NULL
                        ? platform_error_text(cause->system_code, words, sizeof words)
                        : baton_error_text(result));
        complain(path, why);
        return EXIT_SYSTEM;
    }
}

/* A user without a batond of his own means that of the machine, if only to be told that it is
 * root's. */
static enum exit_code dial(struct place *place, int64_t deadline_ms, struct ctl_wire **out) {
    struct baton_cause cause;
    int result = ctl_dial(place->path, deadline_ms, out, &cause);
    if (!place->is_said && !platform_backslash_separates &&
        (result == BATON_NOT_FOUND || result == BATON_GONE) &&
        strcmp(place->path, PLACE_OF_ROOT) != 0) {
        struct baton_cause other;
        int second = ctl_dial(PLACE_OF_ROOT, deadline_ms, out, &other);
        if (second != BATON_NOT_FOUND) {
            text_format(place->path, sizeof place->path, "%s", PLACE_OF_ROOT);
            cause = other;
            result = second;
        }
    }
    return result == BATON_OK ? EXIT_DONE : complain_of_place(place->path, result, &cause);
}

/* ---- The reply ---- */

struct hearing {
    struct ctl_show show;
    struct ctl_buffer raw;     /* with --json */
    struct ctl_buffer verdict; /* what the end says */
    struct ctl_buffer config;  /* of the line `supervisor` */
    const char *service;       /* whose state is wanted; NULL = nobody's */
    const char *state;         /* another one than that it serves; static. NULL = there is none */
    bool serves;
    bool is_raw, is_silent;
    bool wants_status; /* else who tells it has not understood a word */
    bool is_deaf;      /* it is the endpoint that tells the status alone */
};

static bool is_text(struct ctl_value value, const char *text) {
    return value.kind == CTL_TEXT && value.length == strlen(text) &&
           memcmp(value.text, text, value.length) == 0;
}

/* It may be there twice, as it was and as it is. */
static void hear_state(struct hearing *hearing, const struct ctl_reply *reply) {
    static const char *const others[] = {"paused", "failed", "draining", "off", "stopping"};
    struct ctl_value state = ctl_reply_value(reply, "state");
    if (!is_text(ctl_reply_value(reply, "service"), hearing->service)) {
        return;
    }
    hearing->serves = hearing->serves || is_text(state, "serving");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        hearing->state = is_text(state, others[i]) ? others[i] : hearing->state;
    }
}

static void hear(void *context, const char *line, size_t length, const struct ctl_reply *reply) {
    struct hearing *hearing = context;
    hearing->is_deaf =
        hearing->is_deaf || (!hearing->wants_status && ctl_reply_is(reply, "supervisor"));
    if (hearing->is_deaf) {
        return;
    }
    if (ctl_reply_is(reply, "supervisor")) {
        struct ctl_value config = ctl_reply_value(reply, "config");
        size_t where;
        /* It gets into messages of others, as the name of a file. */
        if (config.kind == CTL_TEXT &&
            text_check(config.text, config.length, &where) == TEXT_FINE) {
            ctl_buffer_reset(&hearing->config);
            ctl_put_bytes(&hearing->config, config.text, config.length);
        }
    }
    if (hearing->service != NULL && ctl_reply_is(reply, "service")) {
        hear_state(hearing, reply);
    }
    if (ctl_reply_is(reply, "end")) {
        ctl_show_verdict(reply, &hearing->verdict);
    }
    if (hearing->is_raw) {
        ctl_put_safe_json(&hearing->raw, line, length);
        ctl_put(&hearing->raw, "\n");
        if (!hearing->raw.failed) {
            print_out(NULL, hearing->raw.text);
        }
        ctl_buffer_reset(&hearing->raw);
    } else if (!hearing->is_silent) {
        ctl_show_line(&hearing->show, reply);
    }
}

static enum exit_code judge(const char *path, enum ctl_result result, const char *why,
                            const struct baton_cause *cause, const struct hearing *hearing) {
    char words[256];
    const char *verdict = hearing->verdict.text != NULL ? hearing->verdict.text : "";
    switch (result) {
    case CTL_DONE:
        if (hearing->is_deaf) {
            complain(path, "the status is all that one is told here; commands go to the place that "
                           "`[supervisor] control` names");
            return EXIT_REFUSED;
        }
        return EXIT_DONE;
    case CTL_REFUSED:
        complain("batond", verdict[0] != '\0' ? verdict : "refused, without a word why");
        return EXIT_REFUSED;
    case CTL_LATE:
        complain(path, "no whole answer in time; --timeout SECONDS waits longer");
        return EXIT_LATE;
    case CTL_UNREADABLE:
        complain(path, why);
        return EXIT_ANSWER;
    case CTL_NO_MEMORY:
        complain(path, baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    case CTL_SYSTEM:
        complain(path, platform_error_text(cause->system_code, words, sizeof words));
        return EXIT_SYSTEM;
    }
    return EXIT_SYSTEM;
}

/* Sends the request and shows what comes; what it has heard stays in *hearing. */
static enum exit_code ask(const struct ctl_options *options, const char *request,
                          struct hearing *hearing) {
    struct place place;
    struct ctl_wire *wire = NULL;
    char why[WHY_BYTES];
    struct baton_cause cause;
    bool is_patient = options->wait || options->command->follows;
    uint32_t usual_s =
        options->command->patience_s > 0 ? options->command->patience_s : CTL_PATIENCE_S;
    uint32_t limit_s = options->timeout_s > 0 ? options->timeout_s : usual_s;
    int64_t deadline_ms = ctl_now_ms() + (int64_t)limit_s * 1000;
    enum exit_code code = find_place(options, &place);
    if (code == EXIT_DONE) {
        code = dial(&place, deadline_ms, &wire);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    const struct ctl_talk talk = {
        .request = request,
        .deadline_ms = is_patient && options->timeout_s == 0 ? CTL_NO_DEADLINE : deadline_ms,
        .is_bounded = !is_patient,
        .line = hear,
        .context = hearing,
    };
    enum ctl_result result = ctl_talk_run(wire, &talk, why, sizeof why, &cause);
    ctl_wire_close(&wire);
    if (!ctl_show_end(&hearing->show) || hearing->raw.failed) {
        result = CTL_NO_MEMORY;
    }
    return judge(place.path, result, why, &cause, hearing);
}

static void begin_hearing(const struct ctl_options *options, struct hearing *hearing) {
    *hearing = (struct hearing){.is_raw = options->json,
                                .wants_status = strcmp(options->command->name, "status") == 0};
    ctl_show_begin(&hearing->show, print_out, NULL, ctl_output_is_coloured(),
                   strcmp(options->command->name, "services") == 0);
}

static void end_hearing(struct hearing *hearing) {
    ctl_buffer_clear(&hearing->raw);
    ctl_buffer_clear(&hearing->verdict);
    ctl_buffer_clear(&hearing->config);
}

static enum exit_code request(const struct ctl_options *options) {
    char line[CTL_REQUEST_MAX_BYTES + 1];
    struct hearing hearing;
    size_t wrong = 0;
    int result = ctl_command_request(options->command, options->words, options->word_count,
                                     options->wait, line, &wrong);
    if (result == BATON_INVALID) {
        complain(options->command->name,
                 "a word that is empty, or has a blank or a control character, is none for batond");
        return EXIT_USAGE;
    }
    if (result != BATON_OK) {
        complain(options->command->name, "too long for batond, which takes 1,024 bytes");
        return EXIT_USAGE;
    }
    begin_hearing(options, &hearing);
    enum exit_code code = ask(options, line, &hearing);
    end_hearing(&hearing);
    return code;
}

/* What comes of a config that was consulted. */
static enum exit_code consulted(int result) {
    return result == BATON_OK          ? EXIT_DONE
           : result == BATON_INVALID   ? EXIT_CONFIG_INVALID
           : result == BATON_NOT_FOUND ? EXIT_USAGE
                                       : EXIT_SYSTEM;
}

/* By the config of the batond that runs, which says where that is. */
static enum exit_code explain(const struct ctl_options *options) {
    struct hearing hearing;
    begin_hearing(options, &hearing);
    hearing.is_raw = false;
    hearing.is_silent = hearing.wants_status = true;
    hearing.service = options->words[0];
    enum exit_code code = ask(options, "1 status\n", &hearing);
    if (code == EXIT_DONE && hearing.config.length == 0) {
        complain("batond", "it did not say which config it has; "
                           "`batond -c FILE --explain SERVICE ADDRESS` takes one");
        code = EXIT_ANSWER;
    } else if (code == EXIT_DONE) {
        code = consulted(consult_explain(hearing.config.text, options->handlers, options->words[0],
                                         options->words[1]));
    }
    if (code == EXIT_DONE && !hearing.serves && hearing.state != NULL) {
        print_out(NULL, "\n");
        print_out(NULL, hearing.service);
        print_out(NULL, " is ");
        print_out(NULL, hearing.state);
        print_out(NULL, " now: nobody is let in\n");
    }
    end_hearing(&hearing);
    return code;
}

/* ---- Without a batond ---- */

static enum exit_code keys(const struct ctl_options *options) {
    const char *nearest = NULL;
    const char *ours = NULL;
    char why[WHY_BYTES];
    int result = options->word_count == 0
                     ? ctl_keys_list(print_out, NULL)
                     : ctl_keys_print(options->words[0], print_out, NULL, &nearest, &ours);
    if (result == BATON_NO_MEMORY) {
        complain("keys", baton_error_text(result));
        return EXIT_SYSTEM;
    }
    if (result == BATON_OK) {
        return EXIT_DONE;
    }
    text_format(why, sizeof why, "there is no such key%s%s%s `batonctl keys` lists them",
                ours != NULL      ? "; here it is "
                : nearest != NULL ? "; did you mean `"
                                  : "",
                ours != NULL      ? ours
                : nearest != NULL ? nearest
                                  : "",
                ours == NULL && nearest != NULL ? "`?" : ";");
    complain(text_excerpt(options->words[0]).text, why);
    return EXIT_USAGE;
}

static enum exit_code act(int argc, char **argv) {
    struct ctl_options options;
    char message[WHY_BYTES];
    int count = 0;
    char **arguments = platform_arguments(argc, argv, &count);
    if (arguments == NULL) {
        complain("reading the arguments", baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    }
    if (!ctl_options_parse(count, arguments, &options, message, sizeof message)) {
        complain("usage", message);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        print_out(NULL, options.help ? ctl_options_help : "batonctl " BATON_VERSION "\n");
        return EXIT_DONE;
    }
    if (strcmp(options.command->name, "keys") == 0) {
        return keys(&options);
    }
    if (strcmp(options.command->name, "check") == 0) {
        return consulted(
            consult_check(options.word_count > 0 ? options.words[0] : NULL, options.handlers));
    }
    return strcmp(options.command->name, "explain") == 0 ? explain(&options) : request(&options);
}

int main(int argc, char **argv) {
    return (int)program_end(act(argc, argv));
}
