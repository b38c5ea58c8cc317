/*
 * What a connection costs that is handed to a process which lives.
 *
 *     living bare PROGRAM
 *         One process, which is sent each socket (SCM_RIGHTS) and no more: accept, send, close.
 *     living fitted PROGRAM
 *         As many processes as there are clients at once, and the least of what batond promises:
 *         HELLO with the nonce; an OFFER with all that it must say of the client, to a process that
 *         has nothing else to do; its own copy of the socket kept until ACK, and the client offered
 *         to another process if the end of the channel comes instead; a pipe for the output of each
 *         process; and a record for each connection after DONE, those of a round together. It waits
 *         for nobody. No limits, accounts, deadlines, users, configuration.
 *
 * Each prints its port on standard output and serves until it is terminated.
 */
#include "loop.h"

#include <sys/random.h>

enum {
    PROCESSES_MAX = 1024,
    BURST_MAX = 16,
    FRAME_MAX_BYTES = 512,
    HEADER_BYTES = 16,
    NONCE_BYTES = 16,
    NONCE_AT = 20, /* in the HELLO of tiny.c, whose first field it is */
    TYPE_AT = 5,
    NUMBER_AT = 8,
    LENGTH_AT = 12,
    CHANNEL = 100
};

enum { HELLO = 0x01, ACK = 0x02, DONE = 0x04, OFFER = 0x11 };

struct process {
    int channel, output, connection;
    pid_t pid;
    struct sockaddr_in peer;
    int64_t began_us;
    uint8_t nonce[NONCE_BYTES];
    bool is_offered, is_used;
    struct process *next;
};

struct living {
    int listener, epoll;
    char *program;
    uint64_t id;
    struct sockaddr_in local;
    struct process *idle, *unused;
    struct process all[PROCESSES_MAX];
};

static void *output_of(struct process *process) {
    return (char *)process + 1;
}

/* ---- Frames ---- */

static uint8_t *put_number(uint8_t *at, uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

static uint8_t *put_field(uint8_t *at, uint16_t tag, uint64_t value, uint16_t bytes) {
    at = put_number(at, tag, 2);
    at = put_number(at, bytes, 2);
    return put_number(at, value, bytes);
}

static uint8_t *put_address(uint8_t *at, uint16_t tag, const struct sockaddr_in *address) {
    at = put_number(at, tag, 2);
    at = put_number(at, 7, 2);
    *at++ = 4;
    at = put_number(at, ntohs(address->sin_port), 2);
    return put_number(at, ntohl(address->sin_addr.s_addr), 4);
}

static size_t make_offer(struct living *living, const struct process *process, uint8_t *frame) {
    static const char SERVICE[] = "bench";
    uint8_t *at = frame + HEADER_BYTES;
    at = put_number(at, 0x000a, 2);
    at = put_number(at, sizeof SERVICE - 1, 2);
    memcpy(at, SERVICE, sizeof SERVICE - 1);
    at += sizeof SERVICE - 1;
    at = put_field(at, 0x000b, 1, 1);
    at = put_address(at, 0x000c, &process->peer);
    at = put_address(at, 0x000d, &living->local);
    at = put_field(at, 0x000e, (uint64_t)loop_now_us(CLOCK_REALTIME), 8);
    at = put_field(at, 0x000f, ++living->id, 8);
    at = put_field(at, 0x8011, 1, 4);
    uint8_t *header = frame;
    memcpy(header, "BATN\1", TYPE_AT);
    header[TYPE_AT] = OFFER;
    put_number(header + TYPE_AT + 1, 0, 2);
    put_number(header + NUMBER_AT, 1, 4);
    put_number(header + LENGTH_AT, (uint64_t)(at - frame - HEADER_BYTES), 4);
    return (size_t)(at - frame);
}

static bool send_with(int channel, const void *bytes, size_t length, int descriptor) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof(int))}};
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)length;
}

/* ---- Processes ---- */

static void start(struct living *living, struct process *process) {
    static char nonce_text[64], channel_text[64];
    static const char reuse_text[] = "BATON_REUSE=0";
    static char *environment[] = {channel_text, nonce_text, (char *)reuse_text, NULL};
    char *arguments[] = {living->program, NULL};
    int ends[2], pipe_ends[2], pidfd = -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
        pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0 ||
        getrandom(process->nonce, NONCE_BYTES, 0) != NONCE_BYTES)
        loop_fail("no channel");
    int kept = fcntl(ends[1], F_DUPFD_CLOEXEC, CHANNEL);
    int length = snprintf(nonce_text, sizeof nonce_text, "BATON_NONCE=");
    for (int i = 0; i < NONCE_BYTES; i++)
        length += snprintf(nonce_text + length, sizeof nonce_text - (size_t)length, "%02x",
                           process->nonce[i]);
    snprintf(channel_text, sizeof channel_text, "BATON_CHANNEL=%d,%d", kept, kept);
    struct loop_launch launch = {.in = null,
                                 .out = pipe_ends[1],
                                 .log = pipe_ends[1],
                                 .kept = kept,
                                 .arguments = arguments,
                                 .environment = environment};
    process->pid = loop_start(&launch, &pidfd);
    if (process->pid < 0)
        loop_fail("clone");
    close(pidfd);
    close(null);
    close(kept);
    close(ends[1]);
    close(pipe_ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    process->channel = ends[0];
    process->output = pipe_ends[0];
    loop_watch(living->epoll, process->channel, process, 0);
    loop_watch(living->epoll, process->output, output_of(process), EPOLLET);
}

