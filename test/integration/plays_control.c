/* plays_control PIPE FILE: batond's side of one conversation on a named pipe, for tests under Wine,
 * where no Python is. Prints `ready`, takes one client, prints its request in one line, sends FILE
 * as it is, and closes when the client has. Exit: 0, or 1 with the number of what failed. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int failed(const char *call) {
    printf("%s: error %lu\n", call, GetLastError());
    return 1;
}

int main(int argc, char **argv) {
    char bytes[4096];
    size_t length = 0;
    DWORD count = 0;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (file == NULL) {
        printf("usage\n");
        return 1;
    }
    HANDLE pipe = CreateNamedPipeA(argv[1], PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096,
                                   4096, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE) {
        return failed("CreateNamedPipe");
    }
    printf("ready\n");
    fflush(stdout);
    if (!ConnectNamedPipe(pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED) {
        return failed("ConnectNamedPipe");
    }
    if (!ReadFile(pipe, bytes, sizeof bytes - 1, &count, NULL)) {
        return failed("ReadFile");
    }
    bytes[count] = '\0';
    printf("%.*s\n", (int)strcspn(bytes, "\n"), bytes);
    fflush(stdout);
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0 &&
           WriteFile(pipe, bytes, (DWORD)length, &count, NULL)) {
    }
    fclose(file);
    /* Until the client has gone; or, where FILE has no end, at once. */
    if (length == 0) {
        ReadFile(pipe, bytes, sizeof bytes, &count, NULL);
    }
    CloseHandle(pipe);
    return 0;
}
