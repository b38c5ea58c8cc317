/* Where services listen, and whether they leave room for each other. */
#include "core/service_build.h"

#include <string.h>

#define TOTAL_CONNECTIONS_MAX_COUNT 32768u

bool service_read_listen(struct service_builder *builder, const struct config_setting *setting,
                         const char *text, const struct service_values *values,
                         struct address *out) {
    struct address parsed;

    if (!address_parse(text, &parsed)) {
        bool several = strpbrk(text, " \t,") != NULL;
        service_report(builder, setting,
                       several ? "`%s`: a service listens at one address; give each further one a "
                                 "section of its own"
                               : "`%s` is no address to listen at; give PORT, HOST:PORT or "
                                 "[IPV6]:PORT with a port from 0 to 65535 (for localhost "
                                 "127.0.0.1), names are not looked up",
                       text_excerpt(text).text);
        return false;
    }
    if (parsed.family == ADDRESS_NONE) {
        uint16_t port = parsed.port;
        parsed = values->bind;
        parsed.port = port;
    } else if (values->own[KEY_BIND] != NULL) {
        service_report(builder, values->own[KEY_BIND],
                       "has no effect, because `listen` names its host; leave one of them out");
    }
    *out = parsed;
    return true;
}

static bool clash(const struct address *a, const struct address *b) {
    bool same_port = a->family == b->family && a->port == b->port && a->port != 0;
    return same_port && (address_is_any(a) || address_is_any(b) || address_equal(a, b));
}

static void check_clash(struct service_builder *builder, size_t index) {
    const struct service_draft *draft = &builder->drafts[index];
    char own[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < index; i++) {
        const struct service_draft *other = &builder->drafts[i];
        if (other->enabled && other->listen != NULL &&
            clash(&draft->service.listen->address, &other->service.listen->address)) {
            char theirs[ADDRESS_TEXT_SIZE];
            service_report(builder, draft->listen,
                           "%s is taken by `%s.%s` in line %lu (%s); choose another port or "
                           "address",
                           address_print(&draft->service.listen->address, own, sizeof(own)),
                           other->listen->section, other->listen->key,
                           (unsigned long)other->listen->line,
                           address_print(&other->service.listen->address, theirs, sizeof(theirs)));
            return;
        }
    }
}

void service_check_clashes(struct service_builder *builder) {
    uint64_t total_count = 0;
    const struct service_draft *largest = NULL;

    for (size_t i = 0; i < builder->draft_count; i++) {
        const struct service_draft *draft = &builder->drafts[i];
        if (draft->enabled && draft->listen != NULL) {
            check_clash(builder, i);
        }
        if (draft->enabled) {
            total_count += draft->service.max_connections_count;
            bool larger = largest == NULL || draft->service.max_connections_count >
                                                 largest->service.max_connections_count;
            largest = larger ? draft : largest;
        }
    }
    if (total_count > TOTAL_CONNECTIONS_MAX_COUNT) {
        config_problems_add(builder->problems, largest->service.line, "max_connections",
                            "the sum over all services is %lu; give at most %lu in all (here it "
                            "is %lu, the most)",
                            (unsigned long)total_count, (unsigned long)TOTAL_CONNECTIONS_MAX_COUNT,
                            (unsigned long)largest->service.max_connections_count);
    }
}
