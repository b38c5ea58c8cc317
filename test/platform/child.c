#include "child.h"

#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAME_MAX (WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES)

static uint8_t frame[FRAME_MAX];

__attribute__((format(printf, 1, 2))) static void report(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) {
        child_write(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    }
}

static void send_message(const struct wire_message *message) {
    long length = wire_encode(message, frame, sizeof frame);
    if (length < 0 || !channel_write(frame, (size_t)length)) {
        report("send failed\n");
    }
}

static void send_hello(uint32_t pid) {
    uint8_t nonce[WIRE_NONCE_BYTES];
    const char *digits = child_variable("BATON_NONCE");
    if (digits == NULL || !wire_nonce_parse(digits, nonce)) {
        report("no nonce\n");
        return;
    }
    struct wire_message hello = {.type = WIRE_HELLO, .nonce = nonce, .pid = pid, .capacity = 1};
    hello.has_pid = true;
    send_message(&hello);
}

static void send_done(const char *text) {
    struct wire_message done = {.type = WIRE_DONE, .connection = 1};
    done.text = (struct wire_text){text, strlen(text)};
    send_message(&done);
}

/* As long as anybody has the other end. */
static void retire_for_ever(void) {
    struct wire_message retire = {.type = WIRE_RETIRE};
    long length = wire_encode(&retire, frame, sizeof frame);
    while (channel_write(frame, (size_t)length)) {
    }
}

/* Frames that break the rules: a header that claims `claimed_bytes` of body, of which `sent_bytes`
 * follow. */
static void send_crooked(uint32_t claimed_bytes, size_t sent_bytes) {
    struct wire_message retire = {.type = WIRE_RETIRE};
    wire_encode(&retire, frame, sizeof frame);
    for (int i = 0; i < 4; i++) {
        frame[12 + i] = (uint8_t)(claimed_bytes >> (24 - 8 * i));
    }
    memset(frame + WIRE_HEADER_BYTES, 0, sent_bytes);
    channel_write(frame, WIRE_HEADER_BYTES + sent_bytes);
}

static void read_frame(bool serve) {
    long length = channel_read(frame, sizeof frame);
    struct wire_message message;
    if (length <= 0) {
        report("end\n");
        return;
    }
    if (wire_decode(frame, (size_t)length, WIRE_FROM_SUPERVISOR, &message) != WIRE_OK) {
        report("bad frame\n");
        return;
    }
    report("%s %ld\n", wire_type_name(message.type), length);
    if (serve && !child_serve_socket(message.protocol_info)) {
        report("no socket\n");
    }
}

static void wait_for_end(void) {
    while (channel_read(frame, sizeof frame) > 0) {
    }
    report("end\n");
}

static void print_arguments(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        report("%u:", (unsigned)strlen(argv[i])); /* mingw checks by the old rules: no %zu */
        child_write(argv[i], strlen(argv[i]));
        child_write("\n", 1);
    }
}

/* Many lines of one letter: if two writers were mixed, a line would show it. */
static void print_lines(char letter) {
    char line[100];
    memset(line, letter, sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 200; i++) {
        child_write(line, sizeof line);
    }
}

static void touch_memory(size_t length) {
    volatile char *memory = malloc(length);
    for (size_t i = 0; memory != NULL && i < length; i += 1024) {
        memory[i] = 1;
    }
    free((void *)memory);
}

static void spend_cpu(void) {
    for (clock_t begun = clock(); clock() - begun < CLOCKS_PER_SEC / 20;) {
    }
}

static const char *value_of(const char *action, const char *name) {
    size_t length = strlen(name);
    return strncmp(action, name, length) == 0 && action[length] == ':' ? action + length + 1 : NULL;
}

static bool act_on_value(const char *action) {
    const char *value;
    if ((value = value_of(action, "exit")) != NULL) {
        exit((int)strtoul(value, NULL, 10));
    } else if ((value = value_of(action, "hello")) != NULL) {
        send_hello((uint32_t)strtoul(value, NULL, 10));
    } else if ((value = value_of(action, "done")) != NULL) {
        send_done(value);
    } else if ((value = value_of(action, "print")) != NULL) {
        report("%s\n", value);
    } else if ((value = value_of(action, "error")) != NULL) {
        fprintf(stderr, "%s\n", value);
        fflush(stderr);
    } else if ((value = value_of(action, "lines")) != NULL) {
        print_lines(value[0]);
    } else if ((value = value_of(action, "touch")) != NULL) {
        touch_memory((size_t)strtoul(value, NULL, 10) << 10);
    } else if ((value = value_of(action, "variable")) != NULL) {
        const char *text = child_variable(value);
        report("%s=%s\n", value, text == NULL ? "(unset)" : text);
    } else {
        return false;
    }
    return true;
}

static bool act_on_channel(const char *action) {
    if (strcmp(action, "hello") == 0) {
        send_hello(child_pid());
    } else if (strcmp(action, "garbage") == 0) {
        memset(frame, 'x', 64);
        channel_write(frame, 64);
    } else if (strcmp(action, "torn-header") == 0) {
        channel_write("BATN\1\5\0\0", 8);
    } else if (strcmp(action, "torn-body") == 0) {
        send_crooked(10, 5);
    } else if (strcmp(action, "long-body") == 0) {
        send_crooked(600, 600);
    } else if (strcmp(action, "read") == 0) {
        read_frame(false);
    } else if (strcmp(action, "serve") == 0) {
        read_frame(true);
    } else if (strcmp(action, "wait-for-end") == 0) {
        wait_for_end();
    } else if (strcmp(action, "retire-for-ever") == 0) {
        retire_for_ever();
    } else if (strcmp(action, "close-channel") == 0) {
        channel_shut();
    } else {
        return false;
    }
    return true;
}

static void act(const char *self, const char *action) {
    if (act_on_value(action) || act_on_channel(action) || child_special(action)) {
        return;
    }
    if (strcmp(action, "crash") == 0) {
        child_crash();
    } else if (strcmp(action, "hold") == 0) {
        child_hold();
    } else if (strcmp(action, "prepare-go") == 0) {
        child_prepare_go();
    } else if (strcmp(action, "wait-for-go") == 0) {
        child_wait_for_go();
    } else if (strcmp(action, "spend") == 0) {
        spend_cpu();
    } else if (strcmp(action, "directory") == 0) {
        report("%s\n", child_directory());
    } else if (strcmp(action, "pid") == 0) {
        report("pid %u\n", (unsigned)child_pid());
    } else if (strcmp(action, "grandchild") == 0) {
        child_spawn(self, "hold", false);
    } else if (strcmp(action, "escaped-grandchild") == 0) {
        child_spawn(self, "hold", true);
    } else if (strcmp(action, "escaped-writer") == 0) {
        child_spawn(self, "retire-for-ever", true);
    } else {
        report("unknown action %s\n", action);
        exit(99);
    }
}

int main(int argc, char **argv) {
    argv = child_arguments(argc, argv, &argc);
    if (argc > 2 && strcmp(argv[1], "arguments") == 0) {
        print_arguments(argc - 2, argv + 2);
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        act(child_variable("TEST_SELF"), argv[i]);
    }
    return 0;
}
