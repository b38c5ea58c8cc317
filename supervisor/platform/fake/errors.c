/* Words for errors, which are all made up. */
#include "platform/fake/internal.h"

#include <stdio.h>

char *platform_error_text(long system_code, char *out, size_t size_bytes) {
    snprintf(out, size_bytes, "made up, number %ld", system_code);
    return out;
}
