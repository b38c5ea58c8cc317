/* What only matters to somebody who looks at a terminal. */
#include "platform/posix/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum platform_terminal platform_terminal(void) {
    const char *no_colour = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    if (isatty(STDERR_FILENO) == 0) {
        return PLATFORM_TERMINAL_NONE;
    }
    return (no_colour != NULL && no_colour[0] != '\0') || kind == NULL || kind[0] == '\0' ||
                   strcmp(kind, "dumb") == 0
               ? PLATFORM_TERMINAL_PLAIN
               : PLATFORM_TERMINAL_COLOURED;
}

void platform_keep_window(void) {
}
