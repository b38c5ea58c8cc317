#include "config_world.h"

#include "core/base/error.h"
#include "core/service/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *path;
    int result;
};

static const struct entry posix_entries[] = {{"/srv/handlers/ok", BATON_OK},
                                             {"/srv/handlers/echo", BATON_OK},
                                             {"/srv/handlers/daytime", BATON_OK},
                                             {"/srv/handlers/env", BATON_OK},
                                             {"/srv/handlers/conformance", BATON_OK},
                                             {"/srv/handlers/discard", BATON_OK},
                                             {"/srv/handlers/chargen", BATON_OK},
                                             {"/srv/handlers/time", BATON_OK},
                                             {"/srv/handlers/forward", BATON_OK},
                                             {"/usr/bin/rsync", BATON_OK},
                                             {"/srv/handlers/greet", BATON_OK},
                                             {"/srv/handlers/status", BATON_OK},
                                             {"/srv/handlers/shop", BATON_OK},
                                             {"/srv/handlers/game", BATON_OK},
                                             {"/opt/web/server", BATON_OK},
                                             {"/srv/handlers/my-server", BATON_OK},
                                             {"/usr/bin/busybox", BATON_OK},
                                             {"/usr/sbin/exim4", BATON_OK},
                                             {"/usr/sbin/in.tftpd", BATON_OK},
                                             {"/usr/bin/sort", BATON_OK},
                                             {"/srv/handlers/hello.py", BATON_OK},
                                             {"/srv/handlers/hello_forking.py", BATON_OK},
                                             {"/srv/handlers/data.rb", BATON_NOT_EXECUTABLE},
                                             {"/srv/handlers/secret", BATON_DENIED},
                                             {"/srv/handlers/folder", BATON_INVALID},
                                             {"/srv/data", BATON_INVALID},
                                             {"/opt/my tools/x", BATON_OK},
                                             {"/usr/bin/python3", BATON_OK},
                                             {"/usr/bin/ruby", BATON_OK},
                                             {NULL, 0}};

static const struct entry windows_entries[] = {{"C:\\baton\\handlers\\ok.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\echo.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\daytime.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\env.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\conformance.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\discard.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\chargen.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\time.exe", BATON_OK},
                                               {"C:/baton/handlers/echo.exe", BATON_OK},
                                               {"C:\\baton\\handlers\\hello.py", BATON_OK},
                                               {"C:\\baton\\handlers\\noending", BATON_OK},
                                               {"C:\\baton\\handlers\\old.bat", BATON_OK},
                                               {"C:\\Program Files\\x\\x.exe", BATON_OK},
                                               {"\\\\server\\my share\\x.exe", BATON_OK},
                                               {"C:\\Python\\python.exe", BATON_OK},
                                               {NULL, 0}};

static const struct entry directories[] = {{"/root", BATON_OK},
                                           {"/srv/handlers", BATON_OK},
                                           {"/srv/data", BATON_OK},
                                           {"/srv/data//.", BATON_OK},
                                           {"/srv", BATON_OK},
                                           {"/srv/my data", BATON_OK},
                                           {"/srv/closed", BATON_DENIED},
                                           {"/", BATON_OK},
                                           {"/run", BATON_OK},
                                           {"/run/baton", BATON_OK},
                                           {"/srv/handlers/ok", BATON_INVALID},
                                           {"C:\\baton\\handlers", BATON_OK},
                                           {"C:\\baton", BATON_OK},
                                           {"C:\\data", BATON_OK},
                                           {"C:\\", BATON_OK},
                                           {NULL, 0}};

static int look_up(const struct entry *entries, const char *path, bool nocase) {
    for (; entries->path != NULL; entries++) {
        if (nocase ? text_equal_nocase(entries->path, path) : strcmp(entries->path, path) == 0) {
            return entries->result;
        }
    }
    return BATON_NOT_FOUND;
}

static int probe_posix(void *context, const char *path) {
    (void)context;
    return look_up(posix_entries, path, false);
}

static int probe_windows(void *context, const char *path) {
    (void)context;
    return look_up(windows_entries, path, true);
}

static int probe_directory(void *context, const char *path) {
    (void)context;
    return look_up(directories, path, false);
}

/* Of both systems' folders at once, which have no names in common that would matter. */
static int list_folder(const char *path, void (*visit)(void *context, const char *name),
                       void *context, struct baton_cause *cause) {
    const struct entry *const lists[] = {posix_entries, windows_entries};
    size_t length = strlen(path);
    (void)cause;
    for (size_t i = 0; i < 2; i++) {
        for (const struct entry *entry = lists[i]; entry->path != NULL; entry++) {
            if (strncmp(entry->path, path, length) == 0 && entry->path[length] != '\0') {
                visit(context, entry->path + length + 1);
            }
        }
    }
    return BATON_OK;
}

