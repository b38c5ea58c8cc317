/* Spares: processes launched ahead of need. */
#include "core/pool/internal.h"

bool pool_refill(struct pool *pool) {
    (void)pool;
    return false;
}
