/* What tiny.c does, as somebody would write it: by libbaton, with the system's C library. */
#include "baton.h"

static int answer(struct baton_connection *connection) {
    char message[64];
    if (baton_receive(connection, message, sizeof message) <= 0)
        return 1;
    return baton_send(connection, "OK", 2) != 0;
}

int main(void) {
    return baton_serve(answer);
}
