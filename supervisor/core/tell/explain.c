#include "core/tell/explain.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/base/words.h"
#include "core/door/access.h"
#include "core/door/sources.h"
#include "core/tell/filling.h"

#include <stdarg.h>
#include <string.h>

/* Where the words go. */
struct voice {
    text_emit *emit;
    void *context;
};

static void say(const struct voice *voice, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
static void say(const struct voice *voice, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    text_format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    voice->emit(voice->context, text);
}

static void say_words(const struct voice *voice, const char *const *words) {
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        say(voice, i > 0 ? " " : "");
        words_emit(voice->emit, voice->context, words[i]);
    }
}

bool explain_parse_client(const struct service *service, const char *text, struct address *out) {
    if (service->protocol != PROTOCOL_UNIX) {
        return address_parse_host(text, out);
    }
    *out = (struct address){.family = ADDRESS_UNIX, .has_uid = true};
    return strncmp(text, "uid:", 4) == 0 && text_parse_number(text + 4, &out->uid);
}

/* ---- Who ---- */

static bool say_access(const struct voice *voice, const struct service *service,
                       const struct access_decision *decision, const char *config_file) {
    bool is_allowed = decision->verdict == ACCESS_ALLOWED;
    bool has_listener = service->handoff == HANDOFF_LISTENER; /* nobody refuses there */
    char rule[512];
    say(voice, "%s by ", is_allowed ? "let in" : has_listener ? "not accepted" : "refused");
    switch (decision->reason) {
    case ACCESS_BY_RULE:
        say(voice, "%s",
            access_rule_print(service, &decision->rule, config_file, rule, sizeof rule));
        break;
    case ACCESS_BY_NO_RULE:
        say(voice, "`allow`, which has no rule about it");
        break;
    case ACCESS_BY_USER:
        say(voice, service->allow_gid_count == 0 ? "`allow_uid`"
                   : decision->verdict == ACCESS_ALLOWED
                       ? "`allow_uid` and `allow_gid`"
                       : "`allow_uid`, and by `allow_gid` unless it is in one of these groups");
        break;
    case ACCESS_BY_HOURS:
        say(voice, "`hours`, at this time of the day");
        break;
    case ACCESS_BY_NOTHING:
        say(voice,
            has_listener ? "the handler, which accepts by itself" : "default: no rule is about it");
        break;
    }
    say(voice, is_allowed || has_listener            ? "\n"
               : decision->verdict == ACCESS_REFUSED ? " (refused_access)\n"
                                                     : " (refused_hours)\n");
    return is_allowed;
}

/* ---- Within which limits, as whom, what ---- */

/* Whom the limits by source count it with. */
static void say_source(const struct voice *voice, const char *of,
                       const struct service_limits *limits, const struct address *client) {
    char host[ADDRESS_TEXT_SIZE];
    struct address source = source_of(client, limits->source_prefix_bits);
    if (limits->max_per_source_count + limits->rate_per_source.count == 0) {
        return;
    }
    say(voice, "its source in the limits of %s: ", of);
    if (client->family == ADDRESS_UNIX) {
        say(voice, "uid %lu\n", (unsigned long)client->uid);
    } else {
        say(voice, "%s/%u\n", address_print_host(&source, host, sizeof host),
            client->family == ADDRESS_IPV6 ? (unsigned)limits->source_prefix_bits : 32u);
    }
}

/* True if the service sets what it would inherit as `variable`. */
static bool is_set_by(const struct service *service, const char *variable) {
    size_t length = strcspn(variable, "=");
    bool is_set = false;
    for (size_t i = 0; i < service->environment_count; i++) {
        is_set = is_set || strncmp(service->environment[i], variable, length + 1) == 0;
    }
    for (size_t i = 0; i < service->variable_count; i++) {
        const char *name = service->variables[i];
        is_set = is_set || (strlen(name) == length && strncmp(name, variable, length) == 0);
    }
    return is_set;
}

/* `name` empty: `value` is all of it. */
static void say_variable(const struct voice *voice, const char *name, const char *value) {
    say(voice, "    %s%s", name, name[0] != '\0' ? "=" : "");
    words_emit(voice->emit, voice->context, value);
    say(voice, "\n");
}

static int say_program(const struct voice *voice, const struct service *service,
                       const struct address *client) {
    struct filling filling = {0};
    struct connection connection = {
        .id = 1, .peer = *client, .local = service->listen[0].address, .from_peer_count = 1};
    int result = filling_reserve(&filling, service);
    if (result != BATON_OK) {
        return result;
    }
    filling_make(&filling, service, &connection);
    say(voice, "arguments: ");
    say_words(voice, filling.argv != NULL ? filling.argv : (const char *const *)service->argv);
    say(voice, "\nenvironment (and what the hand-off adds):\n");
    for (size_t i = 0; i < service->inherited_count; i++) {
        if (!is_set_by(service, service->inherited[i])) {
            say_variable(voice, "", service->inherited[i]);
        }
    }
    for (size_t i = 0; i < service->environment_count; i++) {
        say_variable(voice, "", service->environment[i]);
    }
    for (size_t i = 0; i < service->variable_count; i++) {
        if (filling.values[i] != NULL) {
            say_variable(voice, service->variables[i], filling.values[i]);
        }
    }
    filling_clear(&filling);
    return BATON_OK;
}

int explain_print(const struct service_table *table, const struct service *service,
                  const struct address *client, unsigned local_minute, const char *config_file,
                  text_emit *emit, void *context) {
    const struct voice voice = {emit, context};
    struct access_decision decision;
    access_decide(service, client, false, local_minute, &decision);
    bool is_let_in = say_access(&voice, service, &decision, config_file);
    say_source(&voice, "the service", &service->limits, client);
    if (service->handoff != HANDOFF_LISTENER) { /* nobody counts whom the handler accepts */
        say_source(&voice, "all services", &table->options.limits, client);
    }
    say(&voice, "\n%s:%lu: ", service_file(service, service->line, config_file),
        (unsigned long)config_line_number(service->line));
    service_print(service, emit, context);
    service_print_options(&table->options, emit, context);
    say(&voice, "\n");
    return is_let_in ? say_program(&voice, service, client) : BATON_OK;
}
