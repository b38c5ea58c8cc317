/* What the import asks the machine for: files, programs and who runs them, users, rules. */
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

#define WITH(lines)                                                                                \
    "service a\n{\n type = UNLISTED\n socket_type = stream\n wait = no\n user = root\n" lines      \
    " server = /usr/bin/a\n port = 7001\n}\n"
#define LINES(text) (text), sizeof(text) - 1

/* A link of a folder that leads nowhere. */
static int read_but_links(void *context, const char *path, const char **bytes, size_t *length) {
    return text_ends_with(path, "/link", false)
               ? BATON_NOT_FOUND
               : import_world_of(context).read_file(context, path, bytes, length);
}

/* As Debian's xinetd 2.3.15.3 was seen to: it serves what the other files have. */
static void a_link_to_nowhere_is_passed_over(void **state) {
    const char text[] = "defaults\n{\n instances = 7\n}\nincludedir etc/xinetd.d\n";
    const struct import_file files[] = {{"/xinetd.conf", LINES(text)},
                                        {"/etc/xinetd.d/a", LINES(WITH(""))},
                                        {"/etc/xinetd.d/link", LINES("")},
                                        {"/etc/xinetd.d/z", LINES("service z\n{\n}\n")},
                                        {NULL, NULL, 0}};
    static const char *const paths[] = {"/xinetd.conf", "/etc/xinetd.d", "/etc/xinetd.d/a"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct import_options options = {.defaults = i == 0 ? NULL : "/xinetd.conf"};
        struct emitted emitted = {{0}, {0}};
        struct import_machine world = import_world_of(files);
        world.read_file = read_but_links;
        world.options = &options;
        int result = import_config(paths[i], &world, take_out, take_fault, &emitted);
        if (result != BATON_OK) {
            print_error("%s: %s", paths[i], emitted.faults.text);
        }
        assert_int_equal(result, BATON_OK);
        assert_non_null(strstr(emitted.out.text, "\n[a]\nlisten = "));
        assert_non_null(strstr(emitted.out.text, "max_connections = 7\n"));
        assert_true(i == 2 ||
                    strstr(emitted.out.text, "/etc/xinetd.d/link: there is no such file") != NULL);
        clear(&emitted);
    }
}

static int probe_nothing(void *context, const char *path) {
    (void)context;
    return strcmp(path, "/usr/bin/a") == 0 ? BATON_OK : BATON_NOT_FOUND;
}

static const struct service_machine only_a = {.probe_program = probe_nothing};

/* The first bytes of /usr/bin/a. */
static const char *program_bytes;
static size_t program_length;

static int read_program(const char *path, void *buffer, size_t capacity, size_t *length,
                        struct baton_cause *cause) {
    (void)path;
    (void)cause;
    *length = program_length < capacity ? program_length : capacity;
    memcpy(buffer, program_bytes, *length);
    return BATON_OK;
}

/* An ELF file with ARM's number, one program header, and no more (elf(5)). */
static const char arm_head[64 + 56] = {0x7f, 'E',      'L',       'F',       2,         1,
                                       1,    [16] = 2, [18] = 40, [32] = 64, [54] = 56, [56] = 1};

