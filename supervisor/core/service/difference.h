/*
 * What is different between a service that is served and the one of the same name in a new config.
 */
#ifndef BATON_SERVICE_DIFFERENCE_H
#define BATON_SERVICE_DIFFERENCE_H

#include "core/service/service.h"

/* True if the two would be served in exactly the same way. Where in their files they stand does not
 * matter, nor whether something that they need was there. */
bool service_is_same(const struct service *a, const struct service *b);

/* True if `a` at its place `i` and `b` at `k` listen at the same, so that one listener can go from
 * one to the other. */
bool service_is_same_place(const struct service *a, size_t i, const struct service *b, size_t k);

/* Writes the names of the keys whose values differ, "listen, spares", to `out`, size_bytes large
 * (16 at least); what a file of rules has is of `allow`, and "other" what no key says. "..." stands
 * for what has no room. Returns `out`. */
char *service_name_changes(const struct service *a, const struct service *b, char *out,
                           size_t size_bytes);

/* Takes over from `from`, which is the same, where it stands in its files. */
void service_move_lines(struct service *service, const struct service *from);

#endif
