/* Restart: the old program is left where it is, by longjmp(3), and the test runs the next one. Its
 * memory is lost, as it is by execve(2); what it had of the world stays. */
#include "platform/fake/internal.h"

#include <stdlib.h>
#include <string.h>

const bool platform_restarts = true;

static struct {
    struct platform_restarted what; /* `snapshot` is owned */
    bool is_there;
} left;

bool platform_restart_is_quiet(struct platform *platform) {
    (void)platform;
    return fake_world.launching == NULL && fake_world.work.work == NULL;
}

int platform_restart_summon(const char *path, char *const *argv, uint32_t patience_ms, int *code,
                            struct baton_cause *cause) {
    (void)path;
    (void)argv;
    (void)patience_ms;
    *code = 0;
    *cause = (struct baton_cause){NULL, 0};
    return BATON_UNSUPPORTED;
}

int platform_restart_begin(struct platform *platform, struct baton_cause *cause) {
    (void)platform;
    return fake_try(FAKE_RESTART, cause);
}

void platform_restart_cancel(struct platform *platform) {
    (void)platform;
}

/* What does not outlive a process. */
static void leave_rest(void) {
    struct fake_world *w = &fake_world;
    for (struct platform_program *p = w->programs; p != NULL; p = p->next) {
        p->is_open = false;
    }
    for (struct platform_output *o = w->outputs; o != NULL; o = o->next) {
        o->is_open = false;
    }
    for (struct platform_log *log = &w->log; log != NULL; log = log->next) {
        log->is_open = false;
    }
    for (uint32_t i = 0; i < w->stream_count; i++) {
        struct platform_stream *stream = w->streams[i];
        if (stream->face.is_open && stream->face.client != FAKE_NONE) {
            stream->face.is_open = false;
            w->clients[stream->face.client]->is_watched = false;
        }
    }
    while (w->file_watches != NULL) {
        struct platform_file_watch *watch = w->file_watches;
        platform_file_watch_close(&watch);
    }
    for (uint32_t i = 0; i < w->injected_count; i++) { /* of events nothing goes over */
        if (w->injected[i].kind != PLATFORM_EVENT_HANGUP) {
            w->injected[i--] = w->injected[--w->injected_count];
        }
    }
    for (uint32_t i = 0; i < FAKE_CALL_COUNT;
         i++) { /* whoever fails then becomes the old one again */
        w->calls[i].left_count = 0;
    }
    w->outputs_paused = false;
    w->launchers_due = false;
    w->platform.is_open = false;
}

int platform_restart_go(struct platform *platform, struct platform_successor *successor,
                        struct baton_cause *cause) {
    (void)platform;
    int code = fake_try(FAKE_RESTART, cause);
    if (code != BATON_OK || fake_world.restart_point == NULL) {
        return code != BATON_OK ? code : BATON_UNSUPPORTED;
    }
    char *snapshot = fake_allocate(successor->snapshot->used_bytes);
    memcpy(snapshot, successor->snapshot->bytes, successor->snapshot->used_bytes);
    left.what = (struct platform_restarted){.pid = platform_own_pid(),
                                            .snapshot = snapshot,
                                            .snapshot_bytes = successor->snapshot->used_bytes};
    left.is_there = true;
    leave_rest();
    fake_world.restarts_count++;
    longjmp(*fake_world.restart_point, 1);
}

const char *platform_started_file(void) {
    return NULL;
}

const struct platform_restarted *platform_restarted(void) {
    return left.is_there ? &left.what : NULL;
}

void platform_restart_forget(void) {
    free((char *)(uintptr_t)left.what.snapshot);
    left.what = (struct platform_restarted){0};
    left.is_there = false;
}

void platform_restart_fall_back(char *const *argv, const char *reason) {
    (void)argv;
    (void)reason;
    fake_wrong("a restart has lost what it was to take over");
}

void fake_restart_at(jmp_buf *point) {
    fake_world.restart_point = point;
}

uint32_t fake_restart_count(void) {
    return fake_world.restarts_count;
}
