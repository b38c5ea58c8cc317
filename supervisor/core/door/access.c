#include "core/door/access.h"
#include "core/base/text.h"

bool access_is_open(const struct service *service, unsigned local_minute) {
    bool is_open = service->hours_count == 0;
    for (size_t i = 0; i < service->hours_count; i++) {
        const struct service_hours *hours = &service->hours[i];
        bool begun = local_minute >= hours->first_minute;
        bool not_over = local_minute <= hours->last_minute;
        bool over_midnight = hours->first_minute > hours->last_minute;
        is_open = is_open || (over_midnight ? begun || not_over : begun && not_over);
    }
    return is_open;
}

static bool knows_user(const struct service *service, const struct address *peer, bool in_group) {
    bool knows = in_group && service->allow_gid_count > 0;
    for (size_t i = 0; i < service->allow_uid_count; i++) {
        knows = knows || (peer->has_uid && peer->uid == service->allow_uids[i]);
    }
    return knows;
}

enum access_verdict access_verdict(const struct service *service, const struct address *peer,
                                   bool in_group, unsigned local_minute) {
    bool by_user =
        peer->family == ADDRESS_UNIX && service->allow_uid_count + service->allow_gid_count > 0;
    if (by_user ? !knows_user(service, peer, in_group)
                : service->access != NULL && !rule_tree_allows(service->access, peer)) {
        return ACCESS_REFUSED;
    }
    return access_is_open(service, local_minute) ? ACCESS_ALLOWED : ACCESS_OUT_OF_HOURS;
}

void access_decide(const struct service *service, const struct address *peer, bool in_group,
                   unsigned local_minute, struct access_decision *out) {
    *out =
        (struct access_decision){.verdict = access_verdict(service, peer, in_group, local_minute)};
    if (out->verdict == ACCESS_OUT_OF_HOURS) {
        out->reason = ACCESS_BY_HOURS;
    } else if (service->access != NULL && rule_tree_find(service->access, peer, &out->rule)) {
        out->reason = ACCESS_BY_RULE;
    } else if (service->access != NULL && out->verdict == ACCESS_REFUSED) {
        out->reason = ACCESS_BY_NO_RULE;
    } else if (peer->family == ADDRESS_UNIX &&
               service->allow_uid_count + service->allow_gid_count > 0) {
        out->reason = ACCESS_BY_USER;
    }
}

const char *access_rule_print(const struct service *service, const struct rule_found *rule,
                              const char *config_file, char *out, size_t size_bytes) {
    char host[ADDRESS_TEXT_SIZE];
    bool is_own = rule->source == NULL;
    const char *file = is_own ? service_file(service, rule->line, config_file) : rule->source;
    text_format(out, size_bytes, "%s %s/%u (%s:%lu)", rule->is_deny ? "deny" : "allow",
                address_print_host(&rule->block.address, host, sizeof host),
                rule->block.prefix_bits, file != NULL ? file : "config",
                (unsigned long)(is_own ? config_line_number(rule->line) : rule->line));
    return out;
}
