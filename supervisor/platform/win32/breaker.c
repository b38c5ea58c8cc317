#include "breaker.h"

#include "core/base/text.h"

#include <stdlib.h>
#include <wchar.h>

#define PATH_CHARACTERS 4096
#define END_BOUND_MS 1000u
#define CLOSE_BOUND_MS 1000u

/* What stands behind `lock` is shared. Owner: the platform; where its thread is held, that. */
struct breaker {
    HANDLE thread;
    CRITICAL_SECTION lock;
    CONDITION_VARIABLE filled;
    struct break_request *first, **last;
    bool closing;
    HANDLE job;     /* of the helper: it does not outlive us */
    HANDLE section; /* of the page: the thread's, and inheritable */
    struct break_page *page;
    wchar_t program[PATH_CHARACTERS];
};

DWORD win32_break_bound_ms = 2000;
const wchar_t *win32_breaker_program;

/* ---- Requests ---- */

static void release(struct break_request *request) {
    if (InterlockedDecrement(&request->owners_count) > 0) {
        return;
    }
    if (request->process != NULL) {
        CloseHandle(request->process);
    }
    if (request->job != NULL) {
        CloseHandle(request->job);
    }
    free(request);
}

static struct break_request *make_request(const struct platform_process *process) {
    HANDLE own = GetCurrentProcess();
    struct break_request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return NULL;
    }
    request->owners_count = 1;
    request->result = BREAK_PENDING;
    request->pid = process->pid;
    if (!DuplicateHandle(own, process->handle, own, &request->process, SYNCHRONIZE, TRUE, 0) ||
        !DuplicateHandle(own, process->job, own, &request->job, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
        release(request);
        return NULL;
    }
    return request;
}

/* It could not be told, so it is ended; one that has ended meanwhile has nothing to be ended for,
 * and what it has left running may live on. */
static void give_up(const struct break_request *request) {
    if (WaitForSingleObject(request->process, 0) == WAIT_TIMEOUT) {
        TerminateJobObject(request->job, WIN32_ENDED_FROM_OUTSIDE);
    }
}

static void settle(struct break_request *request, LONG result) {
    InterlockedExchange(&request->result, result);
    if (result != 0) {
        give_up(request);
    }
    release(request);
}

/* ---- The helper, as seen from here ---- */

/* Without a console, so that it can take others. */
static DWORD launch(const struct breaker *breaker, struct break_request *const *batch, DWORD count,
                    HANDLE *out) {
    union {
        BYTE room[256];
        void *aligned;
    } space;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = (LPPROC_THREAD_ATTRIBUTE_LIST)(void *)&space;
    SIZE_T space_bytes = sizeof space;
    HANDLE handles[BREAK_BATCH_COUNT + 1] = {breaker->section};
    char text[48];
    wchar_t command_line[48];
    STARTUPINFOEXW startup = {.StartupInfo.cb = sizeof startup, .lpAttributeList = attributes};
    PROCESS_INFORMATION made;
    text_format(text, sizeof text, "batond service break %lu",
                (unsigned long)(uintptr_t)breaker->section);
    (void)win32_text_to_room(text, command_line, sizeof command_line / sizeof *command_line);
    for (DWORD i = 0; i < count; i++) {
        handles[i + 1] = batch[i]->process;
    }
    if (!InitializeProcThreadAttributeList(attributes, 2, 0, &space_bytes)) {
        return GetLastError();
    }
    DWORD code = 0;
    if (!UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles,
                                   (count + 1) * sizeof *handles, NULL, NULL) ||
        !UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST,
                                   (void *)(uintptr_t)&breaker->job, sizeof breaker->job, NULL,
                                   NULL) ||
        !CreateProcessW(breaker->program, command_line, NULL, NULL, TRUE,
                        DETACHED_PROCESS | EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                        &startup.StartupInfo, &made)) {
        code = GetLastError();
    } else {
        CloseHandle(made.hThread);
        *out = made.hProcess;
    }
    DeleteProcThreadAttributeList(attributes);
    return code;
}

static LONG told_count(const struct break_page *page) {
    LONG count = 0;
    while (count < page->count && page->results[count] != BREAK_PENDING) {
        count++;
    }
    return count;
}

/* Until it ends, or does not get on. */
static void await(HANDLE helper, const struct break_page *page) {
    LONG before = -1, now = 0;
    DWORD result = WAIT_TIMEOUT;
    while (result == WAIT_TIMEOUT && now > before) {
        before = now;
        result = WaitForSingleObject(helper, win32_break_bound_ms);
        now = told_count(page);
    }
    if (result != WAIT_OBJECT_0) {
        TerminateProcess(helper, WAIT_TIMEOUT); /* which is also a number of an error */
        WaitForSingleObject(helper, END_BOUND_MS);
    }
}

/* Returns how many of them are settled, at least one: the others are to have another helper. */
static DWORD tell(struct breaker *breaker, struct break_request *const *batch, DWORD count) {
    struct break_page *page = breaker->page;
    HANDLE helper = NULL;
    page->count = (LONG)count;
    for (DWORD i = 0; i < count; i++) {
        page->pids[i] = batch[i]->pid;
        page->results[i] = BREAK_PENDING;
    }
    DWORD code = launch(breaker, batch, count, &helper);
    if (helper != NULL) {
        await(helper, page);
        GetExitCodeProcess(helper, &code);
        CloseHandle(helper);
    }
    DWORD done = (DWORD)told_count(page);
    for (DWORD i = 0; i < done; i++) {
        settle(batch[i], page->results[i]);
    }
    /* The one that it came no further than, or all where there was none. */
    DWORD end = done == count ? done : helper == NULL ? count : done + 1;
    for (; done < end; done++) {
        settle(batch[done], BREAK_NO_HELPER | (LONG)(code & 0xFFFFu));
    }
    return done;
}

