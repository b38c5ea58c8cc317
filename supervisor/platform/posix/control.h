/*
 * An endpoint for control clients, between control.c, which has it, and restart.c.
 */
#ifndef BATON_PLATFORM_POSIX_CONTROL_H
#define BATON_PLATFORM_POSIX_CONTROL_H

#include "platform/platform.h"

struct platform_control {
    struct platform *platform;
    struct platform_listener *listener;
    bool is_for_all;
};

/* What it listens at; `spec` is used until it is closed. */
struct platform_listener_spec posix_control_describe(const struct platform_control_spec *spec);

#endif
