/* Which exit codes are a success. */
#include "core/service/build.h"

/* What POSIX keeps of an exit code, and what Windows has. */
#define POSIX_MAX 255u
#define WINDOWS_MAX UINT32_MAX

static bool read_exit(struct service_list *list, const char *text, void *item) {
    uint32_t most = service_on_windows(list->builder->machine) ? WINDOWS_MAX : POSIX_MAX;
    uint32_t *code = item;
    if (text_parse_number(text, code) && *code <= most) {
        return true;
    }
    service_report_value(list->builder, list->setting, text,
                         " is no exit code; give numbers from 0 to %lu, separated by commas",
                         (unsigned long)most);
    return false;
}

void service_read_exits(struct service_builder *builder, struct service_values *values) {
    struct service *service = &values->service;
    service->success_exits =
        service_read_list(builder, values, KEY_SUCCESS_EXIT, sizeof *service->success_exits,
                          read_exit, &service->success_exit_count);
}

bool service_exit_is_success(const struct service *service, uint32_t code) {
    bool is_success = service->success_exit_count == 0 && code == 0;
    for (size_t i = 0; i < service->success_exit_count; i++) {
        is_success = is_success || service->success_exits[i] == code;
    }
    return is_success;
}
