/* Other processes: the ones that we start, and the one that started us. */
#include "system.h"

#include <windows.h>

#include <tlhelp32.h>

#include <stdio.h>
#include <stdlib.h>

#define COMMAND_LINE_CHARS 2000
#define HANDLE_VALUE_MAX 4096
#define FOREIGN_HANDLE_VALUE_MAX 32768

static void fail(const char *what) {
    fprintf(stderr, "misbehave: %s: error %lu\n", what, (unsigned long)GetLastError());
    exit(90);
}

uint32_t system_parent_pid(void) {
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    uint32_t parent = 0;
    for (BOOL more = Process32FirstW(snapshot, &entry); more;
         more = Process32NextW(snapshot, &entry)) {
        if (entry.th32ProcessID == GetCurrentProcessId()) {
            parent = entry.th32ParentProcessID;
        }
    }
    CloseHandle(snapshot);
    return parent;
}

/* The tests' arguments hold neither quotes nor backslashes, so simple quoting is right for them. */
static HANDLE start_self(const char *const *argv) {
    wchar_t path[MAX_PATH];
    wchar_t line[COMMAND_LINE_CHARS] = L"";
    int used = 0;
    for (size_t i = 0; argv[i] != NULL; i++) {
        int added =
            swprintf(line + used, (size_t)(COMMAND_LINE_CHARS - used), L"\"%hs\" ", argv[i]);
        if (added < 0) {
            fail("command line");
        }
        used += added;
    }
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    if (GetModuleFileNameW(NULL, path, MAX_PATH) == 0 ||
        !CreateProcessW(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) {
        fail("CreateProcessW");
    }
    CloseHandle(process.hThread);
    return process.hProcess;
}

void system_spawn(const char *const *argv, enum system_spawn how) {
    (void)how;
    CloseHandle(start_self(argv));
}

int system_run(const char *const *argv) {
    HANDLE process = start_self(argv);
    DWORD code = 0;
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    CloseHandle(process);
    return (int)code;
}

/* Appends "VALUE=TYPE " (1 disk, 2 character, 3 pipe or socket, 0 no file) for each handle that
 * could be inherited further: nothing that this process opened itself is among them. */
void system_list_handles(char *out, size_t size_bytes) {
    size_t used = 0;
    for (uintptr_t value = 4; value <= HANDLE_VALUE_MAX; value += 4) {
        DWORD flags = 0;
        if (!GetHandleInformation((HANDLE)value, &flags) || (flags & HANDLE_FLAG_INHERIT) == 0) {
            continue;
        }
        int added = snprintf(out + used, size_bytes - used, "%lu=%lu ", (unsigned long)value,
                             (unsigned long)GetFileType((HANDLE)value));
        if (added < 0 || (size_t)added >= size_bytes - used) {
            break;
        }
        used += (size_t)added;
    }
    snprintf(out + used, size_bytes - used, "channel=%s\n", getenv("BATON_CHANNEL"));
}

/* GetProcessHandleCount says 0 in Wine 8, so each value is tried; one that can be duplicated is
 * open. */
static unsigned count_handles(HANDLE process) {
    unsigned count = 0;
    for (uintptr_t value = 4; value <= FOREIGN_HANDLE_VALUE_MAX; value += 4) {
        HANDLE copy = NULL;
        if (DuplicateHandle(process, (HANDLE)value, GetCurrentProcess(), &copy, 0, FALSE,
                            DUPLICATE_SAME_ACCESS)) {
            CloseHandle(copy);
            count++;
        }
    }
    return count;
}

void system_parent_facts(char *out, size_t size_bytes) {
    uint32_t pid = system_parent_pid();
    HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, pid);
    if (process == NULL) {
        fail("the parent process");
    }
    snprintf(out, size_bytes, "pid=%lu handles=%u\n", (unsigned long)pid, count_handles(process));
    CloseHandle(process);
}
