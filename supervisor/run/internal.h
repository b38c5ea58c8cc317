/* What the files of run/ share. */
#ifndef BATON_RUN_INTERNAL_H
#define BATON_RUN_INTERNAL_H

#include "core/door/proxy.h"
#include "core/pool/pool.h"
#include "core/pool/relay.h"
#include "core/tell/filling.h"
#include "core/tell/record.h"
#include "platform/platform.h"
#include "run/log.h"
#include "run/output.h"
#include "run/supervisor.h"

#include "wire.h"

/* The kinds of tokens that this layer gives to the platform: what follows is the index of a
 * listener or service, or the name of a process, connection or relay slot. */
enum token_type {
    TOKEN_LISTENER = 1,
    TOKEN_OUTPUT = 2,
    TOKEN_PROCESS = 3,
    TOKEN_PREFACE = 4,
    TOKEN_RELAY = 5
};

/* What a timer of this layer belongs to: the top bits of its owner, with an index below. */
enum run_timer { RUN_TIMER_LISTENER, RUN_TIMER_RELAY, RUN_TIMER_RELIEF, RUN_TIMER_OFFERS };
#define RUN_TIMER_SHIFT 28u

/* A listener of a service. Owner: the supervisor. Not open while a bind is retried. */
struct run_listener {
    struct platform_listener *handle; /* NULL = not open */
    struct address address;           /* asked for; the bound one once open */
    uint32_t service;
    uint32_t place; /* index of the service's listen entry */
    bool paused;
    bool held;  /* handed over: not watched before that activation has ended */
    int result; /* of the last try to open it, and its cause */
    struct baton_cause cause;
    uint32_t tries_count; /* failed tries to open it */
    struct timer retry;
};

/* What a service needs to launch handlers. */
struct run_service {
    struct platform_program *program;
    struct platform_output *output;
    uint32_t first_listener;            /* of its listen_count ones */
    struct platform_listener **handles; /* room for them, where they are handed over at launch */
};

/* The shell's side of a process slot of the pool. */
struct run_process {
    struct platform_process *handle;
    uint8_t nonce[WIRE_NONCE_BYTES];
    bool offer_unsent; /* repeat when the channel is writable, or when `offers` has passed */
    bool drain_unsent;
    uint32_t relay;   /* slot of its relay (pump); SLOT_NONE */
    const char *note; /* what its relay has to say for the record (static); NULL */
};

/* The PROXY header of a connection that is being read. By connection slot. */
struct run_preface {
    struct platform_stream *stream; /* NULL = none is being read */
    struct proxy_reader reader;
};

/* Streams that one relay has open: the client's socket, and the program's two pipes. */
#define RELAY_STREAMS 3u

/* A pump at work: from before its launch until its process has ended and all is flushed. */
struct run_relay {
    struct relay relay;
    struct platform_socket socket; /* owned */
    struct platform_stream *client, *input, *output;
    uint32_t process; /* slot */
    unsigned waiting; /* what has to wait for an event; private to relay.c */
    bool client_lost; /* it has reset the connection; what it sent before is still read */
    bool exited;      /* the process has ended; the pool is told when all is flushed */
    bool is_ready;    /* is in the list of those that stopped before they had to wait */
    uint32_t next_ready;
    struct timer timer;  /* once exited: how long the client may take */
    bool lingers;        /* everything is flushed: it waits for the client to finish */
    uint64_t sent_bytes; /* to the client, when the timer was set */
};

/* What there is to say of a connection in its record: the text of the DONE or NACK that is being
 * handled, or what is wrong with a PROXY header. Kept here and not in the
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
    struct run_preface *prefaces;    /* by connection slot; NULL where no service has PROXY */
    struct run_relay *relays;        /* by relay slot; NULL where no service pumps */
    struct slots relay_slots;
    uint32_t ready_relay; /* first of those to go on with; SLOT_NONE */
    struct filling filling;
    struct timers timers;        /* of listeners, relays, `relief` and `offers` */
    struct timer relief;         /* set while accepting is paused for want of resources */
    struct timer offers;         /* set while an offer waits for want of resources */
    uint32_t shortage_count;     /* shortages in a row */
    uint64_t shortage_logged_us; /* when the last one was logged; 0 = resumed since */
    bool accepting_blocked;      /* listeners are paused for a reason that is not their own */
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
/* An activation has ended, and is forgotten: what was handed over for it can be watched again. */
void listen_on_activation_ended(struct supervisor *s, uint32_t service, uint32_t place);
/* Says, not too often, that nothing is accepted because of a shortage. */
void listen_log_shortage(struct supervisor *s, uint32_t service, int code,
                         const struct baton_cause *cause);
