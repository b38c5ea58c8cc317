/*
 * A line of a reply: JSON in, values out. Who made it is not trusted: what is not as CONTROL.md has
 * it is a fault, or, where that lets it be, as if it were not there. The only file that knows the
 * library for JSON is reply.c.
 */
#ifndef BATON_CTL_REPLY_H
#define BATON_CTL_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_reply;

enum ctl_kind {
    CTL_NOTHING, /* the field is not there, or is none that this version has: null, a list, a
                    fraction, a negative number */
    CTL_TEXT,
    CTL_NUMBER,
    CTL_FLAG
};

struct ctl_value {
    enum ctl_kind kind;
    const char *text; /* UTF-8, of the reply; may have a NUL or any other control character in it */
    size_t length;    /* of `text`, in bytes */
    uint64_t number;
    bool flag;
};

/* Why a line is none of a reply's; a text for people. */
struct ctl_fault {
    char text[160];
};

/* Reads a line without its line feed. BATON_OK and *out, which the caller gives to
 * ctl_reply_clear(); BATON_INVALID and why in *fault; BATON_NO_MEMORY. */
int ctl_reply_read(const char *line, size_t length, struct ctl_reply **out,
                   struct ctl_fault *fault);

/* Frees it and sets *reply to NULL; a NULL *reply is accepted. */
void ctl_reply_clear(struct ctl_reply **reply);

/* What the line tells of. */
bool ctl_reply_is(const struct ctl_reply *reply, const char *type);

struct ctl_value ctl_reply_value(const struct ctl_reply *reply, const char *name);

/* The number of that name; 0 where there is none. */
uint64_t ctl_reply_number(const struct ctl_reply *reply, const char *name);

/* Calls `visit` for each field but `v` and `type`, in the order of the line. */
typedef void ctl_reply_visit(void *context, const char *name, const struct ctl_value *value);
void ctl_reply_each(const struct ctl_reply *reply, ctl_reply_visit *visit, void *context);

/* Calls `visit` for each text in the list of that name, if it is one. */
void ctl_reply_list(const struct ctl_reply *reply, const char *name, ctl_reply_visit *visit,
                    void *context);

#endif
