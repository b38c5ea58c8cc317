/* As whom a program runs: nothing is refused unless a test says so. */
#include "platform/fake/internal.h"

const char *platform_skipped_default(const struct platform *platform) {
    (void)platform;
    return fake_world.skipped_default;
}

void fake_skip_default(const char *name) {
    fake_world.skipped_default = name;
}

int platform_become(struct platform *platform, const struct identity *identity,
                    bool forbids_new_privileges, struct baton_cause *cause) {
    (void)platform;
    fake_world.become = (struct fake_become){
        .listener_count = fake_listener_count(),
        .uid = identity->uid,
        .capabilities = identity->capabilities,
        .forbids_new_privileges = forbids_new_privileges,
    };
    return fake_try(FAKE_BECOME, cause);
}

struct fake_become fake_became(void) {
    return fake_world.become;
}
