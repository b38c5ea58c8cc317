/*
 * A handler for version 1 of the channel protocol, written from handlers/PROTOCOL.md alone.
 *
 *   independent         checks what the document promises to a handler, and tells the client in TAP
 *   independent serve   sends back what the client sends, until the client ends
 *
 * Whether the sending side can be shut down is seen by the client: after the plan comes the end of
 * the stream. If shutting down fails, a line "not ok" comes after the plan instead.
 *
 * Build: cc independent.c independent_tap.c independent_posix.c
 *        x86_64-w64-mingw32-gcc independent.c independent_tap.c independent_win32.c -lws2_32
 */
#include "independent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    NONCE_SIZE = 16,
    KIND_CONNECTION = 1,
    REASON_REFUSE = 3,
    WRITE_MAX = HEADER_SIZE + 512,
    SILENCE_MS = 300,
    SILENCE_SLACK_MS = 60,
    DRAIN_MS = 3000,
    DRAIN_BYTES = 1 << 20,
    QUEUED_US_MAX = 600 * 1000000
};

enum type { TYPE_HELLO = 0x01, TYPE_ACK, TYPE_NACK, TYPE_DONE, TYPE_CANCEL = 0x12, TYPE_DRAIN };

enum tag {
    TAG_NONCE = 0x0001,
    TAG_PID = 0x0002,
    TAG_CAPACITY = 0x0003,
    TAG_REASON = 0x0005,
    TAG_STATUS = 0x0006,
    TAG_SERVICE = 0x000a,
    TAG_KIND = 0x000b,
    TAG_PEER = 0x000c,
    TAG_LOCAL = 0x000d,
    TAG_ACCEPTED_US = 0x000e,
    TAG_ID = 0x000f,
    TAG_PROTOCOL_INFO = 0x0010,
    TAG_SDK = 0x8004,
    TAG_BYTES_IN = 0x8007,
    TAG_BYTES_OUT = 0x8008,
    TAG_TEXT = 0x8009
};

/* What the environment says. */
struct launch {
    uint32_t in;
    uint32_t out;
    uint8_t nonce[NONCE_SIZE];
};

/* What goes into DONE. */
struct outcome {
    uint64_t bytes_in;
    uint64_t bytes_out;
    const char *failure; /* NULL if the connection was served */
};

/* --- Numbers and texts ------------------------------------------------------------------------ */

static uint16_t get16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes) {
    return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static uint64_t get64(const uint8_t *bytes) {
    return (uint64_t)get32(bytes) << 32 | get32(bytes + 4);
}

static void put(uint8_t *bytes, size_t size, uint64_t value) {
    for (size_t i = size; i > 0; i--) {
        bytes[i - 1] = (uint8_t)(value & 0xff);
        value >>= 8;
    }
}

/* The length of the character that begins here; 0 if it is none of RFC 3629, or NUL. */
static size_t utf8_character(const uint8_t *text, size_t left) {
    const uint8_t lead = text[0];
    if (lead < 0x80)
        return lead != 0;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < length)
        return 0;
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool utf8_valid(const uint8_t *text, size_t size) {
    while (size > 0) {
        const size_t length = utf8_character(text, size);
        if (length == 0)
            return false;
        text += length;
        size -= length;
    }
    return true;
}

/* --- The environment -------------------------------------------------------------------------- */

/* Reads digits up to the end or a comma, which is skipped; NULL if that is no number below 2^32. */
static const char *parse_number(const char *text, uint32_t *number) {
    uint64_t value = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        value = value * 10 + (uint64_t)(*digit - '0');
        if (value > UINT32_MAX)
            return NULL;
    }
    if (digit == text || (*digit == ',' && digit[1] == '\0'))
        return NULL;
    *number = (uint32_t)value;
    return *digit == ',' ? digit + 1 : *digit == '\0' ? digit : NULL;
}

static bool parse_versions(const char *text) {
    bool found = false;
    do {
        uint32_t version;
        text = parse_number(text, &version);
        if (text == NULL)
            return false;
        found = found || version == VERSION;
    } while (*text != '\0');
    return found;
}

