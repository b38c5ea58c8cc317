/*
 * The n-th allocation fails, for every n, on the whole way of an import. This test is linked so
 * that malloc and its kin of our code come here, and the arena is compiled to ask malloc each time.
 */
#include "core/base/error.h"
#include "import_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void __real_free(void *old);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);
void __wrap_free(void *old);

static size_t calls_until_failure; /* 0 = never */
static size_t call_count;
static long live_count;

static void *counted(bool fails, void *memory) {
    if (fails) {
        __real_free(memory);
        return NULL;
    }
    live_count += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t size_bytes) {
    return counted(++call_count == calls_until_failure, __real_malloc(size_bytes));
}

void *__wrap_calloc(size_t count, size_t size_bytes) {
    return counted(++call_count == calls_until_failure, __real_calloc(count, size_bytes));
}

void __wrap_free(void *old) {
    live_count -= old != NULL;
    __real_free(old);
}

/* What was emitted, as a hash (FNV-1a) and whether anything was. */
struct emitted {
    uint32_t out, faults;
    bool any;
};

static uint32_t hash_on(uint32_t hash, const char *text) {
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    }
    return hash;
}

static void take_out(void *context, const char *text) {
    struct emitted *emitted = context;
    emitted->out = hash_on(emitted->out, text);
    emitted->any = true;
}

static void take_fault(void *context, const char *text) {
    struct emitted *emitted = context;
    emitted->faults = hash_on(emitted->faults, text);
    emitted->any = true;
}

static int import_with_failure(const struct import_file *files, size_t failing,
                               struct emitted *emitted) {
    const struct import_machine world = import_world_of(files);
    long live_before = live_count;
    *emitted = (struct emitted){0, 0, false};
    call_count = 0;
    calls_until_failure = failing;
    int result = import_config(files[0].path, &world, take_out, take_fault, emitted);
    calls_until_failure = 0;
    assert_int_equal(live_count, live_before);
    return result;
}

static void fail_each(const struct import_file *files, int final_result) {
    struct emitted expected;
    struct emitted emitted;
    assert_int_equal(import_with_failure(files, 0, &expected), final_result);
    size_t total_count = call_count;
    assert_true(total_count > 20);
    for (size_t failing = 1; failing <= total_count; failing++) {
        assert_int_equal(import_with_failure(files, failing, &emitted), BATON_NO_MEMORY);
        assert_false(emitted.any);
    }
    assert_int_equal(import_with_failure(files, total_count + 1, &emitted), final_result);
    assert_int_equal(emitted.out, expected.out);
    assert_int_equal(emitted.faults, expected.faults);
}

static void take_setting(void *context, const char *key, const char *value) {
    take_out(context, key);
    take_out(context, value);
}

static void take_section(void *context, const char *name, size_t line) {
    (void)line;
    take_out(context, name);
}

static void take_problem(void *context, size_t line, const char *text) {
    (void)line;
    take_fault(context, text);
}

/* As it is; the caller has nothing of what was told before memory failed. */
static int serve_with_failure(const struct import_file *files, size_t failing,
                              struct emitted *emitted) {
    const struct import_machine world = import_world_of(files);
    const struct import_taker taker = {take_section, take_setting, take_problem, emitted};
    long live_before = live_count;
    *emitted = (struct emitted){0, 0, false};
    call_count = 0;
    calls_until_failure = failing;
    int result = import_inetd(files[0].path, &world, &taker);
    calls_until_failure = 0;
    assert_int_equal(live_count, live_before);
    return result;
}

static void serve_with_each_failure(const struct import_file *files) {
    struct emitted expected, emitted;
    assert_int_equal(serve_with_failure(files, 0, &expected), BATON_OK);
    size_t total_count = call_count;
    for (size_t failing = 1; failing <= total_count; failing++) {
        assert_int_equal(serve_with_failure(files, failing, &emitted), BATON_NO_MEMORY);
    }
    assert_int_equal(serve_with_failure(files, total_count + 1, &emitted), BATON_OK);
    assert_int_equal(emitted.out, expected.out);
    assert_int_equal(emitted.faults, expected.faults);
}

static void inetd_survives_each_failure(void **state) {
    static const char text[] =
        "# x\n"
        "127.0.0.1,localhost,x:ftp stream tcp nowait.3 root /a/tcpd b \"c ;\" {\n"
        "\t'd'\n"
        "192.0.2.1,192.0.2.2:7001 dgram udp,sndbuf=1k wait root /a b\n"
        "echo stream tcp6 nowait root internal\n"
        "echo stream tcp nowait root internal\n"
        "7 stream tcp nowait root internal\n"
        ":u:g:660:/run/a stream unix nowait/3/4 root /a b\n"
        "ftp stream tcp nowait no.one /a b\n"
        "what\n";
    const struct import_file files[] = {{"f", text, sizeof text - 1}, {NULL, NULL, 0}};
    (void)state;
    fail_each(files, BATON_OK);
    serve_with_each_failure(files);
}

static void xinetd_survives_each_failure(void **state) {
    static const char text[] = "defaults\n{\ncps = 1 2\nonly_from = 127.0.0.1\nenabled = ftp s\n}\n"
                               "service ftp\n{\nsocket_type = stream\nwait = no\nserver = /a\n"
                               "server_args = b c\nenv = A=1 B\nenv += A=2\nuser = u\n"
                               "flags = NODELAY NAMEINARGS X\nx = y\nonly_from -= 127.0.0.1\n"
                               "instances = 3\n}\nincludedir d\n";
    static const char more[] = "service s\n{\ntype = UNLISTED\nport = 7001\nsocket_type = stream\n"
                               "wait = no\nredirect = a 1\n}\n";
    const struct import_file files[] = {{"f", text, sizeof text - 1},
                                        {"d/b", more, sizeof more - 1},
                                        {"d/a", more, sizeof more - 1},
                                        {NULL, NULL, 0}};
    (void)state;
    fail_each(files, BATON_OK);
}

static void faulty_files_survive_each_failure(void **state) {
    static const char xinetd[] = "include g\nservice a\nb = c\n}\n}\nservice a b\n{\nd\n";
    static const char inetd[] = "a\x01\nb\n";
    const struct import_file files[] = {{"f", xinetd, sizeof xinetd - 1}, {NULL, NULL, 0}};
    const struct import_file others[] = {{"f", inetd, sizeof inetd - 1}, {NULL, NULL, 0}};
    (void)state;
    fail_each(files, BATON_INVALID);
    fail_each(others, BATON_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inetd_survives_each_failure),
        cmocka_unit_test(xinetd_survives_each_failure),
        cmocka_unit_test(faulty_files_survive_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
