/*
 * Which steps a plan has, and in which order. What each does: plan.c.
 */
#include "platform/posix/internal.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

/* By their kinds, one behind the other. */
#define STEP_NAME(name, call) call "\0"
static const char names[] = STEP_TABLE(STEP_NAME);
#undef STEP_NAME

const char *posix_plan_step_name(const struct step *step) {
    const char *name = names;
    for (enum step_kind kind = 0; kind < step->kind; kind++) {
        name += strlen(name) + 1;
    }
    return name;
}

/* Kinds go up from step to step, so there is room for each, and the enum tells the order. */
struct step *posix_plan_add(struct plan *plan, enum step_kind kind) {
    assert(plan->count == 0 || plan->steps[plan->count - 1].kind < kind);
    struct step *step = &plan->steps[plan->count++];
    *step = (struct step){.kind = kind};
    return step;
}

const struct step *posix_plan_find(const struct plan *plan, enum step_kind kind) {
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].kind == kind) {
            return &plan->steps[i];
        }
    }
    return NULL;
}

/* The sources of the streams are all above 2, since the platform keeps 0 to 2 occupied; what is
 * passed at higher numbers comes last, because these may be the numbers of the other sources. */
static void add_descriptors(struct plan *plan, const struct platform_program *program) {
    int listener_count = (int)program->listener_count;
    struct step_pass passed = {.count = listener_count + (program->nonce != NULL),
                               .listeners_end = FIRST_PASSED_DESCRIPTOR + listener_count};
    posix_plan_add(plan, STEP_STREAMS);
    if (listener_count > 0) { /* a channel alone is in nobody's way */
        posix_plan_add(plan, STEP_MAKE_WAY)->pass = passed;
    }
    if (passed.count > 0) {
        posix_plan_add(plan, STEP_PASS)->pass = passed;
    }
    if (program->listen_pid != NULL) {
        posix_plan_add(plan, STEP_LISTEN_PID)->listen_pid = program->listen_pid;
    }
}

/* handover.c tells why. */
static bool can_give_back(const struct plan *plan, const struct platform *platform) {
    const struct step *files = posix_plan_find(plan, STEP_LIMIT_FILES);
    return posix_plan_find(plan, STEP_UID) == NULL &&
           posix_plan_find(plan, STEP_CAPABILITIES) == NULL &&
           files->limit.values.rlim_max >= platform->original_descriptors.rlim_max;
}

/*
 * Each step stands where what it needs is still there and what it takes away is needed no more.
 * In brackets: what is not there yet, in the place where it belongs.
 *
 *   own table              before anything that touches a descriptor
 *   take                   into that table, before what may fail and then has to give back
 *   group, terminal        soon: a Ctrl-C for the supervisor finds the child with it until then
 *   descriptors            while the supervisor's raised limit holds, which their numbers need
 *   oom_score_adj          is a file in /proc, which the next root may not have; to open it takes a
 *                          descriptor, for which a limit that is written may have no room
 *   limits                 raising one takes privileges
 *   nice, groups, chroot   take privileges
 *   directory              is one inside the new root
 *   umask                  anywhere
 *   ids                    the group's and the user's: from here on without privileges
 *   capabilities           those that shall be kept have to outlast the change of ids
 *   no new privileges      binds everything behind it
 *   death signal           is forgotten at a change of ids
 *   [sandbox]              forbids system calls to whatever comes behind it
 *   dispositions, mask     in this order: a signal that waits shall find the default
 *   execute
 */
void posix_plan_make(struct plan *plan, struct platform *platform,
                     const struct platform_program *program) {
    *plan = (struct plan){.count = 0};
    posix_plan_add(plan, STEP_OWN_TABLE);
    posix_plan_add(plan, STEP_TAKE);
    posix_plan_add(plan, STEP_GROUP);
    if (platform->has_terminal) {
        posix_plan_add(plan, STEP_TERMINAL);
    }
    add_descriptors(plan, program);
    posix_plan_add_identity(plan, platform, program);
    if (program->forbids_new_privileges) {
        posix_plan_add(plan, STEP_NO_NEW_PRIVILEGES);
    }
    if (program->ends_with_supervisor) {
        posix_plan_add(plan, STEP_DEATH_SIGNAL)->supervisor = getpid();
    }
    if (platform->ignored_count > 0) {
        struct step *dispositions = posix_plan_add(plan, STEP_DISPOSITIONS);
        dispositions->signals.numbers = platform->ignored;
        dispositions->signals.count = platform->ignored_count;
    }
    posix_plan_add(plan, STEP_MASK);
    plan->gives_back = can_give_back(plan, platform);
    struct step *last = posix_plan_add(plan, STEP_EXECUTE);
    last->execute.path = program->path;
    last->execute.environment = program->environment;
}
