/* Local sockets: what becomes of the file. */
#include "harness.h"
#include "tester_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *in_scratch(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", system_scratch(), name);
    return path;
}

static struct platform_listener_spec local(const char *path) {
    return (struct platform_listener_spec){
        .protocol = PLATFORM_UNIX, .path = path, .mode = 0600, .backlog_count = 16};
}

static int try_listen(struct bench *bench, const struct platform_listener_spec *spec) {
    struct platform_listener *listener;
    int result =
        platform_listener_open(bench->platform, spec, bench_token(bench), &listener, &bench->cause);
    if (result != BATON_OK) {
        assert_null(listener);
    }
    platform_listener_close(&listener);
    return result;
}

static struct sockaddr_un name_of(const char *path) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof name.sun_path);
    memcpy(name.sun_path, path, strlen(path) + 1);
    return name;
}

/* A socket bound to `path` by somebody else. */
static int bind_other(const char *path, int type) {
    struct sockaddr_un name = name_of(path);
    int other = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_true(other >= 0);
    assert_int_equal(bind(other, (struct sockaddr *)&name, sizeof name), 0);
    return other;
}

static int try_connect(const char *path) {
    struct sockaddr_un name = name_of(path);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    if (connect(client, (struct sockaddr *)&name, sizeof name) != 0) {
        close(client);
        return -1;
    }
    return client;
}

static bool exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

static struct stat status_of(const char *path) {
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    return status;
}

static void test_accepts_and_names_the_peer(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    struct platform_listener_spec spec = local(path);
    spec.options.send_buffer_bytes = 40000;
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    struct address address;
    platform_listener_address(listener, &address);
    assert_int_equal(address.family, ADDRESS_UNIX);
    bench_expect_rest(bench);

    int client = try_connect(path);
    assert_true(client >= 0);
    struct platform_socket socket;
    struct address peer;
    struct address local_end;
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause), BATON_OK);
    assert_true(platform_socket_local(socket, &local_end));
    assert_int_equal(local_end.family, ADDRESS_UNIX);
    assert_int_equal(peer.family, ADDRESS_UNIX);
    assert_true(peer.has_uid);
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(fcntl((int)socket.value, F_GETFL) & O_NONBLOCK, 0);
    int buffer_bytes = 0;
    socklen_t length = sizeof buffer_bytes;
    getsockopt((int)socket.value, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &length);
    assert_int_equal(buffer_bytes, 80000);
    assert_int_equal(write(client, "x", 1), 1);
    char byte = 0;
    assert_int_equal(read((int)socket.value, &byte, 1), 1);
    bench_close_socket(bench, &socket);
    close(client);
    platform_listener_close(&listener);
    assert_false(exists(path));
}

/* For this thread alone: setgroups(3) has every thread do it, and ours take no signals. */
static void become_member(const gid_t *groups, size_t count) {
    assert_int_equal(syscall(SYS_setgroups, count, groups), 0);
}

/* Those that the client had when it connected: its own, and further ones, few or many. */
static void test_groups_of_the_client(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    struct platform_listener_spec spec = local(path);
    const size_t counts[] = {0, 1, 64, 65, 1000};
    gid_t before[NGROUPS_MAX + 1];
    int before_count = getgroups(NGROUPS_MAX, before);
    bool is_root = geteuid() == 0;
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    assert_true(before_count >= 0);
    for (size_t i = 0; i < sizeof counts / sizeof *counts && (is_root || i == 0); i++) {
        gid_t groups[1000];
        size_t count = counts[i];
        for (size_t j = 0; j < count; j++) {
            groups[j] = (gid_t)(70000 + j);
        }
        if (is_root) {
            become_member(groups, count);
        }
        int client = try_connect(path);
        assert_true(client >= 0);
        if (is_root) {
            become_member(before, (size_t)before_count);
        }
        struct platform_socket socket;
        struct address peer;
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause),
                         BATON_OK);
        const uint32_t own[] = {4000000000u, getegid()}, strange[] = {4000000000u, 4000000001u};
        const uint32_t last[] = {(uint32_t)(70000 + count - 1)};
        assert_true(platform_socket_in_groups(socket, own, 2));
        assert_false(platform_socket_in_groups(socket, strange, 2));
        assert_false(platform_socket_in_groups(socket, own, 0));
        assert_int_equal(platform_socket_in_groups(socket, last, 1), count > 0);
        bench_close_socket(bench, &socket);
        close(client);
    }
    platform_listener_close(&listener);
}

