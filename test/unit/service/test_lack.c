/* Heads of programs made by hand, and what a service lacks on a made-up machine. */
#include "core/base/error.h"
#include "core/service/lack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define X86_64 62
#define ARM_64 183

static void put(uint8_t *at, uint64_t number, size_t count, bool little) {
    for (size_t i = 0; i < count; i++) {
        at[little ? i : count - 1 - i] = (uint8_t)(number >> (8 * i));
    }
}

/* An ELF file that asks for `loader` in its second program header; returns its length. */
static size_t make_elf(uint8_t bytes[512], unsigned bits, bool little, uint16_t machine,
                       const char *loader) {
    bool wide = bits == 64;
    size_t word = wide ? 8 : 4;
    size_t header = wide ? 64 : 52;
    size_t step = wide ? 56 : 32;
    uint8_t *second = bytes + header + step;
    memset(bytes, 0, 512);
    memcpy(bytes, "\177ELF", 4);
    bytes[4] = wide ? 2 : 1;
    bytes[5] = little ? 1 : 2;
    put(bytes + 18, machine, 2, little);
    put(bytes + (wide ? 32 : 28), header, word, little);
    put(bytes + (wide ? 54 : 42), step, 2, little);
    put(bytes + (wide ? 56 : 44), 2, 2, little);
    put(bytes + header, 6, 4, little);
    put(second, 3, 4, little);
    put(second + (wide ? 8 : 4), 300, word, little);
    put(second + (wide ? 32 : 16), strlen(loader) + 1, word, little);
    memcpy(bytes + 300, loader, strlen(loader) + 1);
    return 300 + strlen(loader) + 1;
}

static struct program_head head_of(const void *bytes, size_t length) {
    struct program_head head;
    program_head_read(bytes, length, &head);
    return head;
}

static void test_loaders(void **state) {
    static const unsigned bits[] = {32, 64};
    uint8_t bytes[512];
    uint32_t first = 0;
    (void)state;
    for (int i = 0; i < 4; i++) {
        size_t length = make_elf(bytes, bits[i % 2], i < 2, X86_64, "/lib/ld.so");
        struct program_head head = head_of(bytes, length);
        assert_int_equal(head.kind, PROGRAM_ELF);
        assert_string_equal(head.interpreter, "/lib/ld.so");
        assert_int_equal(head.machine & 0xffff, X86_64);
        first = i == 0 ? head.machine : first;
        size_t headers_bytes = bits[i % 2] == 64 ? 64 + 2 * 56 : 52 + 2 * 32;
        assert_int_equal(program_machine_fits(first, head.machine), i < 2);
        /* Cut anywhere: no loader, and nothing read beyond. */
        for (size_t cut = 0; cut < length; cut++) {
            assert_string_equal(head_of(bytes, cut).interpreter, "");
            assert_int_equal(head_of(bytes, cut).kind == PROGRAM_ELF, cut >= headers_bytes);
        }
    }
}

static void test_wrong_heads(void **state) {
    uint8_t bytes[512];
    (void)state;
    size_t length = make_elf(bytes, 64, true, X86_64, "/lib/ld.so");
    put(bytes + 32, UINT64_MAX - 10, 8, true); /* headers far away */
    assert_string_equal(head_of(bytes, length).interpreter, "");
    length = make_elf(bytes, 64, true, X86_64, "/lib/ld.so");
    put(bytes + 64 + 56 + 32, UINT64_MAX, 8, true); /* a name without end */
    assert_string_equal(head_of(bytes, length).interpreter, "");
    length = make_elf(bytes, 64, true, X86_64, "/lib/ld.so");
    put(bytes + 54, 0, 2, true); /* headers without size */
    assert_int_equal(head_of(bytes, length).kind, PROGRAM_OTHER);
    length = make_elf(bytes, 64, true, X86_64, "/lib/ld.so");
    put(bytes + 56, 0, 2, true); /* none */
    assert_int_equal(head_of(bytes, length).kind, PROGRAM_OTHER);
    length = make_elf(bytes, 64, true, X86_64, "/lib/ld.so");
    put(bytes + 64 + 56 + 32, 12, 8, true); /* the name and two NUL */
    assert_string_equal(head_of(bytes, length + 1).interpreter, "/lib/ld.so");
    put(bytes + 64 + 56 + 32, 10, 8, true); /* a name that is not ended */
    assert_int_equal(head_of(bytes, length).kind, PROGRAM_OTHER);
    put(bytes + 64 + 56 + 32, 1, 8, true); /* an empty one */
    bytes[300] = '\0';
    assert_int_equal(head_of(bytes, length).kind, PROGRAM_OTHER);
    bytes[4] = 3;
    assert_int_equal(head_of(bytes, length).kind, PROGRAM_OTHER);
    assert_int_equal(head_of("MZ", 2).kind, PROGRAM_OTHER);
    assert_int_equal(head_of("", 0).kind, PROGRAM_OTHER);
    assert_int_equal(head_of("#", 1).kind, PROGRAM_OTHER);
}

