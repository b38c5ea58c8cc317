#include "test_wire_guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM_BYTES = 32768 };

unsigned char *guarded(size_t length) {
    static unsigned char *end;
    if (end == NULL) {
        unsigned char *room = mmap(NULL, ROOM_BYTES + (size_t)sysconf(_SC_PAGESIZE),
                                   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED ||
            mprotect(room + ROOM_BYTES, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE) != 0)
            abort();
        end = room + ROOM_BYTES;
    }
    return end - length;
}
