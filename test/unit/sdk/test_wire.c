/* The codec against the golden vectors, and its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_wire_guard.h"
#include "test_wire_vectors.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

static const uint8_t a_nonce[WIRE_NONCE_BYTES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                  8, 9, 10, 11, 12, 13, 14, 15};

static struct wire_message a_hello(void) {
    return (struct wire_message){.type = WIRE_HELLO,
                                 .nonce = a_nonce,
                                 .has_pid = true,
                                 .pid = 4711,
                                 .capacity = 1,
                                 .sdk = {"libbaton", 8}};
}

static struct wire_message an_offer(void) {
    return (struct wire_message){.type = WIRE_OFFER,
                                 .connection = 17,
                                 .service = {"ok", 2},
                                 .kind = WIRE_KIND_CONNECTION,
                                 .peer = {4, 50122, {127, 0, 0, 1}},
                                 .local = {4, 7777, {127, 0, 0, 1}},
                                 .accepted_us = 1767225600000000u,
                                 .id = 17};
}

static bool begins_with(const char *text, const char *beginning) {
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Decodes a copy that ends at an unmapped page. */
static enum wire_result decode_guarded(const void *frame, size_t length, enum wire_sender sender,
                                       struct wire_message *out) {
    unsigned char *copy = guarded(length);
    memcpy(copy, frame, length);
    return wire_decode(copy, length, sender, out);
}

/* The column `system`, by its rule: each system passes a socket in its own way. */
static const char *system_of(const struct wire_message *message, enum wire_result result) {
    if (result != WIRE_OK || message->type != WIRE_OFFER)
        return "any";
    return message->protocol_info != NULL ? "windows" : "posix";
}

static void check_decoding(const struct vector *vector) {
    struct wire_message message;
    char meaning[MEANING_BYTES];
    enum wire_result result =
        decode_guarded(vector->frame, vector->length, vector->sender, &message);
    const char *name = message.skip && result == WIRE_OK ? "SKIP" : result_name(result);
    if (strcmp(name, vector->result) != 0)
        fail_msg("%s: %s, should be %s", vector->name, name, vector->result);
    if (strcmp(system_of(&message, result), vector->system) != 0)
        fail_msg("%s: is not of the system %s", vector->name, vector->system);
    if (strcmp(name, "OK") != 0)
        return;
    print_meaning(&message, meaning);
    if (strcmp(meaning, vector->meaning) != 0)
        fail_msg("%s: means %s, should mean %s", vector->name, meaning, vector->meaning);
}

static void vectors_decode_as_told(void **state) {
    (void)state;
    for_each_vector(check_decoding);
}

static void check_encoding(const struct vector *vector) {
    struct wire_message message, again;
    unsigned char frame[VECTOR_BYTES];
    char meaning[MEANING_BYTES];
    if (strcmp(vector->result, "OK") != 0)
        return;
    assert_int_equal(wire_decode(vector->frame, vector->length, vector->sender, &message), WIRE_OK);
    long length = wire_encode(&message, frame, sizeof frame);
    assert_true(length >= WIRE_HEADER_BYTES);
    if (!begins_with(vector->name, "loose-")) {
        assert_int_equal(length, vector->length);
        assert_memory_equal(frame, vector->frame, vector->length);
    }
    assert_int_equal(wire_decode(frame, (size_t)length, vector->sender, &again), WIRE_OK);
    print_meaning(&again, meaning);
    assert_string_equal(meaning, vector->meaning);
}

static void vectors_encode_to_the_same_bytes(void **state) {
    (void)state;
    for_each_vector(check_encoding);
}

static void check_truncations(const struct vector *vector) {
    struct wire_message message;
    size_t body_bytes = 0;
    if (strcmp(vector->result, "OK") != 0)
        return;
    for (size_t length = 0; length < vector->length; length++) {
        assert_int_equal(decode_guarded(vector->frame, length, vector->sender, &message),
                         WIRE_BAD_LENGTH);
        enum wire_result header =
            wire_check_header(vector->frame, length, vector->sender, &body_bytes);
        assert_int_equal(header, length < WIRE_HEADER_BYTES ? WIRE_MORE : WIRE_OK);
    }
}

