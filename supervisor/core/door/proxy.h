/*
 * The PROXY protocol, both versions: a header before everything else on a connection, in which a
 * proxy says for whom it connects.
 *
 * After "The PROXY protocol, versions 1 & 2" of HAProxy Technologies (2020/03/05):
 * https://www.haproxy.org/download/2.4/doc/proxy-protocol.txt. Where it leaves a choice:
 * - Version 1 takes any form of an IPv6 address that RFC 4291 has, not the longest ones alone.
 * - A DGRAM header names its client just as a STREAM one does: it is who the proxy speaks for.
 * - A UNIX header is checked and names nobody: paths of another machine's files say nothing here.
 * - What follows LOCAL or an UNSPEC family or protocol is skipped unread: where addresses end there
 *   is not defined. Everywhere else the TLVs must fill the header exactly. CRC32C is verified; all
 *   others are skipped.
 *
 * No byte is looked at twice and none is kept but the addresses, so a header needs no buffer.
 */
#ifndef BATON_DOOR_PROXY_H
#define BATON_DOOR_PROXY_H

#include "core/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line of version 1, with its CRLF. */
#define PROXY_LINE_MAX_BYTES 107u
/* The longest header of version 2 that is taken. The format allows 65,551 bytes; no sender needs
 * more than its TLVs for TLS, a few kilobytes at most. */
#define PROXY_HEADER_MAX_BYTES 8192u
/* What of a header has to be kept: a line, or 16 bytes and two IPv6 addresses with their ports. */
#define PROXY_KEPT_BYTES 108u

/* Reads one header. A value without pointers into itself; no need to clear it. */
struct proxy_reader {
    const char *fault;  /* NULL = none so far */
    uint8_t state;      /* private, as is all below */
    bool has_checksum;  /* a CRC32C TLV was there */
    bool named;         /* the header names a client */
    uint8_t tlv_type;   /* of the TLV that is being walked */
    uint8_t field;      /* version 1: words that have ended. Version 2: bytes of a TLV's header */
    uint8_t word_bytes; /* version 1: length of the word that is being read */
    uint16_t tlv_bytes; /* still to come of the TLV's value */
    uint32_t taken;     /* bytes so far */
    uint32_t total;     /* version 2: length of the whole header, once known; else 0 */
    uint32_t block_end; /* version 2: where the addresses end */
    uint32_t crc;       /* of all bytes so far, those of the checksum taken as 0 */
    uint32_t checksum;  /* the one that was sent */
    uint8_t kept[PROXY_KEPT_BYTES];
    struct address peer, local;
};

enum proxy_progress {
    PROXY_MORE,   /* the header goes on */
    PROXY_DONE,   /* it is complete and right; what follows is the client's */
    PROXY_INVALID /* it is none, or a wrong one: proxy_reader_fault() */
};

void proxy_reader_init(struct proxy_reader *reader);

/* While there is MORE: the most bytes, at least 1, that may be read now. The shortest right header
 * that begins with the bytes so far has as many, so none of them can be the client's. Peeking is
 * never needed, and a header that comes at once takes few reads (version 2: three). */
size_t proxy_reader_wanted(const struct proxy_reader *reader);

/* Takes the next bytes, 1..proxy_reader_wanted() of them. A wrong byte is told as soon as it is
 * seen. After DONE and INVALID nothing may follow (it is INVALID). */
enum proxy_progress proxy_reader_take(struct proxy_reader *reader, const uint8_t *bytes,
                                      size_t length);

/* After DONE: true if the header named a client; then *peer is its address and *local the one that
 * it connected to (IPv4-mapped ones as IPv4). False (LOCAL, UNKNOWN, UNSPEC, UNIX): the two ends of
 * the connection itself stay, and *peer and *local are left alone. */
bool proxy_reader_result(const struct proxy_reader *reader, struct address *peer,
                         struct address *local);

/* True before the first byte. */
bool proxy_reader_is_empty(const struct proxy_reader *reader);

/* After INVALID: what is wrong with the header; static. "" before. */
const char *proxy_reader_fault(const struct proxy_reader *reader);

#endif
