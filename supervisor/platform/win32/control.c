/*
 * Control clients come to a named pipe, of which each has an instance of his own; one more waits
 * for the next. A client's instance is read by one stream and written by another, each with a
 * handle of its own, so that both can be under way at once.
 *
 * Nobody has the pipe's name before us (FILE_FLAG_FIRST_PIPE_INSTANCE), and while we have an
 * instance of it nobody gets in between whom the descriptor does not let.
 * https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-createnamedpipew
 */
#include "stream.h"

#include <stdlib.h>

#define TO_CLIENT_BYTES 65536
#define FROM_CLIENT_BYTES 4096

struct platform_control {
    struct platform *platform;
    uint64_t token;
    uint32_t index, generation; /* in the table of sources, where in_table */
    bool in_table;
    bool is_paused;
    wchar_t *name;
    struct pipe_end next; /* whose client is to come */
    union win32_access_list access;
    SECURITY_DESCRIPTOR descriptor;
};

/* ---- The pipe ---- */

static bool describe_access(struct platform_control *control) {
    BYTE administrators[SECURITY_MAX_SID_SIZE];
    DWORD size_bytes = sizeof administrators;
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        return false;
    }
    bool is_described =
        win32_access_list(token, &control->access) &&
        CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, administrators, &size_bytes) &&
        AddAccessAllowedAce(&control->access.list, ACL_REVISION, GENERIC_ALL, administrators) &&
        InitializeSecurityDescriptor(&control->descriptor, SECURITY_DESCRIPTOR_REVISION) &&
        SetSecurityDescriptorDacl(&control->descriptor, TRUE, &control->access.list, FALSE);
    CloseHandle(token);
    return is_described;
}

static void report(const struct platform_control *control) {
    win32_packet_post(control->platform->port, PACKET_ACCEPT, control->index, control->generation);
}

/* True if nobody has come yet; an event follows then. A client may be there before he is waited
 * for, and may have left by then as well (ERROR_NO_DATA). PeekNamedPipe() does not tell who has not
 * come from a pipe that is broken. */
static bool must_wait(struct pipe_end *end) {
    if (!ConnectNamedPipe(end->handle, &end->operation) && GetLastError() == ERROR_IO_PENDING) {
        end->started = true;
    }
    return end->started;
}

static void await_client(struct platform_control *control) {
    if (!must_wait(&control->next)) {
        report(control);
    }
}

