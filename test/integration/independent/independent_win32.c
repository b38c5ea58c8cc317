/* The part of the independent handler that is for Windows 10 and later. */
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif

#include <winsock2.h>

#include <ws2tcpip.h>

#include <windows.h>

#include <tlhelp32.h>

#include "independent.h"

#include "independent_name.h"

#include <limits.h>
#include <string.h>

/* Microseconds from 1601 to 1970, and how far handle values are looked through. */
#define EPOCH_US UINT64_C(11644473600000000)
enum { HANDLE_STEP = 4, HANDLE_LIMIT = 0x4000, JOB_PROCESSES = 64 };

static HANDLE channel_in;
static HANDLE channel_out;

/* --- The process -------------------------------------------------------------------------------
 */

bool os_take_variable(const char *name, char *value, size_t size) {
    value[0] = '\0';
    SetLastError(ERROR_SUCCESS);
    const DWORD length = GetEnvironmentVariableA(name, value, (DWORD)size);
    if (length == 0 && GetLastError() == ERROR_ENVVAR_NOT_FOUND)
        return false;
    if (length >= size)
        value[0] = '\0';
    SetEnvironmentVariableA(name, NULL);
    return true;
}

uint32_t os_process_id(void) {
    return GetCurrentProcessId();
}

uint64_t os_wall_us(void) {
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    return ((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) / 10 - EPOCH_US;
}

uint64_t os_steady_ms(void) {
    return GetTickCount64();
}

static bool is_inheritable(HANDLE handle) {
    DWORD flags = 0;
    return GetHandleInformation(handle, &flags) && (flags & HANDLE_FLAG_INHERIT) != 0;
}

/* Handles of consoles and of the null device are passed over: the system itself makes such. */
static bool is_foreign(HANDLE handle) {
    return is_inheritable(handle) && handle != channel_in && handle != channel_out &&
           handle != GetStdHandle(STD_INPUT_HANDLE) && handle != GetStdHandle(STD_OUTPUT_HANDLE) &&
           handle != GetStdHandle(STD_ERROR_HANDLE) && GetFileType(handle) != FILE_TYPE_CHAR;
}

/* What was inherited is so still. It comes late as it takes time: Wine asks its server for each,
 * and on a busy machine a HELLO that waited for that came too late. */
static void check_handles(struct tap *tap) {
    bool clean = true;
    for (LONG value = HANDLE_STEP; value < HANDLE_LIMIT; value += HANDLE_STEP) {
        if (is_foreign(LongToHandle(value))) {
            clean = false;
            tap_note(tap, "handle %ld is inheritable", value);
        }
    }
    tap_check(tap, clean, "no inheritable handle but the standard streams and the channel");
}

static DWORD parent_id(void) {
    PROCESSENTRY32W entry;
    DWORD parent = 0;
    HANDLE processes = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    if (processes == INVALID_HANDLE_VALUE)
        return 0;
    entry.dwSize = sizeof entry;
    for (BOOL more = Process32FirstW(processes, &entry); more && parent == 0;
         more = Process32NextW(processes, &entry))
        if (entry.th32ProcessID == GetCurrentProcessId())
            parent = entry.th32ParentProcessID;
    CloseHandle(processes);
    return parent;
}

/* A job of its own holds this process, but not the one that started it. */
static void check_job(struct tap *tap) {
    static const char *const text = "the job holds this process and not its parent";
    union {
        JOBOBJECT_BASIC_PROCESS_ID_LIST list;
        uint8_t room[sizeof(JOBOBJECT_BASIC_PROCESS_ID_LIST) + JOB_PROCESSES * sizeof(ULONG_PTR)];
    } job;
    BOOL inside = FALSE;
    memset(&job, 0, sizeof job);
    const bool known = IsProcessInJob(GetCurrentProcess(), NULL, &inside) != 0;
    tap_check(tap, known && inside, "the process is in a job");
    if (!QueryInformationJobObject(NULL, JobObjectBasicProcessIdList, &job, sizeof job, NULL)) {
        const unsigned long error = GetLastError();
        tap_note(tap, "the list of the job cannot be read: error %lu", error);
        if (error == ERROR_INVALID_HANDLE)
            tap_skip(tap, text, "this system does not know the handle NULL for the own job");
        else
            tap_check(tap, false, text);
        return;
    }
    const DWORD parent = parent_id();
    const ULONG_PTR *ids = job.list.ProcessIdList;
    bool self = false;
    bool alone = true;
    for (DWORD i = 0; i < job.list.NumberOfProcessIdsInList; i++) {
        self = self || ids[i] == GetCurrentProcessId();
        alone = alone && ids[i] != parent;
    }
    tap_check(tap, self && alone, text);
}

static void check_channel(struct tap *tap) {
    DWORD count = 0;
    tap_check(tap,
              GetFileType(channel_in) == FILE_TYPE_PIPE &&
                  GetFileType(channel_out) == FILE_TYPE_PIPE,
              "the channel is two pipes");
    tap_check(tap, !WriteFile(channel_in, "", 0, &count, NULL), "IN cannot be written");
    tap_check(tap, !PeekNamedPipe(channel_out, NULL, 0, NULL, NULL, NULL), "OUT cannot be read");
    tap_check(tap, is_inheritable(channel_in) && is_inheritable(channel_out),
              "the channel was inheritable");
}

void os_check_start(struct tap *tap) {
    tap_skip(tap, "no signal is blocked", "Windows has no such signals");
    tap_skip(tap, "no signal is ignored", "Windows has no such signals");
    tap_skip(tap, "the process leads a process group of its own", "the document says POSIX");
    check_job(tap);
    tap_check(tap, GetConsoleWindow() == NULL, "there is no console window");
    check_channel(tap);
}

/* The null device is of the character type, is no console, and always at its end. */
static bool is_null_device(HANDLE handle) {
    DWORD mode;
    DWORD count = 1;
    char byte;
    return GetFileType(handle) == FILE_TYPE_CHAR && !GetConsoleMode(handle, &mode) &&
           ReadFile(handle, &byte, 1, &count, NULL) && count == 0;
}

static bool takes_line(DWORD stream, const char *line) {
    HANDLE handle = GetStdHandle(stream);
    const DWORD size = (DWORD)strlen(line);
    DWORD count = 0;
    return GetFileType(handle) != FILE_TYPE_CHAR && WriteFile(handle, line, size, &count, NULL) &&
           count == size;
}

void os_check_streams(struct tap *tap) {
    tap_check(tap, is_null_device(GetStdHandle(STD_INPUT_HANDLE)),
              "standard input is the null device");
    tap_check(tap, takes_line(STD_OUTPUT_HANDLE, "independent: a line to standard output\n"),
              "standard output takes a line, and is neither the null device nor a console");
    tap_check(tap, takes_line(STD_ERROR_HANDLE, "independent: a line to standard error\n"),
              "standard error takes a line, and is neither the null device nor a console");
}

/* --- The channel -------------------------------------------------------------------------------
 */

bool os_channel_set(uint32_t in, uint32_t out) {
    channel_in = LongToHandle((LONG)in);
    channel_out = LongToHandle((LONG)out);
    return true;
}

bool os_start(void) {
    WSADATA data;
    return SetHandleInformation(channel_in, HANDLE_FLAG_INHERIT, 0) &&
           SetHandleInformation(channel_out, HANDLE_FLAG_INHERIT, 0) &&
           WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

enum early os_channel_early(void) {
    DWORD available = 0;
    return PeekNamedPipe(channel_in, NULL, 0, NULL, &available, NULL) && available == 0
               ? EARLY_NOTHING
               : EARLY_WRONG;
}

void os_channel_close(void) {
    CloseHandle(channel_in);
    CloseHandle(channel_out);
}

bool os_frame_write(const uint8_t *bytes, size_t size) {
    DWORD count = 0;
    return WriteFile(channel_out, bytes, (DWORD)size, &count, NULL) && count == size;
}

static enum read_result read_exactly(uint8_t *bytes, size_t size) {
    while (size > 0) {
        DWORD count = 0;
        if (!ReadFile(channel_in, bytes, (DWORD)size, &count, NULL))
            return GetLastError() == ERROR_BROKEN_PIPE ? READ_END : READ_BREACH;
        if (count == 0)
            return READ_END;
        bytes += count;
        size -= count;
    }
    return READ_FRAME;
}

enum read_result os_frame_read(struct frame *frame) {
    size_t body = 0;
    frame->descriptor = -1;
    const enum read_result result = read_exactly(frame->bytes, HEADER_SIZE);
    if (result != READ_FRAME)
        return result;
    if (!header_valid(frame->bytes, &body))
        return READ_BREACH;
    frame->size = HEADER_SIZE + body;
    return read_exactly(frame->bytes + HEADER_SIZE, body);
}

/* --- The socket --------------------------------------------------------------------------------
 */

bool os_socket_take(const struct offer *offer, os_socket *built) {
    WSAPROTOCOL_INFOW info;
    _Static_assert(sizeof info == PROTOCOL_INFO_SIZE, "the size that the document says");
    if (offer->protocol_info == NULL)
        return false;
    memcpy(&info, offer->protocol_info, sizeof info);
    const SOCKET sock = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                                   &info, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    SecureZeroMemory(&info, sizeof info);
    *built = sock;
    return sock != INVALID_SOCKET;
}

bool os_socket_name(os_socket sock, bool peer, struct address *name) {
    SOCKADDR_STORAGE given;
    int size = sizeof given;
    memset(&given, 0, sizeof given);
    name->size = 0;
    const int result = peer ? getpeername(sock, (struct sockaddr *)&given, &size)
                            : getsockname(sock, (struct sockaddr *)&given, &size);
    if (result != 0)
        return false;
    write_name(&given, name);
    return true;
}

void os_socket_limit(os_socket sock, unsigned receive_ms) {
    const DWORD limit = receive_ms;
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit, sizeof limit);
}

long os_socket_receive(os_socket sock, uint8_t *bytes, size_t size) {
    const int got = recv(sock, (char *)bytes, (int)size, 0);
    if (got >= 0)
        return got;
    const int error = WSAGetLastError();
    return error == WSAETIMEDOUT || error == WSAEWOULDBLOCK ? RECEIVE_NOTHING : RECEIVE_ERROR;
}

bool os_socket_send(os_socket sock, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        const int part = size < INT_MAX ? (int)size : INT_MAX;
        const int sent = send(sock, (const char *)bytes, part, 0);
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool os_socket_shutdown(os_socket sock) {
    return shutdown(sock, SD_SEND) == 0;
}

void os_socket_close(os_socket sock) {
    closesocket(sock);
}

static int socket_option(os_socket sock, int option) {
    int value = 0;
    int size = sizeof value;
    return getsockopt(sock, SOL_SOCKET, option, (char *)&value, &size) == 0 ? value : -1;
}

void os_check_socket(struct tap *tap, os_socket sock) {
    DWORD flags = HANDLE_FLAG_INHERIT;
    const bool known = GetHandleInformation((HANDLE)sock, &flags) != 0;
    tap_check(tap, socket_option(sock, SO_TYPE) == SOCK_STREAM, "the socket is a stream");
    tap_check(tap, socket_option(sock, SO_ACCEPTCONN) == 0, "the socket does not listen");
    tap_check(tap, socket_option(sock, SO_ERROR) == 0, "the socket has no pending error");
    tap_skip(tap, "FIONBIO is off", "Windows does not tell: a read shows it below");
    tap_check(tap, socket_option(sock, SO_RCVTIMEO) == 0 && socket_option(sock, SO_SNDTIMEO) == 0,
              "the socket has no time limits");
    tap_check(tap, known && (flags & HANDLE_FLAG_INHERIT) == 0, "the socket is not inheritable");
}

/* While events are registered, Winsock lets nobody make the socket blocking. */
static void check_events(struct tap *tap, os_socket sock) {
    WSANETWORKEVENTS events;
    u_long off = 0;
    memset(&events, 0, sizeof events);
    tap_check(tap,
              WSAEnumNetworkEvents(sock, NULL, &events) == 0 && events.lNetworkEvents == 0 &&
                  ioctlsocket(sock, (long)FIONBIO, &off) == 0,
              "no event is registered (WSAEventSelect)");
}

static bool is_synchronous(HANDLE handle) {
    HANDLE port = CreateIoCompletionPort(handle, NULL, 0, 1);
    const bool refused = port == NULL && GetLastError() == ERROR_INVALID_PARAMETER;
    if (port != NULL)
        CloseHandle(port);
    return refused;
}

void os_check_socket_late(struct tap *tap, os_socket sock) {
    tap_skip(tap, "soon after the ACK the socket is the only copy", "only the client can see it");
    check_handles(tap);
    check_events(tap, sock);
    tap_check(tap, is_synchronous(channel_in) && is_synchronous(channel_out),
              "the channel's handles are synchronous: they take no completion port");
    HANDLE port = CreateIoCompletionPort((HANDLE)sock, NULL, 0, 1);
    tap_check(tap, port != NULL, "overlapped, and no completion port: it takes one");
    if (port != NULL)
        CloseHandle(port);
}
