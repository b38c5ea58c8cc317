/* The hand-over where the kernel lets nothing more be sent: a user may have no more descriptors
 * under way than its sender's limit of descriptors says, and who else of that user has some under
 * way is nobody's choice. */
#include "harness.h"

#include "platform/posix/internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNDER_WAY_COUNT 250 /* a packet takes 253 */
#define FEWER_COUNT 100     /* more than anybody needs here */

/* Those who have one of these two may have any number under way. */
#define PRIVILEGES (1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_ADMIN)

static void set_privileges(bool are_wanted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    data[0].effective = are_wanted ? data[0].permitted : data[0].effective & ~PRIVILEGES;
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

struct crowd {
    int ends[2];
    struct rlimit before;
};

/* From here on many are under way, and our limit is `limit_count`. */
static void begin_crowd(struct crowd *crowd, rlim_t limit_count) {
    int descriptors[UNDER_WAY_COUNT];
    union {
        char bytes[CMSG_SPACE(sizeof descriptors)];
        struct cmsghdr align;
    } control = {{0}};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, crowd->ends), 0);
    memset(descriptors, 0, sizeof descriptors); /* standard input, over and over */
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(&control.align), descriptors, sizeof descriptors);
    assert_int_equal(sendmsg(crowd->ends[0], &message, 0), 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &crowd->before), 0);
    const struct rlimit lowered = {limit_count, crowd->before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    set_privileges(false);
}

static void end_crowd(struct crowd *crowd) {
    set_privileges(true);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &crowd->before), 0);
    close(crowd->ends[0]);
    close(crowd->ends[1]);
}

static struct platform_launch launch_of(struct bench *bench, const struct platform_program *program,
                                        const struct bench_connection *connection) {
    return (struct platform_launch){.program = program,
                                    .streams = PLATFORM_STREAMS_SOCKET,
                                    .output = bench->output,
                                    .error_follows_output = false,
                                    .socket = connection->socket,
                                    .token = bench_token(bench)};
}

/* The connection is the launched program's: it copies what comes until that ends. */
static void expect_copy(struct bench *bench, const struct bench_connection *connection,
                        struct platform_launched *made, uint64_t token) {
    char text[16];
    client_send(connection->client, "hello");
    client_end_sending(connection->client);
    client_receive_all(connection->client, text, sizeof text);
    assert_string_equal(text, "hello");
    assert_int_equal(bench_finish(bench, &made->process, token).code, 0);
}

static void test_too_many_of_others_for_us(void **state) {
    struct bench *bench = *state;
    size_t before_count = system_descriptor_count();
    const struct platform_program_spec spec = {.has_channel = false};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "copy-input");
    struct bench_connection connection = bench_connect(bench);
    struct platform_launch launch = launch_of(bench, program, &connection);
    struct platform_launched made;
    struct crowd crowd;
    begin_crowd(&crowd, FEWER_COUNT);
    int result = platform_launch(bench->platform, &launch, &made, &bench->cause);
    end_crowd(&crowd);
    assert_int_equal(result, BATON_OK);
    assert_false(made.has_taken_socket);
    bench_close_socket(bench, &connection.socket);
    expect_copy(bench, &connection, &made, launch.token);
    bench_disconnect(bench, &connection);
    platform_program_destroy(&program);
    bench_expect_descriptors(bench, before_count);
}

/* With the program's last step replaced by one that fails. */
static int launch_in_vain(struct bench *bench, struct platform_program *program,
                          const struct platform_launch *launch, struct platform_launched *made) {
    const struct plan whole = program->plan;
    struct crowd crowd;
    program->plan.steps[whole.count - 1] =
        (struct step){.kind = STEP_DIRECTORY, .directory = "/there/is/no/such"};
    begin_crowd(&crowd, UNDER_WAY_COUNT * 2);
    int result = platform_launch(bench->platform, launch, made, &bench->cause);
    end_crowd(&crowd);
    program->plan = whole;
    return result;
}

