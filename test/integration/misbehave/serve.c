#include "serve.h"

#include "system.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(uintptr_t socket, const char *text) {
    system_socket_write(socket, text, strlen(text));
}

/* Reads up to and with a newline; the newline is not kept. */
static void read_line(uintptr_t socket, char *out, size_t size_bytes) {
    size_t length = 0;
    while (length + 1 < size_bytes && system_socket_read(socket, out + length, 1) == 1 &&
           out[length] != '\n') {
        length++;
    }
    out[length] = '\0';
}

static void serve_line(uintptr_t socket, uint32_t launch) {
    char line[200];
    char text[300];
    read_line(socket, line, sizeof line);
    snprintf(text, sizeof text, "served pid=%lu launch=%lu %s\n", (unsigned long)system_own_pid(),
             (unsigned long)launch, line);
    answer(socket, text);
}

static void greet(uintptr_t socket, uint32_t launch) {
    char text[100];
    snprintf(text, sizeof text, "holding pid=%lu launch=%lu\n", (unsigned long)system_own_pid(),
             (unsigned long)launch);
    answer(socket, text);
}

static void serve_hold(uintptr_t socket, uint32_t launch, bool drains) {
    char text[100];
    greet(socket, launch);
    if (drains) {
        if (system_wait_for_drain(socket)) {
            answer(socket, "drained\n");
        }
        return;
    }
    while (system_socket_read(socket, text, sizeof text) > 0) {
        answer(socket, "still here\n");
    }
}

void serve_connection(const char *what, uintptr_t socket, uint32_t launch) {
    static char text[4096];
    if (strcmp(what, "line") == 0) {
        serve_line(socket, launch);
    } else if (strcmp(what, "greet") == 0) {
        greet(socket, launch);
    } else if (strcmp(what, "hold") == 0 || strcmp(what, "drain") == 0) {
        serve_hold(socket, launch, what[0] == 'd');
    } else if (strcmp(what, "handles") == 0) {
        system_list_handles(text, sizeof text);
        answer(socket, text);
    } else if (strcmp(what, "parent") == 0) {
        system_parent_facts(text, sizeof text);
        answer(socket, text);
    } else {
        exit(64);
    }
}

static void say(bool to_error, const char *text) {
    system_write(to_error, text, strlen(text));
}

static void write_long(void) {
    static char line[20001];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    system_write(true, line, sizeof line);
}

static void write_binary(void) {
    unsigned char bytes[257];
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (unsigned char)i;
    }
    bytes[256] = '\n';
    system_write(true, bytes, sizeof bytes);
}

static void write_flood(void) {
    char line[100];
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(line, sizeof line, "flood line %u\n", i);
        say(true, line);
    }
}

void serve_output(const char *what) {
    if (strcmp(what, "lines") == 0) {
        say(false, "first on output\nsecond on output\n");
        say(true, "first on error\n");
    } else if (strcmp(what, "pieces") == 0) {
        say(true, "one ");
        say(true, "line in ");
        say(true, "pieces\n");
    } else if (strcmp(what, "partial") == 0) {
        say(true, "no end of line");
    } else if (strcmp(what, "long") == 0) {
        write_long();
    } else if (strcmp(what, "binary") == 0) {
        write_binary();
    } else if (strcmp(what, "flood") == 0) {
        write_flood();
    }
}
