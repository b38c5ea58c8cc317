/*
 * Clients on loopback, for every server alike: each connects, says hello, and is to have OK and
 * then the end of the connection, no more and no less. What fares otherwise is counted, and the
 * next comes.
 *
 *     clients PORT closed AT_ONCE WARM_UP_MS SPAN_MS
 *         AT_ONCE clients, each coming anew as soon as it has been served; what ends within SPAN_MS
 *         after WARM_UP_MS counts
 *     clients PORT count AT_ONCE COUNT
 *         the same until COUNT have been served or have failed
 *     clients PORT paced RATE COUNT [QUIET_MS]
 *         COUNT clients, RATE a second, whatever becomes of those before them
 *
 * A client's time goes from when it was to come (paced), or came, to the last byte of its answer.
 * So one that is late, because this program or the server had no time for it, is late in the
 * figures as well.
 *
 * Printed is one line, NAME=NUMBER each: served refused reset short wrong silent span_us median_us
 * p90_us p99_us max_us. `silent` were not served within QUIET_MS (20000). Exit status 0, also with
 * clients that failed.
 *
 * Ports never become scarce: when the server has ended the connection the client resets it, so that
 * neither side has it in TIME_WAIT; and clients come from SOURCES addresses by turns.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    AT_ONCE_MAX = 1000,
    RATE_MAX = 100000,
    TIMES_MAX = 4000000,
    SPAN_MAX_MS = 600000,
    QUIET_MS = 20000,
    LOOK_MS = 1000,
    SOURCES = 64
};

static const char QUESTION[] = {'h', 'e', 'l', 'l', 'o'};
static const char ANSWER[] = {'O', 'K'};

enum fate { SERVED, REFUSED, RESET, SHORT, WRONG, SILENT, FATES_COUNT };
static const char *const FATES[FATES_COUNT] = {"served", "refused", "reset",
                                               "short",  "wrong",   "silent"};

struct client {
    int socket; /* -1: none */
    bool has_asked;
    size_t received_bytes;
    int64_t due_us, answered_us;
};

struct clients {
    struct sockaddr_in server;
    int epoll, timer;
    long quiet_ms;
    long at_once, count, rate;
    int64_t start_us, from_us, until_us; /* what ends from ... until ... counts */
    long begun, ended, fates[FATES_COUNT], times_count;
    uint32_t source;
    struct client all[AT_ONCE_MAX];
};

static uint32_t times_us[TIMES_MAX];

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void end(struct clients *clients, struct client *client, enum fate fate) {
    static const struct linger RESETS = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->socket, SOL_SOCKET, SO_LINGER, &RESETS, sizeof RESETS);
    close(client->socket);
    client->socket = -1;
    clients->ended++;
    int64_t at_us = now_us();
    if (at_us < clients->from_us || at_us >= clients->until_us)
        fate = fate == SERVED ? FATES_COUNT : fate;
    if (fate == FATES_COUNT)
        return;
    clients->fates[fate]++;
    if (fate == SERVED && clients->times_count < TIMES_MAX)
        times_us[clients->times_count++] = (uint32_t)(client->answered_us - client->due_us);
}

/* What a connection that broke is to its client. */
static enum fate fate_of(int error) {
    return error == ECONNREFUSED ? REFUSED : RESET;
}

/* False while the connection is not made, which on loopback says that the backlog is full. */
static bool ask(struct clients *clients, struct client *client) {
    ssize_t length = send(client->socket, QUESTION, sizeof QUESTION, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == ENOTCONN))
        return false;
    client->has_asked = true;
    if (length != (ssize_t)sizeof QUESTION)
        end(clients, client, fate_of(errno));
    return true;
}

