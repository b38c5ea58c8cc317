/* Which inetd.conf is read, and what comes of one that cannot be, on a disk that is a table. */
#include "config_world.h"
#include "core/base/error.h"
#include "guests.h"
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
    const char *text; /* NULL = it cannot be read */
    int result;       /* why */
};

static const struct entry *disk;

int platform_file_read(const char *path, void *buffer, size_t capacity, size_t *length,
                       struct baton_cause *cause) {
    const struct entry *entry = disk;
    *cause = (struct baton_cause){0};
    *length = 0;
    while (entry->path != NULL && strcmp(entry->path, path) != 0) {
        entry++;
    }
    if (entry->text == NULL) {
        return entry->path == NULL ? BATON_NOT_FOUND : entry->result;
    }
    *length = strlen(entry->text);
    assert_true(*length <= capacity);
    memcpy(buffer, entry->text, *length);
    return BATON_OK;
}

int platform_service_port(void *context, const char *name, bool udp, uint16_t *port) {
    (void)context;
    *port = 7;
    return strcmp(name, "echo") == 0 && !udp ? BATON_OK : BATON_NOT_FOUND;
}

const char *pieces_unread_words(int result, const struct baton_cause *cause, char room[256]) {
    (void)cause;
    (void)room;
    return baton_error_text(result);
}

/* ---- The tests ---- */

static char buffer[CONFIG_FILE_MAX_BYTES];

/* Reads what the main config, /etc/baton/f.ini, names. `expected`: "NAME FILE:LINE KEY=VALUE ..."
 * of each section and setting of guests, then what is told. */
static void expect(const struct service_machine *world, const char *main_ini,
                   const struct entry *entries, const char *expected) {
    struct load_paths *paths = calloc(1, sizeof *paths);
    struct config config = {0};
    struct config_problems problems = {0};
    struct config_output out = {0};
    char text[512];
    assert_non_null(paths);
    disk = entries;
    snprintf(paths->config_folder, sizeof paths->config_folder, "/etc/baton");
    (void)config_parse(&config, CONFIG_FORMAT_INI, "f.ini", main_ini, strlen(main_ini), &problems);
    assert_true(guests_read(paths, world, &config, buffer, &problems));
    config_output_add(&out, "");
    for (size_t i = 0; i < config.section_count; i++) {
        const struct config_section *section = &config.sections[i];
        if (config_problems_is_guest(&problems, section->line)) {
            snprintf(text, sizeof text, "%s %s:%lu", section->name,
                     config_problems_file(&problems, section->line),
                     (unsigned long)config_line_number(section->line));
            config_output_add(&out, text);
            for (size_t k = 0; k < config.setting_count; k++) {
                const struct config_setting *setting = &config.settings[k];
                if (setting->section == section->name) {
                    snprintf(text, sizeof text, " %s=%s", setting->key, setting->value);
                    config_output_add(&out, text);
                    assert_int_equal(setting->line, section->line);
                }
            }
            config_output_add(&out, "\n");
        }
    }
    for (size_t i = 0; i < config.source_count; i++) {
        snprintf(text, sizeof text, "source %s\n", config.sources[i].path);
        config_output_add(&out, text);
    }
    config_problems_print(&problems, config_output_add, &out);
    assert_string_equal(out.text, expected);
    free(out.text);
    config_clear(&config);
    config_problems_clear(&problems);
    free(paths);
}

#define KEY(value) "[supervisor]\ninetd_conf = " value "\n"
#define DISK(...)                                                                                  \
    (const struct entry[]) {                                                                       \
        {"/etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:9:9::/:/bin/sh\n", 0}, __VA_ARGS__, {     \
            NULL, NULL, 0                                                                          \
        }                                                                                          \
    }
#define ECHO_LINE "#\necho stream tcp nowait root internal\n"
#define ECHO_AT(path) "echo " path ":2 listen=echo handler=echo\nsource " path "\n"

static void where_it_is(void **state) {
    (void)state;
    expect(&config_world_posix, "[ports]\n1 = ok\n", DISK({"/etc/inetd.conf", ECHO_LINE, 0}), "");
    expect(&config_world_posix, KEY("/etc/inetd.conf"), DISK({"/etc/inetd.conf", ECHO_LINE, 0}),
           ECHO_AT("/etc/inetd.conf"));
    expect(&config_world_posix, KEY("inetd.conf"), DISK({"/etc/baton/inetd.conf", ECHO_LINE, 0}),
           ECHO_AT("/etc/baton/inetd.conf"));
    expect(&config_world_posix, KEY("\"/a b/inetd.conf\""), DISK({"/a b/inetd.conf", ECHO_LINE, 0}),
           ECHO_AT("/a b/inetd.conf"));
    expect(&config_world_posix, KEY("\"x"), DISK({"/etc/inetd.conf", ECHO_LINE, 0}), "");
}

static void one_that_is_not_there(void **state) {
    (void)state;
    expect(&config_world_posix, KEY("/x"), DISK({"/etc/inetd.conf", ECHO_LINE, 0}),
           "/x: warning: is not there, so nothing of it is served; it is looked for again by each "
           "reload\n");
}

static void one_that_cannot_be_read(void **state) {
    (void)state;
    expect(&config_world_posix, KEY("/x"), DISK({"/x", NULL, BATON_DENIED}),
           "f.ini:2: supervisor.inetd_conf: /x cannot be read: permission denied\n");
    expect(
        &config_world_posix, KEY("/x"), DISK({"/x", "defaults\n{\n}\n", 0}),
        "source /x\nf.ini:2: supervisor.inetd_conf: /x is an xinetd.conf; make a config of it by "
        "`baton-import FILE`\n");
}

static void the_config_goes_before_it(void **state) {
    (void)state;
    expect(
        &config_world_posix, KEY("/x") "[echo]\nenabled = no\n", DISK({"/x", ECHO_LINE, 0}),
        "source /x\n/x:2: warning: echo: the config has a service of this name in f.ini:3, which "
        "holds; this one is not served\n");
}

static int is_program(void *context, const char *path) {
    (void)context;
    return path[0] == '/' ? BATON_OK : BATON_NOT_FOUND;
}

/* What inetd does itself runs as nobody where the config does not say as whom. */
static void as_whom(void **state) {
    static const char text[] = ECHO_LINE "7001 stream tcp nowait nobody /bin/cat cat\n";
    static const char cat[] =
        "7001 /x:3 listen=7001 handoff=stdio stderr=socket handler=/bin/cat argv0=cat directory=/ "
        "no_new_privileges=no user=nobody\nsource /x\n";
    struct service_machine root = config_world_root, user = config_world_posix;
    char expected[512];
    (void)state;
    root.probe_program = user.probe_program = is_program;
    snprintf(expected, sizeof expected, "echo /x:2 listen=echo handler=echo user=nobody\n%s", cat);
    expect(&root, KEY("/x"), DISK({"/x", text, 0}), expected);
    snprintf(expected, sizeof expected, "echo /x:2 listen=echo handler=echo\n%s", cat);
    expect(&root, KEY("/x") "default_user = alice\n", DISK({"/x", text, 0}), expected);
    expect(&user, KEY("/x"), DISK({"/x", text, 0}), expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_it_is),
        cmocka_unit_test(one_that_is_not_there),
        cmocka_unit_test(one_that_cannot_be_read),
        cmocka_unit_test(the_config_goes_before_it),
        cmocka_unit_test(as_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
