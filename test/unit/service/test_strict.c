/* Who may change what is at a path, and who can reach it, on a made-up disk. */
#include "core/base/error.h"
#include "core/service/strict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above first. */
#include <cmocka.h>

#define SERVICE 100u  /* the service's account */
#define STRANGER 200u /* neither that nor root */
#define STAFF 50u     /* a group */

/* A made-up disk. `what`: d, -, l (with target), p; E cannot be looked at. */
static const struct entry {
    const char *path;
    char what;
    uint32_t mode, user, group;
    const char *target;
    bool has_acl;
} disk[] = {
    {"/", 'd', 0755, 0, 0, NULL, false},
    {"/etc", 'd', 0755, 0, 0, NULL, false},
    {"/etc/good", '-', 0644, 0, 0, NULL, false},
    {"/etc/program", '-', 0755, 0, 0, NULL, false},
    {"/etc/world", '-', 0646, 0, 0, NULL, false},
    {"/etc/group", '-', 0664, 0, 0, NULL, false},
    {"/etc/sticky", '-', 01666, 0, 0, NULL, false},
    {"/etc/service", '-', 0600, SERVICE, SERVICE, NULL, false},
    {"/etc/umask2", '-', 0664, SERVICE, SERVICE, NULL, false},
    {"/etc/umask0", '-', 0666, SERVICE, SERVICE, NULL, false},
    {"/etc/listed", '-', 0664, SERVICE, SERVICE, NULL, true},
    {"/etc/staffed", '-', 0664, SERVICE, STAFF, NULL, false},
    {"/etc/stranger", '-', 0644, STRANGER, 0, NULL, false},
    {"/etc/fifo", 'p', 0622, 0, 0, NULL, false},
    {"/etc/hidden", 'E', 0, 0, 0, NULL, false},
    {"/etc/secret", '-', 0640, 0, STAFF, NULL, false},
    {"/etc/none", '-', 0600, SERVICE, STAFF, NULL, false},
    {"/etc/run", '-', 0750, 0, STAFF, NULL, false},
    {"/etc/own", '-', 0655, SERVICE, STAFF, NULL, false},
    {"/etc/list", '-', 0750, 0, 0, NULL, true},
    /* Folders above. */
    {"/shared", 'd', 0775, 0, STAFF, NULL, false},
    {"/shared/good", '-', 0644, 0, 0, NULL, false},
    {"/tmp", 'd', 01777, 0, 0, NULL, false},
    {"/tmp/good", '-', 0644, 0, 0, NULL, false},
    {"/tmp/theirs", '-', 0644, STRANGER, 0, NULL, false},
    {"/tmp/link", 'l', 0777, STRANGER, 0, "/etc/good", false},
    {"/tmp/d", 'd', 0755, 0, 0, NULL, false},
    {"/tmp/d/good", '-', 0644, 0, 0, NULL, false},
    {"/drop", 'd', 01777, STRANGER, 0, NULL, false},
    {"/drop/good", '-', 0644, 0, 0, NULL, false},
    {"/own", 'd', 01777, SERVICE, 0, NULL, false},
    {"/own/good", '-', 0644, 0, 0, NULL, false},
    {"/people", 'd', 0755, 0, 0, NULL, false},
    {"/people/service", 'd', 0700, SERVICE, SERVICE, NULL, false},
    {"/people/service/program", '-', 0755, SERVICE, SERVICE, NULL, false},
    {"/people/stranger", 'd', 0755, STRANGER, STRANGER, NULL, false},
    {"/people/stranger/good", '-', 0644, 0, 0, NULL, false},
    {"/people/list", 'd', 0710, 0, 0, NULL, true},
    {"/people/list/program", '-', 0755, 0, 0, NULL, false},
    {"/closed", 'd', 0700, 0, 0, NULL, false},
    {"/closed/program", '-', 0755, 0, 0, NULL, false},
    {"/staff", 'd', 0750, 0, STAFF, NULL, false},
    {"/staff/program", '-', 0755, 0, 0, NULL, false},
    /* Links. */
    {"/link", 'l', 0777, 0, 0, "/etc/good", false},
    {"/relative", 'l', 0777, 0, 0, "etc/../etc/./good", false},
    {"/into", 'l', 0777, 0, 0, "/shared", false},
    {"/file", 'l', 0777, 0, 0, "shared/good", false},
    {"/etc/up", 'l', 0777, 0, 0, "../../../shared", false},
    {"/a", 'l', 0777, 0, 0, "/b", false},
    {"/b", 'l', 0777, 0, 0, "a", false},
    {"/dangling", 'l', 0777, 0, 0, "/shared/../nowhere/x", false},
    {"/gone", 'l', 0777, 0, 0, "/nowhere", false},
    /* What is made the root. */
    {"/jail", 'd', 0755, 0, 0, NULL, false},
    {"/jail/bin", 'd', 0755, 0, 0, NULL, false},
    {"/jail/bin/program", '-', 0755, 0, 0, NULL, false},
    {"/jail/bin/odd", '-', 0757, 0, 0, NULL, false},
    {"/jail/shared", 'd', 0755, 0, 0, NULL, false},
    {"/jail/abs", 'l', 0777, 0, 0, "/bin/odd", false},
    {"/jail/out", 'l', 0777, 0, 0, "../../../shared", false},
    {"/tojail", 'l', 0777, 0, 0, "jail", false},
    {"/closed/jail", 'd', 0755, 0, 0, NULL, false},
    {"/closed/jail/program", '-', 0755, 0, 0, NULL, false},
    {"/shared/jail", 'd', 0755, 0, 0, NULL, false},
};

