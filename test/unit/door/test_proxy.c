/* The PROXY protocol (core/door/proxy.h), with headers built from its document. */
#include "core/door/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Building headers ---- */

struct header {
    uint8_t bytes[65536 + 16];
    size_t length;
};

static struct header header; /* too large for a stack */

static void put(const void *bytes, size_t length) {
    assert_true(header.length + length <= sizeof header.bytes);
    memcpy(header.bytes + header.length, bytes, length);
    header.length += length;
}

static void put_line(const char *line) {
    header.length = 0;
    put(line, strlen(line));
}

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

#define LOCAL_V2 0x20
#define PROXY_V2 0x21

static void begin(uint8_t version_command, uint8_t family_protocol) {
    uint8_t rest[] = {version_command, family_protocol, 0, 0};
    header.length = 0;
    put(signature, sizeof signature);
    put(rest, sizeof rest);
}

/* Sets the length field to what is there. */
static void end(void) {
    header.bytes[14] = (uint8_t)((header.length - 16) >> 8);
    header.bytes[15] = (uint8_t)((header.length - 16) & 0xff);
}

static const uint8_t inet[12] = {192, 0, 2, 1, 198, 51, 100, 7, 0x80, 0x01, 0x01, 0xbb};

static const uint8_t inet6[36] = {
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* source */
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, /* destination */
    0x80, 0x01, 0x01, 0xbb};

static void put_tlv(uint8_t type, size_t length) {
    static const uint8_t value[4096] = {'v'};
    uint8_t start[] = {type, (uint8_t)(length >> 8), (uint8_t)(length & 0xff)};
    put(start, sizeof start);
    put(value, length);
}

/* By table, unlike the reader's own. */
static uint32_t crc32c(const uint8_t *bytes, size_t length) {
    uint32_t table[256];
    uint32_t crc = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) {
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78u : table[i] >> 1;
        }
    }
    for (size_t i = 0; i < length; i++) {
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 0xff];
    }
    return ~crc;
}

/* An IPv4 header with its checksum between two other TLVs; returns where the checksum is. */
static size_t build_with_checksum(void) {
    begin(PROXY_V2, 0x11);
    put(inet, sizeof inet);
    put_tlv(0x04, 5);
    put((const uint8_t[]){0x03, 0, 4, 0, 0, 0, 0}, 7);
    size_t at = header.length - 4;
    put_tlv(0xea, 2);
    end();
    uint32_t crc = crc32c(header.bytes, header.length);
    for (int i = 0; i < 4; i++) {
        header.bytes[at + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    return at;
}

/* ---- Reading them ---- */

static char peer_text[ADDRESS_TEXT_SIZE], local_text[ADDRESS_TEXT_SIZE];

/* How the bytes come. */
struct arrival {
    size_t most;  /* in one piece */
    size_t first; /* of all that come before the rest does */
};

/* Gives the header in pieces, never more than is wanted. Returns how many bytes were taken; what
 * was named is in the two texts ("" = nobody). */
static size_t read_arriving(struct arrival arrival, enum proxy_progress *progress,
                            const char **fault) {
    struct proxy_reader reader;
    struct address peer = {.family = ADDRESS_NONE}, local = {.family = ADDRESS_NONE};
    size_t taken = 0;
    memset(&reader, 0xa5, sizeof reader);
    proxy_reader_init(&reader);
    assert_true(proxy_reader_is_empty(&reader));
    *progress = PROXY_MORE;
    while (*progress == PROXY_MORE && taken < header.length) {
        size_t wanted = proxy_reader_wanted(&reader);
        assert_true(wanted > 0);
        assert_string_equal(proxy_reader_fault(&reader), "");
        assert_false(proxy_reader_result(&reader, &peer, &local));
        size_t there = (taken < arrival.first ? arrival.first : header.length) - taken;
        size_t piece = wanted < arrival.most ? wanted : arrival.most;
        piece = piece < there ? piece : there;
        *progress = proxy_reader_take(&reader, header.bytes + taken, piece);
        taken += piece;
        assert_false(proxy_reader_is_empty(&reader));
    }
    bool named = proxy_reader_result(&reader, &peer, &local);
    assert_true(!named || *progress == PROXY_DONE);
    peer_text[0] = local_text[0] = '\0';
    if (named) {
        address_print(&peer, peer_text, sizeof peer_text);
        address_print(&local, local_text, sizeof local_text);
    }
    *fault = proxy_reader_fault(&reader);
    assert_true((strlen(*fault) > 0) == (*progress == PROXY_INVALID));
    return taken;
}

static size_t read_header(size_t most, enum proxy_progress *progress, const char **fault) {
    return read_arriving((struct arrival){.most = most}, progress, fault);
}

/* The header is right, in whatever pieces it comes; the client's bytes after it are not touched;
 * every beginning of it waits for more. */
static void expect_good(const char *peer, const char *local) {
    static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 7};
    enum proxy_progress progress;
    const char *fault;
    size_t length = header.length;
    put("\r\nSSH-2.0-client\r\n", 18);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_int_equal(read_header(pieces[i], &progress, &fault), length);
        assert_string_equal(fault, "");
        assert_int_equal(progress, PROXY_DONE);
        assert_string_equal(peer_text, peer);
        assert_string_equal(local_text, local);
    }
    for (size_t first = 1; first < length && length < 512; first++) {
        struct arrival torn = {.most = SIZE_MAX, .first = first};
        assert_int_equal(read_arriving(torn, &progress, &fault), length);
        assert_int_equal(progress, PROXY_DONE);
    }
    for (header.length = 0; header.length < length; header.length++) {
        assert_int_equal(read_header(SIZE_MAX, &progress, &fault), header.length);
        assert_int_equal(progress, PROXY_MORE);
    }
    header.length = length;
}