static void test_first_lines(void **state) {
    static const struct {
        const char *line, *interpreter;
        bool returns;
    } cases[] = {{"#!/bin/sh\necho", "/bin/sh", false},
                 {"#! \t/bin/sh -e\n", "/bin/sh", false},
                 {"#!/bin/sh", "/bin/sh", false},
                 {"#!/bin/sh\r\necho\r\n", "/bin/sh\r", true},
                 {"#!/usr/bin/env\tsh\r\n", "/usr/bin/env", true},
                 {"#!/bin/sh \r\n", "/bin/sh", true},
                 {"#!/bin/sh -e\r", "/bin/sh", true},
                 {"#!/bin/sh -e\r \n", "/bin/sh", false},
                 {"#!/bin/sh -e\necho\r\n", "/bin/sh", false},
                 {"#!\r\n", "\r", true},
                 {"#!sh\n", "sh", false}};
    char line[300] = "#!";
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct program_head head = head_of(cases[i].line, strlen(cases[i].line));
        assert_int_equal(head.kind, PROGRAM_SCRIPT);
        assert_string_equal(head.interpreter, cases[i].interpreter);
        assert_int_equal(head.ends_with_return, cases[i].returns);
    }
    memset(line + 2, 'x', sizeof line - 2); /* Linux takes no name that it sees no end of */
    assert_int_equal(head_of(line, sizeof line).kind, PROGRAM_OTHER);
    line[100] = ' '; /* and no further words */
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\n';
    assert_int_equal(head_of(line, sizeof line).kind, PROGRAM_SCRIPT);
    assert_false(head_of(line, sizeof line).ends_with_return);
    /* Nor a line without a name. */
    assert_int_equal(head_of("#!\n", 3).kind, PROGRAM_OTHER);
    assert_int_equal(head_of("#! \t\n/bin/sh", 12).kind, PROGRAM_OTHER);
    assert_int_equal(head_of("#!", 2).kind, PROGRAM_OTHER);
}

static void test_processors(void **state) {
    uint32_t own = X86_64 | 2u << 16 | 1u << 18;
    (void)state;
    assert_true(program_machine_fits(own, own));
    assert_true(program_machine_fits(own, 3 | 1u << 16 | 1u << 18));
    assert_false(program_machine_fits(own, ARM_64 | 2u << 16 | 1u << 18));
    assert_true(program_machine_fits(ARM_64 | 2u << 16 | 1u << 18, 40 | 1u << 16 | 1u << 18));
    assert_false(program_machine_fits(40 | 1u << 16 | 1u << 18, ARM_64 | 2u << 16 | 1u << 18));
}

/* ---- A machine ---- */

static struct {
    const char *path;
    int result;
    const void *bytes;
    size_t length;
} files[8];

static int probe(void *context, const char *path) {
    (void)context;
    for (size_t i = 0; i < 8 && files[i].path != NULL; i++) {
        if (strcmp(files[i].path, path) == 0) {
            return files[i].result;
        }
    }
    return BATON_NOT_FOUND;
}

static int read_file(const char *path, void *buffer, size_t capacity, size_t *length,
                     struct baton_cause *cause) {
    (void)cause;
    for (size_t i = 0; i < 8 && files[i].path != NULL; i++) {
        if (strcmp(files[i].path, path) == 0 && files[i].bytes != NULL) {
            *length = files[i].length < capacity ? files[i].length : capacity;
            memcpy(buffer, files[i].bytes, *length);
            return files[i].length > capacity ? BATON_TOO_LONG : BATON_OK;
        }
    }
    return BATON_DENIED;
}

static struct service_machine machine = {.probe_program = probe,
                                         .probe_directory = probe,
                                         .read_file = read_file,
                                         .own_machine = X86_64 | 2u << 16 | 1u << 18};

static void have(size_t place, const char *path, int result, const void *bytes, size_t length) {
    files[place].path = path;
    files[place].result = result;
    files[place].bytes = bytes;
    files[place].length = length;
}

