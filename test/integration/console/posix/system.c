#include "system.h"

#include <unistd.h>

void system_binary_streams(void) {
}

size_t system_read(char *out, size_t size_bytes) {
    ssize_t length = read(STDIN_FILENO, out, size_bytes);
    return length > 0 ? (size_t)length : 0;
}
