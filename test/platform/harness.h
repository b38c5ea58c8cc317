/*
 * What the platform tests share: an open platform with an output, a client's side of a connection,
 * launching the child, waiting for an event with a deadline that only a failing test reaches.
 * harness_posix.c and harness_win32.c hold what differs between systems.
 */
#ifndef BATON_TEST_PLATFORM_HARNESS_H
#define BATON_TEST_PLATFORM_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/address.h"
#include "platform/platform.h"
#include "platform/sized.h"
#include "wire.h"

#define BENCH_PROCESS_COUNT 8
#define BENCH_STREAM_COUNT 8
#define BENCH_NONCE "000102030405060708090a0b0c0d0e0f"
#define BENCH_QUEUE_COUNT 64
#define FRAME_TO_SUPERVISOR_MAX (WIRE_HEADER_BYTES + WIRE_BODY_MAX_TO_SUPERVISOR)

struct bench {
    struct platform *platform;
    struct platform_output *output;
    struct platform_log *log; /* NULL = not open; closed with the platform */
    uint64_t output_token;
    uint64_t last_token;
    struct baton_cause cause;
    struct platform_event queue[BENCH_QUEUE_COUNT]; /* seen while waiting for something else */
    size_t queue_count;
    char text[1 << 16]; /* what processes have written since bench_forget_text() */
    size_t text_length;
    uint32_t ended_pids[BENCH_QUEUE_COUNT]; /* whose BATON_END platform_output_read() told */
    size_t ended_pid_count;
    size_t descriptor_count; /* before the platform was opened */
};

/* cmocka setup and teardown: *state is the bench. The teardown fails if the test has left a
 * descriptor open (POSIX; Windows' own threads keep handles, so there test_leaks compares). */
int bench_setup(void **state);
int bench_teardown(void **state);

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

/* Set in the environment when the tests run under valgrind, where vfork is fork (a failed launch is
 * an exit code) and RLIMIT_NOFILE is simulated; tests that look at these are skipped then. */
#define UNDER_VALGRIND "BATON_TEST_UNDER_VALGRIND"

uint64_t bench_token(struct bench *bench);

/* Waits until `kind` with `token` was reported; fails the test after a generous deadline. */
void bench_await(struct bench *bench, enum platform_event_kind kind, uint64_t token);

/* Looks, without waiting, at what is reported now; true if `kind` with `token` is among it or was
 * seen before. */
bool bench_has(struct bench *bench, enum platform_event_kind kind, uint64_t token);

/* Forgets the events seen so far, but no EXIT, which is told once only. */
void bench_forget_events(struct bench *bench);

/* Waits 50 ms; fails the test if anything at all is reported. */
void bench_expect_silence(struct bench *bench);
/* The same, and platform_wait() must not turn inside, which would use all of the time. */
void bench_expect_rest(struct bench *bench);

/* Launches the child with `actions` (ends with NULL), and the token that the events bear. */
struct platform_process *bench_launch(struct bench *bench, const char *const *actions,
                                      uint64_t *token);
/* The same; its output goes to `output` (NULL = nowhere). */
/* Opens the log, or opens it anew: the file at `path`, NULL = standard error. The cause is kept. */
int bench_log_open(struct bench *bench, const char *path);
/* Writes everything to the log, waiting until `deadline_us` at most. False if something is left, or
 * is not with the system. */
bool bench_log_write_all(struct bench *bench, const char *bytes, size_t length,
                         uint64_t deadline_us);

/* Closes it, and lets the platform begin with that. */
void bench_close_socket(struct bench *bench, struct platform_socket *socket);

/* Fails unless `count` descriptors are open soon: some are let go, which another thread does. */
void bench_expect_descriptors(struct bench *bench, size_t count);

/* The number of launchers, in the environment; none = launches are made in the loop. */
#define BENCH_LAUNCHERS "BATON_TEST_LAUNCHERS"

/* For platform_sizes, from the next bench_setup() on. */
extern bool bench_takes_rights;
extern size_t bench_process_count;   /* BENCH_PROCESS_COUNT at first */
extern uint32_t bench_reserve_count; /* 0 at first */

struct platform_process *bench_launch_to(struct bench *bench, struct platform_output *output,
                                         const char *const *actions, uint64_t *token);
#define LAUNCH(bench, token, ...)                                                                  \
    bench_launch(bench, (const char *const[]){__VA_ARGS__, NULL}, token)

/* The child's path; static. */
const char *bench_child_path(void);

/* A recipe for the child, with a channel. The caller destroys it. */
struct platform_program *bench_program(struct bench *bench, const char *const *actions,
                                       const char *const *environment, const char *directory);
/* The same with all that `spec` says but path and argv. */
struct platform_program *bench_recipe(struct bench *bench, const char *const *actions,
                                      struct platform_program_spec spec);
#define BENCH_RECIPE(bench, spec, ...)                                                             \
    bench_recipe(bench, (const char *const[]){__VA_ARGS__, NULL}, spec)

/* Launches with a channel and BENCH_NONCE, its output to the bench's. */
int bench_try_launch(struct bench *bench, const struct platform_program *program, uint64_t token,
                     struct platform_process **process);
/* platform_launch(), and platform_launch_end() where a launcher makes the child. */
int bench_launch_as(struct bench *bench, const struct platform_launch *launch,
                    struct platform_launched *out);
/* That, which must succeed. */
struct platform_launched bench_start(struct bench *bench, const struct platform_launch *launch);

/* Reads output until `wanted` is in bench->text. */
void bench_await_text(struct bench *bench, const char *wanted);
void bench_forget_text(struct bench *bench);

