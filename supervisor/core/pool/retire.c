/* Processes that get no more offers, though they could. */
#include "core/pool/internal.h"

void pool_renew_processes(struct pool *pool, uint32_t service) {
    (void)pool;
    (void)service;
}

void pool_note_memory(struct pool *pool, uint32_t process, uint32_t resident_kib) {
    (void)pool;
    (void)process;
    (void)resident_kib;
}
