/* What only matters to somebody who looks at a terminal. */
#include "platform/posix/internal.h"

void platform_keep_window(void) {
}
