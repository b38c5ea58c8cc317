/* What a handler finds in its environment and its arguments: what is the same for every launch, and
 * what core/tell/filling.h fills in. */
#include "core/base/words.h"
#include "core/service/build.h"
#include "core/service/facts.h"
#include "core/service/template.h"

#include <string.h>

static const char *value_of(const char *variable) {
    return strchr(variable, '=') + 1;
}

static bool is_called(const struct service_machine *machine, const char *variable, const char *name,
                      size_t length) {
    return service_on_windows(machine)
               ? machine->is_variable(variable, name, length)
               : text_equal_start(variable, name, length, false) && variable[length] == '=';
}

/* True if NAME=VALUE has a name, as the system wants it. Windows forbids only `=`, with which the
 * names begin that it has for the current folder of each drive. */
static bool has_name(const struct service_builder *builder, const char *word) {
    size_t length = strcspn(word, "=");
    bool is_named = length > 0 && word[length] == '=';
    if (service_on_windows(builder->machine)) {
        return is_named;
    }
    for (size_t i = 0; i < length; i++) {
        is_named = is_named && text_is_name_char(word[i]);
    }
    return is_named && (word[0] < '0' || word[0] > '9');
}

/* Checks one NAME=VALUE against those before it. Returns what is wrong, or NULL. */
static const char *check_variable(const struct service_builder *builder, char *const *words,
                                  size_t index) {
    static const char reserved[][16] = {"LISTEN_FDS=", "LISTEN_FDNAMES=", "LISTEN_PID="};
    const char *word = words[index];
    if (!has_name(builder, word)) {
        return service_on_windows(builder->machine)
                   ? "is not NAME=VALUE; give a name before the `=` (what has blanks goes into "
                     "quotes)"
                   : "is not NAME=VALUE; a name has letters, digits and `_`, and does not begin "
                     "with a digit (a value with blanks goes into quotes)";
    }
    if (text_equal_start(word, "BATON_", 6, true)) {
        return "is reserved; choose a name that does not begin with BATON_";
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (text_equal_start(word, reserved[i], strlen(reserved[i]), true)) {
            return "is reserved for the handing over of listeners; choose another name";
        }
    }
    for (size_t i = 0; i < index; i++) {
        if (is_called(builder->machine, words[i], word, strcspn(word, "="))) {
            return "stands twice; leave one of them out";
        }
    }
    return NULL;
}

/* In [defaults], whose `mode` is 0, a template may speak of the peer; each service looks again. */
static bool knows_peer(unsigned mode) {
    return (mode & (KEY_MODE_LISTENER | KEY_MODE_UDP)) == 0;
}

void service_read_environment(struct service_builder *builder, const struct config_setting *setting,
                              struct service_values *values) {
    char **words = NULL;
    size_t count = 0;
    const char *fault = words_split(builder->arena, setting->value, &words, &count);
    if (fault != NULL) {
        service_report(builder, setting, "%s", fault);
    }
    for (size_t i = 0; i < count && words != NULL; i++) {
        fault = check_variable(builder, words, i);
        if (fault != NULL) {
            service_report_value(builder, setting, words[i], " %s", fault);
            continue;
        }
        fault = template_check(value_of(words[i]), knows_peer(values->mode));
        if (fault != NULL) {
            service_report_value(builder, setting, words[i], ": %s", fault);
        }
    }
    values->environment = words;
    values->environment_count = words == NULL ? 0 : count;
}

bool service_is_variable(const struct service_machine *machine, const char *variable,
                         const char *name) {
    return is_called(machine, variable, name, strlen(name));
}

/* True if the config itself sets it. */
static bool is_set(const struct service_builder *builder, const struct service_values *values,
                   const char *name) {
    bool found = false;
    for (size_t i = 0; i < values->environment_count; i++) {
        found = found || service_is_variable(builder->machine, values->environment[i], name);
    }
    return found;
}

/* The facts that the service's mode knows, but for those that the config itself sets. */
static void add_facts(struct service_builder *builder, const struct service_values *values,
                      struct service *service) {
    enum fact_context context =
        fact_context_of(service->protocol, service->handoff, service_serves_many(service));
    const struct fact_variable *next = fact_variables;
    while ((next = fact_variable_next(next, context)) != NULL) {
        if (!is_set(builder, values, next->name)) {
            service->variables[service->variable_count] = next->name;
            service->variable_templates[service->variable_count++] = next->template;
        }
        next++;
    }
}

/* Adds a variable of the config to those that are the same for every launch, or to the others. */
static void add_variable(struct service_builder *builder, char *variable, struct service *service) {
    const char *value = value_of(variable);
    if (template_is_one(value)) {
        service->variables[service->variable_count] =
            arena_copy(builder->arena, variable, (size_t)(value - variable) - 1);
        service->variable_templates[service->variable_count++] = value;
    } else {
        service->environment[service->environment_count++] = variable;
    }
}

static void add_fixed(struct service_builder *builder, struct service *service, const char *name,
                      const char *value) {
    char *variable = arena_join(builder->arena, name, value, "");
    if (variable != NULL) {
        service->environment[service->environment_count++] = variable;
    }
}

static void add_number(struct service_builder *builder, struct service *service, const char *name,
                       uint32_t number) {
    char digits[FACT_U32_DIGITS + 1];
    *text_put_number(digits, number, 10) = '\0';
    add_fixed(builder, service, name, digits);
}

#define HANDOFF_MOST_COUNT 6 /* of what add_handoff() adds */

/* How it gets its clients, and for what it has how long: the same for every launch, and the
 * config cannot set it (handlers/PROTOCOL.md). */
