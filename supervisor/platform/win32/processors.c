/* How many processors are ours. */
#include "internal.h"

#define GROUP_COUNT 64u

/* The system has groups of up to 64 processors; a process that has threads in several is told of
 * none.
 * https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-getprocessaffinitymask */
uint32_t platform_processors_count(void) {
    DWORD_PTR own = 0, of_system = 0;
    uint32_t count = 0;
    (void)GetProcessAffinityMask(GetCurrentProcess(), &own, &of_system);
    for (; own != 0; own &= own - 1) {
        count++;
    }
    return count > 0 ? count : GROUP_COUNT;
}
