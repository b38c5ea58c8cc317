#include "breaker.h"
#include "core/base/text.h"
#include "program.h"
#include "stream.h"

#include <string.h>

#define CHANNEL_IN_BUFFER_BYTES 4096
/* The longest frame fits twice, so an OFFER after an unread CANCEL or DRAIN need not wait. */
#define CHANNEL_OUT_BUFFER_BYTES (2 * PLATFORM_SEND_MAX_BYTES)

/* CREATE_NO_WINDOW gives a console program a console of its own that nobody sees: no window
 * appears, and neither Ctrl-C nor the close of our console reaches it; it ends by DRAIN, by a
 * Ctrl-Break that it is sent there (breaker.h), or with its job. Wine 8 starts a process for that
 * console which inherits the program's handles, so there the channel of a console program ends with
 * the program and not when it closes its ends. Windows does not do that.
 * https://learn.microsoft.com/windows/win32/procthread/process-creation-flags */
#define CREATION_FLAGS                                                                             \
    (CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT |                    \
     EXTENDED_STARTUPINFO_PRESENT)

#define HANDLES_MAX 5

/* A launch under way: what is the supervisor's, undone when it fails, and what is the program's,
 * closed here as soon as it has its own. */
struct parts {
    const struct platform_launch *launch;
    struct platform_process *process;
    struct output_pipe *log;
    struct platform_stream *input, *output;
    struct {
        HANDLE channel_in, channel_out, log, input, output;
    } theirs;
};

struct platform_process *win32_process_take(struct platform *platform, struct baton_cause *cause) {
    uint32_t index = win32_slot_table_take(&platform->processes, cause);
    if (index == SLOT_NONE) {
        return NULL;
    }
    struct platform_process *process = win32_slot_table_at(&platform->processes, index);
    process->platform = platform;
    process->index = index;
    process->generation = win32_slot_table_generation(&platform->processes, index);
    process->exited = false;
    process->wants_writable = false;
    process->channel_ended = false;
    process->breaking = NULL;
    process->breaks_again = false;
    process->end_told = false;
    process->members_end_us = 0;
    process->exit = (struct platform_exit){0};
    process->exit_watch =
        (struct watch){platform->port, NULL, PACKET_EXIT, index, process->generation};
    return process;
}

void win32_process_release(struct platform_process *process) {
    struct platform *platform = process->platform;
    win32_watch_stop(&process->exit_watch);
    platform_channel_close(process);
    win32_process_forget_member(process);
    win32_break_forget(process);
    if (process->handle != NULL) {
        CloseHandle(process->handle);
        process->handle = NULL;
    }
    if (process->job != NULL) {
        CloseHandle(process->job);
        process->job = NULL;
    }
    slots_give(&platform->processes.slots, process->index);
}

static void close_theirs(struct parts *parts) {
    HANDLE *all[] = {&parts->theirs.channel_in, &parts->theirs.channel_out, &parts->theirs.log,
                     &parts->theirs.input, &parts->theirs.output};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (*all[i] != INVALID_HANDLE_VALUE) {
            CloseHandle(*all[i]);
            *all[i] = INVALID_HANDLE_VALUE;
        }
    }
}

static int make_channel(struct parts *parts, struct baton_cause *cause) {
    struct platform_process *process = parts->process;
    int code = win32_pipe_open(&process->in, PIPE_TO_US, CHANNEL_IN_BUFFER_BYTES,
                               &parts->theirs.channel_out, cause);
    return code != BATON_OK ? code
                            : win32_pipe_open(&process->out, PIPE_FROM_US, CHANNEL_OUT_BUFFER_BYTES,
                                              &parts->theirs.channel_in, cause);
}

static int make_streams(struct parts *parts, struct baton_cause *cause) {
    const struct platform_launch *launch = parts->launch;
    struct platform *platform = parts->process->platform;
    int code = win32_stream_pipe_open(platform, STREAM_TO_PROGRAM, launch->input_token,
                                      &parts->input, &parts->theirs.input, cause);
    return code != BATON_OK
               ? code
               : win32_stream_pipe_open(platform, STREAM_FROM_PROGRAM, launch->output_token,
                                        &parts->output, &parts->theirs.output, cause);
}

