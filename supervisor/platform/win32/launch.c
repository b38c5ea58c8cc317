#include "internal.h"

#include <string.h>

#define CHANNEL_IN_BUFFER_BYTES 4096
/* The longest frame fits twice, so an OFFER after an unread CANCEL or DRAIN need not wait. */
#define CHANNEL_OUT_BUFFER_BYTES (2 * PLATFORM_SEND_MAX_BYTES)

/* CREATE_NO_WINDOW gives a console program a console of its own that nobody sees: no window
 * appears, and neither Ctrl-C nor the close of our console reaches it; it ends by DRAIN or with its
 * job. Wine 8 starts a process for that console which inherits the program's handles, so there the
 * channel of a console program ends with the program and not when it closes its ends. Windows does
 * not do that.
 * https://learn.microsoft.com/windows/win32/procthread/process-creation-flags */
#define CREATION_FLAGS                                                                             \
    (CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT |                    \
     EXTENDED_STARTUPINFO_PRESENT)

/* The handler's ends: ours to close as soon as it has its own. */
struct handler_ends {
    HANDLE in;
    HANDLE out;
    HANDLE log;
};

static struct platform_process *process_take(struct platform *platform) {
    uint32_t index = platform->process_free;
    if (index != INDEX_NONE) {
        platform->process_free = platform->processes[index].next_free;
    } else if (platform->process_high < platform->process_capacity) {
        index = platform->process_high++;
    } else {
        return NULL;
    }
    struct platform_process *process = &platform->processes[index];
    process->platform = platform;
    process->index = index;
    process->used = true;
    process->exited = false;
    process->wants_writable = false;
    process->channel_ended = false;
    process->end_told = false;
    process->members_end_us = 0;
    process->exit = (struct platform_exit){false, 0};
    process->exit_watch =
        (struct watch){platform->port, NULL, PACKET_EXIT, index, process->generation};
    return process;
}

void process_release(struct platform_process *process) {
    struct platform *platform = process->platform;
    watch_stop(&process->exit_watch);
    platform_channel_close(process);
    process_forget_member(process);
    if (process->handle != NULL) {
        CloseHandle(process->handle);
        process->handle = NULL;
    }
    if (process->job != NULL) {
        CloseHandle(process->job);
        process->job = NULL;
    }
    process->used = false;
    process->generation++;
    process->next_free = platform->process_free;
    platform->process_free = process->index;
}

static void close_ends(struct handler_ends *ends) {
    HANDLE *all[] = {&ends->in, &ends->out, &ends->log};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (*all[i] != INVALID_HANDLE_VALUE) {
            CloseHandle(*all[i]);
            *all[i] = INVALID_HANDLE_VALUE;
        }
    }
}

/* The pipes and the job. The caller undoes what was made when this fails. */
static int prepare(struct platform_process *process, struct platform_output *output,
                   struct output_pipe **log, struct handler_ends *ends, struct baton_cause *cause) {
    /* No limits at all: neither breakaway nor kill-on-close, so nothing leaves the job, and a crash
     * of the supervisor leaves live connections served. */
    process->job = CreateJobObjectW(NULL, NULL);
    if (process->job == NULL) {
        return cause_last(cause, "CreateJobObjectW");
    }
    int code = pipe_open(&process->in, PIPE_TO_US, CHANNEL_IN_BUFFER_BYTES, &ends->out, cause);
    if (code == BATON_OK) {
        code = pipe_open(&process->out, PIPE_FROM_US, CHANNEL_OUT_BUFFER_BYTES, &ends->in, cause);
    }
    if (code == BATON_OK && output != NULL) {
        code = output_pipe_open(output, log, &ends->log, cause);
    }
    return code;
}

static int create_process(struct platform_process *process, const struct platform_program *program,
                          HANDLE *handles, DWORD handle_count, const STARTUPINFOW *startup,
                          struct baton_cause *cause) {
    struct platform *platform = process->platform;
    STARTUPINFOEXW extended = {.StartupInfo = *startup, .lpAttributeList = platform->attributes};
    PROCESS_INFORMATION made;
    SIZE_T room = platform->attributes_bytes;
    extended.StartupInfo.cb = sizeof extended;
    if (!InitializeProcThreadAttributeList(platform->attributes, 2, 0, &room)) {
        return cause_last(cause, "InitializeProcThreadAttributeList");
    }
    int code = BATON_OK;
    if (!UpdateProcThreadAttribute(platform->attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                   handles, handle_count * sizeof *handles, NULL, NULL) ||
        !UpdateProcThreadAttribute(platform->attributes, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST,
                                   &process->job, sizeof process->job, NULL, NULL)) {
        code = cause_last(cause, "UpdateProcThreadAttribute");
    } else if (!CreateProcessW(program->path, program->command_line, NULL, NULL, TRUE,
                               CREATION_FLAGS, program->environment.text, program->directory,
                               &extended.StartupInfo, &made)) {
        code = cause_last(cause, "CreateProcessW");
    } else {
        CloseHandle(made.hThread);
        process->handle = made.hProcess;
        process->pid = made.dwProcessId;
    }
    DeleteProcThreadAttributeList(platform->attributes);
    return code == BATON_NO_MEMORY ? BATON_SHORTAGE : code;
}

/* Launches with exactly the handles in the list: the null device, the channel's two, the output's.
 */
static int start(struct platform_process *process, const struct platform_program *program,
                 const struct handler_ends *ends, struct baton_cause *cause) {
    HANDLE null_device = process->platform->null_device;
    HANDLE handles[4] = {null_device, ends->in, ends->out, ends->log};
    bool has_log = ends->log != INVALID_HANDLE_VALUE;
    STARTUPINFOW startup = {.dwFlags = STARTF_USESTDHANDLES, .hStdInput = null_device};
    startup.hStdOutput = has_log ? ends->log : null_device;
    startup.hStdError = startup.hStdOutput;
    return create_process(process, program, handles, has_log ? 4 : 3, &startup, cause);
}

/* From here on there is a process, so what fails ends it. */
static int watch_all(struct platform_process *process, struct output_pipe *log,
                     struct baton_cause *cause) {
    int code = channel_start(process, cause);
    if (code == BATON_OK && log != NULL) {
        code = output_pipe_start(log, process->pid, cause);
    }
    if (code == BATON_OK) {
        code = watch_end(&process->exit_watch, process->handle, INFINITE, cause);
    }
    if (code != BATON_OK) {
        platform_process_signal(process, PLATFORM_KILL);
    }
    return code;
}

int platform_launch(struct platform *platform, const struct platform_program *program,
                    const char *nonce_hex, struct platform_output *output, uint64_t token,
                    struct platform_process **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    struct platform_process *process = process_take(platform);
    if (process == NULL) {
        return BATON_SHORTAGE;
    }
    process->token = token;
    struct output_pipe *log = NULL;
    struct handler_ends ends = {INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE};
    int code = prepare(process, output, &log, &ends, cause);
    if (code == BATON_OK) {
        /* Handle values have 32 significant bits, also in 64-bit processes. */
        environment_set((struct environment_block *)&program->environment,
                        (DWORD)(uintptr_t)ends.in, (DWORD)(uintptr_t)ends.out, nonce_hex);
        code = start(process, program, &ends, cause);
    }
    close_ends(&ends);
    if (code == BATON_OK) {
        code = watch_all(process, log, cause);
    }
    if (code != BATON_OK) {
        if (log != NULL) {
            output_pipe_close(platform, log);
        }
        process_release(process);
        return code == BATON_NO_MEMORY ? BATON_SHORTAGE : code;
    }
    *out = process;
    return BATON_OK;
}
