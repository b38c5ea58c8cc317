/* Tell: the lines of the log that more than one file writes, and what stands in them. */
#ifndef BATON_RUN_TELL_H
#define BATON_RUN_TELL_H

#include "core/base/error.h"
#include "core/pool/pool.h"
#include "core/service/lack.h"
#include "core/tell/record.h"

#include <stddef.h>
#include <stdint.h>

struct run_service;
struct run_sink;
struct supervisor;

/* Where lines about a service (slot) go; SLOT_NONE: those about none. */
struct run_sink *run_tell_sink(struct supervisor *s, uint32_t service);

/* Starts a log line about a service (slot; SLOT_NONE = none). NULL when the level is not logged;
 * else finish it with run_log_end(). */
struct record *run_tell_line(struct supervisor *s, enum log_level level, const char *event,
                             uint32_t service);

/* Writes a whole line. `format` names its fields, one blank between two of them, each "KEY=" and
 * what it is: %s a text, left out if it is NULL; %u a number; %i one that is left out if it is 0;
 * %llu a large one; %p a struct run_listener, of which it is the place. */
void run_tell(struct supervisor *s, enum log_level level, const char *event, uint32_t service,
              const char *format, ...)
#if defined(__GNUC__) && !defined(__clang__)
    __attribute__((format(gnu_printf, 5, 6)))
#endif
    ;

/* Room for the words of a cause. */
#define TELL_REASON_BYTES 320

/* "call: words of the system", or the text of `code` alone where no call was the reason. Valid
 * until the next call. */
const char *run_tell_words(struct supervisor *s, int code, const struct baton_cause *cause);

/* Where the system has a log of events: a process that has ended by itself, by a crash, is an entry
 * there, one for each, however many connections it had. Before the pool knows that it has ended. */
void run_tell_crash(struct supervisor *s, uint32_t process, const struct pool_exit *how);

void run_tell_attempt_failed(struct supervisor *s, const struct pool_action *action);
/* The socket of a service is ready, and yet nothing is launched for it. */
void run_tell_breaker(struct supervisor *s, const struct pool_action *action);
void run_tell_held_back(struct supervisor *s, const struct pool_action *action);
/* Spares of the service fail, and none is launched for a while. */
void run_tell_spares_held_back(struct supervisor *s, const struct pool_action *action);

/* Adds where in the config that is, in a line of the service's, `config_line`; 0 = nowhere. */
void run_tell_at(struct supervisor *s, struct record *line, const struct service *rules,
                 size_t config_line);
/* Adds what the service lacks now, if it lacks anything, where the config asks for that, and what
 * would be right: in the place of a reason. Reads from the disk. */
bool run_tell_lack(struct supervisor *s, uint32_t service, struct record *line);
/* The same as a text; returns one more than the line of the config, 0 = it lacks nothing. A
 * launcher may call it, with what it has of the service. */
uint32_t run_tell_explain(const struct run_service *r, char text[LACK_TEXT_MAX_BYTES]);

#endif
