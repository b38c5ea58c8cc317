/*
 * libbaton, the part that is the same on both systems: the conversation with the supervisor.
 */
#include "baton.h"

#include "serving.h"

#include <stdlib.h>
#include <string.h>

enum { TO_SUPERVISOR_MAX_BYTES = WIRE_HEADER_BYTES + WIRE_BODY_MAX_TO_SUPERVISOR, IDLE_MS = 10000 };

/* "3,4" */
static bool parse_channel(const char *text, uint32_t *in, uint32_t *out) {
    uint64_t first = 0, second = 0;
    if (!body_number_read(&text, UINT32_MAX, &first) || *text++ != ',' ||
        !body_number_parse(text, UINT32_MAX, &second))
        return false;
    *in = (uint32_t)first;
    *out = (uint32_t)second;
    return true;
}

/* Looks for ours among the versions, "1,2". */
static int check_versions(const char *list) {
    uint64_t version = 0;
    int fault = BATON_E_VERSION;
    for (;;) {
        if (!body_number_read(&list, UINT32_MAX, &version))
            return body_wrong_environment("BATON_PROTOCOL");
        if (version == WIRE_VERSION)
            fault = 0;
        if (*list == '\0')
            return fault;
        if (*list++ != ',')
            return body_wrong_environment("BATON_PROTOCOL");
    }
}

int serving_say(struct baton *baton, const struct wire_message *message) {
    uint8_t frame[TO_SUPERVISOR_MAX_BYTES];
    if (!baton->channel.in_use)
        return BATON_E_CLOSED;
    long length = wire_encode(message, frame, sizeof frame);
    if (length < 0)
        return BATON_E_ARGUMENT;
    return body_channel_send(&baton->channel, frame, (size_t)length);
}

static int say_hello(struct baton *baton, const uint8_t nonce[WIRE_NONCE_BYTES], const char *name) {
    struct wire_message hello = {.type = WIRE_HELLO, .nonce = nonce, .has_pid = true};
    hello.pid = body_own_pid();
    hello.capacity = baton->options.capacity;
    hello.sdk.bytes = name != NULL ? name : "libbaton";
    hello.sdk.length = strlen(hello.sdk.bytes);
    return serving_say(baton, &hello);
}

/* What BATON_... says, all of it removed from the environment. */
struct channel_words {
    int has_protocol, has_channel, has_nonce; /* 1, 0, or a fault */
    char protocol[64], channel[32], nonce[64];
};

static void take_channel_words(struct channel_words *words) {
    words->has_protocol =
        body_take_environment("BATON_PROTOCOL", words->protocol, sizeof words->protocol);
    words->has_channel =
        body_take_environment("BATON_CHANNEL", words->channel, sizeof words->channel);
    words->has_nonce = body_take_environment("BATON_NONCE", words->nonce, sizeof words->nonce);
}

static int open_channel(struct baton *baton, const struct channel_words *words, const char *name) {
    uint8_t nonce[WIRE_NONCE_BYTES];
    uint32_t in = 0, out = 0;
    if (words->has_channel != 1 || !parse_channel(words->channel, &in, &out))
        return body_wrong_environment("BATON_CHANNEL");
    if (words->has_nonce != 1 || !wire_nonce_parse(words->nonce, nonce))
        return body_wrong_environment("BATON_NONCE");
    if (words->has_protocol != 1)
        return body_wrong_environment("BATON_PROTOCOL");
    int fault = check_versions(words->protocol);
    if (fault == 0)
        fault = held_open(&baton->held, baton->options.capacity);
    if (fault == 0)
        fault = body_channel_open(&baton->channel, in, out);
    if (fault == 0 && baton->options.cancelled != NULL)
        fault = body_wait_prepare(false); /* after DRAIN who finishes wakes who reads */
    if (fault == 0)
        fault = say_hello(baton, nonce, name);
    return fault;
}

/* A worker that ends is replaced at once. */
static bool is_kept(void) {
    char text[16];
    uint64_t workers_count = 0;
    return body_read_environment("BATON_WORKERS", text, sizeof text) == 1 &&
           body_number_parse(text, UINT32_MAX, &workers_count) && workers_count > 0;
}

