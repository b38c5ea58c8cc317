/*
 * What the parts of the import share. Each reader (inetd, xinetd) makes entries; import_finish()
 * makes them fit one another, and import_print() writes them.
 */
#ifndef BATON_IMPORT_INTERNAL_H
#define BATON_IMPORT_INTERNAL_H

#include "core/base/address.h"
#include "core/base/arena.h"
#include "core/service/key.h"
#include "core/service/service.h"
#include "import/import.h"

#define IMPORT_RATE_MAX_COUNT 1000000 /* of `rate` */

#if defined(__GNUC__)
#define IMPORT_PRINTF(text, arguments) __attribute__((format(printf, text, arguments)))
#else
#define IMPORT_PRINTF(text, arguments)
#endif

/* A place in a file, for comments and messages. */
struct import_where {
    const char *file;
    size_t line; /* from 1; 0 = the file as a whole */
};

/* Lines that are kept for later, in their order. */
struct import_lines {
    struct import_line *first, *last;
    size_t count;
};
struct import_line {
    struct import_line *next;
    const char *text;
    struct import_where where; /* the text begins with it, behind its kind */
    const char *words;         /* what follows in the text */
    bool is_remark;            /* what was carried over, and is not quite the same */
};

/* Words of one line. */
struct import_words {
    char **items; /* count texts */
    size_t count;
};

/* Which addresses a service without a host of its own listens at. */
enum import_family {
    IMPORT_IPV4,
    IMPORT_IPV6,      /* IPv6 only */
    IMPORT_DUAL,      /* both */
    IMPORT_IPV6_MAYBE /* inetd's tcp6: IPv6 only to some, both to others */
};

/* One place to listen at. */
struct import_place {
    const char *text;       /* as `listen` has it */
    struct address address; /* with its port, to see clashes; none of a local socket */
};

/* One service, on its way to a section. Texts live in the importer's arena. */
struct import_entry {
    struct import_where where;
    const char *label; /* what the file calls the service */
    const char *name;  /* the section's; import_finish() makes it valid and unique */
    bool dropped;      /* nothing but its comments is written */
    bool disabled;     /* enabled = no */
    bool was_off;      /* the old server did not serve it */
    enum service_protocol protocol;
    enum service_handoff handoff;
    enum import_family family;
    const char *port_text; /* a number or a name of services(5) */
    uint16_t port;
    struct import_place *places; /* place_count */
    size_t place_count, place_capacity;
    bool is_elsewhere;         /* at a host that is not known, too */
    const char *program;       /* absolute path, or the name of a handler of ours */
    struct import_words words; /* the arguments after argv[0] */
    const char *argv0;         /* NULL = as the program */
    struct import_words environment;
    const char *fact;     /* a variable whose value is a template; NULL = none */
    const char *identity; /* inetd: of two entries with the same, the last counts; NULL = none */
    uint32_t max_connections_count; /* 0 = not given */
    bool nodelay, keepalive;
    const char *receive_buffer, *send_buffer; /* numbers; NULL = not given */
    const char *mode, *owner;                 /* of a local socket; NULL = not given */
    const char *values[KEY_COUNT];            /* of other keys, as they are written; NULL = none */
    struct import_lines notes;
    /* Ready to be written, made by import_finish(). */
    const char *listen, *handler, *argv0_text, *environment_text;
};

enum import_format { IMPORT_INETD, IMPORT_XINETD };

struct importer {
    const struct import_machine *machine;
    const struct import_options *options;
    struct arena *arena;
    const char *path;
    enum import_format format;
    struct import_entry **entries; /* entry_count */
    size_t entry_count, entry_capacity;
    size_t note_count, file_count, bytes_count, depth_count;
    const char *open_files[IMPORT_DEPTH_MAX_COUNT]; /* depth_count: those that include the next */
    struct import_lines notes;                      /* of the file as a whole */
    struct import_lines faults; /* messages: any of them, and nothing is written */
    bool has_plain_protocol;    /* inetd: tcp or udp without 4 or 6 */
    bool has_torn_line;     /* the line that was read last has a fault, and is taken for empty */
    bool has_torn_hosts;    /* inetd: it may be one of addresses for those below */
    bool skips_folders;     /* import_open() is for a name of an includedir: no file, no fault */
    const char *wrapped_by; /* hosts.allow or hosts.deny, if it has a rule; else NULL */
};

/* ---- messages.c ---- */

/* Names of files may hold anything, and what was cut may end within a character: puts '?' for what
 * is no text. */
void import_make_plain(char *text);

/* Keeps a message: the whole import fails. */
void import_fault(struct importer *importer, struct import_where where, const char *format, ...)
    IMPORT_PRINTF(3, 4);

/* Keeps a comment, "not carried over: FILE:LINE: ...", or "note: ..." for what was carried over but
 * is not quite the same. */
void import_note(struct importer *importer, struct import_lines *notes, struct import_where where,
                 const char *format, ...) IMPORT_PRINTF(4, 5);
void import_remark(struct importer *importer, struct import_lines *notes, struct import_where where,
                   const char *format, ...) IMPORT_PRINTF(4, 5);

