/*
 * One carrier: its process, and the packets to and from it. carriers.c alone uses this.
 */
#ifndef BATON_PLATFORM_POSIX_CARRIER_H
#define BATON_PLATFORM_POSIX_CARRIER_H

#include "platform/posix/internal.h"

enum order {
    ORDER_WORK,
    ORDER_CLOSE, /* and then one packet more, when our copy is closed */
    ORDER_HOLD   /* until its own end, which closes it; no answer */
};

/* A packet to a carrier; with the descriptor. The bytes are in memory that both have. */
struct request {
    size_t order; /* enum order; no field leaves a gap, whose bytes would be sent as they are */
    carrier_work *work;
    size_t length;
};

struct answer {
    ssize_t result;
    ssize_t code;
};

struct carrier {
    struct posix_watch watch; /* its socket; first, since its address is the carrier's */
    struct carrier *next;
    uint8_t *bytes; /* CARRIER_BYTES, shared with it */
    pid_t pid;
    bool is_busy;
    struct turn *turn;       /* whose job it is busy with */
    struct carrier_job *job; /* NULL: it closes something, or the job was dropped */
    int dropped;             /* what is then to be closed; -1 = nothing */
    bool dropped_is_socket;
    bool is_leaving; /* to be removed */
    bool is_full;    /* `answer` waits for memory */
    struct answer answer;
};

/* A new one, in the list; NULL if the system cannot now, and why. */
struct carrier *carrier_start(struct platform *platform, struct baton_cause *cause);

/* It ends as soon as it can. */
void carrier_remove(struct platform *platform, struct carrier *carrier);

/* Descriptors that are there for the first one, while there is none; and gives them up. */
void carrier_keep_spares(struct platform *platform);
void carrier_give_spares(struct platform *platform);

/* At most two packets are under way to a carrier, so there is room; but for what was sent to be
 * kept. False and errno also if it has been killed, which its socket tells. `descriptor`: -1 =
 * none. */
bool carrier_send(const struct carrier *carrier, const struct request *request, int descriptor);

#endif
