/*
 * Golden files of the config. Every FILE.ini, .yaml or .yml given on the command line is read on a
 * made-up machine (as on Windows if its name begins with "win-", as root
 * with "root-"), and what --check would print must
 * equal FILE.ini.expected: the services alone, or with "-full" in its name the whole, so that a key
 * that is added changes few of them. With BATON_REGENERATE set the expected files are written
 * instead: read the difference before it is committed.
 */
#include "config_world.h"
#include "core/base/error.h"
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int check_file(const char *path) {
    const char *name = base_name(path);
    const struct service_machine *world = strncmp(name, "win-", 4) == 0    ? &config_world_windows
                                          : strncmp(name, "root-", 5) == 0 ? &config_world_root
                                                                           : &config_world_posix;
    enum config_format format = CONFIG_FORMAT_INI;
    struct config_output out = {0};
    size_t length = 0;
    char *bytes = golden_read(path, &length);
    if (bytes == NULL || !config_format_of(name, &format)) {
        fprintf(stderr, "%s: cannot be read, or is no config\n", path);
        free(bytes);
        return 1;
    }
    int result = config_world_check(world, format, name, bytes, length,
                                    strstr(name, "-full.") != NULL, &out);
    int wrong = golden_compare(path, out.text != NULL ? out.text : "");
    if ((strncmp(name, "good-", 5) == 0 || strncmp(name, "win-good-", 9) == 0 ||
         strncmp(name, "root-good-", 10) == 0) != (result == BATON_OK)) {
        fprintf(stderr, "%s: result %d; its name promises otherwise\n", path, result);
        wrong = 1;
    }
    free(out.text);
    free(bytes);
    return wrong;
}

static int load(const char *path, enum config_format format, struct service_table *table) {
    size_t length = 0;
    char *bytes = golden_read(path, &length);
    int result = bytes == NULL ? BATON_NOT_FOUND
                               : config_world_load(&config_world_posix, format, path, bytes, length,
                                                   table, NULL);
    free(bytes);
    return result;
}

/* A good FILE.yaml has its FILE.ini, and their tables are equal. */
static int check_pair(const char *path) {
    char ini_path[4096];
    struct service_table yaml = {0};
    struct service_table ini = {0};
    size_t stem = strlen(path) - strlen(".yaml");
    if (strncmp(base_name(path), "good-", 5) != 0 || strcmp(path + stem, ".yaml") != 0) {
        return 0;
    }
    snprintf(ini_path, sizeof ini_path, "%.*s.ini", (int)stem, path);
    int wrong = load(path, CONFIG_FORMAT_YAML, &yaml) != BATON_OK ||
                load(ini_path, CONFIG_FORMAT_INI, &ini) != BATON_OK ||
                !config_tables_equal(&yaml, &ini);
    if (wrong) {
        fprintf(stderr, "%s: its table differs from that of %s\n", path, ini_path);
    }
    service_table_clear(&yaml);
    service_table_clear(&ini);
    return wrong;
}

int main(int argc, char **argv) {
    int wrong_count = 0;
    for (int i = 1; i < argc; i++) {
        wrong_count += check_file(argv[i]);
    }
    for (int i = 1; i < argc; i++) {
        wrong_count += check_pair(argv[i]);
    }
    printf("%d files, %d faults\n", argc - 1, wrong_count);
    return argc < 2 || wrong_count > 0;
}
