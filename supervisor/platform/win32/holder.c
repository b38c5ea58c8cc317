/* Who has a place that is in use: nobody is asked. */
#include "core/base/text.h"
#include "internal.h"

bool platform_listener_holder(const struct platform_listener_spec *spec,
                              struct platform_holder *out) {
    (void)spec;
    *out = (struct platform_holder){0};
    return false;
}

/* An address that is excluded, or another's alone, is denied and not in use (SO_EXCLUSIVEADDRUSE).
 */
bool platform_listener_hint(const struct platform_listener_spec *spec, int result,
                            char out[PLATFORM_HINT_MAX_BYTES]) {
    out[0] = '\0';
    if (result == BATON_UNAVAILABLE) {
        text_format(out, PLATFORM_HINT_MAX_BYTES,
                    "no interface has this address; `ipconfig` lists those that there are");
    } else if (spec->protocol != PLATFORM_UNIX &&
               (result == BATON_IN_USE || result == BATON_DENIED)) {
        text_format(out, PLATFORM_HINT_MAX_BYTES,
                    "`netstat -ano | findstr :%u` tells the process that has it%s",
                    (unsigned)spec->address.port,
                    result == BATON_IN_USE
                        ? ""
                        : "; if none has, `netsh interface ipv4 show "
                          "excludedportrange tcp` what Windows keeps for itself");
    }
    return out[0] != '\0';
}
