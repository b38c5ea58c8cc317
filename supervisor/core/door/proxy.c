#include "core/door/proxy.h"

#include <string.h>

/* Of version 2: what comes first in every header. */
#define FIXED_BYTES 16u
#define SIGNATURE_BYTES 12u
static const uint8_t signature[SIGNATURE_BYTES] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                   0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
#define VERSION_AT 12u
#define FAMILY_AT 13u
#define LENGTH_AT 14u
#define TLV_HEADER_BYTES 3u
#define TLV_CRC32C 0x03u
#define CRC_BYTES 4u

enum command { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum family { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum transport { TRANSPORT_UNSPEC = 0, TRANSPORT_STREAM = 1, TRANSPORT_DGRAM = 2 };

/* Bytes of addresses and ports, by family. */
static const uint32_t address_bytes[] = {0, 12, 36, 216};

/* Of version 1: "PROXY ", the protocol, and then words that a space or CRLF ends. */
static const char line_start[] = "PROXY ";
#define LINE_START_BYTES 6u
#define WORDS_AT 11u /* after "PROXY TCP4 " */
#define SHORTEST_UNKNOWN_BYTES 15u
#define SHORTEST_TCP4_BYTES 32u /* PROXY TCP4 0.0.0.0 0.0.0.0 0 0 */
#define SHORTEST_TCP6_BYTES 22u /* PROXY TCP6 :: :: 0 0 */

/* `field` in a line. */
enum field {
    FIELD_PROTOCOL, /* and all before it */
    FIELD_PEER,
    FIELD_LOCAL,
    FIELD_PEER_PORT,
    FIELD_LOCAL_PORT,
    FIELD_LINE_FEED, /* after the CR */
    FIELD_IGNORED    /* what follows UNKNOWN */
};

enum state {
    STATE_START,
    STATE_LINE,      /* version 1 */
    STATE_FIXED,     /* version 2: up to the length */
    STATE_ADDRESSES, /* then the addresses of a family that we know */
    STATE_TLV,
    STATE_VALUE,
    STATE_SKIPPED, /* or all that follows */
    STATE_DONE,
    STATE_INVALID
};

void proxy_reader_init(struct proxy_reader *reader) {
    memset(reader, 0, sizeof *reader);
    reader->state = STATE_START;
    reader->crc = UINT32_MAX;
}

static void fail(struct proxy_reader *r, const char *fault) {
    r->state = STATE_INVALID;
    r->fault = fault;
}

/* CRC32C, reflected: RFC 4960, appendix B. */
static uint32_t crc_step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (int i = 0; i < 8; i++) {
        crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
    }
    return crc;
}

static uint16_t read_u16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* ---- Version 1 ---- */

static bool is_tcp4(const struct proxy_reader *r) {
    return r->taken > 9 && r->kept[9] == '4';
}

/* The fewest bytes that a line which begins like this can still have. */
static uint32_t line_bytes_left(const struct proxy_reader *r) {
    uint32_t shortest_word = 1;
    uint32_t after = 0; /* what comes after the word that is being read */
    switch ((enum field)r->field) {
    case FIELD_PROTOCOL:
        if (r->taken <= LINE_START_BYTES || r->kept[LINE_START_BYTES] == 'U') {
            return SHORTEST_UNKNOWN_BYTES - r->taken;
        }
        return (is_tcp4(r) ? SHORTEST_TCP4_BYTES : SHORTEST_TCP6_BYTES) - r->taken;
    case FIELD_PEER:
        shortest_word = is_tcp4(r) ? 7 : 2;
        after = 1 + shortest_word + 6;
        break;
    case FIELD_LOCAL:
        shortest_word = is_tcp4(r) ? 7 : 2;
        after = 6; /* " 0 0" CR LF */
        break;
    case FIELD_PEER_PORT:
        after = 4;
        break;
    case FIELD_LOCAL_PORT:
        after = 2;
        break;
    case FIELD_LINE_FEED:
        return 1;
    case FIELD_IGNORED:
        return r->kept[r->taken - 1] == '\r' ? 1 : 2;
    }
    return after + (r->word_bytes < shortest_word ? shortest_word - r->word_bytes : 0);
}

static bool parse_address(const char *text, bool v6, struct address *out) {
    return (strchr(text, ':') != NULL) == v6 && address_parse_host(text, out);
}

/* The line is complete: `kept` has its words from WORDS_AT on, each with a NUL. */
static void finish_line(struct proxy_reader *r) {
    bool v6 = !is_tcp4(r);
    const char *peer = (const char *)r->kept + WORDS_AT;
    const char *local = peer + strlen(peer) + 1;
    const char *peer_port = local + strlen(local) + 1;
    const char *local_port = peer_port + strlen(peer_port) + 1;
    if (!parse_address(peer, v6, &r->peer) || !parse_address(local, v6, &r->local)) {
        fail(r, v6 ? "an address in the PROXY line is not an IPv6 address"
                   : "an address in the PROXY line is not four decimal numbers");
    } else if (!address_parse_port(peer_port, &r->peer.port) ||
               !address_parse_port(local_port, &r->local.port)) {
        fail(r, "a port in the PROXY line is not a number from 0 to 65535");
    } else {
        r->named = true;
        r->state = STATE_DONE;
    }
}

/* A byte of "PROXY " or of the word after it. */
static void take_protocol(struct proxy_reader *r, uint8_t byte) {
    static const char words[][9] = {"TCP4 ", "TCP6 ", "UNKNOWN ", "UNKNOWN\r"};
    if (r->taken < LINE_START_BYTES) {
        if (byte != (uint8_t)line_start[r->taken]) {
            fail(r, "the connection does not begin with a PROXY header");
        }
        return;
    }
    size_t length = r->taken - LINE_START_BYTES + 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncmp((const char *)r->kept + LINE_START_BYTES, words[i], length) != 0) {
            continue;
        }
        if (words[i][length] == '\0') {
            r->field = words[i][0] == 'T' ? FIELD_PEER
                       : byte == ' '      ? FIELD_IGNORED
                                          : FIELD_LINE_FEED;
        }
        return;
    }
    fail(r, "the PROXY line names none of TCP4, TCP6, UNKNOWN");
}

