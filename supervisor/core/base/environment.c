#include "core/base/environment.h"

#include "core/base/text.h"

#include <string.h>

bool environment_is_private(const char *variable) {
    /* One that ends with '_' stands for all that begin so. Not a table of pointers, which would be
     * larger than what it points to. */
    static const char names[][24] = {
        "BATON_",        "LISTEN_",   "NOTIFY_SOCKET",    "CREDENTIALS_DIRECTORY",
        "INVOCATION_ID", "WATCHDOG_", "JOURNAL_STREAM",   "MAINPID",
        "MANAGERPID",    "FDSTORE",   "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);
        if (text_equal_start(variable, names[i], length, true) &&
            (names[i][length - 1] == '_' || variable[length] == '=' || variable[length] == '\0')) {
            return true;
        }
    }
    return false;
}
