/* A program for inetd that leaves somebody behind: who waits at the FIFO that its argument names,
 * and ends with 3. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    pid_t child = argc == 2 ? fork() : -1;
    if (child == 0) {
        char byte;
        setsid();
        close(0);
        close(1);
        close(2);
        int fifo = open(argv[1], O_RDONLY);
        return fifo >= 0 && read(fifo, &byte, 1) == 1 ? 3 : 4;
    }
    return child > 0 && puts("left") >= 0 ? 0 : 1;
}
