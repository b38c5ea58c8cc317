/*
 * Error codes of the supervisor: one table of {name, number, text}, nothing else.
 *
 * A function that can fail returns 0 (BATON_OK) or one of these negative codes. Where the operating
 * system has its own number for the cause (errno, GetLastError, WSAGetLastError), the function
 * keeps it in a `struct baton_cause` beside the code; platform_error_text() turns that number into
 * words.
 */
#ifndef BATON_BASE_ERROR_H
#define BATON_BASE_ERROR_H

#define BATON_ERROR_TABLE(X)                                                                       \
    X(OK, 0, "no error")                                                                           \
    X(AGAIN, -1, "not ready yet; an event will tell when it is")                                   \
    X(END, -2, "end of the stream: the other side has closed")                                     \
    X(INVALID, -3, "invalid data")                                                                 \
    X(TOO_LONG, -4, "longer than the limit")                                                       \
    X(NO_MEMORY, -5, "out of memory")                                                              \
    X(SHORTAGE, -6, "out of descriptors, handles, processes or buffers for now")                   \
    X(GONE, -7, "the other side has gone")                                                         \
    X(NOT_FOUND, -8, "no such file")                                                               \
    X(NOT_EXECUTABLE, -9, "not an executable file")                                                \
    X(IN_USE, -10, "address in use")                                                               \
    X(UNAVAILABLE, -11, "address not available on this machine")                                   \
    X(DENIED, -12, "permission denied")                                                            \
    X(UNSUPPORTED, -13, "not supported on this system")                                            \
    X(SYSTEM, -14, "system call failed")                                                           \
    X(LIMIT, -15, "a limit of the service's own is reached")

enum baton_error {
#define BATON_ERROR_ENUM(name, number, text) BATON_##name = (number),
    BATON_ERROR_TABLE(BATON_ERROR_ENUM)
#undef BATON_ERROR_ENUM
};

/* What went wrong below us: the call's name (static text, never freed) and the system's number. */
struct baton_cause {
    const char *call; /* "bind", "CreateProcessW", ...; NULL when no call of the system failed */
    long system_code; /* errno on POSIX, GetLastError() or WSAGetLastError() on Windows; 0 = none */
};

/* The text of the table for `code`, static; "unknown error" for a number that is not in it. */
const char *baton_error_text(int code);

#endif
