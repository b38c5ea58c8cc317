/* Logs, between log.c, which has them, and syslog.c, which sends datagrams for those of a syslog.
 */
#ifndef BATON_PLATFORM_POSIX_LOG_H
#define BATON_PLATFORM_POSIX_LOG_H

#include "platform/posix/internal.h"

struct platform_log {
    struct posix_watch watch; /* its descriptor: standard error (not owned), or owned */
    struct platform *platform;
    struct platform_log *next;
    struct platform_log_loss loss;
    char *syslog;       /* where that listens; owned; NULL = it is none */
    uint64_t absent_us; /* since when nobody listens there; 0 = somebody does */
    uint64_t due_us;    /* when to look again */
    bool is_due;        /* and somebody waits for that */
    bool is_socket;
    bool is_regular; /* a file that never says that it is full for now */
    bool is_new;     /* it was made by us */
    bool is_torn;    /* what was written last did not end a line */
    bool is_failing; /* the last write has failed */
};

void posix_logs_close(struct platform *platform);
/* Those that we have made, so that their new owner can open them anew. What was there before is not
 * given away: whoever may make links in its folder could make us give them any file. */
void posix_logs_give(const struct platform *platform, uid_t user, gid_t group);

/* syslog.c. A copy of the path; NULL when out of memory. */
char *posix_syslog_prepare(const char *path);
/* Forgets it; the socket is the log's. */
void posix_syslog_close(struct platform_log *log);
/* Sends the first line of these bytes, or lets it go if it is empty. Returns how many it has had
 * with its line feed, 0 if it has to wait, or -1 and errno. */
ssize_t posix_syslog_send(struct platform_log *log, const char *bytes, size_t length);
void posix_syslog_wait(struct platform_log *log, uint64_t deadline_us);
/* Tells of those that may be there again; returns when to ask next. */
uint64_t posix_logs_feed(struct platform *platform, uint64_t now_us);

#endif
