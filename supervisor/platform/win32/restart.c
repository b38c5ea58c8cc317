/*
 * Restart: a new process takes the place of this one, since none can become another program here.
 * It is started with a page of memory that both see and two events, and gets what goes over by
 * DuplicateHandle and WSADuplicateSocketW, and the snapshot as a section. Until it says on that
 * page that it has taken over it reads nothing and accepts nobody, so that this one can go on at
 * any time before; from then on this one has nothing left to do, and ends on the spot: what an
 * orderly end would take back is the new one's by now.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsaduplicatesocketw
 * https://learn.microsoft.com/windows/win32/api/handleapi/nf-handleapi-duplicatehandle
 */
#include "restart.h"

#include "core/base/text.h"
#include "event_log.h"
#include "successor.h"

#include <stdlib.h>
#include <string.h>

const bool platform_restarts = true;

#define PATH_BYTES 4096u
#define ALIGNED_BYTES 16u
/* How long the log may take before. */
#define LOG_WAIT_US 1000000u

static size_t padded(uint64_t bytes) {
    return ((size_t)bytes + ALIGNED_BYTES - 1) / ALIGNED_BYTES * ALIGNED_BYTES;
}

/* ---- In the old one ---- */

static struct platform *opened; /* there is one at a time */

/* The thread's that summons, while it does; else the loop's. */
static struct {
    struct successor successor;
    struct snapshot own; /* one block: what win32_give_bytes() got */
    HANDLE *given;       /* room for as many as were given; owned */
    size_t given_count, given_room;
    struct baton_cause failed; /* the first that was not given; `call` NULL = all were */
    bool stands_still;
    bool is_hung_up; /* a hang-up was told meanwhile */
} leaving;

const char *platform_started_file(void) {
    static char path[PATH_BYTES];
    static wchar_t wide[PATH_BYTES];
    if (path[0] == '\0') {
        DWORD length = GetModuleFileNameW(NULL, wide, PATH_BYTES);
        if (length == 0 || length >= PATH_BYTES ||
            win32_text_to_utf8(wide, path, sizeof path) != BATON_OK) {
            path[0] = '\0';
        }
    }
    return path[0] == '\0' ? NULL : path;
}

static void note_failure(const char *call, DWORD system_code) {
    if (leaving.failed.call == NULL) {
        leaving.failed = (struct baton_cause){call, (long)system_code};
    }
}

/* To be closed if this process outlives the restart. */
static void note_given(HANDLE handle) {
    if (leaving.given_count == leaving.given_room) {
        size_t room = 2 * leaving.given_room + 64;
        HANDLE *grown = realloc(leaving.given, room * sizeof *grown);
        if (grown == NULL) {
            note_failure("realloc", ERROR_NOT_ENOUGH_MEMORY);
            return;
        }
        leaving.given = grown;
        leaving.given_room = room;
    }
    leaving.given[leaving.given_count++] = handle;
}

uint64_t win32_give_handle(HANDLE handle) {
    if (handle != NULL) {
        note_given(handle);
    }
    return win32_give_copy(handle);
}

