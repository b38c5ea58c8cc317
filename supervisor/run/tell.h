/* Tell: the lines of the log that more than one file writes, and what stands in them. */
#ifndef BATON_RUN_TELL_H
#define BATON_RUN_TELL_H

#include "core/base/error.h"
#include "core/pool/pool.h"
#include "core/tell/record.h"

#include <stddef.h>
#include <stdint.h>

struct supervisor;

/* Starts a log line about a service (slot) and a process slot (SLOT_NONE = none). NULL when the
 * level is not logged; else finish it with run_log_end(). */
struct record *run_tell_line(struct supervisor *s, enum log_level level, const char *event,
                             uint32_t service, uint32_t process);

/* Room for the words of a cause. */
#define TELL_REASON_BYTES 320

/* Writes "call: words of the system", or the text of `code` alone where no call was the reason, to
 * `out` of TELL_REASON_BYTES, and returns it. */
const char *run_tell_words(int code, const struct baton_cause *cause, char *out);

/* Appends reason="..." with these words. */
void run_tell_reason(struct record *line, int code, const struct baton_cause *cause);

void run_tell_attempt_failed(struct supervisor *s, const struct pool_action *action);
/* The socket of a service is ready, and yet nothing is launched for it. */
void run_tell_breaker(struct supervisor *s, const struct pool_action *action);
void run_tell_held_back(struct supervisor *s, const struct pool_action *action);

/* Adds where in the config that is, in its line `config_line`; 0 = nowhere. */
void run_tell_at(struct supervisor *s, struct record *line, size_t config_line);
/* Adds what the service lacks now, if it lacks anything, where the config asks for that, and what
 * would be right: in the place of a reason, or behind one. Reads from the disk. */
bool run_tell_lack(struct supervisor *s, uint32_t service, struct record *line, bool has_reason);

#endif
