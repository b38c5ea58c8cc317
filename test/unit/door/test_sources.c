/* Live connections by source address (core/door/sources.h). */
#include "core/base/error.h"
#include "core/door/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../base/must_fail.h"

#define CAPACITY 64u

static struct address host(uint8_t last, uint16_t port) {
    return (struct address){.family = ADDRESS_IPV4, .bytes = {10, 0, 0, last}, .port = port};
}

static void test_counts_by_host(void **state) {
    (void)state;
    struct sources sources;
    assert_int_equal(sources_init(&sources, 3, 1), BATON_OK);
    struct address a1 = host(1, 1000), a2 = host(1, 2000), b = host(2, 1000), none = {0};
    uint32_t first = sources_take(&sources, 1, &a1);
    uint32_t second = sources_take(&sources, 1, &a2);
    uint32_t other = sources_take(&sources, 1, &b);
    assert_int_equal(first, second);
    assert_int_equal(sources_count(&sources, first), 2);
    assert_int_equal(sources_count(&sources, other), 1);
    assert_int_equal(sources_take(&sources, 1, &none), SOURCE_NONE);
    assert_int_equal(sources_count(&sources, SOURCE_NONE), 0);
    sources_give(&sources, SOURCE_NONE, 1);
    sources_give(&sources, second, 1);
    assert_int_equal(sources_count(&sources, first), 1);
    sources_give(&sources, first, 1);
    assert_int_equal(sources_count(&sources, sources_take(&sources, 1, &a1)), 1);
    sources_clear(&sources);
}

static void test_family_and_scope_tell_apart(void **state) {
    (void)state;
    struct sources sources;
    assert_int_equal(sources_init(&sources, 3, 1), BATON_OK);
    struct address v4 = host(1, 0), v6 = v4, scoped;
    v6.family = ADDRESS_IPV6;
    scoped = v6;
    scoped.scope_id = 2;
    uint32_t entries[3] = {sources_take(&sources, 1, &v4), sources_take(&sources, 1, &v6),
                           sources_take(&sources, 1, &scoped)};
    assert_int_not_equal(entries[0], entries[1]);
    assert_int_not_equal(entries[1], entries[2]);
    assert_int_equal(sources_count(&sources, entries[2]), 1);
    sources_clear(&sources);
}

/* Whoever the system cannot name counts as one with all such of the same user. */
static void test_local_clients_count_by_process(void **state) {
    static const struct address clients[] = {
        {.family = ADDRESS_UNIX, .has_uid = true, .uid = 1000, .pid = 8},
        {.family = ADDRESS_UNIX, .has_uid = true, .uid = 1000, .pid = 9},
        {.family = ADDRESS_UNIX, .has_uid = true, .uid = 1001, .pid = 8},
        {.family = ADDRESS_UNIX, .has_uid = true, .uid = 1000},
        {.family = ADDRESS_UNIX, .has_uid = true},
        {.family = ADDRESS_UNIX},
    };
    (void)state;
    struct sources sources;
    assert_int_equal(sources_init(&sources, 6, 1), BATON_OK);
    for (uint32_t round = 1; round <= 2; round++) {
        for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
            assert_int_equal(sources_count(&sources, sources_take(&sources, 1, &clients[i])),
                             round);
        }
    }
    sources_clear(&sources);
}

static void test_there_must_be_room(void **state) {
    (void)state;
    struct sources sources;
    struct address a = host(1, 0);
    assert_int_equal(sources_init(&sources, 1, 1), BATON_OK);
    for (uint32_t scope = 0; scope <= SOURCES_RESTING_COUNT; scope++) {
        assert_int_equal(sources_count(&sources, sources_take(&sources, scope, &a)), 1);
    }
    assert_must_fails(sources_take(&sources, SOURCES_RESTING_COUNT + 1, &a));
    assert_int_equal(sources_count(&sources, sources_take(&sources, 7, &a)), 2);
    sources_clear(&sources);
}

static void test_scopes_count_by_themselves(void **state) {
    (void)state;
    struct sources sources;
    struct address a = host(1, 0);
    assert_int_equal(sources_init(&sources, 3, 1), BATON_OK);
    uint32_t entry = sources_take(&sources, 1, &a);
    assert_int_not_equal(sources_take(&sources, 2, &a), entry);
    assert_int_equal(sources_count(&sources, entry), 1);
    sources_clear(&sources);
}

static const struct rate_limit one_a_second = {1, 1, 1};

/* Comes, and goes at once, having used up its rate. */
static uint32_t visit(struct sources *sources, const struct address *address, uint64_t now_us) {
    uint32_t entry = sources_take(sources, 1, address);
    bool passes = rate_passes(&sources->entries[entry].rate, &one_a_second, now_us);
    sources_give(sources, entry, now_us);
    return passes;
}

