#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *file, int line) {
    fprintf(stderr, "baton: bug: this must hold: %s:%d\n", file, line);
    fflush(stderr);
    abort();
}
