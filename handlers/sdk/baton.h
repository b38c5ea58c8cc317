/*
 * libbaton: what a handler needs to take connections from batond (the protocol: PROTOCOL.md).
 *
 * A whole handler:
 *
 *     #include "baton.h"
 *     static int greet(struct baton_connection *c) { return baton_send(c, "hello\n", 6); }
 *     int main(void) { return baton_serve(greet); }
 *
 * The same program runs in each hand-off mode of batond that has a socket (channel, stdio,
 * listener; TCP, UDP and local sockets), and under systemd, inetd (nowait and wait), xinetd and
 * tcpserver: baton_open() takes whichever it finds. Of a listening socket it accepts by itself, and
 * ends when nobody came for a while, to be started again by the next client.
 *
 * Rules that hold for every call:
 * - Texts are UTF-8 and NUL-terminated. Nothing is printed, except by baton_serve().
 * - Calls that can fail return 0 or a positive value on success and a negative `enum baton_fault`
 *   otherwise; baton_strerror() has words for it. With BATON_E_SYSTEM the system's own number is in
 *   errno (POSIX) or GetLastError() (Windows).
 * - Threads: baton_open, baton_next, baton_retire and baton_close belong to one thread. Different
 *   connections may be used and finished in different threads at the same time.
 */
#ifndef BATON_H
#define BATON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef _WIN32
typedef uintptr_t baton_socket; /* a SOCKET; spelled so that winsock2.h is not needed here */
#else
typedef int baton_socket;
#endif
#define BATON_SOCKET_NONE ((baton_socket)-1)

enum baton_fault {
    BATON_E_SYSTEM = -1,      /* a system call failed: errno or GetLastError() */
    BATON_E_NO_SOURCE = -2,   /* no channel, and no socket of the right kind elsewhere */
    BATON_E_ENVIRONMENT = -3, /* BATON_... or LISTEN_... is malformed, or names what is not there */
    BATON_E_VERSION = -4,     /* the supervisor does not speak version 1 */
    BATON_E_PROTOCOL =
        -5,              /* the supervisor sent what the protocol forbids; the channel is closed */
    BATON_E_CLOSED = -6, /* the other side has gone */
    BATON_E_MEMORY = -7, /* out of memory */
    BATON_E_ARGUMENT = -8,    /* an argument is out of its range */
    BATON_E_AGAIN = -9,       /* no datagram waits */
    BATON_E_IDLE_MS = -10,    /* LIBBATON_IDLE_MS is no number from 0 to 4294967295 */
    BATON_E_UNSUPPORTED = -11 /* the system has no such thing */
};

/* What a socket is. The values can be or-ed together in baton_options.kinds. DATAGRAM is a bound
 * UDP socket; see baton_next(). */
enum baton_kind { BATON_KIND_CONNECTION = 1, BATON_KIND_LISTENER = 2, BATON_KIND_DATAGRAM = 4 };

/* What baton_options.decide returns. */
enum baton_decision {
    BATON_TAKE = 0,   /* acknowledge the connection; baton_next() returns it */
    BATON_RETIRE = 1, /* another process should take it; no more offers for this one */
    BATON_BUSY = 2,   /* another process should take it; offers may come again later */
    BATON_REFUSE = 3  /* nobody should take it: the client is closed */
};

#define BATON_SERVICE_BYTES 256 /* with NUL */
#define BATON_ADDRESS_BYTES 64  /* with NUL */
#define BATON_PATH_BYTES 112    /* with NUL */
#define BATON_TEXT_BYTES 257    /* with NUL */
#define BATON_SENDER_BYTES 128  /* a struct sockaddr_storage */

/*
 * A connection that was handed over. The caller owns the structure and, from baton_next() to
 * baton_finish(), the socket in it. It may be copied to where the connection is worked on; then
 * only the copy may be finished.
 *
 * Who the client is comes from the OFFER (whatever BATON_FACTS says of the environment), under
 * handoff = stdio from the environment that batond made (as long as BATON_ID is in it), otherwise
 * from the socket.
 */
