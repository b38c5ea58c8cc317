#include "load.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/service/program_head.h"
#include "guests.h"
#include "pieces.h"
#include "platform/platform.h"
#include "system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the last part of a path begins. */
static size_t last_part(const char *path) {
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] != '/' &&
           !(platform_backslash_separates && path[length - 1] == '\\')) {
        length--;
    }
    return length;
}

/* Cuts the last part of a path off, which is absolute; "/" stays. */
static void cut_last_part(char *path) {
    size_t length = last_part(path);
    path[length > 1 ? length - 1 : 1] = '\0';
}

/* Where batond is; "" = where this program is. */
static char batond_folder[PATH_BYTES];

int load_for_batond_in(const char *folder) {
    int length = text_format(batond_folder, sizeof batond_folder, "%s", folder);
    return length < 0 || (size_t)length >= sizeof batond_folder ? BATON_TOO_LONG : BATON_OK;
}

/* What lies beside the folder that batond is in. */
static int find_beside(const char *name, char *out, size_t size_bytes) {
    struct baton_cause cause = {0};
    int result = BATON_OK;
    if (batond_folder[0] == '\0') {
        result = platform_own_directory(out, size_bytes, &cause);
    } else {
        text_format(out, size_bytes, "%s", batond_folder);
    }
    if (result != BATON_OK) {
        return result;
    }
    cut_last_part(out);
    size_t length = strlen(out);
    length -= length > 0 && out[length - 1] == '/'; /* of the root */
    int added = text_format(out + length, size_bytes - length, "/%s", name);
    for (; platform_backslash_separates && out[length] != '\0'; length++) {
        out[length] = out[length] == '/' ? '\\' : out[length];
    }
    return added < 0 || (size_t)added >= size_bytes - length ? BATON_TOO_LONG : BATON_OK;
}

/* What cannot be read is there as well, and is not passed over. */
static bool is_there(const char *path) {
    struct baton_cause cause;
    size_t length;
    char byte;
    return platform_file_read(path, &byte, sizeof byte, &length, &cause) != BATON_NOT_FOUND;
}

int load_find_config(char *out, size_t size_bytes) {
    char places[4][PATH_BYTES] = {"conf/ports.ini", "ports.ini"};
    size_t used = 0;
    bool has_found = false;
    /* Whoever may not enter the working directory (it is that of whoever became him) can neither
     * know what is there nor have meant it. */
    if (platform_probe_directory(NULL, ".") == BATON_DENIED) {
        places[0][0] = '\0';
        places[1][0] = '\0';
    }
    if (find_beside("conf/ports.ini", places[2], PATH_BYTES) != BATON_OK) {
        places[2][0] = '\0';
    }
    if (platform_system_config(places[3], PATH_BYTES) != BATON_OK) {
        places[3][0] = '\0';
    }
    for (size_t i = 0; i < 4 && !has_found; i++) {
        has_found = places[i][0] != '\0' && is_there(places[i]);
        used = has_found ? 0 : used;
        if (places[i][0] != '\0' && used < size_bytes) {
            used += (size_t)text_format(out + used, size_bytes - used, "%s%s", used > 0 ? ", " : "",
                                        places[i]);
        }
    }
    return !has_found ? BATON_NOT_FOUND : used < size_bytes ? BATON_OK : BATON_TOO_LONG;
}

static bool is_of_system(const char *folder) {
    const char *at = platform_config_folders;
    while (*at != '\0' && strcmp(at, folder) != 0) {
        at += strlen(at) + 1;
    }
    return *at != '\0';
}

int load_find_paths(const char *config, const char *handlers, struct load_paths *out,
                    const char **what) {
    *what = "finding the config file";
    int length = text_format(out->shown_name, sizeof out->shown_name, "%s", config);
    if (length < 0 || (size_t)length >= sizeof out->shown_name) {
        return BATON_TOO_LONG;
    }
    memcpy(out->shown_folder, config, (size_t)length + 1);
    out->shown_folder[last_part(out->shown_folder)] = '\0';
    /* What leads nowhere shall not hide which folder it is. */
    while (config[0] == '.' && config[1] == '/') {
        config += 2;
    }
    int result = platform_path_absolute(config, out->config_file, sizeof out->config_file);
    if (result != BATON_OK) {
        return result;
    }
    memcpy(out->config_folder, out->config_file, sizeof out->config_folder);
    cut_last_part(out->config_folder);
    if (strcmp(config, LOAD_STANDARD_INPUT) == 0) {
        out->config_file[0] = '\0';
    }
    out->piece_folders = is_of_system(out->config_folder) ? platform_config_folders : NULL;
    *what = "finding the folder of --handlers";
    out->handlers_override[0] = '\0';
    if (handlers != NULL) {
        result =
            platform_path_absolute(handlers, out->handlers_override, sizeof out->handlers_override);
    }
    if (result != BATON_OK) {
        return result;
    }
    *what = "finding batond's own folder (Linux tells it by /proc)";
    result = find_beside("handlers", out->handlers, sizeof out->handlers);
#ifdef BATON_LIBEXEC_HANDLERS
    if (result == BATON_OK && platform_probe_directory(NULL, out->handlers) == BATON_NOT_FOUND) {
        text_format(out->handlers, sizeof out->handlers, "%s", BATON_LIBEXEC_HANDLERS);
    }
#endif
    return result;
}

