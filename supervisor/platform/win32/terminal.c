/* What only matters to somebody who looks at a console. */
#include "internal.h"

/* Whoever shares the console keeps the mode: it changes nothing for texts without an escape, and
 * what handlers write is escaped. */
enum platform_terminal platform_terminal(void) {
    DWORD mode;
    wchar_t text[2];
    HANDLE console = GetStdHandle(STD_ERROR_HANDLE);
    if (!GetConsoleMode(console, &mode)) {
        return PLATFORM_TERMINAL_NONE;
    }
    /* Its length, or what room it would need. */
    bool is_plain = GetEnvironmentVariableW(L"NO_COLOR", text, 2) > 0;
    return !is_plain && SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING |
                                                    ENABLE_PROCESSED_OUTPUT)
               ? PLATFORM_TERMINAL_COLOURED
               : PLATFORM_TERMINAL_PLAIN;
}

/* A console without a window looks like one whose user is slow, and who started that waits for us.
 */
#define ENTER_LIMIT_MS (10u * 60000u)
#define ENTER_LIMIT_TEXT "10 minutes"

static bool is_console(DWORD which) {
    DWORD mode;
    return GetConsoleMode(GetStdHandle(which), &mode);
}

/* Explorer gives a program a console of its own, which ends with it, and all three streams are
 * that; a shell shares its own. Services and tasks get one too, in session 0, and nobody sits
 * there. https://learn.microsoft.com/windows/console/getconsoleprocesslist */
static bool has_window_of_its_own(void) {
    DWORD process, session;
    return GetConsoleProcessList(&process, 1) == 1 &&
           ProcessIdToSessionId(GetCurrentProcessId(), &session) && session != 0 &&
           is_console(STD_INPUT_HANDLE) && is_console(STD_OUTPUT_HANDLE) &&
           is_console(STD_ERROR_HANDLE);
}

/* Until somebody presses Enter, or ENTER_LIMIT_MS have passed. */
static void await_enter(HANDLE input) {
    ULONGLONG end_ms = GetTickCount64() + ENTER_LIMIT_MS;
    INPUT_RECORD seen = {0};
    DWORD count = 1;
    while (count == 1 && !(seen.EventType == KEY_EVENT && seen.Event.KeyEvent.bKeyDown &&
                           seen.Event.KeyEvent.wVirtualKeyCode == VK_RETURN)) {
        ULONGLONG now_ms = GetTickCount64();
        if (now_ms >= end_ms ||
            WaitForSingleObject(input, (DWORD)(end_ms - now_ms)) != WAIT_OBJECT_0 ||
            !ReadConsoleInputW(input, &seen, 1, &count)) {
            return;
        }
    }
}

void platform_keep_window(void) {
    if (!has_window_of_its_own()) {
        return;
    }
    HANDLE input = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                               FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (input == INVALID_HANDLE_VALUE) {
        return;
    }
    (void)platform_print(
        true, "\nPress Enter to close this window. It closes by itself in " ENTER_LIMIT_TEXT ".\n");
    FlushConsoleInputBuffer(input);
    await_enter(input);
    CloseHandle(input);
}