static bool fits_word(const struct proxy_reader *r, uint8_t byte) {
    bool is_digit = byte >= '0' && byte <= '9';
    if (r->field >= FIELD_PEER_PORT) {
        return is_digit;
    }
    bool is_hex = is_digit || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
    return byte == '.' || (is_tcp4(r) ? is_digit : is_hex || byte == ':');
}

/* A byte of an address or a port, or what ends it. */
static void take_word(struct proxy_reader *r, uint8_t byte) {
    uint8_t ending = r->field == FIELD_LOCAL_PORT ? '\r' : ' ';
    if (byte == ending && r->word_bytes > 0) {
        r->kept[r->taken] = '\0';
        r->field++;
        r->word_bytes = 0;
    } else if (fits_word(r, byte)) {
        r->word_bytes++;
    } else {
        fail(r, "the PROXY line has a byte that does not belong there");
    }
}

static void take_line(struct proxy_reader *r, uint8_t byte) {
    r->kept[r->taken] = byte;
    switch ((enum field)r->field) {
    case FIELD_PROTOCOL:
        take_protocol(r, byte);
        break;
    case FIELD_PEER:
    case FIELD_LOCAL:
    case FIELD_PEER_PORT:
    case FIELD_LOCAL_PORT:
        take_word(r, byte);
        break;
    case FIELD_LINE_FEED:
        if (byte != '\n') {
            fail(r, "the PROXY line does not end with CR and LF");
        } else if (r->kept[LINE_START_BYTES] == 'U') {
            r->state = STATE_DONE;
        } else {
            finish_line(r);
        }
        break;
    case FIELD_IGNORED:
        if (byte == '\n' && r->kept[r->taken - 1] == '\r') {
            r->state = STATE_DONE;
        }
        break;
    }
    r->taken++;
    if (r->state == STATE_LINE && r->taken + line_bytes_left(r) > PROXY_LINE_MAX_BYTES) {
        fail(r, "the PROXY line is longer than 107 bytes");
    }
}

