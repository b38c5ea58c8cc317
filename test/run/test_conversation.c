/*
 * The conversations of conversations.txt that test a supervisor, each with the pool: the handlers
 * and clients do what stands there, and the supervisor has to say what stands there, and no more.
 * Those of one system alone are not for here (test/conversation, test/integration).
 */
#include "conversation.h"
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = 16, PROCESSES = 4, FRAMES = 16, RUN_MS = 20000, UNKNOWN_NUMBER = 4000000 };

struct said {
    uint8_t type; /* 0: the end of the channel */
    uint32_t label;
};

/* What the test knows of a process that was launched. */
struct partner {
    struct said said[FRAMES]; /* what the supervisor said to it and no step has looked at */
    uint32_t said_count;
    bool has_ended;           /* the supervisor has closed the channel, and that is in `said` */
    bool has_greeted;         /* it has said HELLO, and reads from then on */
    uint32_t early_label;     /* of what it was offered before, and finds then; 0 = nothing */
    uint32_t numbers[LABELS]; /* connection numbers by label; 0 = was not offered */
    bool has_copy[LABELS];    /* of that client's socket */
    uint32_t terminate_count, kill_count;
};

static const struct conversation *conversation;
static struct partner partners[PROCESSES];
static uint32_t clients[LABELS]; /* by label; FAKE_NONE */
static bool is_taken[LABELS];    /* from a listener */
static size_t at;                /* next step */
static uint64_t until_us;        /* the time of a step passes; 0 = none does */

static void wrong(const char *what) {
    const struct conversation_step *step =
        &conversation->steps[at < conversation->step_count ? at : conversation->step_count - 1];
    fprintf(stderr, "%s, line %u:", conversation->name, step->line);
    for (size_t i = 0; i < step->word_count; i++) {
        fprintf(stderr, " %s", step->words[i]);
    }
    fprintf(stderr, ": %s\nlog:\n%s\n", what, fake_log());
    fail();
}

static uint32_t label_of(const struct conversation_step *step, size_t word) {
    unsigned long label = word < step->word_count ? strtoul(step->words[word], NULL, 10) : 0;
    if (label == 0 || label >= LABELS) {
        wrong("a label from 1 on is missing");
    }
    return (uint32_t)label;
}

/* ---- What the supervisor says ---- */

static void note(struct partner *partner, uint8_t type, uint32_t label) {
    assert_true(partner->said_count < FRAMES);
    partner->said[partner->said_count++] = (struct said){type, label};
}

static uint32_t label_of_number(const struct partner *partner, uint32_t number) {
    for (uint32_t i = 1; i < LABELS; i++) {
        if (number != 0 && partner->numbers[i] == number) {
            return i;
        }
    }
    return 0;
}

/* Whose socket it is. What is offered as a listener is the first client's in its conversation. */
static uint32_t label_of_client(uint32_t client) {
    for (uint32_t i = 1; i < LABELS && client != FAKE_NONE; i++) {
        if (clients[i] == client) {
            return i;
        }
    }
    return 1;
}

static void hear(uint32_t process, const struct fake_frame *frame) {
    struct partner *partner = &partners[process];
    struct wire_message message;
    assert_int_equal(wire_decode(frame->bytes, frame->length, WIRE_FROM_SUPERVISOR, &message),
                     WIRE_OK);
    if (message.type == WIRE_OFFER) {
        uint32_t label = label_of_client(frame->client);
        partner->numbers[label] = message.connection;
        partner->has_copy[label] = frame->client != FAKE_NONE;
        if (partner->has_greeted) {
            note(partner, message.type, label);
        } else {
            partner->early_label = label;
        }
    } else if ((message.type & 0x80) == 0) {
        note(partner, message.type, label_of_number(partner, message.connection));
    }
}

static void hear_all(void) {
    for (uint32_t i = 0; i < fake_process_count() && i < PROCESSES; i++) {
        struct fake_frame frame;
        int result;
        while ((result = fake_handler_receive(i, &frame)) == BATON_OK) {
            hear(i, &frame);
        }
        if (result == BATON_END && !partners[i].has_ended) {
            partners[i].has_ended = true;
            note(&partners[i], 0, 0);
        }
    }
}

