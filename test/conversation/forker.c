/* The drill of test/golden/wire/conversations.txt with a server that forks, as far as a child can
 * do it: the clients' commands `fail` and `run`. And commands of its own, for what may become of a
 * child:
 *
 *   pid             sends "PID PPID PGID FACTS": its own, the server's, the group, and what the
 * OFFER said text WORDS      DONE is to say this exit N          the child exits at once signal N
 * the child sends itself a signal ignore          SIGTERM does nothing from now on leave another
 * process keeps the client, and this one ends open            sends the numbers of its descriptors
 *   kill            SIGKILL to the server
 *   scarce          for the next fork of the server's there is no room
 */
#include "baton.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, GOES_ON = -1 };

static volatile sig_atomic_t is_scarce; /* of the server */

static void be_scarce(int number) {
    (void)number;
    is_scarce = 1;
}

/* The linker's: whoever calls fork() calls this. */
pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void) {
    if (!is_scarce)
        return __real_fork();
    is_scarce = 0;
    errno = EAGAIN;
    return -1;
}

static int say(struct baton_connection *client, const char *text) {
    return baton_send(client, text, strlen(text)) == 0 ? GOES_ON : 0;
}

static int tell_open(struct baton_connection *client) {
    char text[LINE_BYTES] = "";
    size_t length = 0;
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL && length < sizeof text - 32) {
        int number = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && number != dirfd(folder))
            length += (size_t)snprintf(text + length, 32, "%d%s ", number,
                                       number == client->socket ? "=client" : "");
    }
    if (folder != NULL)
        closedir(folder);
    text[length] = '\n';
    return say(client, text);
}

static int tell_who(struct baton_connection *client) {
    char text[LINE_BYTES];
    snprintf(text, sizeof text, "%d %d %d %s %s %s %llu\n", (int)getpid(), (int)getppid(),
             (int)getpgrp(), client->service, client->peer, client->local,
             (unsigned long long)client->id);
    return say(client, text);
}

/* Who has the client then is a child of nobody's, and returns like one that is of the server. */
static int leave(struct baton_connection *client) {
    char byte;
    if (fork() != 0)
        _exit(0);
    while (recv(client->socket, &byte, 1, 0) > 0)
        (void)!send(client->socket, &byte, 1, MSG_NOSIGNAL);
    client->bytes_in = 4711;
    return 0;
}

static void run(int client, const char *command) {
    pid_t child = fork();
    if (child == 0) {
        dup2(client, STDOUT_FILENO);
        execlp("sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
}

static int obey(struct baton_connection *client, char *line) {
    char echo[LINE_BYTES + 2];
    const char *words = strchr(line, ' ') != NULL ? strchr(line, ' ') + 1 : "";
    int number = (int)strtol(words, NULL, 10);
    if (strncmp(line, "run ", 4) == 0)
        run(client->socket, words);
    if (strncmp(line, "fail ", 5) == 0)
        return number;
    if (strncmp(line, "exit ", 5) == 0)
        exit(number);
    if (strncmp(line, "signal ", 7) == 0)
        raise(number);
    if (strncmp(line, "text ", 5) == 0)
        snprintf(client->text, sizeof client->text, "%s", words);
    if (strcmp(line, "ignore") == 0)
        signal(SIGTERM, SIG_IGN);
    if (strcmp(line, "leave") == 0)
        return leave(client);
    if (strcmp(line, "kill") == 0)
        kill(getppid(), SIGKILL);
    if (strcmp(line, "scarce") == 0)
        kill(getppid(), SIGUSR1);
    if (strcmp(line, "open") == 0)
        return tell_open(client);
    if (strcmp(line, "pid") == 0)
        return tell_who(client);
    snprintf(echo, sizeof echo, "%s\n", line);
    return say(client, echo);
}

static int serve(struct baton_connection *client) {
    char bytes[LINE_BYTES + 1];
    size_t length = 0;
    int status = GOES_ON;
    while (status == GOES_ON && length < LINE_BYTES) {
        long got = baton_receive(client, bytes + length, LINE_BYTES - length);
        if (got <= 0)
            return 0;
        length += (size_t)got;
        char *end;
        while (status == GOES_ON && (end = memchr(bytes, '\n', length)) != NULL) {
            char line[LINE_BYTES + 1];
            size_t line_bytes = (size_t)(end - bytes);
            memcpy(line, bytes, line_bytes);
            line[line_bytes] = '\0';
            length -= line_bytes + 1;
            memmove(bytes, end + 1, length);
            status = obey(client, line);
        }
    }
    return status == GOES_ON ? 0 : status;
}

static void tell_end(void) {
    (void)!write(STDERR_FILENO, "the server ends\n", 16);
}

int main(int count, char **arguments) {
    signal(SIGUSR1, be_scarce);
    atexit(tell_end); /* not of the children */
    return baton_serve_forking(serve, count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 4);
}
