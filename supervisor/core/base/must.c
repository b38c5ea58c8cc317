#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void must_fail(const char *file, int line, const char *condition) {
    fprintf(stderr, "baton: bug: %s:%d: not so: %s\n", file, line, condition);
    fflush(stderr);
    abort();
}
