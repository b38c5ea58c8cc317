/*
 * The addresses of only_from and no_access, as Debian's xinetd 2.3.15.3 was seen to take them: as
 * blocks. What it takes in a way of its own (names, "127.1", netmasks, which it reads as lengths)
 * is no block here. And the times of access_times, as it was seen to take those.
 */
#include "core/base/text.h"
#include "import/xinetd.h"

#include <string.h>

/* A decimal number without sign and leading zero; returns what is behind it, or NULL. */
static const char *read_number(const char *text, unsigned most, unsigned *out) {
    unsigned number = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && number <= most) {
        number = number * 10 + (unsigned)(*at++ - '0');
    }
    *out = number;
    return at == text || number > most || (text[0] == '0' && at > text + 1) ? NULL : at;
}

static void cut_to_prefix(struct address_block *block) {
    for (unsigned bit = block->prefix_bits; bit < sizeof block->address.bytes * 8; bit++) {
        block->address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    }
}

static bool is_mapped(const struct address_block *block) {
    static const uint8_t start[12] = {[10] = 0xff, [11] = 0xff};
    return block->address.family == ADDRESS_IPV6 && block->prefix_bits >= 96 &&
           memcmp(block->address.bytes, start, sizeof start) == 0;
}

/* True if the block has all of IPv4, as a socket for both families sees it. */
static bool has_mapped(const struct address_block *block) {
    struct address_block all = {{ADDRESS_IPV6, {[10] = 0xff, [11] = 0xff}, 0, false, 0, 0, 0}, 0};
    all.prefix_bits = block->prefix_bits;
    if (block->address.family != ADDRESS_IPV6 || block->prefix_bits >= 96) {
        return false;
    }
    cut_to_prefix(&all);
    return memcmp(all.address.bytes, block->address.bytes, sizeof all.address.bytes) == 0;
}

