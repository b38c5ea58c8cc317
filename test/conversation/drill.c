/* The drill of test/golden/wire/conversations.txt with libbaton: a thread for each client, and the
 * channel is read beside them. POSIX, and on Windows with the pthread.h of mingw-w64, where it is
 * run within a test: then `drill` is its main function, and may be called again and again. */
#include "baton.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <winsock2.h>

#include <windows.h>
int main(void); /* under another name */
#else
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
extern char **environ;
#endif
#include <unistd.h>

enum { CAPACITY = 4, LINE_BYTES = 1024, GOES_ON = -1 };

struct client {
    struct baton_connection connection;
    pthread_t thread;
    bool is_there; /* its thread runs; for the thread that reads the channel alone */
    bool is_held, is_cancelled;
    atomic_bool has_ended;
    char bytes[LINE_BYTES];
    size_t length;
};

static struct baton *baton;
static atomic_int next_answer = BATON_TAKE;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* is_held, is_cancelled */
static struct client clients[CAPACITY];

/* A thread that waits for the client reads the end. (Under Wine a read that has begun does not end
 * by shutdown() alone.) */
static void cut(baton_socket client) {
#ifdef _WIN32
    shutdown(client, SD_BOTH);
    CancelIoEx((HANDLE)client, NULL);
#else
    shutdown(client, SHUT_RDWR);
#endif
}

#ifndef _WIN32
static void run(int client, char *command) {
    char shell[] = "sh", option[] = "-c";
    char *const arguments[] = {shell, option, command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, client, STDOUT_FILENO);
    if (posix_spawnp(&child, shell, &actions, NULL, arguments, environ) == 0)
        waitpid(child, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
}
#endif

static int decide(void *context, const struct baton_connection *connection) {
    (void)context;
    (void)connection;
    return atomic_exchange(&next_answer, BATON_TAKE);
}

static void cancelled(void *context, uint32_t number) {
    (void)context;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < CAPACITY; i++) {
        struct client *client = &clients[i];
        if (client->is_held && client->connection.number == number) {
            client->is_cancelled = true;
            cut(client->connection.socket);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* The status that the connection ends with, or GOES_ON. `line` ends with NUL, without line feed. */
static int obey(struct client *client, char *line) {
    static const char *const answers[] = {"", "nack retire", "nack busy", "nack refuse"};
    for (int i = BATON_RETIRE; i <= BATON_REFUSE; i++)
        if (strcmp(line, answers[i]) == 0)
            atomic_store(&next_answer, i);
    if (strcmp(line, "retire") == 0)
        baton_retire(baton);
#ifndef _WIN32
    if (strncmp(line, "run ", 4) == 0)
        run(client->connection.socket, line + 4);
#endif
    if (strncmp(line, "exit ", 5) == 0)
        _exit((int)strtol(line + 5, NULL, 10));
    if (strncmp(line, "fail ", 5) == 0)
        return (int)strtol(line + 5, NULL, 10);
    size_t length = strlen(line);
    line[length] = '\n';
    return baton_send(&client->connection, line, length + 1) == 0 ? GOES_ON : 0;
}

/* All whole lines that are there. */
static int obey_all(struct client *client) {
    char *end;
    while ((end = memchr(client->bytes, '\n', client->length)) != NULL) {
        size_t length = (size_t)(end - client->bytes) + 1;
        char line[LINE_BYTES];
        memcpy(line, client->bytes, length);
        line[length - 1] = '\0';
        client->length -= length;
        memmove(client->bytes, end + 1, client->length);
        int status = obey(client, line);
        if (status != GOES_ON)
            return status;
    }
    return GOES_ON;
}

static void *serve(void *context) {
    struct client *client = context;
    int status = GOES_ON;
    while (status == GOES_ON && client->length < LINE_BYTES) {
        long got = baton_receive(&client->connection, client->bytes + client->length,
                                 LINE_BYTES - client->length);
        if (got <= 0)
            break;
        client->length += (size_t)got;
        status = obey_all(client);
    }
    pthread_mutex_lock(&lock);
    client->is_held = false; /* from here on CANCEL crosses DONE */
    bool was_cancelled = client->is_cancelled;
    pthread_mutex_unlock(&lock);
    baton_finish(baton, &client->connection,
                 was_cancelled       ? 1
                 : status == GOES_ON ? 0
                                     : status,
                 NULL);
    atomic_store(&client->has_ended, true);
    return NULL;
}

static void await(struct client *client) {
    if (client->is_there)
        pthread_join(client->thread, NULL);
    client->is_there = false;
}

/* There is a place, as no more are out than the capacity: one may just be about to be free. */
static struct client *place(void) {
    for (size_t i = 0;; i = (i + 1) % CAPACITY) {
        if (!clients[i].is_there || atomic_load(&clients[i].has_ended)) {
            await(&clients[i]);
            return &clients[i];
        }
    }
}

static void start(const struct baton_connection *connection) {
    struct client *client = place();
    pthread_mutex_lock(&lock);
    memset(client, 0, sizeof *client);
    client->connection = *connection;
    client->is_held = client->is_there = true;
    pthread_mutex_unlock(&lock);
    if (pthread_create(&client->thread, NULL, serve, client) != 0)
        abort();
}

static void answer_datagram(struct baton_connection *connection) {
    char bytes[LINE_BYTES];
    long length = baton_receive_datagram(connection, bytes, sizeof bytes);
    if (length >= 0)
        baton_send(connection, bytes, (size_t)length);
    baton_finish(baton, connection, 0, NULL);
}

int main(void) {
    memset(clients, 0, sizeof clients);
    atomic_store(&next_answer, BATON_TAKE);
    const struct baton_options options = {.capacity = CAPACITY,
                                          .kinds = BATON_KIND_CONNECTION | BATON_KIND_DATAGRAM,
                                          .idle_ms = 60000,
                                          .name = "drill",
                                          .decide = decide,
                                          .cancelled = cancelled};
    struct baton_connection connection;
    int result = baton_open(&options, &baton);
    while (result == 0 && (result = baton_next(baton, &connection)) == 1) {
        result = 0;
        if (connection.kind == BATON_KIND_DATAGRAM)
            answer_datagram(&connection);
        else
            start(&connection);
    }
    for (size_t i = 0; i < CAPACITY; i++)
        await(&clients[i]);
    baton_close(&baton);
    if (result != 0)
        fprintf(stderr, "drill: %s\n", baton_strerror(result));
    return result != 0;
}
