/* A console program for tests: it knows standard input and output, and nothing of sockets. */
#include "system.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 65536 };

/* Answers each line with the same one in capitals, at once, as an interactive program does. */
static int upper(void) {
    char line[4096];
    unsigned lines_count = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        for (char *c = line; *c != '\0'; c++)
            *c = (char)toupper((unsigned char)*c);
        fputs(line, stdout);
        fflush(stdout);
        lines_count++;
    }
    printf("%u lines\n", lines_count);
    return ferror(stdin) != 0;
}

static int copy(void) {
    static char piece[PIECE_BYTES];
    size_t length;
    system_binary_streams();
    setvbuf(stdout, NULL, _IONBF, 0);
    while ((length = system_read(piece, sizeof piece)) > 0)
        if (fwrite(piece, 1, length, stdout) != length)
            return 1;
    return 0;
}

/* Says something on both streams and leaves without a look at its input. */
static int leave(int code) {
    puts("to the output");
    fputs("to the error stream\n", stderr);
    return code;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "upper") == 0)
        return upper();
    if (strcmp(what, "copy") == 0)
        return copy();
    if (strcmp(what, "leave") == 0)
        return leave(argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0);
    fputs("usage: console upper | copy | leave [CODE]\n", stderr);
    return 64;
}
