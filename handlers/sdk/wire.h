/*
 * The channel protocol's frames (handlers/PROTOCOL.md), as a codec: no I/O, no allocation, no OS.
 *
 * Shared by the supervisor and the SDK. A frame is a 16-byte header and a body of fields; all
 * numbers are in network byte order. Constants, types and tags below are the registry of
 * PROTOCOL.md; where they differ, PROTOCOL.md is right and this file is wrong.
 */
#ifndef BATON_WIRE_H
#define BATON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAGIC 0x4241544eu /* "BATN" */
#define WIRE_VERSION 1
#define WIRE_HEADER_BYTES 16
#define WIRE_TYPE_OFFSET 5              /* of the type in the header */
#define WIRE_BODY_MAX_BYTES 16384       /* any frame */
#define WIRE_BODY_MAX_TO_SUPERVISOR 512 /* frames from a handler to the supervisor */
#define WIRE_FIELD_HEADER_BYTES 4
#define WIRE_NONCE_BYTES 16          /* in HELLO as bytes; in the environment as 32 hex digits */
#define WIRE_PROTOCOL_INFO_BYTES 628 /* sizeof(WSAPROTOCOL_INFOW) on 32 and 64 bits */
#define WIRE_CAPACITY_MAX 65535      /* connections at a time that a HELLO may name */
#define WIRE_SDK_MAX_BYTES 64
#define WIRE_TEXT_MAX_BYTES 256
#define WIRE_SERVICE_MAX_BYTES 255
#define WIRE_PATH_MAX_BYTES 108 /* no system has a longer sun_path */
/* Longest OFFER: all its fields, at their longest. */
#define WIRE_OFFER_MAX_BYTES 1141

/* Types and tags with this bit may be skipped by a receiver that does not know them. */
#define WIRE_TYPE_OPTIONAL 0x80u
#define WIRE_TAG_OPTIONAL 0x8000u

enum wire_type {
    /* handler to supervisor */
    WIRE_HELLO = 0x01,
    WIRE_ACK = 0x02,
    WIRE_NACK = 0x03,
    WIRE_DONE = 0x04,
    WIRE_RETIRE = 0x05,
    /* supervisor to handler */
    WIRE_OFFER = 0x11,
    WIRE_CANCEL = 0x12,
    WIRE_DRAIN = 0x13,
    WIRE_LIMITS = 0x81
};

enum wire_tag {
    WIRE_TAG_NONCE = 0x0001,         /* 16 bytes; HELLO, required */
    WIRE_TAG_PID = 0x0002,           /* u32; HELLO required; ACK, DONE optional */
    WIRE_TAG_CAPACITY = 0x0003,      /* u32, 1..65535; HELLO, LIMITS, required */
    WIRE_TAG_SDK = 0x8004,           /* text, at most 64 bytes; HELLO, optional */
    WIRE_TAG_REASON = 0x0005,        /* u8, enum wire_reason; NACK, required */
    WIRE_TAG_STATUS = 0x0006,        /* u8, 0 = served, else failed; DONE, required */
    WIRE_TAG_BYTES_IN = 0x8007,      /* u64; DONE, optional */
    WIRE_TAG_BYTES_OUT = 0x8008,     /* u64; DONE, optional */
    WIRE_TAG_TEXT = 0x8009,          /* text, at most 256 bytes; NACK, DONE, optional */
    WIRE_TAG_SERVICE = 0x000a,       /* text, 1..255 bytes; OFFER, required */
    WIRE_TAG_KIND = 0x000b,          /* u8, enum wire_kind; OFFER, required */
    WIRE_TAG_PEER = 0x000c,          /* address: family u8 (4, 6), port u16, 4 or 16 bytes; OFFER */
    WIRE_TAG_LOCAL = 0x000d,         /* the same; OFFER */
    WIRE_TAG_ACCEPTED_US = 0x000e,   /* u64, microseconds since 1970-01-01 UTC; OFFER, required */
    WIRE_TAG_ID = 0x000f,            /* u64, the record's id; OFFER, required */
    WIRE_TAG_PROTOCOL_INFO = 0x0010, /* 628 bytes; OFFER on Windows, required there */
    WIRE_TAG_PEER_COUNT = 0x8011,    /* u32, 1 or more; OFFER, optional */
    WIRE_TAG_VIA = 0x8012,           /* address; OFFER, optional */
    WIRE_TAG_PATH = 0x8013,          /* text, 1..108 bytes; OFFER, optional */
    WIRE_TAG_PEER_UID = 0x8014,      /* u32; OFFER, optional */
    WIRE_TAG_PEER_PID = 0x8015,      /* u32, 1 or more; OFFER, optional */
    WIRE_TAG_HANDSHAKE_MS = 0x0016,  /* u32; LIMITS, required */
    WIRE_TAG_STOP_MS = 0x0017,       /* u32; LIMITS, required */
    WIRE_TAG_REUSE = 0x0018,         /* u32, 0 = no bound; LIMITS, required */
    WIRE_TAG_CPU_US = 0x8019,        /* u64; DONE, optional */
    WIRE_TAG_MEMORY_PEAK_KIB = 0x801a, /* u32; DONE, optional */
};

