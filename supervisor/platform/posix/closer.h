/*
 * Closing what others hold, or have held.
 *
 * close(2) of the last copy of a socket waits as long as SO_LINGER says, non-blocking or not
 * (socket(7)), and whoever has a copy can set that at any time: looking at the option first is a
 * race that a handler can win. A descriptor that a handler has sent can be of any kind, of a hung
 * file server too. So the loop closes nothing of this sort. It puts the descriptors into a ring;
 * threads of the closer, which share the table of descriptors, take them out and close them.
 *
 * A signal ends the wait for a lingering socket, and what was sent still goes out (the kernel then
 * goes on as without SO_LINGER). So a thread at work has a timer that sends it one every now and
 * then, and a thousand slow clients do not queue up behind each other. What no signal ends (the
 * lock of an epoll in which a handler has left its socket, and which it keeps in a page fault)
 * holds its thread; then another is started, up to CLOSER_THREADS_MAX. When all are held, the
 * descriptors stay open.
 *
 * So that this comes to nobody but who does it, each descriptor has an owner, and there are two
 * closers: the first is told of what has held one of its threads, and what is its owner's goes to
 * the second from then on, whose threads may all be held.
 */
#ifndef BATON_PLATFORM_POSIX_CLOSER_H
#define BATON_PLATFORM_POSIX_CLOSER_H

#include "core/base/error.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The signal that ends a thread's wait. It is blocked everywhere else, and nobody reads it. */
#define CLOSER_SIGNAL (SIGRTMIN + 1)

#define CLOSER_RING_COUNT 1024u /* a power of two */
#define CLOSER_THREADS_MAX 32u
#define CLOSER_OWNERS_COUNT 65536u

struct closer;

struct closer_thread {
    struct closer *closer;
    pthread_t thread;
    atomic_uint_least64_t closed_count; /* calls of close(2) begun and come back; odd = in one */
    atomic_uint_least16_t owner;        /* of what it closes, or has closed last */
    uint64_t seen_count;                /* of the loop: what it was when looked at last */
    bool is_held;                       /* of the loop: it was in the same call at two looks */
};

/* The loop alone puts in and grows `waiting`; the threads take out. */
struct closer {
    atomic_uint_least64_t ring[CLOSER_RING_COUNT]; /* what closer_take() takes */
    atomic_uint_least64_t put_count, taken_count;
    sem_t news;
    sem_t begun; /* a thread has its mask */
    atomic_bool ends;
    atomic_bool tells; /* write to `told` when all is closed */
    int told;          /* eventfd(2); owned */
    uint64_t *waiting; /* what found no room in the ring: waiting_count; used as a stack; owned */
    size_t waiting_count, waiting_room_count;
    bool has_news;      /* something was put in since closer_feed() */
    bool lacks_thread;  /* all that there are were held then */
    uint64_t looked_us; /* when the threads were last looked at */
    unsigned thread_count;
    struct closer_thread threads[CLOSER_THREADS_MAX];
};

/* `descriptor_count`: how many may wait at most. BATON_OK, BATON_NO_MEMORY, BATON_SHORTAGE,
 * BATON_SYSTEM. */
int closer_open(size_t descriptor_count, struct closer **out, struct baton_cause *cause);

/* Waits a moment for what is still to be closed, ends the threads, and frees the closer; but for
 * one whose thread is held for good, which goes on using it. Accepts an empty one. */
bool closer_close(struct closer **closer);

/* To a descriptor: it is a connection, which is to end although others may hold it. */
#define CLOSER_ENDS (1 << 30)
/* The owner is in the upper half of what is taken; 0 = none. */
#define CLOSER_OWNER_SHIFT 32

/* Takes a descriptor over, to be closed soon. Does not block. */
void closer_take(struct closer *closer, uint64_t entry);
/* The oldest of what no thread has begun with, which is the caller's again; 0 = there is none. */
uint64_t closer_take_back(struct closer *closer);

/* Once a round of the loop: lets the threads begin, and replaces one that is held. Returns when the
 * next call is due at the latest, UINT64_MAX = no call is. `holders`: CLOSER_OWNERS_COUNT, where
 * those are noted whose descriptors hold a thread, and `*is_new` becomes true where there is one
 * more; NULL = nowhere. */
uint64_t closer_feed(struct closer *closer, uint64_t now_us, bool *holders, bool *is_new);

/* False if nothing is left to be closed; else `told` becomes readable when all is. What is held is
 * not waited for, unless `minds_held`: then a thread is in no call when there is nothing left.
 * Accepts an empty one. */
bool closer_await(struct closer *closer, bool minds_held);
/* After that: takes the news. */
void closer_forget_news(struct closer *closer);

#endif
