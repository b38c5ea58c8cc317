/* Descriptors: as many as the test says are left. */
#include "platform/fake/internal.h"

#define OPEN_COUNT 20

size_t platform_descriptors_short(struct platform *platform, size_t needed_count,
                                  struct platform_descriptors *out) {
    (void)platform;
    *out = (struct platform_descriptors){0};
    if (!fake_world.has_descriptor_limit || needed_count <= fake_world.descriptors_left_count) {
        return 0;
    }
    out->limit_count = OPEN_COUNT + fake_world.descriptors_left_count;
    out->least_count = OPEN_COUNT + needed_count;
    return needed_count - fake_world.descriptors_left_count;
}

void fake_limit_descriptors(size_t left_count) {
    fake_world.has_descriptor_limit = true;
    fake_world.descriptors_left_count = left_count;
}
