/*
 * One launcher: its process, the page, and what it has under way. For launcher.c, launchers.c,
 * launch.c and launch_end.c alone; launchers.h tells what launchers are.
 */
#ifndef BATON_PLATFORM_POSIX_LAUNCHER_H
#define BATON_PLATFORM_POSIX_LAUNCHER_H

#include "platform/posix/internal.h"

/* What both have of a launch. */
struct launch_page {
    const struct platform_program *program;
    struct spawn spawn; /* what it points to is the program's, or in `room` */
    struct handover handover;
    struct plan_failure failure;
    volatile pid_t pid; /* 0: there is no child yet */
    volatile int code;  /* the errno of clone(2); 0 = none */
    char nonce[32];
    size_t variable_count; /* the pointers to what is set, at the start of `room` */
    size_t values_bytes;   /* and behind all else, the texts */
    char *values;
    size_t room_bytes;
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

struct launcher {
    struct posix_watch
        watch; /* our end of its socket; first, since its address is the launcher's */
    struct launcher *next;
    pid_t pid;
    int handover[2]; /* the child's end, from which we take what is left; and ours */
    struct launch_page *page;
    size_t page_bytes;
    uint64_t knows_number; /* programs up to this one are in its memory */
    bool is_busy;
    bool is_answered; /* or dead */
    bool is_dead;
    bool is_held;    /* there is another in its place */
    bool is_leaving; /* to be removed */
    bool is_reaped;  /* the child is, and its number may be a stranger's */
    uint64_t begun_us, look_us;
    unsigned stops_count;
    const struct platform_program *program; /* compared only */
    struct platform_process *process;       /* NULL: it was closed */
    struct preparation prepared;
};

/* In launcher.c: a new one; NULL if the system cannot now. Its processes and sockets; not its
 * place in a list. */
struct launcher *launcher_start(struct platform *platform, struct baton_cause *cause);
/* Lets it end, as soon as it can. */
void launcher_free(struct platform *platform, struct launcher *launcher);
/* Writes the request into the page; false if it has no room. */
bool launcher_describe(struct launcher *launcher, const struct platform_program *program,
                       const struct platform_launch *launch, const struct spawn *spawn);
/* 0, or -1 and errno. */
int launcher_ask(struct launcher *launcher);

/* True if the program's launches are theirs; else the loop's. */
bool posix_launchers_serve(struct platform *platform, const struct platform_program *program);
/* One that is free for it; NULL: a LAUNCHERS event tells when to ask again. */
struct launcher *posix_launchers_choose(struct platform *platform,
                                        const struct platform_program *program);
/* It was asked; `process` waits for the answer. */
void posix_launchers_begin(struct platform *platform, struct launcher *launcher,
                           struct platform_process *process, const struct preparation *p);
/* The answer was taken. */
void posix_launchers_end(struct platform *platform, struct launcher *launcher);

/* In launch.c, of what was prepared: it runs, be it that it has ended; or it never will, and the
 * process (or NULL) is nobody's again. */
void posix_launch_complete(struct platform_process *process, struct preparation *p,
                           struct platform_launched *out);
void posix_launch_give_up(struct platform *platform, struct platform_process *process,
                          struct preparation *p);

#endif
