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

/* Explorer gives a program a console of its own, which ends with it; a shell shares its own.
 * https://learn.microsoft.com/windows/console/getconsoleprocesslist */
void platform_keep_window(void) {
    DWORD process;
    DWORD mode;
    wchar_t line[2];
    if (GetConsoleProcessList(&process, 1) != 1 ||
        !GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode)) {
        return;
    }
    HANDLE input = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                               FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (input == INVALID_HANDLE_VALUE) {
        return;
    }
    (void)platform_print(true, "\nPress Enter to close this window.\n");
    FlushConsoleInputBuffer(input);
    (void)ReadConsoleW(input, line, 2, &mode, NULL);
    CloseHandle(input);
}
