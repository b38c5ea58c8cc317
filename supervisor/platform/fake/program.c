/* Programs: what a launch needs is kept. */
#include "platform/fake/internal.h"

int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause) {
    (void)platform;
    *out = NULL;
    int code = fake_try(FAKE_PROGRAM, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (spec->path == NULL || spec->argv == NULL || spec->argv[0] == NULL) {
        fake_wrong("a program without a name");
    }
    if (spec->listener_count > 0 && (fake_world.is_windows || spec->listener_names == NULL)) {
        fake_wrong("a program that inherits listeners, on Windows or without a name for them");
    }
    struct platform_program *program = fake_allocate(sizeof *program);
    *program = (struct platform_program){.next = fake_world.programs,
                                         .is_open = true,
                                         .has_channel = spec->has_channel,
                                         .listener_count = spec->listener_count,
                                         .listener_names = fake_text_copy(spec->listener_names),
                                         .launch_bytes = spec->launch_bytes,
                                         .argv = fake_texts_copy(spec->argv),
                                         .environment = fake_texts_copy(spec->environment),
                                         .variables = fake_texts_copy(spec->variables)};
    fake_world.programs = program;
    *out = program;
    return BATON_OK;
}

void platform_program_destroy(struct platform_program **program) {
    if (*program != NULL) {
        (*program)->is_open = false;
        *program = NULL;
    }
}
