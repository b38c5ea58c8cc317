/* A file of rules: whatever is in it, the tree that comes of it says the same as its lines. */
#include "config_world.h"
#include "core/base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const uint8_t *file_bytes;
static size_t file_length;
static bool with_returns; /* each line ends with a carriage return, too */

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static int read_rules(const char *path, void *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause) {
    char *out = buffer;
    (void)path;
    (void)cause;
    *length = 0;
    for (size_t i = 0; i < file_length && *length + 2 <= capacity; i++) {
        if (file_bytes[i] == '\n' && with_returns) {
            out[(*length)++] = '\r';
        }
        out[(*length)++] = (char)file_bytes[i];
    }
    return BATON_OK;
}

static void discard(void *context, const char *text) {
    size_t *printed_bytes = context;
    *printed_bytes += strlen(text);
}

static struct service_table load(int *result) {
    static const char ini[] = "[a]\nlisten = 1\nhandler = ok\nallow = @f\ndeny = 10.1.0.0/16\n";
    struct service_machine world = config_world_posix;
    struct config_problems problems = {.file_name = "f.ini"};
    struct service_table table;
    size_t printed_bytes = 0;
    world.read_rules = read_rules;
    *result = config_world_load(&world, CONFIG_FORMAT_INI, "f.ini", ini, sizeof ini - 1, &table,
                                &problems);
    require((*result == BATON_OK) == (problems.problem_count == 0));
    require(*result == BATON_OK || *result == BATON_INVALID);
    config_problems_print(&problems, discard, &printed_bytes);
    config_problems_clear(&problems);
    return table;
}

/* The rule in a line, read in another way than the supervisor does it. False if it has none. */
static bool read_line(const uint8_t *line, size_t length, struct address_block *block) {
    char text[ADDRESS_TEXT_SIZE + 8];
    size_t first = 0, end = 0;
    while (end < length && line[end] != '#' && line[end] != ';') {
        end++;
    }
    while (end > 0 && strchr(" \t\r", line[end - 1]) != NULL) {
        end--;
    }
    while (first < end && (line[first] == ' ' || line[first] == '\t')) {
        first++;
    }
    if (first == end) {
        return false;
    }
    require(end - first < sizeof text); /* it was taken for one */
    memcpy(text, line + first, end - first);
    text[end - first] = '\0';
    require(address_block_parse(text, block, NULL));
    return true;
}

/* Of all lines that have the address, the most specific; -1 = none. */
static int decide(const struct address *address) {
    int best = -1;
    for (size_t start = file_length >= 3 && memcmp(file_bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
         start < file_length;) {
        const uint8_t *newline = memchr(file_bytes + start, '\n', file_length - start);
        size_t length =
            newline != NULL ? (size_t)(newline - (file_bytes + start)) : file_length - start;
        struct address_block block;
        if (read_line(file_bytes + start, length, &block) &&
            address_block_contains(&block, address) && (int)block.prefix_bits > best) {
            best = (int)block.prefix_bits;
        }
        start += length + 1;
    }
    return best;
}

static void check(const struct service *service, const struct address *address) {
    static const struct address_block denied = {
        .address = {.family = ADDRESS_IPV4, .bytes = {10, 1}}, .prefix_bits = 16};
    int allowed = decide(address);
    bool is_denied = address_block_contains(&denied, address) && allowed <= 16;
    require(rule_tree_allows(service->access, address) == (allowed >= 0 && !is_denied));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    int result, again;
    file_bytes = bytes;
    file_length = length;
    with_returns = false;
    struct service_table table = load(&result);
    with_returns = true;
    struct service_table same = load(&again);
    require(result == again);
    for (size_t i = 0; result == BATON_OK && i < 8; i++) {
        struct address address = {.family = i % 2 == 0 ? ADDRESS_IPV4 : ADDRESS_IPV6};
        size_t size_bytes = i % 2 == 0 ? 4 : 16;
        for (size_t j = 0; j < size_bytes && length > 0; j++) {
            address.bytes[j] = i < 2 ? (uint8_t)(10 >> j) : bytes[(i * 5 + j * 3) % length];
        }
        address_unmap(&address);
        check(&table.services[0], &address);
        require(rule_tree_allows(table.services[0].access, &address) ==
                rule_tree_allows(same.services[0].access, &address));
    }
    service_table_clear(&table);
    service_table_clear(&same);
    return 0;
}
