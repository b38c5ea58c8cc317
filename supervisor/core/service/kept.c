/* What the supervisor keeps of root's privileges when it becomes another user: what its services
 * ask for, and nothing else. */
#include "core/service/build.h"

/* Their numbers, capabilities(7). */
#define KILL (1u << 5)
#define SETGID (1u << 6)
#define SETUID (1u << 7)
#define SETPCAP (1u << 8)
#define NET_BIND_SERVICE (1u << 10)
#define SYS_CHROOT (1u << 18)
#define SYS_NICE (1u << 23)
#define SYS_RESOURCE (1u << 24)

#define ALL UINT64_MAX
#define CAPABILITIES_COUNT 64u
#define PRIVILEGED_PORTS_END 1024u

/* What a child that is to become `identity` changes of what it has of `own`, and who does not run
 * as `own` can be ended only by privilege. */
static uint64_t needs_of_identity(const struct identity *identity, const struct identity *own) {
    uint64_t needs = 0;
    if (identity->uid != own->uid) {
        needs |= SETUID | KILL;
    }
    if (identity->gid != own->gid ||
        !identity_has_groups(identity, own->groups, own->group_count)) {
        needs |= SETGID;
    }
    needs |= identity->chroot != NULL ? SYS_CHROOT : 0;
    needs |= (int32_t)identity->nice_count < 0 ? SYS_NICE : 0;
    needs |= identity->must_adjust_oom ? SYS_RESOURCE : 0;
    if (identity->has_capabilities) {
        needs |= identity->capabilities | (identity->uid == 0 ? SETPCAP : 0);
    }
    return needs;
}

static bool raises_limits(const struct service_machine *machine, const struct identity *identity) {
    return BY_SYSTEM(true, machine->raises_limits != NULL) &&
           machine->raises_limits(machine->context, identity);
}

static uint64_t needs_of(const struct service *service, const struct identity *own,
                         const struct service_machine *machine) {
    const struct identity *identity = &service->identity;
    uint64_t needs = needs_of_identity(identity, own);
    if (!service_forbids_new_privileges(service)) {
        needs |= KILL; /* it may become root by a set-user-ID program, and has to end as well */
    }
    needs |= raises_limits(machine, identity) ? SYS_RESOURCE : 0;
    for (size_t i = 0; i < service->listen_count; i++) {
        uint32_t port = service->listen[i].address.port; /* 0 for local sockets */
        needs |= port > 0 && port < PRIVILEGED_PORTS_END ? NET_BIND_SERVICE : 0;
    }
    /* Root has after execve(2) what its process had before, where that may not add any. */
    bool is_whole_root = identity->uid == 0 && !identity->has_capabilities &&
                         service_forbids_new_privileges(service);
    return is_whole_root ? ALL : needs;
}

/* Whoever it runs as. */
static bool takes_privileges(const struct service_machine *machine,
                             const struct identity *identity) {
    return identity->chroot != NULL || (int32_t)identity->nice_count < 0 ||
           (identity->must_adjust_oom && (int32_t)identity->oom_score_adj < 0) ||
           (identity->has_capabilities && identity->capabilities != 0) ||
           raises_limits(machine, identity);
}

void service_choose_kept(const struct service_machine *machine, struct service_table *table) {
    struct supervisor_options *options = &table->options;
    for (size_t i = 0; i < table->service_count && !machine->is_privileged; i++) {
        table->needs_privileges =
            table->needs_privileges || takes_privileges(machine, &table->services[i].identity);
    }
    if (options->user == NULL) {
        return;
    }
    options->forbids_new_privileges = true;
    for (size_t i = 0; i < table->service_count; i++) {
        struct service *service = &table->services[i];
        service->needed_capabilities = needs_of(service, &options->identity, machine);
        options->identity.capabilities |= service->needed_capabilities;
        options->forbids_new_privileges =
            options->forbids_new_privileges && service_forbids_new_privileges(service);
    }
}

/* The first service that needs all of `needs`. */
static void print_need(const struct service_table *table, const char *name, uint64_t needs,
                       text_emit *emit, void *context) {
    const struct service *service = table->services;
    while ((service->needed_capabilities & needs) != needs) {
        service++;
    }
    emit(context, name);
    emit(context, " for ");
    emit(context, service->name);
}

void service_print_kept(const struct service_table *table, text_emit *emit, void *context) {
    const struct supervisor_options *options = &table->options;
    uint64_t kept = options->identity.capabilities;
    const char *separator = " keeps the capabilities ";
    if (options->user == NULL) {
        return;
    }
    emit(context, "\nbatond becomes ");
    emit(context, options->user);
    emit(context, " and");
    if (kept == 0 || kept == ALL) {
        emit(context, kept == 0 ? " keeps no capability" : separator);
    }
    if (kept == ALL) {
        print_need(table, "all", kept, emit, context);
    }
    for (unsigned i = 0; kept != ALL && i < CAPABILITIES_COUNT; i++) {
        if ((kept >> i & 1u) != 0) {
            emit(context, separator);
            print_need(table, service_capability_name(i), UINT64_C(1) << i, emit, context);
            separator = ", ";
        }
    }
    emit(context, "\n");
}
