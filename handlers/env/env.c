/* Shows the client what the handler was given: the connection, arguments, environment, folder. */
#include "baton.h"
#include "facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANG_UP_MS = 1000, HANG_UP_BYTES = 65536 };

static char **arguments, **environment, *directory;

static int compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static int send_line(struct baton_connection *connection, const char *name, const char *value) {
    const char *pieces[] = {name, " ", value, "\n"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        if (baton_send(connection, pieces[i], strlen(pieces[i])) != 0)
            return 1;
    return 0;
}

static int send_number(struct baton_connection *connection, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return send_line(connection, name, text);
}

static int send_list(struct baton_connection *connection, const char *name, char **list) {
    int failed = 0;
    for (size_t i = 0; list[i] != NULL && failed == 0; i++)
        failed = send_line(connection, name, list[i]);
    return failed;
}

/* Who the client is. What is not known is left out. */
static int show_client(struct baton_connection *connection) {
    int failed = send_line(connection, "peer", connection->peer) ||
                 send_line(connection, "local", connection->local);
    if (!failed && connection->via[0] != '\0')
        failed = send_line(connection, "via", connection->via);
    if (!failed && connection->path[0] != '\0')
        failed = send_line(connection, "path", connection->path);
    if (!failed && connection->peer_count != 0)
        failed = send_number(connection, "peer_count", connection->peer_count);
    if (!failed && connection->peer_uid_known)
        failed = send_number(connection, "peer_uid", connection->peer_uid);
    if (!failed && connection->peer_pid != 0)
        failed = send_number(connection, "peer_pid", connection->peer_pid);
    return failed;
}

static int show(struct baton_connection *connection) {
    int failed = send_line(connection, "service", connection->service) || show_client(connection) ||
                 send_number(connection, "id", connection->id) ||
                 send_number(connection, "accepted_us", connection->accepted_us) ||
                 send_line(connection, "directory", directory != NULL ? directory : "?") ||
                 send_list(connection, "argument", arguments) ||
                 send_list(connection, "environment", environment);
    if (!failed)
        baton_hang_up(connection, HANG_UP_MS, HANG_UP_BYTES);
    return failed;
}

int main(int argc, char **argv) {
    /* Taken before baton_open() removes what concerns the channel: that is part of what we got. */
    arguments = facts_arguments(argc, argv);
    environment = facts_environment();
    directory = facts_directory();
    if (arguments == NULL || environment == NULL)
        return 1;
    size_t count = 0;
    while (environment[count] != NULL)
        count++;
    qsort(environment, count, sizeof environment[0], compare);
    return baton_serve(show);
}
