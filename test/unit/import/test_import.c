/* The edges of the import; what it makes of whole files is told by test/golden/import. */
#include "config_world.h"
#include "core/base/error.h"
#include "emitted.h"
#include "import_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Imports the first of `files`. What comes out is a config without fault, or nothing at all. */
static int import_files(const struct import_file *files, struct emitted *emitted) {
    const struct import_machine world = import_world_of(files);
    *emitted = (struct emitted){{0}, {0}};
    int result = import_config(files[0].path, &world, take_out, take_fault, emitted);
    assert_true((result == BATON_OK) == (emitted->out.text != NULL));
    assert_true((result == BATON_OK) == (emitted->faults.text == NULL));
    return result;
}

static int import_bytes(const char *bytes, size_t length, struct emitted *emitted) {
    const struct import_file files[] = {{"f.conf", bytes, length}, {NULL, NULL, 0}};
    return import_files(files, emitted);
}

/* Imports a text into a table, which the caller clears. */
static void import_table(const char *text, struct service_table *table) {
    struct emitted emitted;
    struct config_problems problems = {0};
    assert_int_equal(import_bytes(text, strlen(text), &emitted), BATON_OK);
    int result = config_world_load(&import_world_services, CONFIG_FORMAT_INI, "i.ini",
                                   emitted.out.text, emitted.out.length, table, &problems);
    if (result != BATON_OK) {
        config_problems_print(&problems, take_fault, &emitted);
        print_error("%s\n%s\n", emitted.out.text, emitted.faults.text);
    }
    assert_int_equal(result, BATON_OK);
    config_problems_clear(&problems);
    clear(&emitted);
}

static void expect_fault(const char *text, const char *fault) {
    struct emitted emitted;
    assert_int_equal(import_bytes(text, strlen(text), &emitted), BATON_INVALID);
    if (strstr(emitted.faults.text, fault) == NULL) {
        print_error("%s\n", emitted.faults.text);
    }
    assert_non_null(strstr(emitted.faults.text, fault));
    clear(&emitted);
}

/* What the old server would hand to exec is what ours will, however awkward. */
static void arguments_stay_what_they_are(void **state) {
    static const char *const words[] = {
        "plain", "two words", " ;",   "a ;b",  "; ;", "#",   "a #b", "{port}", "}{",     "{{",
        "\\",    "a\\",       "\\\\", "$HOME", "*",   "a;b", "=",    ":",      "\t;\tx", "%s"};
    const size_t count = sizeof words / sizeof *words;
    char text[1024] = "7001 stream tcp nowait root /usr/bin/a a";
    struct service_table table = {0};
    (void)state;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, " \"%s\" '%s\"'", words[i], words[i]);
    }
    import_table(text, &table);
    assert_int_equal(table.services[0].argc, 1 + 2 * count);
    for (size_t i = 0; i < count; i++) {
        char expected[64];
        char quoted[64];
        size_t length = 0;
        size_t quoted_length = 0;
        /* A brace is doubled in argv, where templates are; facts_fill() takes it as one. */
        for (const char *at = words[i]; *at != '\0'; at++) {
            bool brace = *at == '{' || *at == '}';
            expected[length++] = *at;
            if (brace) {
                expected[length++] = *at;
            }
        }
        expected[length] = '\0';
        quoted_length = (size_t)snprintf(quoted, sizeof quoted, "%s\"", expected);
        assert_true(quoted_length < sizeof quoted);
        assert_string_equal(table.services[0].argv[1 + 2 * i], expected);
        assert_string_equal(table.services[0].argv[2 + 2 * i], quoted);
    }
    service_table_clear(&table);
}

