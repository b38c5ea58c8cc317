/*
 * A table of services as bytes, for the process that serves it from the one that has read the
 * config. Both are of one build: the bytes say which, and are no format for anybody else.
 */
#ifndef BATON_SERVICE_IMAGE_H
#define BATON_SERVICE_IMAGE_H

#include "core/service/service.h"

/* What goes along with the table, for messages. */
struct image_config {
    const char *file; /* the config as the user called it */
    const char *path; /* absolute; NULL = it came from standard input */
    bool is_found;    /* nobody has named it */
    bool runs_other_formats;
    uint32_t own_machine; /* these as struct service_machine has them */
    uint32_t uid;         /* of whom the config was read by, and what he may, POSIX: */
    bool is_privileged;   /* batond may be somebody else by the next time */
};

/* Makes the image of a table, which is read only. `version` is that of the program. Returns memory
 * of malloc(), *size_bytes long; NULL when out of memory. */
char *image_make(const struct service_table *table, const struct image_config *config,
                 const char *version, size_t *size_bytes);

/* Makes the table again, and *config, whose texts the table owns; `bytes`, aligned as malloc()
 * does, are not needed afterwards. BATON_OK, BATON_INVALID (it is of another build, or not whole),
 * or BATON_NO_MEMORY. */
int image_read(const char *bytes, size_t size_bytes, const char *version,
               struct service_table *table, struct image_config *config);

#endif