static void expect_said(struct partner *partner, uint8_t type, uint32_t label) {
    if (partner->said_count == 0) {
        wrong("it says nothing");
    }
    if (partner->said[0].type != type || partner->said[0].label != label) {
        fprintf(stderr, "type %u about %u\n", partner->said[0].type, partner->said[0].label);
        wrong("it says something else");
    }
    partner->said_count--;
    memmove(partner->said, partner->said + 1, partner->said_count * sizeof partner->said[0]);
}

static void expect(const struct conversation_step *step, uint32_t process) {
    struct partner *partner = &partners[process];
    const char *what = step->words[1];
    if (process >= fake_process_count()) {
        wrong("no process was launched");
    }
    if (strcmp(what, "ends") == 0) {
        expect_said(partner, 0, 0);
    } else if (strcmp(what, "terminates") == 0) {
        if (fake_process(process)->terminate_count != ++partner->terminate_count) {
            wrong("it was not asked to terminate");
        }
    } else if (strcmp(what, "kills") == 0) {
        if (fake_process(process)->kill_count != ++partner->kill_count) {
            wrong("it was not killed");
        }
    } else if (strcmp(what, "may") != 0) {
        expect_said(partner, conversation_type(what), conversation_label(step, 1));
    } else if (partner->said_count > 0 &&
               partner->said[0].type == conversation_type(step->words[2])) {
        expect_said(partner, partner->said[0].type, conversation_label(step, 2));
    }
}

/* ---- What handlers do ---- */

static void close_copy(uint32_t process, uint32_t label) {
    if (label < LABELS && partners[process].has_copy[label]) {
        partners[process].has_copy[label] = false;
        fake_handler_close_client(process, clients[label]);
    }
}

static void greet(struct partner *partner) {
    partner->has_greeted = true;
    if (partner->early_label != 0) {
        note(partner, WIRE_OFFER, partner->early_label);
    }
}

static void say(const struct conversation_step *step, uint32_t process) {
    size_t first = strcmp(step->words[1], "may") == 0 ? 2 : 1;
    if (strcmp(step->words[first], "HELLO") == 0 && !partners[process].has_greeted) {
        greet(&partners[process]);
    }
    uint32_t label = conversation_label(step, first);
    uint8_t nonce[WIRE_NONCE_BYTES] = {0}, frame[CONVERSATION_FRAME_BYTES];
    assert_true(wire_nonce_parse(fake_process(process)->nonce_hex, nonce));
    struct conversation_speaker speaker = {.nonce = nonce, .pid = fake_process(process)->pid};
    speaker.number = label < LABELS ? partners[process].numbers[label] : 0;
    speaker.number = speaker.number == 0 ? UNKNOWN_NUMBER + label : speaker.number;
    if (strcmp(step->words[first], "DONE") == 0 || strcmp(step->words[first], "NACK") == 0) {
        close_copy(process, label);
    }
    size_t length = conversation_frame(step, first, &speaker, frame);
    fake_handler_send(process, frame, length, 0); /* in vain if the channel has ended */
}

static void act(const struct conversation_step *step, uint32_t process) {
    const char *what = step->words[1];
    if (process >= fake_process_count() || !fake_process(process)->is_alive) {
        wrong("it does not live");
    }
    if (strcmp(what, "ends") == 0) {
        fake_handler_close_channel(process);
    } else if (strcmp(what, "exits") == 0 || strcmp(what, "dies") == 0) {
        fake_handler_exit(process, what[0] == 'd', (uint32_t)strtoul(step->words[2], NULL, 10));
    } else {
        say(step, process);
    }
}

/* ---- What clients do ---- */

static void take(uint32_t label) {
    if (!is_taken[label] && fake_handler_take(0) == clients[label]) {
        is_taken[label] = true;
        partners[0].has_copy[label] = true;
    }
}

static void expect_end(uint32_t label) {
    for (uint32_t i = 0; i < PROCESSES; i++) {
        close_copy(i, label);
    }
    if (fake_client(clients[label])->supervisor_has ||
        fake_client(clients[label])->copy_count != 0) {
        wrong("somebody has its socket");
    }
}

