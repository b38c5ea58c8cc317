#include "core/base/identity.h"

static bool has_all(const uint32_t *ids, size_t count, const uint32_t *wanted,
                    size_t wanted_count) {
    size_t found_count = 0;
    size_t at = 0; /* both are mostly in the same order, and there may be tens of thousands */
    for (size_t i = 0; i < wanted_count; i++) {
        size_t tries = 0;
        while (tries < count && ids[at] != wanted[i]) {
            at = at + 1 < count ? at + 1 : 0;
            tries++;
        }
        found_count += tries < count ? 1 : 0;
    }
    return found_count == wanted_count;
}

bool identity_has_groups(const struct identity *identity, const uint32_t *groups, size_t count) {
    return has_all(identity->groups, identity->group_count, groups, count) &&
           has_all(groups, count, identity->groups, identity->group_count);
}
