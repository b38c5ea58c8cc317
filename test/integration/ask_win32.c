/* ask PIPE REQUEST: sends the line to a control pipe, and copies the reply to standard output.
 * Exits with 0 when that has ended. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int argc, char **argv) {
    char bytes[4096];
    DWORD length;
    if (argc != 3 || strlen(argv[2]) > sizeof bytes - 2) {
        return 64;
    }
    HANDLE pipe =
        CreateFileA(argv[1], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE) {
        printf("CreateFile: %lu\n", GetLastError());
        return 71;
    }
    int count = snprintf(bytes, sizeof bytes, "%s\n", argv[2]);
    if (!WriteFile(pipe, bytes, (DWORD)count, &length, NULL)) {
        printf("WriteFile: %lu\n", GetLastError());
        return 71;
    }
    while (ReadFile(pipe, bytes, sizeof bytes, &length, NULL) && length > 0) {
        fwrite(bytes, 1, length, stdout);
    }
    CloseHandle(pipe);
    return 0;
}
