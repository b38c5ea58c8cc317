#include "platform/posix/internal.h"

#include <errno.h>
#include <unistd.h>

int platform_become(const char *path, const char *const *argv, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    /* execv(3) writes to neither the array nor the texts; its type is older than const. */
    execv(path, (char *const *)argv);
    return failed(cause, "execv", errno);
}
