/*
 * What validation, and the supervisor, ask of this system.
 */
#ifndef BATON_SYSTEM_H
#define BATON_SYSTEM_H

#include "core/service/service.h"

/* All but where the config is, and which programs run. */
void system_describe(struct service_machine *out);

#endif
