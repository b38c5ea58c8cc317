/*
 * The platform itself: opening and closing, which change the process, its clocks, and what is known
 * without it.
 */
#include "core/base/table.h"
#include "platform/posix/held.h"
#include "platform/posix/log.h"
#include "platform/sized.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Some systems allow 2^30, for which nobody has the memory; no supervisor has more than this. */
#define DESCRIPTORS_MAX_COUNT (1u << 20)

/* The lowest free descriptor is the one that open(2) returns, so a missing stream is filled by
 * opening anything when 0 to its predecessor are there. Inherited by design, hence no O_CLOEXEC. */
static int ensure_standard_streams(struct baton_cause *cause) {
    for (int stream = 0; stream <= 2; stream++) {
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
            return posix_failed(cause, "open /dev/null");
        }
    }
    return BATON_OK;
}

/* Descriptors that whoever started us left open must not reach the handlers. */
void posix_protect_descriptors(void) {
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0) {
        return;
    }
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        int descriptor = (int)strtoul(entry->d_name, NULL, 10);
        if (descriptor > 2) {
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        }
    }
    closedir(folder);
}

static int raise_descriptor_limit(struct platform *platform, bool takes_rights,
                                  struct baton_cause *cause) {
    if (prlimit(0, RLIMIT_NOFILE, NULL, &platform->original_descriptors) != 0) {
        return posix_failed(cause, "prlimit");
    }
    struct rlimit raised = platform->original_descriptors;
    platform->takes_rights = takes_rights || !posix_rights_can_be_refused();
    raised.rlim_cur = raised.rlim_max -
                      (platform->takes_rights ? posix_rights_reserve_count(raised.rlim_max) : 0);
    if (prlimit(0, RLIMIT_NOFILE, &raised, NULL) != 0) {
        return posix_failed(cause, "prlimit");
    }
    return BATON_OK;
}

#define THREADS_RETRY_US 100000u
/* Our own descriptors, a listener and one connection. */
#define DESCRIPTORS_LEAST_COUNT 32u

/* EINVAL is what fcntl(2) says of numbers above the limit. */
static void blame_limit(const struct platform *platform, struct baton_cause *cause) {
    if (platform->original_descriptors.rlim_max < DESCRIPTORS_LEAST_COUNT &&
        (cause->system_code == EMFILE || cause->system_code == EINVAL)) {
        *cause = (struct baton_cause){"`ulimit -Hn` is too low; raise it to 32 at least", EMFILE};
    }
}

int posix_threads_end(struct platform *platform, struct baton_cause *cause) {
    posix_watch_forget(platform, &platform->closed); /* the closers' descriptors */
    posix_watch_forget(platform, &platform->ended);
    bool all_ended = closer_close(&platform->closer);
    all_ended = closer_close(&platform->ender) && all_ended;
    return all_ended ? BATON_OK : posix_failed_with(cause, "pthread_join", ETIMEDOUT);
}

static size_t descriptors_count(const struct platform *platform) {
    rlim_t most = platform->original_descriptors.rlim_max;
    return most < DESCRIPTORS_MAX_COUNT ? (size_t)most : DESCRIPTORS_MAX_COUNT;
}

static int open_closer(struct platform *platform, struct closer **out, struct posix_watch *news,
                       struct baton_cause *cause) {
    int result = closer_open(descriptors_count(platform), out, cause);
    if (result != BATON_OK) {
        return result;
    }
    news->descriptor = (*out)->told;
    return posix_watch_begin(platform, news, EPOLLIN, cause);
}

int posix_threads_begin(struct platform *platform, struct baton_cause *cause) {
    if (platform->owners == NULL) {
        platform->owners = table_create(descriptors_count(platform), sizeof *platform->owners);
        platform->holders = table_create(CLOSER_OWNERS_COUNT, sizeof *platform->holders);
        if (platform->owners == NULL || platform->holders == NULL) {
            return BATON_NO_MEMORY;
        }
    }
    return open_closer(platform, &platform->closer, &platform->closed, cause);
}

