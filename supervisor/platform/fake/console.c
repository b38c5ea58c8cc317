/* What is printed before there is a log. */
#include "platform/fake/internal.h"

#include <string.h>

bool platform_print(bool error, const char *text) {
    (void)error;
    fake_text_append(&fake_world.printed, text, strlen(text));
    return true;
}

const char *fake_printed(void) {
    return fake_world.printed.bytes;
}
