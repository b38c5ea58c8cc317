/* Names of variables as Windows has them: any character but `=`, and none with a case of its own.
 */
#include "harness.h"
#include "platform/win32/program.h"

#include <string.h>

static size_t name_of(const wchar_t *text, const wchar_t **name) {
    *name = text;
    return text[0] == L'\0' ? 0 : 1 + wcscspn(text + 1, L"=");
}

/* Each name is greater than the one before, so it is there once: by the order of the characters,
 * upper case, which no locale changes. */
static void test_the_block_is_sorted_and_has_each_name_once(void **state) {
    (void)state;
    const char *const inherited[] = {"=C:=C:\\x",
                                     "_=1",
                                     "z=1",
                                     "gr\xc3\xbc\xc3\x9f"
                                     "e=1",
                                     "ProgramFiles(x86)=1",
                                     NULL};
    const char *const additions[] = {"GR\xc3\x9c\xc3\x9f"
                                     "E=2",
                                     "\xc3\xa4=2",
                                     "Z=2",
                                     "\xc3\x84=3",
                                     "programfiles(X86)=2",
                                     "My Data=2",
                                     "\xd0\xb6=1",
                                     "\xd0\x96=2",
                                     NULL};
    struct platform_program_spec spec = {.inherited = inherited, .environment = additions};
    struct environment_block block = {0};
    const struct environment_values none = {0};
    assert_int_equal(win32_environment_create(&spec, &block), BATON_OK);
    assert_int_equal(win32_environment_write(&block, &none), BATON_OK);
    const wchar_t *before = L"";
    size_t before_length = 0;
    size_t count = 0;
    for (const wchar_t *at = block.text; *at != L'\0'; at += wcslen(at) + 1, count++) {
        const wchar_t *name;
        size_t length = name_of(at, &name);
        assert_int_equal(CompareStringOrdinal(before, (int)before_length, name, (int)length, TRUE),
                         CSTR_LESS_THAN);
        assert_int_equal(at[length], L'=');
        /* The last one of a name counts. */
        assert_int_equal(at[length + 1], *at == L'='   ? L'C'
                                         : *at == L'_' ? L'1'
                                         : *at == 0xc4 ? L'3'
                                                       : L'2');
        before = name;
        before_length = length;
    }
    assert_int_equal(count, 8);
    win32_environment_clear(&block);
}

static void test_names_have_no_case(void **state) {
    (void)state;
    static const struct {
        const char *variable, *name;
        bool same;
    } cases[] = {{"GR\xc3\x9cSSE=x", "gr\xc3\xbcsse", true},
                 {"gr\xc3\xbcsse=GR\xc3\x9cSSE", "GR\xc3\x9cSSE", true},
                 {"\xd0\x96=", "\xd0\xb6", true},
                 {"ProgramFiles(x86)=", "PROGRAMFILES(X86)", true},
                 {"=C:=C:\\", "=c:", true},
                 {"GRUSSE=x", "gr\xc3\xbcsse", false},
                 {"PATH=x", "PAT", false},
                 {"PATH=x", "PATHS", false},
                 {"PATH", "PATH", false},
                 {"=x", "", false},
                 {"", "", false},
                 {"A=B=C", "A=B", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (platform_is_variable(cases[i].variable, cases[i].name, strlen(cases[i].name)) !=
            cases[i].same) {
            fail_msg("`%s` and `%s`", cases[i].variable, cases[i].name);
        }
    }
}

static void test_a_child_finds_them(void **state) {
    struct bench *bench = *state;
    const char *const additions[] = {"GR\xc3\x9cSSE=hallo", "ProgramFiles(x86)=32", "My Data=x",
                                     NULL};
    struct platform_program_spec spec = {.environment = additions};
    struct platform_program *program = BENCH_RECIPE(
        bench, spec, "variable:gr\xc3\xbcsse", "variable:PROGRAMFILES(X86)", "variable:My Data");
    uint64_t token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = token};
    struct platform_process *process = bench_start(bench, &launch).process;
    platform_program_destroy(&program);
    assert_int_equal(bench_finish(bench, &process, token).code, 0);
    assert_string_equal(bench->text, "gr\xc3\xbcsse=hallo\nPROGRAMFILES(X86)=32\nMy Data=x\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_block_is_sorted_and_has_each_name_once),
        cmocka_unit_test(test_names_have_no_case),
        WITH_BENCH(test_a_child_finds_them),
    };
    return cmocka_run_group_tests_name("win32_environment", tests, NULL, NULL);
}
