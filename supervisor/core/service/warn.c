/* What --check warns of: the config is valid, and perhaps not what was meant. */
#include "core/base/text.h"
#include "core/service/build.h"

#include <string.h>

enum doubt { DOUBT_OPEN, DOUBT_SCRIPT, DOUBT_SHELL, DOUBT_ROOT, DOUBT_LIMITS, DOUBTS_COUNT };

/* By enum doubt. */
static const char words[] =
    ": open at every address of this machine, and nothing says so; write an address before the "
    "port, "
    "or as `bind` (0.0.0.0 where all are meant), or who may come, as `allow`\0"
    ": the handler is a text without `#!`; begin it with `#!` (no byte-order mark before) and the "
    "path of its interpreter\0"
    ": no shell reads `handler`, so `|`, `>`, `;`, `$x`, `*` and their like are arguments as all "
    "others; give `/bin/sh -c \"...\"`, or put them into quotes if that is meant\0"
    ": what a client makes of the handler, he makes of this machine, as it runs as root; give it "
    "another `user`, with `capabilities` if it needs some, or `user = root` where that is meant\0"
    ": limits of [supervisor] do not hold for whom their handlers accept by themselves; leave "
    "`workers` out where its `rate` is to bound how often they are launched, or take `handoff = "
    "channel` (TCP)\0";

/* An address that is written is a word about it, 0.0.0.0 too. */
static bool is_open(const struct service *service) {
    return service->is_open_unsaid && service->access == NULL && service->proxy_protocol == 0;
}

/* Where the system takes programs of any format, this is no lack (lack.h). */
static bool is_plain_text(const struct service *service, const struct service_machine *machine) {
    uint8_t bytes[PROGRAM_HEAD_BYTES];
    struct program_head head;
    struct baton_cause cause;
    size_t length = 0;
    if (!BY_SYSTEM(true, machine->read_file != NULL) || service->identity.chroot != NULL ||
        strcmp(service->program, service->handler) != 0) {
        return false;
    }
    (void)machine->read_file(service->handler, bytes, sizeof bytes, &length, &cause);
    program_head_read(bytes, length, &head);
    bool is_text = head.kind == PROGRAM_OTHER && length > 0;
    for (size_t i = 0; i < length; i++) {
        is_text = is_text && bytes[i] >= '\t';
    }
    return is_text;
}

/* Of all together; a rate still bounds how often one that is no worker is launched. */
static bool escapes(const struct service *service, const struct service_limits *limits) {
    return service->handoff == HANDOFF_LISTENER &&
           ((limits->rate.count > 0 && service->workers_count > 0) ||
            limits->max_per_source_count > 0 || limits->rate_per_source.count > 0);
}

static bool has(enum doubt doubt, const struct service_table *table, const struct service *service,
                const struct service_machine *machine) {
    switch (doubt) {
    case DOUBT_OPEN:
        return is_open(service);
    case DOUBT_SCRIPT:
        return is_plain_text(service, machine);
    case DOUBT_SHELL:
        return service->has_shell_words;
    case DOUBT_LIMITS:
        return escapes(service, &table->options.limits);
    default:
        /* Without capabilities as well, as root's files are its own. */
        return service->user != NULL && service->identity.uid == 0 && !service->has_own_user;
    }
}

static size_t line_of(enum doubt doubt, const struct service *service) {
    return doubt == DOUBT_OPEN                             ? service->listen_line
           : doubt == DOUBT_SCRIPT || doubt == DOUBT_SHELL ? service->handler_line
                                                           : service->line;
}

#define NAMES_MAX_COUNT 8u

void service_print_name(const struct service *service, size_t *count, text_emit *emit,
                        void *context) {
    if (*count < NAMES_MAX_COUNT) {
        emit(context, *count > 0 ? ", " : "");
        emit(context, service->name);
    }
    ++*count;
}

void service_print_more(size_t count, text_emit *emit, void *context) {
    char text[32];
    if (count > NAMES_MAX_COUNT) {
        text_format(text, sizeof text, " and %lu more", (unsigned long)(count - NAMES_MAX_COUNT));
        emit(context, text);
    }
}

size_t service_table_warn(const struct service_table *table, const struct service_machine *machine,
                          text_emit *emit, void *context) {
    size_t count = 0;
    char at[64];
    if (table->needs_privileges) {
        emit(context, machine->config_file);
        emit(context, ": warning: this config takes privileges, and not everything can be checked "
                      "without them; check it as root, and start it so\n");
        count++;
    }
    if (table->warnings != NULL) {
        emit(context, table->warnings);
        for (const char *byte = table->warnings; *byte != '\0'; byte++) {
            count += *byte == '\n';
        }
    }
    for (unsigned doubt = 0; doubt < DOUBTS_COUNT; doubt++) {
        size_t named_count = 0;
        for (size_t i = 0; i < table->service_count; i++) {
            const struct service *service = &table->services[i];
            if (!has(doubt, table, service, machine)) {
                continue;
            }
            if (named_count == 0) {
                size_t line = line_of(doubt, service);
                text_format(at, sizeof at,
                            ":%lu: warning: ", (unsigned long)config_line_number(line));
                emit(context, service_file(service, line, machine->config_file));
                emit(context, at);
            }
            service_print_name(service, &named_count, emit, context);
        }
        if (named_count > 0) {
            service_print_more(named_count, emit, context);
            emit(context, text_nth(words, doubt));
            emit(context, "\n");
            count++;
        }
    }
    return count;
}
