/* A console program as people write them: C's own streams, no sockets, no Windows calls but the one
 * that keeps its bytes as they are. What it does is in its first argument; the second is its exit
 * code. */
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    if (strcmp(what, "copy") == 0) {
        copy_input();
    } else if (strcmp(what, "answer") == 0) {
        answer_lines();
    } else if (strcmp(what, "both") == 0) {
        printf("to output\n");
        fflush(stdout);
        fprintf(stderr, "to error\n");
    }
    return argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
}
