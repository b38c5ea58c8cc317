/* What a handler inherits of the supervisor's environment: little, so that no secret is among it.
 */
#include "core/base/environment.h"
#include "core/service/build.h"

#include <string.h>

/* What programs cannot do without, or find their words and their time by. */
static const char *const basic[] = {"PATH", "LANG", "TZ", NULL};
static const char *const basic_of_windows[] = {
    "PATH",        "PATHEXT",      "SystemRoot",        "SystemDrive", "windir",  "ComSpec",
    "TEMP",        "TMP",          "USERNAME",          "USERPROFILE", "APPDATA", "LOCALAPPDATA",
    "ProgramData", "ProgramFiles", "ProgramFiles(x86)", "LANG",        "TZ",      NULL};

/* Where a shell looks when nobody has told it. */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The key's words; *all and the names, which end with NULL. NULL when out of memory. */
static const char **read_names(struct service_builder *builder, const struct service_values *values,
                               bool *all) {
    const struct config_setting *setting = values->given[KEY_ENVIRONMENT_FROM];
    const char **names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (const char *rest = setting != NULL ? setting->value : NULL;; count++) {
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        names = arena_grow(builder->scratch, names, count, &capacity, sizeof *names);
        if (names == NULL || rest == NULL) {
            break;
        }
        const char *name = names[count] = service_next_part(builder, &rest);
        bool is_alone = count == 0 && rest == NULL;
        if (name == NULL) {
            return NULL;
        }
        if (is_alone && (strcmp(name, "all") == 0 || strcmp(name, "none") == 0)) {
            *all = name[0] == 'a';
        } else if (name[0] == '\0' || strchr(name, '=') != NULL || environment_is_private(name)) {
            service_report_given(
                builder, values, KEY_ENVIRONMENT_FROM,
                "`%s` is no variable that can be passed on; give `none`, `all`, or "
                "names separated by commas",
                text_excerpt(name).text);
        }
    }
    if (names != NULL) {
        names[count] = NULL;
    }
    return names;
}

static bool is_named(const char *variable, const char *const *names, bool nocase) {
    for (; *names != NULL; names++) {
        size_t length = strlen(*names);
        if (text_equal_start(variable, *names, length, nocase) && variable[length] == '=') {
            return true;
        }
    }
    return false;
}

void service_fill_inherited(struct service_builder *builder, const struct service_values *values,
                            const struct account *account, struct service *service) {
    static const char *const of_account[] = {"HOME", "USER", NULL};
    static const char *const path[] = {"PATH", NULL};
    const struct config_setting *setting = values->given[KEY_ENVIRONMENT_FROM];
    const char *const *next = builder->machine->environment;
    bool is_windows = builder->machine->backslash_separates;
    bool all = false;
    bool has_path = is_windows;
    size_t count = 0;
    const char **names = read_names(builder, values, &all);
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
        bool is_wanted = all ||
                         is_named(*next, is_windows ? basic_of_windows : basic, is_windows) ||
                         is_named(*next, names, is_windows);
        if (is_wanted && !environment_is_private(*next) &&
            (account == NULL || !is_named(*next, of_account, is_windows))) {
            *out++ = arena_text(builder->arena, *next);
            has_path = has_path || is_named(*next, path, is_windows);
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
