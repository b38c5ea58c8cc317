/* The fields of a line of inetd.conf(5): what inetd.c cuts apart and inetd_fields.c reads. */
#ifndef BATON_IMPORT_INETD_H
#define BATON_IMPORT_INETD_H

#include "import/internal.h"

/* Each takes a field, which it may cut into pieces, and says what of it is not carried over. Those
 * that return false have dropped the entry. */

/* "tcp", "udp6", "unix", and what may follow. `type`: the socket's. */
bool inetd_read_protocol(struct importer *importer, struct import_entry *entry, char *text,
                         const char *type);

/* The path of a local socket. */
void inetd_read_path(struct importer *importer, struct import_entry *entry, char *text);

/* The addresses to listen at; NULL = every one. After the protocol and the port. */
void inetd_read_hosts(struct importer *importer, struct import_entry *entry, const char *hosts);

/* "wait" and "nowait", and what may follow. */
bool inetd_read_wait(struct importer *importer, struct import_entry *entry, char *text);

/* As whom the program runs. */
void inetd_read_user(struct importer *importer, struct import_entry *entry, const char *text);

#endif