uint64_t win32_give_copy(HANDLE handle) {
    HANDLE theirs = NULL;
    if (handle != NULL && !DuplicateHandle(GetCurrentProcess(), handle, leaving.successor.process,
                                           &theirs, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
        note_failure("DuplicateHandle", GetLastError());
        theirs = NULL;
    }
    return (uint64_t)(uintptr_t)theirs;
}

uint64_t win32_give_bytes(const void *bytes, size_t length) {
    size_t at = leaving.own.used_bytes;
    snapshot_add(&leaving.own, bytes, length);
    return at;
}

uint64_t win32_give_socket(SOCKET socket) {
    WSAPROTOCOL_INFOW info;
    if (socket == INVALID_SOCKET) {
        return 0;
    }
    if (WSADuplicateSocketW(socket, leaving.successor.pid, &info) != 0) {
        note_failure("WSADuplicateSocketW", (DWORD)WSAGetLastError());
        return 0;
    }
    note_given((HANDLE)socket);
    return win32_give_bytes(&info, sizeof info);
}

bool platform_restart_is_quiet(struct platform *platform) {
    return win32_can_stand_still(platform);
}

/* What is in the ring of a log would end with this process. */
static int flush_logs(struct platform *platform, struct baton_cause *cause) {
    uint64_t deadline_us = platform_now_us(platform) + LOG_WAIT_US;
    for (struct platform_log *log = platform->first_log; log != NULL; log = log->next) {
        if (platform_log_flush(log, deadline_us) > 0) {
            *cause = (struct baton_cause){"writing the log", ERROR_TIMEOUT};
            return BATON_SYSTEM;
        }
    }
    return BATON_OK;
}

static void forget_successor(void) {
    win32_successor_end(&leaving.successor);
    snapshot_clear(&leaving.own);
    free(leaving.given);
    memset(&leaving, 0, sizeof leaving);
}

int platform_restart_summon(const char *path, char *const *argv, uint32_t patience_ms, int *code,
                            struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    *code = 0;
    forget_successor();
    return win32_successor_summon(&leaving.successor, opened, path, argv, patience_ms, code, cause);
}

/* What the packets in the port are about is looked for once more, in either process, but for
 * what somebody asks. True if that is a stop: it is asked for again. */
static bool was_stopped(struct platform *platform) {
    const LONG asked = 1 << PACKET_STOP | 1 << PACKET_HANGUP | 1 << PACKET_WORK;
    OVERLAPPED_ENTRY packets[64];
    ULONG count = 0;
    ULONG_PTR key = 0;
    bool is_stop = false;
    while (GetQueuedCompletionStatusEx(platform->port, packets, 64, &count, 0, FALSE)) {
        for (ULONG i = 0; i < count; i++) {
            ULONG_PTR kind = packets[i].lpCompletionKey & ((1u << PACKET_KIND_BITS) - 1u);
            is_stop = is_stop || kind == PACKET_STOP;
            key = kind == PACKET_STOP ? packets[i].lpCompletionKey : key;
            leaving.is_hung_up = leaving.is_hung_up || kind == PACKET_HANGUP;
        }
    }
    win32_packets_lose(~asked & ((1 << (PACKET_HANGUP + 1)) - 1));
    if (is_stop) {
        PostQueuedCompletionStatus(platform->port, 0, key, NULL);
    }
    return is_stop;
}

int platform_restart_begin(struct platform *platform, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    int code = leaving.successor.process == NULL ? BATON_UNSUPPORTED : flush_logs(platform, cause);
    if (code != BATON_OK) {
        return code;
    }
    leaving.stands_still = true;
    win32_console_release();
    win32_manager_watch_no_more(platform);
    code = win32_stand_still(platform, cause);
    snapshot_begin(&leaving.own, SNAPSHOT_PLATFORM, 0); /* so that 0 is nothing */
    if (was_stopped(platform) && code == BATON_OK) {
        *cause = (struct baton_cause){"a stop was asked for", ERROR_CANCELLED};
        code = BATON_SYSTEM;
    }
    return code;
}

/* Of what does not go on for lack of memory nobody could be told. */
void platform_restart_cancel(struct platform *platform) {
    struct baton_cause ignored;
    bool stood_still = leaving.stands_still, is_hung_up = leaving.is_hung_up;
    forget_successor();
    if (stood_still) {
        (void)win32_go_on(platform, &ignored);
        (void)win32_manager_watch(platform, &ignored);
        win32_console_hold();
    }
    if (is_hung_up) {
        win32_packet_post(platform->port, PACKET_HANGUP, 0, 0);
    }
}

static char *put_padded(char *at, const void *bytes, size_t length) {
    if (length > 0) {
        memcpy(at, bytes, length);
    }
    return at + padded(length);
}

/* All that is left, where the new one finds it. */
static int leave(const struct platform_successor *successor, struct baton_cause *cause) {
    struct passed_page *page = leaving.successor.page;
    page->own_bytes = leaving.own.used_bytes;
    page->snapshot_bytes = successor->snapshot->used_bytes;
    page->extra_bytes = successor->extra_bytes;
    uint64_t whole =
        padded(page->own_bytes) + padded(page->snapshot_bytes) + padded(page->extra_bytes);
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE,
                                        (DWORD)(whole >> 32), (DWORD)whole, NULL);
    char *bytes = section == NULL ? NULL : MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    int code = bytes == NULL ? win32_cause_last(cause, "CreateFileMappingW") : BATON_OK;
    if (bytes != NULL) {
        char *at = put_padded(bytes, leaving.own.bytes, leaving.own.used_bytes);
        at = put_padded(at, successor->snapshot->bytes, successor->snapshot->used_bytes);
        (void)put_padded(at, successor->extra, successor->extra_bytes);
        UnmapViewOfFile(bytes);
        page->section = win32_give_copy(section);
    }
    if (section != NULL) {
        CloseHandle(section);
    }
    if (code == BATON_OK && leaving.own.has_failed) {
        code = BATON_NO_MEMORY;
    } else if (code == BATON_OK && leaving.failed.call != NULL) {
        *cause = leaving.failed;
        code = BATON_SYSTEM;
    }
    return code;
}

