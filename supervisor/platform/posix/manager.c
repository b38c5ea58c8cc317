/*
 * The service manager: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), as their pages have
 * the protocols. Its variables are not ours to hand on, and are not: handlers get of our
 * environment what the config names.
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_PASSED 3

/* A whole number of a variable; 0 if it is none. */
static uint64_t number_of(const char *name) {
    const char *text = getenv(name);
    char *end = NULL;
    errno = 0;
    unsigned long long number = text == NULL ? 0 : strtoull(text, &end, 10);
    return text == NULL || end == text || *end != '\0' || errno != 0 ? 0 : number;
}

static bool is_for_us(const char *name) {
    return number_of(name) == (uint64_t)getpid();
}

/* ---- What it is told ---- */

static void find_notify_socket(struct posix_manager *manager) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un *name = &manager->name;
    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        strlen(path) >= sizeof name->sun_path) {
        return;
    }
    name->sun_family = AF_UNIX;
    memcpy(name->sun_path, path, strlen(path));
    name->sun_path[0] = path[0] == '@' ? '\0' : '/'; /* an abstract one, unix(7) */
    manager->name_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* baton-keeper has no place where others could come: it hands down a socket. */
static void find_keeper(struct posix_manager *manager) {
    uint64_t number = number_of("BATON_KEEPER");
    if (number > STDERR_FILENO && number < INT_MAX &&
        posix_get_option((int)number, SO_TYPE) == SOCK_DGRAM &&
        posix_get_option((int)number, SO_DOMAIN) == AF_UNIX) {
        manager->socket = (int)number;
        fcntl(manager->socket, F_SETFD, FD_CLOEXEC);
    }
}

/* `descriptor` goes along, unless it is -1. */
static bool send_state(const struct posix_manager *manager, const char *state, int descriptor) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec bytes = {(char *)(uintptr_t)state, strlen(state)};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (manager->name_bytes > 0) {
        message.msg_name = (struct sockaddr_un *)(uintptr_t)&manager->name;
        message.msg_namelen = manager->name_bytes;
    }
    if (manager->socket < 0) {
        return true;
    }
    if (descriptor >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    }
    return sendmsg(manager->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS);
}

bool platform_manager_tell(struct platform *platform, const char *state) {
    return send_state(&platform->manager, state, -1);
}

/* Of what it keeps for us; names of systemd.socket(5) are its users'. */
#define KEPT_PREFIX "baton-kept-"
#define KEPT_LENT "-lent"

static bool is_kept_name(const char *name) {
    return text_equal_start(name, KEPT_PREFIX, sizeof KEPT_PREFIX - 1, false);
}

/* One that handlers had says so to the next of us, too. */
static void name_kept(const struct platform_listener *listener, uint32_t number, char *out,
                      size_t size_bytes) {
    text_format(out, size_bytes, KEPT_PREFIX "%u-%u%s", (unsigned)getpid(), (unsigned)number,
                listener->is_handed_over ? KEPT_LENT : "");
}

static bool forget_name(const struct posix_manager *manager, const char *name) {
    char state[128];
    text_format(state, sizeof state, "FDSTOREREMOVE=1\nFDNAME=%s", name);
    return send_state(manager, state, -1);
}

