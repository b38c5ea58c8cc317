/*
 * An xinetd.conf as blocks of attributes: what import_xinetd.c reads and import_xinetd_service.c
 * makes entries of.
 */
#ifndef BATON_IMPORT_XINETD_H
#define BATON_IMPORT_XINETD_H

#include "import/internal.h"

struct xinetd_attribute {
    struct xinetd_attribute *next;
    struct import_where where;
    const char *name;
    char operation; /* '=', '+' or '-' */
    struct import_words values;
    const char *text; /* the line, for messages */
};

struct xinetd_block {
    struct xinetd_block *next;
    struct import_where where;
    const char *name; /* of the service; NULL = defaults */
    struct xinetd_attribute *first, *last;
};

/* How an attribute is taken, and what is said of one that is not. */
enum xinetd_kind {
    XINETD_SINGLE,   /* carried; at most once, the first counts */
    XINETD_LIST,     /* carried; a set of values with =, += and -= */
    XINETD_LEFT_OUT, /* not carried */
    XINETD_RPC       /* of a service that is not carried anyway */
};

struct xinetd_known {
    const char *name;
    enum xinetd_kind kind;
    bool in_defaults; /* may stand there */
    bool restricts;   /* without it, more may connect than before */
    const char *cure; /* XINETD_LEFT_OUT: why and what to do */
};

/* The row for a name; NULL if xinetd has no such attribute. */
const struct xinetd_known *xinetd_find(const char *name);

/* Says what of `defaults` is not carried over. `defaults` may be empty. */
void xinetd_note_defaults(struct importer *importer, const struct xinetd_block *defaults);

/* Makes an entry of a service. */
void xinetd_add_service(struct importer *importer, const struct xinetd_block *defaults,
                        const struct xinetd_block *block);

#endif
