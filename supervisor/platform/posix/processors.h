/* How many processors are ours, by what cgroups say. */
#ifndef BATON_PLATFORM_POSIX_PROCESSORS_H
#define BATON_PLATFORM_POSIX_PROCESSORS_H

#include <stdint.h>

/* How many of `count` processors may be used at a time. `own` is a file that says in which cgroup
 * we are, as /proc/self/cgroup does, `root` the folder of all of them. */
uint32_t posix_processors_within(const char *own, const char *root, uint32_t count);

#endif
