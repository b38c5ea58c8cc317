/*
 * What has to do with standard handles and the console: stop requests, output, arguments.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Windows ends the process when the handler of a close, log-off or shut-down returns, and at the
 * latest 5 s after it was called (the defaults in the table of time-outs on HandlerRoutine's page;
 * 20 s for the shut-down of a service). A handler may take longer than that to finish, and its job
 * would outlive us, so the request is repeated in time for the supervisor to end everything: a
 * second stop does not wait for anybody.
 * A log-off is told to services only, and does not say whose it is (HandlerRoutine's page): it is
 * nothing to stop for. A program in the session that ends is ended without a word.
 * To a program that has loaded user32.dll, as shell32.dll does, Windows tells Ctrl-C, Ctrl-Break
 * and close only (SetConsoleCtrlHandler's page), so neither is loaded.
 * https://learn.microsoft.com/windows/console/handlerroutine
 * https://learn.microsoft.com/windows/console/setconsolectrlhandler */
#define HURRY_AFTER_MS 3000
#define CLOSE_BOUND_MS 4500

static SRWLOCK stop_lock = SRWLOCK_INIT;
static HANDLE stop_port; /* under stop_lock; NULL = no platform is open */

/* False when nobody is there to stop. */
static bool post_stop(void) {
    AcquireSRWLockShared(&stop_lock);
    bool open = stop_port != NULL;
    if (open) {
        win32_packet_post(stop_port, PACKET_STOP, 0, 0);
    }
    ReleaseSRWLockShared(&stop_lock);
    return open;
}

BOOL WINAPI win32_console_stop(DWORD what) {
    if (what == CTRL_LOGOFF_EVENT) {
        return TRUE; /* else Windows would end us */
    }
    bool open = post_stop();
    if (open && what != CTRL_C_EVENT && what != CTRL_BREAK_EVENT) {
        /* The end of the process is what is waited for: it takes this thread with it. To return as
         * soon as the platform is closed would let Windows end the process with a code of its own.
         */
        WaitForSingleObject(GetCurrentProcess(), HURRY_AFTER_MS);
        post_stop();
        WaitForSingleObject(GetCurrentProcess(), CLOSE_BOUND_MS - HURRY_AFTER_MS);
    }
    return open;
}

void win32_console_attach(HANDLE port) {
    static bool registered;
    AcquireSRWLockExclusive(&stop_lock);
    stop_port = port;
    ReleaseSRWLockExclusive(&stop_lock);
    /* Never taken back: that call waits for a handler that runs, which waits for the end of the
     * process, so after a close the supervisor would stand still and be ended from outside. Without
     * a port the handler leaves everything to Windows. */
    if (!registered && port != NULL) {
        registered = SetConsoleCtrlHandler(win32_console_stop, TRUE);
    }
}

static HANDLE held_console; /* NULL = its mode was not changed */
static DWORD mode_before;

void win32_console_hold(void) {
    HANDLE console = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (console == INVALID_HANDLE_VALUE) {
        return;
    }
    if (GetConsoleMode(console, &mode_before) &&
        SetConsoleMode(console,
                       (mode_before & ~(DWORD)ENABLE_QUICK_EDIT_MODE) | ENABLE_EXTENDED_FLAGS)) {
        held_console = console;
    } else {
        CloseHandle(console);
    }
}

void win32_console_release(void) {
    if (held_console != NULL) {
        SetConsoleMode(held_console, mode_before);
        CloseHandle(held_console);
        held_console = NULL;
    }
}

void win32_console_complete_handles(void) {
    static const DWORD which[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (size_t i = 0; i < sizeof which / sizeof which[0]; i++) {
        HANDLE handle = GetStdHandle(which[i]);
        DWORD flags;
        if (handle != NULL && handle != INVALID_HANDLE_VALUE &&
            GetHandleInformation(handle, &flags)) {
            continue;
        }
        handle = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
                             FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
        if (handle != INVALID_HANDLE_VALUE) {
            SetStdHandle(which[i], handle);
        }
    }
}

static bool write_bytes(HANDLE file, const char *bytes, size_t length) {
    while (length > 0) {
        DWORD piece = length > 0x10000 ? 0x10000 : (DWORD)length;
        DWORD written = 0;
        if (!WriteFile(file, bytes, piece, &written, NULL)) {
            return false;
        }
        bytes += written;
        length -= written;
    }
    return true;
}

/* A console takes UTF-8 bytes only under a code page that is the user's to choose. */
static bool write_wide(HANDLE console, const char *bytes, size_t length) {
    wchar_t wide[1024];
    while (length > 0) {
        /* One byte of UTF-8 never becomes more than one character of UTF-16. */
        size_t room = sizeof wide / sizeof wide[0];
        size_t piece = length < room ? length : win32_text_whole_utf8(bytes, room);
        int count = MultiByteToWideChar(CP_UTF8, 0, bytes, (int)piece, wide, (int)room);
        int done = 0;
        while (done < count) {
            DWORD written = 0;
            if (!WriteConsoleW(console, wide + done, (DWORD)(count - done), &written, NULL) ||
                written == 0) {
                return false;
            }
            done += (int)written;
        }
        bytes += piece;
        length -= piece;
    }
    return true;
}

bool win32_console_write(HANDLE file, const char *bytes, size_t length) {
    DWORD mode;
    return GetConsoleMode(file, &mode) ? write_wide(file, bytes, length)
                                       : write_bytes(file, bytes, length);
}

bool platform_print(bool error, const char *text) {
    HANDLE file = GetStdHandle(error ? STD_ERROR_HANDLE : STD_OUTPUT_HANDLE);
    return file != NULL && file != INVALID_HANDLE_VALUE &&
           win32_console_write(file, text, strlen(text));
}

static char *argument_to_utf8(const wchar_t *argument) {
    int bytes = WideCharToMultiByte(CP_UTF8, 0, argument, -1, NULL, 0, NULL, NULL);
    char *text = bytes > 0 ? malloc((size_t)bytes) : NULL;
    if (text != NULL) {
        WideCharToMultiByte(CP_UTF8, 0, argument, -1, text, bytes, NULL, NULL);
    }
    return text;
}

/* The C runtime's, which owns what it gives: argv in UTF-16, here without its wildcards.
 * mingw-w64's start-up code calls it, and its headers leave it out. */
struct start_info {
    int new_mode;
};
int __wgetmainargs(int *argc, wchar_t ***argv, wchar_t ***environment, int expand,
                   struct start_info *info);

char **platform_arguments(int argc, char **argv, int *out_argc) {
    (void)argc;
    (void)argv;
    int count = 0;
    wchar_t **wide = NULL;
    wchar_t **environment = NULL;
    struct start_info info = {0};
    if (__wgetmainargs(&count, &wide, &environment, 0, &info) < 0 || wide == NULL) {
        return NULL;
    }
    char **arguments = calloc((size_t)count + 1, sizeof *arguments);
    bool complete = arguments != NULL;
    for (int i = 0; complete && i < count; i++) {
        arguments[i] = argument_to_utf8(wide[i]);
        complete = arguments[i] != NULL;
    }
    if (!complete) {
        for (int i = 0; arguments != NULL && i < count; i++) {
            free(arguments[i]);
        }
        free(arguments);
        return NULL;
    }
    *out_argc = count;
    return arguments;
}
