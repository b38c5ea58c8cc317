#include "core/base/address.h"

#include "core/base/text.h"

#include <stdarg.h>
#include <string.h>

/* Bits of an IPv6 address before the IPv4 one that is mapped into it. */
#define MAPPED_PREFIX_BITS 96u

static bool refuse(char *message, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static bool refuse(char *message, const char *format, ...) {
    va_list arguments;
    if (message != NULL) {
        va_start(arguments, format);
        text_format_list(message, ADDRESS_BLOCK_MESSAGE_SIZE, format, arguments);
        va_end(arguments);
    }
    return false;
}

static unsigned bits_of(const struct address *address) {
    return address->family == ADDRESS_IPV4 ? 32 : 128;
}

static bool bit_of(const struct address *address, unsigned index) {
    return (address->bytes[index / 8] >> (7 - index % 8) & 1) != 0;
}

/* Clears the bits after the prefix. True if any was set. */
static bool clear_host_bits(struct address *address, unsigned prefix_bits) {
    bool was_set = false;
    for (unsigned i = prefix_bits; i < bits_of(address); i++) {
        was_set = was_set || bit_of(address, i);
        address->bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    }
    return was_set;
}

/* The prefix length that a netmask stands for, or UINT32_MAX if it is none. */
static uint32_t mask_length(const char *text) {
    struct address mask;
    uint32_t length = 0;
    if (!address_parse_host(text, &mask) || mask.family != ADDRESS_IPV4) {
        return UINT32_MAX;
    }
    while (length < 32 && bit_of(&mask, length)) {
        length++;
    }
    return clear_host_bits(&mask, length) ? UINT32_MAX : length;
}

static bool refuse_length(char *message, const char *text, unsigned bits) {
    uint32_t length = mask_length(text);
    if (length != UINT32_MAX) {
        return refuse(message, "a netmask is written as the length of its prefix: /%lu",
                      (unsigned long)length);
    }
    return refuse(message, "after the / comes the length of the prefix, a number from 0 to %u",
                  bits);
}

bool address_block_parse(const char *text, struct address_block *out, char *message) {
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char host[ADDRESS_TEXT_SIZE] = "";
    struct address_block block;
    if (length < sizeof host) {
        memcpy(host, text, length);
        host[length] = '\0';
    }
    if (!address_parse_host(host, &block.address)) {
        return refuse(message, "expected an IPv4 or IPv6 address, or ADDRESS/PREFIX_LENGTH as in "
                               "192.0.2.0/24 or 2001:db8::/32");
    }
    bool is_mapped = block.address.family == ADDRESS_IPV4 && strchr(host, ':') != NULL;
    uint32_t written_bits = is_mapped ? 128 : bits_of(&block.address);
    if (slash != NULL) {
        uint32_t most = written_bits;
        if (!text_parse_number(slash + 1, &written_bits) || written_bits > most) {
            return refuse_length(message, slash + 1, most);
        }
    }
    if (is_mapped && written_bits < MAPPED_PREFIX_BITS) {
        return refuse(message, "a block of IPv4-mapped addresses has a prefix of 96 bits or more; "
                               "better write it as an IPv4 block");
    }
    block.prefix_bits = written_bits - (is_mapped ? MAPPED_PREFIX_BITS : 0);
    if (clear_host_bits(&block.address, block.prefix_bits)) {
        char right[ADDRESS_TEXT_SIZE];
        return refuse(message,
                      "bits are set after the prefix; expected %s/%u, or the address alone",
                      address_print_host(&block.address, right, sizeof right), block.prefix_bits);
    }
    *out = block;
    return true;
}

bool address_block_contains(const struct address_block *block, const struct address *address) {
    struct address plain = *address;
    address_unmap(&plain);
    if (plain.family != block->address.family ||
        (plain.family != ADDRESS_IPV4 && plain.family != ADDRESS_IPV6)) {
        return false;
    }
    clear_host_bits(&plain, block->prefix_bits);
    return memcmp(plain.bytes, block->address.bytes, bits_of(&plain) / 8) == 0;
}
