/* A control client, as the system has such: asker_posix.c, asker_win32.c. */
#ifndef BATON_TEST_PLATFORM_ASKER_H
#define BATON_TEST_PLATFORM_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an endpoint of this process's can be; static. */
const char *asker_place(void);

/* Connects; false if nobody is there. */
bool asker_connect(const char *place, uintptr_t *asker);
void asker_send(uintptr_t asker, const char *text);
/* Reads what comes next, at least one byte of at most `size`, and blocks for that; 0 at the end. */
size_t asker_receive(uintptr_t asker, char *bytes, size_t size);
void asker_close(uintptr_t asker);

#endif
