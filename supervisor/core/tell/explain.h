/*
 * Explain: what would become of a client of a service, in words: who decides about it, within which
 * limits, and as whom what would run for it.
 */
#ifndef BATON_TELL_EXPLAIN_H
#define BATON_TELL_EXPLAIN_H

#include "core/base/address.h"
#include "core/base/text.h"
#include "core/service/service.h"

/* A client as text: an address, or `uid:NUMBER` at a local socket. False if it is neither, or the
 * service has no such clients. */
bool explain_parse_client(const struct service *service, const char *text, struct address *out);

/* `client` as above, who is taken to be in none of the groups that are let in; `local_minute` as
 * for access_decide(). `config_file` as messages name it. BATON_OK or BATON_NO_MEMORY. */
int explain_print(const struct service_table *table, const struct service *service,
                  const struct address *client, unsigned local_minute, const char *config_file,
                  text_emit *emit, void *context);

#endif
