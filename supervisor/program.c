#include "program.h"

#include "core/base/text.h"
#include "load.h"
#include "platform/platform.h"

static bool output_is_torn; /* something on its way to standard output was lost */

void print_out(void *context, const char *text) {
    (void)context;
    output_is_torn = !platform_print(false, text) || output_is_torn;
}

void print_error(void *context, const char *text) {
    (void)context;
    (void)platform_print(true, text);
}

void complain(const char *what, const char *why) {
    char text[2 * PATH_BYTES];
    text_format(text, sizeof text, "%s: error: %s: %s\n", program_name, what, why);
    (void)platform_print(true, text);
}

enum exit_code program_end(enum exit_code code) {
    if (code == EXIT_DONE && output_is_torn) {
        complain("standard output", "it could not all be written");
        return EXIT_OUTPUT;
    }
    return code;
}
