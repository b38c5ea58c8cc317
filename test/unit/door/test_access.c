/* Who is let in (core/door/access.h). */
#include "core/door/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define NOON 720u

static struct address host(const char *text) {
    struct address address;
    assert_true(address_parse_host(text, &address));
    return address;
}

/* Allows 10.0.0.0/8 but for 10.1.0.0/16. */
static struct rule_tree *tree_of_ten(void) {
    struct rule rules[2] = {{.line = 3, .source = 1}, {.line = 4, .is_deny = true}};
    struct address_block block = {.address = host("10.0.0.0"), .prefix_bits = 8};
    rule_set_block(&rules[0], &block);
    block = (struct address_block){.address = host("10.1.0.0"), .prefix_bits = 16};
    rule_set_block(&rules[1], &block);
    struct rule_tree *tree = rule_tree_create(rules, 2, true, "file", sizeof "file");
    assert_non_null(tree);
    return tree;
}

static void addresses_by_rules(void **state) {
    (void)state;
    const struct address in = host("10.2.3.4"), out = host("10.1.2.3"), other = host("::1");
    struct service open = {0}, service = {.access = tree_of_ten()};
    struct access_decision decision;
    assert_int_equal(access_verdict(&open, &out, false, NOON), ACCESS_ALLOWED);
    assert_int_equal(access_verdict(&service, &in, false, NOON), ACCESS_ALLOWED);
    assert_int_equal(access_verdict(&service, &out, false, NOON), ACCESS_REFUSED);
    assert_int_equal(access_verdict(&service, &other, false, NOON), ACCESS_REFUSED);
    access_decide(&open, &in, false, NOON, &decision);
    assert_int_equal(decision.reason, ACCESS_BY_NOTHING);
    access_decide(&service, &in, false, NOON, &decision);
    assert_int_equal(decision.reason, ACCESS_BY_RULE);
    assert_string_equal(decision.rule.source, "file");
    assert_int_equal(decision.rule.line, 3);
    access_decide(&service, &out, false, NOON, &decision);
    assert_int_equal(decision.verdict, ACCESS_REFUSED);
    assert_int_equal(decision.reason, ACCESS_BY_RULE);
    assert_null(decision.rule.source);
    access_decide(&service, &other, false, NOON, &decision);
    assert_int_equal(decision.reason, ACCESS_BY_NO_RULE);
    rule_tree_release(service.access);
}

static void local_clients_by_user_or_group(void **state) {
    (void)state;
    uint32_t uids[] = {0, 1000}, gids[] = {4};
    const struct service by_uid = {.allow_uids = uids, .allow_uid_count = 2};
    const struct service by_gid = {.allow_gids = gids, .allow_gid_count = 1};
    const struct service by_both = {
        .allow_uids = uids, .allow_uid_count = 2, .allow_gids = gids, .allow_gid_count = 1};
    const struct service by_none = {0};
    const struct {
        const struct service *service;
        bool has_uid;
        uint32_t uid;
        bool in_group;
        enum access_verdict verdict;
    } rows[] = {{&by_uid, true, 1000, false, ACCESS_ALLOWED},
                {&by_uid, true, 0, false, ACCESS_ALLOWED},
                {&by_uid, true, 1001, false, ACCESS_REFUSED},
                {&by_uid, true, 1001, true, ACCESS_REFUSED}, /* it has no groups to be in */
                {&by_uid, false, 0, false, ACCESS_REFUSED},  /* the system does not tell */
                {&by_gid, true, 1000, false, ACCESS_REFUSED},
                {&by_gid, true, 0, false, ACCESS_REFUSED},
                {&by_gid, true, 1000, true, ACCESS_ALLOWED},
                {&by_both, true, 1000, false, ACCESS_ALLOWED},
                {&by_both, true, 77, true, ACCESS_ALLOWED},
                {&by_both, true, 77, false, ACCESS_REFUSED},
                {&by_none, false, 0, false, ACCESS_ALLOWED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct address peer = {
            .family = ADDRESS_UNIX, .has_uid = rows[i].has_uid, .uid = rows[i].uid};
        struct access_decision decision;
        access_decide(rows[i].service, &peer, rows[i].in_group, NOON, &decision);
        assert_int_equal(decision.verdict, rows[i].verdict);
        assert_int_equal(decision.reason,
                         rows[i].service == &by_none ? ACCESS_BY_NOTHING : ACCESS_BY_USER);
    }
    /* Whom a PROXY header has named was judged when its proxy came. */
    const struct address named = host("10.0.0.1");
    assert_int_equal(access_verdict(&by_uid, &named, false, NOON), ACCESS_ALLOWED);
}

static void hours_with_both_ends(void **state) {
    (void)state;
    struct service_hours day[] = {{8 * 60, 17 * 60 + 59}, {22 * 60, 2 * 60}};
    struct service_hours minute[] = {{720, 720}};
    struct service_hours all[] = {{0, 1439}};
    struct service_hours last[] = {{1439, 0}};
    const struct {
        struct service_hours *hours;
        size_t count;
        unsigned minute;
        bool is_open;
    } rows[] = {{day, 2, 8 * 60 - 1, false}, {day, 2, 8 * 60, true},  {day, 2, 1079, true},
                {day, 2, 18 * 60, false},    {day, 2, 1319, false},   {day, 2, 1320, true},
                {day, 2, 1439, true},        {day, 2, 0, true},       {day, 2, 2 * 60, true},
                {day, 2, 2 * 60 + 1, false}, {minute, 1, 719, false}, {minute, 1, 720, true},
                {minute, 1, 721, false},     {all, 1, 0, true},       {all, 1, 1439, true},
                {last, 1, 1439, true},       {last, 1, 0, true},      {last, 1, 1, false},
                {last, 1, 1438, false},      {NULL, 0, 0, true},      {NULL, 0, 1439, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct service service = {.hours = rows[i].hours, .hours_count = rows[i].count};
        const struct address peer = host("10.1.1.1");
        struct access_decision decision;
        assert_int_equal(access_is_open(&service, rows[i].minute), rows[i].is_open);
        assert_int_equal(access_verdict(&service, &peer, false, rows[i].minute),
                         rows[i].is_open ? ACCESS_ALLOWED : ACCESS_OUT_OF_HOURS);
        access_decide(&service, &peer, false, rows[i].minute, &decision);
        assert_int_equal(decision.reason, rows[i].is_open ? ACCESS_BY_NOTHING : ACCESS_BY_HOURS);
    }
}

/* A stranger learns nothing of the hours. */
static void rules_go_before_hours(void **state) {
    (void)state;
    struct service_hours hours[] = {{0, 1}};
    struct service service = {.access = tree_of_ten(), .hours = hours, .hours_count = 1};
    const struct address in = host("10.2.3.4"), out = host("192.0.2.1");
    assert_int_equal(access_verdict(&service, &out, false, NOON), ACCESS_REFUSED);
    assert_int_equal(access_verdict(&service, &in, false, NOON), ACCESS_OUT_OF_HOURS);
    rule_tree_release(service.access);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_by_rules),
        cmocka_unit_test(local_clients_by_user_or_group),
        cmocka_unit_test(hours_with_both_ends),
        cmocka_unit_test(rules_go_before_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
