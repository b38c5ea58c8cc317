/* A table of services as bytes (core/service/image.h). */
#include "core/service/image.h"

#include "config_world.h"
#include "core/base/error.h"
#include "core/service/difference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every kind of pointer that a table has: texts, arrays, arrays of texts, trees, options. */
static const char ini[] =
    "[supervisor]\nlog_level = debug\nmax_connections = 77\nlog = /srv/data/all.log\n"
    "control = /run/a.sock\nstatus = /run/b.sock\nstatus_mode = 0664\n"
    "default_user = alice\nuser = baton\n"
    "[one]\nlisten = 127.0.0.1:7001, [::1]:7002\nhandler = ok a {port}\n"
    "environment = \"A=two words\" P={peer_address}\ndirectory = /srv/data\nargv0 = other\n"
    "allow = 10.0.0.0/8, 127.0.0.1\ndeny = 10.1.0.0/16\nhours = 08:00-17:59\n"
    "refuse_message = no\nrate = 5/s\nproxy_protocol = on\nproxy_trusted = 127.0.0.1, 10.0.0.0/8\n"
    "success_exit = 0, 3\nlog = /srv/data/one.log\nlog_served = no\n"
    "[two]\nlisten = 7003\nhandler = echo\nhandoff = stdio\n"
    "[local]\nprotocol = unix\nlisten = /run/one.sock\nhandler = echo\n"
    "[off]\nlisten = 7004\nhandler = echo\nenabled = no\n";

static void load(struct service_table *table) {
    struct config_problems problems = {0};
    if (config_world_load(&config_world_root, CONFIG_FORMAT_INI, "x.ini", ini, sizeof ini - 1,
                          table, &problems) != BATON_OK) {
        fail_msg("%s", problems.problems[0].text);
    }
    config_problems_clear(&problems);
}

static const struct image_config config = {
    .file = "x.ini", .path = "/etc/x.ini", .is_found = true, .own_machine = 62};

static const char warnings[] = "f.conf:1: warning: x\n";

static char *make(size_t *size_bytes) {
    struct service_table table;
    load(&table);
    table.warnings = warnings;
    char *image = image_make(&table, &config, "1.2.3", size_bytes);
    assert_non_null(image);
    service_table_clear(&table);
    return image;
}

static void expect_text(const char *text, const char *wanted) {
    assert_int_equal(text == NULL, wanted == NULL);
    if (text != NULL) {
        assert_string_equal(text, wanted);
    }
}

/* What it was made of, and the image, are gone by then. */
static void it_is_the_table_again(void **state) {
    struct service_table table, again;
    struct image_config back;
    size_t size_bytes;
    (void)state;
    char *image = make(&size_bytes);
    assert_int_equal(image_read(image, size_bytes, "1.2.3", &again, &back), BATON_OK);
    memset(image, 0xa5, size_bytes);
    free(image);
    load(&table);
    assert_int_equal(again.service_count, 3);
    assert_int_equal(again.disabled_count, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_true(service_is_same(&again.services[i], &table.services[i]));
        expect_text(again.services[i].log, table.services[i].log);
    }
    assert_non_null(again.services[0].access);
    assert_ptr_not_equal(again.services[0].access, table.services[0].access);
    expect_text(again.options.log, table.options.log);
    expect_text(again.options.handlers, table.options.handlers);
    expect_text(again.options.default_user, table.options.default_user);
    expect_text(again.options.user, table.options.user);
    assert_non_null(again.options.user);
    expect_text(again.options.control, "/run/a.sock");
    expect_text(again.options.status, "/run/b.sock");
    assert_int_equal(again.options.identity.group_count, table.options.identity.group_count);
    assert_memory_equal(again.options.identity.groups, table.options.identity.groups,
                        table.options.identity.group_count * sizeof(uint32_t));
    assert_int_equal(again.options.max_connections_count, 77);
    assert_string_equal(again.warnings, warnings);
    assert_string_equal(back.file, "x.ini");
    assert_string_equal(back.path, "/etc/x.ini");
    assert_true(back.is_found);
    assert_int_equal(back.own_machine, 62);
    service_table_clear(&table);
    service_table_clear(&again);
}

/* Whoever asks has another program than who answers, or a part of the answer. */
static void what_is_not_ours_is_refused(void **state) {
    struct service_table table;
    struct image_config back;
    size_t size_bytes;
    (void)state;
    char *image = make(&size_bytes);
    assert_int_equal(image_read(image, size_bytes, "1.2.4", &table, &back), BATON_INVALID);
    for (size_t length = 0; length < size_bytes; length += length < 256 ? 1 : 97) {
        char *part = malloc(length + 1); /* so that a byte more is seen */
        assert_non_null(part);
        memcpy(part, image, length);
        assert_int_equal(image_read(part, length, "1.2.3", &table, &back), BATON_INVALID);
        free(part);
    }
    assert_int_equal(table.service_count, 0);
    image[0] ^= 1;
    assert_int_equal(image_read(image, size_bytes, "1.2.3", &table, &back), BATON_INVALID);
    free(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_the_table_again),
                                       cmocka_unit_test(what_is_not_ours_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
