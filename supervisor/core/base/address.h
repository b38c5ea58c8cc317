/*
 * Socket addresses as values: parse, print, compare. No OS header: the platform converts to and
 * from struct sockaddr.
 *
 * Texts follow RFC 4291 (IPv6) and the strict dotted quad (four decimal numbers 0..255, no leading
 * zero); the C library's older forms ("127.1", "010.0.0.1", "0x7f.1") are refused, because they
 * mean different addresses to different libraries.
 */
#ifndef BATON_BASE_ADDRESS_H
#define BATON_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum address_family {
    ADDRESS_NONE = 0,
    ADDRESS_UNIX = 1, /* a local socket; of a peer, who it is, where the system tells */
    ADDRESS_IPV4 = 4,
    ADDRESS_IPV6 = 6
};

struct address {
    enum address_family family : 8;
    uint8_t bytes[16]; /* network order; 4 used for IPv4, 16 for IPv6 */
    bool has_uid;      /* UNIX, of a peer: the system has told `uid`. All 0 otherwise */
    uint16_t port;     /* host order; 0 = any free port (when listening) */
    uint32_t scope_id; /* IPv6 zone as the OS numbers it; 0 = none. Not parsed from text */
    uint32_t uid;      /* who has connected: any number, 0 is root */
    uint32_t pid; /* the process that has; 0 = not known, as from another pid namespace (unix(7)) */
};

/* Room for the longest text: "[" 39 characters of IPv6 "%" 10 digits "]:" 5 digits, and NUL. */
#define ADDRESS_TEXT_SIZE 64

/* Parses an IPv4 or IPv6 address without port and without brackets. Fills family and bytes, sets
 * port and scope_id to 0. An IPv4-mapped address (::ffff:1.2.3.4) becomes the IPv4 one. Returns
 * false, and leaves *out alone, if `text` is anything else. */
bool address_parse_host(const char *text, struct address *out);

/* Parses a decimal port 0..65535 without sign, blanks or leading zero (except "0" itself). */
bool address_parse_port(const char *text, uint16_t *out);

/* Parses "HOST:PORT", "[IPV6]:PORT", or just "PORT" (then family is ADDRESS_NONE, for the caller
 * to fill in). Returns false and leaves *out alone if `text` is none of them. */
bool address_parse(const char *text, struct address *out);

/* Writes "1.2.3.4:80" or "[2001:db8::1]:80" (RFC 5952) and a NUL into `out` (at least
 * ADDRESS_TEXT_SIZE bytes); "-" for ADDRESS_NONE and ADDRESS_UNIX. Returns `out`. */
char *address_print(const struct address *address, char *out, size_t size_bytes);

/* The same without port and brackets. */
char *address_print_host(const struct address *address, char *out, size_t size_bytes);

/* True if both have the same family, bytes, port and scope, and are the same user's and process's.
 */
bool address_equal(const struct address *a, const struct address *b);

/* True for 0.0.0.0 and ::, whatever the port. */
bool address_is_any(const struct address *address);

/* Addresses that begin with the same bits. */
struct address_block {
    struct address address; /* IPv4 or IPv6, no port; the bits after the prefix are 0 */
    unsigned prefix_bits;   /* 0..32 or 0..128 */
};

/* Room for the longest message of address_block_parse(). */
#define ADDRESS_BLOCK_MESSAGE_SIZE 160

/* Parses "ADDRESS/PREFIX_LENGTH", or an address alone, which is a block of one. Strict: no netmask
 * in the place of the length, no leading zero, and no bit set after the prefix. An IPv4-mapped
 * block (::ffff:10.0.0.0/104) becomes the IPv4 one. Returns false and leaves *out alone if `text`
 * is anything else; then `message` (ADDRESS_BLOCK_MESSAGE_SIZE bytes, or NULL) says what is wrong
 * with it and what would be right, without `text` itself. */
bool address_block_parse(const char *text, struct address_block *out, char *message);

/* True if the address is in the block. An IPv4-mapped address is IPv4, so no IPv6 block has it, not
 * even ::/0. Port and zone do not matter; a local socket, or none, is in no block. */
bool address_block_contains(const struct address_block *block, const struct address *address);

/* Turns an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) into the IPv4 one, so that no rule
 * for IPv4 can be walked around; leaves every other address alone. */
void address_unmap(struct address *address);

#endif