static char path_variable[] = "PATH=/sbin:/bin";
static char *inherited[] = {path_variable, NULL};
static size_t inherited_count;

/* What the program /p lacks. */
static void expect(const char *text) {
    struct service_listen place = {.path = NULL};
    struct service service = {.listen = &place,
                              .program = "/p",
                              .handler = "/p",
                              .inherited = inherited,
                              .inherited_count = inherited_count};
    struct service_lack lack;
    char words[LACK_TEXT_MAX_BYTES] = "";
    if (service_find_lack(&service, &machine, &lack)) {
        (void)service_lack_text(&lack, &machine, words);
    }
    assert_string_equal(words, text);
}

static void expect_script(const char *script, const char *text) {
    have(0, "/p", BATON_OK, script, strlen(script));
    expect(text);
}

static void test_who_runs_a_program(void **state) {
    uint8_t bytes[512];
    (void)state;
    memset(files, 0, sizeof files);
    expect("there is no file /p");
    have(1, "/bin/sh", BATON_OK, NULL, 0);
    have(2, "/data", BATON_NOT_EXECUTABLE, NULL, 0);
    have(3, "/second", BATON_OK, "#!/third\n", 9);
    have(4, "/p2", BATON_OK, "#!/p2\n", 6);
    expect_script("#!/bin/sh\n", "");
    expect_script("#!/bin/sh\r\n", "the first line of /p ends with a carriage return");
    expect_script("#!/bin/sh -e\r\n", "the first line of /p ends with a carriage return");
    expect_script("#!/none -e\r\n", "the first line of /p ends with a carriage return");
    have(5, "/bin/perl", BATON_OK, NULL, 0);
    have(6, "/odd\r", BATON_OK, NULL, 0);
    expect_script("#!/bin/perl -w\r\n", ""); /* it passes over that */
    expect_script("#!/bin/perl\r\n", "the first line of /p ends with a carriage return");
    expect_script("#!/odd\r\n", "");
    expect_script("#! \necho hello\n", "/p is no program of this system, and no script with `#!`");
    expect_script("#!/bin/none -x\n",
                  "the first line of /p names an interpreter that cannot be run, `/bin/none`");
    expect_script("#!/data\n",
                  "the first line of /p names an interpreter that cannot be run, `/data`");
    expect_script("#!/second\n", "the first line of /second names an interpreter that cannot be "
                                 "run, `/third`");
    expect_script("#!/p2\n", ""); /* one that names itself: an end has this, too */
    expect_script("echo hello\n", "/p is no program of this system, and no script with `#!`");
    have(0, "/p", BATON_OK, bytes, make_elf(bytes, 64, true, X86_64, "/bin/sh"));
    expect("");
    have(0, "/p", BATON_OK, bytes, make_elf(bytes, 64, true, X86_64, "/lib/ld-musl.so.1"));
    expect("/p needs a loader that cannot be run, `/lib/ld-musl.so.1`");
    have(0, "/p", BATON_OK, bytes, make_elf(bytes, 64, true, ARM_64, "/bin/sh"));
    expect("/p was built for another processor");
    /* A system that runs whatever it likes. */
    machine.runs_other_formats = true;
    expect("");
    expect_script("echo hello\n", "");
    machine.runs_other_formats = false;
    /* One that may be run, but not read. */
    have(0, "/p", BATON_OK, NULL, 0);
    expect("");
    have(0, "/p", BATON_DENIED, NULL, 0);
    expect("/p may not be executed");
    have(0, "/p", BATON_INVALID, NULL, 0);
    expect("/p is not a regular file");
    have(0, "/p", BATON_SYSTEM, NULL, 0); /* a circle of links */
    expect("/p cannot be looked at");
}

