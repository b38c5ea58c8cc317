/* Which pieces are read, on a disk that is a table: what a real one shows only by chance. */
#include "config_world.h"
#include "core/base/error.h"
#include "core/base/path_facts.h"
#include "pieces.h"
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- The disk ---- */

struct entry {
    const char *path;
    const char *text;   /* of a file; NULL = it cannot be read */
    const char *target; /* of a link, which leads to `text` */
    int result;         /* why it cannot be read */
    bool has_gone;      /* it is listed all the same */
};

static const struct entry *disk;
static const char *locked_folder; /* it may not be read */
static char reads[1024];          /* what was read, one behind the other */

const bool platform_backslash_separates = false;

static const struct entry *find(const char *path) {
    const struct entry *entry = disk;
    while (entry->path != NULL && strcmp(entry->path, path) != 0) {
        entry++;
    }
    return entry->path != NULL && !entry->has_gone ? entry : NULL;
}

static size_t folder_length(const char *path) {
    return (size_t)(strrchr(path, '/') - path);
}

int platform_file_read(const char *path, void *buffer, size_t capacity, size_t *length,
                       struct baton_cause *cause) {
    const struct entry *entry = find(path);
    size_t used = strlen(reads);
    *cause = (struct baton_cause){0};
    *length = 0;
    snprintf(reads + used, sizeof reads - used, "%s ", path);
    if (entry == NULL || entry->text == NULL) {
        return entry == NULL ? BATON_NOT_FOUND : entry->result;
    }
    *length = strlen(entry->text);
    assert_true(*length <= capacity);
    memcpy(buffer, entry->text, *length);
    return BATON_OK;
}

int platform_inspect(void *context, const char *path, struct path_facts *out) {
    const struct entry *entry = find(path);
    (void)context;
    if (entry != NULL) {
        out->kind = entry->target != NULL ? PATH_KIND_LINK : PATH_KIND_FILE;
        snprintf(out->target, sizeof out->target, "%s", entry->target != NULL ? entry->target : "");
    }
    return entry != NULL ? BATON_OK : BATON_NOT_FOUND;
}

static bool has_folder(const char *path) {
    bool has_one = false;
    for (const struct entry *entry = disk; entry->path != NULL; entry++) {
        size_t length = folder_length(entry->path);
        has_one = has_one || (length == strlen(path) && strncmp(entry->path, path, length) == 0);
    }
    return has_one;
}

/* The last first, as no system promises an order. */
int platform_directory_list(const char *path, void (*visit)(void *context, const char *name),
                            void *context, struct baton_cause *cause) {
    size_t count = 0;
    *cause = (struct baton_cause){0};
    if (locked_folder != NULL && strcmp(path, locked_folder) == 0) {
        *cause = (struct baton_cause){"opendir", 13};
        return BATON_DENIED;
    }
    while (disk[count].path != NULL) {
        count++;
    }
    while (count > 0) {
        const char *at = disk[--count].path;
        if (folder_length(at) == strlen(path) && strncmp(at, path, strlen(path)) == 0) {
            visit(context, at + strlen(path) + 1);
        }
    }
    return has_folder(path) ? BATON_OK : BATON_NOT_FOUND;
}

int platform_path_absolute(const char *path, char *out, size_t size_bytes) {
    assert_true(path[0] == '/');
    if (strlen(path) >= size_bytes) {
        return BATON_TOO_LONG;
    }
    memcpy(out, path, strlen(path) + 1);
    return BATON_OK;
}

char *platform_error_text(long system_code, char *out, size_t size_bytes) {
    snprintf(out, size_bytes, "error %ld", system_code);
    return out;
}

/* ---- The tests ---- */

static char buffer[CONFIG_FILE_MAX_BYTES];
static const char system_folders[] = "/usr/lib/baton\0/run/baton\0/etc/baton\0";

/* `include` of /etc/baton/ports.ini, which is called x/ports.ini; the caller frees what is told. */
static char *read_all(const char *include, const char *folders, const struct entry *entries,
                      size_t *section_count) {
    struct load_paths *paths = calloc(1, sizeof *paths);
    struct config config = {0};
    struct config_problems problems = {0};
    struct config_output out = {0};
    char text[512];
    assert_non_null(paths);
    disk = entries;
    reads[0] = '\0';
    snprintf(paths->shown_name, sizeof paths->shown_name, "x/ports.ini");
    snprintf(paths->shown_folder, sizeof paths->shown_folder, "x/");
    snprintf(paths->config_file, sizeof paths->config_file, "/etc/baton/ports.ini");
    snprintf(paths->config_folder, sizeof paths->config_folder, "/etc/baton");
    paths->piece_folders = folders;
    snprintf(text, sizeof text, "[supervisor]\ninclude = %s\n", include);
    assert_int_equal(
        config_parse(&config, CONFIG_FORMAT_INI, "x/ports.ini", text, strlen(text), &problems),
        BATON_OK);
    assert_true(pieces_read(paths, &config, buffer, &problems));
    config_output_add(&out, "");
    config_problems_print(&problems, config_output_add, &out);
    *section_count = config.section_count - 1;
    config_clear(&config);
    config_problems_clear(&problems);
    free(paths);
    return out.text;
}