static void test_mode_whatever_the_umask(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    const mode_t masks[] = {0, 022, 077, 0777};
    const uint32_t modes[] = {0600, 0660, 0666, 0777, 0};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t before = umask(masks[i]);
        for (size_t j = 0; j < sizeof modes / sizeof modes[0]; j++) {
            struct platform_listener_spec spec = local(path);
            uint64_t token;
            spec.mode = modes[j];
            struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
            assert_int_equal(status_of(path).st_mode & 07777, modes[j]);
            platform_listener_close(&listener);
            assert_false(exists(path));
        }
        assert_int_equal(umask(before), masks[i]);
    }
}

/* In a folder with a default ACL the umask does not count (umask(2)). One that allows everything to
 * everybody, in the kernel's form: version 2, then tag, permissions, id. */
static void test_mode_in_a_folder_with_an_acl(void **state) {
    static const unsigned char everything[] = {2,    0,   0, 0, 1,   0,   7,   0,   255, 255,
                                               255,  255, 4, 0, 7,   0,   255, 255, 255, 255,
                                               0x20, 0,   7, 0, 255, 255, 255, 255};
    struct bench *bench = *state;
    char folder[256];
    snprintf(folder, sizeof folder, "%s/open", system_scratch());
    assert_int_equal(mkdir(folder, 0700), 0);
    bool has_acl =
        setxattr(folder, "system.posix_acl_default", everything, sizeof everything, 0) == 0;
    if (has_acl) {
        const char *path = in_scratch("open/socket");
        struct platform_listener_spec spec = local(path);
        uint64_t token;
        struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
        assert_int_equal(status_of(path).st_mode & 07777, 0600);
        platform_listener_close(&listener);
    }
    rmdir(folder);
    if (!has_acl) {
        print_message("no default ACL in %s: skipped\n", system_scratch());
        skip();
    }
}

static void expect_owner(struct bench *bench, const char *path, const uint32_t owner[2]) {
    struct platform_listener_spec spec = local(path);
    uint64_t token;
    spec.owner = owner;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    struct stat status = status_of(path);
    assert_int_equal(status.st_uid, owner[0] == IDENTITY_SAME ? geteuid() : owner[0]);
    assert_int_equal(status.st_gid, owner[1] == IDENTITY_SAME ? getegid() : owner[1]);
    assert_int_equal(status.st_mode & 0777, 0600);
    platform_listener_close(&listener);
    assert_false(exists(path));
}

static void test_owner(void **state) {
    const char *path = in_scratch("socket");
    bool is_root = geteuid() == 0;
    /* Others than root may give it to themselves only. */
    const uint32_t uid = is_root ? 12345 : geteuid();
    const uint32_t gid = is_root ? 23456 : getegid();
    expect_owner(*state, path, (const uint32_t[]){uid, gid});
    expect_owner(*state, path, (const uint32_t[]){uid, IDENTITY_SAME});
    expect_owner(*state, path, (const uint32_t[]){IDENTITY_SAME, gid});
    expect_owner(*state, path, (const uint32_t[]){IDENTITY_SAME, IDENTITY_SAME});
}

static void test_an_owner_that_may_not_be_given(void **state) {
    static const uint32_t root[] = {0, 0};
    const char *path = in_scratch("socket");
    if (geteuid() != 0) {
        struct platform_listener_spec spec = local(path);
        spec.owner = root;
        assert_int_equal(try_listen(*state, &spec), BATON_DENIED);
        assert_false(exists(path)); /* it was there for a moment */
    }
}

