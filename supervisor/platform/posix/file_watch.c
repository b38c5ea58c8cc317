/*
 * Files that change: inotify(7), which watches folders.
 *
 * A path leads to its file through links, each of which can come to lead elsewhere, so there is a
 * watch on the folder of each of them, and of the file itself: the *way*. Those between are told of
 * when they are moved, but not of what is done in them, which is others' business and may be a lot
 * (/tmp). Then the way is looked for anew. That asks the disk, so a carrier does it; inotify itself
 * is asked without waiting.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCHED                                                                                    \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF |       \
     IN_MOVE_SELF | IN_ONLYDIR)
#define WATCHED_BETWEEN (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define FOLDER_GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

/* A file of a new name is being written as a rule, and its writer's close tells the end of that;
 * but for a link, which is whole from the beginning. */
#define CREATED_US 1000000u
/* How often it is looked for where there is none. */
#define MISSING_FIRST_US 1000000u
#define MISSING_LAST_US 60000000u

#define STEPS_MAX_COUNT 64u
#define LINKS_MAX_COUNT 40u /* as path_resolution(7) */
#define TICK_US 20000u
/* Events that one report takes: more wait. */
#define READS_AT_A_TIME 8

/* Folders, by their watches, and what may not come to be another there. */
struct way {
    size_t count, text_bytes;
    int folders[STEPS_MAX_COUNT];
    size_t names[STEPS_MAX_COUNT]; /* where each begins */
    char text[2048];
    bool is_missing; /* the file; the way leads to where it would be */
};

/* What finding it takes. */
struct search {
    struct way way;
    char at[PATH_MAX];   /* the folder that was reached, without links; "" = the root */
    char rest[PATH_MAX]; /* of the path */
    char link[PATH_MAX];
};

_Static_assert(sizeof(struct search) <= CARRIER_BYTES, "it is the bytes of a job");

struct platform_file_watch {
    struct posix_watch watch; /* without a descriptor: names it */
    struct posix_due due;     /* CHANGED */
    struct platform *platform;
    struct platform_file_watch *next;
    struct carrier_job job; /* while the way is looked for */
    struct way way;
    bool has_changed;    /* the way, since that began */
    uint64_t created_us; /* when a new name was seen; 0 = not, or its file was written since */
    uint64_t look_us;    /* when to look for the way; UINT64_MAX = it is known */
    uint64_t delay_us;   /* until the next look, should that one fail */
    size_t path_bytes;   /* with its NUL */
    char path[];
};

/* One step of a file's way. Of a folder between the name is empty, as that of no event is. */
struct file_step {
    struct platform_file_watch *file;
    int folder;
    uint32_t name_hash;
    size_t step;
};

/* ---- The way ---- */

static bool add_step(struct way *way, int notify, const char *folder, const char *name,
                     uint32_t mask) {
    size_t length = strlen(name) + 1;
    if (way->count == STEPS_MAX_COUNT || way->text_bytes + length > sizeof way->text) {
        errno = ENAMETOOLONG;
        return false;
    }
    int watched = inotify_add_watch(notify, *folder == '\0' ? "/" : folder, mask);
    if (watched < 0) {
        return false;
    }
    way->folders[way->count] = watched;
    way->names[way->count] = way->text_bytes;
    memcpy(way->text + way->text_bytes, name, length);
    way->text_bytes += length;
    way->count++;
    return true;
}

/* One that may be entered and not be read (a home of somebody else's) cannot be watched: those
 * below it are. */
static bool add_between(struct search *search, int notify) {
    return add_step(&search->way, notify, search->at, "", WATCHED_BETWEEN) || errno == EACCES;
}

/* The rest begins with what the link says. */
static bool follow(struct search *search, size_t link_length, const char *behind) {
    size_t behind_bytes = strlen(behind) + 1;
    if (link_length + 1 + behind_bytes > sizeof search->rest) {
        errno = ENAMETOOLONG;
        return false;
    }
    memmove(search->rest + link_length + 1, behind, behind_bytes);
    memcpy(search->rest, search->link, link_length);
    search->rest[link_length] = '/';
    if (search->link[0] == '/') {
        search->at[0] = '\0';
    }
    return true;
}

/* One name further, from `at` to it, or to where it leads. 1: there is more; 0: that was the last
 * one; -1 and errno. */
