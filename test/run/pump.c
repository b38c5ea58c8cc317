#include "pump.h"

#include <string.h>

uint8_t pump_much[PUMP_MUCH_BYTES];

static const enum act copier_acts[] = {ACT_COPY, ACT_EXIT};
const struct play play_copier = {.acts = copier_acts};

void pump_stage(struct scene *scene, const struct play *play, scene_script *script) {
    for (size_t i = 0; i < sizeof pump_much; i++) {
        pump_much[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
    }
    scene_stage(scene, play, script);
    scene_mode(scene, 0, HANDOFF_PUMP, PROTOCOL_TCP, false);
}

void assert_pump_received(uint32_t client, const void *bytes, size_t wanted) {
    size_t length = 0;
    const char *received = fake_client_received(client, &length);
    assert_int_equal(length, wanted);
    assert_memory_equal(received, bytes, wanted);
}

void assert_pump_reads(uint32_t process, const char *wanted, int then) {
    char bytes[256];
    size_t length = 0;
    if (wanted[0] != '\0') {
        assert_int_equal(fake_program_read(process, bytes, sizeof bytes, &length), BATON_OK);
    }
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(bytes, wanted, length);
    assert_int_equal(fake_program_read(process, bytes, sizeof bytes, &length), then);
}

size_t pump_unread_bytes(uint32_t client) {
    size_t length = 0;
    fake_client_unread(client, &length);
    return length;
}

void pump_write(uint32_t process, const char *text) {
    assert_true(fake_program_write(process, text, strlen(text)));
}

void pump_send(uint32_t client, const char *text) {
    fake_client_send(client, text, strlen(text));
}
