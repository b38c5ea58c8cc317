/* Handlers as actors: each launched process of the fake world plays a list of acts. */
#ifndef BATON_TEST_ACTOR_H
#define BATON_TEST_ACTOR_H

#include "platform/fake/fake.h"

#include "wire.h"

enum act {
    ACT_STAY, /* the end of every list: does nothing any more, until it is signalled */
    ACT_TICK, /* lets the supervisor look before the next act */
    /* Frames that may be right */
    ACT_HELLO,
    ACT_HELLO_WIDE, /* capacity 8 */
    ACT_ACK,        /* the offer that came last */
    ACT_NACK_RETIRE,
    ACT_NACK_BUSY,
    ACT_NACK_REFUSE,
    ACT_DONE,      /* the oldest connection that it holds, status 0 */
    ACT_DONE_BAD,  /* the same with status 3 */
    ACT_DONE_TEXT, /* the same with a text */
    ACT_NACK_TEXT, /* busy, with a text */
    ACT_RETIRE,
    ACT_OPTIONAL, /* a type that may be skipped */
    /* Frames that are wrong */
    ACT_HELLO_WRONG_NONCE,
    ACT_HELLO_STRANGER, /* names a pid that is not the sender's */
    ACT_HELLO_FOREIGN,  /* sent by another process */
    ACT_ACK_UNKNOWN,
    ACT_NACK_UNKNOWN,
    ACT_DONE_UNKNOWN,
    ACT_DONE_OFFERED, /* DONE for the offer, before the ACK */
    ACT_GARBAGE,
    ACT_OFFER, /* a message that only the supervisor sends */
    ACT_TORN,
    ACT_TOO_LONG,
    ACT_RIGHTS, /* descriptors came with it */
    ACT_BROKEN, /* torn, and nothing can be read behind it */
    /* Without a channel */
    ACT_TAKE,     /* waits for a client of a listener that it has, takes it, and closes it */
    ACT_TAKE_ALL, /* takes and closes all that wait there now */
    ACT_COPY,     /* copies its standard input to its standard output, to the end */
    ACT_READ,     /* reads what there is */
    ACT_WRITE,    /* writes ACTOR_WORDS */
    ACT_CLOSE_INPUT,
    ACT_CLOSE_OUTPUT,
    ACT_LEAVE_PIPES,
    /* Waiting */
    ACT_AWAIT_OFFER, /* ends with exit 0 when told to drain instead */
    ACT_AWAIT_DRAIN,
    ACT_REPEAT, /* all but the first act */
    /* Ending */
    ACT_CLOSE_CHANNEL,
    ACT_EXIT,
    ACT_EXIT_3,
    ACT_CRASH
};

/* What a process does in its life. */
struct play {
    const enum act *acts;
    const enum act *last_words; /* played when it is killed, before it dies; NULL = none */
    bool deaf;                  /* does not end when it is asked to terminate */
    bool immortal;              /* nor when it is killed */
};

#define ACTOR_HELD_COUNT 64
#define ACTOR_WORDS "some words of the program's\n"

struct actor {
    const struct play *play;
    size_t at;               /* next act */
    bool greeted;            /* has said HELLO, right or wrong */
    bool broke;              /* has broken the protocol: whatever it says then is not obeyed */
    bool moved;              /* it copied something since this was last looked at */
    uint32_t offered;        /* connection number of the offer that came last, 0 = none */
    uint32_t client;         /* whose it is; FAKE_NONE: it was a listener's */
    uint8_t kind;            /* of that offer */
    bool told_uid, told_pid; /* by that offer, of a client of a local socket */
    uint32_t uid;
    uint32_t taken_count; /* clients and datagrams that it took from its listeners */
    size_t read_bytes;    /* that it read from its standard input */
    uint32_t offer_count;
    uint32_t limits_count; /* LIMITS that came */
    uint32_t limits[4];    /* what the last of them said: capacity, handshake, stop, reuse */
    bool drained;          /* was told to drain, or the channel has ended */
    uint32_t cancelled;    /* connection number of the CANCEL that came last, 0 = none */
    uint32_t cancel_count;
    struct {
        uint32_t number, client;
    } held[ACTOR_HELD_COUNT];
    uint32_t held_count;
};

/* Plays until it waits or ends. True if it did anything that the supervisor may see. */
bool actor_play(struct actor *actor, uint32_t process);
/* Plays a single act now. False when it waits for something. */
bool actor_act(struct actor *actor, uint32_t process, enum act act);
/* Takes all frames that have come. */
bool actor_listen(struct actor *actor, uint32_t process);
/* A signal came. */
void actor_signalled(struct actor *actor, uint32_t process, enum platform_signal how);
/* ACK for a connection whose offer it got; actor_acked_count() counts them by client, but for those
 * behind a breach. */
bool actor_ack(struct actor *actor, uint32_t process);
bool actor_done(struct actor *actor, uint32_t process, uint32_t held, uint8_t status);

/* How many processes have acknowledged the client's connection. */
uint32_t actor_acked_count(uint32_t client);
void actor_forget_all(void);

#endif