static void begin(struct clients *clients, struct client *client, int64_t due_us) {
    int on = 1;
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr.s_addr =
                                  htonl(INADDR_LOOPBACK + 0x100 + clients->source++ % SOURCES)};
    *client = (struct client){.due_us = due_us};
    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->socket < 0 ||
        setsockopt(client->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(client->socket, (const struct sockaddr *)&own, sizeof own) != 0)
        fail("no socket for a client");
    clients->begun++;
    if (connect(client->socket, (const struct sockaddr *)&clients->server,
                sizeof clients->server) != 0 &&
        errno != EINPROGRESS) {
        end(clients, client, fate_of(errno));
        return;
    }
    bool has_asked = ask(clients, client);
    if (client->socket < 0)
        return;
    struct epoll_event interest = {.events = EPOLLIN | (has_asked ? 0U : (uint32_t)EPOLLOUT),
                                   .data.ptr = client};
    if (epoll_ctl(clients->epoll, EPOLL_CTL_ADD, client->socket, &interest) != 0)
        fail("epoll_ctl");
}

static void hear(struct clients *clients, struct client *client) {
    /* More than what may come, so that more is noticed. */
    char bytes[64];
    size_t missing_bytes = sizeof ANSWER - client->received_bytes;
    ssize_t length = recv(client->socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length < 0) {
        end(clients, client, fate_of(errno));
    } else if (length == 0) {
        end(clients, client, missing_bytes == 0 ? SERVED : SHORT);
    } else if ((size_t)length > missing_bytes ||
               memcmp(bytes, ANSWER + client->received_bytes, (size_t)length) != 0) {
        end(clients, client, WRONG);
    } else {
        client->received_bytes += (size_t)length;
        client->answered_us = now_us();
    }
}

static void look_after(struct clients *clients, struct client *client) {
    if (client->has_asked) {
        hear(clients, client);
        return;
    }
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(client->socket, SOL_SOCKET, SO_ERROR, &error, &length);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = client};
    if (error != 0)
        end(clients, client, fate_of(error));
    else if (ask(clients, client) && client->socket >= 0)
        epoll_ctl(clients->epoll, EPOLL_CTL_MOD, client->socket, &interest);
}

static struct client *free_one(struct clients *clients) {
    for (long i = 0; i < clients->at_once; i++)
        if (clients->all[i].socket < 0)
            return &clients->all[i];
    return NULL;
}

static int64_t due_us(const struct clients *clients) {
    return clients->start_us + clients->begun * 1000000 / clients->rate;
}

/* Each that has nothing to do comes again, once: who was refused has to wait for the next round. */
static void begin_idle(struct clients *clients) {
    for (long i = 0; i < clients->at_once && clients->begun < clients->count; i++)
        if (clients->all[i].socket < 0 && now_us() < clients->until_us)
            begin(clients, &clients->all[i], now_us());
}

/* Lets those come whose time it is. */
static void begin_due(struct clients *clients) {
    struct client *client = NULL;
    if (clients->rate == 0) {
        begin_idle(clients);
        return;
    }
    while (clients->begun < clients->count && due_us(clients) <= now_us() &&
           (client = free_one(clients)) != NULL)
        begin(clients, client, due_us(clients));
    int64_t next_us = due_us(clients);
    struct itimerspec next = {
        .it_value = {.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000}};
    if (clients->begun < clients->count &&
        timerfd_settime(clients->timer, TFD_TIMER_ABSTIME, &next, NULL) != 0)
        fail("timerfd_settime");
}

static void end_silent(struct clients *clients) {
    for (long i = 0; i < clients->at_once; i++) {
        struct client *client = &clients->all[i];
        if (client->socket >= 0 && now_us() - client->due_us > clients->quiet_ms * 1000)
            end(clients, client, SILENT);
    }
}

static bool is_over(const struct clients *clients) {
    if (now_us() >= clients->until_us)
        return clients->begun == clients->ended;
    return clients->ended >= clients->count;
}

static void run(struct clients *clients) {
    struct epoll_event events[AT_ONCE_MAX];
    struct epoll_event of_timer = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(clients->epoll, EPOLL_CTL_ADD, clients->timer, &of_timer) != 0)
        fail("epoll_ctl");
    int64_t look_us = clients->start_us;
    begin_due(clients);
    while (!is_over(clients)) {
        bool is_refused = clients->rate == 0 && clients->begun - clients->ended < clients->at_once;
        int ready = epoll_wait(clients->epoll, events, AT_ONCE_MAX, is_refused ? 1 : LOOK_MS);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (client != NULL)
                look_after(clients, client);
        }
        begin_due(clients);
        if (now_us() - look_us > LOOK_MS * 1000) {
            end_silent(clients);
            look_us = now_us();
        }
    }
}

