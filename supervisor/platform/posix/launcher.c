/*
 * One launcher: its process, and what it is told. launchers.h tells what launchers are.
 */
#include "platform/posix/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "batond-launcher"

/* Without a time, whose width is the only difference between the numbers that a call may have. */
#ifdef SYS_futex
#define CALL_FUTEX SYS_futex
#else
#define CALL_FUTEX SYS_futex_time64
#endif

/* ---- In a launcher ---- */

/* The null device and the child's end of the hand-over have the numbers that they have in the
 * supervisor, its bell the one above. */
static int leave_table(const struct platform *platform, int handover) {
    int bell = platform->table_end;
    for (int i = 0; i < 3; i++) {
        dup2(platform->null_device, i);
    }
    (void)dup3(handover, platform->handover[0], O_CLOEXEC);
    if (platform->bell.descriptor != bell) {
        (void)dup3(platform->bell.descriptor, bell, O_CLOEXEC);
    }
    for (int i = 3; i < bell; i++) {
        if (i != platform->null_device && i != platform->handover[0]) {
            close(i);
        }
    }
    (void)syscall(SYS_close_range, bell + 1u, ~0u, 0u);
    return bell;
}

/* To where the supervisor has them, for the pointers to them are its own. */
static void fill_in(const struct launch_request *request) {
    struct platform_program *program = (struct platform_program *)(uintptr_t)
                                           request->program; /* ours, whatever it is for others */
    if (program->nonce != NULL) {
        memcpy(program->nonce, request->nonce, sizeof request->nonce);
    }
    memcpy(program->values, request->values, request->values_bytes);
    char **end = program->environment + program->fixed_count;
    memcpy((void *)end, request->room, request->variable_count * sizeof *end);
    end[request->variable_count] = NULL;
}

/* Here, since the files that it looks at may be somewhere that hangs. */
static void explain(struct launch_request *request) {
    const struct platform_program *program = request->program;
    request->result = posix_not_executed(&program->plan, &request->failure, &request->cause);
    if (program->explain != NULL) {
        request->explained = program->explain(program->explained, request->explanation);
    }
}

/* False if its packet may lie in the way of the next one, or on its way back. */
static bool launch(struct launch_request *request) {
    fill_in(request);
    posix_spawn_for_parent(&request->program->plan, &request->spawn, &request->failure,
                           &request->pid, &request->is_walking, &request->code);
    request->peak_kib = posix_peak_kib();
    if (request->failure.step != NULL) {
        explain(request);
    }
    return request->pid > 0 && request->failure.step == NULL &&
           (request->handover.was_taken || request->handover.count == 0);
}

static void work_on(struct launch_page *page, uint32_t number) {
    struct launch_request *request = &page->requests[number % LAUNCHES_EACH];
    uint32_t asked = REQUEST_ASKED;
    if (atomic_compare_exchange_strong(&request->claim, &asked, REQUEST_BEGUN) &&
        !launch(request)) {
        request->halts = true;
        atomic_store(&page->is_halted, 1);
    }
    atomic_store(&page->done, number + 1);
}

static _Noreturn void serve(struct launch_page *page, struct launchers_face *face, int bell,
                            pid_t supervisor) {
    static const uint64_t ring = 1;
    prctl(PR_SET_NAME, NAME, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != supervisor) {
        _exit(0);
    }
    for (;;) {
        uint32_t heard = atomic_load(&page->bell);
        uint32_t next = atomic_load(&page->done);
        if (next != atomic_load(&page->asked) && atomic_load(&page->is_halted) == 0) {
            work_on(page, next);
            if (atomic_exchange(&face->is_asleep, 0) != 0) {
                (void)!write(bell, &ring, sizeof ring);
            }
            continue;
        }
        atomic_store(&page->is_asleep, 1);
        syscall(CALL_FUTEX, &page->bell, FUTEX_WAIT, heard, NULL);
        atomic_store(&page->is_asleep, 0);
    }
}

/* ---- In the loop ---- */

