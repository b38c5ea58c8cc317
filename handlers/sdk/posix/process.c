#include "body.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

uint32_t body_own_pid(void) {
    return (uint32_t)getpid();
}

int body_process_prepare(void) {
    /* A supervisor or client that is gone shows as EPIPE, not as our death. */
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? BATON_E_SYSTEM : 0;
}

void body_process_release(void) {
}

uint32_t body_system_error(void) {
    return (uint32_t)errno;
}

void body_set_system_error(uint32_t error) {
    errno = (int)error;
}
