#include "internal.h"

/* What ends a job shows as this exit code, STATUS_CONTROL_C_EXIT: the system's own number for
 * "ended from outside", in the range that counts as a signal, as SIGTERM and SIGKILL do on POSIX.
 */
#define ENDED_FROM_OUTSIDE 0xC000013Au

uint32_t platform_process_pid(const struct platform_process *process) {
    return process->pid;
}

/* Either right is enough by IsProcessInJob()'s page. Windows grants the limited one more widely
 * (for an elevated process, say), Wine 8 accepts the full one only. */
static bool is_in_job(uint32_t pid, DWORD access, HANDLE job) {
    HANDLE handle = OpenProcess(access, FALSE, pid);
    BOOL member = FALSE;
    if (handle == NULL) {
        return false;
    }
    bool known = IsProcessInJob(handle, job, &member) != FALSE;
    CloseHandle(handle);
    return known && member;
}

bool platform_process_speaks(struct platform_process *process, uint32_t pid) {
    return is_in_job(pid, PROCESS_QUERY_LIMITED_INFORMATION, process->job) ||
           is_in_job(pid, PROCESS_QUERY_INFORMATION, process->job);
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
