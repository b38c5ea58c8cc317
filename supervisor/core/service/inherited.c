/* What a handler inherits of the supervisor's environment: little, so that no secret is among it.
 */
#include "core/base/environment.h"
#include "core/service/build.h"
#include "core/service/facts.h"

#include <string.h>

/* Where a shell looks when nobody has told it. */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* `all` stays as a name, and is alone then. */
static bool read_name(struct service_list *list, const char *part, void *item) {
    const char **name = item;
    bool is_word = strcmp(part, "all") == 0 || strcmp(part, "none") == 0;
    const char *apart = service_on_windows(list->builder->machine) ? "=" : "= \t";
    *name = part;
    if (is_word && list->count == 0 && list->rest == NULL) {
        return part[0] == 'a';
    }
    if (!is_word && part[0] != '\0' && strpbrk(part, apart) == NULL &&
        !environment_is_private(part)) {
        return true;
    }
    if (service_is_news(list->builder, list->values, list->id)) {
        service_report_value(list->builder, list->setting, part,
                             " is no variable that can be passed on; give `none`, `all`, or names "
                             "separated by commas");
    }
    return false;
}

/* True for what all programs get, and for the `count` names of the key. */
static bool is_wanted(const struct service_machine *machine, const char *variable,
                      const char *const *names, size_t count) {
    bool wanted = count == 1 && strcmp(names[0], "all") == 0;
    for (const char *at = machine->basic_variables; *at != '\0'; at += strlen(at) + 1) {
        wanted = wanted || service_is_variable(machine, variable, at);
    }
    for (size_t i = 0; i < count; i++) {
        wanted = wanted || service_is_variable(machine, variable, names[i]);
    }
    return wanted;
}

/* What is told of a connection, or not told, is never the supervisor's own. */
static bool is_fact(const struct service_machine *machine, const char *variable) {
    const struct fact_variable *fact = fact_variables;
    while (fact->name[0] != '\0' && !service_is_variable(machine, variable, fact->name)) {
        fact++;
    }
    return fact->name[0] != '\0';
}

void service_fill_inherited(struct service_builder *builder, const struct service_values *values,
                            const struct account *account, struct service *service) {
    const struct service_machine *machine = builder->machine;
    const struct config_setting *setting = values->given[KEY_ENVIRONMENT_FROM];
    const char *const *next = machine->environment;
    bool has_path = service_on_windows(machine);
    size_t count = 0;
    size_t name_count = 0;
    const char *const *names = service_read_list(builder, values, KEY_ENVIRONMENT_FROM,
                                                 sizeof *names, read_name, &name_count);
    for (; next != NULL && next[count] != NULL; count++) {
    }
    service->environment_from = setting == NULL ? NULL : arena_text(builder->arena, setting->value);
    service->inherited = arena_alloc(builder->arena, (count + 4) * sizeof(char *));
    if (service->inherited == NULL) {
        return;
    }
    char **out = service->inherited;
    for (; next != NULL && *next != NULL; next++) {
        bool is_own =
            account != NULL && (strncmp(*next, "HOME=", 5) == 0 || strncmp(*next, "USER=", 5) == 0);
        if (!is_own && is_wanted(machine, *next, names, name_count) &&
            !environment_is_private(*next) && !is_fact(machine, *next)) {
            *out++ = arena_text(builder->arena, *next);
            has_path = has_path || strncmp(*next, "PATH=", 5) == 0;
        }
    }
    if (!has_path) {
        *out++ = arena_text(builder->arena, DEFAULT_PATH);
    }
    if (account != NULL) {
        *out++ = arena_join(builder->arena, "HOME=", account->home, "");
        *out++ = arena_join(builder->arena, "USER=", account->name, "");
    }
    service->inherited_count = (size_t)(out - service->inherited);
}
