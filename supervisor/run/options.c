#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

int run_options_keep(struct supervisor *s, const struct supervisor_options *options) {
    s->options.capabilities = options->identity.capabilities;
    s->options.launchers = options->launchers;
    if (options->user == NULL) {
        return BATON_OK;
    }
    size_t bytes = strlen(options->user) + 1;
    s->options.user = malloc(bytes);
    if (s->options.user == NULL) {
        return BATON_NO_MEMORY;
    }
    memcpy(s->options.user, options->user, bytes);
    return BATON_OK;
}

void run_options_clear(struct supervisor *s) {
    free(s->options.user);
    s->options.user = NULL;
}

bool run_options_may_change(const struct supervisor *s, const struct supervisor_options *options) {
    const char *user = s->options.user;
    if (user == NULL || options->user == NULL) {
        return user == options->user;
    }
    return strcmp(user, options->user) == 0 &&
           (options->identity.capabilities & ~s->options.capabilities) == 0;
}

void run_options_start_launchers(struct supervisor *s, enum launchers launchers) {
    uint32_t *count = &s->launching.launchers_count;
    *count = launchers == LAUNCHERS_AUTO ? PLATFORM_LAUNCHERS_BY_CORES : launchers - LAUNCHERS_NONE;
    int result = platform_launchers_set(s->platform, count);
    if (result != BATON_OK) {
        run_tell(
            s, launchers == LAUNCHERS_AUTO ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "no_launchers",
            SLOT_NONE, "reason=%s hint=%s", baton_error_text(result),
            "batond launches handlers by itself, and waits for each; launchers take Linux 5.9, "
            "and some open files");
    }
}

/* Into the file that is named now, if that is another; where it cannot be the old one is kept. */
static void change_log(struct supervisor *s, const struct supervisor_options *options) {
    struct baton_cause cause = {0};
    int result = run_log_change(&s->log, options, &cause);
    if (result != BATON_OK) {
        run_tell(s, LOG_LEVEL_ERROR, "log_kept", SLOT_NONE, "log=%s reason=%s",
                 options->log != NULL ? options->log : "standard error",
                 run_tell_words(s, result, &cause));
    }
}

void run_options_change(struct supervisor *s, const struct supervisor_options *options) {
    change_log(s, options);
    pool_limit(&s->pool, &options->limits, options->max_connections_count);
    if (options->launchers != s->options.launchers) {
        s->options.launchers = options->launchers;
        run_options_start_launchers(s, options->launchers);
    }
}