void posix_own(struct platform *platform, int descriptor, uint16_t owner) {
    if ((size_t)descriptor < descriptors_count(platform)) {
        platform->owners[descriptor] = owner;
    }
}

uint16_t posix_owner_of(const struct platform *platform, int descriptor) {
    return (size_t)descriptor < descriptors_count(platform) ? platform->owners[descriptor] : 0;
}

/* To end a connection waits for whoever is in a call on it, whom no signal ends; and so does to
 * close what is of an owner's who has held a thread by that. Who does such things has a closer for
 * them, or a service could keep all others' clients from the end of their connections. */
static struct closer *closer_for(struct platform *platform, uint64_t entry) {
    if ((entry & CLOSER_ENDS) == 0 && !platform->holders[entry >> CLOSER_OWNER_SHIFT]) {
        return platform->closer;
    }
    if (platform->ender == NULL) { /* where it finds no place in the loop, its news are missed */
        (void)open_closer(platform, &platform->ender, &platform->ended, &posix_ignored);
    }
    return platform->ender == NULL ? platform->closer : platform->ender;
}

static void let_go(struct platform *platform, uint64_t entry) {
    if (platform->closer == NULL) {
        posix_close_any((int)entry & ~CLOSER_ENDS); /* nobody has had it yet */
    } else {
        closer_take(closer_for(platform, entry), entry);
    }
}

void posix_let_go(struct platform *platform, int descriptor) {
    if (descriptor >= 0) {
        let_go(platform, (unsigned)descriptor);
    }
}

void posix_let_go_connection(struct platform *platform, int entry) {
    size_t descriptor = (unsigned)entry & ~(unsigned)CLOSER_ENDS;
    bool is_known = descriptor < descriptors_count(platform);
    uint64_t owner = entry >= 0 && is_known ? platform->owners[descriptor] : 0;
    if (entry >= 0) {
        let_go(platform, owner << CLOSER_OWNER_SHIFT | (unsigned)entry);
    }
}

/* What has come behind a descriptor that holds a thread, and is of the same owner's, does not get
 * to the next thread. */
static void sort_again(struct platform *platform) {
    struct closer *closer = platform->closer;
    uint64_t count =
        atomic_load(&closer->put_count) - atomic_load(&closer->taken_count) + closer->waiting_count;
    for (; count > 0; count--) {
        uint64_t entry = closer_take_back(closer);
        if (entry != 0) {
            let_go(platform, entry);
        }
    }
}

/* Until it has begun, what is let go is closed by the loop. */
void posix_threads_resume(struct platform *platform) {
    if (platform->closer == NULL) {
        (void)posix_threads_begin(platform, &posix_ignored);
    }
}

uint64_t posix_threads_feed(struct platform *platform, uint64_t now_us) {
    bool is_held = false;
    posix_threads_resume(platform);
    if (platform->closer == NULL) {
        return now_us + THREADS_RETRY_US;
    }
    uint64_t until_us = closer_feed(platform->closer, now_us, platform->holders, &is_held);
    if (is_held) {
        sort_again(platform);
    }
    if (platform->ender != NULL) {
        uint64_t ender_us = closer_feed(platform->ender, now_us, NULL, &is_held);
        until_us = ender_us < until_us ? ender_us : until_us;
    }
    return until_us;
}

/* Who has our session keyring can read what is in it, whatever user he is (keyrings(7)): the keys
 * of whoever has started us are not for other users' programs. Where the system has no keys, or
 * lets nobody at them, there is nothing to keep. */
static void leave_keys(void) {
    if (geteuid() == 0) {
        (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    }
}

static int open_loop(struct platform *platform, size_t process_count, struct baton_cause *cause) {
    platform->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (platform->epoll < 0) {
        return posix_failed(cause, "epoll_create1");
    }
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        return posix_failed(cause, "prctl");
    }
    leave_keys(); /* before the first thread and child */
    int result = posix_signals_open(platform, cause);
    if (result == BATON_OK) {
        result = posix_children_open(platform, cause);
    }
    if (result == BATON_OK) {
        result = posix_outputs_open(platform, process_count, cause);
    }
    return result;
}

