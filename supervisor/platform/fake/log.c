/* Logs: kept whole; each takes as much as the test lets it. */
#include "platform/fake/internal.h"

#include <stdlib.h>
#include <string.h>

static struct platform_log *find(const char *path) {
    struct platform_log *log = &fake_world.log;
    while (log != NULL && path != NULL && (log->path == NULL || strcmp(log->path, path) != 0)) {
        log = log->next;
    }
    return log;
}

static struct platform_log *add(const char *path) {
    struct platform_log *log = find(path);
    if (log == NULL) {
        log = fake_allocate(sizeof *log);
        *log = (struct platform_log){.room = SIZE_MAX, .next = fake_world.log.next};
        fake_world.log.next = log;
        log->path = fake_allocate(strlen(path) + 1);
        memcpy(log->path, path, strlen(path) + 1);
        fake_text_append(&log->text, "", 0);
    }
    return log;
}

/* The first one that is opened is the supervisor's, wherever it goes. */
int platform_log_open(struct platform *platform, struct platform_log **log,
                      const struct platform_log_sink *sink, struct baton_cause *cause) {
    (void)platform;
    int result = fake_try(FAKE_LOG_OPEN, cause);
    struct platform_log *known = sink->path == NULL ? NULL : find(sink->path);
    if (known != NULL && known->refused_count > 0) {
        known->refused_count--;
        *cause = (struct baton_cause){"open", 13};
        return BATON_DENIED;
    }
    if (*log == NULL && fake_world.log.is_open && sink->path == NULL) {
        fake_wrong("standard error is opened twice");
        return BATON_INVALID;
    }
    if (result == BATON_OK && *log == NULL) {
        *log = fake_world.log.is_open ? add(sink->path) : &fake_world.log;
        (*log)->is_open = true;
    }
    if (result == BATON_OK) {
        (*log)->opened_count++;
    }
    return result;
}

void platform_log_close(struct platform_log **log) {
    if (*log != NULL) {
        (*log)->is_open = false;
        *log = NULL;
    }
}

bool platform_error_is_journal(void) {
    return fake_world.has_journal;
}

size_t platform_log_write(struct platform_log *log, const char *bytes, size_t length,
                          struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    log->loss.bytes = 0;
    if (!log->is_open) {
        fake_wrong("a log that is closed was written to");
    }
    if (fake_try(FAKE_LOG_WRITE, cause) != BATON_OK || log->is_full) {
        log->loss.bytes = length;
        *cause = (struct baton_cause){"write", 28};
        return length;
    }
    size_t taken = length < log->room ? length : log->room;
    fake_text_append(&log->text, bytes, taken);
    if (log->room != SIZE_MAX) {
        log->room -= taken;
    }
    log->is_short = taken < length;
    return taken;
}

void platform_log_take_loss(struct platform_log *log, struct platform_log_loss *loss) {
    *loss = log->loss;
    log->loss = (struct platform_log_loss){0};
}

/* Nobody reads while the supervisor waits for it. */
void platform_log_wait(struct platform_log *log, uint64_t deadline_us) {
    uint64_t now_us = fake_now_us();
    (void)log;
    if (deadline_us == PLATFORM_WAIT_FOREVER) {
        fake_wrong("a wait for the log without a bound");
    } else if (deadline_us > now_us) {
        fake_advance_us(deadline_us - now_us);
    }
}

size_t platform_log_flush(struct platform_log *log, uint64_t deadline_us) {
    (void)log;
    (void)deadline_us;
    return 0;
}

void platform_log_warn(const char *text) {
    fake_text_append(&fake_world.warnings, text, strlen(text));
}

const char *fake_warnings(void) {
    return fake_world.warnings.bytes;
}

const char *fake_log(void) {
    return fake_world.log.text.bytes;
}

static void set_room(struct platform_log *log, size_t bytes) {
    log->room = bytes;
    if (bytes > 0 && log->is_short) {
        log->is_short = false;
        fake_world.log_due = true;
    }
}

void fake_log_set_room(size_t bytes) {
    set_room(&fake_world.log, bytes);
}

const char *fake_log_at(const char *path) {
    const struct platform_log *log = find(path);
    return log == NULL ? NULL : log->text.bytes;
}

uint32_t fake_log_opened_count(const char *path) {
    const struct platform_log *log = find(path);
    return log == NULL ? 0 : log->opened_count;
}

void fake_log_refuse(const char *path, uint32_t count) {
    add(path)->refused_count = count;
}

bool fake_log_is_open(const char *path) {
    const struct platform_log *log = find(path);
    return log != NULL && log->is_open;
}

void fake_log_set_room_at(const char *path, size_t bytes) {
    set_room(add(path), bytes);
}

void fake_log_set_full_at(const char *path, bool on) {
    add(path)->is_full = on;
}

void fake_log_is_journal(void) {
    fake_world.has_journal = true;
}

void fake_logs_clear(void) {
    for (struct platform_log *log = fake_world.log.next, *next; log != NULL; log = next) {
        next = log->next;
        free(log->text.bytes);
        free(log->path);
        free(log);
    }
    free(fake_world.log.text.bytes);
}
