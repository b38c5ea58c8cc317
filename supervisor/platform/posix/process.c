/*
 * One handler process: launch, signal, exit, close.
 */
#include "platform/posix/internal.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NONCE_DIGITS 32

int platform_launch(struct platform *platform, const struct platform_program *program,
                    const char *nonce_hex, struct platform_output *output, uint64_t token,
                    struct platform_process **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){0};
    if (strlen(nonce_hex) != NONCE_DIGITS) {
        return BATON_INVALID;
    }
    struct platform_process *process = process_take(platform);
    if (process == NULL) {
        return BATON_SHORTAGE;
    }
    process->channel.token = token;
    memcpy(strchr(program->nonce, '=') + 1, nonce_hex, NONCE_DIGITS + 1);
    struct spawn spawn = {.platform = platform, .program = program, .channel = -1};
    spawn.output = platform->null_device;
    if (output != NULL) {
        spawn.output = output->child_end;
        output_make_blocking(output);
    }

    int result = channel_open(process, &spawn.channel, cause);
    if (result == BATON_OK) {
        result = spawn_process(&spawn, &process->pid, cause);
    }
    close_descriptor(&spawn.channel);
    if (result != BATON_OK) {
        source_close(platform, &process->channel);
        process_give(process);
        return result;
    }
    process_add(platform, process);
    *out = process;
    return BATON_OK;
}

uint32_t platform_process_pid(const struct platform_process *process) {
    return (uint32_t)process->pid;
}

bool platform_process_speaks(struct platform_process *process, uint32_t pid) {
    return pid != 0 && (pid_t)pid == process->speaker;
}

void platform_process_signal(struct platform_process *process, enum platform_signal how) {
    if (process->ended) {
        return;
    }
    int number = how == PLATFORM_KILL ? SIGKILL : SIGTERM;
    /* A leader may have moved to another group (setpgid(2)); its own would then not reach it. */
    if (getpgid(process->pid) != process->pid) {
        kill(process->pid, number);
    }
    kill(-process->pid, number);
}

struct platform_exit platform_process_exit(const struct platform_process *process) {
    return process->exit;
}

void platform_process_close(struct platform_process **process) {
    struct platform_process *closing = *process;
    if (closing == NULL) {
        return;
    }
    if (!closing->ended) {
        platform_process_signal(closing, PLATFORM_KILL);
        /* The loop reaps it like a stray. */
        process_remove(closing->platform, closing);
    }
    source_close(closing->platform, &closing->channel);
    process_give(closing);
    *process = NULL;
}
