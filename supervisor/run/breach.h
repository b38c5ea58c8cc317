/* Breach: what is wrong with a frame of a handler's, in words for the log. */
#ifndef BATON_RUN_BREACH_H
#define BATON_RUN_BREACH_H

#include <stddef.h>
#include <stdint.h>

struct supervisor;

/* Two texts with a number between them, to base 10 or 16. Valid until the next such call, or
 * run_tell_words(). */
const char *run_breach_say(struct supervisor *s, const char *before, uint32_t number, unsigned base,
                           const char *after);

/* Of a frame that platform_channel_receive() has found wrong (`code`: what it has returned) or that
 * wire_decode() refuses (BATON_OK): its first `length` bytes, 0 = none. Valid as above. */
const char *run_breach_of_frame(struct supervisor *s, int code, const uint8_t *frame,
                                size_t length);

#endif
