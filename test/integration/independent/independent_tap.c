/* The results of the checks as text: TAP. */
#include "independent.h"

#include <stdarg.h>
#include <stdio.h>

void tap_print(struct tap *tap, const char *format, ...) {
    const size_t room = sizeof tap->text - tap->size;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(tap->text + tap->size, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        tap->failed = true;
    else
        tap->size += (size_t)length;
}

void tap_note(struct tap *tap, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tap_print(tap, "# %s\n", text);
}

void tap_check(struct tap *tap, bool passed, const char *text) {
    if (!passed)
        tap->failed = true;
    tap_print(tap, "%s %u - %s\n", passed ? "ok" : "not ok", ++tap->count, text);
}

void tap_skip(struct tap *tap, const char *text, const char *reason) {
    tap_print(tap, "ok %u - %s # SKIP %s\n", ++tap->count, text, reason);
}