static bool parse_channel(const char *text, struct launch *launch) {
    text = parse_number(text, &launch->in);
    if (text == NULL || *text == '\0')
        return false;
    text = parse_number(text, &launch->out);
    return text != NULL && *text == '\0';
}

static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static bool parse_nonce(const char *text, uint8_t *nonce) {
    if (strlen(text) != 2 * NONCE_SIZE)
        return false;
    for (size_t i = 0; i < NONCE_SIZE; i++) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        nonce[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool launch_read(struct launch *launch) {
    char versions[256] = "";
    char channel[64] = "";
    char nonce[64] = "";
    os_take_variable("BATON_PROTOCOL", versions, sizeof versions);
    os_take_variable("BATON_NONCE", nonce, sizeof nonce);
    if (!os_take_variable("BATON_CHANNEL", channel, sizeof channel)) {
        fputs("independent: this program is to be started by batond\n", stderr);
        return false;
    }
    if (!parse_versions(versions) || !parse_channel(channel, launch) ||
        !parse_nonce(nonce, launch->nonce) || !os_channel_set(launch->in, launch->out)) {
        fputs("independent: the environment describes no channel of version 1\n", stderr);
        return false;
    }
    return true;
}

/* --- Frames to the supervisor ------------------------------------------------------------------
 */

struct writer {
    uint8_t bytes[WRITE_MAX];
    size_t size;
};

static void writer_begin(struct writer *writer, enum type type, uint32_t connection) {
    memcpy(writer->bytes, "BATN", 4);
    put(writer->bytes + 4, 1, VERSION);
    put(writer->bytes + 5, 1, type);
    put(writer->bytes + 6, 2, 0);
    put(writer->bytes + 8, 4, connection);
    writer->size = HEADER_SIZE;
}

/* The fields written here are few and short: they always have room. */
static void writer_bytes(struct writer *writer, enum tag tag, const void *value, size_t size) {
    put(writer->bytes + writer->size, 2, tag);
    put(writer->bytes + writer->size + 2, 2, size);
    memcpy(writer->bytes + writer->size + 4, value, size);
    writer->size += 4 + size;
}

static void writer_number(struct writer *writer, enum tag tag, size_t size, uint64_t value) {
    uint8_t bytes[8];
    put(bytes, size, value);
    writer_bytes(writer, tag, bytes, size);
}

static bool writer_send(struct writer *writer) {
    put(writer->bytes + 12, 4, writer->size - HEADER_SIZE);
    return os_frame_write(writer->bytes, writer->size);
}

static bool send_hello(const uint8_t *nonce) {
    static const char name[] = "independent";
    struct writer writer;
    writer_begin(&writer, TYPE_HELLO, 0);
    writer_bytes(&writer, TAG_NONCE, nonce, NONCE_SIZE);
    writer_number(&writer, TAG_PID, 4, os_process_id());
    writer_number(&writer, TAG_CAPACITY, 4, 1);
    writer_bytes(&writer, TAG_SDK, name, sizeof name - 1);
    return writer_send(&writer);
}

static bool send_ack(uint32_t connection) {
    struct writer writer;
    writer_begin(&writer, TYPE_ACK, connection);
    return writer_send(&writer);
}

static bool send_refusal(uint32_t connection) {
    struct writer writer;
    writer_begin(&writer, TYPE_NACK, connection);
    writer_number(&writer, TAG_REASON, 1, REASON_REFUSE);
    return writer_send(&writer);
}

static bool send_done(uint32_t connection, const struct outcome *outcome) {
    struct writer writer;
    writer_begin(&writer, TYPE_DONE, connection);
    writer_number(&writer, TAG_STATUS, 1, outcome->failure != NULL);
    writer_number(&writer, TAG_BYTES_IN, 8, outcome->bytes_in);
    writer_number(&writer, TAG_BYTES_OUT, 8, outcome->bytes_out);
    if (outcome->failure != NULL)
        writer_bytes(&writer, TAG_TEXT, outcome->failure, strlen(outcome->failure));
    return writer_send(&writer);
}

/* --- Frames from the supervisor -----------------------------------------------------------------
 */

/* What a frame asks of a handler that holds no connection. */
enum message { MESSAGE_BREACH, MESSAGE_IGNORE, MESSAGE_OFFER, MESSAGE_DRAIN };

bool header_valid(const uint8_t *header, size_t *body) {
    const uint8_t type = header[5];
    const uint32_t connection = get32(header + 8);
    *body = get32(header + 12);
    if (memcmp(header, "BATN", 4) != 0 || header[4] != VERSION || get16(header + 6) != 0 ||
        *body > BODY_MAX)
        return false;
    if (type == TYPE_OFFER || type == TYPE_CANCEL)
        return connection != 0;
    if (type == TYPE_DRAIN)
        return connection == 0;
    return type >= 0x80;
}

static bool address_parse(const uint8_t *value, size_t size, struct address *address) {
    if (!(size == ADDRESS_V4 && value[0] == 4) && !(size == ADDRESS_V6 && value[0] == 6))
        return false;
    memcpy(address->bytes, value, size);
    address->size = size;
    return true;
}

/* Takes one field of an OFFER. False if its tag is none of an OFFER's, or its value is wrong. */
static bool offer_field(struct offer *offer, unsigned tag, const uint8_t *value, size_t size) {
    switch (tag) {
    case TAG_SERVICE:
        return size >= 1 && size <= 255 && utf8_valid(value, size);
    case TAG_KIND:
        if (size == 1)
            offer->kind = value[0];
        return size == 1 && value[0] >= 1 && value[0] <= 3;
    case TAG_PEER:
        return address_parse(value, size, &offer->peer);
    case TAG_LOCAL:
        return address_parse(value, size, &offer->local);
    case TAG_ACCEPTED_US:
        if (size == 8)
            offer->accepted_us = get64(value);
        return size == 8;
    case TAG_ID:
        return size == 8;
    case TAG_PROTOCOL_INFO:
        offer->protocol_info = value;
        return size == PROTOCOL_INFO_SIZE;
    default:
        return false;
    }
}

/* Walks the fields of a body. Only an OFFER has fields that must be understood. */
static bool body_parse(const uint8_t *body, size_t left, struct offer *offer) {
    const unsigned required =
        1u << TAG_SERVICE | 1u << TAG_KIND | 1u << TAG_ACCEPTED_US | 1u << TAG_ID;
    unsigned seen = 0;
    while (left > 0) {
        if (left < 4)
            return false;
        const unsigned tag = get16(body);
        const size_t size = get16(body + 2);
        if (size > left - 4)
            return false;
        if (tag < 0x8000) {
            if (offer == NULL || !offer_field(offer, tag, body + 4, size) || (seen >> tag & 1) != 0)
                return false;
            seen |= 1u << tag;
        }
        body += 4 + size;
        left -= 4 + size;
    }
    return offer == NULL || (seen & required) == required;
}

static enum message frame_parse(const struct frame *frame, struct offer *offer) {
    const uint8_t type = frame->bytes[5];
    if (type >= 0x80)
        return MESSAGE_IGNORE;
    memset(offer, 0, sizeof *offer);
    offer->connection = get32(frame->bytes + 8);
    offer->descriptor = frame->descriptor;
    if (!body_parse(frame->bytes + HEADER_SIZE, frame->size - HEADER_SIZE,
                    type == TYPE_OFFER ? offer : NULL))
        return MESSAGE_BREACH;
    return type == TYPE_OFFER ? MESSAGE_OFFER : type == TYPE_DRAIN ? MESSAGE_DRAIN : MESSAGE_IGNORE;
}

/* --- The checks ---------------------------------------------------------------------------------
 */

static void note_address(struct tap *tap, const char *title, const struct address *address) {
    char hex[2 * ADDRESS_V6 + 1] = "";
    for (size_t i = 0; i < address->size; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)address->bytes[i]);
    tap_note(tap, "%s: %s", title, address->size > 0 ? hex : "none");
}

/* The page: "An IPv4 client always has family 4, also where a listener for IPv6 takes IPv4
 * clients", whose name the system gives as ::ffff:a.b.c.d. */
static void address_unmap(struct address *address) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (address->size != ADDRESS_V6 || memcmp(address->bytes + 3, mapped, sizeof mapped) != 0)
        return;
    address->size = ADDRESS_V4;
    address->bytes[0] = 4;
    memmove(address->bytes + 3, address->bytes + 15, 4);
}