static struct address one_of_a_million(uint32_t number) {
    return (struct address){
        .family = ADDRESS_IPV4,
        .bytes = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

static void test_a_rate_is_remembered_until_it_has_rested(void **state) {
    (void)state;
    struct sources sources;
    struct address a = host(1, 0);
    assert_int_equal(sources_init(&sources, 3, 1), BATON_OK);
    assert_true(visit(&sources, &a, 5000000));
    assert_false(visit(&sources, &a, 5999999));
    assert_int_equal(sources.resting_count, 1);
    assert_true(visit(&sources, &a, 6000000));
    struct address b = host(2, 0);
    assert_true(visit(&sources, &b, 9000000)); /* takes what has rested away */
    assert_int_equal(sources.slots.in_use_count, 1);
    sources_clear(&sources);
}

/* No flood of addresses takes a count, or more room than there is. */
static void test_a_million_addresses(void **state) {
    (void)state;
    struct sources sources;
    struct address steady = host(1, 0);
    assert_int_equal(sources_init(&sources, CAPACITY, 1), BATON_OK);
    uint32_t entry = sources_take(&sources, 1, &steady);
    for (uint32_t i = 1000000; i < 2000000; i++) {
        struct address a = one_of_a_million(i);
        assert_true(visit(&sources, &a, 5000000));
        assert_true(sources.resting_count <= SOURCES_RESTING_COUNT);
    }
    assert_int_equal(sources_count(&sources, entry), 1);
    assert_true(sources.slots.used_mark <= SOURCES_RESTING_COUNT + 2);
    /* Who came last is known yet, and who comes again is not forgotten for those who came once. */
    for (uint32_t i = 2000000 - SOURCES_RESTING_COUNT; i < 2000000; i++) {
        struct address a = one_of_a_million(i);
        assert_false(visit(&sources, &a, 5000000));
    }
    sources_give(&sources, entry, 5000000);
    sources_clear(&sources);
}

static void test_what_one_source_is(void **state) {
    (void)state;
    struct address v6 = {.family = ADDRESS_IPV6, .port = 7, .scope_id = 3};
    memset(v6.bytes, 0xff, sizeof v6.bytes);
    for (uint32_t bits = 1; bits <= 128; bits++) {
        struct address source = source_of(&v6, bits);
        uint32_t count = 0;
        for (uint32_t bit = 0; bit < 128; bit++) {
            bool is_set = (source.bytes[bit / 8] & 0x80 >> bit % 8) != 0;
            assert_int_equal(is_set, bit < bits);
            count += is_set;
        }
        assert_int_equal(count, bits);
        assert_int_equal(source.port, 0);
    }
    struct address v4 = host(200, 9),
                   local = {.family = ADDRESS_UNIX, .has_uid = true, .uid = 5, .pid = 6};
    assert_int_equal(source_of(&v4, 1).bytes[3], 200);
    assert_int_equal(source_of(&local, 64).pid, 0);
    assert_int_equal(source_of(&local, 64).uid, 5);
}

/* Against plain counters, with as many live connections as there is room for. */
static void test_random_comings_and_goings(void **state) {
    (void)state;
    struct sources sources;
    uint32_t live_entries[CAPACITY];
    uint8_t live_hosts[CAPACITY];
    uint32_t expected_counts[256] = {0};
    uint32_t live_count = 0, random = 12345;
    assert_int_equal(sources_init(&sources, CAPACITY, 99), BATON_OK);
    for (int step = 0; step < 100000; step++) {
        random = random * 1664525u + 1013904223u;
        bool comes = live_count == 0 || (live_count < CAPACITY && (random >> 31) != 0);
        uint32_t pick = (random >> 8) & 0xff;
        if (comes) {
            struct address a = host((uint8_t)pick, (uint16_t)step);
            live_entries[live_count] = sources_take(&sources, 1, &a);
            live_hosts[live_count] = (uint8_t)pick;
            assert_int_equal(sources_count(&sources, live_entries[live_count]),
                             ++expected_counts[pick]);
            live_count++;
        } else {
            uint32_t at = pick % live_count;
            expected_counts[live_hosts[at]]--;
            sources_give(&sources, live_entries[at], 1);
            live_count--;
            live_entries[at] = live_entries[live_count];
            live_hosts[at] = live_hosts[live_count];
        }
    }
    while (live_count > 0) {
        sources_give(&sources, live_entries[--live_count], 1);
    }
    for (uint32_t i = 0; i <= sources.bucket_mask; i++) {
        assert_int_equal(sources.buckets[i], 0);
    }
    sources_clear(&sources);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_by_host),
        cmocka_unit_test(test_family_and_scope_tell_apart),
        cmocka_unit_test(test_local_clients_count_by_process),
        cmocka_unit_test(test_there_must_be_room),
        cmocka_unit_test(test_scopes_count_by_themselves),
        cmocka_unit_test(test_a_rate_is_remembered_until_it_has_rested),
        cmocka_unit_test(test_a_million_addresses),
        cmocka_unit_test(test_what_one_source_is),
        cmocka_unit_test(test_random_comings_and_goings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
