/* What is told of a name: kinds, modes, owners, links, and lists of further rights. */
#include "core/base/path_facts.h"
#include "harness.h"

#include <errno.h>
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_modes),
        cmocka_unit_test(test_links_are_not_followed),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_a_list_is_seen_and_shows_in_the_group),
    };
    return cmocka_run_group_tests_name("posix_inspect", tests, NULL, bench_remove_scratch);
}
