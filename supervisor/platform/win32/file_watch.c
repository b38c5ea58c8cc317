/*
 * Files that change. Windows tells of folders, and not of which file: a thread of its own looks at
 * those that are watched there, since that may take as long as their disk, or their server, likes.
 *
 * A file that is other than it was is told of when it is still so at the next look, and can be
 * read: who writes to it allows that to nobody, as a rule.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define LOOK_INTERVAL_MS 100
/* How long a close waits for a look that hangs. */
#define CLOSE_BOUND_MS 1000
#define FOLDERS_MAX_COUNT (MAXIMUM_WAIT_OBJECTS - 1)

/* What tells one file, and one state of it, from another; all zero = there is none. */
struct stamp {
    DWORD volume, index_high, index_low, size_high, size_low;
    FILETIME written;
};

/* Owner: the watcher. */
struct platform_file_watch {
    struct platform_file_watch *next;
    struct platform *platform; /* not for the thread */
    uint64_t token;
    uint32_t index, generation; /* of its source */
    size_t folder;
    bool is_closed; /* the thread frees it */
    bool is_due;    /* is to be looked at */
    bool is_other;  /* and was seen to be other than `told`, as `seen` */
    struct stamp told, seen;
    wchar_t *path; /* owned */
};

struct watched_folder {
    HANDLE change; /* NULL = free */
    size_t files_count;
    wchar_t *path; /* owned */
};

/* All but `thread` under the lock; what the thread looks at without it lives until it says so. */
struct file_watcher {
    CRITICAL_SECTION lock;
    HANDLE thread, woken, port;
    bool is_closing;
    struct platform_file_watch *first;
    struct watched_folder folders[FOLDERS_MAX_COUNT];
};

/* ---- The thread ---- */

/* Shares with everybody, so as to be in nobody's way. False: it cannot be read now. */
static bool look_at(const wchar_t *path, struct stamp *stamp) {
    BY_HANDLE_FILE_INFORMATION about;
    *stamp = (struct stamp){0};
    HANDLE file =
        CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        return GetLastError() != ERROR_SHARING_VIOLATION;
    }
    if (GetFileInformationByHandle(file, &about)) {
        *stamp =
            (struct stamp){about.dwVolumeSerialNumber, about.nFileIndexHigh, about.nFileIndexLow,
                           about.nFileSizeHigh,        about.nFileSizeLow,   about.ftLastWriteTime};
    }
    CloseHandle(file);
    return true;
}

static bool is_same(const struct stamp *a, const struct stamp *b) {
    return memcmp(a, b, sizeof *a) == 0; /* it has no gaps */
}

/* One that is missing is awaited. */
static bool is_none(const struct stamp *stamp) {
    static const struct stamp none;
    return is_same(stamp, &none);
}

static void judge(const struct file_watcher *watcher, struct platform_file_watch *file,
                  const struct stamp *stamp, bool can_be_read) {
    bool was_other = file->is_other && is_same(&file->seen, stamp);
    file->seen = *stamp;
    file->is_other = !can_be_read || (!is_none(stamp) && !is_same(&file->told, stamp));
    file->is_due = file->is_other;
    if (can_be_read && file->is_other && was_other) {
        file->told = *stamp;
        file->is_due = file->is_other = false;
        win32_packet_post(watcher->port, PACKET_CHANGED, file->index, file->generation);
    }
}

/* Frees what is closed. The lock is held, but not during a look. */
static bool look_at_due(struct file_watcher *watcher) {
    bool more = false;
    struct platform_file_watch **link = &watcher->first;
    while (*link != NULL) {
        struct platform_file_watch *file = *link;
        if (!file->is_closed && file->is_due) {
            struct stamp stamp;
            LeaveCriticalSection(&watcher->lock);
            bool can_be_read = look_at(file->path, &stamp);
            EnterCriticalSection(&watcher->lock);
            judge(watcher, file, &stamp, can_be_read);
        }
        more = more || file->is_due;
        if (file->is_closed) {
            /* Others may have been put before it meanwhile. */
            link = &watcher->first;
            while (*link != file) {
                link = &(*link)->next;
            }
            *link = file->next;
            free(file->path);
            free(file);
        } else {
            link = &file->next;
        }
    }
    return more;
}

