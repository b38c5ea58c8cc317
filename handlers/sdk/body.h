/*
 * What libbaton asks of the operating system: posix/ and win32/ are two bodies of it, chosen by the
 * build. Where both systems have the same calls, one file serves both, and only the headers that
 * declare them differ (sockets.h). Private to the SDK.
 */
#ifndef BATON_SDK_BODY_H
#define BATON_SDK_BODY_H

#include "baton.h"
#include "limit.h"
#include "wire.h"

#include <stdatomic.h>
#include <stdbool.h>

#define BODY_FRAME_MAX_BYTES (WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES)
#define BODY_SOURCES_MAX_COUNT 32

/* ---- The process: process.c ---- */

/* Copies the environment variable `name` to `out` (`size` bytes with NUL) and removes it from the
 * environment. Returns 1 if it was there, 0 if not, BATON_E_ENVIRONMENT if it does not fit. */
int body_take_environment(const char *name, char *out, size_t size);

/* The same, but leaves it there. */
int body_read_environment(const char *name, char *out, size_t size);

/* Sets it; NULL removes it. Returns 0 or BATON_E_SYSTEM. */
int body_set_environment(const char *name, const char *value);

uint32_t body_own_pid(void);

/* Makes SIGPIPE harmless, unless the program has said what it shall do; starts Winsock. Returns 0
 * or BATON_E_SYSTEM. */
int body_process_prepare(void);

/* Undoes what only concerns the SDK: WSACleanup. */
void body_process_release(void);

/* Milliseconds from an arbitrary start; never goes back. */
uint64_t body_now_ms(void);

/* What errno or GetLastError() says, to be kept across calls that change it. */
uint32_t body_system_error(void);
void body_set_system_error(uint32_t error);

/* ---- Numbers of the environment: number.c, the same on both systems ---- */

/* Reads a number of decimal digits, at most `most`, from *text, which is behind it afterwards.
 * False, and nothing is changed, if there is none or it is greater. */
bool body_number_read(const char **text, uint64_t most, uint64_t *out);

/* The same of a text that is a number and nothing else. */
bool body_number_parse(const char *text, uint64_t most, uint64_t *out);

/* BATON_E_ENVIRONMENT, and for the message of whoever starts the program the variable (static)
 * that is wrong. Like the environment itself it is the process's, and for one thread at a time. */
int body_wrong_environment(const char *variable);
const char *body_wrong_variable(void);

/* ---- The channel: channel.c ---- */

/* The handler's ends; equal on POSIX. A closed channel has in_use false. Owns the ends. */
struct body_channel {
    bool in_use;
    intptr_t in, out;
};

/* Takes over the ends named in BATON_CHANNEL, checks that they can be a channel, and makes them
 * non-inheritable. Returns 0, BATON_E_ENVIRONMENT or BATON_E_SYSTEM (the ends are then left alone:
 * the numbers may be somebody else's). */
int body_channel_open(struct body_channel *channel, uint32_t in, uint32_t out);

/* Waits for one frame and writes it to `frame`, BODY_FRAME_MAX_BYTES of room. Returns its length; 0
 * at the end of the channel; BATON_E_PROTOCOL or BATON_E_SYSTEM. The descriptor that came with it
 * is in *attached, which the caller then owns (BATON_SOCKET_NONE otherwise, and always on Windows).
 */
long body_channel_receive(struct body_channel *channel, void *frame, baton_socket *attached);

/* Sends one frame of at most 528 bytes, whole; threads may send at the same time. Returns 0,
 * BATON_E_CLOSED or BATON_E_SYSTEM. */
int body_channel_send(const struct body_channel *channel, const void *frame, size_t length);

/* Gives the offered socket in *out: `attached` on POSIX, rebuilt from the protocol info on Windows,
 * whose copy in the frame is cleared because it is good for one use. Takes over `attached` in every
 * case. Returns 0, BATON_E_PROTOCOL if the offer carries no socket, one of another sort than its
 * kind (on POSIX, where nobody else would notice), or that of the other system, or BATON_E_SYSTEM.
 */
int body_channel_socket(const struct wire_message *offer, baton_socket attached, baton_socket *out);

/* Lets the supervisor read the end of the channel, and gives up what it has sent that nobody has
 * read. Sending fails with BATON_E_CLOSED from then on. For the thread that receives; safe while
 * others send, which closing is not. */
void body_channel_end(struct body_channel *channel);

void body_channel_close(struct body_channel *channel);

/* ---- Sources: sockets that serve many clients, or come without a channel
 * -------------------------
 */

enum body_source_state {
    BODY_SOURCE_NONE,
    BODY_SOURCE_HERE,
    BODY_SOURCE_LENT,  /* a datagram socket, until it is finished */
    BODY_SOURCE_ORPHAN /* lent, and to be closed when it comes back */
};

/* The place of a source; places do not move, because other threads give datagram sockets back. */
struct body_source {
    _Atomic int state; /* enum body_source_state */
    baton_socket socket;
    enum baton_kind kind;
    bool is_plain;   /* Winsock does not know it (Windows) */
    uint32_t number; /* of its OFFER; 0 without a channel */
    uint64_t id;
    char service[BATON_SERVICE_BYTES];
    /* Of a datagram socket; else 0. Stays when the socket is given up. */
    _Atomic uint16_t datagram_port;
    struct limit limit; /* for who has it lent; pages that nobody uses cost nothing */
};

