#include "system.h"

#include "platform/platform.h"

void system_describe(struct service_machine *out) {
    *out = (struct service_machine){
        .executable_suffix = platform_executable_suffix,
        .scripts_need_interpreter = platform_scripts_need_interpreter,
        .backslash_separates = platform_backslash_separates,
        .inherits_listeners = platform_inherits_listeners,
        .probe_program = platform_probe_program,
        .probe_directory = platform_probe_directory,
        .list_folder = platform_directory_list,
        .find_port = platform_service_port,
        .inspect = platform_inspect,
        .is_privileged = platform_is_privileged(),
        .read_rules = platform_file_read,
        .environment = platform_environment(),
        .basic_variables = platform_basic_variables,
        .is_variable = platform_is_variable,
        .find_user = platform_has_accounts ? platform_find_user : NULL,
        .find_group = platform_find_group,
        .raises_limits = platform_raises_limits,
        .read_file = platform_scripts_need_interpreter ? NULL : platform_file_read,
    };
}
