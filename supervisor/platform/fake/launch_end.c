/* The end of a launch that takes its time. */
#include "platform/fake/internal.h"

#include <stdlib.h>

static void take_out(struct platform_process *p) {
    struct platform_process **link = &fake_world.launching;
    while (*link != NULL && *link != p) {
        link = &(*link)->next_launching;
    }
    if (*link == NULL) {
        fake_wrong("the end of a launch that is over");
        return;
    }
    *link = p->next_launching;
    p->face.is_launching = p->is_launching = false;
    fake_world.launchers_due = true;
}

void fake_launch_leave(struct platform_process *p) {
    take_out(p);
    platform_stream_close(&p->launched.input);
    platform_stream_close(&p->launched.output);
    if (p->launch_code != BATON_OK) {
        free(p);
    }
}

int platform_launch_end(struct platform_process **process, struct platform_launched *out,
                        struct baton_cause *cause) {
    struct platform_process *p = *process;
    if (p->is_launching) {
        fake_wrong("the end of a launch that was not told");
    }
    take_out(p);
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