/* ---- The thread ---- */

/* Under the lock. Who has ended meanwhile, as those who were killed, needs no helper. */
static DWORD take_batch(struct breaker *breaker, struct break_request **batch) {
    DWORD count = 0;
    while (count < BREAK_BATCH_COUNT && breaker->first != NULL) {
        struct break_request *request = breaker->first;
        breaker->first = request->next;
        if (WaitForSingleObject(request->process, 0) == WAIT_TIMEOUT) {
            batch[count++] = request;
        } else {
            settle(request, 0);
        }
    }
    breaker->last = breaker->first == NULL ? &breaker->first : breaker->last;
    return count;
}

static DWORD WINAPI breaker_thread(void *context) {
    struct breaker *breaker = context;
    struct break_request *batch[BREAK_BATCH_COUNT];
    EnterCriticalSection(&breaker->lock);
    while (!breaker->closing) {
        DWORD count = take_batch(breaker, batch);
        if (count == 0) {
            SleepConditionVariableCS(&breaker->filled, &breaker->lock, INFINITE);
            continue;
        }
        LeaveCriticalSection(&breaker->lock);
        for (DWORD done = 0; done < count;) {
            done += tell(breaker, batch + done, count - done);
        }
        EnterCriticalSection(&breaker->lock);
    }
    LeaveCriticalSection(&breaker->lock);
    return 0;
}

static void clear(struct breaker *breaker) {
    while (breaker->first != NULL) {
        struct break_request *request = breaker->first;
        breaker->first = request->next;
        release(request);
    }
    if (breaker->page != NULL) {
        UnmapViewOfFile(breaker->page);
    }
    if (breaker->section != NULL) {
        CloseHandle(breaker->section);
    }
    if (breaker->job != NULL) {
        CloseHandle(breaker->job);
    }
    DeleteCriticalSection(&breaker->lock);
    free(breaker);
}

static bool start(struct breaker *breaker) {
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    DWORD length = PATH_CHARACTERS;
    if (win32_breaker_program != NULL) {
        length = (DWORD)wcslen(win32_breaker_program);
        wmemcpy(breaker->program, win32_breaker_program, length + 1);
    } else {
        length = GetModuleFileNameW(NULL, breaker->program, PATH_CHARACTERS);
    }
    breaker->section = CreateFileMappingW(INVALID_HANDLE_VALUE, &inheritable, PAGE_READWRITE, 0,
                                          sizeof *breaker->page, NULL);
    breaker->job = CreateJobObjectW(NULL, NULL);
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                       JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    if (length == 0 || length >= PATH_CHARACTERS || breaker->section == NULL ||
        breaker->job == NULL ||
        !SetInformationJobObject(breaker->job, JobObjectExtendedLimitInformation, &limits,
                                 sizeof limits)) {
        return false;
    }
    breaker->page = MapViewOfFile(breaker->section, FILE_MAP_WRITE, 0, 0, sizeof *breaker->page);
    if (breaker->page == NULL) {
        return false;
    }
    breaker->thread =
        CreateThread(NULL, 65536, breaker_thread, breaker, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return breaker->thread != NULL;
}

/* When the first program is to be told. */
static struct breaker *breaker_of(struct platform *platform) {
    struct breaker *breaker = platform->breaker;
    if (breaker != NULL) {
        return breaker;
    }
    breaker = calloc(1, sizeof *breaker);
    if (breaker == NULL) {
        return NULL;
    }
    InitializeCriticalSection(&breaker->lock);
    InitializeConditionVariable(&breaker->filled);
    breaker->last = &breaker->first;
    if (!start(breaker)) {
        clear(breaker);
        return NULL;
    }
    return platform->breaker = breaker;
}

bool win32_break_ask(struct platform_process *process) {
    struct breaker *breaker = breaker_of(process->platform);
    struct break_request *request = breaker == NULL ? NULL : make_request(process);
    if (request == NULL) {
        return false;
    }
    win32_break_forget(process);
    request->owners_count = 2;
    process->breaking = request;
    EnterCriticalSection(&breaker->lock);
    *breaker->last = request;
    breaker->last = &request->next;
    WakeConditionVariable(&breaker->filled);
    LeaveCriticalSection(&breaker->lock);
    return true;
}

void win32_break_forget(struct platform_process *process) {
    if (process->breaking != NULL) {
        release(process->breaking);
        process->breaking = NULL;
    }
}

void win32_breaker_close(struct platform *platform) {
    struct breaker *breaker = platform->breaker;
    platform->breaker = NULL;
    if (breaker == NULL) {
        return;
    }
    EnterCriticalSection(&breaker->lock);
    breaker->closing = true;
    WakeConditionVariable(&breaker->filled);
    LeaveCriticalSection(&breaker->lock);
    bool has_ended = WaitForSingleObject(breaker->thread, CLOSE_BOUND_MS) == WAIT_OBJECT_0;
    if (!has_ended) {
        TerminateJobObject(breaker->job, WAIT_TIMEOUT);
        has_ended = WaitForSingleObject(breaker->thread, CLOSE_BOUND_MS) == WAIT_OBJECT_0;
    }
    CloseHandle(breaker->thread);
    if (has_ended) {
        clear(breaker);
    }
}
