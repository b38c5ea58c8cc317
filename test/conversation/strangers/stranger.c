// A handler of class *full* for the channel protocol, version 1, on POSIX: a single thread with
// poll(2), and no library but libc. It was written by a stranger to the project from the page
// handlers/PROTOCOL.md alone, and so is a test of that page. It does the drill of
// test/golden/wire/conversations.txt.
//
//   stranger [CAPACITY]       a handler; a supervisor launches it
//   stranger --vectors FILE   reads the vectors, prints TAP
#include "stranger.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST_HELD = 16,     // the largest CAPACITY
    MOST_ACCEPTED = 48, // clients of listeners at a time; others wait in the backlog
    SLOTS = MOST_HELD + MOST_ACCEPTED
};

// A connection, or a socket of KIND 2 or 3; `fd` is -1 where the slot is free.
struct slot {
    int fd;
    uint32_t number; // of the OFFER; 0: accepted from a listener, no frame is about it
    enum kind kind;
    int polled; // its place in what poll(2) was asked about, or -1
    uint64_t bytes_in, bytes_out;
    // What has come and is not dealt with. The first `going` bytes of it are on their way back.
    size_t come, going;
    bool ended; // the client has ended its sending
    bool tail;  // what comes next is the rest of a line that was too long for `input`
    char input[4096];
};

static struct slot slots[SLOTS];
static uint32_t capacity = 4;

static int channel = -1;        // -1: it has ended
static bool draining;           // after DRAIN, or the end of the channel
static int exit_code;           // 1 after a breach
static uint8_t next_nack;       // REASON of the answer to the next OFFER; 0: ACK
static bool out_of_descriptors; // accept(2) said so; nothing is accepted until one is free

// To standard error, which may be gone: such a line counts as written.
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[512];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(line, sizeof line - 1, format, values);
    va_end(values);
    if (size < 0)
        return;
    size_t length = (size_t)size < sizeof line - 1 ? (size_t)size : sizeof line - 2;
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return;
}

// ---- The channel ----

// Writes a frame. If that fails the channel has ended; what the supervisor had written before can
// still be read, so this is left to the next read to find out.
static bool send_frame(const struct frame *frame) {
    for (;;) {
        if (channel < 0)
            return false;
        if (send(channel, frame->bytes, frame->size, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno == EAGAIN || errno == EWOULDBLOCK) // somebody else has set O_NONBLOCK
            poll(&(struct pollfd){channel, POLLOUT, 0}, 1, -1);
        else if (errno != EINTR)
            return false;
    }
}

static bool send_hello(const uint8_t nonce[16]) {
    static const char sdk[] = "stranger";
    struct frame frame;
    begin_frame(&frame, HELLO, 0);
    put_bytes(&frame, NONCE, nonce, 16);
    put_number(&frame, PID, (uint64_t)getpid());
    put_number(&frame, CAPACITY, capacity);
    put_bytes(&frame, SDK, sdk, sizeof sdk - 1);
    return send_frame(&frame);
}

static bool send_ack(uint32_t number) {
    struct frame frame;
    begin_frame(&frame, ACK, number);
    return send_frame(&frame);
}

static void send_nack(uint32_t number, uint8_t reason) {
    struct frame frame;
    begin_frame(&frame, NACK, number);
    put_number(&frame, REASON, reason);
    send_frame(&frame);
}

static void send_done(uint32_t number, uint8_t status, uint64_t bytes_in, uint64_t bytes_out) {
    struct frame frame;
    begin_frame(&frame, DONE, number);
    put_number(&frame, STATUS, status);
    put_number(&frame, BYTES_IN, bytes_in);
    put_number(&frame, BYTES_OUT, bytes_out);
    send_frame(&frame);
}

static void send_retire(void) {
    struct frame frame;
    begin_frame(&frame, RETIRE, 0);
    send_frame(&frame);
}

static void end_channel(void) {
    close(channel);
    channel = -1;
    draining = true;
}

static void breach(const char *what) {
    say("stranger: breach by the supervisor: %s", what);
    exit_code = 1;
    end_channel();
}

// ---- Slots ----

// There is always one that is free: what is offered and what is accepted has a bound of its own.
static void open_slot(int fd, uint32_t number, enum kind kind) {
    int i = 0;
    while (slots[i].fd >= 0)
        i++;
    slots[i] = (struct slot){.fd = fd, .number = number, .kind = kind, .polled = -1};
}

static struct slot *find_slot(uint32_t number) {
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].fd >= 0 && slots[i].number == number)
            return &slots[i];
    return NULL;
}

