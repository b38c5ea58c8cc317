#include "asker.h"

#include "harness.h"

#include <stdio.h>
#include <windows.h>

const char *asker_place(void) {
    static char place[64];
    snprintf(place, sizeof place, "\\\\.\\pipe\\baton-test-%lu", GetCurrentProcessId());
    return place;
}

bool asker_connect(const char *place, uintptr_t *asker) {
    HANDLE pipe = CreateFileA(place, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    *asker = (uintptr_t)pipe;
    return pipe != INVALID_HANDLE_VALUE;
}

void asker_send(uintptr_t asker, const char *text) {
    DWORD written = 0;
    assert_true(WriteFile((HANDLE)asker, text, (DWORD)strlen(text), &written, NULL));
    assert_int_equal(written, strlen(text));
}

size_t asker_receive(uintptr_t asker, char *bytes, size_t size) {
    DWORD got = 0;
    return ReadFile((HANDLE)asker, bytes, (DWORD)size, &got, NULL) ? got : 0;
}

void asker_close(uintptr_t asker) {
    CloseHandle((HANDLE)asker);
}