static void play_client(struct scene *scene, const struct conversation_step *step) {
    uint32_t label = label_of(step, 1);
    const char *what = step->words[2];
    enum service_protocol protocol = scene->services[0].protocol;
    if (strcmp(what, "connects") == 0) {
        clients[label] =
            protocol == PROTOCOL_UDP ? fake_datagram(SCENE_PORT) : fake_connect(SCENE_PORT);
    } else if (strcmp(what, "resets") == 0) {
        fake_reset(clients[label]);
    } else if (protocol == PROTOCOL_UDP) {
        /* The handler takes them all, as far as the pool is concerned. */
        if (strcmp(what, "receives") == 0 && !is_taken[label]) {
            is_taken[label] = fake_handler_take(0) == clients[label];
        }
    } else if (strcmp(what, "receives") == 0 || strcmp(what, "sees") == 0) {
        if (scene->services[0].handoff == HANDOFF_LISTENER) {
            take(label);
        }
        if (strcmp(what, "sees") == 0) {
            expect_end(label);
        }
    }
    /* What they send is between them and the handler. */
}

/* ---- The script ---- */

static uint32_t process_of(const char *who) {
    const char *dash = strchr(who, '-');
    uint32_t process = dash == NULL ? 0 : (uint32_t)(dash[1] - 'a');
    if (process >= PROCESSES) {
        wrong("an unknown process");
    }
    return process;
}

static void let_pass(const struct scene *scene, const struct conversation_step *step) {
    const char *what = step->words[1];
    uint32_t ms = strcmp(what, "handshake") == 0 ? HANDSHAKE_MS
                  : strcmp(what, "stop") == 0    ? STOP_MS
                                                 : RUN_MS;
    until_us = fake_now_us() + ms * UINT64_C(1000);
    if (scene->deadline_us != until_us) {
        wrong("the supervisor waits for another moment");
    }
}

static bool is_handler(const struct conversation_step *step) {
    return strncmp(step->words[0], "handler", 7) == 0;
}

/* Does the step. True if the supervisor must look before the next one. */
static bool do_step(struct scene *scene, const struct conversation_step *step) {
    const char *who = step->words[0];
    bool next_is_handler = at + 1 < conversation->step_count &&
                           is_handler(&conversation->steps[at + 1]) &&
                           strcmp(conversation->steps[at + 1].words[0], who) == 0;
    if (strcmp(who, "client") == 0) {
        play_client(scene, step);
    } else if (is_handler(step)) {
        act(step, process_of(who));
        return !next_is_handler;
    } else if (strncmp(who, "supervisor", 10) == 0) {
        expect(step, process_of(who));
        return false;
    } else if (strcmp(who, "operator") == 0) {
        scene_stop(scene);
    } else if (strcmp(who, "time") == 0) {
        let_pass(scene, step);
    } else {
        wrong("an unknown word");
    }
    return true;
}

/* Nobody has said or done more than what stands there. */
static void check_over(void) {
    uint32_t count = 1;
    for (size_t i = 0; i < conversation->step_count; i++) {
        const char *who = conversation->steps[i].words[0];
        uint32_t process = is_handler(&conversation->steps[i]) ? process_of(who) : 0;
        count = process >= count ? process + 1 : count;
    }
    if (fake_process_count() != count) {
        wrong("there were more processes");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (fake_process(i)->kill_count != partners[i].kill_count ||
            fake_process(i)->terminate_count != partners[i].terminate_count) {
            wrong("a process was ended");
        }
        /* When it has ended it does not matter whether the channel was before, nor whether it has
         * had what was offered to it before its HELLO. */
        if (partners[i].said_count > 0 && partners[i].early_label != 0 &&
            partners[i].said[0].type == WIRE_OFFER) {
            expect_said(&partners[i], WIRE_OFFER, partners[i].early_label);
        }
        while (partners[i].said_count > 0) {
            expect_said(&partners[i], 0, 0);
        }
    }
}

