/*
 * What other files of the body do for a restart: held.c, restart.c.
 */
#ifndef BATON_PLATFORM_POSIX_HELD_H
#define BATON_PLATFORM_POSIX_HELD_H

#include "platform/posix/internal.h"

/* held.c */
/* The next program gets it, too; -1 is accepted. */
void posix_keep_open(int descriptor);
/* What an earlier program has left for the platform itself, if there was one. BATON_OK,
 * BATON_NO_MEMORY, or BATON_INVALID. */
int posix_held_take(struct platform *platform, bool *is_restarted);

/* identity.c: what another user than root may goes over to a program that is executed as ambient
 * capabilities alone (capabilities(7)), and to no other. False and errno if it cannot. */
bool posix_capabilities_make_ambient(void);
void posix_capabilities_end_ambient(void);

/* listener.c: one that has no socket yet; NULL without memory. */
struct platform_listener *posix_listener_create(struct platform *platform,
                                                const struct platform_listener_spec *spec,
                                                uint64_t token);

/* local.c: notes what is wanted; false if the path is too long. */
bool posix_local_plan(struct platform_listener *listener,
                      const struct platform_listener_spec *spec);

/* output.c: the copy of one of before gets a slot. BATON_OK, BATON_SHORTAGE or BATON_NO_MEMORY. */
int posix_pipe_adopt(const struct output_pipe *adopted, const void *bytes, size_t length);

/* stream.c: a pipe that was finished, which has no descriptor any more. */
int posix_stream_adopt_finished(struct platform *platform, uint64_t token,
                                struct platform_stream **out);

#endif