/* ---- Version 2 ---- */

/* Where a TLV may begin, or the header ends. */
static void begin_tlv(struct proxy_reader *r) {
    uint32_t left = r->total - r->taken;
    r->field = 0;
    r->state = STATE_TLV;
    if (left == 0) {
        r->state = STATE_DONE;
        if (r->has_checksum && ~r->crc != r->checksum) {
            fail(r, "the PROXY header's checksum is wrong");
        }
    } else if (left < TLV_HEADER_BYTES) {
        fail(r, "the PROXY header ends inside a TLV");
    }
}

/* The 16 bytes are there: decides what follows them. */
static void finish_fixed(struct proxy_reader *r) {
    uint8_t family = r->kept[FAMILY_AT] >> 4;
    uint8_t transport = r->kept[FAMILY_AT] & 0x0f;
    bool is_skipped = (r->kept[VERSION_AT] & 0x0f) == COMMAND_LOCAL || family == FAMILY_UNSPEC ||
                      transport == TRANSPORT_UNSPEC;
    r->total = FIXED_BYTES + read_u16(r->kept + LENGTH_AT);
    if (r->total > PROXY_HEADER_MAX_BYTES) {
        fail(r, "the PROXY header is longer than 8192 bytes");
    } else if (is_skipped) {
        r->state = r->total > FIXED_BYTES ? STATE_SKIPPED : STATE_DONE;
    } else {
        r->block_end = FIXED_BYTES + address_bytes[family];
        r->state = STATE_ADDRESSES;
        if (r->block_end > r->total) {
            fail(r, "the PROXY header is too short for its addresses");
        }
    }
}

static void take_fixed(struct proxy_reader *r, uint8_t byte) {
    uint32_t at = r->taken++;
    r->kept[at] = byte;
    if (at < SIGNATURE_BYTES) {
        if (byte != signature[at]) {
            fail(r, "the connection does not begin with a PROXY header");
        }
    } else if (at == VERSION_AT) {
        if (byte >> 4 != 2) {
            fail(r, "the PROXY header has a version that is not 1 or 2");
        } else if ((byte & 0x0f) > COMMAND_PROXY) {
            fail(r, "the PROXY header has a command that is not LOCAL or PROXY");
        }
    } else if (at == FAMILY_AT) {
        /* LOCAL: "discard the protocol block including the family which is ignored". */
        if ((r->kept[VERSION_AT] & 0x0f) == COMMAND_PROXY &&
            (byte >> 4 > FAMILY_UNIX || (byte & 0x0f) > TRANSPORT_DGRAM)) {
            fail(r, "the PROXY header has an unknown address family or transport");
        }
    } else if (at == FIXED_BYTES - 1) {
        finish_fixed(r);
    }
}

static void read_address(const uint8_t *bytes, const uint8_t *port, enum address_family family,
                         struct address *out) {
    *out = (struct address){.family = family, .port = read_u16(port)};
    memcpy(out->bytes, bytes, family == ADDRESS_IPV4 ? 4 : 16);
    address_unmap(out);
}

static void take_address(struct proxy_reader *r, uint8_t byte) {
    const uint8_t *block = r->kept + FIXED_BYTES;
    if (r->taken < PROXY_KEPT_BYTES) {
        r->kept[r->taken] = byte;
    }
    if (++r->taken < r->block_end) {
        return;
    }
    if (r->kept[FAMILY_AT] >> 4 == FAMILY_INET) {
        read_address(block, block + 8, ADDRESS_IPV4, &r->peer);
        read_address(block + 4, block + 10, ADDRESS_IPV4, &r->local);
        r->named = true;
    } else if (r->kept[FAMILY_AT] >> 4 == FAMILY_INET6) {
        read_address(block, block + 32, ADDRESS_IPV6, &r->peer);
        read_address(block + 16, block + 34, ADDRESS_IPV6, &r->local);
        r->named = true;
    }
    begin_tlv(r);
}

