/*
 * The service manager: here the host of the Windows service, which speaks to the SCM for us. It has
 * none of what systemd has beside that, so nothing is kept and nothing passed.
 */
#include "core/base/text.h"
#include "event_log.h"
#include "internal.h"
#include "service_link.h"
#include "windows_service_state.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define WATCH_COUNT 3

/* Owner: the platform. */
struct manager {
    HANDLE handles[LINK_HANDLE_COUNT]; /* the service manager's of our host */
    struct service_link_page *page;
    struct watch watches[WATCH_COUNT];
    char name[SERVICE_LINK_TEXT_CHARACTERS];
};

/* The numbers in the variable, which is taken out of the environment, and the name of the service.
 * False where nobody has told us any. */
static bool take_link(HANDLE handles[LINK_HANDLE_COUNT], char name[SERVICE_LINK_TEXT_CHARACTERS]) {
    wchar_t text[SERVICE_LINK_TEXT_CHARACTERS];
    DWORD length =
        GetEnvironmentVariableW(SERVICE_LINK_VARIABLE, text, SERVICE_LINK_TEXT_CHARACTERS);
    SetEnvironmentVariableW(SERVICE_LINK_VARIABLE, NULL);
    wchar_t *at = text;
    bool is_whole = length > 0 && length < SERVICE_LINK_TEXT_CHARACTERS;
    for (size_t i = 0; is_whole && i < LINK_HANDLE_COUNT; i++) {
        wchar_t *end = at;
        handles[i] = (HANDLE)(uintptr_t)wcstoull(at, &end, 10);
        is_whole =
            end != at && *end == L',' && SetHandleInformation(handles[i], HANDLE_FLAG_INHERIT, 0);
        at = end + 1;
    }
    return is_whole && win32_text_to_utf8(at, name, SERVICE_LINK_TEXT_CHARACTERS) == BATON_OK;
}

void service_link_write(const HANDLE handles[LINK_HANDLE_COUNT], const char *name,
                        char out[SERVICE_LINK_TEXT_CHARACTERS]) {
    size_t length = 0;
    for (size_t i = 0; i < LINK_HANDLE_COUNT; i++) {
        length += (size_t)text_format(out + length, SERVICE_LINK_TEXT_CHARACTERS - length, "%lu,",
                                      (unsigned long)(uintptr_t)handles[i]);
    }
    text_format(out + length, SERVICE_LINK_TEXT_CHARACTERS - length, "%s", name);
}

/* If the host is gone, nobody could stop us, and the next one would find our ports taken. */
static int watch_host(struct platform *platform, struct manager *manager,
                      struct baton_cause *cause) {
    static const struct {
        enum service_link_handle handle;
        enum packet_kind kind;
        uint32_t reason;
    } rows[WATCH_COUNT] = {{LINK_STOP, PACKET_STOP, STOP_BY_MANAGER},
                           {LINK_RELOAD, PACKET_HANGUP, 0},
                           {LINK_HOST, PACKET_STOP, STOP_HOST_GONE}};
    int code = BATON_OK;
    for (size_t i = 0; i < WATCH_COUNT && code == BATON_OK; i++) {
        HANDLE handle = manager->handles[rows[i].handle];
        manager->watches[i] = (struct watch){platform->port, NULL, rows[i].kind, rows[i].reason, 0};
        code = rows[i].handle == LINK_HOST
                   ? win32_watch_end(&manager->watches[i], handle, INFINITE, cause)
                   : win32_watch_start(&manager->watches[i], handle, cause);
    }
    return code;
}

int win32_manager_watch(struct platform *platform, struct baton_cause *cause) {
    return platform->manager == NULL ? BATON_OK : watch_host(platform, platform->manager, cause);
}

void win32_manager_watch_no_more(struct platform *platform) {
    for (size_t i = 0; platform->manager != NULL && i < WATCH_COUNT; i++) {
        win32_watch_stop(&platform->manager->watches[i]);
    }
}

int win32_manager_open(struct platform *platform, struct baton_cause *cause) {
    HANDLE handles[LINK_HANDLE_COUNT];
    char name[SERVICE_LINK_TEXT_CHARACTERS];
    if (!take_link(handles, name)) {
        return BATON_OK;
    }
    struct manager *manager = calloc(1, sizeof *manager);
    if (manager == NULL) {
        return BATON_NO_MEMORY;
    }
    memcpy(manager->handles, handles, sizeof handles);
    memcpy(manager->name, name, sizeof name);
    platform->manager = manager;
    manager->page = MapViewOfFile(handles[LINK_PAGE], FILE_MAP_WRITE, 0, 0, sizeof *manager->page);
    return manager->page == NULL
               ? win32_cause_last(cause, "MapViewOfFile")
               : win32_event_log_open(name, platform->port, &platform->event_log, cause);
}

