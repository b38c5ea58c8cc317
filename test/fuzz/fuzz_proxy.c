/* The PROXY reader: in whatever pieces a header comes it is read as the same, and not a byte past
 * its end is asked for. */
#include "core/door/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

struct outcome {
    enum proxy_progress progress;
    size_t taken;
    bool named;
    const char *fault;
    struct address peer, local;
};

/* Where a header of these bytes ends, told in another way than the reader does it; 0 = it has no
 * end here. */
static size_t find_end(const uint8_t *bytes, size_t length) {
    if (length >= 16 && bytes[0] == '\r') {
        return 16u + (size_t)(bytes[14] << 8 | bytes[15]);
    }
    for (size_t i = 1; i < length && bytes[0] == 'P'; i++) {
        if (bytes[i - 1] == '\r' && bytes[i] == '\n') {
            return i + 1;
        }
    }
    return 0;
}

/* At first there are `first` bytes, then the others; a piece is at most `most` bytes. */
static struct outcome read_all(const uint8_t *bytes, size_t length, size_t first, size_t most) {
    struct outcome o = {.progress = PROXY_MORE};
    struct proxy_reader reader;
    proxy_reader_init(&reader);
    while (o.progress == PROXY_MORE && o.taken < length) {
        size_t wanted = proxy_reader_wanted(&reader);
        require(wanted > 0 && o.taken + wanted <= PROXY_HEADER_MAX_BYTES);
        require(*proxy_reader_fault(&reader) == '\0');
        size_t piece = wanted < most ? wanted : most;
        size_t there = (o.taken < first ? first : length) - o.taken;
        piece = piece < there ? piece : there;
        o.progress = proxy_reader_take(&reader, bytes + o.taken, piece);
        o.taken += piece;
    }
    o.fault = proxy_reader_fault(&reader);
    require((*o.fault != '\0') == (o.progress == PROXY_INVALID));
    require(proxy_reader_is_empty(&reader) == (length == 0));
    o.named = proxy_reader_result(&reader, &o.peer, &o.local);
    require(!o.named || o.progress == PROXY_DONE);
    return o;
}

/* What was named can be said as a line, which is read as the same. */
static void say_again(const struct outcome *o) {
    char line[256], peer[ADDRESS_TEXT_SIZE], local[ADDRESS_TEXT_SIZE];
    struct outcome again;
    require(o->peer.family == ADDRESS_IPV4 || o->peer.family == ADDRESS_IPV6);
    require(o->local.family == ADDRESS_IPV4 || o->local.family == ADDRESS_IPV6);
    if (o->peer.family != o->local.family) {
        return; /* one of them was mapped */
    }
    int length =
        snprintf(line, sizeof line, "PROXY TCP%d %s %s %u %u\r\n", (int)o->peer.family,
                 address_print_host(&o->peer, peer, sizeof peer),
                 address_print_host(&o->local, local, sizeof local), o->peer.port, o->local.port);
    again = read_all((const uint8_t *)line, (size_t)length, 0, SIZE_MAX);
    require(again.progress == PROXY_DONE && again.taken == (size_t)length && again.named);
    require(address_equal(&o->peer, &again.peer) && address_equal(&o->local, &again.local));
}

static void require_same(const struct outcome *a, const struct outcome *b) {
    require(a->progress == b->progress && a->fault == b->fault && a->named == b->named);
    require(a->progress != PROXY_DONE || a->taken == b->taken);
    require(!a->named || address_equal(&a->peer, &b->peer));
    require(!a->named || address_equal(&a->local, &b->local));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct outcome whole = read_all(bytes, length, 0, SIZE_MAX);
    struct outcome single = read_all(bytes, length, 0, 1);
    struct outcome torn = read_all(bytes, length, length < 2 ? 0 : bytes[length - 1] % length, 64);
    require_same(&whole, &single);
    require_same(&whole, &torn);
    require(single.taken <= whole.taken && single.taken <= torn.taken);
    require(whole.progress != PROXY_DONE || whole.taken == find_end(bytes, length));
    if (whole.named) {
        say_again(&whole);
    }
    return 0;
}
