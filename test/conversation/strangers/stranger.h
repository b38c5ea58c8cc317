// What the files of the stranger share: see stranger.c. "The page" is handlers/PROTOCOL.md.
#ifndef STRANGER_H
#define STRANGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- stranger_frame.c: frames, and the test vectors ----

enum { HEADER_SIZE = 16, LONGEST_TO_HANDLER = 16384, LONGEST_TO_SUPERVISOR = 512 };

enum type {
    HELLO = 0x01,
    ACK = 0x02,
    NACK = 0x03,
    DONE = 0x04,
    RETIRE = 0x05, // to the supervisor
    OFFER = 0x11,
    CANCEL = 0x12,
    DRAIN = 0x13,
    LIMITS = 0x81 // to the handler
};

enum tag {
    NONCE = 0x0001,
    PID = 0x0002,
    CAPACITY = 0x0003,
    SDK = 0x8004,
    REASON = 0x0005,
    STATUS = 0x0006,
    BYTES_IN = 0x8007,
    BYTES_OUT = 0x8008,
    TEXT = 0x8009,
    SERVICE = 0x000a,
    KIND = 0x000b,
    PEER = 0x000c,
    LOCAL = 0x000d,
    ACCEPTED_US = 0x000e,
    ID = 0x000f,
    PROTOCOL_INFO = 0x0010,
    PEER_COUNT = 0x8011,
    VIA = 0x8012,
    PATH = 0x8013,
    PEER_UID = 0x8014,
    PEER_PID = 0x8015,
    HANDSHAKE_MS = 0x0016,
    STOP_MS = 0x0017,
    REUSE = 0x0018
};

enum kind { CONNECTION = 1, LISTENER = 2, DATAGRAM = 3 };
enum reason { RETIRED = 1, BUSY = 2, REFUSED = 3 };

// What reading a frame comes to: all but OK and SKIP are breaches.
enum result {
    OK,
    SKIP,
    BAD_MAGIC,
    BAD_VERSION,
    BAD_FLAGS,
    BAD_TYPE,
    BAD_LENGTH,
    BAD_CONNECTION,
    BAD_FIELD,
    BAD_TAG,
    MISSING,
    BAD_TEXT,
    OTHER_SYSTEM
};

// A field's value, which stays in the frame; `at` is NULL where the field did not come.
struct field {
    const uint8_t *at;
    size_t size;
};

enum { LAST_TAG = 0x18 };

struct message {
    uint8_t type;
    uint32_t connection;
    struct field fields[LAST_TAG + 1]; // by the tag without its top bit
};

const char *result_name(enum result result);

// Reads a frame from the supervisor: a whole packet.
enum result read_frame(const uint8_t *frame, size_t size, struct message *message);

// The value of a field that is a number; 0 where it did not come.
uint64_t number_of(const struct message *message, enum tag tag);

// A frame that is being written.
struct frame {
    size_t size;
    uint8_t bytes[HEADER_SIZE + LONGEST_TO_SUPERVISOR];
};

void begin_frame(struct frame *frame, enum type type, uint32_t connection);
void put_bytes(struct frame *frame, enum tag tag, const void *value, size_t size);
void put_number(struct frame *frame, enum tag tag, uint64_t value);

// Reads the vectors of a file that are for a handler on POSIX, and prints TAP. 0: all are right.
int check_vectors(const char *path);

// ---- stranger_datagram.c: sockets of KIND 3 ----

// Asks the system at which address each datagram comes.
void prepare_datagrams(int fd);

// Sends one datagram back to its sender, from the address at which it came, unless it must not be
// answered. Adds up what was read and written.
void answer_datagram(int fd, uint64_t *bytes_in, uint64_t *bytes_out);

#endif
