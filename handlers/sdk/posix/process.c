#include "body.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int body_read_environment(const char *name, char *out, size_t size) {
    const char *value = getenv(name);
    if (value == NULL)
        return 0;
    size_t length = strlen(value);
    if (length >= size)
        return BATON_E_ENVIRONMENT;
    memcpy(out, value, length + 1);
    return 1;
}

int body_take_environment(const char *name, char *out, size_t size) {
    int result = body_read_environment(name, out, size);
    unsetenv(name);
    return result;
}

int body_set_environment(const char *name, const char *value) {
    int result = value != NULL ? setenv(name, value, 1) : unsetenv(name);
    return result == 0 ? 0 : BATON_E_SYSTEM;
}

uint32_t body_own_pid(void) {
    return (uint32_t)getpid();
}

static void survive(int number) {
    (void)number;
}

/* A supervisor, a client or a log that is gone shows as EPIPE, not as our death. By a function, not
 * by SIG_IGN, which programs that the handler starts would inherit (execve(2)): `yes | head` would
 * never end there. */
int body_process_prepare(void) {
    struct sigaction action = {.sa_handler = survive, .sa_flags = SA_RESTART}, before;
    if (sigaction(SIGPIPE, NULL, &before) != 0)
        return BATON_E_SYSTEM;
    if (before.sa_handler != SIG_DFL)
        return 0;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGPIPE, &action, NULL) == 0 ? 0 : BATON_E_SYSTEM;
}

void body_process_release(void) {
}

uint64_t body_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint32_t body_system_error(void) {
    return (uint32_t)errno;
}

void body_set_system_error(uint32_t error) {
    errno = (int)error;
}
