#include "core/base/environment.h"

#include "core/base/text.h"

#include <string.h>

bool environment_is_private(const char *variable) {
    /* One that ends with '_' stands for all that begin so. In one text, where a table of pointers
     * would be larger than what it points to. */
    static const char names[] =
        "BATON_\0LISTEN_\0NOTIFY_SOCKET\0CREDENTIALS_DIRECTORY\0INVOCATION_ID\0WATCHDOG_\0"
        "JOURNAL_STREAM\0MAINPID\0MANAGERPID\0SYSTEMD_EXEC_PID\0FDSTORE\0MEMORY_PRESSURE_\0";
    for (const char *name = names; *name != '\0'; name += strlen(name) + 1) {
        size_t length = strlen(name);
        if (text_equal_start(variable, name, length, true) &&
            (name[length - 1] == '_' || variable[length] == '=' || variable[length] == '\0')) {
            return true;
        }
    }
    return false;
}
