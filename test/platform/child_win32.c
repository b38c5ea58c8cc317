#include "child.h"

#include "wire.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <fcntl.h>
#include <io.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define DISAGREEMENT_EXIT_CODE 95

typedef int (*configure_wide_argv)(int mode);
typedef wchar_t ***(*wide_argv)(void);
typedef int *(*wide_argc)(void);

/* msvcrt's own parser, without its expansion of wildcards (mingw-w64's start-up code uses this). */
typedef struct {
    int new_mode;
} start_info;
int __wgetmainargs(int *argc, wchar_t ***argv, wchar_t ***environment, int expand,
                   start_info *info);

static FARPROC find(HMODULE module, const char *name) {
    FARPROC found = module == NULL ? NULL : GetProcAddress(module, name);
    if (found == NULL) {
        exit(DISAGREEMENT_EXIT_CODE);
    }
    return found;
}

static void compare(const char *parser, int argc, wchar_t **argv, int other_argc, wchar_t **other) {
    int same = 0;
    while (same < argc && same < other_argc && wcscmp(argv[same], other[same]) == 0) {
        same++;
    }
    if (same != argc || same != other_argc) {
        char line[256];
        int length = snprintf(line, sizeof line, "%s gives another argument %d of %d: [%.80ls]\n",
                              parser, same, argc, same < other_argc ? other[same] : L"none");
        child_write(line, (size_t)length);
        exit(DISAGREEMENT_EXIT_CODE);
    }
}

/* Programs take their command line apart by one of three parsers. They have to agree on what
 * platform_launch() writes, so every child of every test asks all of them. */
static void compare_parsers(int argc, wchar_t **argv) {
    int count;
    wchar_t **list;
    wchar_t **environment;
    start_info info = {0};
    __wgetmainargs(&count, &list, &environment, 0, &info);
    compare("msvcrt", argc, argv, count, list);

    HMODULE ucrt = LoadLibraryW(L"ucrtbase.dll");
    ((configure_wide_argv)(void (*)(void))find(ucrt, "_configure_wide_argv"))(1);
    count = *((wide_argc)(void (*)(void))find(ucrt, "__p___argc"))();
    list = *((wide_argv)(void (*)(void))find(ucrt, "__p___wargv"))();
    compare("ucrt", argc, argv, count, list);
}

static char *to_utf8(const wchar_t *wide) {
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = malloc((size_t)size);
    if (text == NULL) {
        exit(DISAGREEMENT_EXIT_CODE);
    }
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
    return text;
}

char **child_arguments(int argc, char **argv, int *out_argc) {
    (void)argc;
    (void)argv;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), out_argc);
    char **arguments = wide == NULL ? NULL : calloc((size_t)*out_argc + 1, sizeof *arguments);
    if (arguments == NULL) {
        exit(DISAGREEMENT_EXIT_CODE);
    }
    compare_parsers(*out_argc, wide);
    _setmode(_fileno(stderr), _O_BINARY); /* the same lines as on POSIX */
    for (int i = 0; i < *out_argc; i++) {
        arguments[i] = to_utf8(wide[i]);
    }
    return arguments;
}

void child_write(const char *bytes, size_t length) {
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    while (length > 0) {
        DWORD written;
        if (!WriteFile(output, bytes, (DWORD)length, &written, NULL)) {
            return; /* the platform was closed; the test looks at what goes on then */
        }
        bytes += written;
        length -= written;
    }
}

const char *child_variable(const char *name) {
    static char text[32768];
    static wchar_t value[32768];
    wchar_t wide_name[64];
    MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64);
    SetLastError(ERROR_SUCCESS);
    DWORD length = GetEnvironmentVariableW(wide_name, value, 32768);
    if (length == 0 && GetLastError() != ERROR_SUCCESS) {
        return NULL;
    }
    WideCharToMultiByte(CP_UTF8, 0, value, -1, text, (int)sizeof text, NULL, NULL);
    return text;
}

