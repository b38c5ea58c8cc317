/* The channel on Windows: two one-way pipes with plain synchronous handles. */
#include "body.h"

#include <winsock2.h>

#include <string.h>
#include <windows.h>

_Static_assert(sizeof(WSAPROTOCOL_INFOW) == WIRE_PROTOCOL_INFO_BYTES, "the wire's idea of it");

/* Handles have 32 significant bits, sign-extended to 64 ("Interprocess Communication Between 32-bit
 * and 64-bit Applications", Microsoft Learn). */
static HANDLE to_handle(uint32_t number) {
    return (HANDLE)(intptr_t)(int32_t)number;
}

int body_channel_open(struct body_channel *channel, uint32_t in, uint32_t out) {
    HANDLE ends[] = {to_handle(in), to_handle(out)};
    if (in == 0 || out == 0 || in == out)
        return body_wrong_environment("BATON_CHANNEL");
    for (size_t i = 0; i < 2; i++)
        if (GetFileType(ends[i]) != FILE_TYPE_PIPE)
            return body_wrong_environment("BATON_CHANNEL");
    for (size_t i = 0; i < 2; i++)
        if (!SetHandleInformation(ends[i], HANDLE_FLAG_INHERIT, 0))
            return BATON_E_SYSTEM;
    *channel = (struct body_channel){true, (intptr_t)ends[0], (intptr_t)ends[1]};
    return 0;
}

/* Reads exactly `length` bytes. Returns 1, 0 at the end of the pipe (also in the middle: the
 * supervisor has died; and for a read of nothing, which a pipe of ours never has), or
 * BATON_E_SYSTEM. */
static int read_exactly(HANDLE pipe, uint8_t *out, size_t length) {
    while (length > 0) {
        DWORD got = 0;
        if (!ReadFile(pipe, out, (DWORD)length, &got, NULL))
            return GetLastError() == ERROR_BROKEN_PIPE ? 0 : BATON_E_SYSTEM;
        if (got == 0)
            return 0;
        out += got;
        length -= got;
    }
    return 1;
}

long body_channel_receive(struct body_channel *channel, void *frame, baton_socket *attached) {
    HANDLE pipe = (HANDLE)channel->in;
    uint8_t *bytes = frame;
    size_t body_bytes = 0;
    *attached = BATON_SOCKET_NONE;
    int result = read_exactly(pipe, bytes, WIRE_HEADER_BYTES);
    if (result != 1)
        return result;
    if (wire_check_header(bytes, WIRE_HEADER_BYTES, WIRE_FROM_SUPERVISOR, &body_bytes) != WIRE_OK)
        return BATON_E_PROTOCOL;
    result = read_exactly(pipe, bytes + WIRE_HEADER_BYTES, body_bytes);
    return result != 1 ? result : (long)(WIRE_HEADER_BYTES + body_bytes);
}

static int write_all(HANDLE pipe, const uint8_t *bytes, size_t length) {
    while (length > 0) {
        DWORD sent = 0;
        /* Whatever the reason, half a frame may be written: there is no going on. */
        if (!WriteFile(pipe, bytes, (DWORD)length, &sent, NULL))
            return BATON_E_CLOSED;
        bytes += sent;
        length -= sent;
    }
    return 0;
}

/* Keeps frames of several threads apart, and senders away from a handle that is being closed. */
static SRWLOCK sending = SRWLOCK_INIT;

int body_channel_send(const struct body_channel *channel, const void *frame, size_t length) {
    int result = BATON_E_CLOSED;
    AcquireSRWLockExclusive(&sending);
    if (channel->out != 0)
        result = write_all((HANDLE)channel->out, frame, length);
    ReleaseSRWLockExclusive(&sending);
    return result;
}

int body_channel_socket(const struct wire_message *offer, baton_socket attached,
                        baton_socket *out) {
    WSAPROTOCOL_INFOW info;
    (void)attached;
    *out = BATON_SOCKET_NONE;
    if (offer->protocol_info == NULL)
        return BATON_E_PROTOCOL;
    memcpy(&info, offer->protocol_info, sizeof info);
    SOCKET rebuilt = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info,
                                0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    DWORD fault = (DWORD)WSAGetLastError();
    /* WSASocketW only adopts the handle that the supervisor's WSADuplicateSocketW has made here: no
     * flag of this call changes whether it is inheritable. In Wine 8 it is not, either way.
     * https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-sethandleinformation */
    if (rebuilt != INVALID_SOCKET &&
        !SetHandleInformation((HANDLE)rebuilt, HANDLE_FLAG_INHERIT, 0)) {
        fault = GetLastError();
        closesocket(rebuilt);
        rebuilt = INVALID_SOCKET;
    }
    /* A second use would yield the same socket value, and a double close. The frame is our own
     * buffer; the decoder's pointer into it is const for everybody else. */
    SecureZeroMemory(&info, sizeof info);
    SecureZeroMemory((void *)(uintptr_t)offer->protocol_info, WIRE_PROTOCOL_INFO_BYTES);
    if (rebuilt == INVALID_SOCKET) {
        SetLastError(fault);
        return BATON_E_SYSTEM;
    }
    *out = (baton_socket)rebuilt;
    return 0;
}

void body_channel_end(struct body_channel *channel) {
    AcquireSRWLockExclusive(&sending);
    if (channel->out != 0)
        CloseHandle((HANDLE)channel->out);
    channel->out = 0;
    ReleaseSRWLockExclusive(&sending);
}

void body_channel_close(struct body_channel *channel) {
    if (channel->in_use) {
        body_channel_end(channel);
        CloseHandle((HANDLE)channel->in);
    }
    *channel = (struct body_channel){0};
}