/* Owns the sockets. All zero is an empty object. */
struct body_sources {
    struct body_source items[BODY_SOURCES_MAX_COUNT];
    size_t used_mark;     /* places from here on were never used */
    size_t turn;          /* where to look first, so that none has to wait for the others */
    bool gives_listeners; /* listeners are given out as they are, not accepted from */
};

/* Finds what another super-server gave: LISTEN_FDS, or else a socket on standard input. Keeps what
 * is of `kinds`; of a listener, also when connections are wanted. (fallback.c) Returns 0,
 * BATON_E_NO_SOURCE, BATON_E_ENVIRONMENT or BATON_E_SYSTEM. */
int body_fallback_open(struct body_sources *sources, uint32_t kinds);

/* Accepts from a listener. Returns 1 and the socket, blocking and not inheritable; 0 if that client
 * is gone; BATON_E_SYSTEM. (wait.c) */
int body_accept(baton_socket listener, baton_socket *out);

/* What body_wait() found. */
enum body_ready {
    BODY_READY_IDLE,    /* idle_ms have passed */
    BODY_READY_SOURCE,  /* somebody waits at *index */
    BODY_READY_CHANNEL, /* there is something to read, or its end */
    BODY_READY_STOP,    /* SIGTERM */
    BODY_READY_WOKEN    /* body_wake(), or nothing in particular: look again */
};

struct body_wait {
    const struct body_sources *sources;
    bool is_full;    /* nobody is to be let in: sources are left alone */
    bool knows_stop; /* BODY_READY_STOP was told before, and is not wanted again */
    const struct body_channel *channel; /* NULL = none */
    uint32_t idle_ms;                   /* UINT32_MAX = no limit */
};

/* Before the first wait. `on_sigterm`: SIGTERM shall mean BODY_READY_STOP, where there is such a
 * thing and the program has no handler for it. Undone by body_wait_release(). Idempotent. (wait.c)
 * Returns 0 or BATON_E_SYSTEM. */
int body_wait_prepare(bool on_sigterm);
void body_wait_release(void);

/* Waits for the sources that are here, and all else. Returns an enum body_ready, or BATON_E_SYSTEM.
 */
int body_wait(const struct body_wait *what, size_t *index);

/* Makes body_wait() return; from any thread. */
void body_wake(void);

/* ---- Sources: sources.c, the same on both systems ---- */

/* Takes over a socket; the caller sets number and id. NULL if there is no place: the socket is then
 * still the caller's. */
struct body_source *sources_add(struct body_sources *sources, baton_socket socket,
                                enum baton_kind kind, const char *service);

/* Fills in what batond's environment tells of sources that came without a channel. */
void sources_describe(struct body_sources *sources);

/* True if the source is given out as it is, once, without waiting for anything. */
bool sources_is_whole(const struct body_sources *sources, const struct body_source *source);

/* True if there is none, not even one that is lent. */
bool sources_is_empty(const struct body_sources *sources);

/* Gives out what waits at a source: a connection, or the datagram socket itself. Returns 1 with
 * *connection; 0 if nobody waits after all; BATON_E_SYSTEM. */
int sources_take(struct body_sources *sources, size_t index, struct baton_connection *connection);

/* Ends what sources_take() gave: closes the socket, or takes a datagram socket back. Returns the
 * number of the OFFER that is done by that, because it was to be closed when it came back; else 0.
 */
uint32_t sources_give_back(struct body_sources *sources, struct baton_connection *connection);

/* Closes a source, or has it closed when it comes back. */
void sources_close(struct body_sources *sources, size_t index);

/* ---- Sockets: socket.c ---- */

/* Closes the socket and sets it to BATON_SOCKET_NONE; accepts that value. */
void body_socket_close(baton_socket *socket);

/* Others may have left it non-blocking; handlers rely on the opposite. (POSIX) */
void body_make_blocking(baton_socket socket);

/* baton_receive() and baton_send(): the fault for an error of Winsock's, which becomes
 * GetLastError(). (Windows) */
int body_socket_fault(int error);

/* ---- Datagrams: datagram.c ---- */

/* From now on the system tells at which of our addresses a datagram came. Nothing happens where it
 * does not know how. */
void body_datagram_prepare(baton_socket socket);

/* baton_send() for a socket of kind DATAGRAM. */
int body_datagram_send(struct baton_connection *connection, const void *bytes, size_t length);

/* ---- Addresses: address.c, the same on both systems ---- */

/* Fills peer and local of a connection, and what is known of a local socket, from the socket
 * itself; "" where there is none. */
void body_socket_addresses(struct baton_connection *connection);

/* Where it is bound; 0 if it has no port. */
uint16_t body_bound_port(baton_socket socket);

/* The port of "192.0.2.1:7" or "[2001:db8::1]:7"; 0 if there is none. */
uint16_t body_port_of(const char *address);

/* Path and peer of a local socket, as the system tells them; nothing for others. (socket.c) */
void body_socket_local(struct baton_connection *connection);

/* Sets peer to the sender of the datagram that was received last, and the host of local to where it
 * arrived, if that is known. */
void body_datagram_addresses(struct baton_connection *connection);

/* Takes what batond's environment says of the one connection that is on standard input. Nothing if
 * that is not where we are. */
void body_environment_facts(struct baton_connection *connection);

/* Prints "192.0.2.1:5000" or "[2001:db8::1]:5000" (inet_ntop(3)); "" for family 0. */
void body_address_print(const struct wire_address *address, char out[BATON_ADDRESS_BYTES]);

#endif
