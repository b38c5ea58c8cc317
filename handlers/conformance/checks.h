/*
 * The points that the conformance handler looks at. posix/ and win32/ are two bodies of them: each
 * function writes its verdict, and says SKIP where its system has no such thing.
 */
#ifndef BATON_CONFORMANCE_CHECKS_H
#define BATON_CONFORMANCE_CHECKS_H

#include "baton.h"

#include <stdbool.h>

struct verdict {
    enum { VERDICT_OK, VERDICT_NOT_OK, VERDICT_SKIP } what;
    char why[200]; /* "" when there is nothing to say */
};

/* Who started us, and how the socket came. What batond promises is not what others do. */
enum mode { MODE_CHANNEL, MODE_STDIO, MODE_LISTENER, MODE_FOREIGN };

/* What is looked at. */
struct subject {
    enum mode mode;
    uint32_t listener_count;             /* LISTENER: how many, as descriptors from 3 on */
    uint32_t channel_in, channel_out;    /* the numbers of BATON_CHANNEL */
    struct baton_connection *connection; /* NULL before a connection is there */
};

typedef void check_function(const struct subject *subject, struct verdict *verdict);

/* Before baton_open(): the process as it was started. (checks_process.c) */
check_function check_input, check_signal_mask, check_signals_ignored, check_group;

/* Before baton_open(), and again with a connection: writes its verdict at one of them, and else
 * leaves it alone. (checks_process.c) */
check_function check_open_handles;

/* After baton_open(). (checks_process.c) */
check_function check_environment, check_channel_inheritance;

/* The socket's names, as the system tells them: one text for both systems. (checks_names.c) */
check_function check_peer_name, check_own_name;

/* The socket (checks_socket.c). The last three change it and come in this order at the end. */
check_function check_socket_inheritance, check_event_registration, check_blocking, check_shutdown,
    check_completion_port;

/* Sets the verdict: OK if `holds`, otherwise NOT_OK with the words of printf's `format`. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void judge(struct verdict *verdict, bool holds, const char *format, ...);

void skip(struct verdict *verdict, const char *why);

#endif