/* Waits for the end, reads all that was written, closes the process, returns how it ended. */
struct platform_exit bench_finish(struct bench *bench, struct platform_process **process,
                                  uint64_t token);

/* Waits for the next frame. Returns its length. */
size_t bench_receive(struct bench *bench, struct platform_process *process, uint64_t token,
                     uint8_t frame[FRAME_TO_SUPERVISOR_MAX]);

/* Waits until the channel gives something else than a frame or AGAIN, and returns that. */
int bench_receive_fault(struct bench *bench, struct platform_process *process, uint64_t token);

/* A description of a listener for TCP. */
struct platform_listener_spec bench_tcp(const struct address *address);
/* Tries to open one there for TCP. */
int bench_try_listen(struct bench *bench, const struct address *address, uint64_t token,
                     struct platform_listener **listener);
/* Opens one, which must succeed. */
struct platform_listener *
bench_listen_as(struct bench *bench, const struct platform_listener_spec *spec, uint64_t *token);
/* A listener on a free port of 127.0.0.1. */
struct platform_listener *bench_listen(struct bench *bench, uint64_t *token,
                                       struct address *address);
/* What platform_listener_accept() says, whoever the client is. */
int bench_try_accept(struct bench *bench, struct platform_listener *listener,
                     struct platform_socket *socket);
/* Goes on until that is something else than AGAIN. */
int bench_await_accept(struct bench *bench, struct platform_listener *listener, uint64_t token,
                       struct platform_socket *socket);
/* Connects a client and accepts it. */
struct platform_socket bench_accept(struct bench *bench, struct platform_listener *listener,
                                    uint64_t token, uintptr_t *client);

/* Accepts a client that has connected: waits for its event, and then it must be there. */
struct platform_socket bench_accept_next(struct bench *bench, struct platform_listener *listener,
                                         uint64_t token);

/* A client that was accepted, and the listener that it came to. */
struct bench_connection {
    struct platform_listener *listener;
    struct address address; /* the listener's */
    struct platform_socket socket;
    uintptr_t client;
};
struct bench_connection bench_connect(struct bench *bench);
/* Closes both ends and the listener. The socket may have been closed before. */
void bench_disconnect(struct bench *bench, struct bench_connection *connection);

/* Sends an OFFER with `socket` to the process. */
int bench_offer(struct bench *bench, struct platform_process *process,
                struct platform_socket socket);

/* Launches a process that finds such an OFFER in its channel: platform_offers_at_launch(). */
struct platform_process *bench_launch_with_offer(struct bench *bench, const char *const *actions,
                                                 struct platform_socket socket, uint64_t *token);

struct address bench_loopback(void);

/* Waits for the end, closes the process, returns how it ended. For one whose output nobody
 * collects.
 */
struct platform_exit bench_await_exit(struct bench *bench, struct platform_process **process,
                                      uint64_t token);

/* Reads until `length` bytes are there (BATON_OK), or returns what came instead. Waits for events.
 */
int bench_stream_read(struct bench *bench, struct platform_stream *stream, uint64_t token,
                      char *bytes, size_t length);
/* Writes all; the same. */
int bench_stream_write(struct bench *bench, struct platform_stream *stream, uint64_t token,
                       const char *bytes, size_t length);

/* cmocka group teardown: removes the folder of system_scratch(). */
int bench_remove_scratch(void **state);

/* ---- What differs between systems: harness_posix.c, harness_win32.c ---- */

/* Descriptors or handles that this process has open. */
size_t system_descriptor_count(void);
/* CPU time that this process has used, in microseconds. */
uint64_t system_cpu_us(void);
/* Memory of this process that costs the system something: what is resident (POSIX), what is
 * committed (Windows). */
size_t system_memory_bytes(void);
/* The most of it that was resident so far, in KiB; 0 = not known (Windows). */
uint32_t system_memory_peak_kib(void);
/* True while a process with that id lives (a zombie does not). */
bool system_process_lives(uint32_t pid);
/* Ends when the process does; false after a generous deadline. */
bool system_process_ends(uint32_t pid);
void system_kill(uint32_t pid);
/* Lets a child go on that has done "prepare-go" and does "wait-for-go", now or later. */
void system_go(uint32_t pid);
void system_set_variable(const char *name, const char *value);
/* Makes and removes files. */
void system_write_file(const char *path, const char *text, bool executable);
void system_remove_file(const char *path);
void system_make_directory(const char *path);
void system_remove_directory(const char *path);
/* A folder for scratch files, without a final separator. */
const char *system_scratch(void);
/* True if the packets of the channel keep their borders. */
extern const bool system_channel_is_packets;

/* A client's blocking socket. */
uintptr_t client_connect(const struct address *address);
void client_send(uintptr_t client, const char *text);
/* Sends its last byte as urgent (MSG_OOB). */
void client_send_urgent(uintptr_t client, const char *text);
/* Whether an urgent byte of the client's waits apart from the others, as it does by itself; within
 * the bench's deadline. */
bool server_urgent_arrives(uintptr_t server);
/* Reads until the end, at most `size` - 1 bytes, and ends with NUL. */
void client_receive_all(uintptr_t client, char *text, size_t size);
void client_end_sending(uintptr_t client);
void client_close(uintptr_t client);
/* Closes with a reset. */
void client_reset(uintptr_t client);
/* Sends one datagram from a socket of its own, which is closed again. */
void client_send_datagram(const struct address *address, const char *text);
/* False where the machine has no ::1. */
bool client_can_listen_ipv6(void);

#endif
