/* The attributes of xinetd.conf(5), what becomes of each, and what values xinetd takes. */
#include "import/xinetd.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_CURE "there is no key for this limit; begin `handler` with prlimit(1)"
#define LOG_CURE                                                                                   \
    "every connection has one record in batond's log with peer, pid, outcome and duration; see "   \
    "`log` in [supervisor]"
#define BANNER_CURE "no texts are sent to clients who are let in; let the handler send it"
#define RPC_CURE "only services of Sun RPC have it"

#define SINGLE XINETD_SINGLE
#define LIST XINETD_LIST

/* name, kind, values, in defaults, restricts, which values, words, cure */
static const struct xinetd_known attributes[] = {
    {"id", SINGLE, 1, false, false, XINETD_ANY, NULL, NULL},
    {"type", SINGLE, -1, false, true, XINETD_WORDS, " RPC INTERNAL UNLISTED TCPMUX TCPMUXPLUS ",
     NULL},
    {"flags", SINGLE, -1, false, true, XINETD_WORDS,
     " REUSE INTERCEPT NORETRY IDONLY NAMEINARGS NODELAY KEEPALIVE NOLIBWRAP SENSOR IPv4 IPv6 "
     "LABELED ",
     NULL},
    {"disable", SINGLE, 1, false, true, XINETD_YES_NO, NULL, NULL},
    {"socket_type", SINGLE, 1, false, false, XINETD_WORDS, " stream dgram raw seqpacket ", NULL},
    {"protocol", SINGLE, 1, false, false, XINETD_WORDS, " tcp udp ", NULL},
    {"wait", SINGLE, 1, false, false, XINETD_YES_NO, NULL, NULL},
    {"user", SINGLE, 1, false, true, XINETD_ANY, NULL, NULL},
    {"group", SINGLE, 1, false, true, XINETD_ANY, NULL, NULL},
    {"server", SINGLE, 1, false, true, XINETD_ANY, NULL, NULL},
    {"server_args", SINGLE, -1, false, false, XINETD_SOME, NULL, NULL},
    {"port", SINGLE, 1, false, false, XINETD_NUMBER, NULL, NULL},
    {"redirect", SINGLE, 2, false, true, XINETD_ANY, NULL, NULL},
    {"bind", SINGLE, 1, true, true, XINETD_ANY, NULL, NULL}, /* and `interface` */
    {"v6only", SINGLE, 1, true, true, XINETD_YES_NO, NULL, NULL},
    {"instances", SINGLE, 1, true, false, XINETD_COUNT, NULL, NULL},
    {"env", LIST, -1, false, false, XINETD_SETTINGS, NULL, NULL},
    {"enabled", LIST, -1, true, true, XINETD_ANY, NULL, NULL},
    {"disabled", LIST, -1, true, true, XINETD_ANY, NULL, NULL},
    {"only_from", LIST, -1, true, true, XINETD_ADDRESSES, NULL, NULL},
    {"no_access", LIST, -1, true, true, XINETD_ADDRESSES, NULL, NULL},
    {"access_times", SINGLE, -1, false, true, XINETD_TIMES, NULL, NULL},
    {"per_source", SINGLE, 1, true, false, XINETD_COUNT, NULL, NULL},
    {"cps", SINGLE, 2, true, false, XINETD_RATE, NULL, NULL},
    {"leaky_bucket", SINGLE, 4, true, false, XINETD_ANY, NULL, "see `rate`"},
    {"max_load", SINGLE, 1, true, false, XINETD_LOAD, NULL,
     "the machine's load is not looked at; `max_connections` bounds how many live at once"},
    {"nice", SINGLE, 1, false, false, XINETD_NUMBER, NULL, NULL},
    {"umask", SINGLE, 1, true, false, XINETD_OCTAL, NULL, NULL},
    {"groups", SINGLE, 1, true, false, XINETD_YES_NO, NULL, NULL},
    {"passenv", LIST, -1, true, false, XINETD_ANY, NULL, NULL},
    {"log_type", SINGLE, -1, true, false, XINETD_LOG, NULL, LOG_CURE},
    {"log_on_success", LIST, -1, true, false, XINETD_WORDS,
     " PID HOST USERID EXIT DURATION TRAFFIC ", LOG_CURE},
    {"log_on_failure", LIST, -1, true, false, XINETD_WORDS, " HOST USERID ATTEMPT ", LOG_CURE},
    {"banner", SINGLE, 1, true, false, XINETD_ANY, NULL, BANNER_CURE},
    {"banner_success", SINGLE, 1, true, false, XINETD_ANY, NULL, BANNER_CURE},
    {"banner_fail", SINGLE, 1, true, false, XINETD_ANY, NULL, NULL},
    {"deny_time", SINGLE, 1, false, false, XINETD_TIME, NULL, "there are no sensors"},
    {"mdns", SINGLE, 1, true, false, XINETD_ANY, NULL,
     "services are not announced; let the system's mDNS daemon do that"},
    {"libwrap", SINGLE, 1, false, false, XINETD_ANY, NULL,
     "hosts.allow is not asked; name the server through tcpd to have that"},
    {"rlimit_as", SINGLE, 1, false, false, XINETD_SIZE, NULL, NULL},
    {"rlimit_cpu", SINGLE, 1, false, false, XINETD_LIMIT, NULL, NULL},
    {"rlimit_data", SINGLE, 1, false, false, XINETD_SIZE, NULL, LIMIT_CURE},
    {"rlimit_files", SINGLE, 1, false, false, XINETD_SIZE, NULL, NULL},
    {"rlimit_rss", SINGLE, 1, false, false, XINETD_SIZE, NULL, LIMIT_CURE},
    {"rlimit_stack", SINGLE, 1, false, false, XINETD_SIZE, NULL, LIMIT_CURE},
    {"rpc_version", SINGLE, 1, false, false, XINETD_ANY, NULL, RPC_CURE},
    {"rpc_number", SINGLE, 1, false, false, XINETD_NUMBER, NULL, RPC_CURE},
};

