/* Live connections by source address (core/door/sources.h). */
#include "core/base/error.h"
#include "core/door/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

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
    uint32_t first = sources_take(&sources, &a1);
    uint32_t second = sources_take(&sources, &a2);
    uint32_t other = sources_take(&sources, &b);
    assert_int_equal(first, second);
    assert_int_equal(sources_count(&sources, first), 2);
    assert_int_equal(sources_count(&sources, other), 1);
    assert_int_equal(sources_take(&sources, &none), SOURCE_NONE);
    assert_int_equal(sources_count(&sources, SOURCE_NONE), 0);
    sources_give(&sources, SOURCE_NONE);
    sources_give(&sources, second);
    assert_int_equal(sources_count(&sources, first), 1);
    sources_give(&sources, first);
    assert_int_equal(sources_count(&sources, sources_take(&sources, &a1)), 1);
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
    uint32_t entries[3] = {sources_take(&sources, &v4), sources_take(&sources, &v6),
                           sources_take(&sources, &scoped)};
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
            assert_int_equal(sources_count(&sources, sources_take(&sources, &clients[i])), round);
        }
    }
    sources_clear(&sources);
}

static void test_there_must_be_room(void **state) {
    (void)state;
    struct sources sources;
    struct address a = host(1, 0), b = host(2, 0);
    assert_int_equal(sources_init(&sources, 1, 1), BATON_OK);
    uint32_t entry = sources_take(&sources, &a);
    assert_must_fails(sources_take(&sources, &b));
    assert_int_equal(sources_take(&sources, &a), entry);
    sources_give(&sources, entry);
    sources_give(&sources, entry);
    assert_int_equal(sources_count(&sources, sources_take(&sources, &b)), 1);
    sources_clear(&sources);
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
            live_entries[live_count] = sources_take(&sources, &a);
            live_hosts[live_count] = (uint8_t)pick;
            assert_int_equal(sources_count(&sources, live_entries[live_count]),
                             ++expected_counts[pick]);
            live_count++;
        } else {
            uint32_t at = pick % live_count;
            expected_counts[live_hosts[at]]--;
            sources_give(&sources, live_entries[at]);
            live_count--;
            live_entries[at] = live_entries[live_count];
            live_hosts[at] = live_hosts[live_count];
        }
    }
    while (live_count > 0) {
        sources_give(&sources, live_entries[--live_count]);
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
        cmocka_unit_test(test_random_comings_and_goings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