static void every_truncation_is_refused(void **state) {
    (void)state;
    for_each_vector(check_truncations);
}

/* The body cut short with the header's length to match: fields end in the middle. */
static void check_cut_bodies(const struct vector *vector) {
    struct wire_message message;
    unsigned char frame[VECTOR_BYTES];
    if (strcmp(vector->result, "OK") != 0 || begins_with(vector->name, "loose-"))
        return;
    memcpy(frame, vector->frame, vector->length);
    for (size_t body = 0; body + WIRE_HEADER_BYTES < vector->length; body++) {
        frame[14] = (unsigned char)(body >> 8);
        frame[15] = (unsigned char)body;
        enum wire_result result =
            decode_guarded(frame, WIRE_HEADER_BYTES + body, vector->sender, &message);
        assert_true(result == WIRE_OK || result == WIRE_BAD_FIELD || result == WIRE_MISSING);
    }
}

static void cut_bodies_never_read_past_the_end(void **state) {
    (void)state;
    for_each_vector(check_cut_bodies);
}

/* No assertion but the guard page, and that what is accepted can be written again. */
static void check_flipped_bits(const struct vector *vector) {
    struct wire_message message;
    unsigned char frame[VECTOR_BYTES], again[VECTOR_BYTES];
    memcpy(frame, vector->frame, vector->length);
    for (size_t bit = 0; bit < vector->length * 8; bit++) {
        frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (decode_guarded(frame, vector->length, vector->sender, &message) == WIRE_OK &&
            !message.skip)
            assert_true(wire_encode(&message, again, sizeof again) >= WIRE_HEADER_BYTES);
        frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void flipped_bits_do_no_harm(void **state) {
    (void)state;
    for_each_vector(check_flipped_bits);
}

static void encoding_needs_exactly_its_room(void **state) {
    uint8_t info[WIRE_PROTOCOL_INFO_BYTES] = {1};
    struct wire_message offer = an_offer();
    uint8_t whole[1024];
    (void)state;
    offer.protocol_info = info;
    long length = wire_encode(&offer, whole, sizeof whole);
    assert_in_range(length, WIRE_HEADER_BYTES, sizeof whole);
    for (size_t room = 0; room < (size_t)length; room++)
        assert_int_equal(wire_encode(&offer, guarded(room), room), WIRE_NO_ROOM);
    assert_int_equal(wire_encode(&offer, guarded((size_t)length), (size_t)length), length);
}

/* What the supervisor's buffers are made for. */
static void the_longest_offer_is_as_told(void **state) {
    static char text[WIRE_SERVICE_MAX_BYTES];
    uint8_t info[WIRE_PROTOCOL_INFO_BYTES] = {1}, frame[WIRE_OFFER_MAX_BYTES + 1];
    struct wire_message offer = an_offer();
    (void)state;
    memset(text, 'x', sizeof text);
    offer.service = (struct wire_text){text, WIRE_SERVICE_MAX_BYTES};
    offer.path = (struct wire_text){text, WIRE_PATH_MAX_BYTES};
    offer.peer.family = offer.local.family = offer.via.family = 6;
    offer.protocol_info = info;
    offer.has_peer_count = offer.has_peer_uid = offer.has_peer_pid = true;
    offer.peer_count = offer.peer_pid = 1;
    assert_int_equal(wire_encode(&offer, frame, sizeof frame), WIRE_OFFER_MAX_BYTES);
    offer.path.length++;
    assert_int_equal(wire_encode(&offer, frame, sizeof frame), WIRE_NO_ROOM);
}

static void assert_not_encoded(const struct wire_message *message) {
    uint8_t frame[2048];
    assert_int_equal(wire_encode(message, frame, sizeof frame), WIRE_NO_ROOM);
}

static void encoding_refuses_hellos_out_of_range(void **state) {
    char text[WIRE_SDK_MAX_BYTES + 1];
    (void)state;
    memset(text, 'x', sizeof text);
    struct wire_message hello = a_hello();
    hello.nonce = NULL;
    assert_not_encoded(&hello);
    hello = a_hello();
    hello.pid = 0;
    assert_not_encoded(&hello);
    hello = a_hello();
    hello.capacity = 0;
    assert_not_encoded(&hello);
    hello.capacity = WIRE_CAPACITY_MAX + 1;
    assert_not_encoded(&hello);
    hello = a_hello();
    hello.sdk = (struct wire_text){text, sizeof text};
    assert_not_encoded(&hello);
    hello.sdk = (struct wire_text){"\xff", 1};
    assert_not_encoded(&hello);
    hello = a_hello();
    hello.connection = 1;
    assert_not_encoded(&hello);
}

static void encoding_refuses_offers_out_of_range(void **state) {
    static char name[WIRE_SERVICE_MAX_BYTES + 1];
    (void)state;
    memset(name, 'x', sizeof name);
    struct wire_message offer = an_offer();
    offer.connection = 0;
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.service = (struct wire_text){NULL, 0};
    assert_not_encoded(&offer);
    offer.service = (struct wire_text){name, sizeof name};
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.peer.family = 5;
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.has_peer_count = true;
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.has_peer_pid = true;
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.via.family = 5;
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.path = (struct wire_text){"/tmp/\xff", 6};
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.kind = 0;
    assert_not_encoded(&offer);
    offer = an_offer();
    offer.type = 0x80;
    assert_not_encoded(&offer);
    offer.type = 0;
    assert_not_encoded(&offer);
}

static void nonces_survive_their_text(void **state) {
    uint8_t parsed[WIRE_NONCE_BYTES];
    char text[2 * WIRE_NONCE_BYTES + 1];
    (void)state;
    wire_nonce_print(a_nonce, text);
    assert_string_equal(text, "000102030405060708090a0b0c0d0e0f");
    assert_true(wire_nonce_parse("000102030405060708090A0B0C0D0E0F", parsed));
    assert_memory_equal(parsed, a_nonce, sizeof parsed);
    assert_false(wire_nonce_parse("", parsed));
    assert_false(wire_nonce_parse("000102030405060708090a0b0c0d0e0", parsed));
    assert_false(wire_nonce_parse("000102030405060708090a0b0c0d0e0f0", parsed));
    assert_false(wire_nonce_parse("000102030405060708090a0b0c0d0e0g", parsed));
    assert_false(wire_nonce_parse(" 00102030405060708090a0b0c0d0e0f", parsed));
}

static void names_and_texts_are_there(void **state) {
    (void)state;
    assert_string_equal(wire_type_name(WIRE_HELLO), "HELLO");
    assert_string_equal(wire_type_name(WIRE_DRAIN), "DRAIN");
    assert_string_equal(wire_type_name(0), "?");
    for (int result = WIRE_BAD_CONNECTION; result <= WIRE_MORE; result++)
        assert_string_not_equal(wire_result_text((enum wire_result)result), "unknown result");
    assert_string_equal(wire_result_text((enum wire_result)99), "unknown result");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_decode_as_told),
        cmocka_unit_test(vectors_encode_to_the_same_bytes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(cut_bodies_never_read_past_the_end),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(encoding_needs_exactly_its_room),
        cmocka_unit_test(the_longest_offer_is_as_told),
        cmocka_unit_test(encoding_refuses_hellos_out_of_range),
        cmocka_unit_test(encoding_refuses_offers_out_of_range),
        cmocka_unit_test(nonces_survive_their_text),
        cmocka_unit_test(names_and_texts_are_there),
    };
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