/* Why it has not taken over. */
static void explain(LONG state, bool has_ended, struct platform_successor *successor) {
    static char text[REASON_BYTES];
    DWORD exit_code = 0;
    successor->failure = text;
    if (state == STATE_FAILED) {
        leaving.successor.page->reason[REASON_BYTES - 1] = '\0';
        text_format(text, sizeof text, "%s", leaving.successor.page->reason);
    } else if (has_ended) {
        GetExitCodeProcess(leaving.successor.process, &exit_code);
        text_format(text, sizeof text,
                    "the new batond has ended by exit code %u before it could take over",
                    (unsigned)exit_code);
    } else {
        text_format(text, sizeof text, "the new batond has not taken over within %u ms",
                    SUCCESSOR_WAIT_MS);
    }
}

/* It may have writes that nobody else can end, and entries of the Event Log. What the new one has
 * has no other owner then: the sockets' handles alone are closed, since closesocket() would do
 * more. */
static void end_old(struct platform *platform) {
    if (leaving.successor.page->lingers) {
        win32_watch_no_more(platform);
        for (size_t i = 0; i < leaving.given_count; i++) {
            CloseHandle(leaving.given[i]);
        }
        SetEvent(leaving.successor.passed[PASSED_LEFT]);
        win32_event_log_close(&platform->event_log, EVENT_LOG_CLOSE_BOUND_MS);
        win32_await_writes(platform);
    }
    TerminateProcess(GetCurrentProcess(), 0);
}

int platform_restart_go(struct platform *platform, struct platform_successor *successor,
                        struct baton_cause *cause) {
    const HANDLE sources[] = {leaving.successor.passed[PASSED_TOLD], leaving.successor.process};
    *cause = (struct baton_cause){0};
    int code = leave(successor, cause);
    if (code != BATON_OK && WaitForSingleObject(leaving.successor.process, 0) == WAIT_OBJECT_0) {
        explain(leaving.successor.page->state, true, successor); /* nothing can be given to it */
    }
    if (code != BATON_OK) {
        return code;
    }
    leaving.successor.page->is_hung_up = leaving.is_hung_up;
    leaving.successor.page->lingers = win32_has_writes(platform) || platform->event_log != NULL;
    SetEvent(leaving.successor.passed[PASSED_LEFT]);
    DWORD what = WaitForMultipleObjects(2, sources, FALSE, SUCCESSOR_WAIT_MS);
    LONG state =
        InterlockedCompareExchange(&leaving.successor.page->state, STATE_GIVEN_UP, STATE_OPEN);
    if (state == STATE_TAKEN_OVER) {
        win32_manager_pass_on(platform, leaving.successor.process);
        end_old(platform);
    }
    explain(state, what == WAIT_OBJECT_0 + 1, successor);
    return BATON_SYSTEM;
}

/* ---- In the new one ---- */

static struct {
    bool was_asked, is_there, has_come;
    HANDLE passed[PASSED_COUNT];
    struct passed_page *page;
    const char *left; /* all of it */
    struct platform_restarted what;
} arriving;

static bool is_successor(void) {
    if (!arriving.was_asked) {
        arriving.was_asked = true;
        arriving.page = win32_successor_arrive(arriving.passed);
    }
    return arriving.page != NULL;
}

/* Nothing of this process is needed: the old one goes on, or has ended before it could leave
 * anything. */
static void end(void) {
    TerminateProcess(GetCurrentProcess(), EXIT_NOT_NEEDED);
}

