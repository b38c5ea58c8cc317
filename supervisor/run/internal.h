/* What the files of run/ share. */
#ifndef BATON_RUN_INTERNAL_H
#define BATON_RUN_INTERNAL_H

#include "core/pool.h"
#include "core/record.h"
#include "platform/platform.h"
#include "run/log.h"
#include "run/output.h"
#include "run/supervisor.h"

#include "wire.h"

/* The kinds of tokens that this layer gives to the platform. */
enum token_type { TOKEN_LISTENER = 1, TOKEN_OUTPUT = 2, TOKEN_PROCESS = 3 };

/* A listener of a service. Owner: the supervisor. Not open while a bind is retried. */
struct run_listener {
    struct platform_listener *handle; /* NULL = not open */
    struct address address;           /* asked for; the bound one once open */
    uint32_t service;
    bool paused;
    int result; /* of the last try to open it, and its cause */
    struct baton_cause cause;
    uint32_t tries_count; /* failed tries to open it */
    struct timer retry;
};

/* What a service needs to launch handlers. */
struct run_service {
    struct platform_program *program;
    struct platform_output *output;
};

/* The shell's side of a process slot of the pool. */
struct run_process {
    struct platform_process *handle;
    uint8_t nonce[WIRE_NONCE_BYTES];
    bool offer_unsent; /* repeat when the channel is writable, or when `offers` has passed */
    bool drain_unsent;
};

/* What the DONE or NACK that is being handled says of its connection. Kept here and not in the
 * connection, because the record that takes it up is written before the next frame is read. */
struct run_told {
    uint32_t connection; /* slot; SLOT_NONE = nothing said */
    size_t length;
    char bytes[WIRE_TEXT_MAX_BYTES];
};

struct supervisor {
    const struct service_table *table;
    struct platform *platform;
    struct pool pool;
    struct run_service *services;
    struct run_listener *listeners;
    uint32_t listener_count;
    struct platform_socket *sockets; /* by connection slot; valid while the supervisor has a copy */
    struct run_process *processes;   /* by process slot */
    struct timers timers;            /* of listeners, `relief` and `offers` */
    struct timer relief;             /* set while accepting is paused for want of resources */
    struct timer offers;             /* set while an offer waits for want of resources */
    uint32_t shortage_count;         /* shortages in a row */
    uint64_t shortage_logged_us;     /* when the last one was logged; 0 = resumed since */
    bool accepting_blocked;          /* listeners are paused for a reason that is not their own */
    bool ready_logged;
    bool stopping;
    bool hurrying;   /* the stop was asked for again */
    uint64_t now_us; /* of the current round of the loop */
    struct run_told told;
    struct run_log log;
    struct run_output output;
};

/* listen.c: opening, pausing, accepting */
int listen_create(struct supervisor *s);
/* Opens every listener; failures are logged and, unless all have failed, retried by timer. Returns
 * the number of open ones. */
uint32_t listen_open_all(struct supervisor *s);
void listen_on_accept(struct supervisor *s, uint32_t listener);
/* Pauses and resumes listeners so that they fit the state of pool, log and resources. */
void listen_update(struct supervisor *s);
/* A descriptor or a process was freed: a shortage may be over. */
void listen_relieve(struct supervisor *s);
/* The service has room again (POOL_ROOM). */
void listen_on_room(struct supervisor *s, uint32_t service);
/* Says, not too often, that nothing is accepted because of a shortage. */
void listen_log_shortage(struct supervisor *s, uint32_t service, int code,
                         const struct baton_cause *cause);
void listen_tick(struct supervisor *s);
void listen_close_all(struct supervisor *s);

/* launch.c: programs and processes */
int launch_prepare(struct supervisor *s);
void launch_process(struct supervisor *s, uint32_t process);
/* A client waits because too many handlers of its service are still ending. */
void launch_tell_crowded(struct supervisor *s, uint32_t service);
void launch_clear(struct supervisor *s);

/* handoff.c: offers and the frames of the channel */
void handoff_offer(struct supervisor *s, uint32_t process);
void handoff_send_drain(struct supervisor *s, uint32_t process);
/* Repeats the offers that could not be sent for want of resources. */
void handoff_retry(struct supervisor *s);
void handoff_on_writable(struct supervisor *s, uint32_t process);
/* Reads frames until there is none; `to_the_end` when the process has ended. */
void handoff_on_channel(struct supervisor *s, uint32_t process, bool to_the_end);

/* reap.c: ends of processes and connections */
void reap_on_exit(struct supervisor *s, uint32_t process);
void reap_record(struct supervisor *s, uint32_t connection);
void reap_close_process(struct supervisor *s, uint32_t process);
void reap_end_process(struct supervisor *s, uint32_t process, enum platform_signal how);
/* A process was killed and has not ended. */
void reap_tell_stuck(struct supervisor *s, uint32_t process);

/* drain.c: the ordered stop */
void drain_on_stop(struct supervisor *s);

/* supervisor.c: carries out what the pool has decided; called after every call into the pool. */
void supervisor_act(struct supervisor *s);

/* Starts a log line about a service (index) and a process slot (SLOT_NONE = none). NULL when the
 * level is not logged; else finish it with run_log_end(). */
struct record *supervisor_line(struct supervisor *s, enum log_level level, const char *event,
                               uint32_t service, uint32_t process);
/* Appends reason="call: words of the system", or the text of `code` alone. */
void supervisor_reason(struct record *line, int code, const struct baton_cause *cause);

#endif
