/*
 * As whom a program runs, and within which limits: what the keys of a service say, in the system's
 * numbers. A value; the texts and groups that it points to are its owner's.
 */
#ifndef BATON_BASE_IDENTITY_H
#define BATON_BASE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDENTITY_SAME UINT32_MAX            /* of an id, of a limit: as the supervisor has it */
#define IDENTITY_UNLIMITED (UINT32_MAX - 1) /* of a limit */

/* Limits of each process. POSIX: setrlimit(2), soft and hard. */
enum identity_limit {
    LIMIT_MEMORY_KIB,      /* address space */
    LIMIT_CORE_KIB,        /* of the file that a crash leaves */
    LIMIT_CPU_S,           /* time on processors */
    LIMIT_FILES_COUNT,     /* the numbers of its descriptors are below it */
    LIMIT_PROCESSES_COUNT, /* of all that run as the same user */
    LIMIT_COUNT
};

struct identity {
    /* Both or none of the ids are IDENTITY_SAME: then the groups stay as they are, too. */
    uint32_t uid, gid;
    const uint32_t *groups; /* supplementary ones: group_count ids */
    size_t group_count;
    const char *chroot;           /* the root of its file system, absolute; NULL = the same */
    uint64_t capabilities;        /* a bit for each that is kept; see has_capabilities */
    bool has_capabilities;        /* false: all for root, and none for another user */
    bool must_adjust_oom;         /* a refusal of oom_score_adj is a failure */
    uint32_t umask_bits;          /* 0..0777 */
    uint32_t nice_count;          /* -20..19, added to the supervisor's own; two's complement */
    uint32_t oom_score_adj;       /* -1000..1000, two's complement */
    uint32_t limits[LIMIT_COUNT]; /* by enum identity_limit */
};

/* True if its supplementary groups are these, in whatever order: the system has one of its own. */
bool identity_has_groups(const struct identity *identity, const uint32_t *groups, size_t count);

/* A user of the machine. Texts and groups are valid until the next one is asked for. */
struct account {
    uint32_t uid, gid;
    const char *name, *home;
    const uint32_t *groups; /* supplementary ones: group_count ids */
    size_t group_count;
};

#endif
