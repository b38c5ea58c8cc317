/* The supervisor itself as another user: every thread of it, with what it keeps, and no way back.
 */
#include "harness.h"

#include "platform/posix/internal.h"
#include "platform/sized.h"

#include <dirent.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define DEADLINE_US 20000000u

static void expect_success(pid_t tester) {
    int status = -1;
    assert_int_equal(waitpid(tester, &status, 0), tester);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIPPED) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A number in a line of status, proc(5), of one of our threads. */
static bool thread_has(const char *thread, const char *name, uint64_t wanted, int base) {
    char path[320];
    char line[512];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    bool is_equal = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            is_equal = strtoull(line + strlen(name), NULL, base) == wanted;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_equal;
}

/* Every thread: root's rights must not be left to any. */
static bool all_have(const char *name, uint64_t wanted, int base) {
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    size_t count = 0;
    bool all = true;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            all = all && thread_has(entry->d_name, name, wanted, base);
            count++;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return all && count > 1;
}

#define OTHER_USER 61236
#define OTHER_GROUP 61237

static bool has_become(const struct identity *who, bool forbids) {
    return all_have("Uid:", OTHER_USER, 10) && all_have("Gid:", OTHER_GROUP, 10) &&
           all_have("Groups:", who->groups[0], 10) && all_have("CapPrm:", who->capabilities, 16) &&
           all_have("CapEff:", who->capabilities, 16) && all_have("CapInh:", 0, 16) &&
           all_have("CapAmb:", 0, 16) && all_have("NoNewPrivs:", forbids, 10);
}

/* 0 if the platform became what it was told, and works afterwards. */
static int become(uint64_t capabilities, bool forbids) {
    const uint32_t groups[] = {61238};
    const struct identity who = {.uid = OTHER_USER,
                                 .gid = OTHER_GROUP,
                                 .groups = groups,
                                 .group_count = 1,
                                 .capabilities = capabilities,
                                 .has_capabilities = true};
    const struct platform_sizes sizes = {4, 4, false, 0};
    struct platform *platform = NULL;
    struct platform_event event;
    struct baton_cause cause = {0};
    int ends[2];
    if (platform_open_sized(&sizes, &platform, &cause) != BATON_OK || pipe(ends) != 0) {
        return 1;
    }
    if (platform_become(platform, &who, forbids, &cause) != BATON_OK ||
        !has_become(&who, forbids)) {
        return 2;
    }
    /* Back is not possible, and what is let go is still closed, by a thread that can tell. */
    if (syscall(SYS_setuid, 0) == 0 && (capabilities & (UINT64_C(1) << 7)) == 0) {
        return 3;
    }
    posix_let_go(platform, ends[1]);
    (void)posix_short(platform);
    do {
        if (platform_wait(platform, &event, 1, platform_now_us(platform) + DEADLINE_US, &cause) <
            1) {
            return 4;
        }
    } while (event.kind != PLATFORM_EVENT_RELIEF);
    char byte;
    if (read(ends[0], &byte, 1) != 0) {
        return 5;
    }
    platform_close(&platform);
    return 0;
}

static void test_the_supervisor_becomes_another(void **state) {
    static const struct {
        uint64_t capabilities;
        bool forbids;
    } ways[] = {{0, false}, {0, true}, {1u << 5 | 1u << 10, false}};
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        pid_t tester = fork();
        assert_true(tester >= 0);
        if (tester == 0) {
            _exit(become(ways[i].capabilities, ways[i].forbids));
        }
        expect_success(tester);
    }
}

/* Who cannot is told the call, and may close the platform. */
static void test_the_supervisor_may_not_become_another(void **state) {
    (void)state;
    pid_t tester = fork();
    assert_true(tester >= 0);
    if (tester == 0) {
        const struct platform_sizes sizes = {4, 4, false, 0};
        const struct identity who = {.uid = OTHER_USER, .gid = OTHER_GROUP};
        struct platform *platform = NULL;
        struct baton_cause cause = {0};
        if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setuid(61234) != 0)) {
            _exit(EXIT_SKIPPED);
        }
        bool is_open = platform_open_sized(&sizes, &platform, &cause) == BATON_OK;
        bool is_refused = is_open && platform_become(platform, &who, false, &cause) == BATON_DENIED;
        bool is_told = is_refused && strcmp(cause.call, "setgroups") == 0;
        int pair[2] = {-1, -1};
        is_told = is_told && pipe(pair) == 0;
        posix_let_go(platform, pair[0]);
        platform_close(&platform);
        _exit(!is_told);
    }
    expect_success(tester);
}

static void test_a_limit_above_ours(void **state) {
    struct identity identity = {
        .limits = {IDENTITY_SAME, IDENTITY_SAME, IDENTITY_SAME, IDENTITY_SAME, IDENTITY_SAME}};
    struct rlimit own;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
    assert_false(platform_raises_limits(NULL, &identity));
    identity.limits[LIMIT_FILES_COUNT] = (uint32_t)own.rlim_max;
    assert_false(platform_raises_limits(NULL, &identity));
    identity.limits[LIMIT_FILES_COUNT] = (uint32_t)own.rlim_max + 1;
    assert_true(platform_raises_limits(NULL, &identity));
    identity.limits[LIMIT_FILES_COUNT] = IDENTITY_UNLIMITED;
    assert_true(platform_raises_limits(NULL, &identity));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_supervisor_becomes_another),
        cmocka_unit_test(test_the_supervisor_may_not_become_another),
        cmocka_unit_test(test_a_limit_above_ours),
    };
    return cmocka_run_group_tests_name("posix_become", tests, NULL, NULL);
}
