/* A console program as people write them: C's own streams, no sockets, no Windows calls but the one
 * that keeps its bytes as they are, and WriteFile for what C does not pass on: writing nothing.
 * What it does is in its first argument; the second is its exit code. */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static void copy_input(void) {
    int byte;
    while ((byte = getchar()) != EOF) {
        putchar(byte);
    }
}

/* Answers each line before it reads the next, like a dialogue. */
static void answer_lines(void) {
    char line[256];
    while (fgets(line, (int)sizeof line, stdin) != NULL) {
        printf("you said %s", line);
        fflush(stdout);
    }
    printf("bye\n");
}

/* After the end of its input. */
static void write_nothing(long times) {
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD written;
    copy_input();
    for (long i = 0; i < times; i++) {
        if (!WriteFile(output, "", 0, &written, NULL)) {
            exit(99);
        }
    }
    if (!WriteFile(output, "bye", 3, &written, NULL)) {
        exit(98);
    }
}

/* Waits for a Ctrl-Break, or Ctrl-C, and says so. */
static HANDLE was_told;

static BOOL WINAPI on_break(DWORD what) {
    (void)what;
    SetEvent(was_told);
    return TRUE;
}

static void await_break(void) {
    was_told = CreateEventW(NULL, TRUE, FALSE, NULL);
    SetConsoleCtrlHandler(on_break, TRUE);
    printf("here\n");
    fflush(stdout);
    WaitForSingleObject(was_told, INFINITE);
    printf("told\n");
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    if (strcmp(what, "copy") == 0) {
        copy_input();
    } else if (strcmp(what, "answer") == 0) {
        answer_lines();
    } else if (strcmp(what, "nothing") == 0) {
        write_nothing(argc > 3 ? strtol(argv[3], NULL, 10) : 1);
    } else if (strcmp(what, "break") == 0) {
        await_break();
    } else if (strcmp(what, "both") == 0) {
        printf("to output\n");
        fflush(stdout);
        fprintf(stderr, "to error\n");
    }
    return argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
}