struct baton_connection {
    baton_socket socket; /* blocking, not inheritable, no event or completion-port registration.
                            Under handoff = stdio a layered provider of Windows may not know it:
                            then it is a handle for ReadFile and WriteFile; the calls below take it
                            either way */
    enum baton_kind kind;
    uint32_t number; /* names the connection on the channel; 0 without one, and for what was
                        accepted from a listener */
    uint64_t id;     /* `id=` of the supervisor's record (for what was accepted from a listener:
                        of its activation); 0 when not known */
    uint64_t accepted_us;              /* microseconds since 1970-01-01 UTC; 0 when not known */
    char service[BATON_SERVICE_BYTES]; /* name of the service; "" when not known */
    char peer[BATON_ADDRESS_BYTES];    /* "192.0.2.1:5000", "[2001:db8::1]:5000"; "" when none */
    char local[BATON_ADDRESS_BYTES];   /* the same, our side; of a datagram socket that is bound to
                                          all addresses: which one the last datagram came to */
    char via[BATON_ADDRESS_BYTES];     /* the proxy's address, when a PROXY header named `peer` and
                                          `local`: what getpeername() says; else "" */
    char path[BATON_PATH_BYTES];       /* of a local socket; else "" */
    uint32_t peer_count; /* live connections from the peer's address, this one included; 0 when not
                            known */
    int peer_uid_known;  /* 1 if peer_uid is told: a local socket, and the system knows */
    uint32_t peer_uid;
    uint32_t peer_pid;            /* of a local socket; 0 when not known */
    char text[BATON_TEXT_BYTES];  /* for baton_serve(): set it to what the record should say */
    uint64_t bytes_in, bytes_out; /* counted by baton_receive and baton_send; a handler that does
                                     its own I/O may set them. Sent with DONE unless both are 0 */
    /* Private to the SDK. */
    void *sources;         /* all of them, until baton_close(); NULL when offered on a channel */
    int is_plain;          /* Windows: Winsock does not know the socket */
    uint32_t source;       /* which listener or datagram socket it came from */
    uint32_t sender_bytes; /* of `sender`: where the datagram came from that was received last */
    unsigned char sender[BATON_SENDER_BYTES];
    uint32_t arrival_family; /* of the address of ours that it came to: 4, 6, 0 = not known */
    uint32_t arrival_interface;
    unsigned char arrival_address[16];
};

struct baton_options {
    uint32_t capacity; /* connections at a time, 1..65535; 0 = 1 */
    uint32_t kinds;    /* or-ed enum baton_kind that the handler can serve; 0 = connections only.
                          Without LISTENER, connections are accepted from a listener that is handed
                          over; with it, baton_next() gives the listener itself. An offer of another
                          kind is refused; without a channel it is BATON_E_NO_SOURCE. */
    uint32_t idle_ms;  /* a listener or datagram socket is given back, and baton_next() returns 0,
                          when nobody came for so long and nothing is unfinished. 0 = what the
                          environment says in LIBBATON_IDLE_MS (decimal digits; 4294967295 =
                          never), else 10 s, and never with BATON_WORKERS; UINT32_MAX = never */
    const char *name;  /* for the supervisor's log, at most 64 bytes; NULL = "libbaton". Copied. */
    void *context;     /* given to the functions below */
    /* Called by baton_next() for each offer, before it is acknowledged; must not read from the
     * socket. Returns an enum baton_decision. NULL = take all. Not called without a channel, nor
     * for what is accepted from a listener. */
    int (*decide)(void *context, const struct baton_connection *connection);
    /* Called by baton_next() when the supervisor wants connection `number`, which is not finished,
     * ended while others live on: shut its socket down and finish it soon. NULL = ignored; the
     * supervisor then ends the process after stop_timeout_ms. A listener or datagram socket that
     * the SDK serves from is given up without a call. With this function baton_next() goes on
     * after DRAIN until all is finished, so another thread has to finish.
     * A thread that waits in recv() for that socket reads the end by shutdown(SHUT_RDWR). Under
     * Wine 8 shutdown(SD_BOTH) does not wake it, and CancelIoEx() does; the same call is good on
     * Windows, where this has not been tried. */
    void (*cancelled)(void *context, uint32_t number);
};