static void ring(struct launch_page *page) {
    atomic_fetch_add(&page->bell, 1);
    if (atomic_exchange(&page->is_asleep, 0) != 0) {
        syscall(CALL_FUTEX, &page->bell, FUTEX_WAKE, 1, NULL);
    }
}

static bool start_process(struct platform *platform, struct launcher *launcher,
                          struct baton_cause *cause) {
    pid_t supervisor = getpid();
    launcher->pid = posix_fork();
    if (launcher->pid == 0) {
        int bell = leave_table(platform, launcher->handover[0]);
        serve(launcher->page, platform->launchers.face, bell, supervisor);
    }
    if (launcher->pid < 0) {
        posix_failed(cause, "fork");
        return false;
    }
    launcher->watch.descriptor = (int)syscall(SYS_pidfd_open, launcher->pid, 0);
    if (launcher->watch.descriptor < 0) {
        if (posix_failed(cause, "pidfd_open") != BATON_SHORTAGE) {
            platform->has_exit_watches = false; /* when the first one was made it is known */
            platform->launchers.wanted_count = 0;
        }
        return false;
    }
    if (!posix_elders_add(platform, launcher->pid)) { /* else it would be taken for a stray */
        posix_failed_with(cause, "realloc", ENOMEM);
        return false;
    }
    return posix_watch_begin(platform, &launcher->watch, EPOLLIN, cause) == BATON_OK;
}

static bool start(struct platform *platform, struct launcher *launcher, struct baton_cause *cause) {
    size_t room_bytes = (platform->launchers.room_bytes + 15) / 16 * 16;
    launcher->page_bytes =
        sizeof *launcher->page + LAUNCHES_EACH * (room_bytes + PLATFORM_EXPLANATION_BYTES);
    void *page =
        mmap(NULL, launcher->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        posix_failed(cause, "mmap");
        return false;
    }
    launcher->page = page;
    launcher->page->room_bytes = room_bytes;
    for (uint32_t i = 0; i < LAUNCHES_EACH; i++) {
        launcher->page->requests[i].room = launcher->page->room + i * room_bytes;
        launcher->page->requests[i].explanation =
            launcher->page->room + LAUNCHES_EACH * room_bytes + i * PLATFORM_EXPLANATION_BYTES;
        launcher->launches[i] =
            (struct launch){.launcher = launcher, .request = &launcher->page->requests[i]};
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, launcher->handover) != 0) {
        posix_failed(cause, "socketpair");
        return false;
    }
    return start_process(platform, launcher, cause);
}

/* What lies in a hand-over socket may have a connection with it: it was taken out before. */
void launcher_free(struct platform *platform, struct launcher *launcher) {
    if (launcher->pid > 0 && !launcher->is_dead) {
        kill(launcher->pid, SIGKILL);
    }
    if (launcher->page != NULL) {
        munmap(launcher->page, launcher->page_bytes);
    }
    posix_watch_close(platform, &launcher->watch);
    posix_close_descriptor(&launcher->handover[0]);
    posix_close_descriptor(&launcher->handover[1]);
    free(launcher);
}

struct launcher *launcher_start(struct platform *platform, struct baton_cause *cause) {
    struct launcher *launcher = calloc(1, sizeof *launcher);
    if (launcher == NULL) {
        posix_failed(cause, "calloc");
        return NULL;
    }
    launcher->handover[0] = launcher->handover[1] = -1;
    launcher->knows_number = platform->launchers.last_number;
    posix_watch_init(&launcher->watch, POSIX_WATCH_LAUNCHER, 0);
    if (!start(platform, launcher, cause)) {
        launcher_free(platform, launcher);
        return NULL;
    }
    return launcher;
}

/* Takes `size` bytes of what is left of the room; NULL if they are not there. */
static void *take_room(char **at, const char *end, size_t size) {
    char *taken = *at;
    if (size > (size_t)(end - taken)) {
        return NULL;
    }
    *at += size;
    return taken;
}

