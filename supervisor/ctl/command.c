#include "ctl/command.h"

#include "core/base/error.h"
#include "core/base/text.h"

#include <string.h>

/* A program that is rehearsed has a minute, and what is under way some seconds more; and a reload
 * may have to wait until such a restart is over. */
#define RESTART_S 90u

const struct ctl_command ctl_commands[] = {
    {.name = "status", .words = ""},
    {.name = "services", .words = ""},
    {.name = "connections", .words = "[SERVICE]", .most_count = 1},
    {.name = "events", .words = "", .follows = true},
    {.name = "explain",
     .words = "SERVICE ADDRESS",
     .least_count = 2,
     .most_count = 2,
     .is_text = true,
     .consults = true},
    {.name = "reload", .words = "", .can_wait = true, .patience_s = RESTART_S},
    {.name = "restart", .words = "", .can_wait = true, .patience_s = RESTART_S},
    {.name = "drain", .words = "SERVICE", .least_count = 1, .most_count = 1, .can_wait = true},
    {.name = "enable", .words = "SERVICE", .least_count = 1, .most_count = 1},
    {.name = "disable", .words = "SERVICE", .least_count = 1, .most_count = 1, .can_wait = true},
    {.name = "kill", .words = "ID", .least_count = 1, .most_count = 1},
    {.name = "stop", .words = ""},
    {.name = "log-level", .words = "LEVEL", .least_count = 1, .most_count = 1},
    {.name = "log-reopen", .words = ""},
    {.name = "keys", .words = "[NAME]", .most_count = 1, .is_text = true},
    {.name = "check", .words = "[FILE]", .most_count = 1, .is_text = true, .consults = true},
    {.name = ""}};

const struct ctl_command *ctl_command_find(const char *name) {
    for (const struct ctl_command *command = ctl_commands; command->name[0] != '\0'; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

const char *ctl_command_nearest(const char *name) {
    size_t best = text_distance_limit(name) + 1;
    const char *nearest = NULL;
    for (const struct ctl_command *command = ctl_commands; command->name[0] != '\0'; command++) {
        size_t distance = text_distance(command->name, name, best);
        if (distance < best) {
            best = distance;
            nearest = command->name;
        }
    }
    return nearest;
}

static bool is_word(const char *word) {
    size_t where;
    return word[0] != '\0' && strpbrk(word, " \t") == NULL &&
           text_check(word, strlen(word), &where) == TEXT_FINE;
}

int ctl_command_request(const struct ctl_command *command, char *const *words, size_t word_count,
                        bool wait, char out[CTL_REQUEST_MAX_BYTES + 1], size_t *wrong) {
    size_t length = (size_t)text_format(out, CTL_REQUEST_MAX_BYTES + 1, "1 %s", command->name);
    for (size_t i = 0; i <= word_count; i++) {
        const char *word = i < word_count ? words[i] : wait ? "wait" : NULL;
        if (word == NULL) {
            break;
        }
        if (!is_word(word)) {
            *wrong = i;
            return BATON_INVALID;
        }
        length += (size_t)text_format(out + length, CTL_REQUEST_MAX_BYTES - length, " %s", word);
        if (length >= CTL_REQUEST_MAX_BYTES) {
            return BATON_TOO_LONG;
        }
    }
    out[length] = '\n';
    out[length + 1] = '\0';
    return BATON_OK;
}
