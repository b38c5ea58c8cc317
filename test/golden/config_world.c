#include "config_world.h"

#include "core/error.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    const char *path;
    int result;
};

static const struct entry posix_entries[] = {{"/srv/handlers/ok", BATON_OK},
                                             {"/srv/handlers/echo", BATON_OK},
                                             {"/srv/handlers/daytime", BATON_OK},
                                             {"/srv/handlers/env", BATON_OK},
                                             {"/srv/handlers/conformance", BATON_OK},
                                             {"/srv/handlers/hello.py", BATON_OK},
                                             {"/srv/handlers/data.rb", BATON_NOT_EXECUTABLE},
                                             {"/srv/handlers/secret", BATON_DENIED},
                                             {"/srv/handlers/folder", BATON_INVALID},
                                             {"/opt/my tools/x", BATON_OK},
                                             {"/usr/bin/python3", BATON_OK},
                                             {"/usr/bin/ruby", BATON_OK},
                                             {NULL, 0}};

static const struct entry windows_entries[] = {
    {"C:\\baton\\handlers\\ok.exe", BATON_OK},   {"C:\\baton\\handlers\\echo.exe", BATON_OK},
    {"C:/baton/handlers/echo.exe", BATON_OK},    {"C:\\baton\\handlers\\hello.py", BATON_OK},
    {"C:\\baton\\handlers\\noending", BATON_OK}, {"C:\\baton\\handlers\\old.bat", BATON_OK},
    {"C:\\Program Files\\x\\x.exe", BATON_OK},   {"\\\\server\\my share\\x.exe", BATON_OK},
    {"C:\\Python\\python.exe", BATON_OK},        {NULL, 0}};

static const struct entry directories[] = {{"/srv/handlers", BATON_OK},
                                           {"/srv/data", BATON_OK},
                                           {"/srv", BATON_OK},
                                           {"/srv/my data", BATON_OK},
                                           {"/", BATON_OK},
                                           {"/srv/handlers/ok", BATON_INVALID},
                                           {"C:\\baton\\handlers", BATON_OK},
                                           {"C:\\baton", BATON_OK},
                                           {"C:\\data", BATON_OK},
                                           {"C:\\", BATON_OK},
                                           {NULL, 0}};

static int look_up(const struct entry *entries, const char *path) {
    for (; entries->path != NULL; entries++) {
        if (strcmp(entries->path, path) == 0) {
            return entries->result;
        }
    }
    return BATON_NOT_FOUND;
}

static int probe_posix(void *context, const char *path) {
    (void)context;
    return look_up(posix_entries, path);
}

static int probe_windows(void *context, const char *path) {
    (void)context;
    return look_up(windows_entries, path);
}

static int probe_directory(void *context, const char *path) {
    (void)context;
    return look_up(directories, path);
}

const struct service_world config_world_posix = {.executable_suffix = "",
                                                 .base_directory = "/srv",
                                                 .handlers_directory = "/srv/handlers",
                                                 .probe_program = probe_posix,
                                                 .probe_directory = probe_directory};

const struct service_world config_world_windows = {.executable_suffix = ".exe",
                                                   .scripts_need_interpreter = true,
                                                   .backslash_separates = true,
                                                   .base_directory = "C:\\baton",
                                                   .handlers_directory = "C:\\baton\\handlers",
                                                   .probe_program = probe_windows,
                                                   .probe_directory = probe_directory};

void config_output_add(void *context, const char *text) {
    struct config_output *out = context;
    size_t length = strlen(text);
    char *grown = realloc(out->text, out->length + length + 1);
    if (grown == NULL) {
        abort();
    }
    memcpy(grown + out->length, text, length + 1);
    out->text = grown;
    out->length += length;
}

int config_world_check(const struct service_world *world, enum config_format format,
                       const char *file_name, const void *bytes, size_t length,
                       struct config_output *out) {
    struct config config = {0};
    struct config_problems problems = {0};
    struct service_table table = {0};
    int result = config_parse(&config, format, file_name, bytes, length, &problems);

    if (result != BATON_NO_MEMORY) {
        result = service_table_build(&config, world, &problems, &table);
    }
    if (result == BATON_OK) {
        service_table_print(&table, config_output_add, out);
    } else {
        config_problems_print(&problems, config_output_add, out);
    }
    service_table_clear(&table);
    config_problems_clear(&problems);
    config_clear(&config);
    return result;
}