static void add(struct importer *importer, struct xinetd_blocks *blocks,
                struct address_block block) {
    cut_to_prefix(&block);
    if (is_mapped(&block)) {
        memmove(block.address.bytes, block.address.bytes + 12, 4);
        memset(block.address.bytes + 4, 0, 12);
        block.address.family = ADDRESS_IPV4;
        block.prefix_bits -= 96;
        if (blocks->is_ipv4) {
            return; /* a socket for IPv4 has no such clients */
        }
    }
    if (block.address.family == ADDRESS_IPV6 && blocks->is_ipv4) {
        return; /* nor such ones */
    }
    for (size_t i = 0; i < blocks->count; i++) {
        if (xinetd_block_has(&blocks->items[i], &block) &&
            blocks->items[i].prefix_bits == block.prefix_bits) {
            return;
        }
    }
    struct address_block *items =
        arena_grow(importer->arena, blocks->items, blocks->count, &blocks->capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    blocks->items = items;
    items[blocks->count++] = block;
    if (has_mapped(&block)) {
        add(importer, blocks, (struct address_block){.address = {.family = ADDRESS_IPV4}});
    }
}

bool xinetd_block_has(const struct address_block *wide, const struct address_block *narrow) {
    struct address_block cut = *narrow;
    if (wide->address.family != narrow->address.family || wide->prefix_bits > narrow->prefix_bits) {
        return false;
    }
    cut.prefix_bits = wide->prefix_bits;
    cut_to_prefix(&cut);
    return memcmp(cut.address.bytes, wide->address.bytes, sizeof cut.address.bytes) == 0;
}

/* "192.0.2.{1,2}", and fewer numbers before the brace: the blocks of each. */
static bool read_braces(struct importer *importer, const char *word, struct xinetd_blocks *blocks) {
    struct address_block block = {.address = {.family = ADDRESS_IPV4}};
    const char *at = word;
    size_t place = 0;
    unsigned number = 0;
    for (; at != NULL && *at != '{'; place++) {
        at = place < 3 ? read_number(at, 255, &number) : NULL;
        block.address.bytes[place] = (uint8_t)number;
        at = at != NULL && *at == '.' ? at + 1 : NULL;
    }
    block.prefix_bits = 8 * (unsigned)(place + 1);
    while (at != NULL && *at != '}') {
        at = read_number(at + 1, 255, &number);
        block.address.bytes[place] = (uint8_t)number;
        if (at == NULL || (*at != ',' && *at != '}')) {
            return false;
        }
        add(importer, blocks, block);
    }
    return at != NULL && at[1] == '\0';
}

/* Zeros at the end stand for anything. */
static unsigned bits_of(const struct address *address) {
    unsigned bits = 32;
    while (bits > 0 && address->bytes[bits / 8 - 1] == 0) {
        bits -= 8;
    }
    return bits;
}

bool xinetd_add_word(struct importer *importer, struct xinetd_blocks *blocks, const char *word) {
    struct address_block block = {{ADDRESS_NONE, {0}, 0, false, 0, 0, 0}, 0};
    const char *slash = strchr(word, '/');
    bool is_ipv6 = strchr(word, ':') != NULL;
    const char *host =
        slash == NULL ? word : arena_copy(importer->arena, word, (size_t)(slash - word));
    if (strchr(word, '{') != NULL) {
        return read_braces(importer, word, blocks);
    }
    if (host == NULL || !address_parse_host(host, &block.address)) {
        return false;
    }
    if (is_ipv6 && block.address.family == ADDRESS_IPV4) { /* it was mapped: as it was written */
        memmove(block.address.bytes + 12, block.address.bytes, 4);
        memset(block.address.bytes, 0, 10);
        memset(block.address.bytes + 10, 0xff, 2);
        block.address.family = ADDRESS_IPV6;
    }
    block.prefix_bits = is_ipv6 ? 128 : bits_of(&block.address);
    if (slash != NULL) {
        /* Of IPv6 127 at most: nobody matches 128. */
        const char *end = read_number(slash + 1, is_ipv6 ? 127 : 32, &block.prefix_bits);
        if (end == NULL || *end != '\0') {
            return false;
        }
    }
    add(importer, blocks, block);
    return true;
}

void xinetd_remove_blocks(struct xinetd_blocks *from, const struct xinetd_blocks *what) {
    size_t kept_count = 0;
    for (size_t i = 0; i < from->count; i++) {
        bool is_removed = false;
        for (size_t k = 0; k < what->count; k++) {
            is_removed = is_removed || (from->items[i].prefix_bits == what->items[k].prefix_bits &&
                                        xinetd_block_has(&what->items[k], &from->items[i]));
        }
        if (!is_removed) {
            from->items[kept_count++] = from->items[i];
        }
    }
    from->count = kept_count;
}

/* Reads "8:05-18:00" into the numbers of it. */
static bool read_range(const char *word, unsigned numbers[4]) {
    const char *at = word;
    for (size_t i = 0; i < 4; i++) {
        size_t digit_count = strspn(at, "0123456789");
        numbers[i] = 0;
        if (digit_count < 1 || digit_count > 2 || at[digit_count] != ":-:"[i]) {
            return false;
        }
        for (size_t k = 0; k < digit_count; k++) {
            numbers[i] = numbers[i] * 10 + (unsigned)(at[k] - '0');
        }
        at += digit_count + 1;
    }
    return numbers[0] < 24 && numbers[1] < 60 && numbers[2] < 24 && numbers[3] < 60 &&
           numbers[0] * 60 + numbers[1] < numbers[2] * 60 + numbers[3];
}

bool xinetd_read_times(const struct import_words *words, char *out) {
    unsigned numbers[4];
    for (size_t i = 0; i < words->count; i++) {
        if (i == XINETD_TIMES_MAX_COUNT || !read_range(words->items[i], numbers)) {
            return false;
        }
        if (out != NULL) {
            out += text_format(out, 16, "%s%02u:%02u-%02u:%02u", i > 0 ? ", " : "", numbers[0],
                               numbers[1], numbers[2], numbers[3]);
        }
    }
    return words->count > 0;
}
