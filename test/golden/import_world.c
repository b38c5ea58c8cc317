#include "import_world.h"

#include "core/base/error.h"

#include <string.h>

static int read_file(void *context, const char *path, const char **bytes, size_t *length) {
    const struct import_file *files = context;
    size_t path_length = strlen(path);
    int result = BATON_NOT_FOUND;
    for (; files->path != NULL; files++) {
        if (strcmp(files->path, path) == 0) {
            *bytes = files->bytes;
            *length = files->length;
            return BATON_OK;
        }
        if (strncmp(files->path, path, path_length) == 0 && files->path[path_length] == '/') {
            result = BATON_INVALID;
        }
    }
    return result;
}

static int list_folder(void *context, const char *path, import_visit *visit, void *visitor) {
    const struct import_file *files = context;
    size_t path_length = strlen(path);
    int result = BATON_NOT_FOUND;
    for (; files->path != NULL; files++) {
        if (strcmp(files->path, path) == 0) {
            return BATON_INVALID;
        }
        if (strncmp(files->path, path, path_length) == 0 && files->path[path_length] == '/') {
            visit(visitor, files->path + path_length + 1);
            result = BATON_OK;
        }
    }
    return result;
}

int import_world_find_port(void *context, const char *name, bool udp, uint16_t *port) {
    static const struct {
        const char *name;
        bool tcp, udp;
        uint16_t port;
    } services[] = {
        {"echo", true, true, 7},     {"discard", true, true, 9}, {"daytime", true, true, 13},
        {"chargen", true, true, 19}, {"ftp", true, false, 21},   {"telnet", true, false, 23},
        {"smtp", true, false, 25},   {"time", true, true, 37},   {"tftp", false, true, 69},
        {"finger", true, false, 79}, {"pop3", true, false, 110}, {"auth", true, false, 113},
        {"shell", true, false, 514}, {"talk", false, true, 517}, {"ntalk", false, true, 518},
        {"rsync", true, false, 873}, {"git", true, false, 9418}, {"z39.50", true, false, 210}};
    (void)context;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        if (strcmp(services[i].name, name) == 0 && (udp ? services[i].udp : services[i].tcp)) {
            *port = services[i].port;
            return BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

static int probe_program(void *context, const char *path) {
    static const char *const handlers[] = {"echo",    "discard", "daytime",
                                           "chargen", "time",    "forward"};
    const char folder[] = "/srv/handlers/";
    (void)context;
    if (strncmp(path, folder, sizeof folder - 1) != 0) {
        return path[0] == '/' ? BATON_OK : BATON_NOT_FOUND;
    }
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (strcmp(path + sizeof folder - 1, handlers[i]) == 0) {
            return BATON_OK;
        }
    }
    return BATON_NOT_FOUND;
}

static int probe_directory(void *context, const char *path) {
    (void)context;
    return path[0] == '/' ? BATON_OK : BATON_NOT_FOUND;
}

/* As root, so that what is printed has to say whose rights programs have. Everybody is there. */
static int find_user(void *context, const char *name, struct account *out) {
    static const struct account root = {0, 0, "root", "/root", NULL, 0};
    static const struct account other = {65534, 65534, "nobody", "/nonexistent", NULL, 0};
    (void)context;
    *out = name == NULL || strcmp(name, "root") == 0 ? root : other;
    return BATON_OK;
}

static int find_group(void *context, const char *name, uint32_t *gid) {
    (void)context;
    *gid = strcmp(name, "root") == 0 ? 0 : 65534;
    return BATON_OK;
}

struct import_machine import_world_of(const struct import_file *files) {
    return (struct import_machine){.read_file = read_file,
                                   .list_folder = list_folder,
                                   .find_port = import_world_find_port,
                                   .context = (void *)files};
}

const struct service_machine import_world_services = {.executable_suffix = "",
                                                      .inherits_listeners = true,
                                                      .base_directory = "/srv",
                                                      .handlers_directory = "/srv/handlers",
                                                      .find_port = import_world_find_port,
                                                      .find_user = find_user,
                                                      .find_group = find_group,
                                                      .is_privileged = true,
                                                      .probe_program = probe_program,
                                                      .probe_directory = probe_directory};
