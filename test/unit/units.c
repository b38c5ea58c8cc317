/*
 * Many groups of unit tests as one program, for where it takes long to start one. Each group is a
 * source file with a main of its own, which CMake renames (baton_unit_group in BatonTest.cmake).
 *
 * `test_units [GROUP...]` runs the groups named, or all. The exit status is 1 if a group failed;
 * the last line names those that did.
 */
#include "unit_groups.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define GROUP(name) int test_##name##_main(void);
UNIT_GROUPS
#undef GROUP

static const struct group {
    const char *name;
    int (*run)(void);
} groups[] = {
#define GROUP(name) {#name, test_##name##_main},
    UNIT_GROUPS
#undef GROUP
};

#define GROUP_COUNT (sizeof groups / sizeof *groups)

static bool is_wanted(const struct group *group, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], group->name) == 0) {
            return true;
        }
    }
    return argc < 2;
}

int main(int argc, char **argv) {
    bool has_failed[GROUP_COUNT] = {false};
    size_t run_count = 0, failed_count = 0;
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (is_wanted(&groups[i], argc, argv)) {
            /* At once, so that the last line tells which one ended the process. */
            printf("== %s\n", groups[i].name);
            fflush(stdout);
            has_failed[i] = groups[i].run() != 0;
            run_count++;
            failed_count += has_failed[i];
        }
    }
    printf("%u groups, %u failed:", (unsigned)run_count, (unsigned)failed_count);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (has_failed[i]) {
            printf(" %s", groups[i].name);
        }
    }
    printf("\n");
    return run_count == 0 || failed_count > 0;
}
