/*
 * What `misbehave` needs of the operating system: its end of the channel, its socket, and ways to
 * end badly. posix/ and win32/ are the two bodies. The receiving side is written here anew, not
 * taken from the SDK, so that the tests do not lean on the code that they test.
 *
 * Failures that a test cannot want end the process with exit code 90 and a line on standard error.
 */
#ifndef MISBEHAVE_SYSTEM_H
#define MISBEHAVE_SYSTEM_H

#include "wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSTEM_SOCKET_NONE UINTPTR_MAX

/* A process that hangs or waits ends by itself after this time, so that a failed test leaves no
 * process for ever. No test waits for it. */
#define SYSTEM_LIFE_MAX_S 120

/* Reads the environment and opens the channel. `nonce` gets what BATON_NONCE says. */
void system_open(uint8_t nonce[WIRE_NONCE_BYTES]);

uint32_t system_own_pid(void);

/* The pid of the process that launched this one: with no shim between, the supervisor. */
uint32_t system_parent_pid(void);

/* Writes to the channel: POSIX: one packet; Windows: bytes. Blocks. A closed channel is no error.
 */
void system_send(const void *bytes, size_t length);

/* The same with a descriptor attached, which the protocol forbids. POSIX only; elsewhere false. */
bool system_send_with_descriptor(const void *bytes, size_t length);

/* Receives and decodes one frame; *socket gets the socket that came with an OFFER (the caller
 * closes it) or SYSTEM_SOCKET_NONE. `message` points into static memory, valid until the next call.
 * Blocks. Returns false at the end of the channel. */
bool system_receive(struct wire_message *message, uintptr_t *socket);

void system_channel_close(void);

/* recv(2), send(2) of everything, close(2). read returns 0 at the end of the stream and after an
 * error. */
size_t system_socket_read(uintptr_t socket, void *buffer, size_t size_bytes);
void system_socket_write(uintptr_t socket, const void *bytes, size_t length);
void system_socket_close(uintptr_t socket);

/* Waits until the client sends or ends (false) or the supervisor drains (true). */
bool system_wait_for_drain(uintptr_t socket);

/* Writes to standard output or error at once, past any buffer. */
void system_write(bool to_error, const void *bytes, size_t length);

/* Appends one byte to the file and returns its size: the number of this launch. */
uint32_t system_count_launch(const char *path);

/* Lets time pass: for acts that are late on purpose. */
void system_pause_ms(uint32_t duration_ms);

void system_crash(void);
void system_hang(void);
void system_ignore_terminate(void);

/* Starts this executable again with `argv` (ends with NULL). `escape`: POSIX: in a session of its
 * own, with a double fork. Windows: the same as without. The child gets our channel and streams. */
enum system_spawn { SYSTEM_SPAWN_CHILD, SYSTEM_SPAWN_ESCAPE };
void system_spawn(const char *const *argv, enum system_spawn how);

/* Starts this executable with `argv`, waits for its end and returns its exit code. */
int system_run(const char *const *argv);

/* Returns when standard input has ended. */
void system_wait_for_input_end(void);

/* One line that lists what this process could have inherited: POSIX: every open descriptor;
 * Windows: every inheritable handle. `name` and `count` as the body documents. */
void system_list_handles(char *out, size_t size_bytes);

/* One line of facts about the parent: pid=, handles= (descriptors or handles). */
void system_parent_facts(char *out, size_t size_bytes);

#endif
