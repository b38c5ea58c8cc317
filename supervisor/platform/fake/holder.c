/* Who has a place that is in use. */
#include "platform/fake/internal.h"

bool platform_listener_holder(const struct platform_listener_spec *spec,
                              struct platform_holder *out) {
    (void)spec;
    *out = (struct platform_holder){.pid = 4242, .name = "one"};
    return true;
}
