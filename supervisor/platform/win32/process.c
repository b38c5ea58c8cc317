#include "internal.h"

/* What ends a job shows as this exit code, STATUS_CONTROL_C_EXIT: the system's own number for
 * "ended from outside", in the range that counts as a signal, as SIGTERM and SIGKILL do on POSIX.
 */
#define ENDED_FROM_OUTSIDE 0xC000013Au

uint32_t platform_process_pid(const struct platform_process *process) {
    return process->pid;
}

static int open_member(HANDLE job, uint32_t pid, DWORD access, HANDLE *out,
                       struct baton_cause *cause) {
    BOOL member = FALSE;
    *cause = (struct baton_cause){NULL, 0};
    *out = OpenProcess(access | SYNCHRONIZE, FALSE, pid);
    if (*out == NULL) {
        int code = cause_last(cause, "OpenProcess");
        return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_GONE;
    }
    if (!IsProcessInJob(*out, job, &member)) {
        cause_last(cause, "IsProcessInJob");
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
int process_open_member(const struct platform_process *process, uint32_t pid, HANDLE *out,
                        struct baton_cause *cause) {
    int code = open_member(process->job, pid, PROCESS_QUERY_LIMITED_INFORMATION, out, cause);
    if (code == BATON_GONE) {
        code = open_member(process->job, pid, PROCESS_QUERY_INFORMATION, out, cause);
    }
    return code;
}

bool platform_process_speaks(struct platform_process *process, uint32_t pid) {
    struct baton_cause ignored;
    HANDLE speaker;
    if (pid == process->pid) { /* our handle keeps its id, also when it has ended since */
        return true;
    }
    if (process_open_member(process, pid, &speaker, &ignored) != BATON_OK) {
        return false;
    }
    CloseHandle(speaker);
    return true;
}

void platform_process_signal(struct platform_process *process, enum platform_signal how) {
    (void)how;
    if (!process->exited) {
        TerminateJobObject(process->job, ENDED_FROM_OUTSIDE);
    }
}

bool exit_event(struct platform_process *process, struct platform_event *event) {
    DWORD code = 0;
    if (process->exited) {
        return false;
    }
    TerminateJobObject(process->job,
                       ENDED_FROM_OUTSIDE); /* the leader has ended: so does the rest */
    GetExitCodeProcess(process->handle, &code);
    process->exit = (struct platform_exit){(code & 0xF0000000u) == 0xC0000000u, code};
    process->exited = true;
    *event = (struct platform_event){PLATFORM_EVENT_EXIT, process->token};
    return true;
}

struct platform_exit platform_process_exit(const struct platform_process *process) {
    return process->exit;
}

void platform_process_close(struct platform_process **address) {
    struct platform_process *process = *address;
    *address = NULL;
    if (process != NULL) {
        platform_process_signal(process, PLATFORM_KILL);
        process_release(process);
    }
}

size_t platform_end_strays(struct platform *platform, uint64_t deadline_us) {
    /* A job without a breakaway limit keeps every descendant, so its end is the end of them all. */
    (void)platform;
    (void)deadline_us;
    return 0;
}
