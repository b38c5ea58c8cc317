/*
 * One launcher: its process, and what it is told. launchers.h tells what launchers are.
 */
#include "platform/posix/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NAME "batond-launcher"

/* ---- In a launcher ---- */

/* The null device and the child's end of the hand-over have the numbers that they have in the
 * supervisor, its socket the one above, which children do not copy. */
static int leave_table(const struct platform *platform, int handover, int socket) {
    int own = platform->table_end;
    for (int i = 0; i < 3; i++) {
        dup2(platform->null_device, i);
    }
    (void)dup3(handover, platform->handover[0], O_CLOEXEC);
    (void)dup3(socket, own, O_CLOEXEC);
    for (int i = 3; i < own; i++) {
        if (i != platform->null_device && i != platform->handover[0]) {
            close(i);
        }
    }
    (void)syscall(SYS_close_range, own + 1u, ~0u, 0u);
    return own;
}

/* To where the supervisor has them, for the pointers to them are its own. */
static void fill_in(const struct launch_page *page) {
    struct platform_program *program =
        (struct platform_program *)(uintptr_t)page->program; /* ours, whatever it is for others */
    if (program->nonce != NULL) {
        memcpy(program->nonce, page->nonce, sizeof page->nonce);
    }
    memcpy(program->values, page->values, page->values_bytes);
    char **end = program->environment + program->fixed_count;
    memcpy((void *)end, page->room, page->variable_count * sizeof *end);
    end[page->variable_count] = NULL;
}

static _Noreturn void serve(struct launch_page *page, int socket, pid_t supervisor) {
    prctl(PR_SET_NAME, NAME, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != supervisor) {
        _exit(0);
    }
    for (;;) {
        char order;
        ssize_t got = recv(socket, &order, 1, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != 1) {
            _exit(0);
        }
        fill_in(page);
        posix_spawn_for_parent(&page->program->plan, &page->spawn, &page->failure, &page->pid,
                               &page->code);
        if (send(socket, &order, 1, MSG_NOSIGNAL) != 1) {
            _exit(0);
        }
    }
}

/* ---- In the loop ---- */

static bool start_process(struct platform *platform, struct launcher *launcher, int their_end,
                          struct baton_cause *cause) {
    pid_t supervisor = getpid();
    if (posix_watch_begin(platform, &launcher->watch, EPOLLIN, cause) != BATON_OK) {
        return false;
    }
    launcher->pid = fork();
    if (launcher->pid == 0) {
        serve(launcher->page, leave_table(platform, launcher->handover[0], their_end), supervisor);
    }
    if (launcher->pid < 0) {
        posix_failed(cause, "fork");
        return false;
    }
    /* Else it would be taken for a stray; its socket is closed, and so it ends. */
    if (!posix_elders_add(platform, launcher->pid)) {
        posix_failed_with(cause, "realloc", ENOMEM);
        return false;
    }
    return true;
}

static bool start(struct platform *platform, struct launcher *launcher, struct baton_cause *cause) {
    int ends[2];
    size_t room_bytes = platform->launchers.room_bytes;
    launcher->page_bytes = sizeof *launcher->page + room_bytes;
    void *page =
        mmap(NULL, launcher->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        posix_failed(cause, "mmap");
        return false;
    }
    launcher->page = page;
    launcher->page->room_bytes = room_bytes;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, launcher->handover) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        posix_failed(cause, "socketpair");
        return false;
    }
    launcher->watch.descriptor = ends[0];
    bool works = start_process(platform, launcher, ends[1], cause);
    close(ends[1]);
    return works;
}

/* What lies in a hand-over socket may have a connection with it: it was taken out before. */
void launcher_free(struct platform *platform, struct launcher *launcher) {
    posix_watch_close(platform, &launcher->watch);
    posix_close_descriptor(&launcher->handover[0]);
    posix_close_descriptor(&launcher->handover[1]);
    if (launcher->page != NULL) {
        munmap(launcher->page, launcher->page_bytes);
    }
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

/* The program has its values in their places (posix_program_fill()). */
bool launcher_describe(struct launcher *launcher, const struct platform_program *program,
                       const struct platform_launch *launch, const struct spawn *spawn) {
    struct launch_page *page = launcher->page;
    char *at = page->room;
    const char *end = page->room + page->room_bytes;
    char **first = program->environment + program->fixed_count;
    size_t count = posix_count_texts((const char *const *)first);
    char **pointers = take_room(&at, end, count * sizeof *pointers);
    size_t argument_count = launch->argv == NULL ? 0 : posix_count_texts(launch->argv);
    char **argv =
        take_room(&at, end, launch->argv == NULL ? 0 : (argument_count + 1) * sizeof *argv);
    int *passed = take_room(&at, end, (spawn->passed_count + 1) * sizeof *passed);
    const char *last = count > 0 ? first[count - 1] : program->values;
    size_t values_bytes = count > 0 ? (size_t)(last - program->values) + strlen(last) + 1 : 0;
    page->values = take_room(&at, end, values_bytes);
    if (pointers == NULL || argv == NULL || passed == NULL || page->values == NULL) {
        return false;
    }
    memcpy((void *)pointers, (const void *)first, count * sizeof *pointers);
    memcpy(page->values, program->values, values_bytes);
    memcpy(passed, spawn->passed, spawn->passed_count * sizeof *passed);
    for (size_t i = 0; i < argument_count; i++) {
        size_t text_bytes = strlen(launch->argv[i]) + 1;
        argv[i] = take_room(&at, end, text_bytes);
        if (argv[i] == NULL) {
            return false;
        }
        memcpy(argv[i], launch->argv[i], text_bytes);
    }
    if (launch->argv != NULL) {
        argv[argument_count] = NULL;
    }
    if (program->nonce != NULL) {
        memcpy(page->nonce, program->nonce, sizeof page->nonce);
    }
    page->program = program;
    page->variable_count = count;
    page->values_bytes = values_bytes;
    page->handover = *spawn->handover;
    page->spawn = *spawn;
    page->spawn.handover = &page->handover;
    page->spawn.passed = passed;
    page->spawn.argv = launch->argv != NULL ? argv : program->argv;
    page->failure = (struct plan_failure){NULL, 0};
    page->pid = 0;
    page->code = 0;
    return true;
}

int launcher_ask(struct launcher *launcher) {
    static const char order;
    return send(launcher->watch.descriptor, &order, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -1;
}
