#include "platform/posix/closer.h"

#include "core/base/table.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long a lingering socket may hold its thread. Longer than a tick of the kernel's clock: each
 * batch sets the timer, which is ten times as dear where it is due before that (6.6 and 0.7 us on a
 * virtual machine). But others that linger may come behind one, and then that is what counts. */
#define PATIENCE_NS 5000000
#define SHORT_PATIENCE_NS 200000
#define CLOSES_WITH_SHORT_PATIENCE 256u
/* A thread that was in the same call at two looks, this long apart, is held by something that no
 * signal ends. */
#define HELD_US 500000u
#define CLOSE_WAIT_S 1
/* Needs little: it calls close(2). glibc and sanitizers want their part. */
#define STACK_BYTES (256u * 1024u)

/* As the manual calls it (sigevent(7)), which glibc does not before 2.38. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Where there are two, the one whose times are two longs. */
#ifdef SYS_timer_settime32
#define CALL_TIMER_SETTIME SYS_timer_settime32
#else
#define CALL_TIMER_SETTIME SYS_timer_settime
#endif

/* The timer has ended a wait, or would have. */
static _Thread_local volatile sig_atomic_t was_woken;

static void be_woken(int number) {
    (void)number;
    was_woken = 1;
}

/* ---- In a thread ---- */

/* Descriptors of ours are above 0, which is standard input. */
static uint64_t take_out(struct closer *closer) {
    uint_least64_t taken = atomic_load(&closer->taken_count);
    while (taken < atomic_load(&closer->put_count)) {
        uint64_t entry = atomic_load(&closer->ring[taken % CLOSER_RING_COUNT]);
        /* What was read may have been overwritten only if another thread took it before. */
        if (atomic_compare_exchange_weak(&closer->taken_count, &taken, taken + 1)) {
            return entry;
        }
    }
    return 0;
}

/* The calls themselves: libc's, which know timers that start a thread, bring what that takes. */
static bool make_timer(int *timer) {
    struct sigevent how = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = CLOSER_SIGNAL};
    how.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    return syscall(SYS_timer_create, CLOCK_MONOTONIC, &how, timer) == 0;
}

/* How long a thread is to be held. */
struct patience {
    int timer;
    bool has_timer;
    unsigned short_count; /* of closes for which it is short */
};

static void set_timer(const struct patience *patience, long period_ns) {
    const long period[] = {0, period_ns, 0, period_ns}; /* the kernel's own itimerspec */
    if (patience->has_timer) {
        syscall(CALL_TIMER_SETTIME, patience->timer, 0, period, NULL);
    }
}

static void begin_patience(const struct patience *patience) {
    set_timer(patience, patience->short_count > 0 ? SHORT_PATIENCE_NS : PATIENCE_NS);
}

static void note_close(struct patience *patience) {
    if (was_woken) {
        was_woken = 0;
        patience->short_count = CLOSES_WITH_SHORT_PATIENCE;
        begin_patience(patience);
    } else if (patience->short_count > 0) {
        patience->short_count--;
    }
}

/* A connection whoever else may hold it: its peer is told as close(2) by its last holder would. */
static void end_connection(int socket) {
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int unread_bytes = 0;
    if (ioctl(socket, FIONREAD, &unread_bytes) == 0 && unread_bytes > 0) {
        (void)connect(socket, &nobody, sizeof nobody); /* TCP: a reset (connect(2)) */
    } else {
        (void)shutdown(socket, SHUT_RDWR);
    }
}

static void let_go(uint64_t entry) {
    int descriptor = (int)entry & ~CLOSER_ENDS;
    if (descriptor != (int)entry) {
        end_connection(descriptor);
    }
    close(descriptor);
}

