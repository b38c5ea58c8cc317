/*
 * The services that are in use: each a block of its own, named by a slot and counted by those who
 * go by its rules. A connection keeps the rules under which it came, and its handler those under
 * which it was launched, whatever has become of the config since; the last one who lets go frees
 * them.
 */
#ifndef BATON_SERVICE_SERVICES_H
#define BATON_SERVICE_SERVICES_H

#include "core/base/slots.h"
#include "core/service/service.h"

/* Those of a table, and as many of tables before it that are not done yet. */
#define SERVICES_MAX_COUNT (2u * CONFIG_SERVICES_MAX_COUNT)

/* Owner: the caller of services_init(). */
struct services {
    struct slots slots;       /* SLOTS_EACH: all of them */
    struct service **entries; /* by slot; owned */
    uint32_t *users_count;    /* by slot */
    char **files;             /* of services that have moved: names, each once; owned */
    size_t file_count;
};

/* BATON_OK or BATON_NO_MEMORY. */
int services_init(struct services *services);
/* Frees all, held or not, and leaves it empty; an empty (zeroed) object is accepted. */
void services_clear(struct services *services);

/* Copies `service` with all that it points to, and returns the slot, held once; SLOT_NONE when out
 * of memory or of slots. */
uint32_t services_add(struct services *services, const struct service *service);

/* The service of a slot in use; valid while it is held. */
/* A copy of the service becomes what is in a slot of a snapshot, which is in use; as many go by it
 * as then. False when out of memory. */
bool services_restore(struct services *services, uint32_t slot, const struct service *service);

const struct service *services_get(const struct services *services, uint32_t slot);

/* It stands elsewhere in its files: where `from`, which is the same, does. */
void services_move_lines(struct services *services, uint32_t slot, const struct service *from);

/* One more who goes by it, and one less; with the last the service is freed. */
void services_share(struct services *services, uint32_t slot);
void services_release(struct services *services, uint32_t slot);

#endif
