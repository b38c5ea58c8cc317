/* The end of a launch that takes its time. */
#include "platform/fake/internal.h"

#include <stdlib.h>

int platform_launch_end(struct platform_process **process, struct platform_launched *out,
                        struct baton_cause *cause) {
    struct platform_process *p = *process;
    struct platform_process **link = &fake_world.launching;
    while (*link != NULL && *link != p) {
        link = &(*link)->next_launching;
    }
    if (*link == NULL || p->is_launching) {
        fake_wrong("the end of a launch that is over, or was not told");
    }
    *link = p->next_launching;
    fake_world.launchers_due = true;
    *out = p->launched;
    *cause = p->launch_cause;
    out->socket = PLATFORM_SOCKET_NONE;
    int code = p->launch_code;
    if (code != BATON_OK && platform_socket_is_open(p->taken)) {
        fake_world.clients[p->taken.value - 1]->face.supervisor_has = true;
        out->socket = p->taken;
    }
    if (code != BATON_OK) {
        free(p);
        *process = NULL;
    }
    return code;
}
