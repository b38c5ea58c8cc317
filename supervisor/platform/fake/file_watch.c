/* Files that change when the test says so. */
#include "platform/fake/internal.h"

#include <stdlib.h>
#include <string.h>

int platform_file_watch_open(struct platform *platform, const char *path, uint64_t token,
                             struct platform_file_watch **out, struct baton_cause *cause) {
    (void)platform;
    *out = NULL;
    int code = fake_try(FAKE_FILE_WATCH, cause);
    if (code != BATON_OK) {
        return code;
    }
    struct platform_file_watch *watch = fake_allocate(sizeof *watch);
    *watch = (struct platform_file_watch){
        .next = fake_world.file_watches, .path = fake_text_copy(path), .token = token};
    fake_world.file_watches = watch;
    *out = watch;
    return BATON_OK;
}

void platform_file_watch_close(struct platform_file_watch **watch) {
    struct platform_file_watch **link = &fake_world.file_watches;
    struct platform_file_watch *closing = *watch;
    *watch = NULL;
    if (closing == NULL) {
        return;
    }
    while (*link != NULL && *link != closing) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        fake_wrong("a file's watch was closed twice");
        return;
    }
    *link = closing->next;
    free((char *)closing->path);
    free(closing);
}

uint32_t fake_file_changes(const char *path) {
    uint32_t count = 0;
    for (struct platform_file_watch *at = fake_world.file_watches; at != NULL; at = at->next) {
        if (strcmp(at->path, path) == 0) {
            at->is_due = true;
            count++;
        }
    }
    return count;
}