static void close_all(struct closer_thread *self, struct patience *patience) {
    struct closer *closer = self->closer;
    uint64_t entry;
    begin_patience(patience);
    while ((entry = take_out(closer)) != 0) {
        atomic_store(&self->owner, (uint_least16_t)(entry >> CLOSER_OWNER_SHIFT));
        atomic_fetch_add(&self->closed_count, 1);
        let_go(entry);
        atomic_fetch_add(&self->closed_count, 1);
        note_close(patience);
    }
    set_timer(patience, 0);
    if (atomic_exchange(&closer->tells, false)) {
        const uint64_t one = 1;
        ssize_t ignored = write(closer->told, &one, sizeof one);
        (void)ignored; /* it can only be full, and then it is readable */
    }
}

static void *run(void *argument) {
    struct closer_thread *self = argument;
    struct closer *closer = self->closer;
    struct patience patience = {0};
    patience.has_timer = make_timer(&patience.timer);
    (void)posix_signals_change(SIG_UNBLOCK, SIGNAL_BIT(CLOSER_SIGNAL));
    sem_post(&closer->begun);
    while (!atomic_load(&closer->ends)) {
        if (sem_wait(&closer->news) != 0) {
            continue; /* the last signal of the timer */
        }
        close_all(self, &patience);
    }
    if (patience.has_timer) {
        syscall(SYS_timer_delete, patience.timer);
    }
    return NULL;
}

/* ---- In the loop ---- */

static int start_thread(struct closer *closer, struct baton_cause *cause) {
    struct closer_thread *self = &closer->threads[closer->thread_count];
    *self = (struct closer_thread){.closer = closer};
    int result = posix_thread_start(&self->thread, STACK_BYTES, run, self, cause);
    closer->thread_count += result == BATON_OK;
    return result;
}

static int fill_in(struct closer *closer, size_t descriptor_count, struct baton_cause *cause) {
    struct sigaction action = {.sa_handler = be_woken}; /* without SA_RESTART */
    closer->waiting = table_create(descriptor_count, sizeof *closer->waiting);
    closer->waiting_room_count = descriptor_count;
    if (closer->waiting == NULL) {
        return BATON_NO_MEMORY;
    }
    closer->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (closer->told < 0) {
        return posix_failed(cause, "eventfd");
    }
    if (sigaction(CLOSER_SIGNAL, &action, NULL) != 0) {
        return posix_failed(cause, "sigaction");
    }
    int result = start_thread(closer, cause);
    while (result == BATON_OK && sem_wait(&closer->begun) != 0) {
    }
    return result;
}

int closer_open(size_t descriptor_count, struct closer **out, struct baton_cause *cause) {
    struct closer *closer = *out = table_create(1, sizeof *closer);
    if (closer == NULL) {
        return BATON_NO_MEMORY;
    }
    closer->told = -1;
    sem_init(&closer->news, 0, 0);
    sem_init(&closer->begun, 0, 0);
    int result = fill_in(closer, descriptor_count, cause);
    if (result != BATON_OK) {
        (void)closer_close(out);
    }
    return result;
}

static bool has_room(struct closer *closer) {
    return atomic_load(&closer->put_count) - atomic_load(&closer->taken_count) < CLOSER_RING_COUNT;
}

static void put_in(struct closer *closer, uint64_t entry) {
    uint_least64_t at = atomic_load(&closer->put_count);
    atomic_store(&closer->ring[at % CLOSER_RING_COUNT], entry);
    atomic_store(&closer->put_count, at + 1);
    closer->has_news = true;
}

void closer_take(struct closer *closer, uint64_t entry) {
    if (has_room(closer)) {
        put_in(closer, entry);
    } else if (closer->waiting_count < closer->waiting_room_count) {
        closer->waiting[closer->waiting_count++] = entry;
    }
    /* Else it stays open: every thread is held, and there are more than may be open. */
}

uint64_t closer_take_back(struct closer *closer) {
    uint64_t entry = take_out(closer);
    return entry == 0 && closer->waiting_count > 0 ? closer->waiting[--closer->waiting_count]
                                                   : entry;
}

