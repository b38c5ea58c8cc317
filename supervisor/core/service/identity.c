/* As whom a service runs: names into the system's numbers, once, before anything is launched. */
#include "core/base/error.h"
#include "core/service/build.h"

#include <string.h>

/* What takes a system with users, groups and the like. Limits of memory, time and processes do not.
 */
static const enum key_id keys_of_posix[] = {
    KEY_USER,        KEY_GROUP,        KEY_GROUPS,           KEY_CHROOT,
    KEY_UMASK,       KEY_NICE,         KEY_OOM_SCORE_ADJ,    KEY_LIMIT_CORE,
    KEY_LIMIT_FILES, KEY_CAPABILITIES, KEY_NO_NEW_PRIVILEGES};

/* A key that Windows has nothing for. */
static void refuse(struct service_builder *builder, const struct service_values *values,
                   enum key_id id) {
    if (service_is_news(builder, values, id)) {
        service_report(builder, values->given[id],
                       "cannot be honoured on Windows; leave it out, or take `sandbox = low`");
    }
}

static void refuse_all(struct service_builder *builder, const struct service_values *values) {
    for (size_t i = 0; i < sizeof keys_of_posix / sizeof *keys_of_posix; i++) {
        if (values->given[keys_of_posix[i]] != NULL) {
            refuse(builder, values, keys_of_posix[i]);
        }
    }
}

static void report_nobody(struct service_builder *builder, const struct service_values *values,
                          enum key_id id, const char *kind, const char *name) {
    if (service_is_news(builder, values, id)) {
        service_report(builder, values->given[id],
                       "there is no %s `%s` on this machine; create it, or correct the name", kind,
                       service_excerpt(builder, name));
    }
}

/* False after a fault was reported, or when out of memory. */
static bool find_user(struct service_builder *builder, const struct service_values *values,
                      enum key_id id, const char *name, struct account *out) {
    const struct service_machine *machine = builder->machine;
    *out = (struct account){0};
    int result = machine->find_user(machine->context, name, out);
    if (result != BATON_OK) {
        if (result == BATON_NOT_FOUND && name != NULL) {
            report_nobody(builder, values, id, "user", name);
        } else {
            builder->problems->out_of_memory = true; /* nothing may run as whom it happens to be */
        }
        return false;
    }
    /* The machine forgets them when it is asked again. */
    uint32_t *groups = arena_alloc(builder->arena, (out->group_count + 1) * sizeof *groups);
    if (groups != NULL && out->group_count > 0) {
        memcpy(groups, out->groups, out->group_count * sizeof *groups);
    }
    out->groups = groups;
    out->name = arena_text(builder->arena, out->name);
    out->home = arena_text(builder->arena, out->home);
    return groups != NULL && out->name != NULL && out->home != NULL;
}

static bool find_group(struct service_builder *builder, const struct service_values *values,
                       enum key_id id, const char *name, uint32_t *gid) {
    const struct service_machine *machine = builder->machine;
    int result = machine->find_group(machine->context, name, gid);
    if (result == BATON_NOT_FOUND) {
        report_nobody(builder, values, id, "group", name);
    } else if (result != BATON_OK) {
        builder->problems->out_of_memory = true;
    }
    return result == BATON_OK;
}

static bool is_number(const char *text, uint32_t *id) {
    return text_parse_number(text, id) && *id != IDENTITY_SAME;
}

/* Of a local socket, whose file may have to be made again while clients are served: nobody is to
 * wait then for whom the system asks. */
static void fill_owner(struct service_builder *builder, const struct service_values *values,
                       struct service *service) {
    struct account account;
    uint32_t *ids = service->socket_ids;
    const char *user = service->socket_user;
    const char *group = service->socket_group;
    ids[0] = ids[1] = IDENTITY_SAME;
    if (user != NULL && !is_number(user, &ids[0]) &&
        find_user(builder, values, KEY_SOCKET_OWNER, user, &account)) {
        ids[0] = account.uid;
    }
    if (group != NULL && !is_number(group, &ids[1])) {
        (void)find_group(builder, values, KEY_SOCKET_OWNER, group, &ids[1]);
    }
}

static bool read_group(struct service_list *list, const char *name, void *gid) {
    bool is_none = list->count == 0 && list->rest == NULL && strcmp(name, "none") == 0;
    return !is_none && find_group(list->builder, list->values, KEY_GROUPS, name, gid);
}

/* The text of a key; NULL = not given, or not readable. */
static const char *text_of(struct service_builder *builder, const struct service_values *values,
                           enum key_id id) {
    return values->given[id] == NULL ? NULL : service_unquote(builder, values->given[id]);
}

/* What takes privileges. */
struct wish {
    enum key_id id;
    bool is_other; /* than what the supervisor is */
    const char *text;
};

/* Where there are none: a fault, but in a config that is only looked at. */
static bool refuses(struct service_builder *builder, const struct service_values *values,
                    const struct wish *wish, const char *own) {
    if (!wish->is_other || builder->machine->is_privileged) {
        return false;
    }
    builder->needs_privileges = true;
    if (!builder->machine->checks_only && service_is_news(builder, values, wish->id)) {
        service_report(builder, values->given[wish->id],
                       "takes privileges: batond runs as `%s`, and this says `%s`; start it "
                       "as root, or leave this out",
                       own, service_excerpt(builder, wish->text));
    }
    return true;
}

