#include "guests.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/words.h"
#include "core/service/service.h"
#include "import/import.h"
#include "pieces.h"
#include "platform/platform.h"

#include <string.h>

static const char label[] = "supervisor.inetd_conf";

struct reading {
    struct config *config;
    struct config_problems *problems;
    const struct config_setting *setting;
    const char *path;
    char *buffer;
    int result;               /* of reading the file itself */
    struct baton_cause cause; /* of that */
    bool needs_user;          /* nothing says as whom those run that do not say so */
    bool has_user;            /* the service at hand does */
    bool has_section;
    size_t line; /* of that service */
};

/* ---- What the import asks of the machine ---- */

static int read_file(void *context, const char *path, const char **bytes, size_t *length) {
    struct reading *reading = context;
    struct baton_cause cause = {0};
    *bytes = reading->buffer;
    int result = platform_file_read(path, reading->buffer, CONFIG_FILE_MAX_BYTES, length, &cause);
    if (strcmp(path, reading->path) == 0) {
        reading->result = result;
        reading->cause = cause;
    }
    return result;
}

/* ---- What it gives ---- */

/* What the old server did itself needs no privileges. */
static void end_section(struct reading *reading) {
    if (reading->has_section && !reading->has_user && reading->needs_user) {
        config_put_setting(reading->config, "user", "nobody", reading->line);
    }
    reading->has_section = false;
}

static void take_section(void *context, const char *name, size_t line) {
    struct reading *reading = context;
    end_section(reading);
    const struct config_section *namesake = config_find_section(reading->config, name);
    reading->line = line;
    reading->has_user = false;
    reading->has_section = config_put_section(reading->config, name, line, reading->problems);
    if (!reading->has_section) {
        service_report_masked(reading->problems, line, name, namesake->line);
    }
}

static void take_setting(void *context, const char *key, const char *value) {
    struct reading *reading = context;
    reading->has_user = reading->has_user || strcmp(key, "user") == 0;
    config_put_setting(reading->config, key, value, reading->line);
}

static void take_problem(void *context, size_t line, const char *text) {
    struct reading *reading = context;
    config_problems_note(reading->problems, line, text);
}

/* ---- The file ---- */

static const struct config_setting *find_setting(const struct config *config, const char *key) {
    const char *section = config_section_names[CONFIG_SECTION_SUPERVISOR];
    for (size_t i = 0; i < config->setting_count; i++) {
        const struct config_setting *setting = &config->settings[i];
        if (strcmp(setting->section, section) == 0 && strcmp(setting->key, key) == 0) {
            return setting;
        }
    }
    return NULL;
}

/* Its absolute path; NULL where it is none, for which the table has the words, or when out of
 * memory. */
static const char *find_path(const struct load_paths *paths, struct config *config,
                             const char *value) {
    char **words = NULL;
    size_t count = 1;
    if (value[0] == '"' || value[0] == '\'') {
        bool is_fine = words_split(config->arena, value, &words, &count) == NULL && count == 1;
        value = is_fine && words != NULL ? words[0] : "";
    }
    return value[0] == '\0'  ? NULL
           : value[0] == '/' ? value
                             : arena_join(config->arena, paths->config_folder, "/", value);
}

static void tell_unread(struct reading *reading) {
    char room[256];
    if (reading->result == BATON_NOT_FOUND) {
        config_problems_add(reading->problems, 0, NULL,
                            "is not there, so nothing of it is served; it is looked for again by "
                            "each reload");
        return;
    }
    config_problems_end_piece(reading->problems);
    if (reading->result != BATON_OK) {
        config_problems_add(reading->problems, reading->setting->line, label,
                            "%s cannot be read: %s", reading->path,
                            pieces_unread_words(reading->result, &reading->cause, room));
    } else {
        config_problems_add(reading->problems, reading->setting->line, label,
                            "%s is an xinetd.conf; make a config of it by `baton-import FILE`",
                            reading->path);
    }
}

static int read_guests(struct reading *reading, const struct service_machine *machine) {
    static const char *const wrapper_files[] = {"/etc/hosts.deny", "/etc/hosts.allow", NULL};
    const struct import_machine import_machine = {.read_file = read_file,
                                                  .find_port = platform_service_port,
                                                  .programs = machine,
                                                  .wrapper_files = wrapper_files,
                                                  .users_file = "/etc/passwd",
                                                  .groups_file = "/etc/group",
                                                  .context = reading};
    const struct import_taker taker = {.section = take_section,
                                       .setting = take_setting,
                                       .problem = take_problem,
                                       .context = reading};
    int result = import_inetd(reading->path, &import_machine, &taker);
    end_section(reading);
    return result;
}

bool guests_read(const struct load_paths *paths, const struct service_machine *machine,
                 struct config *config, char *buffer, struct config_problems *problems) {
    struct reading reading = {.config = config,
                              .problems = problems,
                              .setting = find_setting(config, "inetd_conf"),
                              .buffer = buffer,
                              .result = BATON_SYSTEM};
    reading.path =
        reading.setting == NULL ? NULL : find_path(paths, config, reading.setting->value);
    if (reading.path == NULL) {
        return !arena_failed(config->arena);
    }
    reading.needs_user = machine->is_privileged && find_setting(config, "default_user") == NULL;
    if (!config_problems_begin_piece(problems, reading.path)) {
        return false;
    }
    config_problems_welcome(problems);
    int result = read_guests(&reading, machine);
    if (result == BATON_INVALID) {
        tell_unread(&reading);
    }
    config_problems_end_piece(problems);
    if (reading.result == BATON_OK) {
        (void)config_add_source(config,
                                (struct config_source){reading.path, reading.setting->line, label});
    }
    return result != BATON_NO_MEMORY && !arena_failed(config->arena);
}
