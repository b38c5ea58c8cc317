#include "internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int win32_text_to_wide(const char *text, wchar_t **out) {
    *out = NULL;
    size_t bytes = strlen(text) + 1;
    if (bytes > INT_MAX) {
        return BATON_TOO_LONG;
    }
    int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, (int)bytes, NULL, 0);
    if (count <= 0) {
        return BATON_INVALID;
    }
    wchar_t *wide = malloc((size_t)count * sizeof *wide);
    if (wide == NULL) {
        return BATON_NO_MEMORY;
    }
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, (int)bytes, wide, count);
    *out = wide;
    return BATON_OK;
}

int win32_text_to_room(const char *text, wchar_t *out, size_t count) {
    size_t bytes = strlen(text) + 1;
    if (count == 0 || bytes > INT_MAX) {
        return BATON_TOO_LONG;
    }
    int room = count > INT_MAX ? INT_MAX : (int)count;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, (int)bytes, out, room) > 0) {
        return BATON_OK;
    }
    return GetLastError() == ERROR_INSUFFICIENT_BUFFER ? BATON_TOO_LONG : BATON_INVALID;
}

int win32_text_to_utf8(const wchar_t *text, char *out, size_t size_bytes) {
    int room = size_bytes > INT_MAX ? INT_MAX : (int)size_bytes;
    if (room == 0) {
        return BATON_TOO_LONG;
    }
    if (WideCharToMultiByte(CP_UTF8, 0, text, -1, out, room, NULL, NULL) <= 0) {
        out[0] = '\0';
        return BATON_TOO_LONG;
    }
    return BATON_OK;
}

size_t win32_text_whole_utf8(const char *bytes, size_t length) {
    size_t back = 0;
    while (back < 3 && back < length) {
        unsigned char byte = (unsigned char)bytes[length - 1 - back];
        back++;
        if (byte < 0x80) {
            return length;
        }
        if (byte >= 0xc0) {
            size_t sequence = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
            return back < sequence ? length - back : length;
        }
    }
    return length;
}