static struct platform_program *recipe(struct bench *bench, bool has_fewer) {
    struct identity identity = {
        .uid = IDENTITY_SAME,
        .gid = IDENTITY_SAME,
        .oom_score_adj = 0,
        .limits = {IDENTITY_SAME, IDENTITY_SAME, IDENTITY_SAME, IDENTITY_SAME, IDENTITY_SAME}};
    identity.umask_bits = umask(0);
    umask((mode_t)identity.umask_bits);
    identity.limits[LIMIT_FILES_COUNT] = FEWER_COUNT;
    const struct platform_program_spec spec = {.identity = has_fewer ? &identity : NULL};
    return BENCH_RECIPE(bench, spec, "copy-input");
}

/* A limit that has been lowered for good, and one that the child may raise again. */
static void test_too_many_of_others_for_the_child(void **state) {
    struct bench *bench = *state;
    size_t before_count = system_descriptor_count();
    for (int i = 0; i < 2; i++) {
        bool has_fewer = i == 0;
        struct platform_program *program = recipe(bench, has_fewer);
        struct bench_connection connection = bench_connect(bench);
        struct platform_launch launch = launch_of(bench, program, &connection);
        struct platform_launched made;
        struct step *files =
            (struct step *)(uintptr_t)posix_plan_find(&program->plan, STEP_LIMIT_FILES);
        files->limit.values.rlim_cur = FEWER_COUNT;
        assert_int_equal(launch_in_vain(bench, program, &launch, &made), BATON_NOT_FOUND);
        assert_false(made.has_taken_socket);
        made = bench_start(bench, &launch);
        assert_int_equal(made.has_taken_socket, !has_fewer);
        if (has_fewer) {
            bench_close_socket(bench, &connection.socket);
        }
        connection.socket = PLATFORM_SOCKET_NONE;
        expect_copy(bench, &connection, &made, launch.token);
        bench_disconnect(bench, &connection);
        platform_program_destroy(&program);
        bench_expect_descriptors(bench, before_count);
    }
}

/* It is said why, and nothing is left. */
static void test_what_does_not_come_back_is_told(void **state) {
    struct bench *bench = *state;
    size_t before_count = system_descriptor_count();
    struct platform_program *program = recipe(bench, true);
    struct bench_connection connection = bench_connect(bench);
    struct platform_launch launch = launch_of(bench, program, &connection);
    struct platform_launched made;
    program->plan.gives_back = true;
    assert_int_equal(launch_in_vain(bench, program, &launch, &made), BATON_SYSTEM);
    assert_string_equal(bench->cause.call, "sendmsg");
    assert_int_equal(bench->cause.system_code, ETOOMANYREFS);
    assert_true(made.has_taken_socket);
    connection.socket = PLATFORM_SOCKET_NONE;
    bench_disconnect(bench, &connection);
    platform_program_destroy(&program);
    bench_expect_descriptors(bench, before_count);
}

/* Whoever was to take the first was killed when it was out of the socket, and before it could say
 * so: what lies behind is another launch's. */
static void test_what_comes_behind_is_left_alone(void **state) {
    struct bench *bench = *state;
    int ends[2], taken[HANDOVER_MAX_COUNT], back;
    uint32_t number;
    struct handover lost = {.returns_first = true}, next = {.returns_first = true};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    lost.given[lost.count++] = next.given[next.count++] = STDIN_FILENO;
    assert_int_equal(posix_handover_put(bench->platform, ends, &lost), 0);
    assert_int_equal(posix_handover_put(bench->platform, ends, &next), 0);
    assert_int_equal(posix_handover_receive_next(ends[0], &number, taken), 1);
    close(taken[0]);
    assert_int_equal(posix_handover_take_back(ends, &lost, &back), -1);
    assert_int_equal(back, -1);
    assert_int_equal(posix_handover_take_back(ends, &next, &back), 1);
    assert_true(back >= 0);
    close(back);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_too_many_of_others_for_us),
        WITH_BENCH(test_too_many_of_others_for_the_child),
        WITH_BENCH(test_what_does_not_come_back_is_told),
        WITH_BENCH(test_what_comes_behind_is_left_alone),
    };
    return cmocka_run_group_tests_name("posix_handover", tests, NULL, bench_remove_scratch);
}