/* They are for afterwards. */
static void skip_records(void) {
    while (at < conversation->step_count &&
           strcmp(conversation->steps[at].words[0], "record") == 0) {
        at++;
    }
}

static bool play(struct scene *scene) {
    hear_all();
    until_us = fake_now_us() >= until_us ? 0 : until_us;
    while (until_us == 0 && at < conversation->step_count) {
        const struct conversation_step *step = &conversation->steps[at];
        bool must_look = do_step(scene, step);
        at++;
        skip_records(); /* now, since nobody asks again when everything has ended */
        if (until_us == 0 && must_look) {
            return true;
        }
    }
    if (until_us != 0) {
        return false; /* the clock goes there */
    }
    scene->line = -1;
    return true;
}

/* ---- The world of a conversation ---- */

static bool has_step(const char *first, const char *second) {
    for (size_t i = 0; i < conversation->step_count; i++) {
        const struct conversation_step *step = &conversation->steps[i];
        for (size_t k = 0; k + 1 < step->word_count; k++) {
            if (strcmp(step->words[k], first) == 0 && strcmp(step->words[k + 1], second) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void prepare(struct scene *scene) {
    memset(partners, 0, sizeof partners);
    memset(is_taken, 0, sizeof is_taken);
    memset(clients, 0xff, sizeof clients);
    at = 0;
    until_us = 0;
    scene_stage(scene, &play_deaf, play);
    scene->client_count = 0;
    struct service *service = &scene->services[0];
    service->reuse_count = conversation->reuse_count;
    service->max_runtime_ms = has_step("time", "run") ? RUN_MS : 0;
    bool is_listener = conversation_has_word(conversation, "kind=2"),
         is_datagram = conversation_has_word(conversation, "kind=3");
    if (is_listener || is_datagram) {
        fake_as_on_windows(true);
        scene_mode(scene, 0, HANDOFF_LISTENER, is_datagram ? PROTOCOL_UDP : PROTOCOL_TCP, true);
    }
}

static void check_record(const struct conversation_step *step) {
    uint32_t client = clients[label_of(step, 1)];
    uint64_t id = client == FAKE_NONE ? 1 : fake_client(client)->accepted_number;
    const char *line = lines_record(id);
    if (line == NULL) {
        wrong("there is no record");
        return;
    }
    if (strcmp(lines_value(line, "outcome"), step->words[2]) != 0) {
        wrong("it has another outcome");
    }
    for (size_t i = 3; i < step->word_count; i++) {
        char *equals = strchr(step->words[i], '=');
        assert_non_null(equals);
        *equals = '\0';
        if (strcmp(lines_value(line, step->words[i]), equals + 1) != 0) {
            wrong("it has another value");
        }
        *equals = '=';
    }
}

static void hold(bool offers_late) {
    struct scene scene;
    prepare(&scene);
    fake_offers_late(offers_late);
    scene_run(&scene);
    /* What the supervisor does at last nobody asks for any more. */
    hear_all();
    for (; at < conversation->step_count && conversation->steps[at].words[0][0] == 's'; at++) {
        expect(&conversation->steps[at], process_of(conversation->steps[at].words[0]));
    }
    skip_records();
    if (at < conversation->step_count) {
        wrong("it was not played to its end");
    }
    check_over();
    for (at = 0; at < conversation->step_count; at++) {
        const struct conversation_step *step = &conversation->steps[at];
        if (strcmp(step->words[0], "record") == 0) {
            check_record(step);
        }
    }
    scene_clear(&scene);
}

static void test_conversations(void **state) {
    uint32_t count = 0;
    const char *only = getenv("BATON_CONVERSATION");
    (void)state;
    conversations_open();
    while ((conversation = conversations_next()) != NULL) {
        if (strcmp(conversation->tests, "handler") == 0 || conversation->system[0] != '\0' ||
            (only != NULL && strcmp(only, conversation->name) != 0)) {
            continue;
        }
        hold(true);
        if (conversation->reuse_count == 1) {
            hold(false);
        }
        count++;
    }
    conversations_close();
    assert_true(count >= (only != NULL ? 1 : 60));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conversations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