static int take_idle_ms(struct baton *baton) {
    char text[16];
    uint64_t idle_ms = 0;
    int result = body_read_environment("LIBBATON_IDLE_MS", text, sizeof text);
    if (baton->options.idle_ms != 0)
        return 0;
    baton->options.idle_ms = is_kept() ? UINT32_MAX : IDLE_MS;
    if (result == 0 || (result == 1 && text[0] == '\0'))
        return 0;
    if (result != 1 || !body_number_parse(text, UINT32_MAX, &idle_ms))
        return BATON_E_IDLE_MS;
    baton->options.idle_ms = (uint32_t)idle_ms;
    return 0;
}

static int open_sources(struct baton *baton) {
    int fault = body_fallback_open(&baton->sources, baton->options.kinds);
    if (fault == 0)
        fault = body_wait_prepare(true);
    sources_describe(&baton->sources);
    return fault;
}

int baton_open(const struct baton_options *options, struct baton **out) {
    struct channel_words words;
    *out = NULL;
    take_channel_words(&words);
    if (options != NULL && (options->capacity > WIRE_CAPACITY_MAX ||
                            (options->name != NULL && strlen(options->name) > WIRE_SDK_MAX_BYTES)))
        return BATON_E_ARGUMENT;
    struct baton *baton = calloc(1, sizeof *baton);
    if (baton == NULL)
        return BATON_E_MEMORY;
    if (options != NULL)
        baton->options = *options;
    if (baton->options.capacity == 0)
        baton->options.capacity = 1;
    if (baton->options.kinds == 0)
        baton->options.kinds = BATON_KIND_CONNECTION;
    const char *name = baton->options.name;
    baton->options.name = NULL;
    baton->has_channel = words.has_channel != 0;
    baton->sources.gives_listeners = (baton->options.kinds & BATON_KIND_LISTENER) != 0;
    int fault = body_process_prepare();
    if (fault == 0)
        fault = take_idle_ms(baton);
    if (fault == 0)
        fault = baton->has_channel ? open_channel(baton, &words, name) : open_sources(baton);
    if (fault != 0)
        baton_close(&baton);
    *out = baton;
    return fault;
}

static enum baton_kind kind_of(uint8_t wire_kind) {
    return wire_kind == WIRE_KIND_LISTENER   ? BATON_KIND_LISTENER
           : wire_kind == WIRE_KIND_DATAGRAM ? BATON_KIND_DATAGRAM
                                             : BATON_KIND_CONNECTION;
}

/* The codec has checked that service and path fit. */
static void describe(const struct wire_message *offer, struct baton_connection *connection) {
    *connection = (struct baton_connection){.socket = BATON_SOCKET_NONE};
    connection->kind = kind_of(offer->kind);
    connection->number = offer->connection;
    connection->id = offer->id;
    connection->accepted_us = offer->accepted_us;
    memcpy(connection->service, offer->service.bytes, offer->service.length);
    body_address_print(&offer->peer, connection->peer);
    body_address_print(&offer->local, connection->local);
    body_address_print(&offer->via, connection->via);
    memcpy(connection->path, offer->path.length > 0 ? offer->path.bytes : "", offer->path.length);
    connection->peer_count = offer->peer_count;
    connection->peer_uid_known = offer->has_peer_uid;
    connection->peer_uid = offer->peer_uid;
    connection->peer_pid = offer->peer_pid;
}

/* A listener or datagram socket that we serve from, and do not give out as it is. */
static bool is_source(const struct baton *baton, const struct baton_connection *connection) {
    return connection->kind == BATON_KIND_DATAGRAM ||
           (connection->kind == BATON_KIND_LISTENER && !baton->sources.gives_listeners);
}

static int decide(const struct baton *baton, const struct baton_connection *connection) {
    uint32_t kinds = baton->options.kinds;
    if ((kinds & BATON_KIND_CONNECTION) != 0)
        kinds |= BATON_KIND_LISTENER;
    if ((kinds & (uint32_t)connection->kind) == 0)
        return BATON_REFUSE;
    if (baton->options.decide == NULL)
        return BATON_TAKE;
    int decision = baton->options.decide(baton->options.context, connection);
    return decision >= BATON_TAKE && decision <= BATON_REFUSE ? decision : BATON_REFUSE;
}

