/* Which variables of the supervisor's environment are never a handler's. */
#ifndef BATON_BASE_ENVIRONMENT_H
#define BATON_BASE_ENVIRONMENT_H

#include <stdbool.h>

/* True if `variable`, a name or NAME=VALUE, speaks of the supervisor itself, or is made by it: its
 * starter's messages (systemd.exec(5), sd_notify(3)), and what its own channel and listeners are
 * called. Whatever the case of its letters. */
bool environment_is_private(const char *variable);

#endif