/* What env(1) is told to run, where the service's handlers would look. */
static void test_what_env_runs(void **state) {
    static const struct {
        const char *script, *environment, *found;
    } cases[] = {{"#!/usr/bin/env sh\n", NULL, NULL},
                 {"#!/bin/env  sh \t\n", NULL, NULL},
                 {"#!/usr/bin/env none\n", NULL, "none"},
                 {"#!/usr/bin/env none", NULL, "none"},
                 {"#!/usr/bin/env sh -e\n", NULL, "sh -e"},
                 {"#!/usr/bin/env -S sh -e\n", NULL, NULL},
                 {"#!/usr/bin/env -Snone -e\n", NULL, "none"},
                 {"#!/usr/bin/env -S A=1 B=c=d\tnone x=y\n", NULL, "none"},
                 {"#!/usr/bin/env -S A=1 sh none\n", NULL, NULL},
                 {"#!/usr/bin/env /none\n", NULL, "/none"},
                 {"#!/usr/bin/env -S /bin/sh x\n", NULL, NULL},
                 {"#!/usr/bin/env -S none '$x'\n", NULL, "none"},
                 {"#!/usr/bin/env none\n", "PATH=/opt", "none"},
                 {"#!/usr/bin/env odd\n", "PATH=/sbin:/opt", NULL},
                 {"#!/usr/bin/env sh\n", "PATH=/opt", "sh"},
                 {"#!/other/env none\n", NULL, NULL},
                 /* What cannot be told. */
                 {"#!/usr/bin/env\n", NULL, NULL},
                 {"#!/usr/bin/env A=1 none\n", NULL, NULL},
                 {"#!/usr/bin/env -i\n", NULL, NULL},
                 {"#!/usr/bin/env -S\n", NULL, NULL},
                 {"#!/usr/bin/env -S -i none\n", NULL, NULL},
                 {"#!/usr/bin/env -S PATH=/x none\n", NULL, NULL},
                 {"#!/usr/bin/env -S \"none\" x\n", NULL, NULL},
                 {"#!/usr/bin/env -S ${none}\n", NULL, NULL},
                 {"#!/usr/bin/env bin/none\n", NULL, NULL},
                 {"#!/usr/bin/env none\n", "PATH=", NULL},
                 {"#!/usr/bin/env none\n", "PATH=/bin:", NULL},
                 {"#!/usr/bin/env none\n", "PATH=/bin::/opt", NULL},
                 {"#!/usr/bin/env none\n", "PATH=bin", NULL}};
    (void)state;
    memset(files, 0, sizeof files);
    have(1, "/usr/bin/env", BATON_OK, NULL, 0);
    have(2, "/bin/env", BATON_OK, NULL, 0);
    have(3, "/other/env", BATON_OK, NULL, 0);
    have(4, "/bin/sh", BATON_OK, NULL, 0);
    have(5, "/opt/odd", BATON_OK, NULL, 0);
    inherited_count = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char first[] = "A=b";
        char *environment[] = {first, (char *)cases[i].environment, NULL};
        struct service service = {.environment = environment,
                                  .environment_count = cases[i].environment != NULL ? 2 : 1,
                                  .inherited = inherited,
                                  .inherited_count = 1};
        struct service_lack lack = {.path = ""};
        have(0, "/p", BATON_OK, cases[i].script, strlen(cases[i].script));
        bool lacks = service_lacks_program(&machine, "/p", false, &service, &lack);
        if (lacks != (cases[i].found != NULL)) {
            print_error("%s", cases[i].script);
        }
        assert_true(lacks == (cases[i].found != NULL));
        if (lacks) {
            assert_int_equal(lack.kind, LACK_COMMAND);
            assert_string_equal(lack.path, "/p");
            assert_string_equal(lack.interpreter, cases[i].found);
        }
        /* Nobody's handler: with whose PATH is not known. */
        assert_false(service_lacks_program(&machine, "/p", false, NULL, &lack));
    }
    const char *varying[] = {"A", "PATH", NULL};
    struct service service = {.variables = varying};
    struct service_lack lack;
    expect_script("#!/usr/bin/env none\n", "the first line of /p has env run what it cannot "
                                           "find, `none`");
    assert_false(service_lacks_program(&machine, "/p", false, &service, &lack));
    inherited_count = 0;
    expect_script("#!/usr/bin/env none\n", "");
}

/* ---- Who may change what runs ---- */

static const char *open_to_all; /* the folder, or file, that is */

static int inspect(void *context, const char *path, struct path_facts *out) {
    bool is_open = strcmp(path, open_to_all) == 0;
    *out = (struct path_facts){.kind = PATH_KIND_FOLDER, .mode = is_open ? 0777 : 0755};
    if (probe(context, path) == BATON_OK && strcmp(path, "/data") != 0) {
        out->kind = PATH_KIND_FILE;
        out->user = is_open ? 1000 : 0;
    }
    return strcmp(path, "/sbin/none") == 0 ? BATON_NOT_FOUND : BATON_OK;
}

