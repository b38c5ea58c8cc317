/*
 * Who waits at a listening or UDP socket, as far as the system tells without anybody being taken.
 */
#ifndef BATON_BASE_WAITING_H
#define BATON_BASE_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#define WAITING_IDS_MAX_COUNT 512u

struct waiting_set {
    bool is_known;      /* the system tells how many */
    bool is_identified; /* and who */
    bool has_nameless;  /* but of some: more wait than have a number, as clients that have reset */
    uint64_t amount;    /* clients, or bytes of datagrams; 0 = nobody */
    uint32_t id_count;
    /* Whoever still waits has the same number as before: each client, or of datagrams the first. */
    uint64_t ids[WAITING_IDS_MAX_COUNT];
};

#endif
