/*
 * A handler that does what a test tells it to, POSIX: `puppet PATH NAME`. It connects to the
 * local socket PATH (SOCK_SEQPACKET), says its nonce and NAME and sends the channel along, and then
 * takes orders, one a packet:
 *
 *   S...  writes the rest as a frame to the channel, with the descriptors that came along; then one
 *         byte comes back to the test
 *   C     closes the channel
 *   X n   exits with that byte as code
 *   K n   ends itself by that signal
 *
 * So the test reads the channel itself, and what is written there comes from this process.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ORDER_BYTES = 4096, RIGHTS_MAX = 4, EXIT_LOST = 99 };

static int channel;

/* Moves `length` bytes and `count` descriptors. */
static void write_with(int to, const char *bytes, size_t length, const int *rights, size_t count) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * RIGHTS_MAX)];
    } control = {.bytes = {0}};
    struct iovec piece = {.iov_base = (void *)(size_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(head), rights, sizeof(int) * count);
    }
    sendmsg(to, &message, MSG_NOSIGNAL); /* in vain when the channel has ended */
}

/* Returns the length of the order, 0 when there will be no more. */
static size_t read_order(int from, char *bytes, int *rights, size_t *count) {
    char control[CMSG_SPACE(sizeof(int) * RIGHTS_MAX)];
    struct iovec piece = {.iov_base = bytes, .iov_len = ORDER_BYTES};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(from, &message, 0);
    struct cmsghdr *head = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    *count = 0;
    if (head != NULL) {
        *count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(rights, CMSG_DATA(head), sizeof(int) * *count);
    }
    return length > 0 ? (size_t)length : 0;
}

static void obey(int test, const char *order, size_t length, const int *rights, size_t count) {
    switch (order[0]) {
    case 'S':
        write_with(channel, order + 1, length - 1, rights, count);
        write_with(test, "", 1, NULL, 0);
        break;
    case 'C':
        close(channel);
        break;
    case 'X':
        _exit((unsigned char)order[1]);
    default:
        signal(order[1], SIG_DFL);
        kill(getpid(), order[1]);
        pause();
    }
    for (size_t i = 0; i < count; i++)
        close(rights[i]);
}

int main(int argc, char **argv) {
    const char *number = getenv("BATON_CHANNEL"), *nonce = getenv("BATON_NONCE");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int test = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (argc != 3 || number == NULL || nonce == NULL || test < 0)
        return EXIT_LOST;
    signal(SIGTERM, SIG_IGN);
    channel = (int)strtol(number, NULL, 10);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    if (connect(test, (struct sockaddr *)&address, sizeof address) != 0)
        return EXIT_LOST;
    char order[ORDER_BYTES];
    int said = snprintf(order, sizeof order, "%s %s", nonce, argv[2]);
    write_with(test, order, (size_t)said, &channel, 1);
    int rights[RIGHTS_MAX];
    size_t count = 0, length;
    while ((length = read_order(test, order, rights, &count)) > 0)
        obey(test, order, length, rights, count);
    return EXIT_LOST;
}
