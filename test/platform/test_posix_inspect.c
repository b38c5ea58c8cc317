/* What is told of a name: kinds, modes, owners, links, and lists of further rights; and how many
 * processors are ours by what the system's files say. */
#include "core/base/path_facts.h"
#include "harness.h"
#include "platform/posix/processors.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *in_scratch(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", system_scratch(), name);
    return path;
}

static void expect_facts(const char *name, enum path_kind kind, unsigned mode) {
    struct path_facts facts;
    memset(&facts, 'x', sizeof facts);
    assert_int_equal(platform_inspect(NULL, in_scratch(name), &facts), BATON_OK);
    assert_int_equal(facts.kind, kind);
    assert_int_equal(facts.mode, mode);
    assert_int_equal(facts.user, geteuid());
    assert_int_equal(facts.has_acl, false);
}

static void test_kinds_and_modes(void **state) {
    (void)state;
    system_write_file(in_scratch("file"), "x", false);
    assert_int_equal(chmod(in_scratch("file"), 04751), 0);
    expect_facts("file", PATH_KIND_FILE, 04751);
    assert_int_equal(mkdir(in_scratch("folder"), 0700), 0);
    assert_int_equal(chmod(in_scratch("folder"), 01777), 0);
    expect_facts("folder", PATH_KIND_FOLDER, 01777);
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    expect_facts("fifo", PATH_KIND_OTHER, 0600);
    assert_int_equal(rmdir(in_scratch("folder")), 0);
    system_remove_file(in_scratch("fifo"));
    system_remove_file(in_scratch("file"));
}

static void test_links_are_not_followed(void **state) {
    struct path_facts facts;
    (void)state;
    assert_int_equal(symlink("nowhere/at all", in_scratch("link")), 0);
    assert_int_equal(platform_inspect(NULL, in_scratch("link"), &facts), BATON_OK);
    assert_int_equal(facts.kind, PATH_KIND_LINK);
    assert_string_equal(facts.target, "nowhere/at all");
    assert_int_equal(platform_inspect(NULL, in_scratch("link/x"), &facts), BATON_NOT_FOUND);
    system_remove_file(in_scratch("link"));
}

static void test_owners(void **state) {
    struct path_facts facts;
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    system_write_file(in_scratch("given"), "x", false);
    assert_int_equal(chown(in_scratch("given"), 4711, 4712), 0);
    assert_int_equal(platform_inspect(NULL, in_scratch("given"), &facts), BATON_OK);
    assert_int_equal(facts.user, 4711);
    assert_int_equal(facts.group, 4712);
    assert_true(platform_is_privileged());
    system_remove_file(in_scratch("given"));
}

static void test_a_list_is_seen_and_shows_in_the_group(void **state) {
    /* acl(5): owner rwx, user 4711 -wx, group r--, mask rwx, others ---, as Linux keeps it: version
     * 2, then {tag, rights, number}, the low byte first. */
    static const unsigned char list[] = {2,    0, 0, 0,                         /* */
                                         0x01, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* */
                                         0x02, 0, 3, 0, 0x67, 0x12, 0,    0,    /* */
                                         0x04, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* */
                                         0x10, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* */
                                         0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    struct path_facts facts;
    (void)state;
    system_write_file(in_scratch("listed"), "x", false);
    assert_int_equal(chmod(in_scratch("listed"), 0640), 0);
    if (setxattr(in_scratch("listed"), "system.posix_acl_access", list, sizeof list, 0) != 0) {
        print_message("no lists here: %s\n", strerror(errno));
        system_remove_file(in_scratch("listed"));
        skip();
    }
    assert_int_equal(platform_inspect(NULL, in_scratch("listed"), &facts), BATON_OK);
    assert_true(facts.has_acl);
    assert_int_equal(facts.mode, 0770);
    system_remove_file(in_scratch("listed"));
}

/* The least of what our group and those above it may use, begun processors counted whole. */
static void test_processors_of_a_cgroup(void **state) {
    static const struct {
        const char *own, *inner, *outer; /* /proc/self/cgroup, and two times cpu.max */
        uint32_t count;
    } rows[] = {{"0::/a/b\n", "150000 100000\n", "max 100000\n", 2},
                {"0::/a/b\n", "max 100000\n", "100000 100000\n", 1},
                {"0::/a/b\n", "400000 100000\n", "300000 100000\n", 3},
                {"0::/a/b\n", "1000 100000\n", "max 100000\n", 1},
                {"0::/a\n", "100000 100000\n", "700000 100000\n", 7},
                {"0::/a/b\n", "99900000 100000\n", "max 100000\n", 64},
                {"0::/\n", "100000 100000\n", "100000 100000\n", 64},
                {"4:cpu,cpuacct:/a/b\n1:name=systemd:/a\n0::/a/b\n", "200000 100000", "", 2},
                {"4:cpu,cpuacct:/a/b\n", "200000 100000\n", "200000 100000\n", 64},
                {"0::/../c\n", "200000 100000\n", "200000 100000\n", 64},
                {"0::/a/b\n", "0 100000\n", "100000\n", 64},
                {"", "200000 100000\n", "200000 100000\n", 64}};
    char own[128];
    (void)state;
    snprintf(own, sizeof own, "%s", in_scratch("cgroup"));
    system_make_directory(in_scratch("a"));
    system_make_directory(in_scratch("a/b"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        system_write_file(own, rows[i].own, false);
        system_write_file(in_scratch("a/b/cpu.max"), rows[i].inner, false);
        system_write_file(in_scratch("a/cpu.max"), rows[i].outer, false);
        assert_int_equal(posix_processors_within(own, system_scratch(), 64), rows[i].count);
    }
    system_remove_file(in_scratch("a/b/cpu.max"));
    system_remove_directory(in_scratch("a/b"));
    system_remove_file(in_scratch("a/cpu.max"));
    system_remove_directory(in_scratch("a"));
    system_remove_file(own);
    assert_int_equal(posix_processors_within(own, system_scratch(), 64), 64);
}

static void test_processors_of_the_scheduler(void **state) {
    cpu_set_t before, one;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(platform_processors_count(), 1, CPU_COUNT(&before));
    int first = 0;
    while (!CPU_ISSET(first, &before)) {
        first++;
    }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(platform_processors_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_modes),
        cmocka_unit_test(test_links_are_not_followed),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_a_list_is_seen_and_shows_in_the_group),
        cmocka_unit_test(test_processors_of_a_cgroup),
        cmocka_unit_test(test_processors_of_the_scheduler),
    };
    return cmocka_run_group_tests_name("posix_inspect", tests, NULL, bench_remove_scratch);
}
