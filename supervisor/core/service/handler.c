/* A handler's command: which program runs, with which arguments. */
#include "core/base/error.h"
#include "core/base/words.h"
#include "core/service/build.h"

#include <string.h>

/* The interpreter for the ending of `path`; NULL if none is set. Windows does not tell .PY from
 * .py. */
static const struct service_interpreter *find_interpreter(const struct service_builder *builder,
                                                          const char *path) {
    bool nocase = service_on_windows(builder->machine);
    for (size_t i = 0; i < builder->interpreter_count; i++) {
        if (text_ends_with(path, builder->interpreters[i].extension, nocase)) {
            return &builder->interpreters[i];
        }
    }
    return NULL;
}

/* On Windows only an .exe runs by itself. */
bool service_runs_alone(struct service_builder *builder, const struct config_setting *setting,
                        const char *path) {
    const char *base = service_base_name(builder->machine, path);
    const char *dot = strrchr(base, '.');
    if (!BY_SYSTEM(false, builder->machine->scripts_need_interpreter) ||
        text_ends_with(path, builder->machine->executable_suffix, true)) {
        return true;
    }
    if (dot == NULL || dot[1] == '\0') {
        service_report(builder, setting,
                       "`%s` has no ending that tells how to run it; give an .exe, or a script "
                       "with an ending and its interpreter",
                       base);
    } else {
        service_report(builder, setting,
                       "`%s` is no .exe and so needs an interpreter; put `interpreter.%s = "
                       "C:\\path\\of\\program.exe` into [supervisor]",
                       base, dot + 1);
    }
    return false;
}

/* CommandLineToArgvW and the C runtimes agree on argv[0] only without these. */
static bool check_argv0(struct service_builder *builder, const struct config_setting *setting,
                        const char *argv0) {
    size_t length = strlen(argv0);
    if (!service_on_windows(builder->machine) ||
        (strchr(argv0, '"') == NULL && (length == 0 || argv0[length - 1] != '\\'))) {
        return true;
    }
    service_report(builder, setting,
                   "Windows cannot pass on a name with a quote or a backslash at its end; choose "
                   "another");
    return false;
}

/* argv = the interpreter's words and the handler's path if there is an interpreter, then the
 * handler's own arguments. */
static void fill_argv(struct service_builder *builder,
                      const struct service_interpreter *interpreter, char **words,
                      size_t word_count, struct service *service) {
    size_t before = interpreter != NULL ? interpreter->word_count : 0;
    char **argv = arena_alloc(builder->arena, (before + word_count + 1) * sizeof *argv);
    if (argv == NULL) {
        return;
    }
    memcpy(argv + before, words, word_count * sizeof *argv);
    if (interpreter != NULL) {
        memcpy(argv, interpreter->words, before * sizeof *argv);
        /* An interpreter finds its own library by this name, so it is never a bare one. */
        argv[0] = arena_text(builder->arena, interpreter->program);
        argv[before] = arena_text(builder->arena, service->handler);
    } else if (service->argv0 != NULL) {
        argv[0] = arena_text(builder->arena, service->argv0);
    }
    /* Templates are for the handler's own arguments. */
    for (size_t i = 0; service->argv_varies && i <= before; i++) {
        argv[i] = argv[i] == NULL ? NULL : service_escape(builder, argv[i]);
    }
    for (size_t i = 0; i < before + word_count; i++) {
        if (argv[i] == NULL) {
            return; /* out of memory */
        }
    }
    service->argv = argv;
    service->argc = before + word_count;
}

/* What a shell would obey, outside of quotes: at the start or the end of a word `| tee`, `>log`,
 * `2>log`, `a; b`, at the start `~/x`, anywhere `$HOME`, `$(id)`, `*.txt` and backquotes. */
static bool has_shell_words(const char *value) {
    char quote = '\0';
    bool starts = true;
    for (const char *at = value; *at != '\0'; at++) {
        bool ends = at[1] == '\0' || text_is_blank(at[1]);
        if (quote != '\0') {
            bool escapes = quote == '"' && *at == '\\' && at[1] != '\0';
            quote = *at == quote ? '\0' : quote;
            at += escapes;
        } else if (*at == '"' || *at == '\'') {
            quote = *at;
        } else if (((starts || ends) && strchr("|<>&;", *at) != NULL) ||
                   strchr("`*", *at) != NULL || (*at == '~' && starts && (ends || at[1] == '/')) ||
                   (*at == '$' && (at[1] == '(' || text_is_name_char(at[1])))) {
            return true;
        }
        starts = text_is_blank(*at) || (starts && *at >= '0' && *at <= '9' && at[1] == '>');
    }
    return false;
}

bool service_read_handler(struct service_builder *builder, const struct config_setting *setting,
                          const struct config_setting *argv0, bool probe, struct service *service) {
    char **words = NULL;
    size_t word_count = 0;
    service->handler_line = setting->line;
    service->has_shell_words = has_shell_words(setting->value);
    const char *wrong = words_split(builder->arena, setting->value, &words, &word_count);
    if (wrong != NULL || (words != NULL && (word_count == 0 || words[0][0] == '\0'))) {
        service_report(builder, setting, "%s",
                       wrong != NULL ? wrong : "names no program; give a handler's name");
        return false;
    }
    if (words == NULL) {
        return false;
    }
    service_check_arguments(builder, setting, words, word_count, service);
    const struct service_interpreter *interpreter = find_interpreter(builder, words[0]);
    if (interpreter != NULL && argv0 != NULL) {
        service_report(builder, argv0,
                       "has no meaning here, because `%s` is run by `interpreter%s`; leave it out",
                       service_excerpt(builder, words[0]), interpreter->extension);
        return false;
    }
    service->argv0 = argv0 == NULL ? NULL : service_unquote(builder, argv0);
    if (argv0 != NULL && (service->argv0 == NULL || !check_argv0(builder, argv0, service->argv0))) {
        return false;
    }
    service->handler =
        service_find_program(builder, setting, words[0], interpreter != NULL, service, probe);
    if (service->handler == NULL ||
        (interpreter == NULL && probe && !service_runs_alone(builder, setting, service->handler))) {
        return false;
    }
    service->program =
        interpreter != NULL ? arena_text(builder->arena, interpreter->program) : service->handler;
    /* Whether it is there was told once for all services; who they are differs. */
    if (interpreter != NULL && probe && service->program != NULL &&
        service_may_be_changed(builder->machine, service, service->program, &builder->lack)) {
        service_report_lack(builder, setting);
    }
    fill_argv(builder, interpreter, words, word_count, service);
    return service->argv != NULL;
}