static void check_name(struct tap *tap, os_socket sock, bool peer, const struct address *offered) {
    struct address name;
    memset(&name, 0, sizeof name);
    tap_check(tap, os_socket_name(sock, peer, &name),
              peer ? "getpeername works" : "getsockname works");
    address_unmap(&name);
    const bool same =
        name.size == offered->size && memcmp(name.bytes, offered->bytes, name.size) == 0;
    tap_check(tap, same, peer ? "getpeername gives PEER" : "getsockname gives LOCAL");
    if (!same) {
        note_address(tap, "in the OFFER", offered);
        note_address(tap, "of the socket", &name);
    }
}

static void check_accepted(struct tap *tap, uint64_t accepted_us) {
    const uint64_t now = os_wall_us();
    tap_check(tap, accepted_us <= now && now - accepted_us < QUEUED_US_MAX,
              "ACCEPTED_US is a time in the last minutes");
}

static void note_bytes(struct tap *tap, const uint8_t *bytes, size_t size) {
    enum { SHOWN_MAX = 64 };
    char hex[2 * SHOWN_MAX + 1] = "";
    for (size_t i = 0; i < size && i < SHOWN_MAX; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    tap_note(tap, "first bytes from the client: %s", hex);
}

/* Reads until the client is silent: then a blocking socket waits for as long as it may. */
static uint64_t check_silence(struct tap *tap, os_socket sock) {
    static const char *const text = "blocking: a read with nothing to read waits";
    uint8_t bytes[4096];
    uint64_t total = 0;
    uint64_t waited;
    long got;
    os_socket_limit(sock, SILENCE_MS);
    do {
        const uint64_t start = os_steady_ms();
        got = os_socket_receive(sock, bytes, sizeof bytes);
        waited = os_steady_ms() - start;
        if (got > 0 && total == 0)
            note_bytes(tap, bytes, (size_t)got);
        if (got > 0)
            total += (uint64_t)got;
    } while (got > 0 && total < DRAIN_BYTES);
    if (got >= 0)
        tap_skip(tap, text, got == 0 ? "the client has ended" : "the client sends on and on");
    else
        tap_check(tap, got == RECEIVE_NOTHING && waited + SILENCE_SLACK_MS >= SILENCE_MS, text);
    tap_skip(tap, "no byte of the client has been taken", "only the client knows what it sent");
    return total;
}

/* Ends the sending side, then reads to the end, so that nothing under way is destroyed. */
static bool close_gently(os_socket sock, uint64_t *bytes_in) {
    uint8_t bytes[4096];
    uint64_t total = 0;
    const uint64_t start = os_steady_ms();
    if (!os_socket_shutdown(sock))
        return false;
    os_socket_limit(sock, SILENCE_MS);
    while (total < DRAIN_BYTES && os_steady_ms() - start < DRAIN_MS) {
        const long got = os_socket_receive(sock, bytes, sizeof bytes);
        if (got == 0 || got == RECEIVE_ERROR)
            break;
        if (got > 0)
            total += (uint64_t)got;
    }
    *bytes_in += total;
    return true;
}

static void send_text(os_socket sock, const char *text, size_t size, struct outcome *outcome) {
    if (os_socket_send(sock, (const uint8_t *)text, size))
        outcome->bytes_out += size;
    else
        outcome->failure = "the client took not all";
}

static void run_checks(os_socket sock, const struct offer *offer, const struct tap *process,
                       struct outcome *outcome) {
    static struct tap tap;
    char text[80];
    tap = *process;
    os_check_socket(&tap, sock);
    check_name(&tap, sock, true, &offer->peer);
    check_name(&tap, sock, false, &offer->local);
    check_accepted(&tap, offer->accepted_us);
    outcome->bytes_in = check_silence(&tap, sock);
    os_check_socket_late(&tap, sock);
    tap_print(&tap, "1..%u\n", tap.count);
    if (tap.failed)
        outcome->failure = "a check failed";
    send_text(sock, tap.text, tap.size, outcome);
    if (!close_gently(sock, &outcome->bytes_in)) {
        snprintf(text, sizeof text, "not ok %u - shutdown works\n", tap.count + 1);
        send_text(sock, text, strlen(text), outcome);
        outcome->failure = "shutdown failed";
    }
}

/* --- The plain service ---------------------------------------------------------------------------
 */

static void run_echo(os_socket sock, struct outcome *outcome) {
    static uint8_t bytes[65536];
    for (;;) {
        const long got = os_socket_receive(sock, bytes, sizeof bytes);
        if (got == 0)
            break;
        if (got < 0) {
            outcome->failure = "reading from the client failed";
            return;
        }
        outcome->bytes_in += (uint64_t)got;
        if (!os_socket_send(sock, bytes, (size_t)got)) {
            outcome->failure = "writing to the client failed";
            return;
        }
        outcome->bytes_out += (uint64_t)got;
    }
    if (!os_socket_shutdown(sock))
        outcome->failure = "shutdown failed";
}

/* --- The conversation
 * ----------------------------------------------------------------------------- */

/* What comes after an offer. */
enum next { NEXT_FRAME, NEXT_EXIT, NEXT_FAIL };

/* Checks run if process, the results about the process, is not NULL. */
static enum next take_offer(const struct offer *offer, const struct tap *process) {
    os_socket sock;
    if (!os_socket_take(offer, &sock))
        return NEXT_FAIL;
    if (offer->kind != KIND_CONNECTION) {
        os_socket_close(sock);
        return send_refusal(offer->connection) ? NEXT_FRAME : NEXT_EXIT;
    }
    if (!send_ack(offer->connection)) {
        os_socket_close(sock);
        return NEXT_EXIT;
    }
    struct outcome outcome = {0, 0, NULL};
    if (process != NULL)
        run_checks(sock, offer, process, &outcome);
    else
        run_echo(sock, &outcome);
    os_socket_close(sock);
    return send_done(offer->connection, &outcome) ? NEXT_FRAME : NEXT_EXIT;
}

static enum next next_frame(const struct tap *process) {
    static struct frame frame;
    struct offer offer;
    switch (os_frame_read(&frame)) {
    case READ_END:
        return NEXT_EXIT;
    case READ_FRAME:
        break;
    case READ_BREACH:
    default:
        return NEXT_FAIL;
    }
    switch (frame_parse(&frame, &offer)) {
    case MESSAGE_IGNORE:
        return NEXT_FRAME;
    case MESSAGE_DRAIN:
        return NEXT_EXIT;
    case MESSAGE_OFFER:
        break;
    case MESSAGE_BREACH:
    default:
        if (frame.descriptor >= 0)
            os_socket_close((os_socket)frame.descriptor);
        return NEXT_FAIL;
    }
    const enum next next = take_offer(&offer, process);
    memset(&frame, 0, sizeof frame);
    return next;
}

int main(int argc, char **argv) {
    static struct tap process;
    struct launch launch;
    const bool serve = argc == 2 && strcmp(argv[1], "serve") == 0;
    if (argc > 1 && !serve) {
        fputs("usage: independent [serve]\n", stderr);
        return EXIT_FAILURE;
    }
    if (!launch_read(&launch))
        return EXIT_FAILURE;
    if (!serve)
        os_check_start(&process);
    if (!os_start())
        return EXIT_FAILURE;
    if (!serve) {
        os_check_streams(&process);
        const enum early early = os_channel_early();
        tap_check(&process, early != EARLY_WRONG,
                  "nothing comes on the channel before HELLO, but on POSIX perhaps an OFFER");
        if (early == EARLY_OFFER)
            tap_note(&process, "an OFFER is there before HELLO");
    }
    if (!send_hello(launch.nonce))
        return EXIT_SUCCESS;
    enum next next;
    do
        next = next_frame(serve ? NULL : &process);
    while (next == NEXT_FRAME);
    os_channel_close();
    return next == NEXT_EXIT ? EXIT_SUCCESS : EXIT_FAILURE;
}
