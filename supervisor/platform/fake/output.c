/* What handlers write: a list of pieces for each collector. */
#include "platform/fake/internal.h"

#include <stdlib.h>
#include <string.h>

int platform_output_open(struct platform *platform, uint64_t token, struct platform_output **out,
                         struct baton_cause *cause) {
    (void)platform;
    *out = NULL;
    int code = fake_try(FAKE_OUTPUT, cause);
    if (code != BATON_OK) {
        return code;
    }
    struct platform_output *output = fake_allocate(sizeof *output);
    *output = (struct platform_output){.next = fake_world.outputs, .token = token, .is_open = true};
    fake_world.outputs = output;
    *out = output;
    return BATON_OK;
}

int platform_output_read(struct platform_output *output, char *buffer, size_t capacity,
                         size_t *length, struct platform_writer *writer,
                         struct baton_cause *cause) {
    struct fake_piece *piece = output->first;
    *cause = (struct baton_cause){0};
    *length = 0;
    *writer = (struct platform_writer){0};
    if (!output->is_open) {
        fake_wrong("a closed output was read from");
        return BATON_SYSTEM;
    }
    if (piece == NULL) {
        return BATON_AGAIN;
    }
    size_t left = piece->length - piece->taken;
    *length = left < capacity ? left : capacity;
    *writer = piece->writer;
    memcpy(buffer, piece->bytes + piece->taken, *length);
    piece->taken += *length;
    int result = piece->is_end ? BATON_END : BATON_OK;
    if (piece->taken == piece->length) {
        output->first = piece->next;
        free(piece);
    }
    return result;
}

void platform_outputs_pause(struct platform *platform) {
    (void)platform;
    fake_world.outputs_paused = true;
}

void platform_outputs_resume(struct platform *platform) {
    (void)platform;
    fake_world.outputs_paused = false;
}

void platform_output_pause(struct platform_output *output) {
    output->is_paused = true;
}

void platform_output_resume(struct platform_output *output) {
    output->is_paused = false;
}

void platform_output_close(struct platform_output **output) {
    if (*output != NULL) {
        (*output)->is_open = false;
        *output = NULL;
    }
}

static void add_piece(struct platform_process *process, uint32_t pid, const void *bytes,
                      size_t length, bool is_end) {
    struct platform_output *output = process->output_collector;
    struct fake_piece *piece = fake_allocate(sizeof *piece + length);
    piece->writer.pid = pid != 0 ? pid : process->face.pid;
    piece->writer.id = process->output_id;
    piece->is_end = is_end;
    piece->length = length;
    if (length > 0) {
        memcpy(piece->bytes, bytes, length);
    }
    *(output->first == NULL ? &output->first : &output->last->next) = piece;
    output->last = piece;
}

void fake_handler_write(uint32_t process, uint32_t pid, const void *bytes, size_t length) {
    if (length > 0) {
        add_piece(fake_world.processes[process], pid, bytes, length, false);
    }
}

void fake_handler_end_output(uint32_t process) {
    add_piece(fake_world.processes[process], 0, NULL, 0, true);
}
