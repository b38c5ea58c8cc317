/* How many launches may be under way. */
#include "platform/fake/internal.h"

void fake_launch_late(uint32_t count) {
    fake_world.launchers_count = count;
}

void fake_hold_launches(bool holds) {
    fake_world.holds_launches = holds;
}

void fake_lose_launches(uint32_t count) {
    fake_world.to_lose_count = count;
}

uint32_t fake_launching_count(void) {
    uint32_t count = 0;
    for (const struct platform_process *p = fake_world.launching; p != NULL;
         p = p->next_launching) {
        count++;
    }
    return count;
}

int platform_launchers_set(struct platform *platform, uint32_t *count) {
    bool may_be_none = *count == 0 || *count == PLATFORM_LAUNCHERS_BY_CORES;
    (void)platform;
    *count = 0;
    return may_be_none ? BATON_OK : BATON_UNSUPPORTED;
}

bool platform_launch_waits(struct platform *platform, const struct platform_program *program) {
    (void)platform;
    (void)program;
    return fake_world.launchers_count > 0 && fake_launching_count() >= fake_world.launchers_count;
}
