#include "internal.h"

size_t platform_end_strays(struct platform *platform, uint64_t deadline_us) {
    /* A job without a breakaway limit keeps every descendant, so its end is the end of them all. */
    (void)platform;
    (void)deadline_us;
    return 0;
}
