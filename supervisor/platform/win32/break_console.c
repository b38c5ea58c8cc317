/* The helper's side of breaker.h. */
#include "breaker.h"
#include "platform/windows_service.h"

#include <stdlib.h>

/* As one of its processes, which the event is not for: it is of another group. */
static LONG tell(DWORD pid) {
    if (!AttachConsole(pid)) {
        return BREAK_IN_ATTACH | (LONG)(GetLastError() & 0xFFFFu);
    }
    LONG result = GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, pid)
                      ? 0
                      : BREAK_IN_GENERATE | (LONG)(GetLastError() & 0xFFFFu);
    FreeConsole();
    return result;
}

void platform_windows_service_break(const char *section) {
    HANDLE handle = (HANDLE)(uintptr_t)strtoul(section, NULL, 10);
    struct break_page *page = MapViewOfFile(handle, FILE_MAP_WRITE, 0, 0, sizeof *page);
    if (page == NULL || page->count > BREAK_BATCH_COUNT) {
        ExitProcess(ERROR_INVALID_PARAMETER);
    }
    FreeConsole(); /* where somebody has run this who has one */
    for (LONG i = 0; i < page->count; i++) {
        InterlockedExchange(&page->results[i], tell(page->pids[i]));
    }
    ExitProcess(0);
}
