/* The limit of open files, prlimit(2): how many are left below it. */
#include "platform/posix/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

/* How many may be opened yet, as far as /proc tells (proc(5)): to ask of each number takes long
 * where there may be a million. */
static bool count_free(rlim_t limit_count, rlim_t *free_count) {
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    if (folder == NULL) {
        return false;
    }
    *free_count = limit_count;
    while ((entry = readdir(folder)) != NULL) {
        rlim_t number = strtoul(entry->d_name, NULL, 10);
        bool is_open =
            entry->d_name[0] != '.' && number != (rlim_t)dirfd(folder) && number < limit_count;
        *free_count -= is_open ? 1 : 0;
    }
    closedir(folder);
    return true;
}

size_t platform_descriptors_short(struct platform *platform, size_t needed_count,
                                  struct platform_descriptors *out) {
    struct rlimit limit;
    *out = (struct platform_descriptors){0};
    if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) != 0) {
        return 0;
    }
    size_t short_count = needed_count;
    rlim_t free_count;
    if (count_free(limit.rlim_cur, &free_count)) {
        short_count -= free_count < needed_count ? (size_t)free_count : needed_count;
    } else {
        for (rlim_t i = 0; i < limit.rlim_cur && short_count > 0; i++) {
            short_count -= fcntl((int)i, F_GETFD) < 0 ? 1 : 0;
        }
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