static void fields_reach_the_table(void **state) {
    struct service_table table = {0};
    (void)state;
    import_table("ftp stream tcp nowait root /usr/sbin/tcpd in.ftpd -l\n"
                 "tftp dgram udp wait root /usr/sbin/in.tftpd in.tftpd\n"
                 "time stream tcp6only nowait root internal\n"
                 "7001 stream tcp46 wait/3 root /usr/bin/a\n"
                 "/run/a stream unix nowait/3 root /usr/bin/a a\n",
                 &table);
    assert_int_equal(table.service_count, 6);
    const struct service *service = table.services;
    assert_string_equal(service->name, "ftp");
    assert_string_equal(service->program, "/usr/sbin/tcpd");
    assert_string_equal(service->argv[0], "in.ftpd");
    assert_int_equal(service->handoff, HANDOFF_STDIO);
    assert_int_equal(service->stderr_to, STDERR_SOCKET);
    assert_int_equal(service->listen->address.port, 21);
    assert_int_equal(service->listen->address.family, ADDRESS_IPV4);
    service++;
    assert_int_equal(service->protocol, PROTOCOL_UDP);
    assert_int_equal(service->handoff, HANDOFF_LISTENER);
    service++;
    assert_string_equal(service->program, "/srv/handlers/time");
    assert_int_equal(service->handoff, HANDOFF_CHANNEL);
    assert_int_equal(service->listen->address.family, ADDRESS_IPV6);
    assert_int_equal(service->v6only, 1);
    service++;
    assert_string_equal(service->argv[0], "/usr/bin/a");
    assert_int_equal(service->handoff, HANDOFF_LISTENER);
    assert_int_equal(service->listen->address.family, ADDRESS_IPV4);
    service++;
    assert_string_equal(service->listen->path, "/run/a");
    assert_int_equal(service->max_connections_count, 3);
    service++;
    assert_string_equal(service->name, "7001-2");
    assert_int_equal(service->listen->address.family, ADDRESS_IPV6);
    assert_int_equal(service->v6only, 1);
    service_table_clear(&table);
}

static void a_rule_that_is_lost_switches_off(void **state) {
    struct service_table table = {0};
    (void)state;
    import_table("service a\n{\ntype = UNLISTED\nport = 7001\nsocket_type = stream\nwait = no\n"
                 "user = root\nserver = /usr/bin/a\nonly_from = .example.org\n}\n"
                 "service b\n{\ntype = UNLISTED\nport = 7002\nsocket_type = stream\nwait = no\n"
                 "user = root\nserver = /usr/bin/b\nonly_from = 192.0.2.0/24\n}\n",
                 &table);
    assert_int_equal(table.service_count, 1);
    assert_int_equal(table.disabled_count, 1);
    assert_string_equal(table.services[0].name, "b");
    assert_non_null(table.services[0].access);
    service_table_clear(&table);
}

static void line_ends_of_inetd_do_not_matter(void **state) {
    struct service_table table = {0};
    (void)state;
    import_table("# x\r\n\r\n7001 stream tcp nowait root /usr/bin/a a b\r\n", &table);
    assert_int_equal(table.services[0].argc, 2);
    assert_string_equal(table.services[0].argv[1], "b");
    service_table_clear(&table);
}

/* Else the first comment would hide all that follows it. */
static void other_ends_of_lines_are_told(void **state) {
    (void)state;
    expect_fault("# x\r7001 stream tcp nowait root /usr/bin/a a\r",
                 "f.conf:1: column 4 holds a carriage return");
    expect_fault("7001 stream tcp nowait root /usr/bin/a a\r7002 stream\r",
                 "f.conf:1: column 41 holds a carriage return");
    expect_fault("7001 stream tcp nowait root /usr/bin/a a\r\n\x1a",
                 "f.conf:2: column 1 holds a Ctrl-Z");
}

/* What came through PowerShell's `>` was another file where the old server read it. */
static void utf16_is_read(void **state) {
    static const char text[] = "# x\r\n7001 stream tcp nowait root /usr/bin/a a b";
    char bytes[2 * sizeof text] = "\xff\xfe";
    struct emitted emitted;
    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        bytes[2 + 2 * i] = text[i];
    }
    assert_int_equal(import_bytes(bytes, sizeof bytes, &emitted), BATON_OK);
    assert_non_null(strstr(emitted.out.text, "handler = /usr/bin/a b\n"));
    assert_null(strstr(emitted.out.text, "enabled = no"));
    clear(&emitted);
    assert_int_equal(import_bytes(bytes, sizeof bytes - 1, &emitted), BATON_INVALID);
    assert_non_null(strstr(emitted.faults.text, "f.conf:2: column 42 holds bytes that are not"));
    clear(&emitted);
}

