/* libbaton: what is said on a channel beside offers and their answers (POSIX). */
#include "baton.h"
#include "test_sdk_supervisor.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uint32_t cancelled_number, cancelled_count;

static void note_cancelled(void *context, uint32_t number) {
    assert_ptr_equal(context, &cancelled_number);
    cancelled_number = number;
    cancelled_count++;
}

static struct baton *start(struct supervisor *supervisor, uint32_t capacity) {
    struct baton_options options = {
        .capacity = capacity, .context = &cancelled_number, .cancelled = note_cancelled};
    cancelled_number = cancelled_count = 0;
    return supervisor_start_open(supervisor, &options);
}

static void end(struct supervisor *supervisor, struct baton *baton) {
    baton_close(&baton);
    supervisor_end(supervisor);
}

static void say(const struct supervisor *supervisor, uint8_t type, uint32_t number) {
    supervisor_say(supervisor, &(struct wire_message){.type = type, .connection = number}, -1);
}

/* Offers a socket whose other end is closed. */
static void offer(const struct supervisor *supervisor, uint32_t number) {
    struct wire_message message = an_offer(number);
    int client[2];
    socket_pair(client);
    supervisor_say(supervisor, &message, client[1]);
    close(client[0]);
    close(client[1]);
}

static void expect(const struct supervisor *supervisor, uint8_t type, uint32_t number) {
    struct wire_message heard = supervisor_hear(supervisor);
    assert_int_equal(heard.type, type);
    assert_int_equal(heard.connection, number);
}

/* Of what is held it is told, be it that the offer had not been answered when CANCEL came; of
 * another number, one that was finished among them, it is not. */
static void cancel_is_told_of_what_is_held(void **state) {
    struct supervisor supervisor;
    struct baton_connection first, second;
    struct baton *baton = start(&supervisor, 2);
    (void)state;
    say(&supervisor, WIRE_CANCEL, 6); /* neither offered nor held */
    offer(&supervisor, 6);
    say(&supervisor, WIRE_CANCEL, 6); /* offered */
    assert_int_equal(baton_next(baton, &first), 1);
    assert_int_equal(cancelled_count, 0);
    expect(&supervisor, WIRE_ACK, 6);
    offer(&supervisor, 7);
    assert_int_equal(baton_next(baton, &second), 1);
    assert_int_equal(cancelled_count, 1);
    assert_int_equal(cancelled_number, 6);
    expect(&supervisor, WIRE_ACK, 7);
    assert_int_equal(baton_finish(baton, &first, 0, NULL), 0);
    expect(&supervisor, WIRE_DONE, 6);
    say(&supervisor, WIRE_CANCEL, 6); /* DONE has crossed it */
    say(&supervisor, WIRE_DRAIN, 0);
    say(&supervisor, WIRE_CANCEL, 7); /* also after DRAIN, as it is held */
    say(&supervisor, WIRE_CANCEL, UINT32_MAX);
    say(&supervisor, WIRE_DRAIN, 0);
    shutdown(supervisor.channel, SHUT_WR);
    assert_int_equal(baton_next(baton, &first), 0);
    assert_int_equal(cancelled_count, 2);
    assert_int_equal(cancelled_number, 7);
    assert_int_equal(baton_finish(baton, &second, 1, NULL), 0);
    expect(&supervisor, WIRE_DONE, 7);
    end(&supervisor, baton);
}

/* A listener that it serves from is given up. */
static void cancel_ends_an_activation(void **state) {
    struct supervisor supervisor;
    struct baton_connection none;
    struct baton *baton = start(&supervisor, 1);
    struct wire_message message = an_offer(8);
    struct sockaddr_in any = {.sin_family = AF_INET};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)state;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listener, 1), 0);
    message.kind = WIRE_KIND_LISTENER;
    supervisor_say(&supervisor, &message, listener);
    say(&supervisor, WIRE_CANCEL, 9);
    say(&supervisor, WIRE_CANCEL, 8);
    say(&supervisor, WIRE_CANCEL, 8);
    shutdown(supervisor.channel, SHUT_WR);
    assert_int_equal(baton_next(baton, &none), 0);
    expect(&supervisor, WIRE_ACK, 8);
    expect(&supervisor, WIRE_DONE, 8);
    assert_int_equal(cancelled_count, 0);
    close(listener);
    end(&supervisor, baton);
}

