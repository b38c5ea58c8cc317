/*
 * A service with all that it points to in one piece of memory: what the registry and an image of a
 * table are made of.
 */
#ifndef BATON_SERVICE_PACK_H
#define BATON_SERVICE_PACK_H

#include "core/service/service.h"

/* Where the parts are put, one behind the other; with `bytes` NULL it only measures. */
struct packer {
    char *bytes;
    size_t used_bytes;
};

/* NULL for NULL, and where it only measures. */
void *pack_part(struct packer *packer, const void *part, size_t part_bytes, size_t alignment);
char *pack_text(struct packer *packer, const char *text);

/* All of it but `access`, which is the same. Returns the copy. */
struct service *service_pack(struct packer *packer, const struct service *service);

#endif