/* True if something has changed in a folder. One that tells no more is given up. */
static bool take_changes(struct file_watcher *watcher) {
    bool any = false;
    for (size_t i = 0; i < FOLDERS_MAX_COUNT; i++) {
        struct watched_folder *folder = &watcher->folders[i];
        DWORD state =
            folder->change == NULL ? WAIT_TIMEOUT : WaitForSingleObject(folder->change, 0);
        if (state == WAIT_TIMEOUT) {
            continue;
        }
        any = true;
        for (struct platform_file_watch *file = watcher->first; file != NULL; file = file->next) {
            file->is_due = file->is_due || file->folder == i;
        }
        if (folder->files_count == 0 || state != WAIT_OBJECT_0 ||
            !FindNextChangeNotification(folder->change)) {
            FindCloseChangeNotification(folder->change);
            folder->change = NULL;
        }
    }
    return any;
}

static void close_unused(struct file_watcher *watcher) {
    for (size_t i = 0; i < FOLDERS_MAX_COUNT; i++) {
        struct watched_folder *folder = &watcher->folders[i];
        if (folder->files_count == 0 && folder->path != NULL) {
            if (folder->change != NULL) {
                FindCloseChangeNotification(folder->change);
            }
            free(folder->path);
            *folder = (struct watched_folder){0};
        }
    }
}

/* Only this thread closes a handle, so none is closed that it waits for. After a change it waits
 * for none of them for a while: a folder that changes all the time would keep it looking, and from
 * the others, since of several that are set a wait names the first. */
static DWORD WINAPI watcher_thread(void *context) {
    struct file_watcher *watcher = context;
    bool has_changed = false;
    EnterCriticalSection(&watcher->lock);
    while (!watcher->is_closing) {
        HANDLE handles[MAXIMUM_WAIT_OBJECTS] = {watcher->woken};
        DWORD count = 1;
        bool more = look_at_due(watcher);
        close_unused(watcher);
        for (size_t i = 0; i < FOLDERS_MAX_COUNT; i++) {
            if (watcher->folders[i].change != NULL) {
                handles[count++] = watcher->folders[i].change;
            }
        }
        LeaveCriticalSection(&watcher->lock);
        bool pauses = more || has_changed;
        WaitForMultipleObjects(pauses ? 1 : count, handles, FALSE,
                               pauses ? LOOK_INTERVAL_MS : INFINITE);
        EnterCriticalSection(&watcher->lock);
        has_changed = take_changes(watcher);
    }
    LeaveCriticalSection(&watcher->lock);
    return 0;
}

/* ---- The supervisor's thread ---- */

static void watcher_free(struct file_watcher *watcher) {
    for (struct platform_file_watch *file = watcher->first, *next; file != NULL; file = next) {
        next = file->next;
        free(file->path);
        free(file);
    }
    for (size_t i = 0; i < FOLDERS_MAX_COUNT; i++) {
        watcher->folders[i].files_count = 0;
    }
    close_unused(watcher);
    if (watcher->woken != NULL) {
        CloseHandle(watcher->woken);
    }
    DeleteCriticalSection(&watcher->lock);
    free(watcher);
}

