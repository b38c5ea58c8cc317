/* Which exit codes are a success. */
#include "core/service/build.h"

/* What POSIX keeps of an exit code, and what Windows has. */
#define POSIX_MAX 255u
#define WINDOWS_MAX UINT32_MAX

void service_read_exits(struct service_builder *builder, const struct config_setting *setting,
                        struct service_values *values) {
    uint32_t most = builder->machine->backslash_separates ? WINDOWS_MAX : POSIX_MAX;
    size_t capacity = 0;
    values->success_exits = NULL;
    values->success_exit_count = 0;
    for (const char *rest = setting->value; rest != NULL;) {
        const char *text = service_next_part(builder, &rest);
        uint32_t code = 0;
        if (text == NULL) {
            return;
        }
        if (!text_parse_number(text, &code) || code > most) {
            service_report_value(
                builder, setting, text,
                " is no exit code; give numbers from 0 to %lu, separated by commas",
                (unsigned long)most);
            continue;
        }
        uint32_t *grown = arena_grow(builder->arena, values->success_exits,
                                     values->success_exit_count, &capacity, sizeof *grown);
        if (grown == NULL) {
            return;
        }
        values->success_exits = grown;
        grown[values->success_exit_count++] = code;
    }
}

bool service_exit_is_success(const struct service *service, uint32_t code) {
    bool is_success = service->success_exit_count == 0 && code == 0;
    for (size_t i = 0; i < service->success_exit_count; i++) {
        is_success = is_success || service->success_exits[i] == code;
    }
    return is_success;
}
