/* [supervisor]: options and interpreters. */
#include "core/base/error.h"
#include "core/base/words.h"
#include "core/service/build.h"
#include "core/service/strict.h"

#include <string.h>

static const struct config_section *find_section(const struct service_builder *builder,
                                                 enum config_section_kind kind) {
    for (size_t i = 0; i < builder->config->section_count; i++) {
        if (builder->config->sections[i].kind == kind) {
            return &builder->config->sections[i];
        }
    }
    return NULL;
}

static void read_handlers(struct service_builder *builder, const struct config_setting *setting) {
    const struct service_machine *machine = builder->machine;
    bool override = machine->handlers_override != NULL;
    const char *own =
        setting == NULL ? NULL : service_find_directory(builder, setting, NULL, !override);
    const char *chosen = override ? machine->handlers_override : own;
    builder->lacks_handlers = builder->problems->lacks_count > 0;
    /* After a fault the default stands in, so that messages about handlers have a folder to name.
     */
    builder->options.handlers =
        arena_text(builder->arena, chosen != NULL ? chosen : machine->handlers_directory);
    if (builder->options.handlers != NULL) {
        bool is_own = own != NULL && !override;
        (void)service_is_strict(builder, is_own ? setting->line : 0,
                                is_own     ? "supervisor.handlers"
                                : override ? "--handlers"
                                           : "handlers",
                                builder->options.handlers);
    }
    if (override &&
        service_lacks_folder(machine, machine->handlers_override, NULL, &builder->lack)) {
        builder->lacks_handlers = true;
        service_report_lack_of(builder, 0, "--handlers");
    }
}

#define PIPE_PREFIX "\\\\.\\pipe\\"

/* "" for `none`; NULL where nothing is said, or after a fault. */
static const char *read_endpoint(struct service_builder *builder,
                                 const struct config_setting *setting) {
    const char *text = setting == NULL ? NULL : service_unquote(builder, setting);
    if (text == NULL || strcmp(text, "none") == 0) {
        return text == NULL ? NULL : "";
    }
    if (service_on_windows(builder->machine)) {
        size_t prefix = sizeof PIPE_PREFIX - 1;
        bool is_pipe = text_equal_start(text, PIPE_PREFIX, prefix, true) && text[prefix] != '\0' &&
                       strchr(text + prefix, '\\') == NULL;
        if (!is_pipe) {
            service_report(builder, setting, "takes the name of a pipe, " PIPE_PREFIX "NAME");
        }
        return is_pipe ? text : NULL;
    }
    const char *path = service_absolute_path(builder, setting, text);
    if (path != NULL && strlen(path) > LOCAL_PATH_MAX_BYTES) {
        service_report_value(builder, setting, text,
                             " is too long: a local socket's has at most 107 bytes");
    }
    return path;
}

static void add_interpreter(struct service_builder *builder, const struct config_setting *setting) {
    struct service_interpreter interpreter = {.extension = strchr(setting->key, '.')};
    const char *wrong =
        words_split(builder->arena, setting->value, &interpreter.words, &interpreter.word_count);
    if (service_is_batch_file(builder->machine, setting->key)) {
        service_report(builder, setting,
                       "batch files are refused whatever runs them: what a client sends could "
                       "reach their command line and be run; write the handler as an .exe or in "
                       "another language");
        return;
    }
    if (wrong != NULL || (interpreter.words != NULL && interpreter.word_count == 0)) {
        service_report(builder, setting, "%s", wrong != NULL ? wrong : "names no program");
        return;
    }
    if (interpreter.words == NULL) {
        return;
    }
    interpreter.program =
        service_find_program(builder, setting, interpreter.words[0], false, NULL, true);
    if (interpreter.program != NULL) {
        (void)service_runs_alone(builder, setting, interpreter.program);
    } else {
        /* The fault is reported here; its handlers shall not be reported for want of it as well. */
        interpreter.program = interpreter.words[0];
    }
    struct service_interpreter *grown =
        arena_grow(builder->scratch, builder->interpreters, builder->interpreter_count,
                   &builder->interpreter_capacity, sizeof interpreter);
    if (grown != NULL) {
        builder->interpreters = grown;
        grown[builder->interpreter_count++] = interpreter;
    }
}

