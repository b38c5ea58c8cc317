/* What an import has said, kept for a test: the config, and its faults. */
#ifndef BATON_TEST_IMPORT_EMITTED_H
#define BATON_TEST_IMPORT_EMITTED_H

#include "config_world.h"

#include <stdlib.h>

struct emitted {
    struct config_output out, faults;
};

static inline void take_out(void *context, const char *text) {
    config_output_add(&((struct emitted *)context)->out, text);
}

static inline void take_fault(void *context, const char *text) {
    config_output_add(&((struct emitted *)context)->faults, text);
}

static inline void clear(struct emitted *emitted) {
    free(emitted->out.text);
    free(emitted->faults.text);
    *emitted = (struct emitted){{0}, {0}};
}

#endif