enum wire_kind { WIRE_KIND_CONNECTION = 1, WIRE_KIND_LISTENER = 2, WIRE_KIND_DATAGRAM = 3 };
enum wire_reason { WIRE_REASON_RETIRE = 1, WIRE_REASON_BUSY = 2, WIRE_REASON_REFUSE = 3 };

enum wire_result {
    WIRE_OK = 0,
    WIRE_MORE = 1, /* not enough bytes yet */
    WIRE_BAD_MAGIC = -1,
    WIRE_BAD_VERSION = -2,
    WIRE_BAD_FLAGS = -3,
    WIRE_BAD_TYPE = -4,       /* 0, or unknown without the optional bit */
    WIRE_BAD_LENGTH = -5,     /* body longer than allowed, or not as long as the header says */
    WIRE_BAD_FIELD = -6,      /* a field past the end, of wrong size, repeated, or out of range */
    WIRE_BAD_TAG = -7,        /* without the optional bit, and unknown or not of this message */
    WIRE_MISSING = -8,        /* a required field is not there */
    WIRE_BAD_TEXT = -9,       /* NUL or bad UTF-8 */
    WIRE_NO_ROOM = -10,       /* encoding: the buffer is too small, or a value is out of range */
    WIRE_BAD_CONNECTION = -11 /* zero in ACK, NACK, DONE, OFFER, CANCEL; not zero in the others */
};

struct wire_address {
    uint8_t family; /* 4 or 6; 0 = absent */
    uint16_t port;  /* host order */
    uint8_t bytes[16];
};

/* Not NUL-terminated; points into the decoded frame, or at the caller's text when encoding. */
struct wire_text {
    const char *bytes; /* NULL = absent */
    size_t length;
};

/* Any message, decoded. Fields that the type does not have are zero. Pointers point into the frame
 * that was decoded and live as long as it does. */
struct wire_message {
    uint8_t type;
    bool skip;            /* unknown type with the optional bit: ignore the frame */
    uint32_t connection;  /* header's connection number; 0 for HELLO, RETIRE, DRAIN, LIMITS */
    const uint8_t *nonce; /* 16 bytes */
    bool has_pid;
    uint32_t pid;
    uint32_t capacity;
    struct wire_text sdk;
    uint8_t reason;
    uint8_t status;
    bool has_bytes_in, has_bytes_out, has_cpu_us, has_memory_peak_kib;
    uint32_t memory_peak_kib;
    uint64_t bytes_in, bytes_out, cpu_us;
    struct wire_text text;
    struct wire_text service;
    uint8_t kind;
    struct wire_address peer, local;
    uint64_t accepted_us;
    uint64_t id;
    const uint8_t *protocol_info; /* 628 bytes; NULL = absent */
    struct wire_text path;
    uint32_t peer_count, peer_uid, peer_pid;
    bool has_peer_count, has_peer_uid, has_peer_pid;
    struct wire_address via;
    uint32_t handshake_ms, stop_ms, reuse;
    uint16_t fault_tag; /* BAD_FIELD, BAD_TAG, BAD_TEXT, MISSING: whose field it is; 0 = its tag is
                           past the end too */
};

/* Who may have sent the frame: decides which types, and which body length, are allowed. */
enum wire_sender { WIRE_FROM_HANDLER, WIRE_FROM_SUPERVISOR };

/* Checks a header of `length` bytes. WIRE_MORE if fewer than 16; else WIRE_OK and the length of
 * the body to read next (0..512 or 0..16384) in *body_bytes, or the fault. */
enum wire_result wire_check_header(const void *bytes, size_t length, enum wire_sender sender,
                                   size_t *body_bytes);

/* Decodes exactly one frame of `length` bytes (header and body, nothing after it). */
enum wire_result wire_decode(const void *bytes, size_t length, enum wire_sender sender,
                             struct wire_message *out);

/* Encodes `message` into `out` (`size` bytes of room). Returns the frame's length in bytes
 * (16..16400), or WIRE_NO_ROOM (negative) when it does not fit or a field is out of range.
 * Optional fields are written when present (has_..., length > 0, non-NULL). */
long wire_encode(const struct wire_message *message, void *out, size_t size);

/* "wrong magic", "required field missing", ...: static text for a result. */
const char *wire_result_text(enum wire_result result);

/* "HELLO", ...; "?" for an unknown type. */
const char *wire_type_name(uint8_t type);

/* 32 hex digits (either case) to 16 bytes; false unless it is exactly that. */
bool wire_nonce_parse(const char *text, uint8_t out[WIRE_NONCE_BYTES]);
/* 16 bytes to 32 lower-case hex digits and NUL. */
void wire_nonce_print(const uint8_t nonce[WIRE_NONCE_BYTES], char out[2 * WIRE_NONCE_BYTES + 1]);

#endif
