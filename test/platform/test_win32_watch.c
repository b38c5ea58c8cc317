/* Watches: what the system's thread pool does between a signal and the packet that tells of it.
 * What is looked for are races, so these tests find a fault often, not always; each was seen to
 * end, or to stop for ever, with the ways of watching that watch.c does not take any more. */
#include "harness.h"

#include "platform/win32/internal.h"

#define DEADLINE_MS 20000

static HANDLE make_port(void) {
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    assert_non_null(port);
    return port;
}

/* Takes one packet; false if there is none `within_ms`. */
static bool take(HANDLE port, DWORD within_ms, uint32_t *index, uint32_t *generation) {
    OVERLAPPED_ENTRY packet;
    ULONG count;
    if (!GetQueuedCompletionStatusEx(port, &packet, 1, &count, within_ms, FALSE)) {
        assert_int_equal(GetLastError(), WAIT_TIMEOUT);
        return false;
    }
    *index = (uint32_t)(packet.lpCompletionKey >> PACKET_KIND_BITS);
    *generation = packet.dwNumberOfBytesTransferred;
    return true;
}

/* In every second round the signal and the stop meet. The event is a new one in each, mostly with
 * the value of the last one's handle, which a wait for that one must not take. */
static void test_stopping_what_fires(void **state) {
    enum { ROUNDS = 10000 };
    struct bench *bench = *state;
    HANDLE port = make_port();
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint32_t index;
        uint32_t generation;
        HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
        struct watch watch = {port, NULL, PACKET_STREAM, 0, round};
        unsigned packet_count = 0;
        assert_int_equal(win32_watch_start(&watch, event, &bench->cause), BATON_OK);
        SetEvent(event);
        if (round % 2 == 0) {
            assert_true(take(port, DEADLINE_MS, &index, &generation));
            assert_int_equal(generation, round);
            packet_count++;
        }
        win32_watch_stop(&watch);
        while (take(port, 0, &index, &generation)) {
            assert_int_equal(generation, round); /* else it came after the stop of its watch */
            packet_count++;
        }
        assert_in_range(packet_count, round % 2 == 0, 1);
        CloseHandle(event);
    }
    CloseHandle(port);
}

/* All of them end by their bound at about the same time; the first ones that are told make the
 * caller stop those that come next. */
static void test_stopping_beside_bounds_that_pass(void **state) {
    enum { ROUNDS = 300, WATCHES = 24, TOLD = 3 };
    struct bench *bench = *state;
    struct watch watches[WATCHES];
    HANDLE port = make_port();
    HANDLE never = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint32_t index;
        uint32_t generation;
        for (uint32_t i = 0; i < WATCHES; i++) {
            watches[i] = (struct watch){port, NULL, PACKET_EXIT, i, round};
            assert_int_equal(win32_watch_end(&watches[i], never, 1, &bench->cause), BATON_OK);
        }
        for (int told = 0; told < TOLD; told++) {
            assert_true(take(port, DEADLINE_MS, &index, &generation));
            assert_int_equal(generation, round);
            win32_watch_stop(&watches[(index + 1) % WATCHES]);
            win32_watch_stop(&watches[(index + 2) % WATCHES]);
            win32_watch_stop(&watches[(index + 3) % WATCHES]);
        }
        for (uint32_t i = 0; i < WATCHES; i++) {
            win32_watch_stop(&watches[i]);
        }
        while (take(port, 0, &index, &generation)) {
            assert_int_equal(generation, round);
        }
    }
    CloseHandle(never);
    CloseHandle(port);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_stopping_what_fires),
        WITH_BENCH(test_stopping_beside_bounds_that_pass),
    };
    return cmocka_run_group_tests_name("win32_watch", tests, NULL, bench_remove_scratch);
}