static void test_a_stale_file_is_replaced(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        close(bind_other(path, types[i]));
        assert_true(exists(path));
        struct platform_listener_spec spec = local(path);
        uint64_t token;
        struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
        int client = try_connect(path);
        assert_true(client >= 0);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        close(client);
        platform_listener_close(&listener);
        assert_false(exists(path));
    }
}

/* A server that has just bound may be about to listen; one of long ago is not, and the loop, in
 * which a reload opens hundreds, does not sleep for it. */
static void test_an_old_file_is_not_waited_for(void **state) {
    const char *path = in_scratch("socket");
    const struct timespec long_ago[] = {{1000000000, 0}, {1000000000, 0}};
    bool has_not_slept = false;
    for (int i = 0; i < 20 && !has_not_slept; i++) { /* for a disk it may */
        struct rusage before, after;
        struct platform_listener_spec spec = local(path);
        struct platform_listener *listener = NULL;
        struct baton_cause cause;
        close(bind_other(path, SOCK_STREAM));
        assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
        getrusage(RUSAGE_THREAD, &before);
        assert_int_equal(
            platform_listener_open(((struct bench *)*state)->platform, &spec, 1, &listener, &cause),
            BATON_OK);
        getrusage(RUSAGE_THREAD, &after);
        has_not_slept = after.ru_nvcsw == before.ru_nvcsw;
        platform_listener_close(&listener);
    }
    assert_true(has_not_slept);
}

static void test_another_is_at_it(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    char lock_path[300];
    snprintf(lock_path, sizeof lock_path, "%s.baton-lock", path);
    struct platform_listener_spec spec = local(path);
    close(bind_other(path, SOCK_STREAM));
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    assert_true(exists(path));
    assert_true(exists(lock_path));
    /* One that was left behind by a crash holds nobody up. */
    close(lock);
    assert_int_equal(try_listen(bench, &spec), BATON_OK);
    assert_false(exists(path));
    assert_false(exists(lock_path));
}

static void test_one_that_is_listened_on_is_in_use(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    struct platform_listener_spec spec = local(path);
    const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        int other = bind_other(path, types[i]);
        assert_true(types[i] == SOCK_DGRAM || listen(other, 0) == 0);
        struct stat before = status_of(path);
        for (int again = 0; again < 3; again++) { /* the backlog of one fills up */
            assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
            assert_int_equal(bench->cause.system_code, EADDRINUSE);
        }
        assert_true(status_of(path).st_ino == before.st_ino);
        close(other);
        unlink(path);
    }
    /* By another listener of our own. */
    uint64_t token;
    struct platform_listener *first = bench_listen_as(bench, &spec, &token);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    int client = try_connect(path);
    assert_true(client >= 0);
    close(client);
    platform_listener_close(&first);
}

static void test_other_files_are_left_alone(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("file");
    char target[256];
    snprintf(target, sizeof target, "%s/target", system_scratch());
    struct platform_listener_spec spec = local(path);

    system_write_file(path, "precious", false);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    assert_int_equal(status_of(path).st_size, 8);
    unlink(path);

    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    assert_true(S_ISDIR(status_of(path).st_mode));
    rmdir(path);

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    assert_true(S_ISFIFO(status_of(path).st_mode));
    unlink(path);

    /* A link to a stale socket is no socket. */
    close(bind_other(target, SOCK_STREAM));
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    assert_true(S_ISLNK(status_of(path).st_mode));
    assert_true(exists(target));
    unlink(target);
    assert_int_equal(try_listen(bench, &spec), BATON_IN_USE);
    assert_true(S_ISLNK(status_of(path).st_mode));
    unlink(path);
}

