/*
 * Checks on the user's own machine what PROTOCOL.md promises a handler about its process and its
 * socket, and tells the client: "ok N - ..." or "not ok N - ..." for each point, then "1..N".
 * The client just connects and reads; what it says is read and dropped.
 */
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_MAX = 100 };

enum stage { BEFORE_OPEN = 1, WITH_CONNECTION = 2 };

static const struct point {
    const char *promise;
    check_function *check;
    unsigned stages; /* a bit for each */
} points[] = {
    {"standard input is what the hand-off makes it", check_input, BEFORE_OPEN},
    {"nothing is open or inherited but streams 0 to 2 and what is handed over", check_open_handles,
     BEFORE_OPEN | WITH_CONNECTION},
    {"no signal is blocked", check_signal_mask, BEFORE_OPEN},
    {"no signal is ignored", check_signals_ignored, BEFORE_OPEN},
    {"the process leads its group, or is in a job", check_group, BEFORE_OPEN},
    {"the channel's variables are gone from the environment", check_environment, WITH_CONNECTION},
    {"the channel is not inheritable", check_channel_inheritance, WITH_CONNECTION},
    {"the socket is not inheritable", check_socket_inheritance, WITH_CONNECTION},
    {"getpeername says what the offer said", check_peer_name, WITH_CONNECTION},
    {"getsockname says what the offer said", check_own_name, WITH_CONNECTION},
    {"receiving blocks while there is nothing to read", check_blocking, WITH_CONNECTION},
    {"the socket has no event registration", check_event_registration, WITH_CONNECTION},
    {"shutdown works", check_shutdown, WITH_CONNECTION},
    {"the socket can be bound to a completion port", check_completion_port, WITH_CONNECTION},
};

enum { POINT_COUNT = sizeof points / sizeof *points };

static struct subject subject;
static struct verdict verdicts[POINT_COUNT];

void judge(struct verdict *verdict, bool holds, const char *format, ...) {
    va_list arguments;
    verdict->what = holds ? VERDICT_OK : VERDICT_NOT_OK;
    verdict->why[0] = '\0';
    if (holds)
        return;
    va_start(arguments, format);
    vsnprintf(verdict->why, sizeof verdict->why, format, arguments);
    va_end(arguments);
}

void skip(struct verdict *verdict, const char *why) {
    verdict->what = VERDICT_SKIP;
    snprintf(verdict->why, sizeof verdict->why, "%s", why);
}

static void run_stage(enum stage stage) {
    for (size_t i = 0; i < POINT_COUNT; i++)
        if ((points[i].stages & stage) != 0)
            points[i].check(&subject, &verdicts[i]);
}

static int report(struct baton_connection *connection, size_t i) {
    char line[400];
    int length =
        snprintf(line, sizeof line, "%s %zu - %s%s%s\n",
                 verdicts[i].what == VERDICT_NOT_OK ? "not ok" : "ok", i + 1, points[i].promise,
                 verdicts[i].what == VERDICT_SKIP     ? " # SKIP "
                 : verdicts[i].what == VERDICT_NOT_OK ? ": "
                                                      : "",
                 verdicts[i].why);
    return baton_send(connection, line, (size_t)length);
}

/* The status is the number of points that do not hold. */
static int examine(struct baton_connection *connection) {
    char plan[32];
    int failed_count = 0;
    subject.connection = connection;
    run_stage(WITH_CONNECTION);
    for (size_t i = 0; i < POINT_COUNT; i++) {
        failed_count += verdicts[i].what == VERDICT_NOT_OK;
        if (report(connection, i) != 0)
            return STATUS_MAX;
    }
    int length = snprintf(plan, sizeof plan, "1..%d\n", (int)POINT_COUNT);
    return baton_send(connection, plan, (size_t)length) != 0 ? STATUS_MAX : failed_count;
}

/* The environment before baton_open() has taken its part of it. */
static void look_around(void) {
    const char *channel = getenv("BATON_CHANNEL"), *listeners = getenv("LISTEN_FDS");
    unsigned in = 0, out = 0, count = 0;
    subject.mode = getenv("BATON_ID") != NULL ? MODE_STDIO : MODE_FOREIGN;
    if (channel != NULL && sscanf(channel, "%u,%u", &in, &out) == 2)
        subject.mode = MODE_CHANNEL;
    else if (subject.mode == MODE_STDIO && listeners != NULL &&
             sscanf(listeners, "%u", &count) == 1)
        subject.mode = MODE_LISTENER;
    subject.channel_in = in;
    subject.channel_out = out;
    subject.listener_count = count;
}

int main(void) {
    look_around();
    run_stage(BEFORE_OPEN);
    return baton_serve(examine);
}