/* A failure is told to baton_next()'s caller when the channel has ended, so that until then what is
 * held can be finished with DONE. */
static int retire_unbuilt(struct baton *baton, uint32_t number) {
    static const char text[] = "the socket could not be built";
    struct wire_message nack = {.type = WIRE_NACK, .connection = number};
    baton->broken = true;
    baton->system_error = body_system_error();
    nack.reason = WIRE_REASON_RETIRE;
    nack.text = (struct wire_text){text, sizeof text - 1};
    int fault = serving_say(baton, &nack);
    return fault == BATON_E_CLOSED ? 0 : fault;
}

/* The socket of an OFFER that was acknowledged is one that we serve from: it goes to the sources.
 * There is a place for it, because those are as many as the capacity allows. */
static int adopt(struct baton *baton, struct baton_connection *connection) {
    struct body_source *source =
        sources_add(&baton->sources, connection->socket, connection->kind, connection->service);
    if (source == NULL) {
        body_socket_close(&connection->socket);
        return BATON_E_PROTOCOL;
    }
    source->number = connection->number;
    source->id = connection->id;
    *connection = (struct baton_connection){.socket = BATON_SOCKET_NONE};
    return body_wait_prepare(false);
}

/* Answers the OFFER of a socket that is built. Returns 1 if the connection is ours now, 0 if not,
 * or a fault. */
static int answer_offer(struct baton *baton, struct baton_connection *connection) {
    struct wire_message answer = {.type = WIRE_ACK, .connection = connection->number};
    int decision = decide(baton, connection);
    if (decision == BATON_TAKE && baton->forks && !is_source(baton, connection))
        return 1;
    if (decision != BATON_TAKE) {
        /* Closed before we say so: afterwards the supervisor counts on it. */
        body_socket_close(&connection->socket);
        answer.type = WIRE_NACK;
        answer.reason = (uint8_t)decision;
    }
    int fault = serving_say(baton, &answer);
    if (fault == 0 && decision == BATON_TAKE)
        return is_source(baton, connection) ? adopt(baton, connection) : 1;
    body_socket_close(&connection->socket);
    held_remove(&baton->held, connection->number);
    /* The end of the channel will be read next, and ends us orderly. */
    return fault == BATON_E_CLOSED ? 0 : fault;
}

static int take_offer(struct baton *baton, const struct wire_message *offer, baton_socket attached,
                      struct baton_connection *connection) {
    describe(offer, connection);
    int fault = body_channel_socket(offer, attached, &connection->socket);
    if (fault == BATON_E_SYSTEM)
        return retire_unbuilt(baton, offer->connection);
    if (fault == 0 && (baton->draining || !held_add(&baton->held, offer->connection))) {
        body_socket_close(&connection->socket);
        fault = BATON_E_PROTOCOL;
    }
    return fault != 0 ? fault : answer_offer(baton, connection);
}

/* Of a source that is closed; nothing without a channel. If it cannot be said, the end is read
 * next. */
static void say_source_is_done(struct baton *baton, uint32_t number) {
    if (number == 0)
        return;
    held_remove(&baton->held, number);
    serving_say(baton, &(struct wire_message){.type = WIRE_DONE, .connection = number});
}

/* Gives sources back, all or (`number` not 0) that of one OFFER. What was accepted from them is our
 * own and may live on; DONE of one that is lent is said when it comes back. */
static void close_sources(struct baton *baton, uint32_t number, bool says_done) {
    for (size_t i = 0; i < baton->sources.used_mark; i++) {
        struct body_source *source = &baton->sources.items[i];
        uint32_t done = source->number;
        bool is_here = source->state == BODY_SOURCE_HERE;
        if (number != 0 && done != number)
            continue;
        sources_close(&baton->sources, i);
        if (is_here && says_done)
            say_source_is_done(baton, done);
    }
}

