/* The pure part of a pump (core/pool/relay.h): nothing is lost, nothing comes twice, every end is
 * passed on once. */
#include "core/pool/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct relay relay;

static int set_up(void **state) {
    (void)state;
    memset(&relay, 0xa5, sizeof relay);
    relay_init(&relay);
    return 0;
}

/* The byte at an offset of a source's stream. */
static uint8_t byte_at(uint64_t offset) {
    return (uint8_t)(offset * 31 + offset / 251);
}

/* The source gives at most `most` bytes, those of its stream from *offset on. */
static size_t fill(struct relay_direction *d, uint64_t *offset, size_t most) {
    uint8_t *room = NULL;
    size_t bytes = relay_space(d, &room);
    bytes = bytes < most ? bytes : most;
    for (size_t i = 0; i < bytes; i++) {
        room[i] = byte_at((*offset)++);
    }
    if (bytes > 0) {
        relay_filled(d, bytes);
    }
    return bytes;
}

/* The sink takes at most `most` bytes, and they are what it must get next. */
static size_t empty(struct relay_direction *d, uint64_t *offset, size_t most) {
    const uint8_t *data = NULL;
    size_t bytes = relay_data(d, &data);
    bytes = bytes < most ? bytes : most;
    for (size_t i = 0; i < bytes; i++) {
        assert_int_equal(data[i], byte_at((*offset)++));
    }
    if (bytes > 0) {
        relay_drained(d, bytes);
    }
    return bytes;
}

static void a_new_relay_waits(void **state) {
    uint8_t *room = NULL;
    const uint8_t *data = NULL;
    (void)state;
    assert_int_equal(relay_space(&relay.in, &room), RELAY_BUFFER_BYTES);
    assert_int_equal(relay_space(&relay.out, &room), RELAY_BUFFER_BYTES);
    assert_int_equal(relay_data(&relay.in, &data), 0);
    assert_int_equal(relay_data(&relay.out, &data), 0);
    assert_false(relay_should_finish(&relay.in));
    assert_false(relay_direction_is_over(&relay.in));
    assert_false(relay_is_over(&relay));
    assert_int_equal(relay_bytes_in(&relay), 0);
    assert_int_equal(relay_bytes_out(&relay), 0);
}

static void a_sink_that_takes_nothing_holds_its_source_back(void **state) {
    uint64_t given = 0, got = 0;
    uint8_t *room = NULL;
    (void)state;
    while (fill(&relay.in, &given, 1000) > 0) {
    }
    assert_int_equal(given, RELAY_BUFFER_BYTES);
    assert_int_equal(relay_space(&relay.in, &room), 0);
    assert_int_equal(relay_space(&relay.out, &room), RELAY_BUFFER_BYTES);
    assert_int_equal(empty(&relay.in, &got, 10), 10);
    assert_int_equal(fill(&relay.in, &given, 1000), 10);
    assert_int_equal(relay_space(&relay.in, &room), 0);
    while (empty(&relay.in, &got, SIZE_MAX) > 0) {
    }
    assert_int_equal(got, RELAY_BUFFER_BYTES + 10);
    assert_int_equal(relay_bytes_in(&relay), given);
}

/* The first page of a buffer is enough for a conversation of short texts. */
static void an_empty_buffer_begins_anew(void **state) {
    uint64_t given = 0, got = 0;
    uint8_t *room = NULL;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        fill(&relay.out, &given, 100);
        empty(&relay.out, &got, SIZE_MAX);
        assert_int_equal(relay_space(&relay.out, &room), RELAY_BUFFER_BYTES);
        assert_ptr_equal(room, relay.out.bytes);
    }
}

/* Any pieces on either side, for a megabyte. */
static void every_byte_arrives_once_and_in_order(void **state) {
    uint64_t given = 0, got = 0;
    uint32_t random = 1;
    const uint64_t all = 1 << 20;
    (void)state;
    while (got < all) {
        random = random * 1664525 + 1013904223;
        uint64_t left = all - given;
        size_t piece = random >> 8 & 0x3fff;
        fill(&relay.out, &given, piece < left ? piece : (size_t)left);
        random = random * 1664525 + 1013904223;
        empty(&relay.out, &got, random >> 8 & 0x3fff);
        assert_true(given - got <= RELAY_BUFFER_BYTES);
    }
    relay_source_ended(&relay.out);
    assert_true(relay_should_finish(&relay.out));
    assert_int_equal(relay_bytes_out(&relay), all);
    assert_int_equal(relay_bytes_in(&relay), 0);
}