static int watcher_start(struct platform *platform, struct baton_cause *cause) {
    if (platform->file_watcher != NULL) {
        return BATON_OK;
    }
    struct file_watcher *watcher = calloc(1, sizeof *watcher);
    if (watcher == NULL) {
        return BATON_NO_MEMORY;
    }
    InitializeCriticalSection(&watcher->lock);
    watcher->port = platform->port;
    watcher->woken = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (watcher->woken != NULL) {
        watcher->thread = CreateThread(NULL, 65536, watcher_thread, watcher,
                                       STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    }
    if (watcher->thread == NULL) {
        int code =
            win32_cause_last(cause, watcher->woken == NULL ? "CreateEventW" : "CreateThread");
        watcher_free(watcher);
        return code;
    }
    platform->file_watcher = watcher;
    return BATON_OK;
}

/* One that hangs is left to the end of this process. */
void win32_file_watches_close(struct platform *platform) {
    struct file_watcher *watcher = platform->file_watcher;
    if (watcher == NULL) {
        return;
    }
    platform->file_watcher = NULL;
    EnterCriticalSection(&watcher->lock);
    watcher->is_closing = true;
    LeaveCriticalSection(&watcher->lock);
    SetEvent(watcher->woken);
    CancelSynchronousIo(watcher->thread);
    bool has_ended = WaitForSingleObject(watcher->thread, CLOSE_BOUND_MS) == WAIT_OBJECT_0;
    CloseHandle(watcher->thread);
    if (has_ended) {
        watcher_free(watcher);
    }
}

bool win32_file_watch_event(const struct platform_file_watch *file, struct platform_event *event) {
    *event = (struct platform_event){PLATFORM_EVENT_CHANGED, file->token};
    return true;
}

static wchar_t *copy_folder(const wchar_t *path) {
    const wchar_t *end = wcsrchr(path, L'\\');
    const wchar_t *other = wcsrchr(path, L'/');
    end = end == NULL || (other != NULL && other > end) ? other : end;
    size_t length = end == NULL ? 0 : (size_t)(end - path) + 1; /* "C:\" has to keep its last */
    wchar_t *folder = calloc(length + 2, sizeof *folder);
    if (folder != NULL) {
        wmemcpy(folder, length == 0 ? L"." : path, length == 0 ? 1 : length);
    }
    return folder;
}

/* The lock is held. Takes `path` over. */
static int take_folder(struct file_watcher *watcher, wchar_t *path, size_t *out,
                       struct baton_cause *cause) {
    size_t at = FOLDERS_MAX_COUNT;
    for (size_t i = 0; i < FOLDERS_MAX_COUNT; i++) {
        struct watched_folder *folder = &watcher->folders[i];
        if (folder->change != NULL && _wcsicmp(folder->path, path) == 0) {
            free(path);
            folder->files_count++;
            *out = i;
            return BATON_OK;
        }
        at = folder->path == NULL && at == FOLDERS_MAX_COUNT ? i : at;
    }
    if (at == FOLDERS_MAX_COUNT) {
        free(path);
        return BATON_SHORTAGE;
    }
    HANDLE change = FindFirstChangeNotificationW(
        path, FALSE,
        FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE);
    if (change == INVALID_HANDLE_VALUE || change == NULL) {
        int code = win32_cause_last(cause, "FindFirstChangeNotificationW");
        free(path);
        return code;
    }
    watcher->folders[at] = (struct watched_folder){change, 1, path};
    *out = at;
    return BATON_OK;
}

int platform_file_watch_open(struct platform *platform, const char *path, uint64_t token,
                             struct platform_file_watch **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    int code = watcher_start(platform, cause);
    if (code != BATON_OK) {
        return code;
    }
    struct file_watcher *watcher = platform->file_watcher;
    struct platform_file_watch *file = calloc(1, sizeof *file);
    wchar_t *folder = NULL;
    code = file == NULL ? BATON_NO_MEMORY : win32_text_to_wide(path, &file->path);
    if (code == BATON_OK) {
        folder = copy_folder(file->path);
        code = folder == NULL ? BATON_NO_MEMORY
                              : win32_source_take(platform, SOURCE_FILE, file, &file->index,
                                                  &file->generation);
    }
    if (code == BATON_OK) {
        EnterCriticalSection(&watcher->lock);
        code = take_folder(watcher, folder, &file->folder, cause);
        folder = NULL;
        if (code == BATON_OK) {
            file->platform = platform;
            file->token = token;
            (void)look_at(file->path, &file->told); /* what comes from here on is told of */
            file->next = watcher->first;
            watcher->first = file;
        }
        LeaveCriticalSection(&watcher->lock);
        SetEvent(watcher->woken);
        if (code != BATON_OK) {
            win32_source_release(platform, file->index);
        }
    }
    if (code != BATON_OK) {
        free(folder);
        if (file != NULL) {
            free(file->path);
        }
        free(file);
        return code;
    }
    *out = file;
    return BATON_OK;
}

void platform_file_watch_close(struct platform_file_watch **watch) {
    struct platform_file_watch *file = *watch;
    *watch = NULL;
    if (file == NULL) {
        return;
    }
    struct file_watcher *watcher = file->platform->file_watcher;
    win32_source_release(file->platform, file->index);
    EnterCriticalSection(&watcher->lock);
    watcher->folders[file->folder].files_count--;
    file->is_closed = true;
    LeaveCriticalSection(&watcher->lock);
    SetEvent(watcher->woken);
}
