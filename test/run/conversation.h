/* The conversations of test/golden/wire/conversations.txt, whose head explains them. */
#ifndef BATON_TEST_CONVERSATION_H
#define BATON_TEST_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONVERSATION_WORDS_MAX 12
#define CONVERSATION_STEPS_MAX 64
#define CONVERSATION_FRAME_BYTES 2048

struct conversation_step {
    unsigned line;
    char *words[CONVERSATION_WORDS_MAX]; /* the rest is NULL; quotes are taken off, escapes left */
    size_t word_count;
};

struct conversation {
    const char *name, *tests;
    const char *system; /* "" = everywhere */
    uint32_t reuse_count;
    bool needs_other; /* is for handlers that do not do something: needs !WORD */
    struct conversation_step steps[CONVERSATION_STEPS_MAX];
    size_t step_count;
};

/* Opens the file of the source tree. The test fails if it is not there. */
void conversations_open(void);
/* The next one; NULL behind the last. Lives until the next call. */
struct conversation *conversations_next(void);
void conversations_close(void);

/* Whether any of its steps has the word. */
bool conversation_has_word(const struct conversation *conversation, const char *word);

/* The bytes of a word "...". Returns how many. */
size_t conversation_text(const char *word, char *out, size_t size);

/* What who writes a frame knows. */
struct conversation_speaker {
    const uint8_t *nonce; /* of a handler */
    uint32_t pid;
    uint32_t number;              /* what the label of the connection is on this channel */
    const uint8_t *protocol_info; /* of what is offered on Windows; NULL = left out */
};

/* The frame of a step whose words from `first` on are FRAME, as a handler writes it, or a
 * supervisor. Returns its length. The test fails where a word is not known. */
size_t conversation_frame(const struct conversation_step *step, size_t first,
                          const struct conversation_speaker *speaker,
                          uint8_t out[CONVERSATION_FRAME_BYTES]);

/* The label behind the name of a FRAME, 0 if there is none. */
uint32_t conversation_label(const struct conversation_step *step, size_t first);
/* The type of a FRAME by its name. */
uint8_t conversation_type(const char *name);

#endif
