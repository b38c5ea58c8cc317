/* What names a connection on the channel of a process. */
#include "core/pool/internal.h"

/* The slot below, so that it is found without a search, and above it what nobody can know who has
 * not read the OFFER: a handler that answers unread offers would leave their sockets on its
 * channel, and what lies on all channels is limited (unix(7), ETOOMANYREFS). One guess in 2^17 is
 * right, and each of the others is a breach. */
#define NUMBER_SLOT_BITS 15
_Static_assert(POOL_CONNECTIONS_MAX_COUNT <= 1u << NUMBER_SLOT_BITS, "a slot fits its bits");

static uint64_t rotate(uint64_t x, unsigned bits) {
    return x << bits | x >> (64 - bits);
}

/* As SipHash-2-4 (Aumasson, Bernstein, 2012) hashes a word, with one key for both halves of its
 * own. */
static uint64_t keyed_hash(uint64_t key, uint64_t word) {
    uint64_t a = key ^ 0x736f6d6570736575u, b = key ^ 0x646f72616e646f6du;
    uint64_t c = key ^ 0x6c7967656e657261u, d = key ^ 0x7465646279746573u ^ word;
    for (unsigned round = 0; round < 6; round++) {
        if (round == 2) {
            a ^= word;
            c ^= 0xff;
        }
        a += b;
        c += d;
        b = rotate(b, 13) ^ a;
        d = rotate(d, 16) ^ c;
        a = rotate(a, 32) + d;
        c += b;
        d = rotate(d, 21) ^ a;
        b = rotate(b, 17) ^ c;
        c = rotate(c, 32);
    }
    return a ^ b ^ c ^ d;
}

void pool_number(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    uint32_t number;
    do {
        uint64_t hash = keyed_hash(pool->numbers_key, ++pool->numbers_count);
        number = (uint32_t)hash << NUMBER_SLOT_BITS | connection;
    } while (number >> NUMBER_SLOT_BITS == 0 || number == c->number);
    c->number = number;
}

uint32_t pool_find_connection(const struct pool *pool, uint32_t process, uint32_t number) {
    uint32_t connection = number & ((1u << NUMBER_SLOT_BITS) - 1);
    if (!slots_is_used(&pool->connection_slots, connection) ||
        pool->connections[connection].number != number) {
        return SLOT_NONE;
    }
    const struct connection *c = &pool->connections[connection];
    bool is_its_own = pool->processes[process].offer == connection ||
                      (c->state == CONNECTION_HELD && c->process == process);
    return is_its_own ? connection : SLOT_NONE;
}