uint32_t child_pid(void) {
    return GetCurrentProcessId();
}

const char *child_directory(void) {
    static char text[4096];
    static wchar_t path[4096];
    GetCurrentDirectoryW(4096, path);
    WideCharToMultiByte(CP_UTF8, 0, path, -1, text, (int)sizeof text, NULL, NULL);
    return text;
}

/* BATON_CHANNEL=<in>,<out> */
static HANDLE channel(bool out) {
    const char *text = child_variable("BATON_CHANNEL");
    char *comma = NULL;
    unsigned long in_value = text == NULL ? 0 : strtoul(text, &comma, 10);
    unsigned long value = out && comma != NULL ? strtoul(comma + 1, NULL, 10) : in_value;
    return (HANDLE)(uintptr_t)value;
}

bool channel_write(const void *bytes, size_t length) {
    DWORD written;
    return WriteFile(channel(true), bytes, (DWORD)length, &written, NULL) && written == length;
}

static bool read_exactly(uint8_t *bytes, size_t length) {
    while (length > 0) {
        DWORD got;
        if (!ReadFile(channel(false), bytes, (DWORD)length, &got, NULL)) {
            return false;
        }
        bytes += got;
        length -= got;
    }
    return true;
}

long channel_read(void *frame, size_t size) {
    uint8_t *bytes = frame;
    if (!read_exactly(bytes, 16)) {
        return GetLastError() == ERROR_BROKEN_PIPE ? 0 : -1;
    }
    size_t body_bytes = (size_t)bytes[12] << 24 | (size_t)bytes[13] << 16 | (size_t)bytes[14] << 8 |
                        (size_t)bytes[15];
    if (16 + body_bytes > size || !read_exactly(bytes + 16, body_bytes)) {
        return -1;
    }
    return (long)(16 + body_bytes);
}

void channel_shut(void) {
    HANDLE in = channel(false);
    HANDLE out = channel(true);
    CloseHandle(in);
    CloseHandle(out);
}

bool child_serve_socket(const uint8_t *info) {
    WSADATA data;
    WSAPROTOCOL_INFOW description;
    if (info == NULL || WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        return false;
    }
    memcpy(&description, info, sizeof description);
    SOCKET offered = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                                &description, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (offered == INVALID_SOCKET ||
        !SetHandleInformation((HANDLE)offered, HANDLE_FLAG_INHERIT, 0)) {
        return false;
    }
    struct sockaddr_storage name;
    int length = sizeof name;
    bool peer = getpeername(offered, (struct sockaddr *)&name, &length) == 0;
    /* Windows does not tell whether a socket blocks; a client that waits before it sends does. */
    bool blocking = true;
    char bytes[256];
    int got;
    while ((got = recv(offered, bytes, sizeof bytes, 0)) > 0) {
        send(offered, bytes, got, 0);
    }
    if (got == SOCKET_ERROR && WSAGetLastError() == WSAEWOULDBLOCK) {
        blocking = false;
    }
    bool down = shutdown(offered, SD_SEND) == 0;
    DWORD flags = HANDLE_FLAG_INHERIT;
    GetHandleInformation((HANDLE)offered, &flags);
    bool bindable = CreateIoCompletionPort((HANDLE)offered, NULL, 1, 1) != NULL;
    char line[128];
    int line_length =
        snprintf(line, sizeof line, "blocking=%d inheritable=%d peer=%d shutdown=%d\n", blocking,
                 (flags & HANDLE_FLAG_INHERIT) != 0, peer, down);
    child_write(line, (size_t)line_length);
    line_length = snprintf(line, sizeof line, "bindable=%d\n", bindable);
    child_write(line, (size_t)line_length);
    closesocket(offered);
    return true;
}