/* An offer that cannot be written is one to a process that has ended: that is told next. */
static void offer(struct living *living, struct process *process) {
    uint8_t frame[FRAME_MAX_BYTES];
    size_t length = make_offer(living, process, frame);
    process->is_offered = true;
    send_with(process->channel, frame, length, process->connection);
}

static void take(struct living *living, int connection, const struct sockaddr_in *peer) {
    struct process *process = living->idle;
    if (process != NULL)
        living->idle = process->next;
    else if ((process = living->unused) != NULL)
        living->unused = process->next;
    else
        loop_fail("too many clients");
    process->connection = connection;
    process->peer = *peer;
    process->began_us = loop_now_us(CLOCK_MONOTONIC);
    if (process->is_used) {
        offer(living, process);
        return;
    }
    process->is_used = true;
    start(living, process);
}

static void forget(struct living *living, struct process *process) {
    int connection = process->connection;
    struct sockaddr_in peer = process->peer;
    loop_read_output(process->output);
    close(process->output);
    close(process->channel);
    waitpid(process->pid, NULL, 0);
    *process = (struct process){.next = living->unused, .connection = -1};
    living->unused = process;
    if (connection >= 0)
        take(living, connection, &peer);
}

static void hear(struct living *living, struct process *process) {
    uint8_t frame[FRAME_MAX_BYTES];
    ssize_t length = recv(process->channel, frame, sizeof frame, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length < HEADER_BYTES || memcmp(frame, "BATN\1", TYPE_AT) != 0) {
        forget(living, process);
    } else if (frame[TYPE_AT] == HELLO) {
        if (memcmp(frame + NONCE_AT, process->nonce, NONCE_BYTES) != 0)
            loop_fail("a wrong nonce");
        offer(living, process);
    } else if (frame[TYPE_AT] == ACK && process->is_offered) {
        process->is_offered = false;
        close(process->connection);
        process->connection = -1;
    } else if (frame[TYPE_AT] == DONE) {
        loop_record(&process->peer, process->began_us, process->pid, frame[length - 1]);
        process->next = living->idle;
        living->idle = process;
    }
}

static void accept_some(struct living *living) {
    for (int i = 0; i < BURST_MAX; i++) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        int connection = accept4(living->listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        if (connection < 0)
            return;
        take(living, connection, &peer);
    }
}

static void look_after(struct living *living, const struct epoll_event *event) {
    char *whose = event->data.ptr;
    bool is_output = ((uintptr_t)whose & 1) != 0;
    struct process *process = (struct process *)(void *)(whose - is_output);
    if (!process->is_used)
        return;
    if (!is_output)
        hear(living, process);
    else if ((event->events & EPOLLIN) != 0)
        loop_read_output(process->output);
}

_Noreturn static void run_fitted(struct living *living) {
    socklen_t length = sizeof living->local;
    getsockname(living->listener, (struct sockaddr *)&living->local, &length);
    for (int i = 0; i < PROCESSES_MAX; i++) {
        living->all[i].connection = -1;
        living->all[i].next = living->unused;
        living->unused = &living->all[i];
    }
    fcntl(living->listener, F_SETFL, O_NONBLOCK);
    living->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop_watch(living->epoll, living->listener, NULL, 0);
    for (;;) {
        struct epoll_event events[LOOP_EVENTS_MAX];
        int ready = epoll_wait(living->epoll, events, LOOP_EVENTS_MAX, -1);
        bool has_client = false;
        for (int i = 0; i < ready; i++)
            if (events[i].data.ptr == NULL)
                has_client = true;
            else
                look_after(living, &events[i]);
        if (has_client)
            accept_some(living);
        loop_flush();
    }
}

_Noreturn static void run_bare(const struct living *living) {
    char *const arguments[] = {living->program, NULL};
    char sockets[] = "BENCH_SOCKETS=1";
    char *const environment[] = {sockets, NULL};
    int ends[2], pidfd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        loop_fail("socketpair");
    struct loop_launch launch = {.in = ends[1],
                                 .out = 1,
                                 .log = 2,
                                 .kept = -1,
                                 .arguments = arguments,
                                 .environment = environment};
    if (loop_start(&launch, &pidfd) < 0)
        loop_fail("clone");
    close(ends[1]);
    for (;;) {
        int connection = accept4(living->listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            continue;
        if (!send_with(ends[0], "", 1, connection))
            loop_fail("the process has ended");
        close(connection);
    }
}

int main(int argc, char **argv) {
    static struct living living;
    bool is_bare = argc == 3 && strcmp(argv[1], "bare") == 0;
    if (!is_bare && (argc != 3 || strcmp(argv[1], "fitted") != 0)) {
        fputs("usage: living bare|fitted PROGRAM\n", stderr);
        return 64;
    }
    living.program = argv[2];
    living.listener = listen_anywhere("living", LOOP_BACKLOG);
    if (is_bare)
        run_bare(&living);
    run_fitted(&living);
}
