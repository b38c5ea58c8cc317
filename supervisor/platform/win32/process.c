#include "breaker.h"
#include "internal.h"

#include <stddef.h>

/* How long EXIT waits for the rest of the job: a process whose driver hangs never ends. */
#define MEMBERS_BOUND_US 1000000u

#define MEMBERS_AT_A_TIME 32

/* JOBOBJECT_BASIC_PROCESS_ID_LIST with room for more than one. */
struct job_members {
    DWORD assigned_count;
    DWORD listed_count;
    ULONG_PTR ids[MEMBERS_AT_A_TIME];
};

_Static_assert(offsetof(struct job_members, ids) ==
                   offsetof(JOBOBJECT_BASIC_PROCESS_ID_LIST, ProcessIdList),
               "what QueryInformationJobObject fills");

uint32_t platform_process_pid(const struct platform_process *process) {
    return process->pid;
}

static int open_member(HANDLE job, uint32_t pid, DWORD access, HANDLE *out,
                       struct baton_cause *cause) {
    BOOL member = FALSE;
    *cause = (struct baton_cause){NULL, 0};
    *out = OpenProcess(access | SYNCHRONIZE, FALSE, pid);
    if (*out == NULL) {
        int code = win32_cause_last(cause, "OpenProcess");
        return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_GONE;
    }
    if (!IsProcessInJob(*out, job, &member)) {
        win32_cause_last(cause, "IsProcessInJob");
    }
    if (!member) {
        CloseHandle(*out);
        *out = NULL;
        return BATON_GONE;
    }
    return BATON_OK;
}

/* Either right is enough by IsProcessInJob()'s page. Windows grants the limited one more widely
 * (for an elevated process, say), Wine 8 accepts the full one only. */
int win32_process_open_member(const struct platform_process *process, uint32_t pid, HANDLE *out,
                              struct baton_cause *cause) {
    int code = open_member(process->job, pid, PROCESS_QUERY_LIMITED_INFORMATION, out, cause);
    if (code == BATON_GONE) {
        code = open_member(process->job, pid, PROCESS_QUERY_INFORMATION, out, cause);
    }
    return code;
}

uint32_t platform_process_speaker(struct platform_process *process, uint32_t pid) {
    struct baton_cause ignored;
    HANDLE speaker;
    if (pid == process->pid) { /* our handle keeps its id, also when it has ended since */
        return pid;
    }
    if (win32_process_open_member(process, pid, &speaker, &ignored) != BATON_OK) {
        return 0;
    }
    CloseHandle(speaker);
    return pid;
}

bool platform_process_is_hidden(const struct platform_process *process) {
    (void)process;
    return false;
}

void platform_process_signal(struct platform_process *process, enum platform_signal how) {
    bool is_told = !process->exited && how == PLATFORM_TERMINATE && !process->has_channel &&
                   win32_break_ask(process);
    if (!process->exited && !is_told) {
        TerminateJobObject(process->job, WIN32_ENDED_FROM_OUTSIDE);
    }
}

bool platform_process_was_deaf(const struct platform_process *process, struct baton_cause *cause) {
    LONG result = process->breaking == NULL ? 0 : process->breaking->result;
    if (result == 0 || result == BREAK_PENDING) {
        return false;
    }
    win32_cause_of(cause,
                   (result & BREAK_IN_ATTACH) != 0     ? "AttachConsole"
                   : (result & BREAK_IN_GENERATE) != 0 ? "GenerateConsoleCtrlEvent"
                                                       : "batond service break",
                   (DWORD)result & 0xFFFFu);
    return true;
}

/* Opens one that has not ended of those listed. NULL if there is none, or it cannot be opened. */
static HANDLE open_living(const struct platform_process *process,
                          const struct job_members *members) {
    for (DWORD i = 0; i < members->listed_count; i++) {
        struct baton_cause ignored;
        HANDLE member;
        if (members->ids[i] == process->pid ||
            win32_process_open_member(process, (uint32_t)members->ids[i], &member, &ignored) !=
                BATON_OK) {
            continue;
        }
        if (WaitForSingleObject(member, 0) == WAIT_TIMEOUT) {
            return member;
        }
        CloseHandle(member);
    }
    return NULL;
}

