/*
 * A thread of our own: pthread_create(3). It begins with the mask of who starts it, but for the
 * signals that libc keeps for itself (nptl(7)): those it leaves unblocked there, and the default of
 * one of them is to end the process. Until the thread has blocked them too they are ignored, which
 * also throws away what waits of them.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIDDEN_FIRST 32
#define HIDDEN_MAX_COUNT 4 /* glibc has two, musl three; the next is SIGRTMIN */

/* As the kernel has it: the handler comes first, and what follows is less than this. */
struct kernel_action {
    unsigned long words[32];
};

struct start {
    void *(*run)(void *argument);
    void *argument;
    sem_t begun;
};

/* libc's own sigaction() refuses them. */
static bool change_action(int number, unsigned long from, unsigned long to) {
    struct kernel_action action = {{0}};
    if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof(uint64_t)) != 0 ||
        action.words[0] != from) {
        return false;
    }
    action = (struct kernel_action){{to}};
    return syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(uint64_t)) == 0;
}

static void *begin(void *argument) {
    struct start *start = argument;
    void *(*run)(void *) = start->run;
    void *its_argument = start->argument;
    (void)posix_signals_block();
    sem_post(&start->begun); /* `start` is no more */
    return run(its_argument);
}

static int create(pthread_t *thread, size_t stack_bytes, struct start *start) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    int code = pthread_create(thread, &attributes, begin, start);
    pthread_attr_destroy(&attributes);
    while (code == 0 && sem_wait(&start->begun) != 0) {
    }
    return code;
}

int posix_thread_start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *argument),
                       void *argument, struct baton_cause *cause) {
    const unsigned long by_default = (unsigned long)(uintptr_t)SIG_DFL;
    const unsigned long to_ignore = (unsigned long)(uintptr_t)SIG_IGN;
    struct start start = {.run = run, .argument = argument};
    bool changed[HIDDEN_MAX_COUNT] = {false};
    const int count = SIGRTMIN - HIDDEN_FIRST;
    sem_init(&start.begun, 0, 0);
    for (int i = 0; i < count && i < HIDDEN_MAX_COUNT; i++) {
        changed[i] = change_action(HIDDEN_FIRST + i, by_default, to_ignore);
    }
    int code = create(thread, stack_bytes, &start);
    (void)posix_signals_block(); /* libc has unblocked them here, too */
    for (int i = 0; i < count && i < HIDDEN_MAX_COUNT; i++) {
        (void)(changed[i] && change_action(HIDDEN_FIRST + i, to_ignore, by_default));
    }
    sem_destroy(&start.begun);
    if (code == 0) {
        return BATON_OK;
    }
    int result = posix_failed_with(cause, "pthread_create", code);
    return code == EAGAIN ? BATON_SHORTAGE : result;
}
