#include "asker.h"

#include "harness.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *asker_place(void) {
    static char place[128];
    snprintf(place, sizeof place, "%s/control", system_scratch());
    return place;
}

bool asker_connect(const char *place, uintptr_t *asker) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", place);
    *asker = (uintptr_t)descriptor;
    bool is_connected = connect(descriptor, (const struct sockaddr *)&name, sizeof name) == 0;
    if (!is_connected) {
        close(descriptor);
    }
    return is_connected;
}

void asker_send(uintptr_t asker, const char *text) {
    assert_int_equal(send((int)asker, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

size_t asker_receive(uintptr_t asker, char *bytes, size_t size) {
    ssize_t got = recv((int)asker, bytes, size, 0);
    return got > 0 ? (size_t)got : 0;
}

void asker_close(uintptr_t asker) {
    close((int)asker);
}
