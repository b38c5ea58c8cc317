/*
 * What batonctl can be told: its commands, and the request that one becomes.
 */
#ifndef BATON_CTL_COMMAND_H
#define BATON_CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With its line feed: what a request may have (CONTROL.md, "The request"). */
#define CTL_REQUEST_MAX_BYTES 1024u

#define CTL_PATIENCE_S 10u

struct ctl_command {
    char name[12];     /* as it is typed; of those for batond the verb of the request */
    const char *words; /* what stands behind it, for people */
    uint8_t least_count, most_count; /* of words */
    bool is_text;                    /* what it prints is for people alone; takes no --json */
    bool consults;                   /* reads a config by itself; takes --handlers */
    bool can_wait;                   /* takes --wait */
    bool follows;                    /* goes on until somebody ends it */
    uint8_t patience_s; /* how long the answer may take as a rule; 0 = CTL_PATIENCE_S */
};

/* The commands in the order of the help, the last with an empty name. */
extern const struct ctl_command ctl_commands[];

/* NULL if there is none of that name. */
const struct ctl_command *ctl_command_find(const char *name);

/* The name of the command that was perhaps meant; NULL if none is near. */
const char *ctl_command_nearest(const char *name);

/* Makes the request's line with its line feed and a NUL. BATON_OK; BATON_INVALID: a word is empty,
 * or has a blank, a control character or bytes that are no UTF-8, and *wrong is its index;
 * BATON_TOO_LONG.
 */
int ctl_command_request(const struct ctl_command *command, char *const *words, size_t word_count,
                        bool wait, char out[CTL_REQUEST_MAX_BYTES + 1], size_t *wrong);

#endif