static int find_port(void *context, const char *name, bool udp, uint16_t *port) {
    static const struct {
        const char *name;
        bool udp;
        uint16_t port;
    } services[] = {{"http", false, 80},    {"http-alt", false, 8080}, {"rsync", false, 873},
                    {"domain", false, 53},  {"domain", true, 53},      {"tftp", true, 69},
                    {"z39.50", false, 210}, {"discard", false, 9},     {"discard", true, 9}};
    (void)context;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        if (services[i].udp == udp && strcmp(services[i].name, name) == 0) {
            *port = services[i].port;
            return BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

/* Files of rules. */
static int read_rules(const char *path, void *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause) {
    static const struct {
        const char *path, *text;
    } files[] = {{"/srv/rules/office", "10.1.0.0/16 # the house\n2001:db8:1::/48\n"},
                 {"/srv/rules/blocked.txt", "203.0.113.0/24 ; a list\r\n203.0.113.9\r\n"},
                 {"/srv/rules/partners.txt", "192.0.2.0/24\n"},
                 {"/srv/rules/wrong", "# wrong\n10.1.0.1/16\n\n10.1\n"},
                 {"C:\\baton\\rules.txt", "10.1.0.0/16\r\n"}};
    (void)cause;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(path, files[i].path) == 0 && strlen(files[i].text) < capacity) {
            *length = strlen(files[i].text);
            memcpy(buffer, files[i].text, *length);
            return BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

static int find_user(const char *own, const char *name, struct account *out) {
    static const uint32_t groups[] = {4, 27};
    static const struct account accounts[] = {{0, 0, "root", "/root", NULL, 0},
                                              {33, 33, "www-data", "/var/www", NULL, 0},
                                              {1000, 1000, "baton", "/home/baton", groups, 2},
                                              {1001, 100, "alice", "/home/alice", groups, 1},
                                              {65534, 65534, "nobody", "/nonexistent", NULL, 0}};
    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++) {
        char number[16];
        snprintf(number, sizeof number, "%lu", (unsigned long)accounts[i].uid);
        if (strcmp(accounts[i].name, name == NULL ? own : name) == 0 ||
            (name != NULL && strcmp(number, name) == 0)) {
            *out = accounts[i];
            return BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

static int find_user_as_baton(void *context, const char *name, struct account *out) {
    (void)context;
    return find_user("baton", name, out);
}

static int find_user_as_root(void *context, const char *name, struct account *out) {
    (void)context;
    return find_user("root", name, out);
}

static int find_group(void *context, const char *name, uint32_t *gid) {
    static const struct {
        const char *name;
        uint32_t gid;
    } groups[] = {{"root", 0},    {"adm", 4},     {"www-data", 33}, {"33", 33},
                  {"users", 100}, {"1000", 1000}, {"27", 27}};
    (void)context;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (strcmp(groups[i].name, name) == 0) {
            *gid = groups[i].gid;
            return BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

/* Folders that are everybody's to enter, but for one. */
static int inspect(void *context, const char *path, struct path_facts *out) {
    (void)context;
    bool is_program = look_up(posix_entries, path, false) == BATON_OK;
    *out = (struct path_facts){.kind = is_program ? PATH_KIND_FILE : PATH_KIND_FOLDER,
                               .mode = strcmp(path, "/root") == 0 ? 0700 : 0755};
    return BATON_OK;
}

static const char *const environment[] = {
    "SECRET=of batond", "PATH=/usr/bin:/bin",        "HOME=/wrong", "LANG=C.UTF-8",
    "EDITOR=vi",        "NOTIFY_SOCKET=/run/notify", NULL};

#define WORLD_POSIX                                                                                \
    .executable_suffix = "", .inherits_listeners = true, .find_port = find_port,                   \
    .base_directory = "/srv", .handlers_directory = "/srv/handlers", .probe_program = probe_posix, \
    .probe_directory = probe_directory, .environment = environment, .list_folder = list_folder,    \
    .basic_variables = "PATH\0LANG\0TZ\0", .find_group = find_group, .inspect = inspect,           \
    .read_rules = read_rules

const struct service_machine config_world_posix = {WORLD_POSIX, .find_user = find_user_as_baton};

const struct service_machine config_world_root = {WORLD_POSIX, .find_user = find_user_as_root,
                                                  .is_privileged = true};

static const char *const windows_environment[] = {
    "Path=C:\\Windows",         "SYSTEMROOT=C:\\Windows", "SECRET=of batond", "=C:=C:\\x",
    "ProgramFiles(x86)=C:\\32", "GR\xc3\x9cSSE=hallo",    "My Data=D:\\",     NULL};

/* The letters of Latin-1 have no case either: enough to tell apart who asks the machine. */
static bool is_variable_windows(const char *variable, const char *name, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char a = (unsigned char)variable[i], b = (unsigned char)name[i];
        bool latin = i > 0 && (unsigned char)name[i - 1] == 0xc3;
        unsigned from = latin ? 0x80 : 'A', most = latin ? 0x9e : 'Z';
        a = (unsigned char)(a >= from && a <= most ? a + 0x20 : a);
        b = (unsigned char)(b >= from && b <= most ? b + 0x20 : b);
        if (a != b) {
            return false;
        }
    }
    return length > 0 && variable[length] == '=';
}

const struct service_machine config_world_windows = {.executable_suffix = ".exe",
                                                     .scripts_need_interpreter = true,
                                                     .backslash_separates = true,
                                                     .find_port = find_port,
                                                     .list_folder = list_folder,
                                                     .read_rules = read_rules,
                                                     .base_directory = "C:\\baton",
                                                     .handlers_directory = "C:\\baton\\handlers",
                                                     .probe_program = probe_windows,
                                                     .probe_directory = probe_directory,
                                                     .environment = windows_environment,
                                                     .basic_variables = "PATH\0SystemRoot\0",
                                                     .is_variable = is_variable_windows};

void config_output_add(void *context, const char *text) {
    struct config_output *out = context;
    size_t length = strlen(text);
    if (out->length + length >= out->capacity_bytes) {
        /* Twice as much each time: the sanitizers copy at every call. */
        out->capacity_bytes = 2 * (out->length + length + 1);
        char *grown = realloc(out->text, out->capacity_bytes);
        if (grown == NULL) {
            abort();
        }
        out->text = grown;
    }
    memcpy(out->text + out->length, text, length + 1);
    out->length += length;
}

int config_world_load(const struct service_machine *world, enum config_format format,
                      const char *file_name, const void *bytes, size_t length,
                      struct service_table *table, struct config_problems *problems) {
    struct config config = {0};
    struct config_problems own_problems = {0};
    struct config_problems *kept = problems != NULL ? problems : &own_problems;
    memset(table, 0, sizeof *table);
    int result = config_parse(&config, format, file_name, bytes, length, kept);
    if (result != BATON_NO_MEMORY) {
        result = service_table_build(&config, world, kept, table);
    }
    if (result == BATON_OK && kept->problem_count > 0) {
        result = BATON_INVALID; /* as --check has it */
    }
    config_clear(&config);
    config_problems_clear(&own_problems);
    return result;
}

static bool texts_equal(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool lists_equal(char *const *a, size_t a_count, char *const *b, size_t b_count) {
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++) {
        equal = strcmp(a[i], b[i]) == 0;
    }
    return equal;
}

static bool places_equal(const struct service *a, const struct service *b) {
    bool equal = a->listen_count == b->listen_count;
    for (size_t i = 0; equal && i < a->listen_count; i++) {
        equal = address_equal(&a->listen[i].address, &b->listen[i].address) &&
                texts_equal(a->listen[i].path, b->listen[i].path);
    }
    return equal;
}

static bool blocks_equal(const struct service *a, const struct service *b) {
    bool equal = a->proxy_trusted_count == b->proxy_trusted_count;
    for (size_t i = 0; equal && i < a->proxy_trusted_count; i++) {
        equal = address_equal(&a->proxy_trusted[i].address, &b->proxy_trusted[i].address) &&
                a->proxy_trusted[i].prefix_bits == b->proxy_trusted[i].prefix_bits;
    }
    return equal;
}

/* That what the keys were read into is equal, too, is left to test_rules. */
static bool access_equal(const struct service *a, const struct service *b) {
    bool equal = (a->access == NULL) == (b->access == NULL) && a->hours_count == b->hours_count &&
                 a->allow_uid_count == b->allow_uid_count &&
                 a->allow_gid_count == b->allow_gid_count;
    for (size_t i = 0; equal && i < SERVICE_ACCESS_KEY_COUNT; i++) {
        equal = texts_equal(a->access_texts[i], b->access_texts[i]);
    }
    for (size_t i = 0; equal && i < a->hours_count; i++) {
        equal = a->hours[i].first_minute == b->hours[i].first_minute &&
                a->hours[i].last_minute == b->hours[i].last_minute;
    }
    for (size_t i = 0; equal && i < a->allow_uid_count; i++) {
        equal = a->allow_uids[i] == b->allow_uids[i];
    }
    for (size_t i = 0; equal && i < a->allow_gid_count; i++) {
        equal = a->allow_gids[i] == b->allow_gids[i];
    }
    return equal && (a->access == NULL ||
                     rule_tree_size_bytes(a->access) == rule_tree_size_bytes(b->access));
}

/* Every number that has a key. */
static bool numbers_equal(const struct service *a, const struct service *b) {
    bool equal = a->reuse_count == b->reuse_count && a->has_channel == b->has_channel &&
                 a->argv_varies == b->argv_varies && a->launch_bytes == b->launch_bytes;
    for (size_t i = 0; equal && i < KEY_COUNT; i++) {
        size_t offset = key_table[i].field_offset;
        if ((key_table[i].sections & KEY_IN_SERVICE) != 0 && offset != KEY_NO_FIELD) {
            equal =
                memcmp((const char *)a + offset, (const char *)b + offset, sizeof(uint32_t)) == 0;
        }
    }
    return equal;
}

static bool identities_equal(const struct service *a, const struct service *b) {
    const struct identity *left = &a->identity;
    const struct identity *right = &b->identity;
    bool equal = left->uid == right->uid && left->gid == right->gid &&
                 left->group_count == right->group_count &&
                 left->capabilities == right->capabilities &&
                 left->has_capabilities == right->has_capabilities &&
                 left->must_adjust_oom == right->must_adjust_oom &&
                 texts_equal(left->chroot, right->chroot) && texts_equal(a->user, b->user) &&
                 lists_equal(a->inherited, a->inherited_count, b->inherited, b->inherited_count);
    for (size_t i = 0; equal && i < left->group_count; i++) {
        equal = left->groups[i] == right->groups[i];
    }
    return equal;
}

static bool services_equal(const struct service *a, const struct service *b) {
    bool texts = texts_equal(a->name, b->name) && texts_equal(a->program, b->program) &&
                 texts_equal(a->handler, b->handler) && texts_equal(a->argv0, b->argv0) &&
                 texts_equal(a->directory, b->directory) &&
                 texts_equal(a->socket_user, b->socket_user) &&
                 texts_equal(a->socket_group, b->socket_group) &&
                 memcmp(a->socket_ids, b->socket_ids, sizeof a->socket_ids) == 0;
    return texts && identities_equal(a, b) && numbers_equal(a, b) && places_equal(a, b) &&
           blocks_equal(a, b) && access_equal(a, b) &&
           lists_equal(a->argv, a->argc, b->argv, b->argc) &&
           lists_equal(a->environment, a->environment_count, b->environment,
                       b->environment_count) &&
           lists_equal((char *const *)a->variables, a->variable_count, (char *const *)b->variables,
                       b->variable_count) &&
           lists_equal((char *const *)a->variable_templates, a->variable_count,
                       (char *const *)b->variable_templates, b->variable_count);
}

bool config_tables_equal(const struct service_table *a, const struct service_table *b) {
    bool equal = a->service_count == b->service_count && a->disabled_count == b->disabled_count &&
                 texts_equal(a->options.handlers, b->options.handlers) &&
                 texts_equal(a->options.log, b->options.log) &&
                 a->options.log_format == b->options.log_format &&
                 a->options.log_level == b->options.log_level;
    for (size_t i = 0; equal && i < a->service_count; i++) {
        equal = services_equal(&a->services[i], &b->services[i]);
    }
    return equal;
}

int config_world_check(const struct service_machine *world, enum config_format format,
                       const char *file_name, const void *bytes, size_t length, bool whole,
                       struct config_output *out) {
    struct config_problems problems = {0};
    struct service_table table = {0};
    int result = config_world_load(world, format, file_name, bytes, length, &table, &problems);
    if (result == BATON_OK) {
        struct service_machine machine = *world;
        machine.config_file = file_name;
        size_t warning_count = service_table_warn(&table, &machine, config_output_add, out);
        if (whole) {
            service_table_print(&table, true, config_output_add, out);
        } else {
            service_table_print_services(&table, config_output_add, out);
        }
        service_table_print_verdict(&table, warning_count, config_output_add, out);
    } else {
        config_problems_print(&problems, config_output_add, out);
    }
    service_table_clear(&table);
    config_problems_clear(&problems);
    return result;
}
