/* What takes long: it is done when the world says so. */
#include "platform/fake/internal.h"

/* Done, and told of. */
static void finish(void) {
    struct fake_world *w = &fake_world;
    w->work.work(w->work.context);
    w->work.work = NULL;
    fake_inject(PLATFORM_EVENT_WORKED, w->work.token);
}

void fake_work_hold(bool holds) {
    fake_world.work.is_held = holds;
    if (!holds && fake_world.work.work != NULL) {
        finish();
    }
}

int platform_work_start(struct platform *platform, void (*work)(void *context), void *context,
                        uint64_t token, struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    (void)platform;
    int code = fake_try(FAKE_WORK, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (w->work.work != NULL) {
        return BATON_AGAIN;
    }
    w->work.work = work;
    w->work.context = context;
    w->work.token = token;
    if (!w->work.is_held) {
        finish();
    }
    return BATON_OK;
}

/* It ends in time. */
bool platform_work_end(struct platform *platform) {
    (void)platform;
    if (fake_world.work.work != NULL) {
        fake_world.work.work(fake_world.work.context);
        fake_world.work.work = NULL;
    }
    return true;
}
