#include "program.h"

#include "platform/platform.h"

#include <stdio.h>

void print_out(void *context, const char *text) {
    (void)context;
    platform_print(false, text);
}

void print_error(void *context, const char *text) {
    (void)context;
    platform_print(true, text);
}

void complain(const char *what, const char *why) {
    char text[2 * PATH_BYTES];
    snprintf(text, sizeof text, "%s: error: %s: %s\n", program_name, what, why);
    platform_print(true, text);
}
