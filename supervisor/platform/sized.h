/*
 * platform_open() with smaller tables, so that a test can fill them. For the bodies and their tests
 * alone: who uses the platform sees platform.h.
 */
#ifndef BATON_PLATFORM_SIZED_H
#define BATON_PLATFORM_SIZED_H

#include "platform/platform.h"

struct platform_sizes {
    size_t process_count;   /* 1..PLATFORM_PROCESS_COUNT_MAX */
    size_t stream_count;    /* 1..PLATFORM_STREAM_COUNT_MAX */
    bool takes_rights;      /* POSIX: as on a system without SO_PASSRIGHTS (Linux before 6.16) */
    uint32_t reserve_count; /* POSIX: descriptors that accepting may not have, 0 to 7 */
};

/* As platform_open(); BATON_INVALID for sizes that are out of range. */
int platform_open_sized(const struct platform_sizes *sizes, struct platform **out,
                        struct baton_cause *cause);

#endif
