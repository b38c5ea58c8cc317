/* The limit of open files, getrlimit(2): how many are left below it. */
#include "platform/posix/internal.h"

#include <fcntl.h>

size_t platform_descriptors_short(struct platform *platform, size_t needed_count,
                                  struct platform_descriptors *out) {
    struct rlimit limit;
    *out = (struct platform_descriptors){0};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    size_t short_count = needed_count;
    for (rlim_t i = 0; i < limit.rlim_cur && short_count > 0; i++) {
        short_count -= fcntl((int)i, F_GETFD) < 0 ? 1 : 0;
    }
    if (short_count == 0) {
        return 0;
    }
    out->limit_count = limit.rlim_max;
    /* Of what it is raised by, a quarter at most is kept free. */
    out->least_count =
        limit.rlim_max + short_count + (platform->takes_rights ? short_count / 3 + 1 : 0);
    return short_count;
}