/* It has what it has passed: to keep that for us as well, or because it opens it itself. */
bool platform_manager_keep(struct platform_listener *listener) {
    struct posix_manager *manager = &listener->platform->manager;
    char name[64];
    char state[128];
    if (listener->passed != NULL || listener->kept_number != 0 || manager->socket < 0) {
        return true;
    }
    name_kept(listener, manager->kept_count + 1, name, sizeof name);
    text_format(state, sizeof state, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    if (!send_state(manager, state, listener->watch.descriptor)) {
        return false;
    }
    listener->kept_number = ++manager->kept_count;
    return true;
}

/* Where it takes nothing now, it passes that to the next of us, who has no use for it and says so.
 */
void platform_manager_forget(struct platform_listener *listener) {
    const struct posix_manager *manager = &listener->platform->manager;
    char name[64];
    if (listener->passed != NULL && listener->passed->is_kept) {
        (void)forget_name(manager, listener->passed->name);
        listener->passed->is_forgotten = true;
    } else if (listener->kept_number != 0) {
        name_kept(listener, listener->kept_number, name, sizeof name);
        (void)forget_name(manager, name);
        listener->kept_number = 0;
    }
}

uint64_t platform_manager_watchdog_us(const struct platform *platform) {
    return platform->manager.watchdog_us;
}

/* ---- What it passes ---- */

static bool find_kind(int descriptor, struct posix_passed *out) {
    int type = posix_get_option(descriptor, SO_TYPE);
    if (!posix_own_address(descriptor, &out->address)) {
        return false;
    }
    bool is_local = out->address.family == ADDRESS_UNIX;
    out->protocol = is_local ? PLATFORM_UNIX : type == SOCK_STREAM ? PLATFORM_TCP : PLATFORM_UDP;
    bool listens = posix_get_option(descriptor, SO_ACCEPTCONN) != 0;
    return type == SOCK_STREAM ? listens : type == SOCK_DGRAM && !is_local;
}

/* The name of a local socket is a text without its NUL if it fills all of the room. */
static void find_path(int descriptor, struct sockaddr_un *name) {
    socklen_t length = sizeof *name;
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)getsockname(descriptor, (struct sockaddr *)name, &length);
    name->sun_path[sizeof name->sun_path - 1] = '\0';
}

/* Takes the next name of a list in which ':' separates them. */
static const char *next_name(const char *names, struct posix_passed *out) {
    size_t length = strcspn(names, ":");
    size_t kept = length < sizeof out->name ? length : sizeof out->name - 1;
    memcpy(out->name, names, kept);
    out->name[kept] = '\0';
    return names + length + (names[length] == ':');
}

static int take_passed(struct posix_manager *manager) {
    uint64_t count = is_for_us("LISTEN_PID") ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    if (count == 0 || count > POSIX_PASSED_MAX_COUNT) {
        return BATON_OK;
    }
    manager->passed = calloc((size_t)count, sizeof *manager->passed);
    if (manager->passed == NULL) {
        return BATON_NO_MEMORY;
    }
    for (int i = 0; i < (int)count; i++) {
        struct posix_passed *passed = &manager->passed[i];
        passed->descriptor = FIRST_PASSED + i;
        names = names == NULL ? NULL : next_name(names, passed);
        passed->is_known = find_kind(passed->descriptor, passed);
        if (passed->protocol == PLATFORM_UNIX) {
            find_path(passed->descriptor, &passed->path);
        }
        passed->is_kept = is_kept_name(passed->name);
        passed->is_lent = passed->is_kept && strstr(passed->name, KEPT_LENT) != NULL;
    }
    manager->passed_count = (size_t)count;
    return BATON_OK;
}

static bool is_at(const struct posix_passed *passed, const struct platform_listener_spec *spec) {
    return spec->protocol == PLATFORM_UNIX ? strcmp(passed->path.sun_path, spec->path) == 0
                                           : address_equal(&passed->address, &spec->address);
}

static bool is_v6only(int descriptor) {
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &value, &length) == 0 && value != 0;
}

/* How a manager opens what it passes is its users' affair; what was kept is to be as the config
 * says by now. */
static bool is_usable(const struct posix_passed *passed, const struct platform_listener *listener,
                      const struct platform_listener_spec *spec) {
    struct stat status;
    if (!passed->is_known || passed->protocol != spec->protocol ||
        (passed->is_lent && !listener->is_handed_over)) {
        return false;
    }
    if (passed->is_kept && spec->protocol == PLATFORM_UNIX) {
        return lstat(passed->path.sun_path, &status) == 0 && S_ISSOCK(status.st_mode);
    }
    return !passed->is_kept || passed->address.family != ADDRESS_IPV6 ||
           is_v6only(passed->descriptor) == spec->v6only;
}

/* One is taken by its address even while another listener has it: that of before, on its way out.
 */
static struct posix_passed *find_passed(const struct platform_listener *listener,
                                        const struct platform_listener_spec *spec) {
    struct posix_manager *manager = &listener->platform->manager;
    struct posix_passed *by_name = NULL;
    for (size_t i = 0; i < manager->passed_count; i++) {
        struct posix_passed *passed = &manager->passed[i];
        if (!is_usable(passed, listener, spec)) {
            continue;
        }
        if (is_at(passed, spec)) {
            return passed;
        }
        if (by_name == NULL && passed->users_count == 0 && spec->name != NULL &&
            strcmp(passed->name, spec->name) == 0) {
            by_name = passed;
        }
    }
    return by_name;
}

