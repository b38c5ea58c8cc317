/*
 * Streams: what the supervisor itself reads and writes. stream.c has the table and platform.h's
 * calls, stream_socket.c and stream_pipe.c the two kinds.
 */
#ifndef BATON_PLATFORM_WIN32_STREAM_H
#define BATON_PLATFORM_WIN32_STREAM_H

#include "internal.h"

/* What one operation on a program's pipe moves at most; whole pages. */
#define STREAM_BUFFER_BYTES 16384u

enum stream_kind { STREAM_SOCKET, STREAM_FROM_PROGRAM, STREAM_TO_PROGRAM };

/* Owner: the platform's table. */
struct platform_stream {
    struct platform *platform;
    uint64_t token;
    uint32_t index;
    uint32_t generation;
    enum stream_kind kind;
    bool wants_read;  /* a read has said AGAIN */
    bool wants_write; /* a write has said AGAIN */
    bool finished;    /* nothing will be written any more */
    bool is_orphan;   /* closed by its owner; what was written is still on its way */
    SOCKET socket;    /* STREAM_SOCKET; not owned */
    HANDLE elsewhere; /* STREAM_TO_PROGRAM: signalled when a write has ended that was begun before
                         a restart, whichever of the two processes has it; a thread of that
                         one, so that its end tells too. NULL = none */
    struct pipe_end end; /* of a socket: only its event and its watch */
    size_t have_bytes;   /* STREAM_FROM_PROGRAM: in the buffer */
    size_t taken_bytes;  /* of these, what the caller has got */
};

struct stream_table {
    struct slot_table streams; /* of struct platform_stream, with room for orphans: one for each
                                  process */
    /* STREAM_BUFFER_BYTES for each, as reserved addresses: memory for them is committed when a
     * stream first is a pipe. */
    char *buffers;
    uint32_t limit; /* what callers may have open at once */
    uint32_t open_count;
};

/* BATON_OK or BATON_NO_MEMORY. */
int win32_streams_create(struct platform *platform, size_t limit, size_t process_count);
/* Closes all that are left and frees the table, if there is one. */
void win32_streams_clear(struct platform *platform);
/* A packet of PACKET_STREAM: the event, or false if there is nothing to report. */
bool win32_stream_packet(struct platform *platform, uint32_t index, uint32_t generation,
                         struct platform_event *event);
/* Posts a packet for every stream. */
void win32_streams_report(const struct platform *platform);

/* Takes a place; NULL when the table or the memory is full. The caller starts the watch. */
struct platform_stream *win32_stream_take(struct platform *platform, enum stream_kind kind,
                                          uint64_t token, struct baton_cause *cause);
/* Closes what the stream has of its own and gives the place back. */
void win32_stream_release(struct platform_stream *stream);
/* Of a pipe: its STREAM_BUFFER_BYTES. */
char *win32_stream_buffer(const struct platform_stream *stream);
/* Posts a packet for it. */
void win32_stream_report(const struct platform_stream *stream);

/* Makes a pipe to or from a program. *theirs is its inheritable end, the caller's. BATON_OK,
 * BATON_SHORTAGE, BATON_SYSTEM. */
int win32_stream_pipe_open(struct platform *platform, enum stream_kind kind, uint64_t token,
                           struct platform_stream **out, HANDLE *theirs, struct baton_cause *cause);

/* platform.h's calls for one kind. */
int win32_stream_socket_open(struct platform *platform, struct platform_socket socket,
                             uint64_t token, struct platform_stream **out,
                             struct baton_cause *cause);
int win32_stream_socket_read(struct platform_stream *stream, void *buffer, size_t capacity,
                             size_t *length, struct baton_cause *cause);
int win32_stream_socket_await(struct platform_stream *stream);
int win32_stream_socket_write(struct platform_stream *stream, const void *bytes, size_t length,
                              size_t *written, struct baton_cause *cause);
int win32_stream_pipe_read(struct platform_stream *stream, void *buffer, size_t capacity,
                           size_t *length, struct baton_cause *cause);
int win32_stream_pipe_write(struct platform_stream *stream, const void *bytes, size_t length,
                            size_t *written, struct baton_cause *cause);
void win32_stream_pipe_finish(struct platform_stream *stream);
void win32_stream_socket_close(struct platform_stream *stream);
void win32_stream_pipe_close(struct platform_stream *stream);

/* ---- control.c, for a restart ---- */

/* An endpoint at the pipe `path`, whose next client comes to the instance `given`, which it takes;
 * NULL: to a new one. Nobody is waited for before win32_control_go_on(). Errors as
 * platform_control_open(). */
int win32_control_make(struct platform *platform, const char *path, HANDLE given, uint64_t token,
                       struct platform_control **out, struct baton_cause *cause);
HANDLE win32_control_instance(const struct platform_control *control);
void win32_control_stand_still(struct platform_control *control);
int win32_control_go_on(struct platform_control *control, struct baton_cause *cause);

/* True while a write is under way, in whichever process. */
bool win32_stream_is_writing(const struct platform_stream *stream);
/* Starts to watch what tells the end of the next operation. BATON_OK or BATON_SHORTAGE. */
int win32_stream_watch(struct platform_stream *stream, struct baton_cause *cause);

/* True if a packet means that a call which said AGAIN may be repeated. win32_stream_pipe_event()
 * may give the place back. */
bool win32_stream_socket_event(struct platform_stream *stream);
bool win32_stream_pipe_event(struct platform_stream *stream);

#endif