static int inspections_count;

static int inspect(void *context, const char *path, struct path_facts *out) {
    unsigned number = 0;
    (void)context;
    inspections_count++;
    memset(out, 'x', sizeof *out);
    if (sscanf(path, "/c%u", &number) == 1) {
        *out = (struct path_facts){.kind = PATH_KIND_LINK, .mode = 0777};
        snprintf(out->target, sizeof out->target, number == 1 ? "etc/world" : "/c%u", number - 1);
        return BATON_OK;
    }
    for (size_t i = 0; i < sizeof disk / sizeof *disk; i++) {
        const struct entry *e = &disk[i];
        if (strcmp(e->path, path) == 0) {
            out->kind = e->what == 'd'   ? PATH_KIND_FOLDER
                        : e->what == 'l' ? PATH_KIND_LINK
                        : e->what == '-' ? PATH_KIND_FILE
                                         : PATH_KIND_OTHER;
            out->mode = e->mode;
            out->user = e->user;
            out->group = e->group;
            out->has_acl = e->has_acl;
            if (e->target != NULL) {
                snprintf(out->target, sizeof out->target, "%s", e->target);
            }
            return e->what == 'E' ? BATON_DENIED : BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

static int inspect_nothing(void *context, const char *path, struct path_facts *out) {
    (void)context;
    (void)path;
    (void)out;
    return BATON_UNSUPPORTED;
}

static const struct service_machine machine = {.inspect = inspect};

/* A finding as a text: its kind and its path; "" = none. */
static const char *told(bool found, const struct strict_finding *finding) {
    static char text[STRICT_PATH_MAX_BYTES + 32];
    static const char *const kinds[] = {[STRICT_OWNER] = "owner",
                                        [STRICT_WRITABLE] = "writable",
                                        [STRICT_BARRIER] = "barrier",
                                        [STRICT_UNKNOWN] = "unknown"};
    snprintf(text, sizeof text, "%s %s", kinds[finding->kind], finding->path);
    return found ? text : "";
}

static void expect_writer(const char *root, const char *path, const char *wanted) {
    struct strict_finding finding = {.path = ""};
    bool found = strict_find_writer(&machine, root, path, SERVICE, &finding);
    if (strcmp(told(found, &finding), wanted) != 0) {
        print_error("%s %s\n", root != NULL ? root : "", path);
    }
    assert_string_equal(told(found, &finding), wanted);
}

static void test_who_may_write(void **state) {
    static const struct {
        const char *path, *wanted;
    } cases[] = {
        {"/etc/good", ""},
        {"/", ""},
        {"//etc/.///./good/.", ""},
        {"/etc/service", ""},
        {"/etc/world", "writable /etc/world"},
        {"/etc/group", "writable /etc/group"},
        {"/etc/sticky", "writable /etc/sticky"}, /* to a file that bit means nothing */
        {"/etc/stranger", "owner /etc/stranger"},
        {"/etc/fifo", "writable /etc/fifo"},
        {"/etc/hidden", "unknown /etc/hidden"},
        /* What is not there yet is somebody else's to tell; the folders above are judged. */
        {"/etc/nothing", ""},
        {"/etc/nothing/at/all", ""},
        {"/etc/good/below", ""},
        {"/shared/nothing", "writable /shared"},
        {"/shared/good", "writable /shared"},
        /* Sticky: root's alone, and only for what is root's or the service's in there. */
        {"/tmp", ""},
        {"/tmp/good", ""},
        {"/tmp/d/good", ""},
        {"/tmp/d/nothing", ""},
        {"/tmp/nothing", "writable /tmp"}, /* anybody may put it there */
        {"/tmp/nothing/at/all", "writable /tmp"},
        {"/tmp/theirs", "owner /tmp/theirs"},
        {"/tmp/link", "owner /tmp/link"},
        {"/drop/good", "owner /drop"},
        {"/own/good", "writable /own"},
        {"/people/service/program", ""},
        {"/people/stranger/good", "owner /people/stranger"},
        /* Links, and what is on their way. */
        {"/link", ""},
        {"/relative", ""},
        {"/into/good", "writable /shared"},
        {"/file", "writable /shared"},
        {"/etc/up/good", "writable /shared"},
        {"/into/../etc/good", "writable /shared"},
        {"/link/below", ""},
        {"/a", "unknown /a"},
        {"/dangling", "writable /shared"},
        {"/gone", ""},
        {"/../../etc/../etc/world", "writable /etc/world"},
        {"/etc/..", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_writer(NULL, cases[i].path, cases[i].wanted);
    }
}

static void test_a_finding_has_what_was_seen(void **state) {
    struct strict_finding finding;
    (void)state;
    assert_true(strict_find_writer(&machine, NULL, "/shared/good", SERVICE, &finding));
    assert_int_equal(finding.mode, 0775);
    assert_true(strict_find_writer(&machine, NULL, "/etc/stranger", SERVICE, &finding));
    assert_int_equal(finding.user, STRANGER);
    /* What is the service's own is another's to root. */
    assert_true(strict_find_writer(&machine, NULL, "/etc/service", 0, &finding));
    assert_int_equal(finding.kind, STRICT_OWNER);
}

static void test_links_have_an_end(void **state) {
    char longest[STRICT_PATH_MAX_BYTES + 8];
    (void)state;
    expect_writer(NULL, "/c40", "writable /etc/world");
    expect_writer(NULL, "/c41", "unknown /c1");
    inspections_count = 0;
    expect_writer(NULL, "/a", "unknown /a");
    assert_true(inspections_count < 100);
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[STRICT_PATH_MAX_BYTES - 1] = '\0';
    expect_writer(NULL, longest, ""); /* as long as can be, and not there */
    memcpy(longest, "/relative/", 10);
    expect_writer(NULL, longest, "unknown /relative"); /* too long with the target before it */
    longest[STRICT_PATH_MAX_BYTES - 1] = 'x';
    longest[STRICT_PATH_MAX_BYTES] = '\0';
    expect_writer(NULL, longest, "unknown /relative"); /* longer than can be */
}

static void test_another_root(void **state) {
    (void)state;
    expect_writer("/jail", "/bin/program", "");
    expect_writer("/tojail/.", "/bin/../bin/program", "");
    expect_writer("/jail", "/abs", "writable /jail/bin/odd");
    expect_writer("/jail", "/out", "");
    expect_writer("/jail", "/../../shared", "");
    expect_writer("/", "/etc/world", "writable /etc/world");
    expect_writer("/shared/jail", "/x", "writable /shared");
    /* Others must not add to it, though they cannot take away. */
    expect_writer("/tmp/d", "/good", "");
    expect_writer("/tmp", "/d/good", "writable /tmp");
    expect_writer("/nowhere", "/x", "");
    expect_writer("/etc/good", "/x", "");
}

static void expect_outside(const char *root, const char *path, const char *wanted) {
    char out[STRICT_PATH_MAX_BYTES];
    strict_find_outside(&machine, root, path, out);
    assert_string_equal(out, wanted);
}

static void test_where_it_is_outside(void **state) {
    const struct service_machine mute = {.inspect = inspect_nothing};
    const struct service_machine none = {.inspect = NULL};
    char out[STRICT_PATH_MAX_BYTES];
    (void)state;
    expect_outside("/jail", "/bin/program", "/jail/bin/program");
    expect_outside("/jail", "bin//./program", "/jail/bin/program");
    expect_outside("/tojail", "/abs", "/jail/bin/odd");
    expect_outside("/jail", "/out", "/jail/shared");
    expect_outside("/jail", "/../../shared", "/jail/shared");
    expect_outside("/jail", "/", "/jail");
    expect_outside("/", "/link", "/etc/good");
    expect_outside("/jail", "/no/such/file", "/jail/no/such/file");
    expect_outside("/jail", "/bin/program/x", "/jail/bin/program/x");
    expect_outside("/etc", "/hidden/x", "/etc/hidden/x");
    expect_outside("/closed/jail", "/program", "/closed/jail/program");
    expect_outside("/nowhere/x", "/program", "/nowhere/x/program");
    strict_find_outside(&mute, "/jail", "/abs", out);
    assert_string_equal(out, "/jail/abs");
    strict_find_outside(&none, "/jail", "/abs", out);
    assert_string_equal(out, "/jail/abs");
}

static void expect_barrier(const char *root, const char *path, unsigned wanted,
                           const struct strict_account *account, const char *barrier) {
    struct strict_finding finding = {.path = ""};
    bool found = strict_find_barrier(&machine, root, path, account, wanted, &finding);
    if (strcmp(told(found, &finding), barrier) != 0) {
        print_error("%s %s\n", root != NULL ? root : "", path);
    }
    assert_string_equal(told(found, &finding), barrier);
}

static void test_who_can_reach(void **state) {
    static const uint32_t groups[] = {7, STAFF};
    const struct strict_account plain = {.user = SERVICE, .group = SERVICE};
    const struct strict_account staff = {
        .user = SERVICE, .group = SERVICE, .groups = groups, .group_count = 2};
    const struct strict_account by_group = {.user = STRANGER, .group = STAFF};
    const struct strict_account root = {.passes_all = true};
    const struct strict_account bare_root = {.user = 0};
    (void)state;
    expect_barrier(NULL, "/etc/program", STRICT_EXECUTE, &plain, "");
    expect_barrier(NULL, "/etc/good", STRICT_READ, &plain, "");
    expect_barrier(NULL, "/etc/good", STRICT_EXECUTE, &plain, "barrier /etc/good");
    expect_barrier(NULL, "/etc/good", STRICT_EXECUTE, &root, "barrier /etc/good");
    expect_barrier(NULL, "/closed/program", STRICT_EXECUTE, &plain, "barrier /closed");
    expect_barrier(NULL, "/closed/../etc/program", STRICT_EXECUTE, &plain, "barrier /closed");
    expect_barrier(NULL, "/closed/program", STRICT_EXECUTE, &root, "");
    expect_barrier(NULL, "/people/service/program", STRICT_EXECUTE, &bare_root,
                   "barrier /people/service");
    expect_barrier(NULL, "/people/service/program", STRICT_EXECUTE, &root, "");
    expect_barrier(NULL, "/people/service/program", STRICT_EXECUTE | STRICT_READ, &plain, "");
    /* Groups; and who owns a file has no other rights than an owner's. */
    expect_barrier(NULL, "/staff/program", STRICT_EXECUTE, &plain, "barrier /staff");
    expect_barrier(NULL, "/staff/program", STRICT_EXECUTE, &staff, "");
    expect_barrier(NULL, "/etc/secret", STRICT_READ, &plain, "barrier /etc/secret");
    expect_barrier(NULL, "/etc/secret", STRICT_READ, &by_group, "");
    expect_barrier(NULL, "/etc/run", STRICT_EXECUTE | STRICT_READ, &by_group, "");
    expect_barrier(NULL, "/etc/secret", STRICT_EXECUTE | STRICT_READ, &by_group,
                   "barrier /etc/secret");
    expect_barrier(NULL, "/etc/own", STRICT_EXECUTE, &staff, "barrier /etc/own");
    expect_barrier(NULL, "/etc/none", STRICT_READ, &by_group, "barrier /etc/none");
    /* A list may let in whom the mode does not. */
    expect_barrier(NULL, "/etc/list", STRICT_EXECUTE, &plain, "");
    expect_barrier(NULL, "/people/list/program", STRICT_EXECUTE, &plain, "");
    expect_barrier(NULL, "/nowhere/x", STRICT_EXECUTE, &plain, "");
    /* Who becomes the account in there need not come through the folders above. */
    expect_barrier("/closed/jail", "/program", STRICT_EXECUTE, &plain, "");
    expect_barrier("/closed", "/program", STRICT_EXECUTE, &plain, "barrier /closed");
    expect_barrier("/", "/closed/program", STRICT_EXECUTE, &plain, "barrier /closed");
}

/* A group that has only him, by its number. */
static void test_a_group_of_his_own_is_nobody_else(void **state) {
    const struct strict_account own = {.user = SERVICE, .group = SERVICE};
    const struct strict_account staff = {.user = SERVICE, .group = STAFF};
    const struct strict_account root = {.user = 0, .group = 0};
    (void)state;
    expect_barrier(NULL, "/etc/umask2", 0, &own, "");
    expect_barrier(NULL, "/etc/umask2", 0, &staff, "writable /etc/umask2");
    expect_barrier(NULL, "/etc/umask0", 0, &own, "writable /etc/umask0");
    expect_barrier(NULL, "/etc/listed", 0, &own, "writable /etc/listed");
    expect_barrier(NULL, "/etc/staffed", 0, &staff, "writable /etc/staffed");
    expect_barrier(NULL, "/etc/group", 0, &root, "writable /etc/group");
    expect_writer(NULL, "/etc/umask2", "writable /etc/umask2");
}

static void test_what_cannot_be_asked(void **state) {
    const struct service_machine mute = {.inspect = inspect_nothing};
    const struct service_machine none = {.inspect = NULL};
    const struct strict_account account = {.user = 1};
    struct strict_finding finding;
    (void)state;
    assert_false(strict_find_writer(&mute, NULL, "/etc/world", 0, &finding));
    assert_false(strict_find_writer(&none, NULL, "/etc/world", 0, &finding));
    assert_false(strict_find_barrier(&mute, NULL, "/closed/x", &account, STRICT_EXECUTE, &finding));
    assert_false(strict_find_barrier(&none, "/closed", "/x", &account, STRICT_EXECUTE, &finding));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_write),
        cmocka_unit_test(test_a_finding_has_what_was_seen),
        cmocka_unit_test(test_links_have_an_end),
        cmocka_unit_test(test_another_root),
        cmocka_unit_test(test_where_it_is_outside),
        cmocka_unit_test(test_who_can_reach),
        cmocka_unit_test(test_a_group_of_his_own_is_nobody_else),
        cmocka_unit_test(test_what_cannot_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
