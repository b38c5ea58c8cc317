#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (2u * 1024u * 1024u)

char *golden_read(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(FILE_MAX_BYTES + 1);
    if (file == NULL || bytes == NULL) {
        free(bytes);
        bytes = NULL;
    } else {
        *length = fread(bytes, 1, FILE_MAX_BYTES, file);
        bytes[*length] = '\0';
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

static int write_expected(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot be written\n", path);
        return 1;
    }
    fputs(text, file);
    return fclose(file) != 0;
}

int golden_compare(const char *path, const char *actual) {
    char expected_path[4096];
    size_t length = 0;
    snprintf(expected_path, sizeof expected_path, "%s.expected", path);
    if (getenv("BATON_REGENERATE") != NULL) {
        return write_expected(expected_path, actual);
    }
    char *expected = golden_read(expected_path, &length);
    int wrong = expected == NULL || strcmp(expected, actual) != 0;
    if (wrong) {
        fprintf(stderr, "%s: expected\n%s\nbut got\n%s\n", path,
                expected != NULL ? expected : "(no such file)", actual);
    }
    free(expected);
    return wrong;
}
