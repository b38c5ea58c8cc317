/* The codec: what it accepts, it writes again, and reads back as the same. */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check(const uint8_t *bytes, size_t length, enum wire_sender sender) {
    static uint8_t once[WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES], twice[sizeof once];
    struct wire_message message, again;
    size_t body_bytes = 0;
    enum wire_result header = wire_check_header(bytes, length, sender, &body_bytes);
    if (wire_decode(bytes, length, sender, &message) != WIRE_OK)
        return;
    if (header != WIRE_OK || length != WIRE_HEADER_BYTES + body_bytes)
        abort();
    if (message.skip)
        return;
    long once_bytes = wire_encode(&message, once, sizeof once);
    if (once_bytes < WIRE_HEADER_BYTES || (size_t)once_bytes > length ||
        wire_decode(once, (size_t)once_bytes, sender, &again) != WIRE_OK)
        abort();
    long twice_bytes = wire_encode(&again, twice, sizeof twice);
    if (twice_bytes != once_bytes || memcmp(once, twice, (size_t)once_bytes) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    check(bytes, length, WIRE_FROM_HANDLER);
    check(bytes, length, WIRE_FROM_SUPERVISOR);
    return 0;
}
