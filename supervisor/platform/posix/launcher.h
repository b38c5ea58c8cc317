/*
 * One launcher: its process, the page, and what it has under way. For launcher.c, launchers.c,
 * launch.c and launch_end.c alone; launchers.h tells what launchers are.
 */
#ifndef BATON_PLATFORM_POSIX_LAUNCHER_H
#define BATON_PLATFORM_POSIX_LAUNCHER_H

#include "platform/posix/internal.h"

#include <stdatomic.h>

/* One at work, and one that it goes on with, without waiting for the loop. */
#define LAUNCHES_EACH 2u

/* What all launchers see of the loop. */
struct launchers_face {
    _Atomic uint32_t is_asleep; /* or about to be: the bell wakes it */
};

/* Whose a request is. */
enum request_claim { REQUEST_NOBODY, REQUEST_ASKED, REQUEST_BEGUN, REQUEST_REVOKED };

/* What both have of a launch. The loop's until it is asked, and again when it is done. */
struct launch_request {
    _Atomic uint32_t claim; /* enum request_claim */
    const struct platform_program *program;
    struct spawn spawn; /* what it points to is the program's, or in `room` */
    struct handover handover;
    struct plan_failure failure;
    volatile pid_t pid;          /* 0: there is no child yet */
    _Atomic uint32_t is_walking; /* the child is about to execute its program, if there is one */
    volatile int code;           /* the errno of clone(2); 0 = none */
    volatile uint32_t peak_kib;  /* the most memory that the launcher had, when it was done */
    int result;                  /* of one that has failed: what it returns, */
    struct baton_cause cause;    /* and why */
    uint32_t explained;
    char *
        explanation; /* PLATFORM_EXPLANATION_BYTES of the page, behind all that each launch needs */
    volatile bool halts; /* its launcher does not go on before it is seen to */
    char nonce[32];
    size_t variable_count; /* the pointers to what is set, at the start of `room` */
    size_t values_bytes;   /* and behind all else, the texts */
    char *values;
    char *room; /* room_bytes of the page */
};

/* Numbers count up, and round; request N is that at N % LAUNCHES_EACH. */
struct launch_page {
    _Atomic uint32_t bell;      /* the loop has changed something: a futex(2) of the launcher's */
    _Atomic uint32_t is_asleep; /* and that waits for it */
    _Atomic uint32_t asked, done;
    _Atomic uint32_t is_halted; /* something was not as it should: the loop comes first */
    struct launch_request requests[LAUNCHES_EACH];
    size_t room_bytes; /* of each */
    _Alignas(16) char room[];
};

/* What a launch has open until the child has it, and the streams that stay. */
struct preparation {
    struct spawn spawn;
    struct handover handover;
    int ends[4]; /* the program's ends: input, output, log, channel; -1 = none */
    struct platform_stream *pumps[2]; /* to its input, from its output */
    struct output_pipe *log;
    bool is_copied; /* the child has a copy of the table, and nothing was handed over */
};

/* The loop's side of a request. */
struct launch {
    struct launcher *launcher;
    struct launch_request *request;
    bool is_used;
    bool is_revoked; /* before it was begun */
    bool is_over;    /* told: it is done, revoked, or its launcher is dead */
    bool is_reaped;  /* the child is, and its number may be a stranger's */
    bool came_back;  /* what it was to have, from a dead launcher; and of that `back`, or -1 */
    int back;
    const struct platform_program *program; /* compared only */
    struct platform_process *process;       /* NULL: it was closed */
    struct preparation prepared;
};

struct launcher {
    struct posix_watch watch; /* its pidfd; first, since its address is the launcher's */
    struct launcher *next;
    pid_t pid;
    int handover[2]; /* the child's end, from which we take what is left; and ours */
    struct launch_page *page;
    size_t page_bytes;
    uint64_t knows_number; /* programs up to this one are in its memory */
    uint32_t asked, seen;  /* requests that were asked of it, and that it was seen to have done */
    bool is_dead;          /* it has ended, */
    bool is_emptied;       /* and what nobody has taken is known */
    bool is_held;          /* there is another in its place */
    bool is_tired;         /* it gets no more */
    bool is_leaving;       /* to be removed */
    uint64_t begun_us;     /* the one at work was, as far as we know */
    uint64_t look_us;      /* when to look at it */
    unsigned stops_count;
    struct launch launches[LAUNCHES_EACH];
};

/* In launcher.c: a new one; NULL if the system cannot now. Its processes and sockets; not its
 * place in a list. */
struct launcher *launcher_start(struct platform *platform, struct baton_cause *cause);
/* Ends it; it has nothing at work. */
void launcher_free(struct platform *platform, struct launcher *launcher);
/* Where the next request may be written; NULL: it has enough. */
struct launch *launcher_room(struct launcher *launcher);
/* Writes the request into the page; false if it has no room. */
bool launcher_describe(struct launch *launch, const struct platform_program *program,
                       const struct platform_launch *what, const struct spawn *spawn);
/* Asks for what was described. Does not wait, and does not fail. */
void launcher_ask(struct launch *launch);
/* After a request that was not clean, and has been seen to. */
void launcher_go_on(struct launcher *launcher);
/* Of a dead one: what nobody has taken, so that each launch has its own. */
void launcher_take_all(struct launcher *launcher);
/* False: it has begun. */
bool launcher_revoke(struct launch *launch);

/* True if the program's launches are theirs; else the loop's. */
bool posix_launchers_serve(struct platform *platform, const struct platform_program *program);
/* A place with one that is to have it; NULL: a LAUNCHERS event tells when to ask again. */
struct launch *posix_launchers_choose(struct platform *platform,
                                      const struct platform_program *program);
/* It is asked now; `process` waits for the answer. */
void posix_launchers_begin(struct platform *platform, struct launch *launch,
                           struct platform_process *process, const struct preparation *p);
/* The answer was taken. */
void posix_launchers_end(struct platform *platform, struct launch *launch);

/* In launch.c, of what was prepared: it runs, be it that it has ended; or it never will, and the
 * process (or NULL) is nobody's again. */
void posix_launch_complete(struct platform_process *process, struct preparation *p,
                           struct platform_launched *out);
void posix_launch_give_up(struct platform *platform, struct platform_process *process,
                          struct preparation *p);

#endif
