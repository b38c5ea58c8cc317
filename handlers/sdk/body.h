/*
 * What libbaton asks of the operating system: posix/ and win32/ are two bodies of it, chosen by the
 * build. Where both systems have the same calls, one file serves both, and only the headers that
 * declare them differ (sockets.h). Private to the SDK.
 */
#ifndef BATON_SDK_BODY_H
#define BATON_SDK_BODY_H

#include "baton.h"
#include "wire.h"

#include <stdbool.h>

#define BODY_FRAME_MAX_BYTES (WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES)
#define BODY_LISTENERS_MAX_COUNT 32

/* ---- The process: process.c --------------------------------------------------------------------
 */

/* Copies the environment variable `name` to `out` (`size` bytes with NUL) and removes it from the
 * environment. Returns 1 if it was there, 0 if not, BATON_E_ENVIRONMENT if it does not fit. */
int body_take_environment(const char *name, char *out, size_t size);

uint32_t body_own_pid(void);

/* Ignores SIGPIPE; starts Winsock. Returns 0 or BATON_E_SYSTEM. */
int body_process_prepare(void);

/* Undoes what only concerns the SDK: WSACleanup. */
void body_process_release(void);

/* What errno or GetLastError() says, to be kept across calls that change it. */
uint32_t body_system_error(void);
void body_set_system_error(uint32_t error);

/* ---- The channel: channel.c --------------------------------------------------------------------
 */

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
 * case. Returns 0, BATON_E_PROTOCOL if the offer carries no socket, or one of the other system, or
 * BATON_E_SYSTEM. */
int body_channel_socket(const struct wire_message *offer, baton_socket attached, baton_socket *out);

/* Lets the supervisor read the end of the channel. Sending fails with BATON_E_CLOSED from then on.
 * Safe while other threads send, which closing is not. */
void body_channel_end(struct body_channel *channel);

void body_channel_close(struct body_channel *channel);

/* ---- Without a channel: fallback.c --------------------------------------------------------------
 */

/* Sockets that another super-server gave us. Owns them until they are given out. */
struct body_fallback {
    struct {
        baton_socket socket;
        enum baton_kind kind;
        char name[64]; /* from LISTEN_FDNAMES; becomes the service */
    } sources[BODY_LISTENERS_MAX_COUNT];
    size_t count;
};

/* Looks for LISTEN_FDS, then for a socket on standard input; keeps what is of `kinds` (a listener
 * always: its connections are what is given out). Returns 0, BATON_E_NO_SOURCE, BATON_E_ENVIRONMENT
 * or BATON_E_SYSTEM. */
int body_fallback_open(struct body_fallback *fallback, uint32_t kinds);

/* As baton_next(): gives out the sockets that are no listeners, then accepts for ever. */
int body_fallback_next(struct body_fallback *fallback, struct baton_connection *connection);

void body_fallback_close(struct body_fallback *fallback);

/* ---- Sockets: socket.c ------------------------------------------------------------------------
 */

/* Closes the socket and sets it to BATON_SOCKET_NONE; accepts that value. */
void body_socket_close(baton_socket *socket);

/* ---- Addresses: address.c, the same on both systems --------------------------------------------
 */

/* Fills peer and local of a connection from the socket itself; "" where there is none. */
void body_socket_addresses(struct baton_connection *connection);

/* Prints "192.0.2.1:5000" or "[2001:db8::1]:5000" (inet_ntop(3)); "" for family 0. */
void body_address_print(const struct wire_address *address, char out[BATON_ADDRESS_BYTES]);

#endif
