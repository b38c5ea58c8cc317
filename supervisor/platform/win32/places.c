/* Where the control endpoint is when nobody has said so. Its clients ask as well. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

int platform_control_default(bool is_privileged, char *out, size_t size_bytes) {
    (void)is_privileged;
    wchar_t said[512];
    DWORD length = GetEnvironmentVariableW(L"BATON_CONTROL", said, sizeof said / sizeof *said);
    if (length >= sizeof said / sizeof *said) {
        return BATON_TOO_LONG;
    }
    const wchar_t *place = length > 0 ? said : L"\\\\.\\pipe\\baton";
    return wcscmp(place, L"none") == 0 ? BATON_NOT_FOUND
                                       : win32_text_to_utf8(place, out, size_bytes);
}

void platform_control_make_folder(const char *path) {
    (void)path;
}