/* A config that was found in a folder may be anybody's, who would choose what runs: it must be
 * root's or our own. */
static void check_found(struct service_builder *builder, const struct config_source *source) {
    const struct service_machine *machine = builder->machine;
    struct account own = {0};
    struct strict_finding finding;
    if (service_has_accounts(machine)) {
        (void)machine->find_user(machine->context, NULL, &own);
    }
    struct strict_account account = {.user = own.uid, .group = own.gid};
    if (strict_find_barrier(machine, NULL, source->path, &account, 0, &finding)) {
        config_problems_add(builder->problems, source->line, source->key,
                            "others may change %s, and nobody has named this config; name it by -c "
                            "if they are trusted",
                            finding.path);
    }
}

static void check_source(struct service_builder *builder, const struct config_source *source) {
    if (source->path != NULL && (builder->strict_modes || !builder->machine->config_is_found)) {
        (void)service_is_strict(builder, source->line, source->key, source->path);
    } else if (source->path != NULL) {
        check_found(builder, source);
    }
}

static void fill_options(struct service_builder *builder, const struct service_values *values) {
    const struct service_machine *machine = builder->machine;
    service_fill_fields(values, KEY_IN_SUPERVISOR, &builder->options);
    builder->options.limits.rate = values->service.limits.rate;
    builder->options.limits.rate_per_source = values->service.limits.rate_per_source;
    builder->strict_modes = machine->is_privileged && builder->options.strict_modes != 0;
    check_source(builder, &(struct config_source){.path = machine->config_path});
    for (size_t i = 0; i < builder->config->source_count; i++) {
        check_source(builder, &builder->config->sources[i]);
    }
}

void service_read_options(struct service_builder *builder) {
    const struct config_section *section = find_section(builder, CONFIG_SECTION_SUPERVISOR);
    struct service_values values;
    service_default_values(&values);
    if (section == NULL) {
        fill_options(builder, &values);
        read_handlers(builder, NULL);
        return;
    }
    service_read_values(builder, section, &values);
    fill_options(builder, &values);
    read_handlers(builder, values.own[KEY_HANDLERS]);
    service_read_log(builder, &values);
    builder->options.control = read_endpoint(builder, values.own[KEY_CONTROL]);
    builder->options.status = read_endpoint(builder, values.own[KEY_STATUS]);
    builder->default_user = values.own[KEY_DEFAULT_USER];
    builder->options.default_user =
        builder->default_user == NULL ? NULL : service_unquote(builder, builder->default_user);
    service_read_own_user(builder, &values);
    if (values.own[KEY_INETD_CONF] != NULL) {
        (void)service_unquote(builder, values.own[KEY_INETD_CONF]);
        if (!service_has_accounts(builder->machine)) {
            service_report(builder, values.own[KEY_INETD_CONF],
                           "there is no inetd.conf for Windows; make a config of one by "
                           "`baton-import FILE`");
        }
    }
    if (builder->options.keeper != 0 && !service_has_accounts(builder->machine)) {
        config_problems_add(
            builder->problems, section->line, "supervisor.keeper",
            "there is no baton-keeper for Windows; its services are started again by "
            "the recovery actions of the system");
    }
    for (size_t i = 0; builder->options.handlers != NULL && i < builder->config->setting_count;
         i++) {
        const struct config_setting *setting = &builder->config->settings[i];
        if (setting->section == section->name &&
            key_find(setting->key, KEY_IN_SUPERVISOR) == &key_table[KEY_INTERPRETER]) {
            add_interpreter(builder, setting);
        }
    }
}
