#include "system.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>

void system_binary_streams(void) {
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
}

size_t system_read(char *out, size_t size_bytes) {
    int length = _read(_fileno(stdin), out, (unsigned)size_bytes);
    return length > 0 ? (size_t)length : 0;
}
