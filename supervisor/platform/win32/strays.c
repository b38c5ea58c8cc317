#include "internal.h"

size_t platform_end_strays(struct platform *platform, struct platform_strays *strays,
                           uint64_t deadline_us) {
    (void)strays;
    /* A job without a breakaway limit keeps every descendant, so its end is the end of them all;
     * and who is left on purpose is in no job that we could ask. */
    (void)platform;
    (void)deadline_us;
    return 0;
}
