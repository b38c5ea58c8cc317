/* A config of several files: whose faults are told where, and what holds for whom. */
#include "config_world.h"
#include "core/base/error.h"
#include "core/door/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct piece {
    const char *name; /* NULL = no more */
    const char *text;
};

/* The first is the main config. Returns what is told of it; the caller frees that. */
static char *load(const struct piece *pieces, struct service_table *table) {
    struct config config = {0};
    struct config_problems problems = {0};
    struct config_output out = {0};
    enum config_format format = CONFIG_FORMAT_INI;
    config_output_add(&out, "");
    (void)config_parse(&config, format, pieces->name, pieces->text, strlen(pieces->text),
                       &problems);
    for (const struct piece *piece = pieces + 1; piece->name != NULL; piece++) {
        assert_true(config_format_of(piece->name, &format));
        assert_true(config_problems_begin_piece(&problems, piece->name));
        (void)config_parse_piece(&config, format, piece->text, strlen(piece->text), &problems);
        config_problems_end_piece(&problems);
    }
    (void)service_table_build(&config, &config_world_posix, &problems, table);
    config_problems_print(&problems, config_output_add, &out);
    config_clear(&config);
    config_problems_clear(&problems);
    return out.text;
}

#define MAIN "[supervisor]\nlog_level = debug\n[ports]\n7001 = ok\n"

static void expect(const char *expected, const struct piece *pieces) {
    struct service_table table = {0};
    char *told = load(pieces, &table);
    assert_string_equal(told, expected);
    free(told);
    service_table_clear(&table);
}
#define EXPECT(expected, ...) expect(expected, (const struct piece[]){__VA_ARGS__, {NULL, NULL}})

static void each_fault_names_its_file(void **state) {
    (void)state;
    EXPECT("f.ini:4: ports.7001: `nix` is not in the handlers folder /srv/handlers; put it there, "
           "or give an absolute path\n"
           "p/a.ini:2: a.listen: `x` is not in the system's list of services; give the number of "
           "the port\n",
           {"f.ini", "[supervisor]\nlog_level = debug\n[ports]\n7001 = nix\n"},
           {"p/a.ini", "[a]\nlisten = x\nhandler = ok\n"});
    EXPECT("p/a.ini:2: column 1 holds bytes that are not UTF-8 (or, in UTF-16, half a "
           "character); save the file in the encoding UTF-8\n"
           "p/b.yml:1: the file is no mapping of sections; begin with a line like `ports:` and "
           "indent `7777: ok` below it\n",
           {"f.ini", MAIN}, {"p/a.ini", "\n\xff\n"}, {"p/b.yml", "- x\n"});
}

static void what_stands_twice_names_both_places(void **state) {
    (void)state;
    EXPECT("p/a.ini:4: a: this section stands twice, first in line 1; put its keys together in "
           "one, or give it another name\n"
           "p/b.yml:2: a: this section stands twice, first in p/a.ini:1; put its keys together "
           "in one, or give it another name\n",
           {"f.ini", MAIN}, {"p/a.ini", "[a]\nlisten = 1\nhandler = ok\n[a]\n"},
           {"p/b.yml", "\na:\n  listen: 2\n  handler: ok\n"});
    EXPECT("p/a.ini:2: a.listen: 0.0.0.0:7001 is taken by `ports.7001` in f.ini:4 (0.0.0.0:7001); "
           "choose another port or address\n"
           "p/a.ini:5: b.listen: 0.0.0.0:7001 is taken by `a.listen` in line 2 (0.0.0.0:7001); "
           "choose another port or address\n",
           {"f.ini", MAIN},
           {"p/a.ini", "[a]\nlisten = 7001\nhandler = ok\n[b]\nlisten = 7001\nhandler = ok\n"});
    EXPECT(
        "f.ini:4: ports.7001: its service would be named `ok-7001`, as that in p/a.ini:1; give it "
        "a section of its own with another name\n",
        {"f.ini", MAIN}, {"p/a.ini", "[ok-7001]\nlisten = 1\nhandler = ok\n[ports]\n2 = ok\n"});
    EXPECT("p/a.ini:3: a.listen: stands twice, first in line 2; leave one of them out\n",
           {"f.ini", MAIN}, {"p/a.ini", "[a]\nlisten = 1\nlisten = 2\nhandler = ok\n"});
}

static void the_supervisor_is_the_main_configs(void **state) {
    (void)state;
    EXPECT("p/a.ini:1: supervisor: only the main config has this section, as it is for all of "
           "them; move its keys there\n",
           {"f.ini", MAIN}, {"p/a.ini", "[supervisor]\nnonsense = *.ini\n[ports]\n7002 = ok\n"});
}