static void a_service_named_service_is_of_inetd(void **state) {
    struct emitted emitted;
    const char text[] = "service stream tcp nowait root /usr/bin/a a\n";
    (void)state;
    assert_int_equal(import_bytes(text, strlen(text), &emitted), BATON_OK);
    assert_non_null(strstr(emitted.out.text, "from an inetd.conf"));
    clear(&emitted);
}

static void nothing_in_it_is_no_fault(void **state) {
    static const char *const texts[] = {"", "\n", "# x", "\xef\xbb\xbf", "defaults\n{\n}\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct emitted emitted;
        assert_int_equal(import_bytes(texts[i], strlen(texts[i]), &emitted), BATON_OK);
        assert_non_null(strstr(emitted.out.text, "There is no service in it."));
        clear(&emitted);
    }
}

static void files_may_include_one_another_so_deep(void **state) {
    static char texts[12][32];
    static char names[12][8];
    struct import_file files[13] = {{NULL, NULL, 0}};
    struct emitted emitted;
    (void)state;
    for (size_t depth = 1; depth <= 12; depth++) {
        for (size_t i = 0; i < depth; i++) {
            snprintf(names[i], sizeof names[i], "f%u", (unsigned)i);
            snprintf(texts[i], sizeof texts[i], "include f%u\n", (unsigned)i + 1);
            files[i] = (struct import_file){names[i], texts[i], strlen(texts[i])};
        }
        files[depth - 1].bytes = "defaults\n{\n}\n";
        files[depth - 1].length = strlen("defaults\n{\n}\n");
        files[depth].path = NULL;
        assert_int_equal(import_files(files, &emitted),
                         depth <= IMPORT_DEPTH_MAX_COUNT ? BATON_OK : BATON_INVALID);
        clear(&emitted);
    }
}

static void a_ring_of_files_is_told(void **state) {
    const struct import_file files[] = {{"d/a", "include b\n", 10},
                                        {"d/b", "includedir c\n", 13},
                                        {"d/c/x", "include ../../d/a\n", 18},
                                        {"d/c/../../d/a", "include d/b\n", 12},
                                        {NULL, NULL, 0}};
    const struct import_file ring[] = {
        {"a", "include b\n", 10}, {"b", "include a\n", 10}, {NULL, NULL, 0}};
    struct emitted emitted;
    (void)state;
    assert_int_equal(import_files(files, &emitted), BATON_INVALID);
    clear(&emitted);
    assert_int_equal(import_files(ring, &emitted), BATON_INVALID);
    assert_string_equal(emitted.faults.text,
                        "b:1: a: this file includes itself; delete the line\n");
    clear(&emitted);
}

/* Many files in one folder: told when there are too many, and all their bytes are counted. */
static void includes_are_bounded(void **state) {
    static struct import_file files[IMPORT_FILES_MAX_COUNT + 3];
    static char names[IMPORT_FILES_MAX_COUNT + 2][16];
    static char large[CONFIG_FILE_MAX_BYTES];
    struct emitted emitted;
    (void)state;
    files[0] = (struct import_file){"f", "includedir d\n", 13};
    for (size_t i = 0; i < IMPORT_FILES_MAX_COUNT + 1; i++) {
        snprintf(names[i], sizeof names[i], "d/%05u", (unsigned)i);
        files[i + 1] = (struct import_file){names[i], "#\n", 2};
    }
    assert_int_equal(import_files(files, &emitted), BATON_INVALID);
    assert_non_null(strstr(emitted.faults.text, "more than 1024 files"));
    clear(&emitted);
    files[IMPORT_FILES_MAX_COUNT].path = NULL;
    assert_int_equal(import_files(files, &emitted), BATON_OK);
    clear(&emitted);
    memset(large, '\n', sizeof large);
    for (size_t i = 1; i <= 5; i++) {
        files[i].bytes = large;
        files[i].length = sizeof large;
    }
    assert_int_equal(import_files(files, &emitted), BATON_INVALID);
    assert_non_null(strstr(emitted.faults.text, "longer than 4 MiB"));
    clear(&emitted);
}

