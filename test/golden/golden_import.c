/*
 * Golden files of the import. Every FILE given on the command line is one file of a made-up
 * machine, under its path below the first argument, and each FILE.conf is imported: what is
 * printed, or the faults of a FILE whose name begins with "bad-", must equal FILE.conf.expected.
 * What was printed must be a config without fault, but for an "empty-" one, which has no service.
 * With BATON_REGENERATE set the expected files are written instead: read the difference before it
 * is committed.
 */
#include "config_world.h"
#include "core/base/error.h"
#include "golden.h"
#include "import_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX_COUNT 128

/* Returns 0 if what was imported is a config without fault. */
static int check_config(const char *path, const struct config_output *out, bool is_empty) {
    struct config_output words = {0};
    int result = config_world_check(&import_world_services, CONFIG_FORMAT_INI, "imported.ini",
                                    out->text, out->length, true, &words);
    bool wrong = is_empty ? result != BATON_INVALID || strstr(words.text, "no service") == NULL
                          : result != BATON_OK;
    if (wrong) {
        fprintf(stderr, "%s: --check of the config says\n%s\n", path, words.text);
    }
    free(words.text);
    return wrong;
}

static int check_import(const char *path, const char *name, const struct import_file *files) {
    const struct import_machine world = import_world_of(files);
    struct config_output out = {0};
    bool is_bad = strncmp(name, "bad-", 4) == 0;
    int result = import_config(name, &world, config_output_add, config_output_add, &out);
    int wrong = golden_compare(path, out.text != NULL ? out.text : "");
    if (result != (is_bad ? BATON_INVALID : BATON_OK)) {
        fprintf(stderr, "%s: result %d; its name promises otherwise\n", path, result);
        wrong = 1;
    } else if (!is_bad) {
        wrong |= check_config(path, &out, strncmp(name, "empty-", 6) == 0);
    }
    free(out.text);
    return wrong;
}

int main(int argc, char **argv) {
    static struct import_file files[FILES_MAX_COUNT + 1];
    int wrong_count = 0;
    int import_count = 0;
    size_t folder_length = argc < 2 ? 0 : strlen(argv[1]) + 1;
    for (int i = 2; i < argc && i - 2 < FILES_MAX_COUNT; i++) {
        struct import_file *file = &files[i - 2];
        file->path = argv[i] + folder_length;
        file->bytes = golden_read(argv[i], &file->length);
        if (file->bytes == NULL) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
    }
    for (const struct import_file *file = files; file->path != NULL; file++) {
        if (text_ends_with(file->path, ".conf", false)) {
            import_count++;
            wrong_count += check_import(file->path - folder_length, file->path, files);
        }
    }
    for (const struct import_file *file = files; file->path != NULL; file++) {
        free((char *)file->bytes);
    }
    printf("%d imports, %d faults\n", import_count, wrong_count);
    return import_count == 0 || wrong_count > 0;
}
