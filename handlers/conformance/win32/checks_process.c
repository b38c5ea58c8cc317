#include "../checks.h"

#include <stdio.h>
#include <string.h>

#include <windows.h>

/* Handle values are multiples of 4; a process as young as this has only small ones. */
enum { HANDLE_STEP = 4, HANDLE_LAST = 0x4000 };

void check_input(const struct subject *subject, struct verdict *verdict) {
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    DWORD mode = 0, got = 1;
    char byte;
    if (subject->mode != MODE_CHANNEL) {
        skip(verdict, "without a channel it is the socket");
        return;
    }
    /* NUL is a character device that is no console and always at its end. */
    bool is_null = input != NULL && GetFileType(input) == FILE_TYPE_CHAR &&
                   !GetConsoleMode(input, &mode) && ReadFile(input, &byte, 1, &got, NULL) &&
                   got == 0;
    judge(verdict, is_null, "it is not the null device (type %lu)",
          (unsigned long)GetFileType(input));
}

/* As the page has it: 32 significant bits, sign-extended. */
static HANDLE to_handle(uint32_t number) {
    return (HANDLE)(intptr_t)(int32_t)number;
}

static bool was_given(const struct subject *subject, uintptr_t value) {
    return value == (uintptr_t)to_handle(subject->channel_in) ||
           value == (uintptr_t)to_handle(subject->channel_out) ||
           value == (uintptr_t)GetStdHandle(STD_INPUT_HANDLE) ||
           value == (uintptr_t)GetStdHandle(STD_OUTPUT_HANDLE) ||
           value == (uintptr_t)GetStdHandle(STD_ERROR_HANDLE);
}

/* What came by inheritance is inheritable still; what the process opened itself is not. HELLO does
 * not wait for this: under Wine each handle is asked of its server, all of which took 2.6 s on a
 * busy machine. */
void check_open_handles(const struct subject *subject, struct verdict *verdict) {
    char strangers[128] = "";
    bool comes_later = subject->mode == MODE_CHANNEL;
    if (comes_later != (subject->connection != NULL))
        return;
    if (subject->mode == MODE_FOREIGN) {
        skip(verdict, "only promised by batond");
        return;
    }
    for (uintptr_t value = HANDLE_STEP; value <= HANDLE_LAST; value += HANDLE_STEP) {
        DWORD flags = 0;
        size_t used = strlen(strangers);
        if (GetHandleInformation((HANDLE)value, &flags) && (flags & HANDLE_FLAG_INHERIT) != 0 &&
            !was_given(subject, value))
            snprintf(strangers + used, sizeof strangers - used, " %#lx", (unsigned long)value);
    }
    judge(verdict, strangers[0] == '\0', "handles%s were inherited too", strangers);
}

void check_signal_mask(const struct subject *subject, struct verdict *verdict) {
    (void)subject;
    skip(verdict, "signals are of POSIX");
}

void check_signals_ignored(const struct subject *subject, struct verdict *verdict) {
    (void)subject;
    skip(verdict, "signals are of POSIX");
}

void check_group(const struct subject *subject, struct verdict *verdict) {
    BOOL in_job = FALSE;
    if (subject->mode == MODE_FOREIGN)
        skip(verdict, "only promised by batond");
    else
        judge(verdict, IsProcessInJob(GetCurrentProcess(), NULL, &in_job) && in_job, "no job");
}

void check_environment(const struct subject *subject, struct verdict *verdict) {
    static const wchar_t *const names[] = {L"BATON_PROTOCOL", L"BATON_CHANNEL", L"BATON_NONCE"};
    const wchar_t *found = NULL;
    (void)subject;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (GetEnvironmentVariableW(names[i], NULL, 0) != 0)
            found = names[i];
    judge(verdict, found == NULL, "there is %ls", found != NULL ? found : L"");
}

void check_channel_inheritance(const struct subject *subject, struct verdict *verdict) {
    DWORD in = 0, out = 0;
    if (subject->mode != MODE_CHANNEL) {
        skip(verdict, "there is no channel");
        return;
    }
    bool known = GetHandleInformation(to_handle(subject->channel_in), &in) &&
                 GetHandleInformation(to_handle(subject->channel_out), &out);
    judge(verdict, known && ((in | out) & HANDLE_FLAG_INHERIT) == 0, "HANDLE_FLAG_INHERIT is set");
}
