#include "test_wire_guard.h"

#include <stdlib.h>

#include <windows.h>

enum { ROOM_BYTES = 32768, PAGE_BYTES = 4096 };

unsigned char *guarded(size_t length) {
    static unsigned char *end;
    if (end == NULL) {
        DWORD before = 0;
        unsigned char *room =
            VirtualAlloc(NULL, ROOM_BYTES + PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
        if (room == NULL || !VirtualProtect(room + ROOM_BYTES, PAGE_BYTES, PAGE_NOACCESS, &before))
            abort();
        end = room + ROOM_BYTES;
    }
    return end - length;
}
