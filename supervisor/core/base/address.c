#include "core/base/address.h"

#include "core/base/must.h"
#include "core/base/text.h"

#include <string.h>

/* Reads four decimal numbers 0..255 without leading zeros; returns the byte after them, or NULL. */
static const char *read_ipv4(const char *text, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        unsigned number = 0;
        int digits = 0;
        if (i > 0 && *text++ != '.') {
            return NULL;
        }
        while (*text >= '0' && *text <= '9' && digits < 4) {
            number = number * 10 + (unsigned)(*text - '0');
            digits++;
            if (digits > 1 && number < 10) {
                return NULL;
            }
            text++;
        }
        if (digits == 0 || number > 255) {
            return NULL;
        }
        out[i] = (uint8_t)number;
    }
    return text;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads one group of 1 to 4 hex digits; returns the byte after it, or NULL. */
static const char *read_group(const char *text, uint8_t out[2]) {
    unsigned number = 0;
    int digits = 0;
    while (digits < 5 && hex_digit(*text) >= 0) {
        number = number << 4 | (unsigned)hex_digit(*text++);
        digits++;
    }
    out[0] = (uint8_t)(number >> 8 & 0xff);
    out[1] = (uint8_t)(number & 0xff);
    return digits >= 1 && digits <= 4 ? text : NULL;
}

/* Moves the bytes that were read after "::" to the end; false if "::" stands for no group. */
static bool close_gap(uint8_t bytes[16], size_t used, size_t gap) {
    if (gap == SIZE_MAX) {
        return used == 16;
    }
    if (used > 14) {
        return false;
    }
    memmove(bytes + gap + (16 - used), bytes + gap, used - gap);
    memset(bytes + gap, 0, 16 - used);
    return true;
}

/* RFC 4291, section 2.2, all three forms. */
static bool parse_ipv6(const char *text, uint8_t out[16]) {
    uint8_t bytes[16] = {0};
    size_t used = 0;
    size_t gap = SIZE_MAX;
    if (text[0] == ':' && text[1] != ':') {
        return false;
    }
    while (*text != '\0') {
        if (text[0] == ':' && text[1] == ':') {
            if (gap != SIZE_MAX) {
                return false;
            }
            gap = used;
            text += 2;
            continue;
        }
        bool after_group = used > 0 && gap != used;
        if (after_group && *text++ != ':') {
            return false;
        }
        uint8_t quad[4];
        const char *after_quad = read_ipv4(text, quad);
        if (after_quad != NULL && *after_quad == '\0' && used <= 12) {
            memcpy(bytes + used, quad, 4);
            used += 4;
            break;
        }
        if (used > 14 || (text = read_group(text, bytes + used)) == NULL) {
            return false;
        }
        used += 2;
    }
    if (!close_gap(bytes, used, gap)) {
        return false;
    }
    memcpy(out, bytes, sizeof bytes);
    return true;
}

void address_unmap(struct address *address) {
    static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (address->family != ADDRESS_IPV6 || memcmp(address->bytes, mapped_prefix, 12) != 0) {
        return;
    }
    address->family = ADDRESS_IPV4;
    address->scope_id = 0;
    memmove(address->bytes, address->bytes + 12, 4);
    memset(address->bytes + 4, 0, 12);
}

bool address_parse_host(const char *text, struct address *out) {
    struct address parsed = {.family = ADDRESS_IPV4};
    const char *end = read_ipv4(text, parsed.bytes);
    if (end == NULL || *end != '\0') {
        memset(parsed.bytes, 0, sizeof parsed.bytes);
        parsed.family = ADDRESS_IPV6;
        if (!parse_ipv6(text, parsed.bytes)) {
            return false;
        }
    }
    address_unmap(&parsed);
    *out = parsed;
    return true;
}

bool address_parse_port(const char *text, uint16_t *out) {
    uint32_t number = 0;
    if (!text_parse_number(text, &number) || number > UINT16_MAX) {
        return false;
    }
    *out = (uint16_t)number;
    return true;
}