/* What the supervisor has said that it really does, within what `capacity` was. */
struct baton_limits {
    uint32_t capacity;     /* connections that it offers at a time, 1..65535 */
    uint32_t handshake_ms; /* within which an offer is to be answered */
    uint32_t stop_ms;      /* that there are from DRAIN, or a cancellation, to the end by force */
    uint32_t reuse; /* connections that it offers to this process in its life; 0 = no bound */
};

struct baton; /* one per process; owned by the caller, from baton_open() to baton_close() */

/*
 * Finds out where connections come from, in this order: a channel (BATON_CHANNEL), LISTEN_FDS with
 * our own LISTEN_PID (POSIX; sd_listen_fds(3)), a socket on standard input (inetd(8)). With a
 * channel it says HELLO. `options` may be NULL (all defaults) and is copied.
 *
 * Call it first in main(), before other threads exist: it removes BATON_PROTOCOL, BATON_CHANNEL,
 * BATON_NONCE, LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from the environment, makes what it found
 * non-inheritable, and starts Winsock (Windows; WSAStartup). On POSIX, unless the program has said
 * itself what SIGPIPE shall do, it gets a function that does nothing: writing to a client, a
 * supervisor or a log that is gone fails with EPIPE, and programs that are started later have the
 * default again (signal(7), execve(2)). A socket on standard input is moved away, and streams 0 to
 * 2 that were the same socket become the null device, so that it is closed when it is finished and
 * no log line reaches the client. A program that forks must call baton_close() in the child.
 *
 * Without a channel, and unless the program has said itself what SIGTERM shall do, the first
 * SIGTERM means DRAIN: baton_next() gives out nothing more. One that comes a second later or more
 * ends the process; a supervisor that is killed asks more than once.
 *
 * Returns 0 and the new object in *out (free with baton_close()), or BATON_E_NO_SOURCE,
 * BATON_E_ENVIRONMENT, BATON_E_IDLE_MS, BATON_E_VERSION, BATON_E_CLOSED, BATON_E_MEMORY,
 * BATON_E_ARGUMENT, BATON_E_SYSTEM; *out is then NULL. Does not block beyond writing one small
 * frame.
 */
int baton_open(const struct baton_options *options, struct baton **out);

/*
 * Waits for the next connection and acknowledges it, or accepts it from a listener. Returns
 *   1  with *connection filled; the caller now owns its socket and must call baton_finish();
 *   0  when there will be no more (DRAIN, SIGTERM, the supervisor has gone, the one connection that
 *      we were started for was given out, or nobody came for idle_ms): finish what is still open,
 *      then exit with status 0. With `cancelled`, DRAIN is told when all is finished;
 *   or BATON_E_PROTOCOL, BATON_E_SYSTEM, after which nothing more comes from a channel: finish what
 *      is still open, then exit with status 1 (a listener may be tried again). An offered socket
 *      that the system refuses to rebuild goes to another process, and is told here as
 *      BATON_E_SYSTEM when the channel has ended.
 * Blocks without a deadline. No more than `capacity` connections are unfinished at a time: the
 * supervisor holds back offers, and nothing is accepted.
 *
 * A connection of kind DATAGRAM is given out whenever a datagram waits: take what waits with
 * baton_receive_datagram(), then finish it. The socket stays with the SDK, and comes again.
 * recvmsg(2), unix(7), accept(2), poll(2); ReadFile, WSASocketW, select.
 */
int baton_next(struct baton *baton, struct baton_connection *connection);

/*
 * Closes the connection's socket (one of kind DATAGRAM goes back to the SDK), sets it to
 * BATON_SOCKET_NONE, and then reports DONE. `status` is 0 for served, 1..255 for failed; other
 * values count as 1. `text` (NULL = none) goes to the supervisor's record; at most 256 bytes of it,
 * cut between characters. Does nothing for a connection whose socket is BATON_SOCKET_NONE.
 *
 * Returns 0; BATON_E_CLOSED when the supervisor has gone; BATON_E_ARGUMENT when `text` is not UTF-8
 * (DONE was then sent without it); BATON_E_SYSTEM. The socket is closed in every case. Blocks only
 * while the channel is full. Closing while data of the client is unread resets the connection and
 * can destroy what was sent: see baton_hang_up().
 */
