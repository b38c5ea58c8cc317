/*
 * One request and its reply.
 */
#ifndef BATON_CTL_TALK_H
#define BATON_CTL_TALK_H

#include "ctl/dial.h"
#include "ctl/reply.h"

#include <stddef.h>

/* What a reply may have in all, but for one that is followed: 32768 connections have a fifth of it.
 */
#define CTL_REPLY_MAX_BYTES (64u * 1024u * 1024u)

enum ctl_result {
    CTL_DONE,       /* the end came, and it is good */
    CTL_REFUSED,    /* the end came, and says why not */
    CTL_LATE,       /* the deadline has passed */
    CTL_UNREADABLE, /* something came that is no reply, or the end did not come */
    CTL_NO_MEMORY,
    CTL_SYSTEM /* a call has failed */
};

/* A line of the reply, the end included, as it came (without its line feed) and as it was read. */
typedef void ctl_talk_line(void *context, const char *line, size_t length,
                           const struct ctl_reply *reply);

struct ctl_talk {
    const char *request; /* with its line feed */
    int64_t deadline_ms;
    bool is_bounded; /* CTL_REPLY_MAX_BYTES holds */
    ctl_talk_line *line;
    void *context;
};

/* Sends the request and gives each line to `line`, until the end. What is wrong goes to `why`, of
 * `why_bytes`, for people, but for CTL_DONE and CTL_REFUSED. Blocks until the deadline. */
enum ctl_result ctl_talk_run(struct ctl_wire *wire, const struct ctl_talk *talk, char *why,
                             size_t why_bytes, struct baton_cause *cause);

#endif