static void expect(const char *told, const char *read, size_t section_count, const char *include,
                   const char *folders, const struct entry *entries) {
    size_t seen_count = 0;
    char *seen = read_all(include, folders, entries, &seen_count);
    assert_string_equal(seen, told);
    assert_string_equal(reads, read);
    assert_int_equal(seen_count, section_count);
    free(seen);
}

#define SERVICE(name) "[" name "]\nlisten = 1\nhandler = ok\n"

static void the_later_folder_holds(void **state) {
    static const struct entry entries[] = {{.path = "/usr/lib/baton/p/b.ini", .text = SERVICE("b")},
                                           {.path = "/usr/lib/baton/p/a.ini", .text = SERVICE("a")},
                                           {.path = "/usr/lib/baton/p/c.ini", .text = SERVICE("c")},
                                           {.path = "/usr/lib/baton/p/d.ini", .text = SERVICE("d")},
                                           {.path = "/run/baton/p/b.ini", .text = SERVICE("b")},
                                           {.path = "/run/baton/p/a.ini", .text = SERVICE("a")},
                                           {.path = "/etc/baton/p/a.ini", .text = SERVICE("a")},
                                           {.path = "/etc/baton/p/c.ini", .text = ""},
                                           {.path = "/etc/baton/p/d.ini", .target = "/dev/null"},
                                           {.path = NULL}};
    (void)state;
    expect("", "/etc/baton/p/a.ini /run/baton/p/b.ini /etc/baton/p/c.ini ", 2, "p/*.ini",
           system_folders, entries);
    expect("", "/run/baton/p/b.ini ", 1, "p/b.ini", system_folders, entries);
    expect("", "/etc/baton/p/a.ini /etc/baton/p/c.ini ", 1, "p/*.ini", NULL, entries);
    expect("", "/run/baton/p/a.ini /run/baton/p/b.ini ", 2, "/run/baton/p/*.ini", system_folders,
           entries);
}

static void each_is_read_once(void **state) {
    static const struct entry entries[] = {{.path = "/etc/baton/ports.ini", .text = "nonsense"},
                                           {.path = "/etc/baton/b.ini", .text = SERVICE("b")},
                                           {.path = "/etc/baton/a.ini", .text = SERVICE("a")},
                                           {.path = NULL}};
    (void)state;
    expect("", "/etc/baton/b.ini /etc/baton/a.ini ", 2, "b*.ini, *.ini, a.ini", NULL, entries);
}

static void what_cannot_be_read_is_told(void **state) {
    static const struct entry entries[] = {
        {.path = "/etc/baton/p/a.ini", .has_gone = true},
        {.path = "/etc/baton/p/b.ini", .target = "../gone", .result = BATON_NOT_FOUND},
        {.path = "/etc/baton/p/c.ini", .result = BATON_DENIED},
        {.path = "/etc/baton/p/d.ini", .result = BATON_INVALID},
        {.path = "/etc/baton/p/e.ini", .result = BATON_TOO_LONG},
        {.path = "/etc/baton/p/f.ini", .text = SERVICE("f")},
        {.path = NULL}};
    size_t section_count = 0;
    (void)state;
    char *told = read_all("p/*.ini", NULL, entries, &section_count);
    static const char *const wanted[] = {
        "x/p/a.ini: cannot be read: it was in its folder, and is gone; try again\n",
        "x/p/b.ini: is a link to ../gone, which is not there;", "x/p/c.ini: cannot be read: ",
        "x/p/d.ini: cannot be read: it is a folder or no regular file",
        "x/p/e.ini: cannot be read: it is longer than 1 MiB"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (strstr(told, wanted[i]) == NULL) {
            fail_msg("%s not in %s", wanted[i], told);
        }
    }
    assert_int_equal(section_count, 1);
    free(told);
}

static void a_folder_that_is_locked_is_told(void **state) {
    static const struct entry entries[] = {{.path = "/run/baton/p/a.ini", .text = SERVICE("a")},
                                           {.path = "/etc/baton/p/b.ini", .text = SERVICE("b")},
                                           {.path = NULL}};
    (void)state;
    locked_folder = "/run/baton/p";
    expect("x/ports.ini:2: supervisor.include: /run/baton/p cannot be read: error 13\n",
           "/etc/baton/p/b.ini ", 1, "p/*.ini", system_folders, entries);
    locked_folder = NULL;
}

static void paths_have_a_longest(void **state) {
    static const struct entry entries[] = {{.path = NULL}};
    static char long_folder[4098];
    (void)state;
    memset(long_folder, 'x', sizeof long_folder - 2);
    long_folder[0] = '/';
    size_t section_count = 0;
    char *told = read_all("p/*.ini", long_folder, entries, &section_count);
    assert_memory_equal(told, "x/ports.ini:2: supervisor.include: /xxx", 39);
    assert_string_equal(reads, "");
    free(told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_later_folder_holds),
        cmocka_unit_test(each_is_read_once),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(a_folder_that_is_locked_is_told),
        cmocka_unit_test(paths_have_a_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
