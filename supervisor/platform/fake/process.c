/* Programs and processes. A process stays in the table for ever, so that its use after its close
 * is noticed. */
#include "platform/fake/internal.h"

#include <stdlib.h>
#include <string.h>

#define PID_FIRST 1000u
#define SIGNAL_KILL 9u
#define SIGNAL_TERMINATE 15u

/* ---- Programs ---- */

int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause) {
    (void)platform;
    *out = NULL;
    int code = fake_try(FAKE_PROGRAM, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (spec->path == NULL || spec->argv == NULL || spec->argv[0] == NULL) {
        fake_wrong("a program without a name");
    }
    struct platform_program *program = fake_allocate(sizeof *program);
    *program = (struct platform_program){.next = fake_world.programs, .is_open = true};
    fake_world.programs = program;
    *out = program;
    return BATON_OK;
}

void platform_program_destroy(struct platform_program **program) {
    if (*program != NULL) {
        (*program)->is_open = false;
        *program = NULL;
    }
}

/* ---- The supervisor's side of a process ---- */

static uint32_t unclosed_count(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_world.process_count; i++) {
        count += fake_world.processes[i]->face.is_closed ? 0 : 1;
    }
    return count;
}

int platform_launch(struct platform *platform, const struct platform_program *program,
                    const char *nonce_hex, struct platform_output *output, uint64_t token,
                    struct platform_process **out, struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    *out = NULL;
    int code = fake_try(FAKE_LAUNCH, cause);
    if (code == BATON_OK && unclosed_count() >= platform->process_limit_count) {
        code = BATON_SHORTAGE;
    }
    if (code != BATON_OK) {
        return code;
    }
    if (!program->is_open || strlen(nonce_hex) + 1 != sizeof w->processes[0]->face.nonce_hex) {
        fake_wrong("a launch without a program or nonce");
        return BATON_SYSTEM;
    }
    struct platform_process *p = fake_allocate(sizeof *p);
    p->face = (struct fake_process){.pid = PID_FIRST + w->process_count,
                                    .token = token,
                                    .is_alive = true,
                                    .supervisor_end_open = true,
                                    .handler_end_open = true};
    memcpy(p->face.nonce_hex, nonce_hex, sizeof p->face.nonce_hex);
    p->output = output;
    w->processes = fake_grow(w->processes, w->process_count, &w->process_capacity, sizeof(void *));
    w->processes[w->process_count++] = p;
    *out = p;
    return BATON_OK;
}

uint32_t platform_process_pid(const struct platform_process *process) {
    return process->face.pid;
}

bool platform_process_speaks(struct platform_process *process, uint32_t pid) {
    return pid != 0 && pid == process->speaker_pid;
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
        fake_world.director.signalled(fake_world.director.context, process->face.pid - PID_FIRST,
                                      how);
        return;
    }
    fake_process_die(process, (struct platform_exit){
                                  true, how == PLATFORM_KILL ? SIGNAL_KILL : SIGNAL_TERMINATE});
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
        fake_wrong("a living process was closed");
        fake_process_die(closing, (struct platform_exit){true, SIGNAL_KILL});
    }
    closing->face.supervisor_end_open = false;
    closing->face.handler_end_open = false; /* a descendant sees the end of the channel and goes */
    closing->face.is_closed = true;
    *process = NULL;
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
    fake_world.clients[client].copy_count++;
}

bool fake_copy_remove(struct platform_process *process, uint32_t client) {
    for (uint32_t i = 0; i < process->face.copy_count; i++) {
        if (process->copies[i] == client) {
            process->copies[i] = process->copies[--process->face.copy_count];
            fake_world.clients[client].copy_count--;
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
    process->face.handler_end_open = process->face.handler_end_open && process->leaves_channel;
    process->exit = how;
    while (process->face.copy_count > 0) {
        fake_copy_remove(process, process->copies[0]);
    }
}

void fake_handler_close_client(uint32_t process, uint32_t client) {
    fake_copy_remove(fake_world.processes[process], client);
}

void fake_handler_exit(uint32_t process, bool by_signal, uint32_t code) {
    fake_process_die(fake_world.processes[process], (struct platform_exit){by_signal, code});
}
