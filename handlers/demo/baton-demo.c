/*
 * baton-demo: several clients at once. Each thread connects, sends two messages, and prints what
 * comes back; the handler at the other end should be `ok`. Exit code 0 only if every message was
 * answered OK; 1 if not; 64 for a wrong command line; 74 if standard output could not be written.
 */
#include "body.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MS = 10000,
    THREADS_DEFAULT = 5,
    THREADS_MAX = 1000,
    EXIT_USAGE = 64,
    EXIT_OUTPUT = 74
};
enum { MESSAGES_EACH = 2 };

static const char usage[] =
    "usage: baton-demo [-n COUNT] [HOST:PORT]\n"
    "\n"
    "Connects COUNT clients to HOST:PORT (default 127.0.0.1:7777, IPv6 as [::1]:7777).\n"
    "Each sends two messages and prints the replies.\n"
    "\n"
    "  -n, --clients COUNT  1 to 1000, default 5\n"
    "  -h, --help           print this and end\n"
    "\n"
    "Exit code 0 only if all were answered OK.\n";

struct task {
    unsigned number;
    unsigned thread_count; /* for the width of the first column */
    const char *host, *port;
    unsigned answered_count;
};

/* One call of fputs for each line, so that lines of threads do not mix. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
say(const struct task *task, const char *format, ...) {
    char words[512], line[600], name[32], last[32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    snprintf(name, sizeof name, "thread-%u", task->number);
    int width = snprintf(last, sizeof last, "thread-%u", task->thread_count);
    snprintf(line, sizeof line, "  %-*s  %s\n", width, name, words);
    fputs(line, stdout);
}

/* Receives until "OK" could be there: TCP may bring it in pieces. Unprintable bytes become '?'. */
static int receive_reply(struct baton_connection *connection, char *out, size_t size) {
    size_t at = 0;
    while (at < strlen("OK")) {
        long length = baton_receive(connection, out + at, size - 1 - at);
        if (length <= 0)
            return -1;
        at += (size_t)length;
    }
    out[at] = '\0';
    while (at > 0 && (out[at - 1] == '\n' || out[at - 1] == '\r'))
        out[--at] = '\0';
    for (size_t i = 0; i < at; i++)
        if ((unsigned char)out[i] < 0x20 || (unsigned char)out[i] >= 0x7f)
            out[i] = '?';
    return 0;
}

static int talk(struct task *task, struct baton_connection *connection, const char *message) {
    char reply[256];
    if (baton_send(connection, message, strlen(message)) != 0 ||
        receive_reply(connection, reply, sizeof reply) != 0) {
        say(task, "%-24s -> no reply", message);
        return -1;
    }
    say(task, "%-24s -> %s", message, reply);
    task->answered_count += strcmp(reply, "OK") == 0;
    return 0;
}

static void run_client(void *item) {
    struct task *task = item;
    struct baton_connection connection = {.socket = BATON_SOCKET_NONE};
    char hello[64], why[200];
    connection.socket = demo_connect(task->host, task->port, TIMEOUT_MS, why, sizeof why);
    if (connection.socket == BATON_SOCKET_NONE) {
        say(task, "cannot connect: %s", why);
        return;
    }
    snprintf(hello, sizeof hello, "Hello, I am thread-%u", task->number);
    if (talk(task, &connection, hello) == 0)
        talk(task, &connection, "Goodbye Server!");
    demo_close(connection.socket);
}

/* Takes "HOST:PORT" or "[HOST]:PORT" apart, in place. Returns 0, or -1. */
static int split_address(char *text, const char **host, const char **port) {
    char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0')
        return -1;
    *colon = '\0';
    *port = colon + 1;
    *host = text;
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        *host = text + 1;
    }
    return **host == '\0' ? -1 : 0;
}

/* `code`, or EXIT_OUTPUT where all went well but that standard output did not take it all. */
static int finish(int code) {
    int torn = ferror(stdout) != 0;
    torn = fflush(stdout) != 0 || torn;
    if (code != EXIT_SUCCESS || !torn)
        return code;
    fputs("baton-demo: standard output could not all be written\n", stderr);
    return EXIT_OUTPUT;
}

static int run(const char *host, const char *port, unsigned thread_count) {
    struct task *tasks = calloc(thread_count, sizeof *tasks);
    unsigned answered_count = 0, message_count = thread_count * MESSAGES_EACH;
    if (tasks == NULL || demo_prepare() != 0) {
        free(tasks);
        fputs("baton-demo: out of memory or no network\n", stderr);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < thread_count; i++)
        tasks[i] = (struct task){i + 1, thread_count, host, port, 0};
    printf("%u clients of %s port %s\n\n", thread_count, host, port);
    int64_t start_ms = demo_now_ms();
    if (demo_run_threads(run_client, tasks, sizeof *tasks, thread_count) != 0)
        fputs("baton-demo: cannot start a thread\n", stderr);
    for (unsigned i = 0; i < thread_count; i++)
        answered_count += tasks[i].answered_count;
    free(tasks);
    printf("\n%u of %u messages were answered OK, in %lld ms\n", answered_count, message_count,
           (long long)(demo_now_ms() - start_ms));
    return answered_count == message_count ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What is wrong with the command line is told; what is right, too. */
static int refuse(const char *what, const char *word) {
    fprintf(stderr, "baton-demo: %s `%s`; `baton-demo --help` lists what there is\n", what, word);
    return EXIT_USAGE;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"clients", required_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *host = "127.0.0.1", *port = "7777";
    unsigned long thread_count = THREADS_DEFAULT;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":n:h", options, NULL)) != -1) {
        char letter[] = {'-', (char)optopt, '\0'}, *end = NULL;
        switch (option) {
        case 'h':
            fputs(usage, stdout);
            return finish(EXIT_SUCCESS);
        case 'n':
            thread_count = strtoul(optarg, &end, 10);
            if (*end != '\0' || thread_count < 1 || thread_count > THREADS_MAX)
                return refuse("-n takes a number from 1 to 1000, and not", optarg);
            break;
        default: /* mingw-w64 tells a value too many as it does one that is missing */
            return refuse(option == ':' && optopt == 'n' ? "a number must follow"
                          : optopt == 'h'                ? "no value may follow"
                                                         : "unknown argument",
                          optopt == 0 || strchr("nh", optopt) ? argv[optind - 1] : letter);
        }
    }
    if (optind + 1 < argc)
        return refuse("one address is enough, without", argv[optind + 1]);
    if (optind < argc && split_address(argv[optind], &host, &port) != 0)
        return refuse("the address is HOST:PORT, and not", argv[optind]);
    return finish(run(host, port, (unsigned)thread_count));
}
