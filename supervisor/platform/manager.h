/*
 * The service manager that may have started us (systemd(1)): a part of platform.h, whose rules hold
 * here too. On Windows it is the host of the Windows service, which speaks to the SCM for us
 * (windows_service.h): it is told READY, STOPPING and EXTEND_TIMEOUT_USEC, and there is no more.
 */
#ifndef BATON_PLATFORM_MANAGER_H
#define BATON_PLATFORM_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;
struct platform_listener;

/* Tells it `state`: assignments, a line each ("READY=1\nSTATUS=..."), at most 512 bytes;
 * sd_notify(3). True where none has asked for it, too. Never waits: false if it takes nothing now.
 */
#define PLATFORM_MANAGER_STATE_BYTES 512
bool platform_manager_tell(struct platform *platform, const char *state);

/* Has it keep a copy of an open listener (FDSTORE of sd_notify(3)), which it passes to the next of
 * us, so that clients wait there while there is none. False if it takes nothing now. True where it
 * has one already. To be forgotten when the listener is closed because nobody is to come there any
 * more, not when we end. */
bool platform_manager_keep(struct platform_listener *listener);
void platform_manager_forget(struct platform_listener *listener);

/* How often it wants to be told WATCHDOG=1 at least, in microseconds (sd_watchdog_enabled(3)); 0 =
 * not at all. */
uint64_t platform_manager_watchdog_us(const struct platform *platform);

/* True if the listener is of a socket that the manager has opened and passed to us
 * (sd_listen_fds(3)): platform_listener_open() takes it where the address is the same, or, if no
 * passed one has that, the name (FileDescriptorName= of systemd.socket(5)) is spec.name and nobody
 * else uses it. The address is the passed one's then. */
bool platform_listener_is_passed(const struct platform_listener *listener);

/* Writes what the `index`th of those sockets is ("web 0.0.0.0:80", "udp [::]:69", "/run/x") that no
 * listener uses now, counted from 0, to `out`. False if there are not so many. */
#define PLATFORM_PASSED_TEXT_BYTES 256
bool platform_manager_unused(struct platform *platform, size_t index,
                             char out[PLATFORM_PASSED_TEXT_BYTES]);

#endif
