#include "config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

const char *config_file_read(const char *path, size_t *length) {
    static char bytes[65536];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    *length = fread(bytes, 1, sizeof bytes - 1, file);
    bytes[*length] = '\0';
    fclose(file);
    return bytes;
}
