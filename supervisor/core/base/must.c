#include "core/base/must.h"
#include "core/base/text.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *file, int line) {
    char text[256];
    text_format(text, sizeof text, "baton: bug: this must hold: %s:%d\n", file, line);
    fputs(text, stderr);
    fflush(stderr);
    abort();
}
