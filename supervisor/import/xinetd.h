/*
 * An xinetd.conf as blocks of attributes: what xinetd.c reads and xinetd_service.c makes entries
 * of.
 *
 * What xinetd does with each line was found out by running it (Debian's 2.3.15.3): words of its own
 * are compared without regard to case, an attribute that it does not know or that has the wrong
 * number of values is passed over, a value that it cannot read switches the service off, and one of
 * `defaults` makes it end.
 */
#ifndef BATON_IMPORT_XINETD_H
#define BATON_IMPORT_XINETD_H

#include "import/internal.h"

struct xinetd_attribute {
    struct xinetd_attribute *next;
    struct import_where where;
    const struct xinetd_known *known; /* NULL = xinetd has no such attribute */
    bool is_taken;                    /* xinetd heeds it */
    bool is_refused;                  /* xinetd switches the service off for it */
    const char *why;                  /* it is not taken */
    size_t order;                     /* rises over all files, with that of blocks */
    char operation;                   /* '=', '+' or '-' */
    struct import_words values;
    const char *text; /* the line, for messages */
};

struct xinetd_block {
    struct xinetd_block *next;
    struct import_where where;
    size_t order;
    const char *name; /* of the service; NULL = defaults */
    struct xinetd_attribute *first, *last;
    const char *fault; /* why xinetd leaves all of it out; NULL = it does not */
    struct import_where fault_where;
};

/* How xinetd takes an attribute. */
enum xinetd_kind {
    XINETD_SINGLE, /* at most once, with `=` alone */
    XINETD_LIST,   /* a set of values, with =, += and -= */
};

/* What values it may have. */
enum xinetd_values {
    XINETD_ANY,
    XINETD_YES_NO,
    XINETD_COUNT, /* a number from 0, or UNLIMITED */
    XINETD_NUMBER,
    XINETD_OCTAL,
    XINETD_LOAD,
    XINETD_TIME,  /* a number, FOREVER or NEVER */
    XINETD_SIZE,  /* a number with k or m behind it, or UNLIMITED */
    XINETD_LIMIT, /* a number, or UNLIMITED */
    XINETD_RATE,
    XINETD_WORDS, /* those of `words` */
    XINETD_LOG,
    XINETD_SOME,     /* anything, but at least one word */
    XINETD_SETTINGS, /* NAME=VALUE */
    XINETD_ADDRESSES,
    XINETD_TIMES
};

struct xinetd_known {
    const char *name;
    enum xinetd_kind kind;
    signed char value_count; /* -1 = any */
    bool in_defaults;        /* may stand there */
    bool restricts; /* without it more may connect, a service may be on, or another user runs it */
    enum xinetd_values values;
    const char *words; /* XINETD_WORDS: separated and surrounded by blanks */
    const char *cure;  /* not carried over: why and what to do; NULL = carried */
};

/* The row for a name; NULL if xinetd has no such attribute. */
const struct xinetd_known *xinetd_find(const char *name);

/* What is wrong with the values, if xinetd refuses them; else NULL. */
const char *xinetd_refuses(const struct xinetd_attribute *attribute);

/* True if a list of words surrounded by blanks has this one, without regard to case. */
bool xinetd_lists(const char *words, const char *word);

/* The first of a block that xinetd heeds; NULL if there is none. */
const struct xinetd_attribute *xinetd_find_in(const struct xinetd_block *block, const char *name);

/* Takes an attribute in force; `replaces`: what came before is not. */
typedef void xinetd_visit(void *context, const struct xinetd_attribute *attribute, bool replaces);

/* Calls `visit` for each that makes a list, for a service: those of `defaults` above it, and then
 * its own. */
void xinetd_each(const struct xinetd_block *defaults, const struct xinetd_block *block,
                 const char *name, xinetd_visit *visit, void *context);

/* The values in force of a list, for a service: those of `defaults` above it, and what the service
 * makes of them. `last` becomes the last attribute that had a part in it, if there is one. */
void xinetd_collect(struct importer *importer, const struct xinetd_block *defaults,
                    const struct xinetd_block *block, const char *name, struct import_words *out,
                    const struct xinetd_attribute **last);