void child_spawn(const char *self, const char *action, bool escape) {
    wchar_t path[4096];
    wchar_t line[4300];
    MultiByteToWideChar(CP_UTF8, 0, self, -1, path, 4096);
    (void)swprintf(line, sizeof line / sizeof line[0], L"grandchild %hs", action);
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    DWORD flags = CREATE_NO_WINDOW | (escape ? CREATE_BREAKAWAY_FROM_JOB : 0u);
    /* A job without the breakaway limit refuses the attempt, so it is made without, too. Wine 8
     * ignores the flag, which comes to the same: the grandchild stays in the job. */
    if (!CreateProcessW(path, line, NULL, NULL, FALSE, flags, NULL, NULL, &startup, &made) &&
        !CreateProcessW(path, line, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL, NULL, &startup,
                        &made)) {
        child_crash();
    }
    char text[64];
    int length = snprintf(text, sizeof text, "grandchild %lu\n", made.dwProcessId);
    child_write(text, (size_t)length);
    CloseHandle(made.hThread);
    CloseHandle(made.hProcess);
}

/* Takes the OFFER of a listener or of a datagram socket, and serves one client or one datagram by
 * blocking calls. */
static void serve_listener(void) {
    static uint8_t offer[16 + 2048];
    struct wire_message message;
    WSADATA data;
    WSAPROTOCOL_INFOW description;
    long length = channel_read(offer, sizeof offer);
    if (length <= 0 || WSAStartup(MAKEWORD(2, 2), &data) != 0 ||
        wire_decode(offer, (size_t)length, WIRE_FROM_SUPERVISOR, &message) != WIRE_OK) {
        ExitProcess(94);
    }
    memcpy(&description, message.protocol_info, sizeof description);
    SOCKET offered = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                                &description, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    char bytes[256];
    int got;
    if (description.iSocketType == SOCK_DGRAM) {
        char line[64];
        got = recvfrom(offered, bytes, sizeof bytes, 0, NULL, NULL);
        int line_length = snprintf(line, sizeof line, "datagram %d\n", got);
        child_write(line, (size_t)line_length);
        return;
    }
    SOCKET client = accept(offered, NULL, NULL);
    if (client == INVALID_SOCKET) {
        ExitProcess(94);
    }
    while ((got = recv(client, bytes, sizeof bytes, 0)) > 0) {
        send(client, bytes, got, 0);
    }
    closesocket(client);
    closesocket(offered);
}

/* The inheritable handles of this process: all that the launch may have given. */
static void list_handles(void) {
    char line[1024] = "handles ";
    for (uintptr_t value = 4; value < 4096; value += 4) {
        DWORD flags;
        if (GetHandleInformation((HANDLE)value, &flags) && (flags & HANDLE_FLAG_INHERIT) != 0) {
            size_t used = strlen(line);
            snprintf(line + used, sizeof line - used, "%llu ", (unsigned long long)value);
        }
    }
    size_t used = strlen(line);
    snprintf(line + used, sizeof line - used, "| %llu %llu %llu %s\n",
             (unsigned long long)(uintptr_t)GetStdHandle(STD_INPUT_HANDLE),
             (unsigned long long)(uintptr_t)GetStdHandle(STD_OUTPUT_HANDLE),
             (unsigned long long)(uintptr_t)GetStdHandle(STD_ERROR_HANDLE),
             child_variable("BATON_CHANNEL"));
    child_write(line, strlen(line));
}

static void read_standard_input(void) {
    char byte;
    DWORD got = 1;
    BOOL done = ReadFile(GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &got, NULL);
    char line[64];
    int length = snprintf(line, sizeof line, "input=%d,%lu\n", done != FALSE, got);
    child_write(line, (size_t)length);
}

/* By the system's own calls, as runtimes of all languages do it in the end. */
static void copy_input(void) {
    char bytes[4096];
    DWORD got;
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), bytes, sizeof bytes, &got, NULL) && got > 0) {
        child_write(bytes, got);
    }
}

