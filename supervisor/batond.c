/* batond: argv -> services -> run -> exit code, which only a main picks. */
#include "core/base/error.h"
#include "platform/platform.h"
#include "source.h"

#define KEEPER "baton-keeper" /* a program beside this one */

const char program_name[] = "batond";

/* Where the config asks for it and nobody keeps us, comes back only to say why not. */
static bool is_kept(const struct service_table *table, char *const *argv) {
    struct baton_cause cause = {0};
    char words[256];
    int result = table->options.keeper == 0 ? BATON_OK : platform_run_under(KEEPER, argv, &cause);
    if (result != BATON_OK) {
        complain(KEEPER, cause.call != NULL
                             ? platform_error_text(cause.system_code, words, sizeof words)
                             : baton_error_text(result));
    }
    return result == BATON_OK;
}

static enum exit_code serve(struct source *source, char *const *argv) {
    if (platform_restarted() == NULL && !is_kept(&source->table, argv)) {
        return EXIT_SYSTEM;
    }
    enum supervisor_result end = supervisor_run(&source->table, &source->machine, &source->renewal);
    service_table_clear(&source->table);
    return end == SUPERVISOR_STOPPED ? EXIT_DONE
                                     : (end == SUPERVISOR_LOG_LOST ? EXIT_OUTPUT : EXIT_SYSTEM);
}

int main(int argc, char **argv) {
    static struct source source;
    if (source_is_rehearsed(argc, argv)) {
        return (int)source_rehearse(argc, argv);
    }
    enum exit_code code = source_read(argc, argv, &source);
    if (source.serves) {
        code = serve(&source, argv);
    }
    code = program_end(code);
    if (code != EXIT_DONE || !source.serves) {
        platform_keep_window();
    }
    return (int)code;
}