/* Sets the ids, and *account. False where that is not known. */
static bool fill_ids(struct service_builder *builder, const struct service_values *values,
                     struct service *service, struct account *account) {
    struct identity *identity = &service->identity;
    struct account own;
    const char *name = text_of(builder, values, KEY_USER);
    const char *group = text_of(builder, values, KEY_GROUP);
    const struct config_setting *groups = values->given[KEY_GROUPS];
    bool is_known = find_user(builder, values, KEY_USER, NULL, &own) &&
                    find_user(builder, values, KEY_USER, name, account);
    uint32_t gid = account->gid;
    is_known = (group == NULL || find_group(builder, values, KEY_GROUP, group, &gid)) && is_known;
    identity->groups = account->groups;
    identity->group_count = account->group_count;
    if (groups != NULL) {
        identity->groups = service_read_list(builder, values, KEY_GROUPS, sizeof(uint32_t),
                                             read_group, &identity->group_count);
    }
    if (!is_known) {
        return false;
    }
    const struct wish wishes[] = {
        {KEY_USER, account->uid != own.uid, name},
        {KEY_GROUP, gid != own.gid, group},
        {KEY_GROUPS, groups != NULL, groups != NULL ? groups->value : NULL},
        {KEY_CHROOT, identity->chroot != NULL, identity->chroot}};
    bool is_other = false;
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes && !is_other; i++) {
        is_other = refuses(builder, values, &wishes[i], own.name);
    }
    if (is_other || builder->machine->is_privileged) {
        identity->uid = account->uid;
        identity->gid = gid;
        service->user = account->name;
    }
    if (account->uid != own.uid && service->directory == NULL && identity->chroot == NULL) {
        service->directory = "/"; /* ours may be below a folder that keeps it out */
    }
    return true;
}

/* Root's privileges are given to nobody by silence. */
static bool is_said(struct service_builder *builder, const struct service_values *values,
                    size_t line) {
    if (!builder->machine->is_privileged || values->given[KEY_USER] != NULL) {
        return true;
    }
    if (!builder->reported_given[KEY_USER]) {
        config_problems_add(builder->problems, line, NULL,
                            "batond is privileged, and nothing says as whom this is to run; add "
                            "`default_user = nobody` to [supervisor], or `user = ...` here (`user "
                            "= root` where that is meant)");
    }
    builder->reported_given[KEY_USER] = true;
    return false;
}

/* Reports a folder that keeps somebody out, once where it stands in [defaults]. */
static void report_barrier(struct service_builder *builder, const struct service_values *values,
                           enum key_id id) {
    bool is_told = values->own[id] == NULL && builder->reported_given[id];
    if (builder->lack.kind == LACK_RIGHT && !is_told) {
        service_report_lack(builder, values->given[id]);
        builder->reported_given[id] = true;
    }
}

/* That the account can enter its folder; whether that is there was looked at before. And that the
 * supervisor can, who does it for the account. */
static void check_folders(struct service_builder *builder, const struct service_values *values,
                          const struct service *service) {
    struct service own = {.user = builder->options.user, .identity = builder->options.identity};
    struct service_lack *lack = &builder->lack;
    const char *root = service->identity.chroot;
    if (root != NULL && service_lacks_folder(builder->machine, root, &own, lack)) {
        report_barrier(builder, values, KEY_CHROOT);
    }
    own.identity.chroot = root;
    if (service->directory != NULL &&
        (service_lacks_folder(builder->machine, service->directory, service, lack) ||
         service_lacks_folder(builder->machine, service->directory, &own, lack))) {
        report_barrier(builder, values, KEY_DIRECTORY);
    }
}

void service_read_own_user(struct service_builder *builder, const struct service_values *values) {
    const char *name = text_of(builder, values, KEY_OWN_USER);
    struct account own;
    struct account account;
    if (name == NULL) {
        return;
    }
    if (!service_has_accounts(builder->machine)) {
        refuse(builder, values, KEY_OWN_USER);
        return;
    }
    if (!find_user(builder, values, KEY_OWN_USER, NULL, &own) ||
        !find_user(builder, values, KEY_OWN_USER, name, &account)) {
        return;
    }
    const struct wish wish = {KEY_OWN_USER, account.uid != own.uid, name};
    if (wish.is_other && !refuses(builder, values, &wish, own.name)) {
        builder->options.user = account.name;
        struct identity *identity = &builder->options.identity;
        identity->uid = account.uid;
        identity->gid = account.gid;
        identity->groups = account.groups;
        identity->group_count = account.group_count;
        identity->has_capabilities = true;
    }
}

void service_fill_identity(struct service_builder *builder, const struct service_values *given,
                           struct service_draft *draft) {
    struct service *service = &draft->service;
    struct identity *identity = &service->identity;
    struct service_values values = *given;
    struct account account = {0};
    bool is_known = false;
    if (values.given[KEY_USER] == NULL && builder->machine->is_privileged) {
        values.given[KEY_USER] = builder->default_user;
    }
    identity->uid = identity->gid = IDENTITY_SAME;
    identity->must_adjust_oom = values.given[KEY_OOM_SCORE_ADJ] != NULL;
    service->capabilities = values.given[KEY_CAPABILITIES] == NULL
                                ? NULL
                                : arena_text(builder->arena, values.given[KEY_CAPABILITIES]->value);
    service_read_capabilities(builder, &values, identity);
    if (!service_has_accounts(builder->machine)) {
        refuse_all(builder, &values);
    } else if (draft->enabled) {
        fill_owner(builder, &values, service);
        if (is_said(builder, &values, service->line)) {
            is_known = fill_ids(builder, &values, service, &account);
            check_folders(builder, &values, service);
        }
    }
    service_fill_inherited(builder, &values, is_known ? &account : NULL, service);
}