/* The pipes and the job. The caller undoes what was made when this fails. */
static int prepare(struct parts *parts, struct baton_cause *cause) {
    const struct platform_launch *launch = parts->launch;
    parts->process->job = CreateJobObjectW(NULL, NULL);
    if (parts->process->job == NULL) {
        return win32_cause_last(cause, "CreateJobObjectW");
    }
    int code = win32_job_confine(parts->process->job, launch->program, cause);
    if (code == BATON_OK && launch->program->has_channel) {
        code = make_channel(parts, cause);
    }
    if (code == BATON_OK && launch->streams == PLATFORM_STREAMS_PIPES) {
        code = make_streams(parts, cause);
    }
    bool writes_to_log = launch->streams == PLATFORM_STREAMS_LOG || !launch->error_follows_output;
    if (code == BATON_OK && launch->output != NULL && writes_to_log) {
        code = win32_output_pipe_open(launch->output, &parts->log, &parts->theirs.log, cause);
    }
    return code;
}

static bool takes_more_than(const char *const *texts, size_t *room_bytes) {
    for (; texts != NULL && *texts != NULL; texts++) {
        size_t bytes = strlen(*texts) + 1;
        if (bytes > *room_bytes) {
            return true;
        }
        *room_bytes -= bytes;
    }
    return false;
}

/* A value may be missing, and the list is as long as that of the names. */
static bool values_take_more_than(const struct platform_launch *launch, size_t *room_bytes) {
    const struct environment_block *block = &launch->program->environment;
    for (size_t i = 0; launch->values != NULL && i < block->variable_count; i++) {
        const char *const one[] = {launch->values[i], NULL};
        if (takes_more_than(one, room_bytes)) {
            return true;
        }
    }
    return false;
}

/* Writes what this launch adds: the environment block, and the command line where it is another. */
static int complete(const struct parts *parts, wchar_t **command_line) {
    const struct platform_launch *launch = parts->launch;
    const struct platform_program *program = launch->program;
    size_t room_bytes = program->launch_bytes;
    if (takes_more_than(launch->argv, &room_bytes) || values_take_more_than(launch, &room_bytes)) {
        return BATON_TOO_LONG;
    }
    char channel[CHANNEL_TEXT_SIZE] = "";
    struct environment_values values = {launch->values, NULL, NULL};
    if (program->has_channel) {
        /* Handle values have 32 significant bits, also in 64-bit processes. */
        text_format(channel, sizeof channel, "%u,%u", (unsigned)(uintptr_t)parts->theirs.channel_in,
                    (unsigned)(uintptr_t)parts->theirs.channel_out);
        values.channel = channel;
        values.nonce_hex = launch->nonce_hex;
    }
    *command_line = program->command_line;
    int code = win32_environment_write((struct environment_block *)&program->environment, &values);
    if (code == BATON_OK && launch->argv != NULL) {
        struct command_line *line = parts->process->platform->command_line;
        code = win32_command_line_write(launch->argv, line);
        *command_line = line->text;
    }
    return code;
}

static BOOL create(const struct platform_program *program, wchar_t *command_line, DWORD flags,
                   STARTUPINFOW *startup, PROCESS_INFORMATION *made) {
    return program->token == NULL
               ? CreateProcessW(program->path, command_line, NULL, NULL, TRUE, flags,
                                program->environment.text, program->directory, startup, made)
               : CreateProcessAsUserW(program->token, program->path, command_line, NULL, NULL, TRUE,
                                      flags, program->environment.text, program->directory, startup,
                                      made);
}

/* Puts a process into its job that waits before its first instruction, and lets it go on; or ends
 * it there. */
static int admit_to_job(HANDLE job, const PROCESS_INFORMATION *made, struct baton_cause *cause) {
    int code = BATON_OK;
    if (!AssignProcessToJobObject(job, made->hProcess)) {
        code = win32_cause_last(cause, "AssignProcessToJobObject");
    } else if (ResumeThread(made->hThread) == (DWORD)-1) {
        code = win32_cause_last(cause, "ResumeThread");
    }
    if (code != BATON_OK) {
        TerminateProcess(made->hProcess, 1);
        CloseHandle(made->hProcess);
    }
    return code;
}