const struct xinetd_known *xinetd_find(const char *name) {
    if (text_equal_nocase(name, "interface")) {
        name = "bind"; /* xinetd takes either for the other */
    }
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (text_equal_nocase(attributes[i].name, name)) {
            return &attributes[i];
        }
    }
    return NULL;
}

bool xinetd_lists(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *at = words; length > 0 && (at = strchr(at, ' ')) != NULL; at++) {
        if (text_equal_start(at + 1, word, length, true) && at[1 + length] == ' ') {
            return true;
        }
    }
    return false;
}

/* As strtol has it: a sign may stand before it. `end` becomes what stands behind the digits. */
static bool is_number(const char *word, const char *digits, const char **end) {
    const char *at = word + (word[0] == '-' || word[0] == '+');
    size_t length = strspn(at, digits);
    *end = at + length;
    return length > 0 && length < 10;
}

/* A number, with a unit behind it. */
static bool is_size(const char *word, const char *units) {
    const char *end = word;
    return is_number(word, "0123456789", &end) &&
           (*end == '\0' || (strchr(units, *end) != NULL && end[1] == '\0'));
}

static bool is_limit(const char *word, const char *units) {
    return text_equal_nocase(word, "UNLIMITED") || is_size(word, units);
}

/* What is_size() has found. */
static double bytes_of(const char *word) {
    char *end = NULL;
    double number = strtod(word, &end);
    return number * (*end == 'k' || *end == 'K' ? 1024 : *end == 'm' || *end == 'M' ? 1048576 : 1);
}

static bool is_log(const struct import_words *values) {
    static const char facilities[] = " daemon auth authpriv user mail lpr news uucp ftp local0 "
                                     "local1 local2 local3 local4 local5 local6 local7 ";
    static const char levels[] = " emerg alert crit err warning notice info debug ";
    const char *kind = values->count > 1 ? values->items[0] : "";
    if (text_equal_nocase(kind, "SYSLOG")) {
        return values->count <= 3 && xinetd_lists(facilities, values->items[1]) &&
               (values->count < 3 || xinetd_lists(levels, values->items[2]));
    }
    if (!text_equal_nocase(kind, "FILE") || values->count > 4) {
        return false;
    }
    for (size_t i = 2; i < values->count; i++) {
        if (!is_size(values->items[i], "kKmM")) {
            return false;
        }
    }
    return values->count < 4 || bytes_of(values->items[2]) <= bytes_of(values->items[3]);
}

static bool is_setting(const struct xinetd_attribute *attribute) {
    for (size_t i = 0; i < attribute->values.count; i++) {
        if (strchr(attribute->values.items[i], '=') == NULL) {
            return false;
        }
    }
    return attribute->operation != '-';
}

static bool are_known(const struct xinetd_attribute *attribute) {
    const struct import_words *values = &attribute->values;
    for (size_t i = 0; i < values->count; i++) {
        if (!xinetd_lists(attribute->known->words, values->items[i])) {
            return false;
        }
    }
    return values->count > 0 || attribute->known->kind == XINETD_LIST;
}

/* An address that xinetd takes for an attempt at 192.0.2.{1,2}, or at several with commas, and
 * cannot read. */
static bool is_torn(const char *word) {
    const char *brace = strchr(word, '{');
    if (brace == NULL) {
        return strchr(word, ',') != NULL;
    }
    if (word + strspn(word, "0123456789.") != brace) {
        return false; /* it looks further, for a name */
    }
    bool is_empty = word[0] == '.' || strstr(word, "..") != NULL;
    const char *at = brace;
    while (!is_empty && *at != '}' && *at != '\0') {
        size_t digit_count = strspn(at + 1, "0123456789");
        is_empty = digit_count == 0;
        at += 1 + digit_count;
        is_empty = is_empty || (*at != ',' && *at != '}');
    }
    return is_empty || strcmp(at, "}") != 0;
}

static bool are_torn(const struct import_words *values) {
    for (size_t i = 0; i < values->count; i++) {
        if (is_torn(values->items[i])) {
            return true;
        }
    }
    return false;
}

