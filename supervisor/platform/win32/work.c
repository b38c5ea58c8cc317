/*
 * What takes long, in a thread of its own.
 * https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-createthread
 */
#include "internal.h"

#include <stdlib.h>

#define STACK_BYTES (1024u * 1024u)
#define END_WAIT_MS 1000

static DWORD WINAPI run(void *argument) {
    struct work *work = argument;
    work->work(work->context);
    win32_packet_post(work->port, PACKET_WORK, 0, 0);
    return 0;
}

int platform_work_start(struct platform *platform, void (*work)(void *context), void *context,
                        uint64_t token, struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    if (platform->work != NULL) {
        return BATON_AGAIN;
    }
    struct work *own = calloc(1, sizeof *own);
    if (own == NULL) {
        return BATON_SHORTAGE;
    }
    *own = (struct work){.port = platform->port, .work = work, .context = context, .token = token};
    own->thread =
        CreateThread(NULL, STACK_BYTES, run, own, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (own->thread == NULL) {
        free(own);
        return win32_cause_last(cause, "CreateThread");
    }
    platform->work = own;
    return BATON_OK;
}

bool platform_work_end(struct platform *platform) {
    struct work *own = platform->work;
    if (own != NULL && WaitForSingleObject(own->thread, END_WAIT_MS) == WAIT_OBJECT_0) {
        CloseHandle(own->thread);
        free(own);
        platform->work = NULL;
    }
    return platform->work == NULL;
}

/* Behind its packet the thread only returns. */
bool win32_work_event(struct platform *platform, struct platform_event *event) {
    if (platform->work == NULL) {
        return false;
    }
    *event = (struct platform_event){PLATFORM_EVENT_WORKED, platform->work->token};
    return platform_work_end(platform);
}