/* Which threads are held; true if all are. */
static bool look_at_threads(struct closer *closer, bool *holders, bool *is_new) {
    bool all = true;
    for (unsigned i = 0; i < closer->thread_count; i++) {
        struct closer_thread *thread = &closer->threads[i];
        uint64_t count = atomic_load(&thread->closed_count);
        thread->is_held = count % 2 == 1 && count == thread->seen_count;
        thread->seen_count = count;
        all = all && thread->is_held;
        uint16_t owner = atomic_load(&thread->owner);
        if (thread->is_held && holders != NULL && owner != 0 && !holders[owner]) {
            holders[owner] = *is_new = true;
        }
    }
    return all;
}

static bool is_empty(struct closer *closer) {
    return closer->waiting_count == 0 &&
           atomic_load(&closer->put_count) == atomic_load(&closer->taken_count);
}

/* Nothing more will come of waiting; unless who is held is waited for as well. */
static bool is_idle(struct closer *closer, bool minds_held) {
    bool idle = is_empty(closer);
    for (unsigned i = 0; i < closer->thread_count; i++) {
        const struct closer_thread *thread = &closer->threads[i];
        idle = idle &&
               ((thread->is_held && !minds_held) || atomic_load(&thread->closed_count) % 2 == 0);
    }
    return idle;
}

uint64_t closer_feed(struct closer *closer, uint64_t now_us, bool *holders, bool *is_new) {
    while (closer->waiting_count > 0 && has_room(closer)) {
        put_in(closer, closer->waiting[--closer->waiting_count]);
    }
    if (closer->has_news) {
        closer->has_news = false;
        sem_post(&closer->news);
    }
    if (closer->lacks_thread) {
        closer->lacks_thread = false;
        if (closer->thread_count < CLOSER_THREADS_MAX &&
            start_thread(closer, &posix_ignored) == BATON_OK) {
            sem_post(&closer->news);
        }
    }
    if (is_idle(closer, false)) {
        closer->looked_us = now_us;
        return UINT64_MAX;
    }
    if (now_us - closer->looked_us >= HELD_US) {
        closer->looked_us = now_us;
        closer->lacks_thread = look_at_threads(closer, holders, is_new);
        if (closer->lacks_thread) {
            return now_us; /* when the caller has taken back what would hold the next one */
        }
    }
    if (closer->waiting_count > 0) {
        (void)closer_await(closer, false);
    }
    return closer->looked_us + HELD_US;
}

bool closer_await(struct closer *closer, bool minds_held) {
    if (closer == NULL || is_idle(closer, minds_held)) {
        return false;
    }
    atomic_store(&closer->tells, true);
    if (!minds_held || is_idle(closer, true)) { /* else who is free would tell at once */
        sem_post(&closer->news); /* whoever is through before it sees the mark looks again */
    }
    return true;
}

void closer_forget_news(struct closer *closer) {
    uint64_t count;
    ssize_t ignored = read(closer->told, &count, sizeof count);
    (void)ignored;
}

static void close_rest(struct closer *closer) {
    uint64_t entry;
    while ((entry = closer_take_back(closer)) != 0) {
        let_go(entry);
    }
}

bool closer_close(struct closer **closer) {
    struct closer *closing = *closer;
    struct timespec until;
    bool all_ended = true;
    *closer = NULL;
    if (closing == NULL) {
        return true;
    }
    bool ignored;
    (void)closer_feed(closing, 0, NULL, &ignored);
    atomic_store(&closing->ends, true);
    for (unsigned i = 0; i < closing->thread_count; i++) {
        sem_post(&closing->news);
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_WAIT_S;
    for (unsigned i = 0; i < closing->thread_count; i++) {
        all_ended =
            pthread_timedjoin_np(closing->threads[i].thread, NULL, &until) == 0 && all_ended;
    }
    if (all_ended) {
        close_rest(closing);
        free(closing->waiting);
        posix_close_any(closing->told);
        sem_destroy(&closing->news);
        sem_destroy(&closing->begun);
        free(closing);
    }
    return all_ended;
}
