/*
 * Runs a fuzz target over kept inputs: each argument is a file, or a folder of files. This is what
 * a build without libFuzzer makes of the same target, so that the corpus is a test everywhere.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#define INPUT_MAX_BYTES (2u * 1024u * 1024u)

/* Returns 1 if the file was replayed. */
static size_t replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_MAX_BYTES);
    if (file == NULL || bytes == NULL) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    size_t length = fread(bytes, 1, INPUT_MAX_BYTES, file);
    fclose(file);
    /* In a block of its exact size, a sanitizer sees a read past the end. */
    uint8_t *exact = realloc(bytes, length > 0 ? length : 1);
    if (exact == NULL) {
        abort();
    }
    (void)LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    return 1;
}

static size_t replay(const char *path) {
    DIR *folder = opendir(path);
    size_t count = 0;
    if (folder == NULL) {
        return replay_file(path);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char file[4096];
        if (entry->d_name[0] != '.') {
            snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
            count += replay_file(file);
        }
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv) {
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay(argv[i]);
    }
    printf("%lu inputs replayed\n", (unsigned long)count);
    return count == 0;
}
