/*
 * What takes long, in a thread of its own. It asks what may wait for others (a
 * file server, who knows the accounts), which is no harm there, as all signals but SIGKILL do: none
 * of its calls is about what handlers have.
 */
#include "platform/posix/work.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (1024u * 1024u)
#define END_WAIT_S 1

static void *run(void *argument) {
    struct posix_work *work = argument;
    const uint64_t one = 1;
    work->work(work->context);
    (void)!write(work->done.descriptor, &one, sizeof one);
    return NULL;
}

static void free_work(struct platform *platform) {
    posix_watch_close(platform, &platform->work->done);
    free(platform->work);
    platform->work = NULL;
}

int platform_work_start(struct platform *platform, void (*work)(void *context), void *context,
                        uint64_t token, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    if (platform->work != NULL) {
        return BATON_AGAIN;
    }
    struct posix_work *own = platform->work = calloc(1, sizeof *own);
    if (own == NULL) {
        return BATON_SHORTAGE;
    }
    own->work = work;
    own->context = context;
    posix_watch_init(&own->done, POSIX_WATCH_WORK, token);
    own->done.descriptor = eventfd(0, EFD_CLOEXEC);
    int result = own->done.descriptor < 0 ? posix_failed(cause, "eventfd")
                                          : posix_watch_begin(platform, &own->done, EPOLLIN, cause);
    if (result == BATON_OK) {
        result = posix_thread_start(&own->thread, STACK_BYTES, run, own, cause);
    }
    if (result != BATON_OK) {
        free_work(platform);
    }
    return result;
}

/* Nothing but its return follows what it has written, so nobody waits here for long. */
void posix_work_take_end(struct platform *platform, struct told *told) {
    pthread_join(platform->work->thread, NULL);
    posix_tell(told, PLATFORM_EVENT_WORKED, platform->work->done.token);
    free_work(platform);
}

bool platform_work_end(struct platform *platform) {
    struct timespec until;
    if (platform->work != NULL) {
        posix_ask_cancel();
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_WAIT_S;
    if (platform->work != NULL && pthread_timedjoin_np(platform->work->thread, NULL, &until) == 0) {
        free_work(platform);
    }
    return platform->work == NULL;
}
