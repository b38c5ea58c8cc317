/*
 * Hostile clients: from many addresses, at a given rate, each of which connects, says nothing, and
 * resets the connection a little later, whether or not it was accepted.
 *
 *     flood PORT RATE SOURCES    connects until it is terminated; prints "begun" when the flood has
 *                                come up, and at the end how many came, how many of them found the
 *                                server's door at once, and in how many microseconds
 *
 * The sources are 127.1.0.0 and those above it, by turns. Nothing is caught up that was missed for
 * longer than a tick: a flooder that the system has not let run would else come as one burst.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* OPEN_COUNT: how many it has at once, the oldest goes first. */
enum { RATE_MAX = 1000000, SOURCES_MAX = 1 << 24, OPEN_COUNT = 256, TICK_US = 1000 };

#define FIRST_SOURCE 0x7f010000u

static volatile sig_atomic_t stopped;

struct flood {
    struct sockaddr_in server;
    uint32_t source_count;
    uint64_t begun_count, entered_count;
    int sockets[OPEN_COUNT];
};

static void stop(int number) {
    (void)number;
    stopped = 1;
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

_Noreturn static void fail(const char *call) {
    fprintf(stderr, "flood: %s: %s\n", call, strerror(errno));
    exit(1);
}

/* With a reset: an orderly end would leave a port in TIME_WAIT. */
static void leave(struct flood *flood, int descriptor) {
    struct pollfd look = {.fd = descriptor, .events = POLLOUT};
    /* Writable, and not refused: the handshake is done. */
    bool has_entered = poll(&look, 1, 0) == 1 && (look.revents & POLLERR) == 0;
    flood->entered_count += has_entered ? 1 : 0;
    close(descriptor);
}

static void come(struct flood *flood) {
    int *place = &flood->sockets[flood->begun_count % OPEN_COUNT];
    uint32_t source = FIRST_SOURCE + (uint32_t)(flood->begun_count % flood->source_count);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int on = 1;
    if (flood->begun_count >= OPEN_COUNT)
        leave(flood, *place);
    *place = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*place < 0 ||
        setsockopt(*place, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        setsockopt(*place, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0 ||
        bind(*place, (const struct sockaddr *)&own, sizeof own) != 0)
        fail("no socket for a client");
    if (connect(*place, (const struct sockaddr *)&flood->server, sizeof flood->server) != 0 &&
        errno != EINPROGRESS)
        fail("connect");
    flood->begun_count++;
}

static void wait_until(uint64_t time_us) {
    struct timespec until = {.tv_sec = (time_t)(time_us / 1000000),
                             .tv_nsec = (long)(time_us % 1000000) * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Returns how long it took. */
static uint64_t run(struct flood *flood, uint64_t rate) {
    uint64_t start_us = now_us();
    uint64_t time_us = start_us;
    uint64_t owed = 0; /* millionths of a client */
    bool told = false;
    while (!stopped) {
        uint64_t passed_us = now_us() - time_us;
        time_us += passed_us;
        owed += rate * (passed_us < 2 * TICK_US ? passed_us : 2 * TICK_US);
        for (; owed >= 1000000 && !stopped; owed -= 1000000)
            come(flood);
        if (!told && flood->begun_count >= OPEN_COUNT) {
            told = true;
            puts("begun");
            fflush(stdout);
        }
        wait_until(time_us + TICK_US);
    }
    return now_us() - start_us;
}

static uint64_t number(const char *text, uint64_t most) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && value >= 1 && (uint64_t)value <= most ? (uint64_t)value
                                                                               : 0;
}

int main(int argc, char **argv) {
    static struct flood flood;
    uint64_t port = argc == 4 ? number(argv[1], 65535) : 0;
    uint64_t rate = argc == 4 ? number(argv[2], RATE_MAX) : 0;
    flood.source_count = argc == 4 ? (uint32_t)number(argv[3], SOURCES_MAX - 0x20000) : 0;
    if (port == 0 || rate == 0 || flood.source_count == 0) {
        fprintf(stderr,
                "usage: flood PORT RATE SOURCES (RATE a second, 1 to %d, SOURCES 1 to %d)\n",
                RATE_MAX, SOURCES_MAX - 0x20000);
        return 64;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    flood.server = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t span_us = run(&flood, rate);
    uint64_t open_count = flood.begun_count < OPEN_COUNT ? flood.begun_count : OPEN_COUNT;
    for (uint64_t i = 0; i < open_count; i++)
        leave(&flood, flood.sockets[i]);
    printf("%llu %llu %llu\n", (unsigned long long)flood.begun_count,
           (unsigned long long)flood.entered_count, (unsigned long long)span_us);
    return 0;
}