/* import_note(), and the entry is switched off until somebody has looked at it: what it says might
 * have kept clients out, or run its program as somebody else. */
void import_off(struct importer *importer, struct import_entry *entry, struct import_where where,
                const char *format, ...) IMPORT_PRINTF(4, 5);

/* The same for what the old server did not serve. */
void import_was_off(struct importer *importer, struct import_entry *entry,
                    struct import_where where, const char *format, ...) IMPORT_PRINTF(4, 5);

/* import_note() for an entry that cannot be a service. */
void import_drop(struct importer *importer, struct import_entry *entry, const char *format, ...)
    IMPORT_PRINTF(3, 4);

/* ---- files.c ---- */

/* Why a file or folder could not be read, and what would be right. */
const char *import_unread_words(int result, bool is_folder);

/* The lines of one file. */
struct import_file {
    const char *path;          /* as it was opened; where.file is for people */
    struct import_where where; /* of the line last read */
    const char *at, *end;
    bool is_marked;      /* begins with a byte order mark, which the old servers do not know */
    bool ends_in_return; /* the line last read ended with CR and LF */
};

/* Reads a file into the arena. False, and a fault at `from`, if that is not possible. */
bool import_open(struct importer *importer, struct import_where from, const char *path,
                 struct import_file *out);

/* The next line, NUL-terminated and without blanks at its end; "" for a comment and for one with a
 * fault, which is reported. NULL at the end of the file. */
char *import_next_line(struct importer *importer, struct import_file *file);

/* Splits at blanks alone; no character is special. */
struct import_words import_split(struct importer *importer, const char *text);

/* Appends a word; false when out of memory. */
bool import_words_add(struct importer *importer, struct import_words *words, const char *word);

/* ---- The readers ---- */

/* True if these are the fields of a service of an inetd.conf. */
bool import_is_inetd(const struct import_words *words);

void import_read_inetd(struct importer *importer, struct import_file *file);
void import_read_xinetd(struct importer *importer, struct import_file *file);
void import_read_xinetd_folder(struct importer *importer);

/* ---- entry.c, users.c: what both readers say of a service ---- */

/* A new entry; NULL when out of memory or there are too many, which is reported. */
struct import_entry *import_entry_add(struct importer *importer, struct import_where where,
                                      const char *label);

/* Takes a port number or a service's name; the entry is dropped if it is neither. */
bool import_entry_port(struct importer *importer, struct import_entry *entry, const char *text);

/* Adds an address to listen at, after the port: NULL or "*" for every one of the family. */
void import_entry_host(struct importer *importer, struct import_entry *entry, const char *host);

/* Makes the entry a service that the old server did itself: one of our handlers, or dropped. */
void import_entry_builtin(struct importer *importer, struct import_entry *entry, const char *name);

/* Which supplementary groups a program had. */
enum import_groups {
    IMPORT_GROUPS_NONE,
    IMPORT_GROUPS_OF_USER, /* those that the user is in, as initgroups(3) has it */
    IMPORT_GROUPS_AND_OWN  /* and the user's own, too, if `group` is another */
};

/* As whom a program ran. */
struct import_identity {
    const char *user;
    const char *group;  /* NULL = the user's own */
    bool takes_numbers; /* in the place of names, too */
    enum import_groups groups;
};

/* Says as whom the entry's program runs. Where the machine has no such user or group it is switched
 * off: the old server did not serve it. */
void import_entry_identity(struct importer *importer, struct import_entry *entry,
                           struct import_where where, const struct import_identity *identity);

/* True if the machine has a user of this name. */
bool import_knows_user(struct importer *importer, const char *name);

/* Switches a service off that hosts.allow and hosts.deny guard; tcpd asks them by itself. */
void import_entry_wrapped(struct importer *importer, struct import_entry *entry);

/* Gives a key a value, which need not live on. What is too long for a line switches the entry off.
 */
void import_entry_set(struct importer *importer, struct import_entry *entry, enum key_id id,
                      const char *value);

/* The same for a number, if the key can have it; else returns false, and why not. */
bool import_entry_set_number(struct importer *importer, struct import_entry *entry, enum key_id id,
                             const char *value, struct key_message *why);

/* So many launches or connections in a `unit` ("s", "min"), above which clients are refused. */
void import_entry_rate(struct importer *importer, struct import_entry *entry, uint32_t count,
                       const char *unit);

/* Takes the server's path, which must be absolute. */
bool import_entry_program(struct importer *importer, struct import_entry *entry,
                          const char *program);

/* ---- import_finish.c, import_print.c ---- */

/* A word as a value of INI holds it: words_split() reads it back as one, and no `;` or `#` in it
 * begins a comment. `braces`: each brace doubled, so that it is no template. NULL when out of
 * memory. */
const char *import_quote(struct importer *importer, const char *word, bool braces);

/* Gives every entry its texts and a name of its own, and drops what Baton would refuse. */
void import_finish(struct importer *importer);

void import_print(const struct importer *importer, text_emit *emit, void *context);

/* The keys of an entry that is not dropped, as its section has them, in their order. */
void import_give_settings(const struct import_entry *entry, import_give *give, void *context);

#endif