/* Nothing may be offered; what is held stays. */
static void an_offer_after_drain_is_a_breach(void **state) {
    struct supervisor supervisor;
    struct baton_connection held, none;
    struct baton *baton = start(&supervisor, 2);
    (void)state;
    offer(&supervisor, 6);
    assert_int_equal(baton_next(baton, &held), 1);
    say(&supervisor, WIRE_DRAIN, 0);
    offer(&supervisor, 7);
    assert_int_equal(baton_next(baton, &none), BATON_E_PROTOCOL);
    assert_int_equal(none.socket, BATON_SOCKET_NONE);
    baton_finish(baton, &held, 0, NULL);
    end(&supervisor, baton);
}

static void unknown_types_are_skipped(void **state) {
    static const uint8_t unknown[] = {'B', 'A', 'T', 'N', 1, 0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7};
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = start(&supervisor, 1);
    (void)state;
    supervisor_send(&supervisor, unknown, sizeof unknown, NULL, 0);
    offer(&supervisor, 6);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    end(&supervisor, baton);
}

/* Neither a second one nor more than was asked for is a breach; the first one counts, up to that.
 */
static void limits_beyond_what_counts(void **state) {
    struct supervisor supervisor;
    struct baton_connection none;
    struct baton_limits limits;
    struct baton *baton = start(&supervisor, 3);
    const struct wire_message first = {.type = WIRE_LIMITS, .capacity = 4, .stop_ms = 1};
    const struct wire_message second = {.type = WIRE_LIMITS, .capacity = 1, .stop_ms = 2};
    (void)state;
    supervisor_say(&supervisor, &first, -1);
    supervisor_say(&supervisor, &second, -1);
    say(&supervisor, WIRE_DRAIN, 0);
    assert_int_equal(baton_next(baton, &none), 0);
    assert_int_equal(baton_limits(baton, &limits), 1);
    assert_int_equal(limits.capacity, 3);
    assert_int_equal(limits.stop_ms, 1);
    end(&supervisor, baton);
}

static void limits_are_told(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton_limits limits = {1, 2, 3, 4};
    struct baton *baton = start(&supervisor, 9);
    const struct wire_message message = {
        .type = WIRE_LIMITS, .capacity = 4, .handshake_ms = 5000, .stop_ms = 3000, .reuse = 100};
    (void)state;
    assert_int_equal(baton_limits(baton, &limits), 0);
    assert_int_equal(limits.capacity + limits.handshake_ms + limits.stop_ms + limits.reuse, 0);
    supervisor_say(&supervisor, &message, -1);
    offer(&supervisor, 6);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(baton_limits(baton, &limits), 1);
    assert_int_equal(limits.capacity, 4);
    assert_int_equal(limits.handshake_ms, 5000);
    assert_int_equal(limits.stop_ms, 3000);
    assert_int_equal(limits.reuse, 100);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    end(&supervisor, baton);
}

/* Also twice, and when DRAIN is on its way; an offer that crosses it is taken. */
static void retire_is_said(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = start(&supervisor, 1);
    (void)state;
    offer(&supervisor, 6);
    assert_int_equal(baton_retire(baton), 0);
    expect(&supervisor, WIRE_RETIRE, 0);
    assert_int_equal(baton_next(baton, &connection), 1);
    expect(&supervisor, WIRE_ACK, 6);
    say(&supervisor, WIRE_DRAIN, 0);
    assert_int_equal(baton_retire(baton), 0);
    expect(&supervisor, WIRE_RETIRE, 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    expect(&supervisor, WIRE_DONE, 6);
    assert_int_equal(baton_next(baton, &connection), 0);
    end(&supervisor, baton);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_is_told_of_what_is_held),
        cmocka_unit_test(cancel_ends_an_activation),
        cmocka_unit_test(an_offer_after_drain_is_a_breach),
        cmocka_unit_test(unknown_types_are_skipped),
        cmocka_unit_test(limits_are_told),
        cmocka_unit_test(limits_beyond_what_counts),
        cmocka_unit_test(retire_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