static void test_removed_only_if_it_is_ours(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    char moved[256];
    snprintf(moved, sizeof moved, "%s/moved", system_scratch());
    struct platform_listener_spec spec = local(path);
    uint64_t token;

    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    assert_int_equal(unlink(path), 0);
    int other = bind_other(path, SOCK_STREAM);
    struct stat theirs = status_of(path);
    platform_listener_close(&listener);
    assert_true(status_of(path).st_ino == theirs.st_ino);
    close(other);
    unlink(path);

    listener = bench_listen_as(bench, &spec, &token);
    assert_int_equal(rename(path, moved), 0);
    system_write_file(path, "precious", false);
    platform_listener_close(&listener);
    assert_int_equal(status_of(path).st_size, 8);
    assert_true(exists(moved));
    unlink(path);
    unlink(moved);

    listener = bench_listen_as(bench, &spec, &token);
    unlink(path);
    platform_listener_close(&listener);
    assert_false(exists(path));

    /* A change of its owner or mode does not make it another one. */
    listener = bench_listen_as(bench, &spec, &token);
    assert_int_equal(chmod(path, 0666), 0);
    platform_listener_close(&listener);
    assert_false(exists(path));
}

static void test_length_of_paths(void **state) {
    struct bench *bench = *state;
    char path[256];
    const size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    snprintf(path, sizeof path, "%s/", system_scratch());
    size_t length = strlen(path);
    memset(path + length, 'x', sizeof path - length);
    path[longest] = '\0';
    struct platform_listener_spec spec = local(path);
    close(bind_other(path, SOCK_STREAM)); /* the lock has a longer name */
    assert_int_equal(try_listen(bench, &spec), BATON_OK);
    assert_false(exists(path));
    path[longest] = 'x';
    path[longest + 1] = '\0';
    assert_int_equal(try_listen(bench, &spec), BATON_TOO_LONG);
    assert_false(exists(path));
}

static void test_folders(void **state) {
    struct bench *bench = *state;
    struct platform_listener_spec spec = local(in_scratch("absent/socket"));
    assert_int_equal(try_listen(bench, &spec), BATON_NOT_FOUND);
    assert_int_equal(bench->cause.system_code, ENOENT);
    if (geteuid() != 0) { /* who may write everywhere */
        char folder[256];
        snprintf(folder, sizeof folder, "%s/closed", system_scratch());
        assert_int_equal(mkdir(folder, 0500), 0);
        spec.path = in_scratch("closed/socket");
        assert_int_equal(try_listen(bench, &spec), BATON_DENIED);
        rmdir(folder);
    }
}

static void test_handed_over(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    struct platform_listener_spec spec = local(path);
    uint64_t token;
    spec.is_handed_over = true;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    struct platform_program_spec with_listener = {.listener_count = 1};
    struct platform_program *program = BENCH_RECIPE(bench, with_listener, "serve-listener");
    for (int i = 0; i < 2; i++) {
        int client = try_connect(path);
        assert_true(client >= 0);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        platform_listener_pause(listener);
        struct platform_launch launch = {.program = program,
                                         .output = bench->output,
                                         .streams = PLATFORM_STREAMS_LISTENERS,
                                         .socket = PLATFORM_SOCKET_NONE,
                                         .listeners = &listener,
                                         .token = bench_token(bench)};
        struct platform_launched made = bench_start(bench, &launch);
        char text[16];
        client_send((uintptr_t)client, "hello");
        client_end_sending((uintptr_t)client);
        client_receive_all((uintptr_t)client, text, sizeof text);
        assert_string_equal(text, "hello");
        close(client);
        bench_finish(bench, &made.process, launch.token);
        platform_listener_resume(listener);
        bench_expect_rest(bench);
    }
    platform_program_destroy(&program);
    platform_listener_close(&listener);
    assert_false(exists(path));
}

/* Who has connected and has gone is not the end of a stream's world: local sockets report both
 * ways at once. */