static int take_name(struct search *search, int notify, const char *name, size_t length,
                     const char *behind) {
    size_t at_length = strlen(search->at);
    if (at_length + 1 + length >= sizeof search->at) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char *own = search->at + at_length;
    *own = '/';
    memcpy(own + 1, name, length);
    own[1 + length] = '\0';
    bool is_last = *behind == '\0';
    bool is_link = readlink(search->at, search->link, sizeof search->link) >= 0;
    bool is_missing = !is_link && errno == ENOENT;
    if (!is_link && !is_last) {
        return errno == EINVAL && add_between(search, notify) ? 1 : -1;
    }
    char kept[NAME_MAX + 1];
    if (length > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(kept, own + 1, length + 1);
    *own = '\0';
    if (!add_step(&search->way, notify, search->at, kept, WATCHED)) {
        return -1;
    }
    if (!is_link) {
        search->way.is_missing = is_missing;
        return 0;
    }
    *own = '/'; /* what it says now that it is watched */
    ssize_t link_length = readlink(search->at, search->link, sizeof search->link);
    *own = '\0';
    return link_length >= 0 && follow(search, (size_t)link_length, behind) ? 2 : -1;
}

/* In a carrier, too: `bytes` are the path, and then a struct search. */
static ssize_t find_way(int notify, uint8_t *bytes, size_t length) {
    struct search *search = (struct search *)(void *)bytes;
    size_t links_count = 0;
    memmove(search->rest, bytes, length);
    search->way.count = search->way.text_bytes = 0;
    search->at[0] = '\0';
    const char *rest = search->rest;
    for (;;) {
        rest += strspn(rest, "/");
        size_t name_length = strcspn(rest, "/");
        const char *behind = rest + name_length + strspn(rest + name_length, "/");
        char *slash = strrchr(search->at, '/');
        if (name_length == 2 && rest[0] == '.' && rest[1] == '.') {
            *(slash != NULL ? slash : search->at) = '\0';
        } else if (name_length == 0) {
            errno = EISDIR;
            return -1;
        } else if (name_length != 1 || rest[0] != '.') {
            int more = take_name(search, notify, rest, name_length, behind);
            links_count += more == 2;
            if (links_count > LINKS_MAX_COUNT) {
                errno = ELOOP;
                return -1;
            }
            if (more <= 0) {
                return more;
            }
            behind = more == 2 ? search->rest : behind;
        }
        rest = behind;
    }
}

static bool is_used(const struct platform *platform, int folder) {
    for (const struct platform_file_watch *at = platform->files.first; at != NULL; at = at->next) {
        for (size_t i = 0; i < at->way.count; i++) {
            if (at->way.folders[i] == folder) {
                return true;
            }
        }
    }
    return false;
}

static void leave_way(struct platform *platform, const struct way *way) {
    for (size_t i = 0; i < way->count; i++) {
        if (!is_used(platform, way->folders[i])) {
            (void)inotify_rm_watch(platform->files.notify.descriptor, way->folders[i]);
        }
    }
}

/* Takes the new way. What it shares with the old one is watched on. */
static void set_way(struct platform_file_watch *file, const struct way *way) {
    struct way old = file->way;
    file->way = *way;
    file->platform->files.has_steps = false;
    leave_way(file->platform, &old);
}

static bool is_same_way(const struct way *a, const struct way *b) {
    return a->count == b->count && a->text_bytes == b->text_bytes &&
           memcmp(a->folders, b->folders, a->count * sizeof *a->folders) == 0 &&
           memcmp(a->text, b->text, a->text_bytes) == 0;
}

static void look_later(struct platform_file_watch *file) {
    file->look_us = platform_now_us(file->platform) + file->delay_us;
    file->delay_us = 2 * file->delay_us < MISSING_LAST_US ? 2 * file->delay_us : MISSING_LAST_US;
}

static bool way_done(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                     ssize_t result, int code) {
    size_t offset = offsetof(struct platform_file_watch, job);
    struct platform_file_watch *file = (struct platform_file_watch *)(void *)((char *)job - offset);
    const struct way *way = &((const struct search *)(const void *)bytes)->way;
    posix_close_descriptor(&job->descriptor);
    if (result == 0) {
        if (!is_same_way(&file->way, way)) {
            set_way(file, way);
            posix_due_add(platform, &file->due, &file->watch);
        }
    } else if (code != ECANCELED) {
        leave_way(platform, way); /* as far as it went */
    }
    if (result == 0 && !way->is_missing) {
        file->delay_us = MISSING_FIRST_US;
        file->look_us = file->has_changed ? 0 : UINT64_MAX;
    } else {
        look_later(file);
    }
    return true;
}

static void look_for_way(struct platform_file_watch *file, uint64_t now_us) {
    struct platform *platform = file->platform;
    file->has_changed = false;
    file->job = (struct carrier_job){
        .work = find_way,
        .done = way_done,
        .owner = file,
        .descriptor = fcntl(platform->files.notify.descriptor, F_DUPFD_CLOEXEC, 3),
        .length = file->path_bytes,
        .bytes = (const uint8_t *)file->path};
    file->look_us = UINT64_MAX;
    if (file->job.descriptor < 0 || !posix_carriers_give(platform, &file->job)) {
        posix_close_descriptor(&file->job.descriptor);
        file->look_us = now_us + MISSING_FIRST_US;
    }
}

/* ---- What inotify tells ---- */

static void lose_way(struct platform_file_watch *file) {
    file->has_changed = true;
    if (file->job.state == CARRIER_JOB_NONE) {
        file->look_us = 0;
    }
}

static void change(struct platform_file_watch *file) {
    file->created_us = 0;
    posix_due_add(file->platform, &file->due, &file->watch);
}

static void take_step(struct platform_file_watch *file, size_t step,
                      const struct inotify_event *event) {
    bool is_last = step + 1 == file->way.count;
    bool is_gone = (event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0;
    if ((event->mask & FOLDER_GONE) != 0) {
        lose_way(file);
    } else if (event->len == 0 ||
               strcmp(file->way.text + file->way.names[step], event->name) != 0) {
        return;
    } else if (is_gone) {
        lose_way(file); /* its folder may follow it, of which nothing is told while it runs */
    } else if (is_last && (event->mask & IN_CLOSE_WRITE) != 0) {
        change(file);
    } else if (is_last && (event->mask & IN_CREATE) != 0) {
        file->created_us = platform_now_us(file->platform);
    } else if ((event->mask & (IN_MOVED_TO | IN_CREATE)) != 0) {
        lose_way(file); /* what has the name now may be a link */
        if (is_last) {
            change(file);
        }
    }
}

static uint32_t hash_of(const char *name) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    while (*name != '\0') {
        hash = (hash ^ (uint8_t)*name++) * 16777619u;
    }
    return hash;
}

static bool has_room(struct posix_files *files, size_t count) {
    if (count <= files->steps_room) {
        return true;
    }
    struct file_step *steps = realloc(files->steps, 2 * count * sizeof *steps);
    if (steps == NULL) {
        return false;
    }
    files->steps = steps;
    files->steps_room = 2 * count;
    return true;
}

/* Without memory what comes is lost, as if inotify's queue had been too short. */
static bool line_up_steps(struct posix_files *files) {
    size_t count = 0;
    for (struct platform_file_watch *file = files->first; file != NULL; file = file->next) {
        count += file->way.count;
    }
    if (!has_room(files, count)) {
        return false;
    }
    files->steps_count = 0;
    for (struct platform_file_watch *file = files->first; file != NULL; file = file->next) {
        for (size_t i = 0; i < file->way.count; i++) {
            files->steps[files->steps_count++] = (struct file_step){
                file, file->way.folders[i], hash_of(file->way.text + file->way.names[i]), i};
        }
    }
    files->has_steps = true;
    return true;
}

static void take_loss(struct posix_files *files) {
    for (struct platform_file_watch *file = files->first; file != NULL; file = file->next) {
        lose_way(file);
        change(file);
    }
}

static void take_event(struct posix_files *files, const struct inotify_event *event) {
    if ((event->mask & IN_Q_OVERFLOW) != 0 || (!files->has_steps && !line_up_steps(files))) {
        take_loss(files);
        return;
    }
    bool is_of_all = (event->mask & FOLDER_GONE) != 0;
    uint32_t name_hash = event->len > 0 ? hash_of(event->name) : 0;
    for (size_t i = 0; i < files->steps_count; i++) {
        const struct file_step *step = &files->steps[i];
        if (step->folder == event->wd && (is_of_all || step->name_hash == name_hash)) {
            take_step(step->file, step->step, event);
        }
    }
}

void posix_files_take_reports(struct platform *platform) {
    _Alignas(struct inotify_event) char events[4096];
    ssize_t length = 1;
    for (int i = 0; i < READS_AT_A_TIME && length > 0; i++) {
        length = read(platform->files.notify.descriptor, events, sizeof events);
        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const void *)(events + at);
            take_event(&platform->files, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

uint64_t posix_files_feed(struct platform *platform, uint64_t now_us) {
    uint64_t next_us = UINT64_MAX;
    for (struct platform_file_watch *file = platform->files.first; file != NULL;
         file = file->next) {
        uint64_t whole_us = file->created_us == 0 ? UINT64_MAX : file->created_us + CREATED_US;
        if (whole_us <= now_us) {
            lose_way(file);
            change(file);
            whole_us = now_us; /* it is told by the next look at what is due */
        }
        if (file->look_us <= now_us && file->job.state == CARRIER_JOB_NONE) {
            look_for_way(file, now_us);
        }
        next_us = whole_us < next_us ? whole_us : next_us;
        next_us = file->look_us < next_us ? file->look_us : next_us;
    }
    return next_us;
}

/* ---- Opening and closing ---- */

static int open_notify(struct platform *platform, struct baton_cause *cause) {
    struct posix_watch *notify = &platform->files.notify;
    if (notify->registered) {
        return BATON_OK;
    }
    posix_watch_init(notify, POSIX_WATCH_FILES, 0);
    notify->descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (notify->descriptor < 0) {
        return posix_failed(cause, "inotify_init1");
    }
    int result = posix_watch_begin(platform, notify, EPOLLIN, cause);
    if (result != BATON_OK) {
        posix_close_descriptor(&notify->descriptor);
    }
    return result;
}

static int find_first(struct platform_file_watch *file, struct baton_cause *cause) {
    struct search *search = malloc(sizeof *search);
    int result = BATON_OK;
    if (search == NULL) {
        return BATON_NO_MEMORY;
    }
    memcpy(search, file->path, file->path_bytes);
    if (find_way(file->platform->files.notify.descriptor, (uint8_t *)search, file->path_bytes) ==
        0) {
        file->way = search->way;
    } else {
        result = posix_failed(cause, "inotify_add_watch");
        file->way = search->way; /* as far as it goes, to be forgotten */
    }
    free(search);
    return result;
}

/* No event tells of what came between two programs (restart.h); but that it was written, or
 * renamed, then, is seen. The file's time may be a tick old (getres of the coarse clock). */
static bool has_changed_meanwhile(const struct platform *platform, const char *path) {
    struct stat status;
    return platform_restarted() != NULL && stat(path, &status) == 0 &&
           (uint64_t)status.st_ctim.tv_sec * 1000000u + (uint64_t)status.st_ctim.tv_nsec / 1000u +
                   TICK_US >=
               platform->left_us;
}

int platform_file_watch_open(struct platform *platform, const char *path, uint64_t token,
                             struct platform_file_watch **out, struct baton_cause *cause) {
    size_t path_bytes = strlen(path) + 1;
    *out = NULL;
    *cause = (struct baton_cause){0};
    if (path_bytes > PATH_MAX) {
        return BATON_TOO_LONG;
    }
    int result = open_notify(platform, cause);
    if (result != BATON_OK) {
        return result;
    }
    struct platform_file_watch *file = calloc(1, sizeof *file + path_bytes);
    if (file == NULL) {
        return BATON_NO_MEMORY;
    }
    file->platform = platform;
    file->job.descriptor = -1;
    file->look_us = UINT64_MAX;
    file->delay_us = MISSING_FIRST_US;
    file->path_bytes = path_bytes;
    memcpy(file->path, path, path_bytes);
    posix_watch_init(&file->watch, POSIX_WATCH_FILES, token);
    file->next = platform->files.first;
    platform->files.first = file;
    platform->files.has_steps = false;
    result = find_first(file, cause);
    if (result != BATON_OK) {
        platform_file_watch_close(&file);
    } else if (has_changed_meanwhile(platform, path)) {
        posix_due_add(platform, &file->due, &file->watch);
    }
    *out = file;
    return result;
}

void platform_file_watch_close(struct platform_file_watch **watch) {
    static struct way none; /* never written; a constant would be 3 KB of the program file */
    struct platform_file_watch *closing = *watch;
    if (closing == NULL) {
        return;
    }
    struct platform *platform = closing->platform;
    if (closing->job.state != CARRIER_JOB_NONE) {
        posix_carriers_drop(platform, &closing->job);
    }
    posix_due_forget(platform, &closing->due);
    set_way(closing, &none);
    struct platform_file_watch **link = &platform->files.first;
    while (*link != closing) {
        link = &(*link)->next;
    }
    *link = closing->next;
    free(closing);
    *watch = NULL;
}

void posix_files_close(struct platform *platform) {
    struct platform_file_watch *next = platform->files.first;
    while (next != NULL) {
        struct platform_file_watch *file = next;
        next = file->next;
        platform_file_watch_close(&file);
    }
    free(platform->files.steps);
    platform->files.steps = NULL;
    platform->files.steps_room = 0;
    posix_watch_close(platform, &platform->files.notify);
}