// How many there are: of what was offered, or of what was accepted.
static unsigned count_slots(bool offered) {
    unsigned count = 0;
    for (int i = 0; i < SLOTS; i++)
        count += slots[i].fd >= 0 && (slots[i].number != 0) == offered;
    return count;
}

// Closes the socket, then says DONE. Bytes that the client sent and nobody has read would make a
// reset of the end, which may destroy an answer under way: those that are there are thrown away.
static void end_slot(struct slot *slot, uint8_t status) {
    char waste[4096];
    if (slot->kind == CONNECTION) {
        for (int i = 0; i < 64; i++) {
            ssize_t size = recv(slot->fd, waste, sizeof waste, MSG_DONTWAIT);
            if (size <= 0)
                break;
            slot->bytes_in += (uint64_t)size;
        }
    }
    close(slot->fd);
    slot->fd = -1; // The number is free before DONE is out: the next OFFER may use it at once.
    out_of_descriptors = false;
    if (slot->number != 0)
        send_done(slot->number, status, slot->bytes_in, slot->bytes_out);
}

// ---- The drill: a client's lines ----

// The number of a line "WORD N", or -1 if it is none, or N is not of LEAST to 255.
static int number_after(const char *line, const char *word, int least) {
    size_t length = strlen(word);
    if (strncmp(line, word, length) != 0)
        return -1;
    line += length;
    size_t digits = strspn(line, "0123456789");
    if (digits < 1 || digits > 3 || line[digits] != '\0' || (digits > 1 && line[0] == '0'))
        return -1;
    long value = strtol(line, NULL, 10);
    return value >= least && value <= 255 ? (int)value : -1;
}

