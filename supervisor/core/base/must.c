#include "core/base/must.h"
#include "core/base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* Without text_format(), which has to hold as well. */
_Noreturn void must_fail(const char *file, int line) {
    char number[24];
    char *end = text_put_number(number, (uint64_t)line, 10);
    *end++ = '\n';
    *end = '\0';
    fputs("baton: bug: this must hold: ", stderr);
    fputs(file, stderr);
    fputs(":", stderr);
    fputs(number, stderr);
    fflush(stderr);
    abort();
}