int baton_finish(struct baton *baton, struct baton_connection *connection, int status,
                 const char *text);

/*
 * What is known of the supervisor's limits: 1 with them in *out, or 0 and all zero when it has not
 * said any; what it says first counts. batond says them to who asks for a capacity above 1, ahead
 * of the first offer, so that they are known once baton_next() has returned. Belongs to the thread
 * of baton_next(). (In every handler's environment: BATON_STOP_MS; with a channel
 * BATON_HANDSHAKE_MS, BATON_REUSE.)
 */
int baton_limits(const struct baton *baton, struct baton_limits *out);

/*
 * Asks for no more offers (RETIRE), and gives listeners and datagram sockets back. Go on to call
 * baton_next(): an offer may already be under way;
 * it returns 0 when all are finished. Returns 0, also without a channel (where baton_next() then
 * returns 0 at once), BATON_E_CLOSED or BATON_E_SYSTEM.
 */
int baton_retire(struct baton *baton);

/*
 * Closes the channel or listener and frees the object; connections that were given out stay open.
 * Sets *baton to NULL; accepts NULL in it. The environment and the action for SIGPIPE stay as they
 * are.
 */
void baton_close(struct baton **baton);

/*
 * The usual case: opens, calls `function` for one connection after the other, finishes each with
 * the function's result as status (0 = served, negative counts as 1) and its `text`, closes.
 * `function` must not close the socket. Complaints go to standard error, and so does `text` where
 * no DONE can tell it (number 0). Returns what main() should return: the last status (0 after a
 * listener), or 1 if it could not open or the protocol was broken. Blocks until there is no more.
 */
int baton_serve(int (*function)(struct baton_connection *connection));

/*
 * The same with a process for each connection, which is forked from this one: do what takes long
 * (read files, fill tables) before the call, and each client gets a fresh process for the price of
 * a fork. POSIX; on Windows it prints what BATON_E_UNSUPPORTED means, and returns 1.
 *
 * `capacity`, 1..65535, is how many children there are at most; batond's `capacity` and `reuse` say
 * how many it really offers (`reuse = 0`: without end; by default 1, and then nothing is gained).
 * `function` is called in the child, with everything of the server's closed but what the program
 * itself has open; its result is the child's exit code, and that is the STATUS of DONE, with
 * bytes_in, bytes_out and text as it leaves them. A child that a signal ends is told with STATUS
 * 128 + signal and a text; others do not notice. functions of atexit(3) are not called in a child.
 *
 * CANCEL is SIGTERM to the child (what SIGTERM meant before the call it means there), and after
 * half of BATON_STOP_MS SIGKILL. At SIGTERM to the server, DRAIN and the end of the channel it
 * takes nobody more, and returns when the last child has ended. Children are in its process group,
 * so that a supervisor's stop reaches them. If the system has no room for a process, the client
 * goes to another one (NACK, busy); one that was accepted from a listener waits.
 *
 * Without a channel it accepts from a listener and forks for each, or serves the one connection on
 * standard input itself. The calling thread should be the only one. SIGCHLD is the call's until it
 * returns; children that the program has besides are left for it to wait for. Once at the start,
 * private memory of 2 MiB or more that is in use is moved to huge pages where there are some
 * (madvise(2)): a fork of 200 MB takes a tenth then. fork(2), wait4(2).
 */
int baton_serve_forking(int (*function)(struct baton_connection *connection), uint32_t capacity);

/*
 * The same for a service of UDP too: calls `datagram` for each datagram of `length` bytes (0 or
 * more), with its sender in connection->peer; baton_send() answers it. `function` may be NULL:
 * datagrams only.
 */
int baton_serve_both(int (*function)(struct baton_connection *connection),
                     int (*datagram)(struct baton_connection *connection, const void *bytes,
                                     size_t length));

/*
 * Receives what the client has sent: waits until at least one byte is there. Returns 1..size, 0 at
 * the end of the client's sending, BATON_E_CLOSED after a reset, BATON_E_SYSTEM. Adds to bytes_in.
 * `size` is 1..INT_MAX. Blocks (SO_RCVTIMEO is honoured: BATON_E_SYSTEM). recv(2).
 */