/* `count` services, as many as a config may have, or one more. */
static void services_are_bounded(void **state) {
    static char text[(CONFIG_SERVICES_MAX_COUNT + 1) * 64];
    (void)state;
    for (size_t count = CONFIG_SERVICES_MAX_COUNT; count <= CONFIG_SERVICES_MAX_COUNT + 1;
         count++) {
        struct emitted emitted;
        size_t length = 0;
        for (size_t i = 0; i < count; i++) {
            length += (size_t)snprintf(text + length, sizeof text - length,
                                       "%u stream tcp nowait root /usr/bin/a a\n", (unsigned)i + 1);
        }
        int result = import_bytes(text, length, &emitted);
        assert_int_equal(result, count <= CONFIG_SERVICES_MAX_COUNT ? BATON_OK : BATON_INVALID);
        clear(&emitted);
    }
    struct service_table table = {0};
    text[strlen(text) - strlen("1025 stream tcp nowait root /usr/bin/a a\n")] = '\0';
    import_table(text, &table);
    assert_int_equal(table.service_count, CONFIG_SERVICES_MAX_COUNT);
    service_table_clear(&table);
}

static void faults_tell_where(void **state) {
    (void)state;
    expect_fault("x\n", "f.conf:1: this is neither");
    expect_fault("7001 stream tcp nowait root /usr/bin/a \x7f\n", "f.conf:1: column 40 holds");
    expect_fault("include b\n", "f.conf:1: b: there is no such file");
}

/* A world whose files have names that cannot stand in a config. */
static int read_any(void *context, const char *path, const char **bytes, size_t *length) {
    (void)context;
    (void)path;
    *bytes = "7001 stream tcp nowait root /usr/bin/a a\n7001 what\n";
    *length = strlen(*bytes);
    return BATON_OK;
}

static void awkward_names_of_files_stay_comments(void **state) {
    const struct import_machine world = {.read_file = read_any,
                                         .find_port = import_world_find_port};
    const char *name = "a\nb\xff\x01;[x]\xc3\xa4";
    char long_name[5000];
    struct emitted emitted = {{0}, {0}};
    struct service_table table = {0};
    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            import_config(i == 0 ? name : long_name, &world, take_out, take_fault, &emitted),
            BATON_OK);
        assert_int_equal(config_world_load(&import_world_services, CONFIG_FORMAT_INI, "i.ini",
                                           emitted.out.text, emitted.out.length, &table, NULL),
                         BATON_OK);
        assert_int_equal(table.service_count, 1);
        service_table_clear(&table);
        clear(&emitted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_stay_what_they_are),
        cmocka_unit_test(fields_reach_the_table),
        cmocka_unit_test(a_rule_that_is_lost_switches_off),
        cmocka_unit_test(line_ends_of_inetd_do_not_matter),
        cmocka_unit_test(other_ends_of_lines_are_told),
        cmocka_unit_test(utf16_is_read),
        cmocka_unit_test(a_service_named_service_is_of_inetd),
        cmocka_unit_test(nothing_in_it_is_no_fault),
        cmocka_unit_test(files_may_include_one_another_so_deep),
        cmocka_unit_test(a_ring_of_files_is_told),
        cmocka_unit_test(includes_are_bounded),
        cmocka_unit_test(services_are_bounded),
        cmocka_unit_test(faults_tell_where),
        cmocka_unit_test(awkward_names_of_files_stay_comments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
