/* The parts of a path. */
#include "core/service/build.h"

bool service_is_separator(const struct service_machine *machine, char c) {
    return c == '/' || (service_on_windows(machine) && c == '\\');
}

const char *service_base_name(const struct service_machine *machine, const char *path) {
    const char *base = path;
    for (const char *at = path; *at != '\0'; at++) {
        base = service_is_separator(machine, *at) ? at + 1 : base;
    }
    return base;
}

size_t service_folder_length(const struct service_machine *machine, const char *path) {
    size_t length = (size_t)(service_base_name(machine, path) - path);
    while (length > 1 && service_is_separator(machine, path[length - 1]) &&
           path[length - 2] != ':') {
        length--;
    }
    return length;
}