/* What is wrong with the service when that alone is open. */
static void expect_open(const char *path, struct service *service, const char *text) {
    struct service_lack lack;
    char words[LACK_TEXT_MAX_BYTES] = "";
    open_to_all = path;
    for (size_t i = 0; i < 2; i++) {
        service->strict_modes = i == 0;
        bool found = service_find_lack(service, &machine, &lack);
        assert_true(found == (i == 0 && text[0] != '\0'));
        if (found) {
            (void)service_lack_text(&lack, &machine, words);
            assert_int_equal(lack.line, 7);
        }
    }
    assert_string_equal(words, text);
}

static void test_what_others_may_change(void **state) {
    struct service_listen place = {.path = NULL};
    struct service service = {
        .listen = &place, .program = "/srv/p", .handler = "/srv/p", .handler_line = 7};
    char path[] = "PATH=/sbin:/opt/bin:/bin";
    char *folders[] = {path, NULL};
    uint8_t bytes[512];
    service.inherited = folders;
    service.inherited_count = 1;
    (void)state;
    memset(files, 0, sizeof files);
    machine.inspect = inspect;
    static const char script[] = "#!/usr/bin/env none\n";
    have(0, "/srv/p", BATON_OK, script, sizeof script - 1);
    have(1, "/usr/bin/env", BATON_OK, NULL, 0);
    have(2, "/opt/bin/none", BATON_OK, NULL, 0);
    expect_open("/nothing", &service, "");
    expect_open("/srv/p", &service, "others may change /srv/p (mode 0777, owner 1000)");
    expect_open("/srv", &service, "others may change /srv (mode 0777, owner 0)");
    expect_open("/", &service, "others may change / (mode 0777, owner 0)");
    expect_open("/usr", &service, "others may change /usr (mode 0777, owner 0)");
    expect_open("/usr/bin/env", &service, "others may change /usr/bin/env (mode 0777, owner 1000)");
    /* What env finds, and what it would find if somebody put it there. */
    expect_open("/opt/bin/none", &service,
                "others may change /opt/bin/none (mode 0777, owner 1000)");
    expect_open("/sbin", &service, "others may change /sbin (mode 0777, owner 0)");
    expect_open("/bin", &service, "");
    static const char direct[] = "#!/usr/bin/env -S /opt/bin/none -x\n";
    have(0, "/srv/p", BATON_OK, direct, sizeof direct - 1);
    expect_open("/opt", &service, "others may change /opt (mode 0777, owner 0)");
    expect_open("/sbin", &service, "");
    /* An interpreter, its own interpreter, a loader. */
    have(0, "/srv/p", BATON_OK, "#!/opt/bin/none\n", 16);
    have(2, "/opt/bin/none", BATON_OK, "#!/lib/one -x\n", 14);
    have(3, "/lib/one", BATON_OK, bytes, make_elf(bytes, 64, true, X86_64, "/lib64/ld.so"));
    have(4, "/lib64/ld.so", BATON_OK, NULL, 0);
    expect_open("/opt/bin", &service, "others may change /opt/bin (mode 0777, owner 0)");
    expect_open("/lib/one", &service, "others may change /lib/one (mode 0777, owner 1000)");
    expect_open("/lib64/ld.so", &service, "others may change /lib64/ld.so (mode 0777, owner 1000)");
    /* What starts where the program is run. */
    have(0, "/srv/p", BATON_OK, "#!bin/one -x\n", 13);
    have(1, "bin/one", BATON_OK, NULL, 0);
    expect_open("/nothing", &service, "bin/one cannot be looked at");
    service.directory = "/data";
    have(5, "/data", BATON_OK, NULL, 0);
    expect_open("/nothing", &service, "");
    expect_open("/data/bin", &service, "others may change /data/bin (mode 0777, owner 0)");
    have(0, "/srv/p", BATON_OK, "#!/usr/bin/env none\n", 20);
    have(1, "/usr/bin/env", BATON_OK, NULL, 0);
    static char relative[] = "PATH=:/bin";
    char *environment[] = {relative, NULL};
    service.environment = environment;
    service.environment_count = 1;
    expect_open("/bin", &service, "");
    expect_open("/data/none", &service, "others may change /data/none (mode 0777, owner 0)");
    have(0, "/srv/p", BATON_OK, "#!/usr/bin/env x/none\n", 22);
    expect_open("/data/x", &service, "others may change /data/x (mode 0777, owner 0)");
    service.directory = NULL;
    /* One that the config names. */
    service.program = "/lib/one";
    have(0, "/srv/p", BATON_NOT_EXECUTABLE, "", 0);
    expect_open("/lib", &service, "others may change /lib (mode 0777, owner 0)");
    expect_open("/srv", &service, "others may change /srv (mode 0777, owner 0)");
    machine.inspect = NULL;
    expect_open("/srv", &service, "");
}