bool address_parse(const char *text, struct address *out) {
    struct address parsed = {.family = ADDRESS_NONE};
    char host[ADDRESS_TEXT_SIZE];
    uint16_t port = 0;
    bool brackets = text[0] == '[';
    const char *host_start = brackets ? text + 1 : text;
    const char *host_end = brackets ? strchr(text, ']') : strchr(text, ':');
    const char *port_text = text;
    if (brackets && (host_end == NULL || host_end[1] != ':')) {
        return false;
    }
    if (host_end != NULL) {
        size_t length = (size_t)(host_end - host_start);
        if (length >= sizeof host) {
            return false;
        }
        memcpy(host, host_start, length);
        host[length] = '\0';
        /* Brackets are for IPv6 and nothing else (RFC 3986, section 3.2.2). */
        if (brackets != (strchr(host, ':') != NULL) || !address_parse_host(host, &parsed)) {
            return false;
        }
        port_text = host_end + (brackets ? 2 : 1);
    }
    if (!address_parse_port(port_text, &port)) {
        return false;
    }
    parsed.port = port;
    *out = parsed;
    return true;
}

/* Finds the run of zero groups that "::" stands for: the longest, the first of equals, and never a
 * single group (RFC 5952, section 4.2). */
static void find_zero_run(const uint16_t groups[8], int group_count, int *start, int *length) {
    *start = -1;
    *length = 1;
    for (int i = 0; i < group_count; i++) {
        int run = 0;
        while (i + run < group_count && groups[i + run] == 0) {
            run++;
        }
        if (run > *length) {
            *start = i;
            *length = run;
        }
        i += run;
    }
}

static char *print_ipv4(const uint8_t bytes[4], char *at) {
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            *at++ = '.';
        }
        at = text_put_number(at, bytes[i], 10);
    }
    return at;
}

static char *print_ipv6(const struct address *address, char *at) {
    uint16_t groups[8];
    int start = -1;
    int length = 0;
    struct address plain = *address;
    for (int i = 0; i < 8; i++) {
        groups[i] = (uint16_t)(address->bytes[2 * i] << 8 | address->bytes[2 * i + 1]);
    }
    address_unmap(&plain);
    int group_count = plain.family == ADDRESS_IPV4 ? 6 : 8;
    find_zero_run(groups, group_count, &start, &length);
    for (int i = 0; i < group_count; i++) {
        if (i > 0 || i == start) {
            *at++ = ':';
        }
        if (i == start) {
            i += length - 1;
            if (i == 7) {
                *at++ = ':';
            }
        } else {
            at = text_put_number(at, groups[i], 16);
        }
    }
    if (plain.family == ADDRESS_IPV4) {
        *at++ = ':';
        at = print_ipv4(plain.bytes, at);
    }
    if (address->scope_id != 0) {
        *at++ = '%';
        at = text_put_number(at, address->scope_id, 10);
    }
    return at;
}

/* Without a NUL. Every result fits ADDRESS_TEXT_SIZE bytes. */
static char *print_host(const struct address *address, char *at) {
    if (address->family == ADDRESS_IPV4) {
        return print_ipv4(address->bytes, at);
    }
    if (address->family == ADDRESS_IPV6) {
        return print_ipv6(address, at);
    }
    *at = '-';
    return at + 1;
}

char *address_print(const struct address *address, char *out, size_t size_bytes) {
    bool is_ipv6 = address->family == ADDRESS_IPV6;
    char *at = out;
    must(size_bytes >= ADDRESS_TEXT_SIZE);
    if (is_ipv6) {
        *at++ = '[';
    }
    at = print_host(address, at);
    if (is_ipv6) {
        *at++ = ']';
    }
    if (is_ipv6 || address->family == ADDRESS_IPV4) {
        *at++ = ':';
        at = text_put_number(at, address->port, 10);
    }
    *at = '\0';
    return out;
}

char *address_print_host(const struct address *address, char *out, size_t size_bytes) {
    must(size_bytes >= ADDRESS_TEXT_SIZE);
    *print_host(address, out) = '\0';
    return out;
}

/* How many of its bytes mean something. */
static size_t used_bytes_of(enum address_family family) {
    switch (family) {
    case ADDRESS_IPV4:
        return 4;
    case ADDRESS_IPV6:
        return 16;
    case ADDRESS_UNIX:
    case ADDRESS_NONE:
        break;
    }
    return 0;
}

bool address_equal(const struct address *a, const struct address *b) {
    size_t used_bytes = used_bytes_of(a->family);
    return a->family == b->family && a->port == b->port && a->scope_id == b->scope_id &&
           a->has_uid == b->has_uid && a->uid == b->uid && a->pid == b->pid &&
           memcmp(a->bytes, b->bytes, used_bytes) == 0;
}

bool address_is_any(const struct address *address) {
    size_t used_bytes = used_bytes_of(address->family);
    for (size_t i = 0; i < used_bytes; i++) {
        if (address->bytes[i] != 0) {
            return false;
        }
    }
    return address->family == ADDRESS_IPV4 || address->family == ADDRESS_IPV6;
}