/* Nothing is accepted for a while, because descriptors or memory are short. */
void listen_on_shortage(struct supervisor *s, uint32_t service, int code,
                        const struct baton_cause *cause);
/* It is time to try again to open a listener. */
void listen_try_again(struct supervisor *s, uint32_t listener);
void listen_close_all(struct supervisor *s);

/* preface.c: PROXY headers, before anything else is done for a connection */
int preface_create(struct supervisor *s);
/* A connection in PREFACE was accepted. */
void preface_start(struct supervisor *s, uint32_t connection);
void preface_on_stream(struct supervisor *s, uint32_t connection);
/* Stops reading, if it is under way. */
void preface_stop(struct supervisor *s, uint32_t connection);

/* relay.c: what a pump moves between client and program */
int relay_create(struct supervisor *s);
void relay_clear(struct supervisor *s);
/* Starts the relay of a process that is about to be launched for the connection, and takes over its
 * socket. BATON_OK, BATON_SHORTAGE, BATON_SYSTEM. */
int relay_begin(struct supervisor *s, uint32_t process, uint32_t connection,
                struct baton_cause *cause);
/* The launch succeeded, or did not: then the socket is given back. */
void relay_launched(struct supervisor *s, uint32_t process,
                    const struct platform_launched *launched);
void relay_undo(struct supervisor *s, uint32_t process, uint32_t connection);
void relay_on_stream(struct supervisor *s, uint32_t relay);
/* The process has ended: what it wrote is still on its way. */
void relay_on_exit(struct supervisor *s, uint32_t process);
/* The process was to be ended, and has ended already: what is not flushed yet is given up. True if
 * that was so. */
bool relay_give_up(struct supervisor *s, uint32_t process);
void relay_on_timer(struct supervisor *s, uint32_t relay);
/* Goes on with the relays that have more to do. */
void relay_go_on(struct supervisor *s);
/* Closes all that is left of the process's relay, if there is one. */
void relay_close(struct supervisor *s, uint32_t process);

/* launch.c: programs and processes */
int launch_prepare(struct supervisor *s);
void launch_process(struct supervisor *s, uint32_t process);
/* A client waits because too many handlers of its service are still ending. */
void launch_tell_crowded(struct supervisor *s, uint32_t service);
void launch_clear(struct supervisor *s);

/* handoff.c: offers and the frames of the channel */
void handoff_offer(struct supervisor *s, uint32_t process);
/* DRAIN on the channel; a process that has a listener and no channel gets SIGTERM. */
void handoff_send_drain(struct supervisor *s, uint32_t process);
/* Repeats the offers that could not be sent for want of resources. */
void handoff_retry(struct supervisor *s);
void handoff_on_writable(struct supervisor *s, uint32_t process);
/* Reads frames until there is none; `to_the_end` when the process has ended. */
void handoff_on_channel(struct supervisor *s, uint32_t process, bool to_the_end);

/* reap.c: ends of processes and connections */
void reap_on_exit(struct supervisor *s, uint32_t process);
/* Everything that the process wrote before its end has been read: tells the pool. */
void reap_tell_exit(struct supervisor *s, uint32_t process);
void reap_record(struct supervisor *s, uint32_t connection);
void reap_close_process(struct supervisor *s, uint32_t process);
void reap_end_process(struct supervisor *s, uint32_t process, enum platform_signal how);
/* A process was killed and has not ended. */
void reap_tell_stuck(struct supervisor *s, uint32_t process);

/* drain.c: the ordered stop */
void drain_on_stop(struct supervisor *s);

/* supervisor.c: carries out what the pool has decided; called after every call into the pool. */
void supervisor_act(struct supervisor *s);

/* The listener where a service's `place` is; `place` below its listen_count. */
struct run_listener *supervisor_listener(struct supervisor *s, uint32_t service, uint32_t place);

/* tell.c: what goes to the log */
/* Starts a log line about a service (index) and a process slot (SLOT_NONE = none). NULL when the
 * level is not logged; else finish it with run_log_end(). */
struct record *tell_line(struct supervisor *s, enum log_level level, const char *event,
                         uint32_t service, uint32_t process);
/* Appends reason="call: words of the system", or the text of `code` alone. */
void tell_reason(struct record *line, int code, const struct baton_cause *cause);
/* Keeps a text for the record of the connection; at most WIRE_TEXT_MAX_BYTES of it. */
void tell_note(struct supervisor *s, uint32_t connection, const char *bytes, size_t length);
void tell_attempt_failed(struct supervisor *s, const struct pool_action *action);
/* The socket of a service is ready, and yet nothing is launched for it. */
void tell_held_back(struct supervisor *s, const struct pool_action *action);

#endif
