/*
 * What can wait for somebody else, and is not interruptible, is done by carriers: processes of ours
 * that do it in the loop's stead.
 *
 * A pipe has a lock, and who writes to it or splices has that for as long as its page or the other
 * side takes to come; a socket has one that sending takes. read(2), write(2), close(2) and
 * setsockopt(2) of ours then wait, whatever O_NONBLOCK says, and not even SIGKILL ends that. So
 * these calls are jobs. A carrier is a process and no thread: one that is held must not keep batond
 * from ending. It has a table of descriptors of its own, with nothing in it but what it works on,
 * so that it keeps no port and no connection open either; it ends with the supervisor, or as soon
 * as it can.
 *
 * There is none before the first job. One that has been held for HELD_US is left to it, and another
 * is started; one owner (a service) cannot hold more than CARRIERS_PER_OWNER, and then its other
 * jobs wait for these. Owners take turns, so that one with many jobs does not
 * keep others waiting; when they wait for long all the same there are some more carriers. The last
 * idle one stays for a second, or as long as there is a pump.
 */
#ifndef BATON_PLATFORM_POSIX_CARRIERS_H
#define BATON_PLATFORM_POSIX_CARRIERS_H

#include "platform/posix/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct platform;
struct baton_cause;
struct posix_watch;

/* What one job moves at most. */
#define CARRIER_BYTES 65536u
#define CARRIERS_PER_OWNER 16u

/* Runs in the carrier, which has forked from a process with threads: only calls that are
 * async-signal-safe (signal-safety(7)). `bytes` has room for CARRIER_BYTES, and begins with the
 * `length` bytes that the job gave. Returns -1 and errno, or what `done` is to be told. */
typedef ssize_t carrier_work(int descriptor, uint8_t *bytes, size_t length);

struct carrier_job;

/* Runs in the loop. `result` is what the work has returned, `code` its errno if that was -1:
 * ECANCELED if the carrier was killed. `bytes` are as the work has left them, for the time of the
 * call. False if there is no memory to take the result: it is told again, later. */
typedef bool carrier_done(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                          ssize_t result, int code);

enum carrier_job_state { CARRIER_JOB_NONE, CARRIER_JOB_WAITS, CARRIER_JOB_RUNS };

/* Embedded in what it is about, which keeps it where it is until it is done or dropped. */
struct carrier_job {
    struct posix_node node; /* of its owner's that wait */
    carrier_work *work;
    carrier_done *done;
    const void *owner;    /* compared only */
    bool is_socket;       /* else a pipe */
    int descriptor;       /* the caller's; not to be closed while the job waits or runs */
    size_t length;        /* at most CARRIER_BYTES */
    const uint8_t *bytes; /* length of them, the caller's until the job is done; NULL = none */
    enum carrier_job_state state;
    uint64_t given_us;
};

/* The work of reading: read(2). */
ssize_t posix_carrier_read(int descriptor, uint8_t *bytes, size_t length);

/* What that has brought, until somebody asks for it. */
struct fetched {
    uint8_t *bytes;    /* owned; NULL = nothing */
    size_t first, end; /* of what is still there */
};

/* Copies `length` (at least 1) bytes; it must be empty. False if there is no memory. */
bool posix_fetched_put(struct fetched *fetched, const uint8_t *bytes, size_t length);
/* Takes at most `capacity` bytes; it must not be empty. Returns their number. */
size_t posix_fetched_take(struct fetched *fetched, void *buffer, size_t capacity);
void posix_fetched_clear(struct fetched *fetched);

void posix_carriers_open(struct platform *platform);

/* What is still to be closed goes to a last one, which the end of this process does not wait for.
 */
void posix_carriers_close(struct platform *platform);

/* Before what cannot do without is launched: there is a carrier from now on, until need_no_more was
 * called as often. Afterwards the system may have no process left for it, but only its end would
 * give one back. BATON_OK, or BATON_SHORTAGE if none can be had now. */
int posix_carriers_need(struct platform *platform, struct baton_cause *cause);
void posix_carriers_need_no_more(struct platform *platform);

/* It must not wait or run already. Does not block; posix_carriers_feed() sends it on its way. False
 * if there is no memory for a new owner: it has to be given later. */
bool posix_carriers_give(struct platform *platform, struct carrier_job *job);

/* Takes a job back that no carrier has yet; `done` is not called. False if one has it. */
bool posix_carriers_recall(struct platform *platform, struct carrier_job *job);

/* Before it is given up on: if it is done and that was not looked at yet, `done` is called. */
void posix_carriers_look_at(struct platform *platform, const struct carrier_job *job);

/* No job waits or runs that somebody is to be told of. */
bool posix_carriers_are_idle(const struct platform *platform);

/* Forgets the job, in whatever state it is, and closes its descriptor as soon as that can be done
 * without waiting for anybody; a socket is the closer's then. */
void posix_carriers_drop(struct platform *platform, struct carrier_job *job);

/* Once a round of the loop: gives jobs to carriers, and starts one where all are held. Returns when
 * to call it at the latest, UINT64_MAX = not at all. */
uint64_t posix_carriers_feed(struct platform *platform, uint64_t now_us);

/* A carrier has answered, or has ended. */
void posix_carriers_on_news(struct platform *platform, struct posix_watch *watch);

#endif
