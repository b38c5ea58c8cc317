/* The attributes of xinetd.conf(5), and what becomes of each. */
#include "import/xinetd.h"

#include <string.h>

#define LIMIT_CURE                                                                                 \
    "handlers have the limits of batond; begin `handler` with prlimit(1), or set the limit where " \
    "batond is started"
#define LOG_CURE                                                                                   \
    "every connection has one record in batond's log with peer, pid, outcome and duration; see "   \
    "`log` in [supervisor]"
#define BANNER_CURE "no texts are sent to clients; let the handler send it"
#define RPC_CURE "only services of Sun RPC have it"

static const struct xinetd_known attributes[] = {
    {"id", XINETD_SINGLE, false, false, NULL},
    {"type", XINETD_SINGLE, false, false, NULL},
    {"flags", XINETD_LIST, false, false, NULL},
    {"disable", XINETD_SINGLE, false, false, NULL},
    {"socket_type", XINETD_SINGLE, false, false, NULL},
    {"protocol", XINETD_SINGLE, false, false, NULL},
    {"wait", XINETD_SINGLE, false, false, NULL},
    {"user", XINETD_SINGLE, false, false, NULL},
    {"group", XINETD_SINGLE, false, false, NULL},
    {"server", XINETD_SINGLE, false, false, NULL},
    {"server_args", XINETD_SINGLE, false, false, NULL},
    {"port", XINETD_SINGLE, false, false, NULL},
    {"redirect", XINETD_SINGLE, false, false, NULL},
    {"bind", XINETD_SINGLE, true, false, NULL},
    {"interface", XINETD_SINGLE, true, false, NULL},
    {"v6only", XINETD_SINGLE, true, false, NULL},
    {"instances", XINETD_SINGLE, true, false, NULL},
    {"env", XINETD_LIST, false, false, NULL},
    {"enabled", XINETD_LIST, true, false, NULL},
    {"disabled", XINETD_LIST, true, false, NULL},
    {"only_from", XINETD_LIST, true, true, "no access rules are known"},
    {"no_access", XINETD_LIST, true, true, "no access rules are known"},
    {"access_times", XINETD_LEFT_OUT, true, true, "no access rules are known"},
    {"per_source", XINETD_LEFT_OUT, true, false,
     "connections of one address are not limited; `max_connections` bounds all, a firewall each"},
    {"cps", XINETD_LEFT_OUT, true, false,
     "the rate is not limited; `max_connections` bounds how many live at once, further ones wait"},
    {"max_load", XINETD_LEFT_OUT, true, false,
     "the machine's load is not looked at; `max_connections` bounds how many live at once"},
    {"nice", XINETD_LEFT_OUT, true, false, "begin `handler` with nice(1)"},
    {"umask", XINETD_LEFT_OUT, true, false,
     "handlers have the umask of batond; start batond with this one"},
    {"groups", XINETD_LEFT_OUT, true, false, "handlers have the groups of batond"},
    {"passenv", XINETD_LEFT_OUT, true, false,
     "handlers get all that batond has in its environment; start batond with no more than they "
     "need, as by env -i"},
    {"log_type", XINETD_LEFT_OUT, true, false, LOG_CURE},
    {"log_on_success", XINETD_LEFT_OUT, true, false, LOG_CURE},
    {"log_on_failure", XINETD_LEFT_OUT, true, false, LOG_CURE},
    {"banner", XINETD_LEFT_OUT, true, false, BANNER_CURE},
    {"banner_success", XINETD_LEFT_OUT, true, false, BANNER_CURE},
    {"banner_fail", XINETD_LEFT_OUT, true, false, BANNER_CURE},
    {"banner_failure", XINETD_LEFT_OUT, true, false, BANNER_CURE},
    {"deny_time", XINETD_LEFT_OUT, true, false, "there are no sensors"},
    {"mdns", XINETD_LEFT_OUT, true, false,
     "services are not announced; let the system's mDNS daemon do that"},
    {"libwrap", XINETD_LEFT_OUT, true, false,
     "hosts.allow is not asked; name the server through tcpd to have that"},
    {"rlimit_as", XINETD_LEFT_OUT, true, false, LIMIT_CURE},
    {"rlimit_cpu", XINETD_LEFT_OUT, true, false, LIMIT_CURE},
    {"rlimit_data", XINETD_LEFT_OUT, true, false, LIMIT_CURE},
    {"rlimit_files", XINETD_LEFT_OUT, true, false, LIMIT_CURE},
    {"rlimit_rss", XINETD_LEFT_OUT, true, false, LIMIT_CURE},
    {"rlimit_stack", XINETD_LEFT_OUT, true, false, LIMIT_CURE},
    {"rpc_version", XINETD_RPC, false, false, RPC_CURE},
    {"rpc_number", XINETD_RPC, false, false, RPC_CURE},
};

const struct xinetd_known *xinetd_find(const char *name) {
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (strcmp(attributes[i].name, name) == 0) {
            return &attributes[i];
        }
    }
    return NULL;
}

void xinetd_note_defaults(struct importer *importer, const struct xinetd_block *defaults) {
    const struct xinetd_attribute *attribute = defaults->first;
    for (; attribute != NULL; attribute = attribute->next) {
        const struct xinetd_known *known = xinetd_find(attribute->name);
        const char *why = NULL;
        if (known == NULL) {
            why = "xinetd has no such attribute";
        } else if (!known->in_defaults) {
            why = "xinetd does not take it from defaults; put it into the services";
        } else if (known->restricts) {
            continue; /* said where it changes a service */
        } else {
            why = known->cure;
        }
        if (why != NULL) {
            import_note(importer, &importer->notes, attribute->where, "defaults: %s: %s",
                        text_excerpt(attribute->text).text, why);
        }
    }
}
