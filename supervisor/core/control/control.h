/*
 * What control clients ask, and how they are answered: supervisor/CONTROL.md, version 1. A request
 * is a line of words, a reply lines of JSON, each of which is put together in a struct record.
 */
#ifndef BATON_CONTROL_CONTROL_H
#define BATON_CONTROL_CONTROL_H

#include "core/tell/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest request, with its line feed; the longest line of a reply is RECORD_LINE_BYTES. */
#define CONTROL_REQUEST_BYTES 1024u

/* Each verb: its id, its name, the least and the most words behind it, of which there are at most
 * CONTROL_WORDS_MAX. What it does is in run/control_verbs.c. */
#define CONTROL_VERB_TABLE(X)                                                                      \
    X(STATUS, "status", 0, 0)                                                                      \
    X(SERVICES, "services", 0, 0)                                                                  \
    X(CONNECTIONS, "connections", 0, 1)                                                            \
    X(STOP, "stop", 0, 0)                                                                          \
    X(KILL, "kill", 1, 1)                                                                          \
    X(LOG_LEVEL, "log-level", 1, 1)                                                                \
    X(LOG_REOPEN, "log-reopen", 0, 0)                                                              \
    X(EVENTS, "events", 0, 0)                                                                      \
    X(RELOAD, "reload", 0, 1)                                                                      \
    X(RESTART, "restart", 0, 1)                                                                    \
    X(DRAIN, "drain", 1, 2)                                                                        \
    X(DISABLE, "disable", 1, 2)                                                                    \
    X(ENABLE, "enable", 1, 2)
#define CONTROL_WORDS_MAX 4u

enum control_verb {
#define CONTROL_VERB_ENUM(id, name, least, most) CONTROL_VERB_##id,
    CONTROL_VERB_TABLE(CONTROL_VERB_ENUM)
#undef CONTROL_VERB_ENUM
        CONTROL_VERB_COUNT
};

/* Why a request is refused: the `code`, and the `text` where it is always the same. */
#define CONTROL_CODE_TABLE(X)                                                                      \
    X(OK, "ok", "ok")                                                                              \
    X(VERSION, "version",                                                                          \
      "the request does not begin with `1 `, which is all that is spoken here")                    \
    X(TOO_LONG, "too_long", "a request has at most 1024 bytes, its line feed included")            \
    X(NOT_TEXT, "not_text", "a control character, or bytes that are not UTF-8")                    \
    X(SYNTAX, "syntax", "an empty line or word: words are separated by one blank")                 \
    X(UNKNOWN_VERB, "unknown_verb", "there is no such verb here")                                  \
    X(WORD_COUNT, "word_count", "too few words for the verb, or too many")                         \
    X(BAD_WORD, "bad_word", "the verb cannot take that word")                                      \
    X(NO_SERVICE, "no_such_service", "there is no such service")                                   \
    X(NO_CONNECTION, "no_such_connection", "there is no such connection, or it has ended")         \
    X(CONFIG_INVALID, "config_invalid", "the new config has faults, and nothing has changed")      \
    X(UNSUPPORTED, "unsupported", "that cannot be done as batond runs here")                       \
    X(FAILED, "failed", "it has failed")                                                           \
    X(SHORT, "short", "memory or descriptors are short; try again")

enum control_code {
#define CONTROL_CODE_ENUM(id, word, text) CONTROL_##id,
    CONTROL_CODE_TABLE(CONTROL_CODE_ENUM)
#undef CONTROL_CODE_ENUM
        CONTROL_CODE_COUNT
};

struct control_request {
    enum control_verb verb;
    size_t word_count; /* behind it */
    const char *words[CONTROL_WORDS_MAX];
};

/* Parses `length` bytes, a line without its line feed, below CONTROL_REQUEST_BYTES; there is room
 * for a NUL behind them. The bytes are changed, and *out points into them. CONTROL_OK, or why not.
 */
enum control_code control_parse(char *line, size_t length, struct control_request *out);

/* Starts a line of a reply, which record_end() ends. */
void control_begin(struct record *line, const char *type);
/* Makes the last one: `ok`, or with that code; `text` NULL = its own, `hint` NULL = none. */
void control_end(struct record *line, enum control_code code, const char *text, const char *hint);

#endif
