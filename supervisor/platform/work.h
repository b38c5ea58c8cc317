/*
 * What takes long, beside the loop: a part of platform.h, whose rules hold here too.
 */
#ifndef BATON_PLATFORM_WORK_H
#define BATON_PLATFORM_WORK_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct platform;

/* Has another thread call `work` with `context`, once, one such thing at a time; the loop goes on,
 * and a WORKED event with `token` comes when that has returned. Until then `context`, and all that
 * the work changes, is the work's alone. It has a stack of 1 MiB. BATON_OK; BATON_AGAIN: there is
 * one under way; BATON_SHORTAGE, BATON_SYSTEM. pthread_create(3), CreateThread. */
int platform_work_start(struct platform *platform, void (*work)(void *context), void *context,
                        uint64_t token, struct baton_cause *cause);

/* Before the platform is closed: ends the program that it asks (platform_ask_program()), and waits
 * for what is under way, a second at most. False if it goes
 * on, until the process ends: then `context` and what it points to stay its own. */
bool platform_work_end(struct platform *platform);

#endif