long baton_receive(struct baton_connection *connection, void *buffer, size_t size);

/*
 * Takes a datagram that waits at a socket of kind DATAGRAM; its sender is in connection->peer
 * afterwards, and the address of ours that it was sent to in connection->local. Returns its length,
 * 0..size (what exceeds `size` is lost; 65,536 is always enough), BATON_E_AGAIN when none waits, or
 * BATON_E_SYSTEM. Does not block. recvmsg(2) with IP_PKTINFO and IPV6_PKTINFO (ip(7), ipv6(7)),
 * which are set on the socket; WSARecvMsg.
 */
long baton_receive_datagram(struct baton_connection *connection, void *buffer, size_t size);

/*
 * For a service that answers whatever it gets, such as echo: 1 if the datagram that was received
 * last may be answered, 0 if it must be dropped. Anybody can send a datagram in the name of another
 * such service, and without this the two would answer each other for ever. 0 is
 * - what baton_would_loop() says, and
 * - a sender (address and port) that has had its share: 1,000 answers at once, and 100 a second
 *   after that. A datagram that goes round between two servers is lost there, and it is quiet.
 * Ask once for each answer: a 1 is counted as one. Counters are of this socket and this process;
 * there are 1,024, which senders share by a secret hash, so no more than 102,400 a second are
 * answered in all. A service whose protocol ends by itself (TFTP, DNS) does not need it. Does not
 * block.
 */
int baton_may_answer(struct baton_connection *connection);

/*
 * 1 if the datagram that was received last came from a port from which no client asks and where a
 * service may answer whatever it gets: 0 to 1023 (RFC 6335, 6: echo 7, chargen 19, DNS 53, NTP 123
 * and their like), 1900 SSDP, 2049 NFS, 3074 Xbox, 3702 WS-Discovery, 5060 SIP, 5353 multicast DNS,
 * 5683 CoAP, 11211 memcached, 27960 Quake, or a port at which this process has a datagram socket
 * itself; else 0.
 */
int baton_would_loop(const struct baton_connection *connection);

/*
 * Sends all `length` bytes (0 or more); on a socket of kind DATAGRAM as one datagram, to the sender
 * of the one that was received last, and from the address that it had been sent to (a broadcast or
 * a group is answered from the address that the system chooses). Returns 0, BATON_E_CLOSED when the
 * client has gone, BATON_E_SYSTEM. Adds what was sent to bytes_out. Blocks while the client does
 * not read. send(2), sendmsg(2); WSASendMsg (Wine 8 does not look at the address there).
 */
int baton_send(struct baton_connection *connection, const void *bytes, size_t length);

/*
 * Ends our sending, then reads and drops what the client still sends until it ends too, at most
 * `max_bytes` and `timeout_ms` (1..60000), so that closing afterwards does not destroy an answer
 * on its way (RFC 1122, 4.2.2.13). Call it before baton_finish() when the client may have sent what
 * was not read. The socket stays open. Blocks up to `timeout_ms`. Does nothing where Winsock does
 * not know the socket so much as to end its sending (Wine 8 does). shutdown(2), poll(2); select.
 */
void baton_hang_up(struct baton_connection *connection, uint32_t timeout_ms, size_t max_bytes);

/*
 * Sets the variables that tell of a connection (BATON_SERVICE, BATON_ID, SERVER_..., REMOTE_...,
 * PROTO, TCP..., UNIX...; PROTOCOL.md, "Facts about the connection") in the environment of this
 * process, for a program that is started next; who is not known is removed. The environment that
 * batond made says them itself where the process is for one connection (BATON_FACTS is
 * "environment"). Not beside threads that use the environment. Returns 0 or BATON_E_SYSTEM.
 * setenv(3); SetEnvironmentVariableW.
 */
int baton_export_facts(const struct baton_connection *connection);

/* Words for an enum baton_fault; static text, never NULL. */
const char *baton_strerror(int fault);

#ifdef __cplusplus
}
#endif

#endif
