/* Who has a place that is in use. */
#include "platform/fake/internal.h"

#include <stdio.h>

bool platform_listener_holder(const struct platform_listener_spec *spec,
                              struct platform_holder *out) {
    (void)spec;
    *out = (struct platform_holder){.pid = 4242, .name = "one"};
    return true;
}

bool platform_listener_hint(const struct platform_listener_spec *spec, int result,
                            char out[PLATFORM_HINT_MAX_BYTES]) {
    (void)spec;
    snprintf(out, PLATFORM_HINT_MAX_BYTES, "a fake hint about %d", result);
    return true;
}