static void test_folders(void **state) {
    struct service_listen place = {.path = "/run/x/socket"};
    struct service service = {
        .listen = &place, .program = "/bin/sh", .handler = "/h.sh", .directory = "/home"};
    struct service_lack lack;
    (void)state;
    memset(files, 0, sizeof files);
    have(0, "/bin/sh", BATON_OK, NULL, 0);
    have(1, "/h.sh", BATON_NOT_EXECUTABLE, NULL, 0); /* its interpreter reads it */
    assert_true(service_find_lack(&service, &machine, &lack));
    assert_string_equal(lack.path, "/home");
    have(2, "/home", BATON_OK, NULL, 0);
    assert_true(service_find_lack(&service, &machine, &lack));
    assert_string_equal(lack.path, "/run/x");
    have(3, "/run/x", BATON_DENIED, NULL, 0);
    assert_true(service_find_lack(&service, &machine, &lack));
    have(3, "/run/x", BATON_OK, NULL, 0);
    assert_false(service_find_lack(&service, &machine, &lack));
}

static void collect(void *context, const char *text) {
    strncat(context, text, 1023 - strlen(context));
}

/* Where programs may be of any format nothing is lacking, but a text without `#!` is told. */
static void test_a_script_without_a_first_line(void **state) {
    static const struct {
        const char *head;
        size_t warning_count;
    } cases[] = {{"import baton\n", 1}, {"#!/bin/sh\n", 0}, {"MZ\1\2\3", 0}, {"", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024] = "";
        struct service service = {.name = "a",
                                  .program = "/srv/handlers/a",
                                  .handler = "/srv/handlers/a",
                                  .handler_line = 3};
        struct service_table table = {.services = &service, .service_count = 1};
        struct service_machine world = {.read_file = read_file, .config_file = "x.ini"};
        have(0, service.handler, BATON_OK, cases[i].head, strlen(cases[i].head));
        assert_int_equal(service_table_warn(&table, &world, collect, text), cases[i].warning_count);
        assert_true(cases[i].warning_count == 0 ||
                    strstr(text, "x.ini:3: warning: a: the handler is a text without `#!`") ==
                        text);
        /* An interpreter reads it. */
        service.program = "/usr/bin/python3";
        assert_int_equal(service_table_warn(&table, &world, collect, text), 0);
    }
}

/* How many names a folder has before the one that is meant. */
static size_t names_before_count;

static int list_many(const char *path, void (*visit)(void *context, const char *name),
                     void *context, struct baton_cause *cause) {
    (void)path;
    (void)cause;
    for (size_t i = 0; i < names_before_count; i++) {
        visit(context, "something else");
    }
    visit(context, "handler");
    return BATON_OK;
}

static void test_what_was_meant_is_looked_for_within_bounds(void **state) {
    uint32_t looks_left = 2;
    struct service_machine world = {.executable_suffix = "", .list_folder = list_many};
    char nearest[SERVICE_NEAREST_BYTES];
    (void)state;
    names_before_count = 9999;
    assert_true(service_find_nearest(&world, "/srv/hadnler", nearest));
    assert_string_equal(nearest, "handler");
    names_before_count = 10000;
    assert_false(service_find_nearest(&world, "/srv/hadnler", nearest));
    names_before_count = 0;
    world.looks_left = &looks_left;
    assert_true(service_find_nearest(&world, "/srv/hadnler", nearest));
    assert_true(service_find_nearest(&world, "/srv/hadnler", nearest));
    assert_false(service_find_nearest(&world, "/srv/hadnler", nearest));
    assert_int_equal(looks_left, 0);
}

static void test_what_takes_privileges_is_a_warning(void **state) {
    char text[1024] = "";
    struct service_table table = {.needs_privileges = true};
    struct service_machine world = {.config_file = "x.ini"};
    (void)state;
    assert_int_equal(service_table_warn(&table, &world, collect, text), 1);
    assert_ptr_equal(strstr(text, "x.ini: warning: this config takes privileges"), text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loaders),
        cmocka_unit_test(test_wrong_heads),
        cmocka_unit_test(test_first_lines),
        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_who_runs_a_program),
        cmocka_unit_test(test_what_env_runs),
        cmocka_unit_test(test_what_others_may_change),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_a_script_without_a_first_line),
        cmocka_unit_test(test_what_takes_privileges_is_a_warning),
        cmocka_unit_test(test_what_was_meant_is_looked_for_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
