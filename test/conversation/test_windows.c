/*
 * libbaton for Windows in the conversations that test handlers. The drill runs in a thread of this
 * process, since Wine takes long to start one: so those in which it exits by itself or a second
 * process is launched are not for here, and what a breach leaves of a socket in this process is not
 * looked at. POSIX has all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../run/conversation.h"
#include "../unit/sdk/test_sdk_supervisor_win32.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = 16, DEADLINE_MS = 10000, TEXT_BYTES = 256 };

int drill_main(void);

static const struct conversation *conversation;
static const struct conversation_step *step;
static struct supervisor supervisor;
static HANDLE handler; /* the drill's thread; NULL = not yet */
static SOCKET listener;
static struct sockaddr_in listener_address;
static SOCKET clients[LABELS];
static SOCKET copies[LABELS];   /* what we have of what is offered */
static uint8_t allowed[LABELS]; /* types that it may say */
static size_t allowed_count;

static void wrong(const char *what) {
    fprintf(stderr, "%s, line %u:", conversation->name, step->line);
    for (size_t i = 0; i < step->word_count; i++) {
        fprintf(stderr, " %s", step->words[i]);
    }
    fprintf(stderr, ": %s\n", what);
    fail();
}

static DWORD WINAPI run_drill(void *context) {
    (void)context;
    return (DWORD)drill_main();
}

/* ---- The handler ---- */

/* Until something can be read from the pipe. False at its end. */
static bool await_bytes(void) {
    DWORD waiting = 0;
    for (ULONGLONG end_ms = GetTickCount64() + DEADLINE_MS; waiting == 0; Sleep(1)) {
        if (!PeekNamedPipe(supervisor.read, NULL, 0, NULL, &waiting, NULL)) {
            return false;
        }
        if (waiting > 0) {
            return true;
        }
        if (GetTickCount64() > end_ms) {
            wrong("it says nothing");
        }
    }
    return true;
}

/* The number of NAME=N of the step, or `otherwise`. */
static uint32_t wanted(const char *name, uint32_t otherwise) {
    size_t length = strlen(name);
    for (size_t i = 0; i < step->word_count; i++) {
        if (strncmp(step->words[i], name, length) == 0 && step->words[i][length] == '=') {
            return (uint32_t)strtoul(step->words[i] + length + 1, NULL, 10);
        }
    }
    return otherwise;
}

static void forget(uint32_t label) {
    if (copies[label] != INVALID_SOCKET) {
        closesocket(copies[label]);
        copies[label] = INVALID_SOCKET;
    }
}

/* The type of what it says next, for which it may have been allowed; 0 at the end. */
static struct wire_message hear(uint8_t type) {
    for (;;) {
        if (!await_bytes()) {
            return (struct wire_message){.type = 0};
        }
        struct wire_message message = supervisor_hear(&supervisor);
        size_t i = 0;
        while (i < allowed_count && allowed[i] != message.type) {
            i++;
        }
        if (message.type == type || i == allowed_count) {
            return message;
        }
        allowed[i] = allowed[--allowed_count];
    }
}

static void expect_frame(const char *name) {
    uint8_t type = conversation_type(name);
    struct wire_message message = hear(type);
    uint32_t label = conversation_label(step, 1);
    if (message.type != type || message.connection != label) {
        fprintf(stderr, "type %u, connection %u\n", message.type, (unsigned)message.connection);
        wrong("it says something else");
    }
    if (message.status != wanted("status", message.status) ||
        message.reason != wanted("reason", message.reason) ||
        message.capacity != wanted("capacity", message.capacity)) {
        wrong("it says something else of it");
    }
    if (type == WIRE_ACK && clients[label] != INVALID_SOCKET) {
        forget(label);
    }
}

static void expect_exit(void) {
    DWORD code = 99;
    if (WaitForSingleObject(handler, DEADLINE_MS) != WAIT_OBJECT_0) {
        wrong("it does not exit");
    }
    assert_true(GetExitCodeThread(handler, &code));
    CloseHandle(handler);
    handler = NULL;
    for (size_t i = 2; i < step->word_count; i++) {
        if (code == strtoul(step->words[i], NULL, 10)) {
            return;
        }
    }
    if (step->word_count > 2) {
        wrong("its exit code is another");
    }
}

static void watch(void) {
    const char *what = step->words[1];
    if (handler == NULL) {
        handler = CreateThread(NULL, 0, run_drill, NULL, 0, NULL);
        assert_non_null(handler);
    }
    if (strcmp(what, "may") == 0) {
        allowed[allowed_count++] = conversation_type(step->words[2]);
    } else if (strcmp(what, "exits") == 0) {
        expect_exit();
    } else if (strcmp(what, "ends") == 0) {
        if (hear(0).type != 0) {
            wrong("it goes on");
        }
    } else {
        expect_frame(what);
    }
}

/* ---- The supervisor ---- */

static SOCKET bound_socket(bool is_datagram) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (!is_datagram) {
        return listen_somewhere(&address);
    }
    SOCKET made = socket(AF_INET, SOCK_DGRAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(made, (struct sockaddr *)&address, sizeof address), 0);
    return made;
}

static SOCKET place(uint32_t label) {
    if (copies[label] == INVALID_SOCKET) {
        copies[label] = bound_socket(conversation_has_word(conversation, "kind=3"));
    }
    return copies[label];
}