static void run(int client, const char *command) {
    pid_t child = fork();
    if (child == 0) {
        dup2(client, STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

// Does what a line says. False: the connection has ended.
static bool obey(struct slot *slot, size_t length) {
    char line[256];
    if (length >= sizeof line || memchr(slot->input, '\0', length) != NULL)
        return true;
    memcpy(line, slot->input, length);
    line[length] = '\0';
    int number;
    if ((number = number_after(line, "exit ", 0)) >= 0)
        exit(number);
    if ((number = number_after(line, "fail ", 1)) >= 0) {
        end_slot(slot, (uint8_t)number);
        return false;
    }
    if (strncmp(line, "run ", 4) == 0)
        run(slot->fd, line + 4);
    else if (strcmp(line, "retire") == 0)
        send_retire();
    else if (strcmp(line, "nack retire") == 0)
        next_nack = RETIRED;
    else if (strcmp(line, "nack busy") == 0)
        next_nack = BUSY;
    else if (strcmp(line, "nack refuse") == 0)
        next_nack = REFUSED;
    return true;
}

// Sends back what is to go back. False: it could not all be sent yet, or the client is gone, which
// ends the connection.
static bool send_back(struct slot *slot) {
    while (slot->going > 0) {
        ssize_t size = send(slot->fd, slot->input, slot->going, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                end_slot(slot, 0);
            return false;
        }
        slot->bytes_out += (uint64_t)size;
        slot->going -= (size_t)size;
        slot->come -= (size_t)size;
        memmove(slot->input, slot->input + size, slot->come);
    }
    return true;
}

// Reads once, and deals with all the lines that have come. No line is looked at before the one
// ahead of it has gone back, and nothing is read meanwhile: a client that does not read waits.
static void serve_connection(struct slot *slot) {
    if (slot->going == 0) {
        ssize_t size =
            recv(slot->fd, slot->input + slot->come, sizeof slot->input - slot->come, MSG_DONTWAIT);
        if (size < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                end_slot(slot, 0);
            return;
        }
        slot->ended = size == 0;
        slot->come += (size_t)size;
        slot->bytes_in += (uint64_t)size;
    }
    while (send_back(slot)) {
        const char *end = memchr(slot->input, '\n', slot->come);
        if (end != NULL) {
            size_t length = (size_t)(end - slot->input);
            if (!slot->tail && !obey(slot, length))
                return;
            slot->going = length + 1;
            slot->tail = false;
        } else if (slot->come == sizeof slot->input) {
            slot->going = slot->come;
            slot->tail = true;
        } else {
            if (slot->ended)
                end_slot(slot, 0);
            return;
        }
    }
}

// ---- Listeners ----

static void accept_client(struct slot *slot) {
    if (count_slots(false) == MOST_ACCEPTED)
        return;
    int fd = accept4(slot->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        open_slot(fd, 0, CONNECTION);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        out_of_descriptors = true;
    else if (errno == EINVAL) // It does not listen, or no more: who has a copy may have ended it.
        end_slot(slot, 1);
}

static void prepare_shared(int fd, enum kind kind) {
    if (kind == DATAGRAM)
        prepare_datagrams(fd);
    else // Somebody else may take the client for whom poll(2) woke us.
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

// ---- What the supervisor says ----

static bool is_socket(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

// Takes the socket of an OFFER, and answers it.
static void take_offer(const struct message *message, int fd) {
    uint32_t number = message->connection;
    enum kind kind = (enum kind)number_of(message, KIND);
    const char *wrong = draining                        ? "an OFFER after DRAIN"
                        : find_slot(number) != NULL     ? "an OFFER of a number that is in use"
                        : count_slots(true) >= capacity ? "an OFFER beyond the capacity"
                        : !is_socket(fd)                ? "an OFFER of what is no socket"
                                                        : NULL;
    if (wrong != NULL) {
        close(fd);
        breach(wrong);
        return;
    }
    if (next_nack != 0) {
        uint8_t reason = next_nack;
        next_nack = 0;
        close(fd);
        send_nack(number, reason);
        return;
    }
    if (!send_ack(number)) { // The channel has ended: the client loses nothing, unread.
        close(fd);
        return;
    }
    if (kind != CONNECTION)
        prepare_shared(fd, kind);
    open_slot(fd, number, kind);
}

static void handle_message(const struct message *message, int fd) {
    if (message->type == OFFER) {
        take_offer(message, fd);
    } else if (message->type == CANCEL) {
        struct slot *slot = find_slot(message->connection);
        if (slot != NULL)
            end_slot(slot, slot->kind == CONNECTION ? 1 : 0);
    } else if (message->type == DRAIN) {
        draining = true;
    } else if (message->type == LIMITS) {
        say("stranger: limits: capacity %u, handshake %u ms, stop %u ms, reuse %u",
            (unsigned)number_of(message, CAPACITY), (unsigned)number_of(message, HANDSHAKE_MS),
            (unsigned)number_of(message, STOP_MS), (unsigned)number_of(message, REUSE));
    }
}

enum { MOST_DESCRIPTORS = 4 }; // More of them are cut off, and that is a breach as well.

// Takes the descriptors out of the control data. False: there is other control data.
static bool take_descriptors(struct msghdr *message, int fds[MOST_DESCRIPTORS], size_t *count) {
    bool right = true;
    *count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            right = false;
            continue;
        }
        size_t size = c->cmsg_len - CMSG_LEN(0);
        for (size_t i = 0; i < size / sizeof(int) && *count < MOST_DESCRIPTORS; i++)
            memcpy(&fds[(*count)++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return right;
}

static void read_channel(void) {
    static uint8_t bytes[HEADER_SIZE + LONGEST_TO_HANDLER];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    ssize_t size = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0) {
        // ECONNRESET comes once, and before what the supervisor had written: poll(2) says again
        // that there is something to read.
        if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK && errno != ECONNRESET)
            end_channel();
        return;
    }
    int fds[MOST_DESCRIPTORS];
    size_t count = 0;
    const char *wrong = take_descriptors(&packet, fds, &count) ? NULL : "other control data";
    struct message message = {0};
    if ((packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        wrong = "a frame that is cut";
    } else if (size > 0 && wrong == NULL) {
        enum result result = read_frame(bytes, (size_t)size, &message);
        if (result != OK && result != SKIP)
            wrong = result_name(result);
        else if (count != (result == OK && message.type == OFFER ? 1 : 0))
            wrong = "another number of descriptors than belongs to the frame";
        else if (result == OK) {
            handle_message(&message, count == 1 ? fds[0] : -1);
            return;
        }
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    if (wrong != NULL)
        breach(wrong);
    else if (size == 0)
        end_channel();
}

// ---- The process ----

// A decimal number below 2^32 at the beginning of a text, which is moved behind it.
static bool read_number(const char **text, uint32_t *value) {
    size_t digits = strspn(*text, "0123456789");
    if (digits < 1 || digits > 10)
        return false;
    unsigned long long number = strtoull(*text, NULL, 10);
    *text += digits;
    *value = (uint32_t)number;
    return number <= UINT32_MAX;
}

static bool speaks_version_1(const char *versions) {
    uint32_t version;
    bool found = false;
    for (;; versions++) {
        if (!read_number(&versions, &version))
            return false;
        found = found || version == 1;
        if (*versions != ',')
            return found && *versions == '\0';
    }
}

static bool read_nonce(const char *text, uint8_t nonce[16]) {
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return false;
    for (int i = 0; i < 16; i++) {
        const char pair[] = {text[2 * i], text[2 * i + 1], '\0'};
        nonce[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

// Takes the channel from the environment. False: there is none, or not one for us.
static bool take_channel(uint8_t nonce[16]) {
    const char *versions = getenv("BATON_PROTOCOL");
    const char *numbers = getenv("BATON_CHANNEL");
    const char *digits = getenv("BATON_NONCE");
    uint32_t in, out;
    if (numbers == NULL) {
        say("stranger: no BATON_CHANNEL: this program is to be started by batond");
        return false;
    }
    if (versions == NULL || !speaks_version_1(versions)) {
        say("stranger: BATON_PROTOCOL: version 1 is not among its versions");
        return false;
    }
    if (!read_number(&numbers, &in) || *numbers++ != ',' || !read_number(&numbers, &out) ||
        *numbers != '\0' || in != out || in > INT32_MAX || !is_socket((int)in)) {
        say("stranger: BATON_CHANNEL is not a socket's number, twice");
        return false;
    }
    if (digits == NULL || !read_nonce(digits, nonce)) {
        say("stranger: BATON_NONCE is not 32 hexadecimal digits");
        return false;
    }
    channel = (int)in;
    unsetenv("BATON_PROTOCOL");
    unsetenv("BATON_CHANNEL");
    unsetenv("BATON_NONCE");
    fcntl(channel, F_SETFD, FD_CLOEXEC);
    fcntl(channel, F_SETFL, fcntl(channel, F_GETFL) & ~O_NONBLOCK);
    return true;
}

static void do_nothing(int number) {
    (void)number;
}

// Gives up what is shared, as nobody is to come by it any more.
static void give_up_shared(void) {
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].fd >= 0 && slots[i].kind != CONNECTION)
            end_slot(&slots[i], 0);
}

static void wait_and_serve(void) {
    struct pollfd polled[1 + SLOTS];
    nfds_t count = 0;
    bool deaf = out_of_descriptors || count_slots(false) == MOST_ACCEPTED;
    polled[count++] = (struct pollfd){channel, POLLIN, 0}; // a number below 0 is passed over
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        slot->polled = -1;
        if (slot->fd < 0 || (slot->kind == LISTENER && deaf))
            continue;
        slot->polled = (int)count;
        polled[count++] = (struct pollfd){slot->fd, slot->going > 0 ? POLLOUT : POLLIN, 0};
    }
    if (poll(polled, count, -1) < 0)
        return; // EINTR

    // The channel first: a connection that is cancelled is not served any further.
    if (polled[0].revents != 0)
        read_channel();
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        if (slot->fd < 0 || slot->polled < 0 || polled[slot->polled].revents == 0)
            continue;
        if (slot->kind == CONNECTION)
            serve_connection(slot);
        else if (slot->kind == LISTENER)
            accept_client(slot);
        else
            answer_datagram(slot->fd, &slot->bytes_in, &slot->bytes_out);
    }
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "--vectors") == 0)
        return check_vectors(arguments[2]);
    if (count > 1) {
        const char *text = arguments[1];
        if (count > 2 || !read_number(&text, &capacity) || *text != '\0' || capacity < 1 ||
            capacity > MOST_HELD) {
            say("usage: stranger [CAPACITY of 1 to %d] | --vectors FILE", MOST_HELD);
            return 1;
        }
    }
    // Log lines that nobody reads any more are no reason to die. A function, not SIG_IGN, which
    // programs started from here would inherit.
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &action, NULL);
    for (int i = 0; i < SLOTS; i++)
        slots[i].fd = -1;

    uint8_t nonce[16];
    if (!take_channel(nonce))
        return 1;
    if (!send_hello(nonce))
        return 0; // The channel has ended, and nothing was lost.
    for (;;) {
        if (draining) {
            give_up_shared();
            if (count_slots(true) + count_slots(false) == 0)
                return exit_code;
        }
        wait_and_serve();
    }
}
