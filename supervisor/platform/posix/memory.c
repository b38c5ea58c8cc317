/*
 * How much memory a process has.
 *
 * Who asks holds on to that memory for the moment (get_task_mm() in the kernel). If its process
 * ends just then, it is for the asker to take it apart, and to wait for reads into it that are
 * under way (io_submit(2)) and may never end. So a carrier asks.
 */
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct measuring {
    struct posix_due due; /* MEASURED */
    struct platform_process *process;
    struct carrier_job job;
    bool is_done;
    uint64_t resident_kib; /* 0 = it could not be told */
};

/* The second number of /proc/PID/statm, in pages. */
static uint64_t read_resident_kib(const uint8_t *text, size_t length) {
    uint64_t pages_count = 0;
    size_t i = 0;
    while (i < length && text[i] != ' ') {
        i++;
    }
    for (i++; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
        pages_count = pages_count * 10 + (text[i] - '0');
    }
    return pages_count * ((uint64_t)getpagesize() / 1024u);
}

static bool measured(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                     ssize_t result, int code) {
    size_t offset = offsetof(struct measuring, job);
    struct measuring *measuring = (struct measuring *)(void *)((char *)job - offset);
    (void)code;
    posix_close_descriptor(&job->descriptor);
    measuring->is_done = true;
    measuring->resident_kib = result > 0 ? read_resident_kib(bytes, (size_t)result) : 0;
    posix_due_add(platform, &measuring->due, &measuring->process->channel);
    return true;
}

static int begin(struct platform_process *process) {
    struct measuring *measuring = process->measuring;
    if (measuring == NULL) {
        measuring = process->measuring = calloc(1, sizeof *measuring);
    }
    if (measuring == NULL) {
        return BATON_SHORTAGE;
    }
    *measuring = (struct measuring){.process = process};
    measuring->job =
        (struct carrier_job){.work = posix_carrier_read,
                             .done = measured,
                             .owner = process->program,
                             .descriptor = posix_open_of_process(process->pid, "statm", O_RDONLY),
                             .length = 128};
    if (measuring->job.descriptor < 0 || !posix_carriers_give(process->platform, &measuring->job)) {
        posix_close_descriptor(&measuring->job.descriptor);
        return BATON_SHORTAGE;
    }
    return BATON_AGAIN;
}

int platform_process_resident(struct platform_process *process, uint32_t *resident_kib) {
    struct measuring *measuring = process->measuring;
    if (process->ended) {
        return BATON_GONE;
    }
    if (measuring != NULL && measuring->job.state != CARRIER_JOB_NONE) {
        return BATON_AGAIN;
    }
    if (measuring == NULL || !measuring->is_done) {
        return begin(process);
    }
    measuring->is_done = false;
    posix_due_forget(process->platform, &measuring->due);
    *resident_kib =
        measuring->resident_kib > UINT32_MAX ? UINT32_MAX : (uint32_t)measuring->resident_kib;
    return measuring->resident_kib > 0 ? BATON_OK : BATON_GONE;
}

void posix_process_forget_measuring(struct platform_process *process) {
    struct measuring *measuring = process->measuring;
    if (measuring == NULL) {
        return;
    }
    if (measuring->job.state != CARRIER_JOB_NONE) {
        posix_carriers_drop(process->platform, &measuring->job);
    }
    posix_due_forget(process->platform, &measuring->due);
    free(measuring);
    process->measuring = NULL;
}