int platform_open(struct platform **out, struct baton_cause *cause) {
    static const struct platform_sizes largest = {
        PLATFORM_PROCESS_COUNT_MAX, PLATFORM_STREAM_COUNT_MAX, false, RESERVE_MAX_COUNT};
    return platform_open_sized(&largest, out, cause);
}

int platform_open_sized(const struct platform_sizes *sizes, struct platform **out,
                        struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){0};
    if (sizes->process_count < 1 || sizes->process_count > PLATFORM_PROCESS_COUNT_MAX ||
        sizes->stream_count < 1 || sizes->stream_count > PLATFORM_STREAM_COUNT_MAX ||
        sizes->reserve_count > RESERVE_MAX_COUNT) {
        return BATON_INVALID;
    }
    struct platform *platform = *out = calloc(1, sizeof *platform);
    if (platform == NULL) {
        return BATON_NO_MEMORY;
    }
    platform->epoll = -1;
    platform->reserve.wanted_count = sizes->reserve_count;
    platform->null_device = -1;
    platform->carriers.spares[0] = platform->carriers.spares[1] = -1;
    platform->handover[0] = platform->handover[1] = -1;
    platform->manager.socket = -1;
    platform->has_exit_watches = true;
    posix_watch_init(&platform->signals, POSIX_WATCH_SIGNAL, 0);
    posix_watch_init(&platform->children, POSIX_WATCH_CHILDREN, 0);
    posix_watch_init(&platform->closed, POSIX_WATCH_CLOSER, 0);
    posix_watch_init(&platform->ended, POSIX_WATCH_CLOSER, 0);
    posix_watch_init(&platform->outputs.watch, POSIX_WATCH_OUTPUT, 0);
    posix_watch_init(&platform->files.notify, POSIX_WATCH_FILES, 0);

    bool is_restarted = platform_restarted() != NULL;
    int result = ensure_standard_streams(cause);
    if (result == BATON_OK) {
        posix_protect_descriptors();
        result = raise_descriptor_limit(platform, sizes->takes_rights, cause);
    }
    if (result == BATON_OK) {
        result = posix_handover_open(platform, cause);
    }
    if (result == BATON_OK) {
        result = posix_processes_open(platform, sizes->process_count);
    }
    if (result == BATON_OK) {
        result = posix_streams_open(platform, sizes->stream_count);
    }
    if (result == BATON_OK) {
        posix_carriers_open(platform);
        result = posix_held_take(platform, &is_restarted);
    }
    if (result == BATON_OK && !is_restarted) {
        result = posix_elders_open(platform);
    }
    if (result == BATON_OK) {
        result = posix_manager_open(platform);
    }
    if (result == BATON_OK) {
        result = open_loop(platform, sizes->process_count, cause);
    }
    if (result == BATON_OK) {
        result = posix_threads_begin(platform, cause);
        /* Who takes over what is served does so without a thread, which comes when one can be. */
        result = is_restarted && result != BATON_NO_MEMORY ? BATON_OK : result;
    }
    if (result != BATON_OK) {
        blame_limit(platform, cause);
        platform_close(out);
    } else {
        (void)reserve_fill(&platform->reserve, platform->epoll);
    }
    return result;
}

/* The signals stay blocked, SIGPIPE too: a second Ctrl-C must not turn the exit code of a
 * finished, ordered stop into a death by signal. */