static void test_a_stream_over_it(void **state) {
    struct bench *bench = *state;
    const char *path = in_scratch("socket");
    struct platform_listener_spec spec = local(path);
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    int client = try_connect(path);
    struct platform_socket socket = bench_accept_next(bench, listener, token);
    struct platform_stream *stream;
    uint64_t stream_token = bench_token(bench);
    assert_int_equal(
        platform_stream_open(bench->platform, socket, stream_token, &stream, &bench->cause),
        BATON_OK);
    char text[8] = "";
    client_send((uintptr_t)client, "abc");
    close(client);
    bench_expect_rest(bench);
    assert_int_equal(bench_stream_read(bench, stream, stream_token, text, 3), BATON_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(bench_stream_read(bench, stream, stream_token, text, 1), BATON_END);
    assert_int_equal(bench_stream_write(bench, stream, stream_token, "x", 1), BATON_GONE);
    bench_expect_rest(bench);
    platform_stream_close(&stream);
    bench_close_socket(bench, &socket);
    platform_listener_close(&listener);
}

#define RIVAL_COUNT 8

/* Tells by one byte how it went, and keeps what it got until it is killed. */
_Noreturn static void compete(const char *path, int start, int result_out) {
    struct platform *platform;
    struct platform_listener *listener;
    struct baton_cause cause;
    struct platform_listener_spec spec = local(path);
    spec.backlog_count = 64; /* the others look whether we listen, and none is taken */
    char byte = platform_open(&platform, &cause) == BATON_OK ? 0 : 'p';
    if (byte == 0 && read(start, &byte, 1) == 0) { /* the end: all at once */
        int result = platform_listener_open(platform, &spec, 1, &listener, &cause);
        byte = 'x';
        byte = result == BATON_OK ? 'y' : byte;
        byte = result == BATON_IN_USE ? 'n' : byte;
    }
    if (write(result_out, &byte, 1) != 1) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static void test_of_many_at_once_one_gets_it(void **state) {
    (void)state;
    const char *path = in_scratch("socket");
    for (int round = 0; round < 10; round++) {
        int start[2];
        int results[2];
        pid_t rivals[RIVAL_COUNT];
        int won_count = 0;
        unlink(path);
        close(bind_other(path, SOCK_STREAM));
        assert_int_equal(pipe(start), 0);
        assert_int_equal(pipe(results), 0);
        for (int i = 0; i < RIVAL_COUNT; i++) {
            rivals[i] = fork_bound();
            assert_true(rivals[i] >= 0);
            if (rivals[i] == 0) {
                close(start[1]);
                compete(path, start[0], results[1]);
            }
        }
        close(start[0]);
        close(start[1]);
        close(results[1]);
        for (int i = 0; i < RIVAL_COUNT; i++) {
            char byte = 0;
            assert_int_equal(read(results[0], &byte, 1), 1);
            assert_true(byte == 'y' || byte == 'n');
            won_count += byte == 'y';
        }
        int client = try_connect(path);
        for (int i = 0; i < RIVAL_COUNT; i++) {
            kill(rivals[i], SIGKILL);
            waitpid(rivals[i], NULL, 0);
        }
        close(results[0]);
        assert_int_equal(won_count, 1);
        assert_true(client >= 0);
        close(client);
        char lock[300];
        snprintf(lock, sizeof lock, "%s.baton-lock", path);
        assert_false(exists(lock));
    }
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_accepts_and_names_the_peer),
        WITH_BENCH(test_groups_of_the_client),
        WITH_BENCH(test_mode_whatever_the_umask),
        WITH_BENCH(test_mode_in_a_folder_with_an_acl),
        WITH_BENCH(test_owner),
        WITH_BENCH(test_an_owner_that_may_not_be_given),
        WITH_BENCH(test_a_stale_file_is_replaced),
        WITH_BENCH(test_an_old_file_is_not_waited_for),
        WITH_BENCH(test_another_is_at_it),
        WITH_BENCH(test_one_that_is_listened_on_is_in_use),
        WITH_BENCH(test_other_files_are_left_alone),
        WITH_BENCH(test_removed_only_if_it_is_ours),
        WITH_BENCH(test_length_of_paths),
        WITH_BENCH(test_folders),
        WITH_BENCH(test_handed_over),
        WITH_BENCH(test_a_stream_over_it),
        cmocka_unit_test(test_of_many_at_once_one_gets_it),
    };
    return cmocka_run_group_tests_name("posix_local", tests, NULL, bench_remove_scratch);
}