/* What all services share. */
struct xinetd_config {
    struct importer *importer;
    struct xinetd_block defaults; /* of all files together */
    bool is_dead;                 /* xinetd ends: one of `defaults` has a value that it refuses */
    bool are_unseen;              /* there are defaults, but nobody has seen them */
    const char *seen_path, *seen_why;  /* an xinetd.conf that they are not from; NULL = none */
    const struct xinetd_block *sensor; /* one whose visitors are kept out of all; NULL = none */
};

/* Decides what of `defaults` xinetd heeds, and says what is not carried over. */
void xinetd_note_defaults(struct xinetd_config *config);

/* Makes an entry of a service. */
void xinetd_add_service(struct xinetd_config *config, struct xinetd_block *block);

/* The reader under way. */
struct xinetd {
    struct importer *importer;
    struct xinetd_config config;
    struct xinetd_block *first, *last;
    struct xinetd_block *frame_first; /* services of another file that has the defaults */
    size_t order;                     /* of the next attribute or block */
    bool has_frame;                   /* a file said `defaults`, `include` or `includedir` */
    const char *wanted; /* the name of an includedir that is looked for, "" = any; NULL = none */
    bool has_wanted;    /* it was there */
};

/* Reads a file, or a folder as an includedir, and all that it includes. */
void xinetd_read_file(struct xinetd *xinetd, struct import_file *file);
void xinetd_read_folder(struct xinetd *xinetd, struct import_where from, const char *path);

/* True for a name that an includedir does not pass over. */
bool xinetd_is_included(const char *name);

/* Decides which attributes of a service xinetd heeds. */
void xinetd_heed(struct xinetd_block *block);

/* A service under way. */
struct xinetd_reading {
    struct importer *importer;
    const struct xinetd_config *config;
    struct xinetd_block *block;
    struct import_entry *entry;
    bool is_internal, is_listed;
    bool takes_name; /* NAMEINARGS */
    bool is_guarded; /* hosts.allow is asked */
    bool has_ipv4_flag, has_ipv6_flag;
    bool at_loopback4, at_loopback6; /* its clients are on this machine alone */
};

/* The service's own attribute, or that of defaults where one may stand there. */
const struct xinetd_attribute *xinetd_get(const struct xinetd_reading *reading, const char *name);

/* The one word of an attribute; NULL if it is not given. */
const char *xinetd_word(const struct xinetd_reading *reading, const char *name);

/* Says what of the block xinetd does not heed, or does not forgive. */
void xinetd_note_faults(struct xinetd_reading *reading);

/* Says what stands in the block and is not looked at further on. */
void xinetd_note_cures(struct xinetd_reading *reading);

/* Who may connect, and when. What of it cannot be said exactly switches the service off. After the
 * flags. */
void xinetd_read_rules(struct xinetd_reading *reading);

#define XINETD_TIMES_MAX_COUNT 64

/* True if the words are ranges of times, as xinetd takes them. Writes them to `out`, as `hours` has
 * them, if it is not NULL; it has room for XINETD_TIMES_MAX_COUNT times 16 bytes. */
bool xinetd_read_times(const struct import_words *words, char *out);

/* How many may come, how fast, and what they are told. After the server. */
void xinetd_read_limits(struct xinetd_reading *reading);

/* Says how a rate differs from xinetd's; `waits`: of a service that gets its listener. */
void xinetd_remark_rate(struct importer *importer, struct import_lines *notes,
                        const struct xinetd_attribute *cps, bool waits);

/* Blocks of addresses, each once. */
struct xinetd_blocks {
    struct address_block *items; /* count */
    size_t count, capacity;
    bool is_ipv4; /* for a socket for IPv4 alone, which sees nothing of IPv6 */
};

/* Adds what a word of only_from or no_access means; false if that is not understood. */
bool xinetd_add_word(struct importer *importer, struct xinetd_blocks *blocks, const char *word);

/* Takes away all that are equal to one of `what`. */
void xinetd_remove_blocks(struct xinetd_blocks *from, const struct xinetd_blocks *what);

/* True if all of `narrow` is in `wide`. */
bool xinetd_block_has(const struct address_block *wide, const struct address_block *narrow);

#endif