/* A further instance, into `out`. */
static int make_instance(struct platform_control *control, bool is_first, HANDLE *out,
                         struct baton_cause *cause) {
    SECURITY_ATTRIBUTES access = {sizeof access, &control->descriptor, FALSE};
    *out = CreateNamedPipeW(
        control->name,
        PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (is_first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
        PIPE_UNLIMITED_INSTANCES, TO_CLIENT_BYTES, FROM_CLIENT_BYTES, 0, &access);
    if (*out != INVALID_HANDLE_VALUE) {
        return BATON_OK;
    }
    int code = win32_cause_last(cause, "CreateNamedPipeW");
    bool is_taken = cause->system_code == ERROR_ACCESS_DENIED ||
                    cause->system_code == ERROR_PIPE_BUSY ||
                    cause->system_code == ERROR_ALREADY_EXISTS;
    *out = NULL;
    return is_first && is_taken ? BATON_IN_USE : code;
}

/* Wine 8 takes no notice of FILE_FLAG_FIRST_PIPE_INSTANCE. Nobody is connected by this, and it
 * waits for a millisecond at most.
 * https://learn.microsoft.com/windows/win32/api/namedpipeapi/nf-namedpipeapi-waitnamedpipew */
static bool is_in_use(const wchar_t *name) {
    return WaitNamedPipeW(name, 1) || GetLastError() != ERROR_FILE_NOT_FOUND;
}

/* `given`: the instance whose client is to come, of a batond of before; NULL = a new one. */
static int begin(struct platform_control *control, const char *path, HANDLE given,
                 struct baton_cause *cause) {
    struct pipe_end *next = &control->next;
    next->handle = given;
    int code = win32_text_to_wide(path, &control->name);
    if (code == BATON_OK && given == NULL && is_in_use(control->name)) {
        code = BATON_IN_USE;
    }
    if (code != BATON_OK) {
        return code;
    }
    if (!describe_access(control)) {
        return win32_cause_last(cause, "SetSecurityDescriptorDacl");
    }
    next->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (next->event == NULL) {
        return win32_cause_last(cause, "CreateEventW");
    }
    next->operation.hEvent = next->event;
    code = win32_source_take(control->platform, SOURCE_CONTROL, control, &control->index,
                             &control->generation);
    if (code != BATON_OK) {
        return code;
    }
    control->in_table = true;
    next->watch = (struct watch){control->platform->port, NULL, PACKET_ACCEPT, control->index,
                                 control->generation};
    if (given == NULL) {
        code = make_instance(control, true, &next->handle, cause);
    }
    return code == BATON_OK ? win32_watch_start(&next->watch, next->event, cause) : code;
}

int win32_control_make(struct platform *platform, const char *path, HANDLE given, uint64_t token,
                       struct platform_control **out, struct baton_cause *cause) {
    struct platform_control *control = *out = calloc(1, sizeof *control);
    *cause = (struct baton_cause){NULL, 0};
    if (control == NULL) {
        return BATON_NO_MEMORY;
    }
    control->platform = platform;
    control->token = token;
    int code = begin(control, path, given, cause);
    if (code != BATON_OK) {
        platform_control_close(out);
    }
    return code;
}

int platform_control_open(struct platform *platform, const struct platform_control_spec *spec,
                          uint64_t token, struct platform_control **out,
                          struct baton_cause *cause) {
    int code = win32_control_make(platform, spec->path, NULL, token, out, cause);
    if (code == BATON_OK) {
        await_client(*out);
    }
    return code;
}

HANDLE win32_control_instance(const struct platform_control *control) {
    return control->next.handle;
}

/* Whether somebody has come meanwhile, the instance itself tells. */
void win32_control_stand_still(struct platform_control *control) {
    struct baton_cause ignored;
    DWORD moved;
    win32_watch_stop(&control->next.watch);
    if (control->next.started) {
        (void)win32_pipe_cancel(&control->next, &moved, &ignored);
    }
}

int win32_control_go_on(struct platform_control *control, struct baton_cause *cause) {
    struct pipe_end *next = &control->next;
    report(control);
    return next->watch.registration != NULL ? BATON_OK
                                            : win32_watch_start(&next->watch, next->event, cause);
}

void platform_control_close(struct platform_control **address) {
    struct platform_control *control = *address;
    *address = NULL;
    if (control == NULL) {
        return;
    }
    win32_pipe_close(&control->next);
    if (control->in_table) {
        win32_source_release(control->platform, control->index);
    }
    free(control->name);
    free(control);
}

bool win32_control_event(struct platform_control *control, struct platform_event *event) {
    if (control->is_paused ||
        (control->next.started && !HasOverlappedIoCompleted(&control->next.operation))) {
        return false;
    }
    *event = (struct platform_event){PLATFORM_EVENT_ACCEPT, control->token};
    return true;
}

void platform_control_pause(struct platform_control *control) {
    control->is_paused = true;
}

void platform_control_resume(struct platform_control *control) {
    if (control->is_paused) {
        control->is_paused = false;
        report(control); /* what came meanwhile */
    }
}

/* ---- Clients ---- */

/* Takes the handle over, also where it fails. */
static struct platform_stream *open_stream(struct platform *platform, enum stream_kind kind,
                                           uint64_t token, HANDLE handle,
                                           struct baton_cause *cause) {
    struct platform_stream *stream = win32_stream_take(platform, kind, token, cause);
    if (stream == NULL) {
        CloseHandle(handle);
        return NULL;
    }
    stream->end.handle = handle;
    stream->end.event = CreateEventW(NULL, FALSE, FALSE, NULL);
    stream->end.operation = (OVERLAPPED){.hEvent = stream->end.event};
    if (stream->end.event == NULL ||
        win32_watch_start(&stream->end.watch, stream->end.event, cause) != BATON_OK) {
        win32_stream_release(stream);
        return NULL;
    }
    return stream;
}

static int open_client(struct platform_control *control, uint64_t token, HANDLE handle,
                       struct platform_control_client *out, struct baton_cause *cause) {
    HANDLE twin;
    if (!DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &twin, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
        CloseHandle(handle);
        return win32_cause_last(cause, "DuplicateHandle");
    }
    out->reading = open_stream(control->platform, STREAM_FROM_PROGRAM, token, handle, cause);
    out->writing = open_stream(control->platform, STREAM_TO_PROGRAM, token, twin, cause);
    if (out->reading == NULL || out->writing == NULL) {
        platform_control_leave(control->platform, out);
        return BATON_SHORTAGE;
    }
    return BATON_OK;
}

int platform_control_accept(struct platform_control *control, uint64_t token,
                            struct platform_control_client *out, struct address *peer,
                            struct baton_cause *cause) {
    struct pipe_end *next = &control->next;
    DWORD moved;
    HANDLE further;
    *out = (struct platform_control_client){0};
    *peer = (struct address){0};
    *cause = (struct baton_cause){NULL, 0};
    if (next->started ? win32_pipe_result(next, &moved, cause) == BATON_AGAIN : must_wait(next)) {
        return BATON_AGAIN;
    }
    int code = make_instance(control, false, &further, cause);
    if (code != BATON_OK) {
        return code == BATON_NO_MEMORY ? BATON_SHORTAGE : code;
    }
    HANDLE taken = next->handle;
    next->handle = further;
    await_client(control);
    return open_client(control, token, taken, out, cause);
}

/* A write is done when our buffer has it; the pipe has it when the operation has ended. */
bool platform_control_has_sent(const struct platform_control_client *client) {
    struct platform_stream *stream = client->writing;
    bool is_sent = !win32_stream_is_writing(stream);
    stream->wants_write = stream->wants_write || !is_sent;
    return is_sent;
}

/* What is under way is broken off; what is in the pipe can be read to its end. */
void platform_control_leave(struct platform *platform, struct platform_control_client *client) {
    (void)platform;
    if (client->reading != NULL) {
        win32_stream_release(client->reading);
    }
    if (client->writing != NULL) {
        win32_stream_release(client->writing);
    }
    *client = (struct platform_control_client){0};
}