struct launch *launcher_room(struct launcher *launcher) {
    struct launch *launch = &launcher->launches[launcher->asked % LAUNCHES_EACH];
    return launcher->asked - launcher->seen < LAUNCHES_EACH && !launch->is_used ? launch : NULL;
}

/* The program has its values in their places (posix_program_fill()). */
bool launcher_describe(struct launch *launch, const struct platform_program *program,
                       const struct platform_launch *what, const struct spawn *spawn) {
    struct launch_request *request = launch->request;
    char *at = request->room;
    const char *end = at + launch->launcher->page->room_bytes;
    char **first = program->environment + program->fixed_count;
    size_t count = posix_count_texts((const char *const *)first);
    char **pointers = take_room(&at, end, count * sizeof *pointers);
    size_t argument_count = what->argv == NULL ? 0 : posix_count_texts(what->argv);
    char **argv = take_room(&at, end, what->argv == NULL ? 0 : (argument_count + 1) * sizeof *argv);
    int *passed = take_room(&at, end, (spawn->passed_count + 1) * sizeof *passed);
    const char *last = count > 0 ? first[count - 1] : program->values;
    size_t values_bytes = count > 0 ? (size_t)(last - program->values) + strlen(last) + 1 : 0;
    request->values = take_room(&at, end, values_bytes);
    if (pointers == NULL || argv == NULL || passed == NULL || request->values == NULL) {
        return false;
    }
    memcpy((void *)pointers, (const void *)first, count * sizeof *pointers);
    memcpy(request->values, program->values, values_bytes);
    memcpy(passed, spawn->passed, spawn->passed_count * sizeof *passed);
    for (size_t i = 0; i < argument_count; i++) {
        size_t text_bytes = strlen(what->argv[i]) + 1;
        argv[i] = take_room(&at, end, text_bytes);
        if (argv[i] == NULL) {
            return false;
        }
        memcpy(argv[i], what->argv[i], text_bytes);
    }
    if (what->argv != NULL) {
        argv[argument_count] = NULL;
    }
    if (program->nonce != NULL) {
        memcpy(request->nonce, program->nonce, sizeof request->nonce);
    }
    request->program = program;
    request->variable_count = count;
    request->values_bytes = values_bytes;
    request->handover = *spawn->handover;
    request->spawn = *spawn;
    request->spawn.handover = &request->handover;
    request->spawn.passed = passed;
    request->spawn.argv = what->argv != NULL ? argv : program->argv;
    request->failure = (struct plan_failure){NULL, 0};
    request->pid = 0;
    atomic_store(&request->is_walking, 1);
    request->code = 0;
    request->halts = false;
    request->peak_kib = 0;
    request->result = BATON_OK;
    request->explained = 0;
    return true;
}

void launcher_ask(struct launch *launch) {
    struct launcher *launcher = launch->launcher;
    atomic_store(&launch->request->claim, REQUEST_ASKED);
    atomic_store(&launcher->page->asked, ++launcher->asked);
    ring(launcher->page);
}

void launcher_go_on(struct launcher *launcher) {
    if (atomic_exchange(&launcher->page->is_halted, 0) != 0) {
        ring(launcher->page);
    }
}

void launcher_take_all(struct launcher *launcher) {
    uint32_t number;
    int taken[HANDOVER_MAX_COUNT];
    int count;
    while ((count = posix_handover_receive_next(launcher->handover[0], &number, taken)) >= 0) {
        for (size_t i = 0; i < LAUNCHES_EACH && count > 0; i++) {
            struct launch *launch = &launcher->launches[i];
            if (launch->is_used && launch->request->handover.number == number) {
                launch->came_back = true;
                launch->back = launch->request->handover.returns_first ? taken[0] : -1;
            }
            if (launch->is_used && launch->back == taken[0]) {
                taken[0] = -1;
            }
        }
        while (count > 0) {
            posix_close_any(taken[--count]);
        }
    }
}

bool launcher_revoke(struct launch *launch) {
    uint32_t asked = REQUEST_ASKED;
    return atomic_compare_exchange_strong(&launch->request->claim, &asked, REQUEST_REVOKED);
}
