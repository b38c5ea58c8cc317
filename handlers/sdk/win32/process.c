#include "body.h"

#include <winsock2.h>

#include <stdlib.h>
#include <string.h>
#include <windows.h>

int body_read_environment(const char *name, char *out, size_t size) {
    wchar_t wide_name[64], value[1024];
    if (MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64) == 0)
        return BATON_E_ENVIRONMENT;
    SetLastError(ERROR_SUCCESS);
    DWORD length = GetEnvironmentVariableW(wide_name, value, 1024);
    if (length == 0 && GetLastError() == ERROR_ENVVAR_NOT_FOUND)
        return 0;
    if (length >= 1024 ||
        (length > 0 && WideCharToMultiByte(CP_UTF8, 0, value, -1, out, (int)size, NULL, NULL) == 0))
        return BATON_E_ENVIRONMENT;
    if (length == 0)
        out[0] = '\0';
    return 1;
}

int body_take_environment(const char *name, char *out, size_t size) {
    wchar_t wide_name[64];
    int result = body_read_environment(name, out, size);
    if (result == 0 || MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64) == 0)
        return result;
    /* The C runtime keeps a copy of the environment, and changes both. */
    _wputenv_s(wide_name, L"");
    SetEnvironmentVariableW(wide_name, NULL);
    return result;
}

int body_set_environment(const char *name, const char *value) {
    wchar_t wide_name[64], wide[1024] = L"";
    if (MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64) == 0 ||
        (value != NULL && MultiByteToWideChar(CP_UTF8, 0, value, -1, wide, 1024) == 0))
        return BATON_E_SYSTEM;
    _wputenv_s(wide_name, wide); /* "" removes it */
    SetLastError(ERROR_SUCCESS);
    bool is_done = SetEnvironmentVariableW(wide_name, value != NULL ? wide : NULL) != 0 ||
                   GetLastError() == ERROR_ENVVAR_NOT_FOUND;
    return is_done ? 0 : BATON_E_SYSTEM;
}

uint32_t body_own_pid(void) {
    return (uint32_t)GetCurrentProcessId();
}

int body_process_prepare(void) {
    WSADATA data;
    int fault = WSAStartup(MAKEWORD(2, 2), &data);
    SetLastError((DWORD)fault);
    return fault == 0 ? 0 : BATON_E_SYSTEM;
}

void body_process_release(void) {
    WSACleanup();
}

uint64_t body_now_ms(void) {
    return GetTickCount64();
}

uint32_t body_system_error(void) {
    return GetLastError();
}

void body_set_system_error(uint32_t error) {
    SetLastError(error);
}
