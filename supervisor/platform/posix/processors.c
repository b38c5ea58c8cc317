/* How many processors are ours: those that the scheduler lets us have (sched_getaffinity(2)),
 * within what a container or a unit of systemd may use of them. That is cpu.max of our cgroup and
 * of those above it, in microseconds of each period ("50000 100000", or "max" for no bound):
 * https://docs.kernel.org/admin-guide/cgroup-v2.html */
#include "platform/posix/processors.h"

#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* A set for so many is what the call takes; where there are more it fails. */
#define UNKNOWN_COUNT CPU_SETSIZE

static uint32_t within(const char *path, uint32_t count) {
    char text[64];
    char *end;
    (void)posix_read_text(open(path, O_RDONLY | O_CLOEXEC), text, sizeof text);
    unsigned long quota_us = strtoul(text, &end, 10);
    unsigned long period_us = strtoul(end, NULL, 10);
    if (quota_us == 0 || period_us == 0) {
        return count;
    }
    unsigned long whole_count = (quota_us - 1) / period_us + 1;
    return whole_count < count ? (uint32_t)whole_count : count;
}

uint32_t posix_processors_within(const char *own, const char *root, uint32_t count) {
    char text[4096], path[4096 + 64];
    (void)posix_read_text(open(own, O_RDONLY | O_CLOEXEC), text, sizeof text);
    const char *group = strstr(text, "0::/"); /* version 2; cgroups(7) */
    if (group == NULL) {
        return count;
    }
    group += strlen("0::");
    size_t root_length = strlen(root);
    size_t length = root_length + strcspn(group, "\n");
    if (length + sizeof "/cpu.max" > sizeof path) {
        return count;
    }
    text_format(path, sizeof path, "%s%s", root, group);
    while (length >= root_length) {
        memcpy(path + length, "/cpu.max", sizeof "/cpu.max");
        count = within(path, count);
        do {
            length--;
        } while (length >= root_length && path[length] != '/');
    }
    return count;
}

uint32_t platform_processors_count(void) {
    cpu_set_t set;
    bool is_known = sched_getaffinity(0, sizeof set, &set) == 0;
    return posix_processors_within("/proc/self/cgroup", "/sys/fs/cgroup",
                                   is_known ? (uint32_t)CPU_COUNT(&set) : UNKNOWN_COUNT);
}