static void an_end_is_passed_on_after_the_last_byte_and_once(void **state) {
    struct relay_direction *directions[] = {&relay.in, &relay.out};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct relay_direction *d = directions[i];
        struct relay_direction *other = directions[1 - i];
        uint64_t given = 0, got = 0;
        uint8_t *room = NULL;
        relay_init(&relay);
        fill(d, &given, 20);
        relay_source_ended(d);
        assert_int_equal(relay_space(d, &room), 0);
        assert_false(relay_should_finish(d));
        empty(d, &got, 19);
        assert_false(relay_should_finish(d));
        assert_false(relay_direction_is_over(d));
        empty(d, &got, 1);
        assert_false(relay_direction_is_over(d)); /* the sink does not know yet */
        assert_true(relay_should_finish(d));
        assert_true(relay_direction_is_over(d));
        assert_false(relay_should_finish(d));
        relay_source_ended(d);
        assert_false(relay_should_finish(d));
        /* The other way goes on. */
        given = got = 0;
        assert_false(relay_is_over(&relay));
        assert_int_equal(fill(other, &given, 20), 20);
        assert_int_equal(empty(other, &got, 20), 20);
        assert_false(relay_should_finish(other));
        relay_source_ended(other);
        assert_true(relay_should_finish(other));
        assert_true(relay_is_over(&relay));
    }
}

static void an_end_without_a_byte_is_passed_on(void **state) {
    (void)state;
    relay_source_ended(&relay.in);
    assert_true(relay_should_finish(&relay.in));
    assert_false(relay_should_finish(&relay.in));
}

/* The program closes its input early: what the client still says is read and thrown away. */
static void the_source_of_a_sink_that_is_gone_is_still_read(void **state) {
    uint64_t given = 0, got = 0;
    const uint8_t *data = NULL;
    (void)state;
    while (fill(&relay.in, &given, SIZE_MAX) > 0) {
    }
    empty(&relay.in, &got, 100);
    relay_sink_gone(&relay.in);
    assert_int_equal(relay_data(&relay.in, &data), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fill(&relay.in, &given, SIZE_MAX), RELAY_BUFFER_BYTES);
        assert_int_equal(relay_data(&relay.in, &data), 0);
    }
    assert_false(relay_direction_is_over(&relay.in));
    assert_int_equal(relay_bytes_in(&relay), given); /* what was read, not what was of use */
    relay_source_ended(&relay.in);
    assert_false(relay_should_finish(&relay.in)); /* there is nobody to tell */
    assert_true(relay_direction_is_over(&relay.in));
    assert_false(relay_is_over(&relay)); /* its output goes on */
    given = got = 0;
    assert_int_equal(fill(&relay.out, &given, 5), 5);
    assert_int_equal(empty(&relay.out, &got, 5), 5);
}

static void what_a_program_wrote_before_its_exit_arrives(void **state) {
    uint64_t given = 0, got = 0, said = 0;
    uint8_t *room = NULL;
    (void)state;
    fill(&relay.in, &said, 500);
    while (fill(&relay.out, &given, SIZE_MAX) > 0) {
    }
    relay_program_exited(&relay);
    assert_false(relay_is_over(&relay));
    assert_false(relay_direction_is_over(&relay.out));
    assert_int_equal(empty(&relay.out, &got, 1), 1);
    assert_int_equal(fill(&relay.out, &given, SIZE_MAX), 1); /* the rest of its pipe */
    relay_source_ended(&relay.out);
    while (empty(&relay.out, &got, 1000) > 0) {
        assert_int_equal(relay_should_finish(&relay.out), got == given);
    }
    assert_int_equal(got, RELAY_BUFFER_BYTES + 1);
    assert_true(relay_direction_is_over(&relay.out));
    /* The client goes on: nobody hears it, until it ends too. */
    assert_false(relay_should_finish(&relay.in));
    assert_false(relay_is_over(&relay));
    assert_int_equal(relay_space(&relay.in, &room), RELAY_BUFFER_BYTES);
    fill(&relay.in, &said, 300);
    assert_false(relay_is_over(&relay));
    relay_source_ended(&relay.in);
    assert_false(relay_should_finish(&relay.in));
    assert_true(relay_is_over(&relay));
    assert_int_equal(relay_bytes_in(&relay), 800);
    assert_int_equal(relay_bytes_out(&relay), RELAY_BUFFER_BYTES + 1);
}