void platform_close(struct platform **platform) {
    struct platform *closing = *platform;
    if (closing == NULL) {
        return;
    }
    posix_manager_close(closing);
    posix_logs_close(closing);
    posix_processes_close(closing);
    posix_launchers_close(closing);
    posix_streams_close(closing);
    posix_outputs_close(closing);
    posix_sockets_close(closing);
    posix_files_close(closing);
    posix_carriers_close(closing);
    posix_elders_close(closing);
    posix_watch_close(closing, &closing->signals);
    posix_watch_close(closing, &closing->children);
    (void)posix_threads_end(closing, &posix_ignored);
    posix_handover_close(closing);
    (void)reserve_let_go(&closing->reserve);
    posix_close_any(closing->epoll);
    if (closing->original_descriptors.rlim_max != 0) {
        prlimit(0, RLIMIT_NOFILE, &closing->original_descriptors, NULL);
    }
    free(closing->owners);
    free(closing->holders);
    free(closing);
    *platform = NULL;
}

int posix_short(struct platform *platform) {
    (void)reserve_let_go(&platform->reserve);
    (void)closer_await(platform->closer, false);
    (void)closer_await(platform->ender, false);
    return BATON_SHORTAGE;
}

uint64_t posix_clock_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t platform_now_us(struct platform *platform) {
    (void)platform;
    return posix_clock_us(CLOCK_MONOTONIC);
}

int64_t platform_wall_us(struct platform *platform) {
    (void)platform;
    return (int64_t)posix_clock_us(CLOCK_REALTIME);
}

int64_t platform_local_us(int64_t wall_us) {
    static int64_t known_minute = INT64_MIN;
    static long offset_s;
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm local;
    /* Zones differ by whole minutes. */
    if (seconds / 60 != known_minute) {
        tzset(); /* localtime_r(3) alone need not look at the zone again */
        if (localtime_r(&seconds, &local) == NULL) {
            return 0; /* of a year that does not fit into an int */
        }
        known_minute = seconds / 60;
        offset_s = local.tm_gmtoff;
    }
    return wall_us + (int64_t)offset_s * 1000000;
}

unsigned platform_local_minute(int64_t wall_us) {
    return (unsigned)(platform_local_us(wall_us) / 60000000 % 1440);
}

static int draw(void *out, size_t length, struct baton_cause *cause) {
    unsigned char *bytes = out;
    while (length > 0) {
        ssize_t got = getrandom(bytes, length, 0);
        if (got < 0 && errno != EINTR) {
            posix_failed(cause, "getrandom");
            return BATON_SYSTEM;
        }
        if (got > 0) {
            bytes += got;
            length -= (size_t)got;
        }
    }
    return BATON_OK;
}

/* What is drawn ahead for those who want little, such as a nonce for each process. A child of
 * fork(2) finds nothing in it (MADV_WIPEONFORK, madvise(2)), so that nobody has the same. */
struct drawn {
    uint32_t left_count; /* the first ones of `bytes`; the others are wiped */
    unsigned char bytes[4092];
};
#define LITTLE_BYTES 64

static struct drawn *open_drawn(void) {
    struct drawn *drawn =
        mmap(NULL, sizeof *drawn, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (drawn != MAP_FAILED && madvise(drawn, sizeof *drawn, MADV_WIPEONFORK) != 0) {
        munmap(drawn, sizeof *drawn);
        drawn = MAP_FAILED;
    }
    return drawn;
}

int platform_random(void *out, size_t length, struct baton_cause *cause) {
    static struct drawn *drawn;
    if (drawn == NULL && length <= LITTLE_BYTES) {
        drawn = open_drawn();
    }
    if (length > LITTLE_BYTES || drawn == MAP_FAILED) {
        return draw(out, length, cause);
    }
    if (drawn->left_count < length) {
        drawn->left_count = 0;
        int result = draw(drawn->bytes, sizeof drawn->bytes, cause);
        if (result != BATON_OK) {
            return result;
        }
        drawn->left_count = sizeof drawn->bytes;
    }
    drawn->left_count -= (uint32_t)length;
    unsigned char *taken = drawn->bytes + drawn->left_count;
    memcpy(out, taken, length);
    explicit_bzero(taken, length);
    return BATON_OK;
}

uint32_t platform_own_pid(void) {
    return (uint32_t)getpid();
}
