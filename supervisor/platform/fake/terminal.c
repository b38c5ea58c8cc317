/* Standard error is no terminal. */
#include "platform/fake/internal.h"

enum platform_terminal platform_terminal(void) {
    return PLATFORM_TERMINAL_NONE;
}
