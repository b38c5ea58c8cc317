/* What a handler inherits of the supervisor's environment: little, so that no secret is among it.
 */
#include "core/base/environment.h"
#include "core/service/build.h"

#include <string.h>

/* Where a shell looks when nobody has told it. */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The names of the key, in the form of machine->basic_variables, or *all. NULL when out of memory.
 */
static const char *read_names(struct service_builder *builder, const struct service_values *values,
                              bool *all) {
    const struct config_setting *setting = values->given[KEY_ENVIRONMENT_FROM];
    const char *rest = setting != NULL ? setting->value : NULL;
    char *names = arena_alloc(builder->scratch, rest != NULL ? strlen(rest) + 2 : 1);
    for (char *out = names; names != NULL && rest != NULL;) {
        const char *name = service_next_part(builder, &rest);
        bool is_alone = out == names && rest == NULL;
        if (name == NULL) {
            return NULL;
        }
        if (is_alone && (strcmp(name, "all") == 0 || strcmp(name, "none") == 0)) {
            *all = name[0] == 'a';
        } else if (name[0] == '\0' || strpbrk(name, "= \t") != NULL || strcmp(name, "all") == 0 ||
                   strcmp(name, "none") == 0 || environment_is_private(name)) {
            if (service_is_news(builder, values, KEY_ENVIRONMENT_FROM)) {
                service_report_value(
                    builder, setting, name,
                    " is no variable that can be passed on; give `none`, `all`, or names "
                    "separated by commas");
            }
        } else {
            memcpy(out, name, strlen(name) + 1);
            out += strlen(name) + 1;
        }
    }
    return names;
}

static bool is_named(const char *variable, const char *names, bool nocase) {
    for (; *names != '\0'; names += strlen(names) + 1) {
        size_t length = strlen(names);
        if (text_equal_start(variable, names, length, nocase) && variable[length] == '=') {
            return true;
        }
    }
    return false;
}

void service_fill_inherited(struct service_builder *builder, const struct service_values *values,
                            const struct account *account, struct service *service) {
    const struct service_machine *machine = builder->machine;
    const struct config_setting *setting = values->given[KEY_ENVIRONMENT_FROM];
    const char *const *next = machine->environment;
    bool nocase = service_on_windows(machine);
    bool all = false;
    bool has_path = service_on_windows(machine);
    size_t count = 0;
    const char *names = read_names(builder, values, &all);
    for (; next != NULL && next[count] != NULL; count++) {
    }
    service->environment_from = setting == NULL ? NULL : arena_text(builder->arena, setting->value);
    service->inherited = arena_alloc(builder->arena, (count + 4) * sizeof(char *));
    if (service->inherited == NULL || names == NULL) {
        service->inherited = NULL;
        return;
    }
    char **out = service->inherited;
    for (; next != NULL && *next != NULL; next++) {
        bool is_wanted = all || is_named(*next, machine->basic_variables, nocase) ||
                         is_named(*next, names, nocase);
        if (is_wanted && !environment_is_private(*next) &&
            (account == NULL || !is_named(*next, "HOME\0USER\0", false))) {
            *out++ = arena_text(builder->arena, *next);
            has_path = has_path || is_named(*next, "PATH\0", false);
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
