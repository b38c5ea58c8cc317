#include "../checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { LISTEN_FDS_START = 3 };

static bool is_null_device(int descriptor) {
    struct stat given, null_device;
    return fstat(descriptor, &given) == 0 && stat("/dev/null", &null_device) == 0 &&
           S_ISCHR(given.st_mode) && given.st_rdev == null_device.st_rdev;
}

static bool is_same_socket(int one, int other) {
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && S_ISSOCK(a.st_mode) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_listener(const struct subject *subject, int descriptor) {
    for (uint32_t i = 0; i < subject->listener_count; i++) {
        if (is_same_socket(descriptor, LISTEN_FDS_START + (int)i))
            return true;
    }
    return false;
}

void check_input(const struct subject *subject, struct verdict *verdict) {
    switch (subject->mode) {
    case MODE_CHANNEL:
        judge(verdict, is_null_device(STDIN_FILENO), "it is not the null device");
        break;
    case MODE_STDIO:
        judge(verdict, is_same_socket(STDIN_FILENO, STDOUT_FILENO),
              "input and output are not the same socket");
        break;
    case MODE_LISTENER:
        judge(verdict, is_listener(subject, STDIN_FILENO), "it is none of the listeners");
        break;
    case MODE_FOREIGN:
        skip(verdict, "only promised by batond");
        break;
    }
}

void check_open_handles(const struct subject *subject, struct verdict *verdict) {
    if (subject->connection != NULL)
        return; /* by now baton_open() has opened some */
    char strangers[128] = "";
    long last_listener = LISTEN_FDS_START - 1 + (long)subject->listener_count;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL || subject->mode == MODE_FOREIGN) {
        skip(verdict, folder == NULL ? "no /proc/self/fd here" : "only promised by batond");
        if (folder != NULL)
            closedir(folder);
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        long number = strtol(entry->d_name, NULL, 10);
        size_t used = strlen(strangers);
        if (number > STDERR_FILENO && number != dirfd(folder) && number > last_listener &&
            number != (long)subject->channel_in)
            snprintf(strangers + used, sizeof strangers - used, " %ld", number);
    }
    closedir(folder);
    judge(verdict, strangers[0] == '\0', "descriptors%s are open too", strangers);
}

void check_signal_mask(const struct subject *subject, struct verdict *verdict) {
    sigset_t mask;
    int blocked = sigprocmask(SIG_BLOCK, NULL, &mask) == 0 ? 0 : -1;
    if (subject->mode == MODE_FOREIGN) {
        skip(verdict, "only promised by batond");
        return;
    }
    for (int i = 1; i <= SIGRTMAX && blocked == 0; i++)
        if (sigismember(&mask, i) == 1)
            blocked = i;
    judge(verdict, blocked == 0, "signal %d is", blocked);
}

void check_signals_ignored(const struct subject *subject, struct verdict *verdict) {
    struct sigaction action;
    int ignored = 0;
    if (subject->mode == MODE_FOREIGN) {
        skip(verdict, "only promised by batond");
        return;
    }
    for (int i = 1; i <= SIGRTMAX && ignored == 0; i++)
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            ignored = i;
    judge(verdict, ignored == 0, "signal %d is", ignored);
}

void check_group(const struct subject *subject, struct verdict *verdict) {
    if (subject->mode == MODE_FOREIGN)
        skip(verdict, "only promised by batond");
    else
        judge(verdict, getpgrp() == getpid(), "the group is %ld", (long)getpgrp());
}

void check_environment(const struct subject *subject, struct verdict *verdict) {
    static const char *const names[] = {"BATON_PROTOCOL", "BATON_CHANNEL", "BATON_NONCE",
                                        "LISTEN_FDS",     "LISTEN_PID",    "LISTEN_FDNAMES"};
    const char *found = NULL;
    (void)subject;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]) != NULL)
            found = names[i];
    judge(verdict, found == NULL, "there is %s", found != NULL ? found : "");
}

void check_channel_inheritance(const struct subject *subject, struct verdict *verdict) {
    if (subject->mode != MODE_CHANNEL)
        skip(verdict, "there is no channel");
    else
        judge(verdict, fcntl((int)subject->channel_in, F_GETFD) == FD_CLOEXEC,
              "FD_CLOEXEC is not set");
}