static bool step_has(const char *word) {
    for (size_t i = 0; i < step->word_count; i++) {
        if (strcmp(step->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void act(void) {
    size_t first = strcmp(step->words[1], "may") == 0 ? 2 : 1;
    uint8_t frame[CONVERSATION_FRAME_BYTES];
    WSAPROTOCOL_INFOW info;
    if (strcmp(step->words[first], "ends") == 0) {
        supervisor_end(&supervisor);
        return;
    }
    uint32_t label = conversation_label(step, first);
    struct conversation_speaker speaker = {.number = label};
    if (strcmp(step->words[first], "OFFER") == 0 && !step_has("with=nothing")) {
        bool is_place = step_has("kind=2") || step_has("kind=3");
        SOCKET offered = is_place ? place(label) : copies[label];
        assert_int_equal(WSADuplicateSocketW(offered, GetCurrentProcessId(), &info), 0);
        speaker.protocol_info = (const uint8_t *)&info;
    }
    size_t length = conversation_frame(step, first, &speaker, frame);
    DWORD sent = 0;
    WriteFile(supervisor.write, frame, (DWORD)length, &sent, NULL); /* in vain at the end */
}

/* ---- Clients ---- */

static void connect_client(uint32_t label) {
    struct sockaddr_in address = listener_address;
    bool is_datagram = conversation_has_word(conversation, "kind=3"),
         has_place = step->word_count > 3;
    DWORD deadline_ms = DEADLINE_MS;
    int length = sizeof address;
    if (has_place) {
        uint32_t number = (uint32_t)strtoul(step->words[4], NULL, 10);
        assert_int_equal(getsockname(place(number), (struct sockaddr *)&address, &length), 0);
    }
    clients[label] = socket(AF_INET, is_datagram && has_place ? SOCK_DGRAM : SOCK_STREAM, 0);
    setsockopt(clients[label], SOL_SOCKET, SO_RCVTIMEO, (const char *)&deadline_ms,
               sizeof deadline_ms);
    assert_int_equal(connect(clients[label], (struct sockaddr *)&address, sizeof address), 0);
    if (!has_place) {
        copies[label] = accept(listener, NULL, NULL);
        assert_true(copies[label] != INVALID_SOCKET);
    }
}

static void receive(uint32_t label) {
    char text[TEXT_BYTES], got[TEXT_BYTES];
    int length = (int)conversation_text(step->words[3], text, sizeof text), had = 0;
    while (had < length) {
        int more = recv(clients[label], got + had, length - had, 0);
        if (more <= 0) {
            wrong("nothing more comes");
        }
        had += more;
    }
    assert_memory_equal(got, text, (size_t)length);
}

static void see_end(uint32_t label) {
    char byte;
    forget(label);
    /* A socket that was not built from what described it stays in this process. */
    if (strncmp(conversation->name, "wrong-", 6) == 0) {
        return;
    }
    int got = recv(clients[label], &byte, 1, 0);
    if (got > 0 || (got < 0 && WSAGetLastError() != WSAECONNRESET)) {
        wrong("it sees no end");
    }
}

static void play_client(void) {
    uint32_t label = (uint32_t)strtoul(step->words[1], NULL, 10);
    const char *what = step->words[2];
    assert_in_range(label, 1, LABELS - 1);
    if (strcmp(what, "connects") == 0) {
        connect_client(label);
    } else if (strcmp(what, "sends") == 0) {
        char text[TEXT_BYTES];
        int length = (int)conversation_text(step->words[3], text, sizeof text);
        assert_int_equal(send(clients[label], text, length, 0), length);
    } else if (strcmp(what, "ends") == 0) {
        assert_int_equal(shutdown(clients[label], SD_SEND), 0);
    } else if (strcmp(what, "resets") == 0) {
        const struct linger linger = {.l_onoff = 1};
        setsockopt(clients[label], SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof linger);
        closesocket(clients[label]);
        clients[label] = INVALID_SOCKET;
    } else if (strcmp(what, "receives") == 0) {
        receive(label);
    } else {
        see_end(label);
    }
}

/* ---- The conversations ---- */

static bool is_for_here(void) {
    if (strcmp(conversation->tests, "supervisor") == 0 ||
        strcmp(conversation->system, "posix") == 0) {
        return false;
    }
    for (size_t i = 0; i < conversation->step_count; i++) {
        const struct conversation_step *one = &conversation->steps[i];
        bool has_second = strcmp(one->words[0], "handler-b") == 0;
        bool exits = one->word_count > 3 && strncmp(one->words[3], "exit ", 5) == 0;
        if (has_second || exits) {
            return false;
        }
    }
    return !conversation->needs_other;
}

static void hold(void) {
    for (size_t i = 0; i < LABELS; i++) {
        clients[i] = copies[i] = INVALID_SOCKET;
    }
    allowed_count = 0;
    supervisor_start(&supervisor);
    for (size_t i = 0; i < conversation->step_count; i++) {
        step = &conversation->steps[i];
        if (strcmp(step->words[0], "client") == 0) {
            play_client();
        } else if (strcmp(step->words[0], "handler") == 0) {
            watch();
        } else if (strcmp(step->words[0], "supervisor") == 0) {
            act();
        }
    }
    assert_null(handler);
    for (uint32_t i = 0; i < LABELS; i++) {
        forget(i);
        if (clients[i] != INVALID_SOCKET) {
            closesocket(clients[i]);
        }
    }
    if (supervisor.write != NULL) {
        supervisor_end(&supervisor);
    }
}

static void test_conversations(void **state) {
    const char *only = getenv("BATON_CONVERSATION");
    uint32_t count = 0;
    (void)state;
    conversations_open();
    while ((conversation = conversations_next()) != NULL) {
        bool is_only_here = strcmp(conversation->system, "windows") == 0;
        assert_true(is_for_here() || !is_only_here); /* nobody else would hold it */
        if (is_for_here() && (only == NULL || strcmp(only, conversation->name) == 0)) {
            hold();
            count++;
        }
    }
    conversations_close();
    assert_true(count >= (only != NULL ? 1 : 50));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conversations)};
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        return 1;
    }
    listener = listen_somewhere(&listener_address);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