/* It is the manager's as well, and ours to take again: so the listener has a copy. Its file was
 * made by the manager, who removes it. */
bool posix_passed_take(struct platform_listener *listener,
                       const struct platform_listener_spec *spec) {
    struct posix_passed *passed = find_passed(listener, spec);
    int copy = passed == NULL ? -1 : fcntl(passed->descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return false;
    }
    fcntl(copy, F_SETFL, listener->is_handed_over ? 0 : O_NONBLOCK);
    if (spec->protocol == PLATFORM_UNIX) {
        posix_local_adopt(listener, &passed->path);
    }
    passed->users_count++;
    passed->is_lent =
        passed->is_lent || (listener->is_handed_over && spec->protocol != PLATFORM_UDP);
    listener->passed = passed;
    listener->watch.descriptor = copy;
    return true;
}

void posix_passed_give(struct platform_listener *listener) {
    struct posix_passed *passed = listener->passed;
    listener->passed = NULL;
    if (passed != NULL && --passed->users_count == 0 && passed->is_forgotten) {
        passed->is_known = false;
        posix_close_descriptor(&passed->descriptor);
    }
}

/* What is kept gets another name, by which the next of us knows: platform_manager_keep(). */
void posix_passed_lend(struct platform_listener *listener) {
    struct posix_passed *passed = listener->passed;
    platform_manager_forget(listener);
    if (passed == NULL) {
        return;
    }
    passed->is_lent = true;
    if (passed->is_kept) {
        posix_passed_give(listener);
    }
}

bool platform_listener_is_passed(const struct platform_listener *listener) {
    return listener->passed != NULL;
}

static void describe(const struct posix_passed *passed, char out[PLATFORM_PASSED_TEXT_BYTES]) {
    char place[ADDRESS_TEXT_SIZE];
    const char *kind = !passed->is_known                  ? "of an unknown kind"
                       : passed->protocol == PLATFORM_UDP ? "udp "
                                                          : "";
    const char *where = !passed->is_known ? ""
                        : passed->protocol == PLATFORM_UNIX
                            ? passed->path.sun_path
                            : address_print(&passed->address, place, sizeof place);
    text_format(out, PLATFORM_PASSED_TEXT_BYTES, "%s%s%s%s", passed->name,
                passed->name[0] != '\0' ? " " : "", kind, where);
}

/* What it has kept, and nobody wants any more, is none of its users' business. */
bool platform_manager_unused(struct platform *platform, size_t index,
                             char out[PLATFORM_PASSED_TEXT_BYTES]) {
    struct posix_manager *manager = &platform->manager;
    for (size_t i = 0; i < manager->passed_count; i++) {
        struct posix_passed *passed = &manager->passed[i];
        if (passed->users_count > 0) {
            continue;
        }
        if (passed->is_kept) {
            if (passed->is_known && forget_name(manager, passed->name)) {
                passed->is_known = false;
                posix_close_descriptor(&passed->descriptor);
            }
        } else if (index-- == 0) {
            describe(passed, out);
            return true;
        }
    }
    return false;
}

/* ---- All of it ---- */

int posix_manager_open(struct platform *platform) {
    struct posix_manager *manager = &platform->manager;
    manager->socket = -1;
    find_notify_socket(manager);
    if (manager->socket < 0) {
        find_keeper(manager);
    }
    if (getenv("WATCHDOG_PID") == NULL || is_for_us("WATCHDOG_PID")) {
        manager->watchdog_us = number_of("WATCHDOG_USEC");
    }
    return platform_restarted() != NULL ? BATON_OK : take_passed(manager);
}

void posix_manager_close(struct platform *platform) {
    struct posix_manager *manager = &platform->manager;
    for (size_t i = 0; i < manager->passed_count; i++) {
        posix_close_any(manager->passed[i].descriptor);
    }
    free(manager->passed);
    posix_close_any(manager->socket);
}
