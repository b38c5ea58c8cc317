/* From errno to the codes of core/base/error.h. */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <string.h>

struct baton_cause posix_ignored;

int posix_failed(struct baton_cause *cause, const char *call) {
    return posix_failed_with(cause, call, errno);
}

int posix_failed_with(struct baton_cause *cause, const char *call, int code) {
    cause->call = call;
    cause->system_code = code;
    switch (code) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case ETOOMANYREFS:
        return BATON_SHORTAGE;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
        return BATON_GONE;
    case ENOENT:
    case ENOTDIR:
        return BATON_NOT_FOUND;
    case ENOEXEC:
    case ELIBBAD:
        return BATON_NOT_EXECUTABLE;
    case EADDRINUSE:
        return BATON_IN_USE;
    case EADDRNOTAVAIL:
        return BATON_UNAVAILABLE;
    case EACCES:
    case EPERM:
        return BATON_DENIED;
    case E2BIG:
    case ENAMETOOLONG:
        return BATON_TOO_LONG;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
        return BATON_UNSUPPORTED;
    default:
        return BATON_SYSTEM;
    }
}

char *platform_error_text(long system_code, char *out, size_t size_bytes) {
    /* strerror_r has two incompatible forms; one thread may use the plain one. */
    text_format(out, size_bytes, "%s", strerror((int)system_code));
    return out;
}
