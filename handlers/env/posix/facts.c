#include "../facts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char **facts_arguments(int argc, char **argv) {
    (void)argc;
    return argv;
}

char **facts_environment(void) {
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof copy[0]);
    for (size_t i = 0; copy != NULL && i < count; i++)
        copy[i] = strdup(environ[i]);
    return copy;
}

char *facts_directory(void) {
    return getcwd(NULL, 0);
}
