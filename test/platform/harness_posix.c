#include "harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const bool system_channel_is_packets = true;

size_t system_descriptor_count(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

uint64_t system_cpu_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000u + (uint64_t)used.tv_nsec / 1000u;
}

size_t system_memory_bytes(void) {
    unsigned long total_pages = 0;
    unsigned long resident_pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total_pages, &resident_pages), 2);
    fclose(file);
    return resident_pages * (size_t)sysconf(_SC_PAGESIZE);
}

uint32_t system_memory_peak_kib(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint32_t)usage.ru_maxrss;
}

/* The state letter of proc(5): Z and X are dead. */
bool system_process_lives(uint32_t pid) {
    char path[64];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    const char *state = got > 0 ? strrchr(text, ')') : NULL;
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

/* Where the kernel (or valgrind in front of it) has no pidfd_open(2), there is no event to wait
 * for. */
static bool watch_until_dead(uint32_t pid) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t deadline_s = now.tv_sec + 20;
    while (system_process_lives(pid) && now.tv_sec < deadline_s) {
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return !system_process_lives(pid);
}

bool system_process_ends(uint32_t pid) {
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0) {
        return errno == ENOSYS ? watch_until_dead(pid) : errno == ESRCH;
    }
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    int result = poll(&ended, 1, 20000);
    close(handle);
    return result == 1;
}

void system_kill(uint32_t pid) {
    kill((pid_t)pid, SIGKILL);
}

void system_go(uint32_t pid) {
    kill((pid_t)pid, SIGUSR1);
}

void system_set_variable(const char *name, const char *value) {
    setenv(name, value, 1);
}

void system_write_file(const char *path, const char *text, bool executable) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, executable ? 0755 : 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

void system_remove_file(const char *path) {
    unlink(path);
}

void system_make_directory(const char *path) {
    if (mkdir(path, 0755) != 0) {
        assert_int_equal(errno, EEXIST);
    }
}

void system_remove_directory(const char *path) {
    rmdir(path);
}

const char *system_scratch(void) {
    static char path[64];
    if (path[0] == '\0') {
        snprintf(path, sizeof path, "/tmp/baton-platform-XXXXXX");
        assert_non_null(mkdtemp(path));
    }
    return path;
}

static socklen_t to_system(const struct address *address, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(address->port);
        memcpy(&ipv4->sin_addr, address->bytes, 4);
        return sizeof *ipv4;
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(address->port);
    memcpy(&ipv6->sin6_addr, address->bytes, 16);
    return sizeof *ipv6;
}

uintptr_t client_connect(const struct address *address) {
    struct sockaddr_storage name;
    socklen_t length = to_system(address, &name);
    int client = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, length), 0);
    return (uintptr_t)client;
}

void client_send(uintptr_t client, const char *text) {
    assert_int_equal(send((int)client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void client_send_urgent(uintptr_t client, const char *text) {
    assert_int_equal(send((int)client, text, strlen(text), MSG_NOSIGNAL | MSG_OOB),
                     (ssize_t)strlen(text));
}

bool server_urgent_arrives(uintptr_t server) {
    struct pollfd wait = {.fd = (int)server, .events = POLLPRI};
    char byte;
    return poll(&wait, 1, 20000) == 1 && recv((int)server, &byte, 1, MSG_OOB) == 1;
}

void client_receive_all(uintptr_t client, char *text, size_t size) {
    size_t done = 0;
    ssize_t got;
    while (done + 1 < size && (got = recv((int)client, text + done, size - 1 - done, 0)) > 0) {
        done += (size_t)got;
    }
    text[done] = '\0';
}

void client_end_sending(uintptr_t client) {
    shutdown((int)client, SHUT_WR);
}

void client_close(uintptr_t client) {
    close((int)client);
}

void client_reset(uintptr_t client) {
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt((int)client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close((int)client);
}

void client_send_datagram(const struct address *address, const char *text) {
    struct sockaddr_storage name;
    socklen_t length = to_system(address, &name);
    int client = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    assert_int_equal(sendto(client, text, strlen(text), 0, (struct sockaddr *)&name, length),
                     (ssize_t)strlen(text));
    close(client);
}

bool client_can_listen_ipv6(void) {
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can = probe >= 0 && bind(probe, (struct sockaddr *)&name, sizeof name) == 0;
    if (probe >= 0) {
        close(probe);
    }
    return can;
}
