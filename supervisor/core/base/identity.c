#include "core/base/identity.h"

static bool has_all(const uint32_t *ids, size_t count, const uint32_t *wanted,
                    size_t wanted_count) {
    size_t found_count = 0;
    for (size_t i = 0; i < wanted_count; i++) {
        size_t at = 0;
        while (at < count && ids[at] != wanted[i]) {
            at++;
        }
        found_count += at < count ? 1 : 0;
    }
    return found_count == wanted_count;
}

bool identity_has_groups(const struct identity *identity, const uint32_t *groups, size_t count) {
    return has_all(identity->groups, identity->group_count, groups, count) &&
           has_all(groups, count, identity->groups, identity->group_count);
}
