#include "act.h"

#include "frame.h"
#include "system.h"
#include "wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_CONNECTION 0x7ffffffeu
#define FLOOD_TYPE 0xf1 /* may be skipped */

/* Ends the process or its channel without a word, or does nothing for ever. Returns if `act` is
 * none of them, or if the handler goes on without a channel. */
static void perform_end(const char *act, bool holds) {
    if (strcmp(act, "crash") == 0) {
        system_crash();
    } else if (strcmp(act, "hang") == 0) {
        system_hang();
    } else if (strcmp(act, "exit-0") == 0) {
        exit(0);
    } else if (strcmp(act, "exit-3") == 0) {
        exit(3);
    } else if (strcmp(act, "close") == 0) {
        system_channel_close();
        if (!holds) {
            system_hang();
        }
    }
}

/* A frame whose header lies: one byte of a correct HELLO is changed. */
static bool build_wrong_header(const char *act, struct frame *frame) {
    static const struct {
        const char *act;
        size_t offset;
        uint8_t value;
    } lies[] = {{"wrong-magic", 0, 'X'},   {"wrong-version", 4, 9}, {"wrong-flags", 7, 1},
                {"unknown-type", 5, 0x42}, {"optional", 5, 0xf1},   {"type-zero", 5, 0}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        if (strcmp(act, lies[i].act) == 0) {
            frame->bytes[lies[i].offset] = lies[i].value;
            return true;
        }
    }
    return false;
}

/* Bytes that are no frame, or no whole one, or one that is too long. */
static bool build_wrong_length(const char *act, struct frame *frame) {
    static const uint8_t padding[600];
    if (strcmp(act, "garbage") == 0) {
        memset(frame->bytes, 0xa5, 100);
        frame->length = 100;
    } else if (strcmp(act, "half") == 0) {
        frame->length = 8;
    } else if (strcmp(act, "half-body") == 0) {
        frame->length = 30;
    } else if (strcmp(act, "long-body") == 0) {
        frame_begin(frame, WIRE_HELLO, 0);
        frame_field(frame, WIRE_TAG_OPTIONAL | 0x77, padding, sizeof padding);
    } else {
        return false;
    }
    return true;
}

/* A well-formed frame with contents that are not true or not due. */
static bool build_wrong_contents(const char *act, const uint8_t *nonce, struct frame *frame) {
    static const uint8_t other_nonce[WIRE_NONCE_BYTES] = {1, 2, 3};
    uint32_t pid = system_own_pid();
    if (strcmp(act, "wrong-nonce") == 0) {
        frame_hello(frame, other_nonce, pid, 1);
    } else if (strcmp(act, "stranger-pid") == 0) {
        frame_hello(frame, nonce, system_parent_pid(), 1);
    } else if (strcmp(act, "capacity-zero") == 0) {
        frame_hello(frame, nonce, pid, 0);
    } else if (strcmp(act, "no-fields") == 0) {
        frame_begin(frame, WIRE_HELLO, 0);
    } else if (strcmp(act, "ack-unknown") == 0) {
        frame_ack(frame, UNKNOWN_CONNECTION);
    } else if (strcmp(act, "done-unknown") == 0) {
        frame_done(frame, UNKNOWN_CONNECTION, 0);
    } else {
        return strcmp(act, "hello") == 0;
    }
    return true;
}

/* Sends something wrong. False if `act` is no such thing. */
static bool perform_lie(const char *act, const uint8_t *nonce, uint32_t connection) {
    struct frame frame;
    frame_hello(&frame, nonce, system_own_pid(), 1);
    if (strcmp(act, "two-hello") == 0) {
        frame_send(&frame);
        frame_send(&frame);
    } else if (strcmp(act, "done-twice") == 0) {
        frame_done(&frame, connection, 0);
        frame_send(&frame);
    } else if (strcmp(act, "flood") == 0) {
        frame_begin(&frame, FLOOD_TYPE, 0);
        for (;;) { /* ended from outside */
            frame_send(&frame);
        }
    } else if (strcmp(act, "descriptor") == 0) {
        system_send_with_descriptor(frame.bytes, frame.length);
    } else if (build_wrong_header(act, &frame) || build_wrong_length(act, &frame) ||
               build_wrong_contents(act, nonce, &frame)) {
        frame_send(&frame);
    } else {
        return false;
    }
    return true;
}

static bool perform_nack(const char *act, uint32_t connection) {
    static const struct {
        const char *act;
        uint8_t reason;
    } reasons[] = {{"nack-retire", WIRE_REASON_RETIRE},
                   {"nack-busy", WIRE_REASON_BUSY},
                   {"nack-refuse", WIRE_REASON_REFUSE}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strcmp(act, reasons[i].act) == 0) {
            struct frame frame;
            frame_nack(&frame, connection, reasons[i].reason);
            frame_send(&frame);
            return true;
        }
    }
    return false;
}

void act_perform(const char *what, const uint8_t *nonce, uint32_t connection, bool holds) {
    static const char slow[] = "slow-";
    char act[32] = "";
    bool goes_on = false;
    size_t length = strlen(what);
    if (length > 3 && strcmp(what + length - 3, "-on") == 0) {
        length -= 3;
        goes_on = true;
    }
    memcpy(act, what, length < sizeof act ? length : sizeof act - 1);
    if (strncmp(act, slow, sizeof slow - 1) == 0) {
        system_pause_ms((uint32_t)strtoul(act + sizeof slow - 1, NULL, 10));
        return;
    }
    perform_end(act, holds);
    if (strcmp(act, "close") == 0 || perform_nack(act, connection)) {
        return;
    }
    if (!perform_lie(act, nonce, connection)) {
        exit(64);
    }
    if (goes_on) {
        struct frame frame;
        frame_ack(&frame, connection);
        frame_send(&frame);
        frame_done(&frame, connection, 0);
        frame_send(&frame);
        exit(0);
    }
    if (!holds) {
        system_hang();
    }
}