/* Not from malloc: a large block that is freed again teaches glibc to keep all later tables in its
 * heap, where they are resident; here only the pages that the file fills are ever touched. */
static char file_bytes[CONFIG_FILE_MAX_BYTES];

static bool is_input(const struct load_paths *paths) {
    return paths->config_file[0] == '\0';
}

/* BATON_OK, BATON_INVALID or BATON_NO_MEMORY. */
static int read_config(const struct load_paths *paths, const struct service_machine *machine,
                       struct config *config, struct config_problems *problems) {
    struct baton_cause cause = {0};
    enum config_format format = paths->input_format;
    size_t length = 0;
    if (!is_input(paths) && !config_format_of(paths->config_file, &format)) {
        config_problems_add(problems, 0, NULL,
                            "the format is told by the ending, and this is neither; name the file "
                            ".ini, .yaml or .yml, or make one of an inetd.conf or xinetd.conf by "
                            "`baton-import FILE`");
        return BATON_INVALID;
    }
    int result = is_input(paths)
                     ? platform_input_read(file_bytes, sizeof file_bytes, &length, &cause)
                     : platform_file_read(paths->config_file, file_bytes, sizeof file_bytes,
                                          &length, &cause);
    if (result != BATON_OK) {
        char room[256];
        config_problems_add(problems, 0, NULL, "cannot be read: %s",
                            pieces_unread_words(result, &cause, room));
        return BATON_INVALID;
    }
    result = config_parse(config, format, paths->shown_name, file_bytes, length, problems);
    if (result != BATON_NO_MEMORY && (!pieces_read(paths, config, file_bytes, problems) ||
                                      !guests_read(paths, machine, config, file_bytes, problems))) {
        return BATON_NO_MEMORY;
    }
    return result == BATON_OK && config_problems_own_count(problems) > 0 ? BATON_INVALID : result;
}

static void note_format(void *context, const char *name) {
    bool *runs_others = context;
    *runs_others = *runs_others || (strcmp(name, "register") != 0 && strcmp(name, "status") != 0);
}

/* Which programs this system runs. Where that cannot be known it may be any. */
static void describe_formats(struct service_machine *out) {
    struct program_head head;
    uint8_t bytes[PROGRAM_HEAD_BYTES];
    struct baton_cause cause;
    size_t length = 0;
    int result = platform_file_read(platform_own_program, bytes, sizeof bytes, &length, &cause);
    program_head_read(bytes, length, &head);
    out->own_machine = head.machine;
    out->runs_other_formats =
        (result != BATON_OK && result != BATON_TOO_LONG) || head.kind != PROGRAM_ELF;
    (void)platform_directory_list(platform_formats_folder, note_format, &out->runs_other_formats,
                                  &cause);
}

void load_describe_machine(const struct load_paths *paths, struct service_machine *out) {
    system_describe(out);
    out->config_file = paths->shown_name;
    out->config_path = is_input(paths) ? NULL : paths->config_file;
    out->config_is_input = is_input(paths);
    out->base_directory = paths->config_folder;
    out->handlers_directory = paths->handlers;
    out->handlers_override = paths->handlers_override[0] != '\0' ? paths->handlers_override : NULL;
    describe_formats(out);
}

int load_table(const struct load_paths *paths, const struct service_machine *machine,
               struct service_table *table, struct config_problems *problems) {
    struct config config = {0};
    problems->file_name = paths->shown_name;
    int read = read_config(paths, machine, &config, problems);
    int result = read;
    /* What could be read is validated too, so that one run tells every fault of the file. */
    if (read == BATON_OK || (read == BATON_INVALID && config.setting_count > 0)) {
        int built = service_table_build(&config, machine, problems, table);
        result = read == BATON_OK ? built : read;
    }
    config_clear(&config);
    if (problems->out_of_memory) {
        result = BATON_NO_MEMORY;
    }
    if (result != BATON_OK) {
        service_table_clear(table);
    }
    return result;
}

void load_place_control(bool is_privileged, struct supervisor_options *options) {
    static char place[PATH_BYTES];
    if (options->control == NULL &&
        platform_control_default(is_privileged, place, sizeof place) == BATON_OK) {
        platform_control_make_folder(place);
        options->control = place;
    }
}