/* What a launch hands to the system. */
struct creation {
    HANDLE handles[HANDLES_MAX];
    DWORD handle_count;
    STARTUPINFOEXW startup;
    wchar_t *command_line;
};

/* `names_job`: in its job from the start; else it is put there (admit_to_job()). */
static int create_once(const struct parts *parts, struct creation *creation, bool names_job,
                       struct baton_cause *cause) {
    struct platform_process *process = parts->process;
    struct platform *platform = process->platform;
    const struct platform_program *program = parts->launch->program;
    PROCESS_INFORMATION made;
    SIZE_T room = platform->attributes_bytes;
    if (!InitializeProcThreadAttributeList(platform->attributes, 2, 0, &room)) {
        return win32_cause_last(cause, "InitializeProcThreadAttributeList");
    }
    int code = BATON_OK;
    if (!UpdateProcThreadAttribute(
            platform->attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, creation->handles,
            creation->handle_count * sizeof *creation->handles, NULL, NULL) ||
        (names_job &&
         !UpdateProcThreadAttribute(platform->attributes, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST,
                                    &process->job, sizeof process->job, NULL, NULL))) {
        code = win32_cause_last(cause, "UpdateProcThreadAttribute");
    } else if (!create(program, creation->command_line,
                       CREATION_FLAGS | (names_job ? 0u : (DWORD)CREATE_SUSPENDED),
                       &creation->startup.StartupInfo, &made)) {
        code = win32_cause_last(cause,
                                program->token == NULL ? "CreateProcessW" : "CreateProcessAsUserW");
        if (cause->system_code == ERROR_SHARING_VIOLATION) {
            code = BATON_LIMIT; /* its file is being written */
        }
    } else {
        code = names_job ? BATON_OK : admit_to_job(process->job, &made, cause);
        CloseHandle(made.hThread);
        process->handle = code == BATON_OK ? made.hProcess : NULL;
        process->pid = made.dwProcessId;
    }
    DeleteProcThreadAttributeList(platform->attributes);
    return code;
}

/* Windows refuses a job at the launch of packaged programs, among them the aliases of the Store,
 * and has no number of its own for that. So what is neither the file's fault nor a shortage is
 * tried once more, the other way.
 * https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-updateprocthreadattribute
 * https://learn.microsoft.com/windows/win32/api/jobapi2/nf-jobapi2-assignprocesstojobobject */
static int create_process(const struct parts *parts, struct creation *creation,
                          struct baton_cause *cause) {
    int code = create_once(parts, creation, true, cause);
    return code == BATON_SYSTEM || code == BATON_DENIED ? create_once(parts, creation, false, cause)
                                                        : code;
}

static void choose_standard(const struct parts *parts, STARTUPINFOW *startup) {
    const struct platform_launch *launch = parts->launch;
    HANDLE null_device = parts->process->platform->null_device;
    HANDLE log = parts->theirs.log != INVALID_HANDLE_VALUE ? parts->theirs.log : null_device;
    startup->dwFlags = STARTF_USESTDHANDLES;
    switch (launch->streams) {
    case PLATFORM_STREAMS_SOCKET:
        startup->hStdInput = (HANDLE)launch->socket.value;
        startup->hStdOutput = (HANDLE)launch->socket.value;
        break;
    case PLATFORM_STREAMS_PIPES:
        startup->hStdInput = parts->theirs.input;
        startup->hStdOutput = parts->theirs.output;
        break;
    default:
        startup->hStdInput = null_device;
        startup->hStdOutput = log;
        break;
    }
    startup->hStdError = launch->error_follows_output ? startup->hStdOutput : log;
}

/* Each handle once: a list that names one twice is refused. */
static DWORD list_handles(const struct parts *parts, const STARTUPINFOW *startup,
                          HANDLE list[HANDLES_MAX]) {
    const HANDLE wanted[HANDLES_MAX] = {startup->hStdInput, startup->hStdOutput, startup->hStdError,
                                        parts->theirs.channel_in, parts->theirs.channel_out};
    DWORD count = 0;
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        bool is_new = wanted[i] != INVALID_HANDLE_VALUE;
        for (DWORD k = 0; k < count && is_new; k++) {
            is_new = list[k] != wanted[i];
        }
        if (is_new) {
            list[count++] = wanted[i];
        }
    }
    return count;
}