/* The handles are inherited, and the one to the grandchild is kept to our end, as shims do. */
static void speak_by_grandchild(wchar_t *line) {
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    wchar_t path[4096];
    MultiByteToWideChar(CP_UTF8, 0, child_variable("TEST_SELF"), -1, path, 4096);
    if (CreateProcessW(path, line, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &startup,
                       &made)) {
        WaitForSingleObject(made.hProcess, INFINITE);
    }
}

/* Prints what this process may do: "privileges=N NAME=0|1 administrators=enabled|denied|none". */
static void tell_token(void) {
    char room[8192];
    char line[160];
    DWORD bytes;
    HANDLE token;
    LUID every_lookup;
    DWORD is_kept = 0;
    const char *administrators = "none";
    BYTE group[SECURITY_MAX_SID_SIZE];
    DWORD group_bytes = sizeof group;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) ||
        !CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, group, &group_bytes) ||
        !LookupPrivilegeValueW(NULL, L"SeChangeNotifyPrivilege", &every_lookup) ||
        !GetTokenInformation(token, TokenGroups, room, sizeof room, &bytes)) {
        exit(DISAGREEMENT_EXIT_CODE);
    }
    const TOKEN_GROUPS *groups = (const void *)room;
    for (DWORD i = 0; i < groups->GroupCount; i++) {
        if (EqualSid(groups->Groups[i].Sid, group)) {
            bool denied = (groups->Groups[i].Attributes & SE_GROUP_USE_FOR_DENY_ONLY) != 0;
            administrators = denied ? "denied" : "enabled";
        }
    }
    if (!GetTokenInformation(token, TokenPrivileges, room, sizeof room, &bytes)) {
        exit(DISAGREEMENT_EXIT_CODE);
    }
    const TOKEN_PRIVILEGES *privileges = (const void *)room;
    for (DWORD i = 0; i < privileges->PrivilegeCount; i++) {
        is_kept |= privileges->Privileges[i].Luid.LowPart == every_lookup.LowPart;
    }
    int length = snprintf(line, sizeof line,
                          "privileges=%lu SeChangeNotifyPrivilege=%lu administrators=%s\n",
                          privileges->PrivilegeCount, is_kept, administrators);
    child_write(line, (size_t)length);
    CloseHandle(token);
}

bool child_special(const char *action) {
    if (strcmp(action, "handles") == 0) {
        list_handles();
    } else if (strcmp(action, "streams") == 0) {
        read_standard_input();
    } else if (strcmp(action, "copy-input") == 0) {
        copy_input();
    } else if (strcmp(action, "serve-listener") == 0) {
        serve_listener();
    } else if (strcmp(action, "token") == 0) {
        tell_token();
    } else if (strcmp(action, "close-input") == 0) {
        CloseHandle(GetStdHandle(STD_INPUT_HANDLE));
    } else if (strcmp(action, "hello-by-grandchild") == 0) {
        wchar_t line[] = L"shim hello wait-for-end";
        speak_by_grandchild(line);
    } else if (strcmp(action, "hello-by-short-grandchild") == 0) {
        wchar_t line[] = L"shim hello";
        speak_by_grandchild(line);
    } else {
        return false;
    }
    return true;
}

static HANDLE go;

void child_prepare_go(void) {
    wchar_t name[64];
    (void)swprintf(name, sizeof name / sizeof name[0], L"baton-test-go-%lu", GetCurrentProcessId());
    go = CreateEventW(NULL, TRUE, FALSE, name);
}

void child_wait_for_go(void) {
    WaitForSingleObject(go, 60000);
}

void child_crash(void) {
    RaiseException((DWORD)STATUS_ACCESS_VIOLATION, EXCEPTION_NONCONTINUABLE, 0, NULL);
    ExitProcess(96);
}

void child_hold(void) {
    /* A test that failed must not leave this behind for ever. */
    WaitForSingleObject(GetCurrentProcess(), 60000);
    ExitProcess(97);
}