/* A number that is not held (any more) means nothing; that of a source is our own affair. */
static void cancel(struct baton *baton, uint32_t number) {
    bool is_source = false;
    for (size_t i = 0; i < baton->sources.used_mark; i++)
        is_source = is_source || (baton->sources.items[i].state != BODY_SOURCE_NONE &&
                                  baton->sources.items[i].number == number);
    if (!held_has(&baton->held, number))
        return;
    if (is_source)
        close_sources(baton, number, true);
    else if (baton->options.cancelled != NULL)
        baton->options.cancelled(baton->options.context, number);
}

/* The first one counts, and allows no more than we asked for. */
static void take_limits(struct baton *baton, const struct wire_message *said) {
    uint32_t capacity = baton->options.capacity;
    if (baton->has_limits)
        return;
    baton->has_limits = true;
    baton->limits = (struct baton_limits){said->capacity < capacity ? said->capacity : capacity,
                                          said->handshake_ms, said->stop_ms, said->reuse};
}

/* Acts on one frame. Returns 1 with a connection, 0 to go on, or a fault. Owns `attached`. */
static int act_on_frame(struct baton *baton, size_t length, baton_socket attached,
                        struct baton_connection *connection) {
    struct wire_message message;
    if (wire_decode(baton->frame, length, WIRE_FROM_SUPERVISOR, &message) != WIRE_OK ||
        (attached != BATON_SOCKET_NONE && message.type != WIRE_OFFER)) {
        body_socket_close(&attached);
        return BATON_E_PROTOCOL;
    }
    if (message.skip)
        return 0;
    if (message.type == WIRE_OFFER)
        return take_offer(baton, &message, attached, connection);
    if (message.type == WIRE_DRAIN) {
        baton->draining = true;
        close_sources(baton, 0, true); /* what is shared is given back at once */
    }
    if (message.type == WIRE_CANCEL)
        cancel(baton, message.connection);
    if (message.type == WIRE_LIMITS)
        take_limits(baton, &message);
    return 0;
}

static int receive_frame(struct baton *baton, struct baton_connection *connection) {
    baton_socket attached = BATON_SOCKET_NONE;
    long length = body_channel_receive(&baton->channel, baton->frame, &attached);
    if (length > 0)
        return act_on_frame(baton, (size_t)length, attached, connection);
    if (attached != BATON_SOCKET_NONE)
        length = BATON_E_PROTOCOL; /* the end carries nothing, and no packet has 0 bytes */
    body_socket_close(&attached);
    baton->ended = true;
    return (int)length;
}

/* SIGTERM. A server that forks waits for its children, and for who takes its place. */
static int be_stopped(struct baton *baton) {
    baton->was_stopped = true;
    if (baton->forks)
        (void)baton_retire(baton); /* if it cannot be said, the end is read next */
    else
        baton->ended = true;
    return 0;
}

/* Waits once, for whatever it may be. Returns 1 with a connection, 0 to go on, or a fault. */
static int wait_once(struct baton *baton, struct baton_connection *connection) {
    struct body_wait what = {.sources = &baton->sources, .knows_stop = baton->was_stopped};
    uint32_t live_count = baton->live_count;
    bool is_idle = live_count == 0 && !baton->draining && !sources_is_empty(&baton->sources);
    size_t index = 0;
    what.is_full = baton->is_held_up || live_count >= baton->options.capacity;
    what.channel = baton->has_channel && !baton->ended ? &baton->channel : NULL;
    what.idle_ms = is_idle ? baton->options.idle_ms : UINT32_MAX;
    bool is_bound = baton->forks && baton->wait_ms < what.idle_ms;
    if (is_bound)
        what.idle_ms = baton->wait_ms;
    int result = body_wait(&what, &index);
    switch (result) {
    case BODY_READY_SOURCE:
        result = sources_take(&baton->sources, index, connection);
        baton->live_count += result == 1;
        return result;
    case BODY_READY_CHANNEL:
        return receive_frame(baton, connection);
    case BODY_READY_STOP:
        return be_stopped(baton);
    case BODY_READY_IDLE:
        if (!is_bound)
            close_sources(baton, 0, true);
        return 0;
    case BODY_READY_WOKEN:
        return 0;
    default:
        return result;
    }
}