static void defaults_hold_in_their_piece_alone(void **state) {
    struct service_table table = {0};
    (void)state;
    char *told = load(
        (const struct piece[]){
            {"f.ini", MAIN "[defaults]\nbacklog = 5\nattempts = 3\n"},
            {"p/a.ini",
             "[a]\nlisten = 1\nhandler = ok\n[defaults]\nbacklog = 7\n[ports]\n2 = echo\n"},
            {"p/b.ini", "[b]\nlisten = 3\nhandler = ok\n"},
            {"p/c.yaml",
             "defaults:\n  attempts: 4\nc:\n  listen: 4\n  handler: ok\n  attempts: 5\n"},
            {NULL, NULL}},
        &table);
    static const struct {
        const char *name, *file;
        uint32_t backlog_count, attempts_count;
    } expected[] = {{"ok", NULL, 5, 3},
                    {"a", "p/a.ini", 7, 3},
                    {"echo", "p/a.ini", 7, 3},
                    {"b", "p/b.ini", 5, 3},
                    {"c", "p/c.yaml", 5, 5}};
    assert_string_equal(told, "");
    assert_int_equal(table.piece_count, 3);
    assert_int_equal(table.service_count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < table.service_count; i++) {
        const struct service *service = &table.services[i];
        assert_string_equal(service->name, expected[i].name);
        assert_int_equal(service->backlog_count, expected[i].backlog_count);
        assert_int_equal(service->attempts_count, expected[i].attempts_count);
        const char *file = service_file(service, service->line, "f.ini");
        assert_string_equal(file, expected[i].file != NULL ? expected[i].file : "f.ini");
    }
    assert_int_equal(config_line_number(table.services[4].handler_line), 5);
    free(told);
    service_table_clear(&table);
}

/* A rule is the service's own, or that of the main config's [defaults]. */
static void rules_name_their_file(void **state) {
    struct service_table table = {0};
    struct access_decision decision;
    struct address peer;
    char text[256];
    (void)state;
    char *told = load(
        (const struct piece[]){{"f.ini", MAIN "[defaults]\ndeny = 10.0.0.1\n"},
                               {"p/a.ini", "[a]\nlisten = 1\nhandler = ok\nallow = 10.0.0.0/8\n"},
                               {NULL, NULL}},
        &table);
    assert_string_equal(told, "");
    const struct service *service = &table.services[1];
    assert_true(address_parse_host("10.0.0.1", &peer));
    access_decide(service, &peer, false, 0, &decision);
    assert_string_equal(access_rule_print(service, &decision.rule, "f.ini", text, sizeof text),
                        "deny 10.0.0.1/32 (f.ini:6)");
    assert_true(address_parse_host("10.0.0.2", &peer));
    access_decide(service, &peer, false, 0, &decision);
    assert_string_equal(access_rule_print(service, &decision.rule, "f.ini", text, sizeof text),
                        "allow 10.0.0.0/8 (p/a.ini:4)");
    free(told);
    service_table_clear(&table);
}

static void warnings_name_their_file(void **state) {
    struct service_table table = {0};
    struct config_output out = {0};
    struct service_machine machine = config_world_posix;
    (void)state;
    char *told = load((const struct piece[]){{"f.ini", "[supervisor]\nlog_level = debug\n"},
                                             {"p/a.ini", "[a]\nlisten = 1\nhandler = ok\n"},
                                             {NULL, NULL}},
                      &table);
    machine.config_file = "f.ini";
    assert_int_equal(service_table_warn(&table, &machine, config_output_add, &out), 1);
    assert_memory_equal(out.text, "p/a.ini:2: warning: a: open at every", 36);
    free(told);
    free(out.text);
    service_table_clear(&table);
}

/* The longest file and the last piece still fit into what a line has for them. */
static void the_largest_line_fits(void **state) {
    struct config_problems problems = {.file_name = "f.ini"};
    (void)state;
    for (size_t i = 0; i < CONFIG_PIECES_MAX_COUNT; i++) {
        assert_true(
            config_problems_begin_piece(&problems, i + 1 == CONFIG_PIECES_MAX_COUNT ? "z" : "a"));
    }
    size_t line = config_problems_line(&problems, CONFIG_FILE_MAX_BYTES + 1);
    assert_true(line <= UINT32_MAX);
    assert_int_equal(config_line_number(line), CONFIG_FILE_MAX_BYTES + 1);
    assert_int_equal(config_line_file(line), CONFIG_PIECES_MAX_COUNT);
    assert_string_equal(config_line_words(&problems, line, 3), "z:1048577");
    assert_string_equal(config_line_words(&problems, line, line), "line 1048577");
    config_problems_clear(&problems);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_names_its_file),
        cmocka_unit_test(what_stands_twice_names_both_places),
        cmocka_unit_test(the_supervisor_is_the_main_configs),
        cmocka_unit_test(defaults_hold_in_their_piece_alone),
        cmocka_unit_test(rules_name_their_file),
        cmocka_unit_test(warnings_name_their_file),
        cmocka_unit_test(the_largest_line_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
