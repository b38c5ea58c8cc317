/*
 * Any bytes as an inetd.conf or xinetd.conf. What stands behind the first NUL is a second file,
 * `d/x`, which the first may include or send to those who are refused; and it is imported by
 * itself, with the first as its xinetd.conf. What must hold: a config that the config's own code
 * finds without fault, but for having no service, or messages and nothing else.
 */
#include "config_world.h"
#include "core/base/error.h"
#include "core/service/difference.h"
#include "import_world.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

struct emitted {
    struct config_output out, faults;
};

static void take_out(void *context, const char *text) {
    config_output_add(&((struct emitted *)context)->out, text);
}

static void take_fault(void *context, const char *text) {
    config_output_add(&((struct emitted *)context)->faults, text);
}

/* The one fault that an import may leave: a config serves something. */
static bool serves_nothing(const struct config_problems *problems) {
    const char *words = problems->problem_count == 0 ? "" : problems->problems[0].text;
    return problems->problem_count == 1 && (strstr(words, "has no service") != NULL ||
                                            strstr(words, "every service is switched off") != NULL);
}

static void check_config(const struct config_output *out) {
    struct config_problems problems = {0};
    struct service_table table = {0};
    int result = config_world_load(&import_world_services, CONFIG_FORMAT_INI, "imported.ini",
                                   out->text, out->length, &table, &problems);
    require(result == BATON_OK || serves_nothing(&problems));
    service_table_clear(&table);
    config_problems_clear(&problems);
}

static void check_import(const struct import_machine *world, const char *name) {
    struct emitted emitted = {{0}, {0}};
    int result = import_config(name, world, take_out, take_fault, &emitted);
    require(result == BATON_OK || result == BATON_INVALID);
    require((result == BATON_OK) == (emitted.out.text != NULL));
    require((result == BATON_OK) == (emitted.faults.text == NULL));
    if (result == BATON_OK) {
        check_config(&emitted.out);
    }
    free(emitted.out.text);
    free(emitted.faults.text);
}

/* Served as it is, an inetd.conf is what its import is: no other service, none less, none else. */
static void check_served(const struct import_machine *world, const char *name) {
    struct emitted emitted = {{0}, {0}};
    struct config_problems problems = {0}, imported_problems = {0};
    struct service_table table = {0}, imported = {0};
    int result =
        import_world_serve(world, name, "[supervisor]\ndefault_user = nobody\n", &table, &problems);
    if (import_config(name, world, take_out, take_fault, &emitted) == BATON_OK &&
        result != BATON_INVALID) {
        require(result == BATON_OK);
        (void)config_world_load(&import_world_services, CONFIG_FORMAT_INI, "i.ini",
                                emitted.out.text, emitted.out.length, &imported,
                                &imported_problems);
        require(table.service_count == imported.service_count);
        for (size_t i = 0; i < table.service_count; i++) {
            imported.services[i].is_open_unsaid = false; /* in an inetd.conf that is said */
            require(service_is_same(&table.services[i], &imported.services[i]));
        }
    }
    /* Whatever is wrong in it is nobody else's fault. */
    require(result == BATON_OK || config_problems_own_count(&problems) <= 1);
    service_table_clear(&table);
    service_table_clear(&imported);
    config_problems_clear(&problems);
    config_problems_clear(&imported_problems);
    free(emitted.out.text);
    free(emitted.faults.text);
}

static const char users[] = "root:x:0:0::/:\nlab:x:7:7::/:\nnobody:x:65534:65534::/:\ntorn:x";
static const char groups[] = "root:x:0:\nadm:x:4:lab,nobody\nlab:x:7:\nodd;name:x:8:lab\ntorn:x:9";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    const char *text = length == 0 ? "" : (const char *)bytes;
    const char *nul = length == 0 ? NULL : memchr(text, '\0', length);
    size_t first_length = nul == NULL ? length : (size_t)(nul - text);
    const struct import_file files[] = {
        {"f.conf", text, first_length},
        {"xinetd.conf", text, first_length},
        {"d/x", nul == NULL ? "" : nul + 1, nul == NULL ? 0 : length - first_length - 1},
        {"passwd", users, sizeof users - 1},
        {"group", groups, sizeof groups - 1},
        {NULL, NULL, 0}};
    struct import_machine world = import_world_of(files);
    world.programs = &import_world_services; /* not every file of its handlers folder is one */
    if (length % 2 == 1) {                   /* else everybody is there */
        world.users_file = "passwd";
        world.groups_file = "group";
    }
    check_import(&world, "f.conf");
    check_served(&world, "f.conf");
    check_import(&world, "d/x"); /* a part: its defaults are in the other */
    return 0;
}
