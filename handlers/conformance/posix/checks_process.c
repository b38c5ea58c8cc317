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

void check_input_is_null(const struct subject *subject, struct verdict *verdict) {
    struct stat input, null_device;
    if (!subject->has_channel)
        skip(verdict, "without a channel it is the socket");
    else
        judge(verdict,
              fstat(STDIN_FILENO, &input) == 0 && stat("/dev/null", &null_device) == 0 &&
                  S_ISCHR(input.st_mode) && input.st_rdev == null_device.st_rdev,
              "it is something else");
}

void check_open_handles(const struct subject *subject, struct verdict *verdict) {
    char strangers[128] = "";
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL || !subject->has_channel) {
        skip(verdict, folder == NULL ? "no /proc/self/fd here" : "only promised with a channel");
        if (folder != NULL)
            closedir(folder);
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        long number = strtol(entry->d_name, NULL, 10);
        size_t used = strlen(strangers);
        if (number > 2 && number != dirfd(folder) && number != (long)subject->channel_in)
            snprintf(strangers + used, sizeof strangers - used, " %ld", number);
    }
    closedir(folder);
    judge(verdict, strangers[0] == '\0', "descriptors%s are open too", strangers);
}

void check_signal_mask(const struct subject *subject, struct verdict *verdict) {
    sigset_t mask;
    int blocked = sigprocmask(SIG_BLOCK, NULL, &mask) == 0 ? 0 : -1;
    (void)subject;
    for (int i = 1; i <= SIGRTMAX && blocked == 0; i++)
        if (sigismember(&mask, i) == 1)
            blocked = i;
    judge(verdict, blocked == 0, "signal %d is", blocked);
}

void check_signals_ignored(const struct subject *subject, struct verdict *verdict) {
    struct sigaction action;
    int ignored = 0;
    (void)subject;
    for (int i = 1; i <= SIGRTMAX && ignored == 0; i++)
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            ignored = i;
    judge(verdict, ignored == 0, "signal %d is", ignored);
}

void check_group(const struct subject *subject, struct verdict *verdict) {
    if (!subject->has_channel)
        skip(verdict, "only promised with a channel");
    else
        judge(verdict, getpgrp() == getpid(), "the group is %ld", (long)getpgrp());
}

void check_environment(const struct subject *subject, struct verdict *verdict) {
    static const char *const names[] = {"BATON_PROTOCOL", "BATON_CHANNEL", "BATON_NONCE"};
    const char *found = NULL;
    (void)subject;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getenv(names[i]) != NULL)
            found = names[i];
    judge(verdict, found == NULL, "there is %s", found != NULL ? found : "");
}

void check_channel_inheritance(const struct subject *subject, struct verdict *verdict) {
    if (!subject->has_channel)
        skip(verdict, "there is no channel");
    else
        judge(verdict, fcntl((int)subject->channel_in, F_GETFD) == FD_CLOEXEC,
              "FD_CLOEXEC is not set");
}