static int by_value(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static unsigned part_us(long count, long percent) {
    return count == 0 ? 0 : times_us[(count - 1) * percent / 100];
}

static void report(const struct clients *clients) {
    long count = clients->times_count;
    int64_t end_us = now_us();
    int64_t span_us = (end_us < clients->until_us ? end_us : clients->until_us) - clients->from_us;
    qsort(times_us, (size_t)count, sizeof *times_us, by_value);
    for (int fate = 0; fate < FATES_COUNT; fate++)
        printf("%s=%ld ", FATES[fate], clients->fates[fate]);
    printf("span_us=%lld median_us=%u p90_us=%u p99_us=%u max_us=%u\n", (long long)span_us,
           part_us(count, 50), part_us(count, 90), part_us(count, 99), part_us(count, 100));
}

static long number(const char *text, long least, long most) {
    char *rest = NULL;
    errno = 0;
    long value = strtol(text, &rest, 10);
    return errno == 0 && *text != '\0' && *rest == '\0' && value >= least && value <= most ? value
                                                                                           : -1;
}

/* False where the arguments are not right. */
static bool read_arguments(struct clients *clients, int argc, char **argv) {
    long port = argc >= 5 ? number(argv[1], 1, 65535) : -1;
    if (port < 0)
        return false;
    clients->server.sin_family = AF_INET;
    clients->server.sin_port = htons((uint16_t)port);
    clients->server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    clients->until_us = INT64_MAX;
    clients->count = TIMES_MAX;
    clients->quiet_ms = QUIET_MS;
    clients->at_once = AT_ONCE_MAX;
    clients->start_us = clients->from_us = now_us();
    if (strcmp(argv[2], "closed") == 0 && argc == 6) {
        long warm_up_ms = number(argv[4], 0, SPAN_MAX_MS);
        long span_ms = number(argv[5], 1, SPAN_MAX_MS);
        clients->at_once = number(argv[3], 1, AT_ONCE_MAX);
        clients->from_us += warm_up_ms * 1000;
        clients->until_us = clients->from_us + span_ms * 1000;
        return clients->at_once > 0 && warm_up_ms >= 0 && span_ms > 0;
    }
    if (strcmp(argv[2], "count") == 0 && argc == 5)
        clients->at_once = number(argv[3], 1, AT_ONCE_MAX);
    else if (strcmp(argv[2], "paced") == 0 && argc <= 6)
        clients->rate = number(argv[3], 1, RATE_MAX);
    else
        return false;
    if (argc == 6)
        clients->quiet_ms = number(argv[5], 1, SPAN_MAX_MS);
    clients->count = number(argv[4], 1, TIMES_MAX);
    return clients->at_once > 0 && clients->rate >= 0 && clients->count > 0 &&
           clients->quiet_ms > 0;
}

int main(int argc, char **argv) {
    static struct clients clients;
    for (int i = 0; i < AT_ONCE_MAX; i++)
        clients.all[i].socket = -1;
    if (!read_arguments(&clients, argc, argv)) {
        fprintf(stderr,
                "usage: clients PORT closed AT_ONCE WARM_UP_MS SPAN_MS\n"
                "       clients PORT count AT_ONCE COUNT\n"
                "       clients PORT paced RATE COUNT [QUIET_MS]\n"
                "(AT_ONCE 1 to %d, spans 1 to %d, COUNT 1 to %d, RATE 1 to %d)\n",
                AT_ONCE_MAX, SPAN_MAX_MS, TIMES_MAX, RATE_MAX);
        return 64;
    }
    clients.epoll = epoll_create1(EPOLL_CLOEXEC);
    clients.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (clients.epoll < 0 || clients.timer < 0)
        fail("no epoll or timer");
    run(&clients);
    report(&clients);
    return 0;
}