/* The client ended first, and its last words were with the program before it exited. */
static void an_exit_after_the_clients_end_is_over_when_all_is_flushed(void **state) {
    (void)state;
    relay_source_ended(&relay.in);
    assert_true(relay_should_finish(&relay.in));
    relay_program_exited(&relay);
    assert_false(relay_should_finish(&relay.in));
    assert_true(relay_direction_is_over(&relay.in));
    relay_source_ended(&relay.out);
    assert_false(relay_is_over(&relay));
    assert_true(relay_should_finish(&relay.out));
    assert_true(relay_is_over(&relay));
}

static void of_a_client_that_is_lost_all_that_it_sent_is_passed_on(void **state) {
    uint64_t in = 0, out = 0, got = 0, passed = 0;
    uint8_t *room = NULL;
    const uint8_t *data = NULL;
    (void)state;
    fill(&relay.in, &in, 100);
    fill(&relay.out, &out, 100);
    empty(&relay.out, &got, 40);
    relay_client_lost(&relay);
    assert_true(relay_direction_is_over(&relay.out));
    assert_int_equal(relay_space(&relay.out, &room), 0);
    assert_int_equal(relay_data(&relay.out, &data), 0);
    assert_false(relay_should_finish(&relay.out));
    fill(&relay.in, &in, 20); /* what was still in its socket */
    relay_source_ended(&relay.in);
    assert_false(relay_is_over(&relay));
    assert_false(relay_should_finish(&relay.in));
    empty(&relay.in, &passed, 120);
    assert_true(relay_should_finish(&relay.in));
    assert_true(relay_is_over(&relay));
    assert_int_equal(relay_bytes_in(&relay), 120);
    assert_int_equal(relay_bytes_out(&relay), 40); /* what the client can have had */
}

static void a_relay_is_used_again(void **state) {
    uint64_t given = 0, got = 0;
    uint8_t *room = NULL;
    (void)state;
    fill(&relay.in, &given, 1000);
    empty(&relay.in, &got, 10);
    relay_source_ended(&relay.out);
    assert_true(relay_should_finish(&relay.out));
    relay_client_lost(&relay);
    relay_init(&relay);
    a_new_relay_waits(state);
    assert_int_equal(relay_space(&relay.in, &room), RELAY_BUFFER_BYTES);
    given = got = 0;
    fill(&relay.in, &given, 10);
    empty(&relay.in, &got, 10);
    assert_int_equal(got, 10);
    relay_source_ended(&relay.out);
    assert_true(relay_should_finish(&relay.out));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_relay_waits, set_up),
        cmocka_unit_test_setup(a_sink_that_takes_nothing_holds_its_source_back, set_up),
        cmocka_unit_test_setup(an_empty_buffer_begins_anew, set_up),
        cmocka_unit_test_setup(every_byte_arrives_once_and_in_order, set_up),
        cmocka_unit_test_setup(an_end_is_passed_on_after_the_last_byte_and_once, set_up),
        cmocka_unit_test_setup(an_end_without_a_byte_is_passed_on, set_up),
        cmocka_unit_test_setup(the_source_of_a_sink_that_is_gone_is_still_read, set_up),
        cmocka_unit_test_setup(what_a_program_wrote_before_its_exit_arrives, set_up),
        cmocka_unit_test_setup(an_exit_after_the_clients_end_is_over_when_all_is_flushed, set_up),
        cmocka_unit_test_setup(of_a_client_that_is_lost_all_that_it_sent_is_passed_on, set_up),
        cmocka_unit_test_setup(a_relay_is_used_again, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
