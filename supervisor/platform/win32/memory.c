/* How much memory a process has. */
#include "internal.h"

#include <psapi.h>

/* https://learn.microsoft.com/windows/win32/api/psapi/nf-psapi-getprocessmemoryinfo */
int platform_process_resident(struct platform_process *process, uint32_t *resident_kib) {
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};
    if (process->exited || !K32GetProcessMemoryInfo(process->handle, &memory, sizeof memory) ||
        memory.WorkingSetSize == 0) {
        return BATON_GONE;
    }
    uint64_t kib = (uint64_t)memory.WorkingSetSize / 1024u;
    *resident_kib = kib > UINT32_MAX ? UINT32_MAX : (uint32_t)kib;
    return BATON_OK;
}
