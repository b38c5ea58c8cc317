/* How many processors are ours: as many as the test likes. */
#include "platform/fake/internal.h"

void fake_processors(uint32_t count) {
    fake_world.processors_count = count;
}

uint32_t platform_processors_count(void) {
    return fake_world.processors_count;
}