static void take_tlv(struct proxy_reader *r, uint8_t byte) {
    r->taken++;
    if (r->field == 0) {
        r->tlv_type = byte;
        r->tlv_bytes = 0;
    } else {
        r->tlv_bytes = (uint16_t)(r->tlv_bytes << 8 | byte);
    }
    if (++r->field < TLV_HEADER_BYTES) {
        return;
    }
    r->state = STATE_VALUE;
    if (r->tlv_bytes > r->total - r->taken) {
        fail(r, "the PROXY header ends inside a TLV");
    } else if (r->tlv_type == TLV_CRC32C && r->tlv_bytes != CRC_BYTES) {
        fail(r, "the PROXY header's checksum is not 4 bytes long");
    } else if (r->tlv_type == TLV_CRC32C && r->has_checksum) {
        fail(r, "the PROXY header has two checksums");
    } else if (r->tlv_bytes == 0) {
        begin_tlv(r);
    }
    r->has_checksum = r->has_checksum || r->tlv_type == TLV_CRC32C;
}

static void take_value(struct proxy_reader *r, uint8_t byte) {
    r->taken++;
    if (r->tlv_type == TLV_CRC32C) {
        r->checksum = r->checksum << 8 | byte;
    }
    if (--r->tlv_bytes == 0) {
        begin_tlv(r);
    }
}

/* ---- Both ---- */

static void take_byte(struct proxy_reader *r, uint8_t byte) {
    bool is_checksum = r->state == STATE_VALUE && r->tlv_type == TLV_CRC32C;
    r->crc = crc_step(r->crc, is_checksum ? 0 : byte);
    if (r->state == STATE_START) {
        r->state = byte == signature[0] ? STATE_FIXED : STATE_LINE;
    }
    switch ((enum state)r->state) {
    case STATE_LINE:
        take_line(r, byte);
        break;
    case STATE_FIXED:
        take_fixed(r, byte);
        break;
    case STATE_ADDRESSES:
        take_address(r, byte);
        break;
    case STATE_TLV:
        take_tlv(r, byte);
        break;
    case STATE_VALUE:
        take_value(r, byte);
        break;
    case STATE_SKIPPED:
        if (++r->taken == r->total) {
            r->state = STATE_DONE;
        }
        break;
    case STATE_START:
    case STATE_DONE:
    case STATE_INVALID:
        break;
    }
}

size_t proxy_reader_wanted(const struct proxy_reader *reader) {
    switch ((enum state)reader->state) {
    case STATE_START:
        return SHORTEST_UNKNOWN_BYTES;
    case STATE_LINE:
        return line_bytes_left(reader);
    case STATE_FIXED:
        return FIXED_BYTES - reader->taken;
    case STATE_ADDRESSES:
    case STATE_TLV:
    case STATE_VALUE:
    case STATE_SKIPPED:
        return reader->total - reader->taken;
    case STATE_DONE:
    case STATE_INVALID:
        break;
    }
    return 0;
}

enum proxy_progress proxy_reader_take(struct proxy_reader *reader, const uint8_t *bytes,
                                      size_t length) {
    if (length > proxy_reader_wanted(reader) && reader->fault == NULL) {
        fail(reader, "more was read than the PROXY header needs");
    }
    for (size_t i = 0; i < length && reader->state < STATE_DONE; i++) {
        take_byte(reader, bytes[i]);
    }
    if (reader->state == STATE_INVALID) {
        return PROXY_INVALID;
    }
    return reader->state == STATE_DONE ? PROXY_DONE : PROXY_MORE;
}

bool proxy_reader_result(const struct proxy_reader *reader, struct address *peer,
                         struct address *local) {
    if (reader->state != STATE_DONE || !reader->named) {
        return false;
    }
    *peer = reader->peer;
    *local = reader->local;
    return true;
}

bool proxy_reader_is_empty(const struct proxy_reader *reader) {
    return reader->taken == 0;
}

const char *proxy_reader_fault(const struct proxy_reader *reader) {
    return reader->fault != NULL ? reader->fault : "";
}