/* Launches with exactly the handles in the list. A socket is inheritable for that long only. Some
 * layered providers break inherited sockets; for them there is the channel. */
static int start(const struct parts *parts, wchar_t *command_line, struct baton_cause *cause) {
    struct creation creation = {
        .startup = {.StartupInfo.cb = sizeof creation.startup,
                    .lpAttributeList = parts->process->platform->attributes},
        .command_line = command_line};
    choose_standard(parts, &creation.startup.StartupInfo);
    creation.handle_count = list_handles(parts, &creation.startup.StartupInfo, creation.handles);
    if (parts->launch->streams != PLATFORM_STREAMS_SOCKET) {
        return create_process(parts, &creation, cause);
    }
    HANDLE socket = (HANDLE)parts->launch->socket.value;
    if (!SetHandleInformation(socket, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
        return win32_cause_last(cause, "SetHandleInformation");
    }
    int code = create_process(parts, &creation, cause);
    SetHandleInformation(socket, HANDLE_FLAG_INHERIT, 0);
    return code;
}

/* From here on there is a process, so what fails ends it. */
static int watch_all(const struct parts *parts, struct baton_cause *cause) {
    struct platform_process *process = parts->process;
    int code = BATON_OK;
    if (parts->launch->program->has_channel) {
        code = win32_channel_start(process, cause);
    }
    if (code == BATON_OK && parts->log != NULL) {
        const struct platform_writer writer = {process->pid, parts->launch->output_id};
        code = win32_output_pipe_start(parts->log, &writer, cause);
    }
    if (code == BATON_OK) {
        code = win32_watch_end(&process->exit_watch, process->handle, INFINITE, cause);
    }
    if (code != BATON_OK) {
        platform_process_signal(process, PLATFORM_KILL);
    }
    return code;
}

static void undo(struct parts *parts) {
    if (parts->log != NULL) {
        win32_output_pipe_close(parts->process->platform, parts->log);
    }
    if (parts->input != NULL) {
        win32_stream_release(parts->input);
    }
    if (parts->output != NULL) {
        win32_stream_release(parts->output);
    }
    win32_process_release(parts->process);
}

bool platform_offers_at_launch(const struct platform *platform) {
    (void)platform;
    return false;
}

int platform_launch(struct platform *platform, const struct platform_launch *launch,
                    struct platform_launched *out, struct baton_cause *cause) {
    struct parts parts = {.launch = launch,
                          .theirs = {INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE,
                                     INVALID_HANDLE_VALUE, INVALID_HANDLE_VALUE,
                                     INVALID_HANDLE_VALUE}};
    wchar_t *command_line = NULL;
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    *cause = (struct baton_cause){NULL, 0};
    if (launch->streams == PLATFORM_STREAMS_LISTENERS) {
        return BATON_UNSUPPORTED; /* platform_inherits_listeners is false */
    }
    parts.process = win32_process_take(platform, cause);
    if (parts.process == NULL) {
        return BATON_SHORTAGE;
    }
    parts.process->token = launch->token;
    parts.process->has_channel = launch->program->has_channel;
    parts.process->leaves_children = launch->program->leaves_children;
    int code = prepare(&parts, cause);
    if (code == BATON_OK) {
        code = complete(&parts, &command_line);
    }
    if (code == BATON_OK) {
        code = start(&parts, command_line, cause);
    }
    close_theirs(&parts);
    if (code == BATON_OK) {
        code = watch_all(&parts, cause);
    }
    if (code != BATON_OK) {
        undo(&parts);
        return code == BATON_NO_MEMORY ? BATON_SHORTAGE : code;
    }
    *out = (struct platform_launched){.process = parts.process,
                                      .input = parts.input,
                                      .output = parts.output,
                                      .socket = PLATFORM_SOCKET_NONE};
    return BATON_OK;
}