/* It is refused, at the latest when all of it is there. `fault`: a part of what is said. */
static void expect_bad(const char *fault) {
    enum proxy_progress progress;
    const char *said, *said_by_bytes;
    read_header(SIZE_MAX, &progress, &said);
    if (progress != PROXY_INVALID || strstr(said, fault) == NULL) {
        fail_msg("expected '%s', found '%s'", fault, said);
    }
    read_header(1, &progress, &said_by_bytes);
    assert_int_equal(progress, PROXY_INVALID);
    assert_ptr_equal(said, said_by_bytes);
}

/* ---- Version 1 ---- */

struct line {
    const char *text, *peer, *local; /* peer: or what is said, where `local` is NULL */
};

static void lines_of_version_1_are_read(void **state) {
    static const struct line lines[] = {
        {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1:56324",
         "192.168.0.11:443"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
         "255.255.255.255:65535"},
        {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0"},
        {"PROXY TCP6 2001:db8::1 2001:DB8::2 1 2\r\n", "[2001:db8::1]:1", "[2001:db8::2]:2"},
        {"PROXY TCP6 :: :: 0 0\r\n", "[::]:0", "[::]:0"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n", "192.0.2.1:1", "192.0.2.2:2"},
        {"PROXY UNKNOWN\r\n", "", ""},
        {"PROXY UNKNOWN \r\n", "", ""},
        {"PROXY UNKNOWN anything, really\r\n", "", ""},
        {"PROXY UNKNOWN \r \n \r\r\n", "", ""}, /* all before CRLF is ignored */
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "", ""}, /* the longest, 107 bytes */
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put_line(lines[i].text);
        expect_good(lines[i].peer, lines[i].local);
    }
}

static void wrong_lines_are_refused(void **state) {
    static const struct line lines[] = {
        {"GET / HTTP/1.1\r\n\r\n", "does not begin", NULL},
        {"PROXX", "does not begin", NULL},
        {"proxy TCP4 ", "does not begin", NULL},
        {"PROXY\tTCP4 ", "does not begin", NULL},
        {"PROXY  TCP4", "names none of", NULL},
        {"PROXY TCP5", "names none of", NULL},
        {"PROXY TCP44", "names none of", NULL},
        {"PROXY TCP4\r", "names none of", NULL},
        {"PROXY UDP4", "names none of", NULL},
        {"PROXY UNKNOWNX", "names none of", NULL},
        {"PROXY UNKNOWN\r\r", "does not end with CR and LF", NULL},
        {"PROXY UNKNOWN\n", "names none of", NULL},
        {"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1  \r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n", "does not end with CR and LF", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n", "does not belong", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "a port", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n", "a port", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "a port", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 4294967297\r\n", "a port", NULL},
        {"PROXY TCP4 010.0.0.1 1.2.3.4 1 2\r\n", "four decimal numbers", NULL},
        {"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", "four decimal numbers", NULL},
        {"PROXY TCP4 1.2.3.4 .......... 1 2\r\n", "four decimal numbers", NULL},
        {"PROXY TCP4 1.2.3.4 1.2.3.4.5 1 2\r\n", "four decimal numbers", NULL},
        {"PROXY TCP4 ::1 ::1 1 2\r\n", "does not belong", NULL},
        {"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "not an IPv6 address", NULL},
        {"PROXY TCP6 ::1 1::2::3 1 2\r\n", "not an IPv6 address", NULL},
        {"PROXY TCP6 [::1] ::1 1 2\r\n", "does not belong", NULL},
        {"PROXY TCP6 fe80::1%1 ::1 1 2\r\n", "does not belong", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put_line(lines[i].text);
        expect_bad(lines[i].peer);
    }
    put_line("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n");
    header.bytes[14] = '\0';
    expect_bad("does not belong");
}

static void a_line_ends_by_its_107th_byte(void **state) {
    enum proxy_progress progress;
    const char *fault;
    (void)state;
    header.length = 0;
    put("PROXY UNKNOWN ", 14);
    while (header.length < 106) {
        put("x", 1);
    }
    put("\r\n", 2);
    expect_bad("longer than 107 bytes");
    /* And it is refused before its client's bytes are waited for. */
    assert_in_range(read_header(1, &progress, &fault), 1, 107);
    header.length = 0;
    put("PROXY TCP4 ", 11);
    while (header.length < 200) {
        put("1", 1);
    }
    expect_bad("longer than 107 bytes");
    assert_in_range(read_header(1, &progress, &fault), 1, 107);
}

/* ---- Version 2 ---- */

static void addresses_of_version_2_are_read(void **state) {
    (void)state;
    for (uint8_t transport = 1; transport <= 2; transport++) {
        begin(PROXY_V2, (uint8_t)(0x10 | transport));
        put(inet, sizeof inet);
        end();
        expect_good("192.0.2.1:32769", "198.51.100.7:443");
        begin(PROXY_V2, (uint8_t)(0x20 | transport));
        put(inet6, sizeof inet6);
        end();
        expect_good("[2001:db8::1]:32769", "[2001:db8::2]:443");
    }
}

static void mapped_addresses_become_ipv4(void **state) {
    uint8_t mapped[36] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    (void)state;
    mapped[31] = 1;
    begin(PROXY_V2, 0x21);
    put(mapped, sizeof mapped);
    end();
    expect_good("192.0.2.1:0", "[::1]:0");
}

static void headers_that_name_nobody_are_taken(void **state) {
    static const uint8_t paths[216] = "/run/client";
    static const uint8_t junk[] = {1, 2, 3, 4, 5};
    static const uint8_t nobody[][2] = {{LOCAL_V2, 0x00}, {LOCAL_V2, 0x11}, {LOCAL_V2, 0x21},
                                        {LOCAL_V2, 0x31}, {LOCAL_V2, 0xff}, {PROXY_V2, 0x00},
                                        {PROXY_V2, 0x01}, {PROXY_V2, 0x02}, {PROXY_V2, 0x10},
                                        {PROXY_V2, 0x20}, {PROXY_V2, 0x30}};
    (void)state;
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        begin(nobody[i][0], nobody[i][1]);
        expect_good("", "");
        put(junk, sizeof junk); /* skipped, whatever it is */
        end();
        expect_good("", "");
    }
    for (uint8_t transport = 1; transport <= 2; transport++) {
        begin(PROXY_V2, (uint8_t)(0x30 | transport));
        put(paths, sizeof paths);
        end();
        expect_good("", "");
        put_tlv(0x01, 2);
        end();
        expect_good("", "");
    }
}

static void wrong_first_bytes_are_refused(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        begin((uint8_t)byte, 0x11);
        put(inet, sizeof inet);
        end();
        if (byte >> 4 != 2) {
            expect_bad("has a version");
        } else if (byte != LOCAL_V2 && byte != PROXY_V2) {
            expect_bad("has a command");
        }
        begin(PROXY_V2, (uint8_t)byte);
        if (byte >> 4 > 3 || (byte & 15) > 2) {
            expect_bad("family or transport");
        }
    }
    for (size_t i = 0; i < sizeof signature; i++) {
        begin(PROXY_V2, 0x11);
        header.bytes[i] ^= 0x20;
        expect_bad("does not begin");
    }
}

static void lengths_are_held_against_the_family(void **state) {
    static const struct {
        uint8_t family_protocol;
        size_t length;
    } families[] = {{0x11, 12}, {0x12, 12}, {0x21, 36}, {0x22, 36}, {0x31, 216}, {0x32, 216}};
    static const uint8_t zeros[216];
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (size_t length = 0; length < families[i].length; length++) {
            begin(PROXY_V2, families[i].family_protocol);
            put(zeros, length);
            end();
            expect_bad("too short for its addresses");
        }
    }
}

static void a_header_is_bounded(void **state) {
    (void)state;
    for (uint8_t command = LOCAL_V2; command <= PROXY_V2; command++) {
        begin(command, 0x11);
        put(inet, sizeof inet);
        put_tlv(0x04, 4096);
        put_tlv(0x04, PROXY_HEADER_MAX_BYTES - header.length - 3);
        end();
        assert_int_equal(header.length, PROXY_HEADER_MAX_BYTES);
        if (command == PROXY_V2) {
            expect_good("192.0.2.1:32769", "198.51.100.7:443");
        } else {
            expect_good("", "");
        }
        put("x", 1);
        end();
        expect_bad("longer than 8192 bytes");
        header.bytes[14] = header.bytes[15] = 0xff;
        header.length = 16;
        expect_bad("longer than 8192 bytes"); /* at once */
    }
}

/* ---- TLVs ---- */

static void unknown_tlvs_are_skipped(void **state) {
    static const uint8_t types[] = {0x00, 0x01, 0x02, 0x04, 0x05, 0x20, 0x21, 0x30, 0xe0, 0xff};
    (void)state;
    for (size_t i = 0; i < sizeof types; i++) {
        begin(PROXY_V2, 0x21);
        put(inet6, sizeof inet6);
        put_tlv(types[i], 0);
        put_tlv(types[i], 300);
        put_tlv(0x04, 0);
        end();
        expect_good("[2001:db8::1]:32769", "[2001:db8::2]:443");
    }
}

static void torn_tlvs_are_refused(void **state) {
    size_t whole = 0;
    (void)state;
    begin(PROXY_V2, 0x11);
    put(inet, sizeof inet);
    put_tlv(0x01, 4);
    put_tlv(0x02, 3);
    whole = header.length;
    for (size_t cut = 1; cut < whole - 28; cut++) {
        header.length = whole - cut;
        end();
        if (cut == 6) { /* between the two */
            expect_good("192.0.2.1:32769", "198.51.100.7:443");
        } else {
            expect_bad("ends inside a TLV");
        }
    }
}

static void checksums_are_verified(void **state) {
    (void)state;
    assert_int_equal(crc32c((const uint8_t *)"123456789", 9), 0xe3069283u); /* RFC 3720's check */
    size_t at = build_with_checksum();
    expect_good("192.0.2.1:32769", "198.51.100.7:443");
    for (size_t bit = 0; bit < 32; bit++) {
        build_with_checksum();
        header.bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_bad("checksum is wrong");
    }
    build_with_checksum(); /* the other byte order, as some libraries write it */
    for (size_t i = 0; i < 2; i++) {
        uint8_t byte = header.bytes[at + i];
        header.bytes[at + i] = header.bytes[at + 3 - i];
        header.bytes[at + 3 - i] = byte;
    }
    expect_bad("checksum is wrong");
    for (size_t i = 0; i < 4; i++) {
        header.bytes[at + i] = 0;
    }
    expect_bad("checksum is wrong");
}

static void a_checksum_is_four_bytes_and_alone(void **state) {
    (void)state;
    for (size_t length = 0; length < 9; length++) {
        begin(PROXY_V2, 0x11);
        put(inet, sizeof inet);
        put_tlv(0x03, length);
        end();
        expect_bad(length == 4 ? "checksum is wrong" : "not 4 bytes long");
    }
    build_with_checksum();
    put_tlv(0x03, 4);
    end();
    expect_bad("two checksums");
}

/* Every single wrong byte of a header that bears a checksum is found, but for those that make it
 * name nobody and those that hide the checksum; and nothing past the header is taken. */
static void every_wrong_byte_is_found(void **state) {
    static const uint8_t zeros[64];
    enum proxy_progress progress;
    const char *fault;
    const size_t checksum_at = build_with_checksum();
    const size_t tlv_at = checksum_at - 3;       /* its type */
    const size_t noop_bytes_at = tlv_at - 5 - 1; /* the length of what is before it */
    const size_t length = header.length;
    (void)state;
    for (size_t i = 0; i < length; i++) {
        for (unsigned value = 0; value < 256; value++) {
            build_with_checksum();
            bool is_same = header.bytes[i] == value;
            header.bytes[i] = (uint8_t)value;
            put(zeros, sizeof zeros);
            size_t taken = read_header(SIZE_MAX, &progress, &fault);
            if (is_same) {
                assert_int_equal(progress, PROXY_DONE);
                assert_int_equal(taken, length);
            } else if (progress == PROXY_DONE) {
                bool ends_before_it = i == 15 && 16u + value < checksum_at;
                bool hides = ends_before_it || i == tlv_at || i == noop_bytes_at;
                assert_true(hides || i == 12 || i == 13);
                assert_string_equal(peer_text, hides ? "192.0.2.1:32769" : "");
                assert_int_equal(taken, ends_before_it ? 16u + value : length);
            } else if (progress == PROXY_MORE) {
                assert_true(i == 14 || i == 15); /* says that it is longer */
            }
        }
    }
}

/* ---- The reader itself ---- */

static void few_reads_are_needed(void **state) {
    struct proxy_reader reader;
    size_t reads = 0;
    (void)state;
    begin(PROXY_V2, 0x21);
    put(inet6, sizeof inet6);
    put_tlv(0x20, 200);
    end();
    proxy_reader_init(&reader);
    assert_int_equal(proxy_reader_wanted(&reader), 15);
    for (size_t at = 0; at < header.length; reads++) {
        size_t wanted = proxy_reader_wanted(&reader);
        proxy_reader_take(&reader, header.bytes + at, wanted);
        at += wanted;
    }
    assert_int_equal(reads, 3);
}

static void nothing_may_follow(void **state) {
    struct proxy_reader reader;
    struct address peer, local;
    (void)state;
    proxy_reader_init(&reader);
    assert_int_equal(proxy_reader_take(&reader, (const uint8_t *)"PROXY UNKNOWN\r\nX", 16),
                     PROXY_INVALID);
    put_line("PROXY UNKNOWN\r\n");
    proxy_reader_init(&reader);
    assert_int_equal(proxy_reader_take(&reader, header.bytes, 15), PROXY_DONE);
    assert_int_equal(proxy_reader_take(&reader, header.bytes, 1), PROXY_INVALID);
    assert_false(proxy_reader_result(&reader, &peer, &local));
    proxy_reader_init(&reader);
    assert_int_equal(proxy_reader_take(&reader, (const uint8_t *)"G", 1), PROXY_INVALID);
    assert_int_equal(proxy_reader_take(&reader, header.bytes, 15), PROXY_INVALID);
    assert_string_not_equal(proxy_reader_fault(&reader), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_version_1_are_read),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(a_line_ends_by_its_107th_byte),
        cmocka_unit_test(addresses_of_version_2_are_read),
        cmocka_unit_test(mapped_addresses_become_ipv4),
        cmocka_unit_test(headers_that_name_nobody_are_taken),
        cmocka_unit_test(wrong_first_bytes_are_refused),
        cmocka_unit_test(lengths_are_held_against_the_family),
        cmocka_unit_test(a_header_is_bounded),
        cmocka_unit_test(unknown_tlvs_are_skipped),
        cmocka_unit_test(torn_tlvs_are_refused),
        cmocka_unit_test(checksums_are_verified),
        cmocka_unit_test(a_checksum_is_four_bytes_and_alone),
        cmocka_unit_test(every_wrong_byte_is_found),
        cmocka_unit_test(few_reads_are_needed),
        cmocka_unit_test(nothing_may_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