static void add_handoff(struct service_builder *builder, struct service *service) {
    char word[32];
    add_fixed(builder, service, "BATON_HANDOFF=",
              key_print_value(&key_table[KEY_HANDOFF], service->handoff, word, sizeof word));
    add_number(builder, service, "BATON_STOP_MS=", service->stop_timeout_ms);
    if (service->workers_count > 0) {
        add_number(builder, service, "BATON_WORKERS=", service->workers_count);
    }
    if (service->has_channel) {
        add_number(builder, service, "BATON_HANDSHAKE_MS=", service->handshake_timeout_ms);
        add_number(builder, service, "BATON_REUSE=", service_reuse(service));
        add_fixed(builder, service,
                  "BATON_FACTS=", service_serves_many(service) ? "offer" : "environment");
    }
}

/* [defaults] may have said what this service cannot fill in. */
static void check_peer(struct service_builder *builder, const struct service_values *values,
                       const char *value) {
    const struct config_setting *setting = values->given[KEY_ENVIRONMENT];
    bool is_own = setting == values->own[KEY_ENVIRONMENT];
    if (!is_own && !builder->reported_peer && template_check(value, true) == NULL &&
        template_check(value, false) != NULL) {
        service_report_value(
            builder, setting, value,
            " cannot be filled in where a listener is handed over; give the "
            "services with `handoff = listener` or `protocol = udp` an `environment` "
            "of their own");
        builder->reported_peer = true;
    }
}

void service_fill_variables(struct service_builder *builder, const struct service_values *values,
                            struct service *service) {
    size_t count = values->environment_count + HANDOFF_MOST_COUNT;
    for (const struct fact_variable *fact = fact_variables; fact->name[0] != '\0'; fact++) {
        count++;
    }
    service->environment = arena_alloc(builder->arena, (count + 1) * sizeof(char *));
    service->variables = arena_alloc(builder->arena, (count + 1) * sizeof(char *));
    service->variable_templates = arena_alloc(builder->arena, (count + 1) * sizeof(char *));
    if (service->environment == NULL || service->variables == NULL ||
        service->variable_templates == NULL) {
        service->environment = NULL;
        service->variables = NULL;
        return;
    }
    add_facts(builder, values, service);
    for (size_t i = 0; i < values->environment_count; i++) {
        if (strchr(values->environment[i], '=') == NULL) {
            continue; /* reported */
        }
        if (!knows_peer(values->mode)) {
            check_peer(builder, values, value_of(values->environment[i]));
        }
        add_variable(builder, values->environment[i], service);
    }
    add_handoff(builder, service);
}

/* ---- Arguments ---- */

char *service_escape(struct service_builder *builder, const char *text) {
    char *escaped = arena_alloc(builder->arena, 2 * strlen(text) + 1);
    char *out = escaped;
    for (; escaped != NULL && *text != '\0'; text++) {
        if (*text == '{' || *text == '}') {
            *out++ = *text;
        }
        *out++ = *text;
    }
    return escaped;
}

/* The first fact of a template that is not known when a process is launched which serves many; its
 * length with the braces, 0 = there is none. */
static int find_unknown(const struct service *service, const char *template, const char **bytes) {
    bool is_asked = service_serves_many(service) && service->listen_count > 0;
    struct template_piece piece = {.kind = TEMPLATE_TEXT};
    while (is_asked && piece.kind != TEMPLATE_END) {
        piece = template_next(&template);
        if (piece.kind == TEMPLATE_FACT && !fact_is_of_service(piece.fact, service)) {
            *bytes = piece.bytes;
            return (int)(template - piece.bytes);
        }
    }
    return 0;
}

static void report_unknown(struct service_builder *builder, const struct config_setting *setting,
                           const char *text, const char *fact, int length,
                           const struct service *service) {
    bool is_reused = service->reuse_count != 1;
    service_report_value(
        builder, setting, text,
        ": %.*s is not known when a process is launched that is not for one connection (%s); leave "
        "it to the OFFER, where the handler finds it, or %s",
        length, fact, is_reused ? "`reuse` other than 1" : "`spares`",
        setting == builder->defaults.given[KEY_ENVIRONMENT]
            ? "give such services an `environment` of their own"
        : is_reused ? "take `reuse = 1`"
                    : "do without `spares`");
}

void service_check_facts(struct service_builder *builder, const struct service_values *values,
                         const struct service *service) {
    for (size_t i = 0; i < values->environment_count; i++) {
        const char *word = values->environment[i];
        const char *fact = NULL;
        int length = strchr(word, '=') == NULL ? 0 : find_unknown(service, value_of(word), &fact);
        if (length > 0 && service_is_news(builder, values, KEY_ENVIRONMENT)) {
            report_unknown(builder, values->given[KEY_ENVIRONMENT], word, fact, length, service);
        }
    }
}

void service_check_arguments(struct service_builder *builder, const struct config_setting *setting,
                             char **words, size_t word_count, struct service *service) {
    bool peer_is_known = service->handoff != HANDOFF_LISTENER;
    for (size_t i = 1; i < word_count; i++) {
        const char *wrong = template_check(words[i], peer_is_known);
        const char *fact = NULL;
        int length = find_unknown(service, words[i], &fact);
        if (wrong != NULL) {
            service_report_value(builder, setting, words[i], ": %s", wrong);
        } else if (length > 0) {
            report_unknown(builder, setting, words[i], fact, length, service);
        }
        service->argv_varies = service->argv_varies || template_is_one(words[i]);
    }
}
