/* Processes. One stays in the table for ever, so that its use after its close is noticed. */
#include "platform/fake/internal.h"

#define SIGNAL_KILL 9u
#define SIGNAL_PIPE 13u
#define SIGNAL_TERMINATE 15u

/* ---- The supervisor's side ---- */

uint32_t platform_process_pid(const struct platform_process *process) {
    if (process->face.is_launching) {
        fake_wrong("asked for the pid of a process whose launch is under way");
    }
    return process->face.pid;
}

uint32_t platform_process_speaker(struct platform_process *process, uint32_t pid) {
    return pid == process->speaker_pid ? pid : 0;
}

bool platform_process_is_hidden(const struct platform_process *process) {
    return process->is_hidden;
}

static uint32_t number_of(const struct platform_process *process) {
    uint32_t number = 0;
    while (fake_world.processes[number] != process) {
        number++;
    }
    return number;
}

void fake_handler_deafen(uint32_t process) {
    fake_world.processes[process]->is_deaf = true;
}

bool platform_process_was_deaf(const struct platform_process *process, struct baton_cause *cause) {
    *cause = (struct baton_cause){"AttachConsole", 6};
    return process->is_deaf;
}

void platform_process_signal(struct platform_process *process, enum platform_signal how) {
    if (process->face.is_closed) {
        fake_wrong("a signal to a closed process");
    }
    if (!process->face.is_alive) {
        return;
    }
    *(how == PLATFORM_KILL ? &process->face.kill_count : &process->face.terminate_count) += 1;
    if (fake_world.director.signalled != NULL) {
        fake_world.director.signalled(fake_world.director.context, number_of(process), how);
        return;
    }
    fake_process_die(process, (struct platform_exit){
                                  .by_signal = true,
                                  .code = how == PLATFORM_KILL ? SIGNAL_KILL : SIGNAL_TERMINATE});
}

bool platform_process_has_ended(const struct platform_process *process) {
    return !process->face.is_alive && process->launch_code == BATON_OK;
}

struct platform_exit platform_process_exit(const struct platform_process *process) {
    if (!process->exit_told) {
        fake_wrong("asked how a process ended before it did");
    }
    return process->exit;
}

void platform_process_close(struct platform_process **process) {
    struct platform_process *closing = *process;
    if (closing == NULL) {
        return;
    }
    if (closing->face.is_closed) {
        fake_wrong("a process was closed twice");
    }
    if (closing->face.is_alive) {
        if (closing->face.kill_count == 0) {
            fake_wrong("a living process was closed that was not killed");
        }
        fake_process_die(closing, (struct platform_exit){.by_signal = true, .code = SIGNAL_KILL});
    }
    closing->face.supervisor_end_open = false;
    closing->face.handler_end_open = false; /* a descendant sees the end of the channel and goes */
    closing->face.is_closed = true;
    *process = NULL;
    if (closing->face.is_launching) {
        fake_launch_leave(closing);
    }
}

/* ---- The handler's side ---- */

uint32_t fake_process_count(void) {
    return fake_world.process_count;
}

const struct fake_process *fake_process(uint32_t process) {
    return &fake_world.processes[process]->face;
}

void fake_copy_add(struct platform_process *process, uint32_t client) {
    process->copies = fake_grow(process->copies, process->face.copy_count, &process->copy_capacity,
                                sizeof *process->copies);
    process->copies[process->face.copy_count++] = client;
    fake_world.clients[client]->face.copy_count++;
}

bool fake_copy_remove(struct platform_process *process, uint32_t client) {
    for (uint32_t i = 0; i < process->face.copy_count; i++) {
        if (process->copies[i] == client) {
            process->copies[i] = process->copies[--process->face.copy_count];
            fake_world.clients[client]->face.copy_count--;
            fake_peer_released(fake_world.clients[client]);
            return true;
        }
    }
    return false;
}

void fake_process_die(struct platform_process *process, struct platform_exit how) {
    if (!process->face.is_alive) {
        return;
    }
    process->face.is_alive = false;
    process->face.ended_us = fake_world.now_us;
    process->face.handler_end_open = process->face.handler_end_open && process->leaves_channel;
    process->exit = how;
    process->exit.cpu_us = process->cpu_us;
    process->exit.memory_peak_kib = process->memory_peak_kib;
    while (process->face.copy_count > 0) {
        fake_copy_remove(process, process->copies[0]);
    }
    fake_handler_close_listeners(number_of(process));
    if (!process->leaves_pipes) {
        process->input.broken = true;
        process->output.ended = true;
    }
}

void fake_handler_close_client(uint32_t process, uint32_t client) {
    fake_copy_remove(fake_world.processes[process], client);
}

void fake_handler_exit(uint32_t process, bool by_signal, uint32_t code) {
    fake_process_die(fake_world.processes[process],
                     (struct platform_exit){.by_signal = by_signal,
                                            .code = code,
                                            .by_broken_pipe = by_signal && code == SIGNAL_PIPE});
}