/* The leader has ended, so the rest of its job has to. TerminateJobObject only begins that, and a
 * member could still write to the channel when it returns; so one is opened before, and waited for.
 * https://learn.microsoft.com/windows/win32/api/jobapi2/nf-jobapi2-terminatejobobject
 * https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_basic_process_id_list */
static HANDLE end_members(const struct platform_process *process) {
    struct job_members members = {0};
    bool listed = QueryInformationJobObject(process->job, JobObjectBasicProcessIdList, &members,
                                            sizeof members, NULL) ||
                  GetLastError() == ERROR_MORE_DATA;
    bool alone =
        members.listed_count == 0 || (members.listed_count == 1 && members.ids[0] == process->pid);
    HANDLE member = open_living(process, &members);
    if (!listed || !alone) {
        TerminateJobObject(process->job, WIN32_ENDED_FROM_OUTSIDE);
    }
    return member;
}

void win32_process_forget_member(struct platform_process *process) {
    if (process->member != NULL) {
        CloseHandle(process->member);
        process->member = NULL;
    }
}

/* True if somebody else in the job is still ending; a packet tells when to look again. */
static bool members_are_ending(struct platform_process *process) {
    struct baton_cause ignored;
    win32_watch_stop(&process->exit_watch);
    win32_process_forget_member(process);
    process->member = end_members(process);
    if (process->member == NULL) {
        return false;
    }
    uint64_t now_us = platform_now_us(process->platform);
    if (process->members_end_us == 0) {
        process->members_end_us = now_us + MEMBERS_BOUND_US;
    }
    if (now_us >= process->members_end_us) {
        return false;
    }
    DWORD bound_ms = (DWORD)((process->members_end_us - now_us + 999u) / 1000u);
    if (win32_watch_end(&process->exit_watch, process->member, bound_ms, &ignored) != BATON_OK) {
        WaitForSingleObject(process->member, bound_ms); /* nobody else would tell its end */
        return false;
    }
    return true;
}

/* A program that nobody caught an exception for ends with the exception's code. All errors of the
 * system are in one range; the usual ones from elsewhere are listed, because nothing else tells
 * them from what a program chose to return.
 * https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-getexitcodeprocess
 */
static bool is_exception(DWORD code) {
    switch (code) {
    case 0x80000003u: /* STATUS_BREAKPOINT: abort() and assertions of several runtimes */
    case 0xE06D7363u: /* C++ by Microsoft's compiler */
    case 0xE0434352u: /* .NET */
        return true;
    default:
        return (code & 0xF0000000u) == 0xC0000000u;
    }
}

bool win32_exit_event(struct platform_process *process, struct platform_event *event) {
    DWORD code = 0;
    if (process->exited || (!process->leaves_children && members_are_ending(process))) {
        return false;
    }
    win32_process_forget_member(process);
    GetExitCodeProcess(process->handle, &code);
    process->exit = (struct platform_exit){.by_signal = is_exception(code), .code = code};
    win32_process_account(process, &process->exit);
    process->exited = true;
    win32_channel_measure(process);
    *event = (struct platform_event){PLATFORM_EVENT_EXIT, process->token};
    return true;
}

bool platform_process_has_ended(const struct platform_process *process) {
    return WaitForSingleObject(process->handle, 0) == WAIT_OBJECT_0;
}

struct platform_exit platform_process_exit(const struct platform_process *process) {
    return process->exit;
}

void platform_process_close(struct platform_process **address) {
    struct platform_process *process = *address;
    *address = NULL;
    if (process != NULL) {
        platform_process_signal(process, PLATFORM_KILL);
        win32_process_release(process);
    }
}