const char *xinetd_refuses(const struct xinetd_attribute *attribute) {
    const struct import_words *values = &attribute->values;
    const char *word = values->count > 0 ? values->items[0] : "";
    const char *end = word;
    switch (attribute->known->values) {
    case XINETD_YES_NO:
        return xinetd_lists(" yes no ", word) ? NULL : "xinetd takes yes or no";
    case XINETD_COUNT:
        return word[0] != '-' && is_limit(word, "") ? NULL : "xinetd takes a number or UNLIMITED";
    case XINETD_NUMBER:
        return is_number(word, "0123456789", &end) && *end == '\0' ? NULL : "xinetd takes a number";
    case XINETD_OCTAL:
        return is_number(word, "01234567", &end) && *end == '\0' && word[0] != '-' &&
                       strtoul(word, NULL, 8) <= 0777
                   ? NULL
                   : "xinetd takes an octal number up to 0777";
    case XINETD_LOAD:
        return strtod(word, NULL) != 0 ? NULL : "xinetd takes a number but 0";
    case XINETD_TIME:
        return xinetd_lists(" FOREVER NEVER ", word) ||
                       (is_number(word, "0123456789", &end) && *end == '\0')
                   ? NULL
                   : "xinetd takes a number, FOREVER or NEVER";
    case XINETD_SIZE:
    case XINETD_LIMIT:
        return is_limit(word, attribute->known->values == XINETD_SIZE ? "kKmM" : "")
                   ? NULL
                   : "xinetd takes a limit or UNLIMITED";
    case XINETD_RATE:
        return values->count == 2 && is_size(word, "") && is_size(values->items[1], "")
                   ? NULL
                   : "xinetd takes two numbers";
    case XINETD_WORDS:
        return are_known(attribute) ? NULL : "xinetd has no such word for it";
    case XINETD_LOG:
        return is_log(values) ? NULL : "xinetd takes FILE or SYSLOG, and what belongs to it";
    case XINETD_SOME:
        return values->count > 0 ? NULL : "xinetd wants a value";
    case XINETD_SETTINGS:
        return is_setting(attribute) ? NULL : "xinetd takes NAME=VALUE, with = or +=";
    case XINETD_ADDRESSES:
        return are_torn(values) ? "xinetd takes blanks between addresses, or 192.0.2.{1,2}" : NULL;
    case XINETD_TIMES:
        return xinetd_read_times(values, NULL)
                   ? NULL
                   : "xinetd takes HH:MM-HH:MM, each from an earlier time to a later one";
    case XINETD_ANY:
        break;
    }
    return NULL;
}

const struct xinetd_attribute *xinetd_find_in(const struct xinetd_block *block, const char *name) {
    const struct xinetd_attribute *attribute = block->first;
    while (attribute != NULL &&
           (!attribute->is_taken || strcmp(attribute->known->name, name) != 0)) {
        attribute = attribute->next;
    }
    return attribute;
}

static void remove_word(struct import_words *words, const char *word) {
    size_t kept_count = 0;
    for (size_t i = 0; i < words->count; i++) {
        if (!text_equal_nocase(words->items[i], word)) {
            words->items[kept_count++] = words->items[i];
        }
    }
    words->count = kept_count;
}

void xinetd_each(const struct xinetd_block *defaults, const struct xinetd_block *block,
                 const char *name, xinetd_visit *visit, void *context) {
    const struct xinetd_block *blocks[] = {defaults, block};
    for (size_t b = 0; b < 2; b++) {
        for (const struct xinetd_attribute *at = blocks[b]->first; at != NULL; at = at->next) {
            if (at->is_taken && strcmp(at->known->name, name) == 0 &&
                (b == 1 || at->order < block->order)) {
                visit(context, at, b == 1 && at->operation == '=');
            }
        }
    }
}

/* Words being collected. */
struct collecting {
    struct importer *importer;
    struct import_words *out;
    const struct xinetd_attribute **last;
};

static void collect(void *context, const struct xinetd_attribute *attribute, bool replaces) {
    struct collecting *collecting = context;
    if (replaces) {
        *collecting->out = (struct import_words){0};
    }
    *collecting->last = attribute;
    for (size_t i = 0; i < attribute->values.count; i++) {
        if (attribute->operation == '-') {
            remove_word(collecting->out, attribute->values.items[i]);
        } else {
            (void)import_words_add(collecting->importer, collecting->out,
                                   attribute->values.items[i]);
        }
    }
}

void xinetd_collect(struct importer *importer, const struct xinetd_block *defaults,
                    const struct xinetd_block *block, const char *name, struct import_words *out,
                    const struct xinetd_attribute **last) {
    struct collecting collecting = {importer, out, last};
    xinetd_each(defaults, block, name, collect, &collecting);
}

const struct xinetd_attribute *xinetd_get(const struct xinetd_reading *reading, const char *name) {
    const struct xinetd_attribute *own = xinetd_find_in(reading->block, name);
    return own == NULL && xinetd_find(name)->in_defaults
               ? xinetd_find_in(&reading->config->defaults, name)
               : own;
}

const char *xinetd_word(const struct xinetd_reading *reading, const char *name) {
    const struct xinetd_attribute *attribute = xinetd_get(reading, name);
    return attribute == NULL || attribute->values.count == 0 ? NULL : attribute->values.items[0];
}