/* A program that is there but cannot be run, as a check of the config says, too. */
static void who_runs_the_program_is_asked(void **state) {
    static const struct {
        const char *bytes;
        size_t length;
        const char *words; /* NULL = it can be run */
    } programs[] = {
        {LINES("#!/usr/bin/b\n"),
         "/usr/bin/a names an interpreter that cannot be run, `/usr/bin/b`"},
        {LINES("#!/usr/bin/a\r\n"), "carriage return"},
        {LINES("exit 0\n"), "is no program of this system"},
        {LINES(""), "is no program of this system"},
        {arm_head, sizeof arm_head, "another processor"},
        {LINES("#!bin/b\n"), "cannot be run"},
        {LINES("#! /usr/bin/a\n"), NULL},
    };
    const struct service_machine services = {
        .probe_program = probe_nothing, .read_file = read_program, .own_machine = 62};
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof programs / sizeof *programs); i++) {
        const struct import_file inetd[] = {
            {"f", LINES("7001 stream tcp nowait root /usr/bin/a a\n")}, {NULL, NULL, 0}};
        const struct import_file xinetd[] = {{"f.conf", LINES(WITH(""))}, {NULL, NULL, 0}};
        const struct import_file *files = i % 2 == 0 ? inetd : xinetd;
        struct emitted emitted = {{0}, {0}};
        struct import_machine world = import_world_of(files);
        const char *words = programs[i / 2].words;
        program_bytes = programs[i / 2].bytes;
        program_length = programs[i / 2].length;
        world.programs = &services;
        assert_int_equal(import_config(files->path, &world, take_out, take_fault, &emitted),
                         BATON_OK);
        bool is_off = strstr(emitted.out.text, "enabled = no") != NULL;
        if (is_off != (words != NULL)) {
            print_error("%s", emitted.out.text);
        }
        assert_true(is_off == (words != NULL));
        const char *wanted = words != NULL ? words : "handler = /usr/bin/a";
        if (strstr(emitted.out.text, wanted) == NULL) {
            fail_msg("%s is not in %s", wanted, emitted.out.text);
        }
        clear(&emitted);
    }
}

/* What the machine has a say in: programs, and hosts.deny. */
static void the_machine_is_asked(void **state) {
    static const char *const wrappers[] = {"hosts.deny", "hosts.allow", NULL};
    const char text[] = "7001 stream tcp nowait root /usr/bin/a a\n";
    const char absent[] = "7001 stream tcp nowait root /usr/bin/b b\n";
    const char tcpd[] = "7001 stream tcp nowait root /usr/sbin/tcpd a\n";
    const struct import_file denied[] = {
        {"f", LINES(text)}, {"hosts.deny", LINES("# x\nALL: ALL\n")}, {NULL, NULL, 0}};
    const struct import_file guarded[] = {
        {"f", LINES(tcpd)}, {"hosts.deny", LINES("ALL: ALL\n")}, {NULL, NULL, 0}};
    const struct import_file open[] = {
        {"f", LINES(text)}, {"hosts.deny", LINES("# ALL: ALL\n \n")}, {NULL, NULL, 0}};
    const struct import_file lacking[] = {{"f", LINES(absent)}, {NULL, NULL, 0}};
    const struct import_file users[] = {
        {"f", LINES("echo stream tcp nowait nobody internal\n")},
        {"passwd", LINES("root:x:0:0::/:\nnobody:x:65534:65534::/:\n")},
        {NULL, NULL, 0}};
    const struct import_file strangers[] = {
        {"f", LINES("echo stream tcp nowait nobod internal\n")},
        {"passwd", LINES("root:x:0:0::/:\nnobody:x:65534:65534::/:")},
        {NULL, NULL, 0}};
    const struct import_file relayed[] = {{"f.conf", LINES(WITH(" redirect = 127.0.0.1 80\n"))},
                                          {"passwd", LINES("ro:x\nroots:x\n root:x\n")},
                                          {NULL, NULL, 0}};
    const struct import_file *const worlds[] = {denied, guarded,   open,   lacking,
                                                users,  strangers, relayed};
    static const char *const words[] = {"hosts.deny has rules",    "as before",      "[7001]",
                                        "no program `/usr/bin/b`", "handler = echo", "no such user",
                                        "handler = forward"};
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        struct emitted emitted = {{0}, {0}};
        struct import_machine world = import_world_of(worlds[i]);
        world.wrapper_files = wrappers;
        world.programs = i == 3 ? &only_a : NULL;
        world.users_file = i > 3 ? "passwd" : NULL;
        assert_int_equal(import_config(worlds[i]->path, &world, take_out, take_fault, &emitted),
                         BATON_OK);
        assert_true((strstr(emitted.out.text, "enabled = no") != NULL) ==
                    (i == 0 || i == 3 || i == 5));
        assert_non_null(strstr(emitted.out.text, words[i]));
        clear(&emitted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_to_nowhere_is_passed_over),
        cmocka_unit_test(who_runs_the_program_is_asked),
        cmocka_unit_test(the_machine_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