void win32_manager_close(struct platform *platform) {
    struct manager *manager = platform->manager;
    platform->manager = NULL;
    if (manager == NULL) {
        return;
    }
    for (size_t i = 0; i < WATCH_COUNT; i++) {
        win32_watch_stop(&manager->watches[i]);
    }
    if (manager->page != NULL) {
        UnmapViewOfFile((const void *)manager->page);
    }
    for (size_t i = 0; i < LINK_HANDLE_COUNT; i++) {
        CloseHandle(manager->handles[i]);
    }
    free(manager);
}

_Static_assert(MANAGER_HANDLES_COUNT == LINK_HANDLE_COUNT, "room for each");

DWORD win32_manager_lend(const struct platform *platform, bool lends, HANDLE *out) {
    const struct manager *manager = platform->manager;
    char text[SERVICE_LINK_TEXT_CHARACTERS];
    wchar_t wide[SERVICE_LINK_TEXT_CHARACTERS];
    if (manager == NULL) {
        return 0;
    }
    for (size_t i = 0; i < LINK_HANDLE_COUNT; i++) {
        out[i] = manager->handles[i];
        SetHandleInformation(out[i], HANDLE_FLAG_INHERIT, lends ? HANDLE_FLAG_INHERIT : 0);
    }
    service_link_write(manager->handles, manager->name, text);
    if (win32_text_to_room(text, wide, SERVICE_LINK_TEXT_CHARACTERS) == BATON_OK) {
        SetEnvironmentVariableW(SERVICE_LINK_VARIABLE, lends ? wide : NULL);
    }
    return LINK_HANDLE_COUNT;
}

/* The host finds its handle there, at the latest when we have ended. */
void win32_manager_pass_on(struct platform *platform, HANDLE successor) {
    struct manager *manager = platform->manager;
    HANDLE hosts;
    if (manager != NULL &&
        DuplicateHandle(GetCurrentProcess(), successor, manager->handles[LINK_HOST], &hosts, 0,
                        FALSE, DUPLICATE_SAME_ACCESS)) {
        InterlockedExchange(&manager->page->successor, (LONG)(intptr_t)hosts);
        SetEvent(manager->handles[LINK_TOLD]);
    }
}

static void tell(struct manager *manager, enum service_told told, LONG most_ms) {
    InterlockedExchange(&manager->page->most_ms, most_ms);
    InterlockedExchange(&manager->page->told, told);
    SetEvent(manager->handles[LINK_TOLD]);
}

/* The number behind `name`, "EXTEND_TIMEOUT_USEC=" of sd_notify(3), rounded up to milliseconds. */
static LONG take_ms(const char *state, const char *name) {
    const char *at = strstr(state, name);
    uint64_t us = at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
    uint64_t ms = us / 1000u + (us % 1000u != 0);
    return ms > LONG_MAX ? LONG_MAX : (LONG)ms;
}

bool platform_manager_tell(struct platform *platform, const char *state) {
    struct manager *manager = platform->manager;
    if (manager == NULL) {
        return true;
    }
    if (strncmp(state, "READY=1", sizeof "READY=1" - 1) == 0) {
        tell(manager, TOLD_SERVING, 0);
    } else if (strncmp(state, "STOPPING=1", sizeof "STOPPING=1" - 1) == 0) {
        tell(manager, TOLD_STOPPING, take_ms(state, "EXTEND_TIMEOUT_USEC="));
    }
    return true;
}

uint64_t platform_manager_watchdog_us(const struct platform *platform) {
    (void)platform;
    return 0;
}

bool platform_listener_is_passed(const struct platform_listener *listener) {
    (void)listener;
    return false;
}

bool platform_manager_unused(struct platform *platform, size_t index,
                             char out[PLATFORM_PASSED_TEXT_BYTES]) {
    (void)platform;
    (void)index;
    out[0] = '\0';
    return false;
}

bool platform_manager_keep(struct platform_listener *listener) {
    (void)listener;
    return true;
}

void platform_manager_forget(struct platform_listener *listener) {
    (void)listener;
}
