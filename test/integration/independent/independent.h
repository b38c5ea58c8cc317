/*
 * A handler for version 1 of the channel protocol, written from handlers/PROTOCOL.md alone: it
 * shares no line with the SDK. This header lies between the common part and the two systems.
 */
#ifndef INDEPENDENT_H
#define INDEPENDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HEADER_SIZE = 16,
    BODY_MAX = 16384,
    FRAME_MAX = HEADER_SIZE + BODY_MAX,
    ADDRESS_V4 = 7,
    ADDRESS_V6 = 19,
    PROTOCOL_INFO_SIZE = 628,
    TYPE_OFFER = 0x11
};

/* A socket of either system: a descriptor, or a SOCKET. */
typedef uintptr_t os_socket;

/* An address as the protocol writes it; size is 0, ADDRESS_V4 or ADDRESS_V6. */
struct address {
    size_t size;
    uint8_t bytes[ADDRESS_V6];
};

/* A frame as it came. The descriptor is the one of an OFFER on POSIX, otherwise -1. */
struct frame {
    uint8_t bytes[FRAME_MAX];
    size_t size;
    int descriptor;
};

struct offer {
    uint32_t connection;
    uint8_t kind;
    struct address peer;
    struct address local;
    uint64_t accepted_us;
    const uint8_t *protocol_info; /* within the frame; NULL if there was none */
    int descriptor;
};

/* Results of the checks, as the text that goes to the client. */
struct tap {
    char text[16384];
    size_t size;
    unsigned count;
    bool failed;
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void tap_print(struct tap *tap, const char *format, ...);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void tap_note(struct tap *tap, const char *format, ...);
void tap_check(struct tap *tap, bool passed, const char *text);
void tap_skip(struct tap *tap, const char *text, const char *reason);

/* True if the 16 bytes begin a frame that may come to a handler; body gets the length of its body.
 */
bool header_valid(const uint8_t *header, size_t *body);

/* --- What each system provides --------------------------------------------------------------- */

enum read_result { READ_FRAME, READ_END, READ_BREACH };

/* What receiving gives besides a number of bytes. */
enum { RECEIVE_NOTHING = -1, RECEIVE_ERROR = -2 };

/* Takes a variable out of the environment. False if there was none; "" if it was too long. */
bool os_take_variable(const char *name, char *value, size_t size);
uint32_t os_process_id(void);
uint64_t os_wall_us(void);
uint64_t os_steady_ms(void);

/* Remembers the channel; nothing is changed yet. False if such a channel cannot be. */
bool os_channel_set(uint32_t in, uint32_t out);
/* Checks the process and the channel as they are at the start. */
void os_check_start(struct tap *tap);
/* Makes the channel non-inheritable and starts what the system needs. */
bool os_start(void);
/* Checks the standard streams; writes a line to the output streams. */
void os_check_streams(struct tap *tap);
/* What has come on the channel so far. */
enum early { EARLY_NOTHING, EARLY_OFFER, EARLY_WRONG };
enum early os_channel_early(void);

enum read_result os_frame_read(struct frame *frame);
/* False at the end of the channel. */
bool os_frame_write(const uint8_t *bytes, size_t size);
void os_channel_close(void);

/* Builds the socket of an offer; false if it came without, or with that of the other system. */
bool os_socket_take(const struct offer *offer, os_socket *built);
/* The address of the socket or of its peer. Size is 0 if it has none that is IPv4 or IPv6. */
bool os_socket_name(os_socket sock, bool peer, struct address *name);
void os_socket_limit(os_socket sock, unsigned receive_ms);
long os_socket_receive(os_socket sock, uint8_t *bytes, size_t size);
bool os_socket_send(os_socket sock, const uint8_t *bytes, size_t size);
bool os_socket_shutdown(os_socket sock);
void os_socket_close(os_socket sock);

/* Checks the socket as it was handed over. */
void os_check_socket(struct tap *tap, os_socket sock);
/* Checks that may change the socket or need time: they come last. */
void os_check_socket_late(struct tap *tap, os_socket sock);

#endif
