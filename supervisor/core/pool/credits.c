/* What each process counts for in its service, and the sums: derived from the state of the process
 * after each change, here and nowhere else, so that no count drifts. */
#include "core/pool/internal.h"

static void add(struct process_sums *sums, const struct process_credits *credits, uint32_t sign) {
    sums->launching_count += sign * (credits->is_launching ? 1 : 0);
    sums->handlers_count += sign * (credits->is_handler ? 1 : 0);
    sums->idle_count += sign * credits->idle_count;
    sums->pending_count += sign * credits->pending_count;
}

void pool_update_process(struct pool *pool, struct process *p) {
    struct pool_service *s = p->served;
    struct process_credits before = p->gives;
    p->gives = process_credits_of(p);
    add(&s->sums, &before, UINT32_MAX); /* takes away, modulo 2^32 */
    add(&s->sums, &p->gives, 1);
    bool was_idle = before.idle_count > 0;
    bool is_idle = p->gives.idle_count > 0;
    if (was_idle && (!is_idle || p->level != p->held_count)) {
        pool_leave_idle(pool, p);
        was_idle = false;
    }
    if (is_idle && !was_idle) {
        pool_join_idle(pool, p);
    }
    target_note_idle(&s->target, s->sums.idle_count + s->sums.pending_count);
    pool_update_wants(pool, p->service);
}
