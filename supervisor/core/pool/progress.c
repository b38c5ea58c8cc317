#include "core/pool/progress.h"

static bool waits(const struct waiting_set *waiting, uint64_t id) {
    for (uint32_t i = 0; i < waiting->id_count; i++) {
        if (waiting->ids[i] == id) {
            return true;
        }
    }
    return false;
}

static bool has_lost_one(const struct waiting_set *before, const struct waiting_set *after) {
    for (uint32_t i = 0; i < before->id_count; i++) {
        if (!waits(after, before->ids[i])) {
            return true;
        }
    }
    return false;
}

void progress_add(struct progress_sum *sum, const struct waiting_set *before,
                  const struct waiting_set *after) {
    if (!before->is_known || !after->is_known) {
        sum->has_unknown = true;
        return;
    }
    sum->left += after->amount;
    if (before->amount == 0) {
        return; /* nobody was there to be taken */
    }
    if (after->amount < before->amount) {
        sum->has_made = true;
    } else if (!before->is_identified || !after->is_identified) {
        sum->has_unproven = true;
    } else if (has_lost_one(before, after)) {
        bool is_listed = after->id_count < WAITING_IDS_MAX_COUNT; /* all that have a number */
        sum->has_made = sum->has_made || is_listed;
        sum->has_unknown = sum->has_unknown || !is_listed;
    } else if (before->has_nameless) {
        sum->has_unknown = true;
    }
}

enum progress progress_of(const struct progress_sum *sum) {
    if (sum->has_made) {
        return PROGRESS_MADE;
    }
    if (sum->has_unknown) {
        return PROGRESS_UNKNOWN;
    }
    if (sum->left == 0) {
        return PROGRESS_MADE;
    }
    return sum->has_unproven ? PROGRESS_UNPROVEN : PROGRESS_NONE;
}