int serving_step(struct baton *baton, struct baton_connection *connection) {
    bool waits_for_children = baton->forks && (baton->has_channel || baton->ended);
    if (!sources_is_empty(&baton->sources) || baton->draining || waits_for_children)
        return wait_once(baton, connection);
    if (baton->has_channel)
        return receive_frame(baton, connection);
    baton->ended = true;
    return 0;
}

/* After DRAIN only CANCEL can come that concerns anybody: for who listens to it, and as long as
 * something is held. */
bool serving_is_over(const struct baton *baton) {
    return baton->ended ||
           (baton->draining && (baton->options.cancelled == NULL || held_is_empty(&baton->held)));
}

void serving_fail(struct baton *baton) {
    body_channel_end(&baton->channel);
    close_sources(baton, 0, false);
    baton->ended = true;
}

int baton_next(struct baton *baton, struct baton_connection *connection) {
    int result = 0;
    *connection = (struct baton_connection){.socket = BATON_SOCKET_NONE};
    while (result == 0 && !serving_is_over(baton))
        result = serving_step(baton, connection);
    if (result == 0) {
        close_sources(baton, 0, true);
        if (!baton->broken)
            return 0;
        baton->broken = false;
        body_set_system_error(baton->system_error);
        return BATON_E_SYSTEM;
    }
    /* After DRAIN the channel stays open for DONE. */
    if (result < 0 && baton->has_channel)
        serving_fail(baton);
    return result;
}

/* At most `limit` bytes of the text, not cutting a UTF-8 character. */
static struct wire_text clip_text(const char *text, size_t limit) {
    struct wire_text clipped = {text, 0};
    if (text == NULL)
        return clipped;
    clipped.length = strlen(text);
    if (clipped.length > limit)
        for (clipped.length = limit;
             clipped.length > 0 && ((uint8_t)text[clipped.length] & 0xc0) == 0x80;)
            clipped.length--;
    return clipped;
}

int serving_say_done(struct baton *baton, struct wire_message *done) {
    int fault = serving_say(baton, done);
    if (fault != BATON_E_ARGUMENT)
        return fault;
    done->text = (struct wire_text){NULL, 0};
    fault = serving_say(baton, done);
    return fault != 0 ? fault : BATON_E_ARGUMENT;
}

int baton_finish(struct baton *baton, struct baton_connection *connection, int status,
                 const char *text) {
    if (connection->socket == BATON_SOCKET_NONE)
        return 0;
    uint32_t done_source = sources_give_back(&baton->sources, connection);
    if (connection->number == 0) {
        say_source_is_done(baton, done_source);
        baton->live_count--;
        body_wake();
        return 0;
    }
    /* First, because after DONE the next offer may come before we are back here. */
    held_remove(&baton->held, connection->number);
    if (baton->options.cancelled != NULL)
        body_wake(); /* it may have been the last one after DRAIN */
    struct wire_message done = {.type = WIRE_DONE, .connection = connection->number};
    done.status = (uint8_t)(status >= 0 && status <= UINT8_MAX ? status : 1);
    done.has_bytes_in = done.has_bytes_out =
        connection->bytes_in != 0 || connection->bytes_out != 0;
    done.bytes_in = connection->bytes_in;
    done.bytes_out = connection->bytes_out;
    done.text = clip_text(text, WIRE_TEXT_MAX_BYTES);
    return serving_say_done(baton, &done);
}

int baton_limits(const struct baton *baton, struct baton_limits *out) {
    *out = baton->limits;
    return baton->has_limits;
}

int baton_retire(struct baton *baton) {
    /* The end of the channel follows the last DONE, and then our own end within the supervisor's
     * time: not while clients that we have accepted are served. The exit code tells instead. */
    close_sources(baton, 0, baton->live_count == 0);
    if (!baton->has_channel)
        baton->ended = true;
    return baton->has_channel ? serving_say(baton, &(struct wire_message){.type = WIRE_RETIRE}) : 0;
}

void baton_close(struct baton **baton) {
    if (*baton == NULL)
        return;
    body_channel_close(&(*baton)->channel);
    for (size_t i = 0; i < (*baton)->sources.used_mark; i++)
        sources_close(&(*baton)->sources, i);
    body_wait_release();
    held_close(&(*baton)->held);
    body_process_release();
    free(*baton);
    *baton = NULL;
}
