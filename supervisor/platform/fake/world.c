/* The world itself: beginning, end, failing calls, and counts. */
#include "platform/fake/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_UID 1000u

struct fake_world fake_world;

void *fake_allocate(size_t size_bytes) {
    void *memory = calloc(1, size_bytes);
    if (memory == NULL) {
        fputs("fake platform: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *fake_grow(void *array, uint32_t count, uint32_t *capacity, size_t size_bytes) {
    if (count < *capacity) {
        return array;
    }
    uint32_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    char *grown = realloc(array, wanted * size_bytes);
    if (grown == NULL) {
        fputs("fake platform: out of memory\n", stderr);
        abort();
    }
    memset(grown + *capacity * size_bytes, 0, (wanted - *capacity) * size_bytes);
    *capacity = wanted;
    return grown;
}

void fake_text_append(struct fake_text *text, const char *bytes, size_t length) {
    if (text->length + length + 1 > text->capacity) {
        size_t wanted = (text->length + length + 1) * 2;
        char *grown = fake_allocate(wanted);
        if (text->length > 0) {
            memcpy(grown, text->bytes, text->length);
        }
        free(text->bytes);
        text->bytes = grown;
        text->capacity = wanted;
    }
    if (length > 0) {
        memcpy(text->bytes + text->length, bytes, length);
    }
    text->length += length;
    text->bytes[text->length] = '\0';
}

/* ---- Texts ---- */

static size_t texts_count(const char *const *texts) {
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    return count;
}

const char *fake_text_copy(const char *text) {
    struct fake_text copy = {0};
    if (text != NULL) {
        fake_text_append(&copy, text, strlen(text));
    }
    return copy.bytes;
}

char **fake_texts_copy(const char *const *texts) {
    size_t count = texts_count(texts);
    char **copy = fake_allocate((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        struct fake_text text = {0};
        fake_text_append(&text, texts[i], strlen(texts[i]));
        copy[i] = text.bytes;
    }
    return copy;
}

void fake_texts_free(char **texts) {
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        free(texts[i]);
    }
    free(texts);
}

size_t fake_texts_bytes(const char *const *texts) {
    size_t bytes = 0;
    for (size_t i = 0; i < texts_count(texts); i++) {
        bytes += strlen(texts[i]) + 1;
    }
    return bytes;
}

/* xorshift64* by Sebastiano Vigna: https://doi.org/10.1145/2845077 */
uint64_t fake_draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

void fake_begin(const struct fake_director *director) {
    memset(&fake_world, 0, sizeof fake_world);
    fake_world.director = *director;
    fake_world.now_us = FAKE_START_US;
    fake_world.random = 1;
    fake_world.processors_count = 1;
    fake_world.local_uid = CLIENT_UID;
    fake_world.local_gid = CLIENT_UID;
    fake_world.log.room = fake_world.chunk_bytes = SIZE_MAX;
    fake_text_append(&fake_world.log.text, "", 0);
    fake_text_append(&fake_world.printed, "", 0);
    fake_text_append(&fake_world.warnings, "", 0);
}

static void free_output(struct platform_output *output) {
    while (output->first != NULL) {
        struct fake_piece *piece = output->first;
        output->first = piece->next;
        free(piece);
    }
    free(output);
}

static void free_process(struct platform_process *process) {
    fake_queue_clear(&process->to_supervisor);
    fake_queue_clear(&process->to_handler);
    free(process->read);
    free(process->copies);
    free(process->listeners);
    free(process->handed);
    fake_texts_free(process->argv);
    fake_texts_free(process->environment);
    free(process->input.bytes.bytes);
    free(process->output.bytes.bytes);
    free(process);
}

static void free_listener(struct platform_listener *listener) {
    free((char *)listener->face.spec.path);
    free((uint32_t *)listener->face.spec.owner);
    free(listener);
}

static void free_program(struct platform_program *program) {
    free((char *)program->listener_names);
    fake_texts_free(program->argv);
    fake_texts_free(program->environment);
    fake_texts_free(program->variables);
    free(program);
}

static void free_client(struct fake_peer *peer) {
    free(peer->sent.bytes.bytes);
    free(peer->received.bytes.bytes);
    free(peer);
}

void fake_end(void) {
    struct fake_world *w = &fake_world;
    for (uint32_t i = 0; i < w->process_count; i++) {
        free_process(w->processes[i]);
    }
    for (uint32_t i = 0; i < w->listener_count; i++) {
        free_listener(w->listeners[i]);
    }
    for (uint32_t i = 0; i < w->client_count; i++) {
        free_client(w->clients[i]);
    }
    for (uint32_t i = 0; i < w->stream_count; i++) {
        free(w->streams[i]);
    }
    for (struct platform_program *p = w->programs, *next; p != NULL; p = next) {
        next = p->next;
        free_program(p);
    }
    for (struct platform_output *o = w->outputs, *next; o != NULL; o = next) {
        next = o->next;
        free_output(o);
    }
    for (struct platform_file_watch *f = w->file_watches, *next; f != NULL; f = next) {
        next = f->next;
        free((char *)f->path);
        free(f);
    }
    free(w->processes);
    free(w->listeners);
    free(w->clients);
    free(w->streams);
    free(w->injected);
    fake_logs_clear();
    free(w->manager.bytes);
    free(w->event_log.text.bytes);
    free(w->printed.bytes);
    free(w->warnings.bytes);
    memset(w, 0, sizeof *w);
}

void fake_as_on_windows(bool on) {
    fake_world.is_windows = on;
}

void fake_offers_late(bool on) {
    fake_world.offers_late = on;
}

void fake_wrong(const char *what) {
    if (fake_world.misuse == NULL) {
        fake_world.misuse = what;
    }
}

const char *fake_misuse(void) {
    return fake_world.misuse;
}

struct fake_left fake_left(void) {
    const struct fake_world *w = &fake_world;
    struct fake_left left = {.platform_count = w->platform.is_open ? 1 : 0};
    left.stream_count = fake_open_stream_count();
    for (const struct platform_file_watch *f = w->file_watches; f != NULL; f = f->next) {
        left.file_watch_count++;
    }
    for (uint32_t i = 0; i < w->listener_count; i++) {
        left.listener_count += w->listeners[i]->face.is_open ? 1 : 0;
        left.copy_count += w->listeners[i]->face.holder_count;
    }
    for (const struct platform_program *p = w->programs; p != NULL; p = p->next) {
        left.program_count += p->is_open ? 1 : 0;
    }
    for (const struct platform_output *o = w->outputs; o != NULL; o = o->next) {
        left.output_count += o->is_open ? 1 : 0;
    }
    for (uint32_t i = 0; i < w->client_count; i++) {
        left.socket_count += w->clients[i]->face.supervisor_has ? 1 : 0;
        left.copy_count += w->clients[i]->face.copy_count;
    }
    for (uint32_t i = 0; i < w->process_count; i++) {
        const struct fake_process *face = &w->processes[i]->face;
        left.process_count += face->is_alive || !face->is_closed ? 1 : 0;
        left.channel_count += face->supervisor_end_open || face->handler_end_open ? 1 : 0;
    }
    return left;
}

/* ---- Calls that fail ---- */

void fake_fail(enum fake_call call, int code, uint32_t count) {
    fake_world.calls[call].code = code;
    fake_world.calls[call].left_count = count;
}

uint32_t fake_call_count(enum fake_call call) {
    return fake_world.calls[call].made_count;
}

int fake_try(enum fake_call call, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    fake_world.calls[call].made_count++;
    if (fake_world.calls[call].left_count == 0) {
        return BATON_OK;
    }
    if (fake_world.calls[call].left_count != FAKE_ALWAYS) {
        fake_world.calls[call].left_count--;
    }
    *cause = (struct baton_cause){"fake", 1};
    return fake_world.calls[call].code;
}