static void fail(const char *reason) {
    text_format(arriving.page->reason, REASON_BYTES, "%s", reason);
    InterlockedCompareExchange(&arriving.page->state, STATE_FAILED, STATE_OPEN);
    SetEvent(arriving.passed[PASSED_TOLD]);
    end();
}

/* Waits for as long as the old one takes, which may have to wait for handlers. */
static void await_left(void) {
    const HANDLE sources[] = {arriving.passed[PASSED_LEFT], arriving.passed[PASSED_OLD]};
    const struct passed_page *page = arriving.page;
    struct platform_restarted *what = &arriving.what;
    arriving.page->is_waiting = 1;
    SetEvent(arriving.passed[PASSED_TOLD]);
    if (WaitForMultipleObjects(2, sources, FALSE, INFINITE) != WAIT_OBJECT_0) {
        end();
    }
    ResetEvent(arriving.passed[PASSED_LEFT]);
    arriving.left = MapViewOfFile((HANDLE)(uintptr_t)page->section, FILE_MAP_READ, 0, 0, 0);
    if (arriving.left == NULL) {
        fail("the new batond cannot map what is left to it");
        return;
    }
    what->pid = page->pid;
    what->snapshot = arriving.left + padded(page->own_bytes);
    what->snapshot_bytes = (size_t)page->snapshot_bytes;
    what->extra = what->snapshot + padded(page->snapshot_bytes);
    what->extra_bytes = (size_t)page->extra_bytes;
}

const struct platform_restarted *platform_restarted(void) {
    if (is_successor() && !arriving.has_come) {
        arriving.has_come = arriving.is_there = true;
        await_left();
    }
    return arriving.is_there ? &arriving.what : NULL;
}

int win32_restart_open(struct platform *platform, struct baton_cause *cause) {
    opened = platform;
    return platform_restarted() != NULL ? BATON_OK : win32_manager_watch(platform, cause);
}

/* From the change of `state` on this is the batond, and not before. */
void platform_restart_forget(void) {
    struct baton_cause cause;
    if (!arriving.is_there) {
        return;
    }
    if (win32_manager_watch(opened, &cause) != BATON_OK) {
        fail("the new batond cannot wait for its service manager");
    }
    if (InterlockedCompareExchange(&arriving.page->state, STATE_TAKEN_OVER, STATE_OPEN) !=
        STATE_OPEN) {
        end();
    }
    const HANDLE ends[] = {arriving.passed[PASSED_OLD], arriving.passed[PASSED_LEFT]};
    SetEvent(arriving.passed[PASSED_TOLD]);
    (void)win32_go_on(opened, &cause);
    win32_console_hold();
    if (arriving.page->is_hung_up) {
        win32_packet_post(opened->port, PACKET_HANGUP, 0, 0);
    }
    WaitForMultipleObjects(2, ends, FALSE, END_WAIT_MS);
    CloseHandle((HANDLE)(uintptr_t)arriving.page->section);
    UnmapViewOfFile(arriving.left);
    UnmapViewOfFile(arriving.page);
    for (size_t i = 0; i < PASSED_COUNT; i++) {
        CloseHandle(arriving.passed[i]);
    }
    memset(&arriving, 0, sizeof arriving);
    arriving.was_asked = true;
}

void platform_restart_fall_back(char *const *argv, const char *reason) {
    (void)argv;
    if (is_successor()) {
        fail(reason);
    }
}

HANDLE win32_take_handle(uint64_t given) {
    HANDLE handle = (HANDLE)(uintptr_t)given;
    return handle != NULL && SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) ? handle : NULL;
}

const void *win32_take_bytes(uint64_t given, size_t length) {
    uint64_t room_bytes = arriving.is_there ? arriving.page->own_bytes : 0;
    return given == 0 || given > room_bytes || length > room_bytes - given ? NULL
                                                                           : arriving.left + given;
}

SOCKET win32_take_socket(uint64_t given) {
    WSAPROTOCOL_INFOW info;
    const void *bytes = win32_take_bytes(given, sizeof info);
    if (bytes == NULL) {
        return INVALID_SOCKET;
    }
    memcpy(&info, bytes, sizeof info);
    SOCKET made = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                             WSA_FLAG_OVERLAPPED);
    if (made != INVALID_SOCKET) {
        SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0);
    }
    return made;
}
