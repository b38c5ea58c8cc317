/* The effective table for people (--check). */
#include "core/base/text.h"
#include "core/base/words.h"
#include "core/service/build.h"
#include "core/service/facts.h"

#include <string.h>

/* Longer texts of places run over into the next column. */
#define LISTEN_WIDTH_MAX 40u

struct columns {
    size_t name_width;
    size_t listen_width;
};

static void emit_padding(text_emit *emit, void *context, size_t used, size_t width) {
    for (; used < width; used++) {
        emit(context, " ");
    }
}

static void emit_padded(text_emit *emit, void *context, const char *text, size_t width) {
    emit(context, text);
    emit_padding(emit, context, strlen(text), width);
}

static void count_bytes(void *context, const char *text) {
    size_t *total = context;
    *total += strlen(text);
}

/* ---- Places ---- */

/* True if `next` is the same address at the port after that of `place`. */
static bool follows(const struct service_listen *place, const struct service_listen *next) {
    struct address address = place->address;
    if (place->path != NULL || address.port == 0 || address.port == UINT16_MAX) {
        return false;
    }
    address.port++;
    return address_equal(&address, &next->address);
}

/* Ports that follow each other are printed as a range. */
static void print_places(const struct service *service, text_emit *emit, void *context) {
    for (size_t i = 0; i < service->listen_count; i++) {
        const struct service_listen *first = &service->listen[i];
        char text[ADDRESS_TEXT_SIZE];
        emit(context, i > 0 ? ", " : "");
        if (first->path != NULL) {
            words_emit(emit, context, first->path);
            continue;
        }
        emit(context, address_print(&first->address, text, sizeof text));
        while (i + 1 < service->listen_count &&
               follows(&service->listen[i], &service->listen[i + 1])) {
            i++;
        }
        if (&service->listen[i] != first) {
            text_format(text, sizeof text, "-%u", (unsigned)service->listen[i].address.port);
            emit(context, text);
        }
    }
}

static size_t places_width(const struct service *service) {
    size_t width = 0;
    print_places(service, count_bytes, &width);
    return width;
}

static struct columns measure(const struct service_table *table) {
    struct columns columns = {0, 0};
    for (size_t i = 0; i < table->service_count; i++) {
        size_t name = strlen(table->services[i].name);
        size_t places = places_width(&table->services[i]);
        columns.name_width = name > columns.name_width ? name : columns.name_width;
        if (places <= LISTEN_WIDTH_MAX && places > columns.listen_width) {
            columns.listen_width = places;
        }
    }
    return columns;
}

/* ---- A service ---- */

static void print_extra(const char *name, const char *value, text_emit *emit, void *context) {
    emit(context, "  * ");
    emit(context, name);
    emit(context, " = ");
    emit(context, value);
}

/* One that is given. */
static void print_text(const char *name, const char *value, text_emit *emit, void *context) {
    if (value != NULL) {
        print_extra(name, value, emit, context);
        emit(context, "\n");
    }
}

static void print_identity(const struct service *service, text_emit *emit, void *context) {
    const struct identity *identity = &service->identity;
    char ids[64];
    if (service->user != NULL) {
        text_format(ids, sizeof ids, " (uid %lu, gid %lu", (unsigned long)identity->uid,
                    (unsigned long)identity->gid);
        print_extra("user", service->user, emit, context);
        emit(context, ids);
        for (size_t i = 0; i < identity->group_count; i++) {
            text_format(ids, sizeof ids, "%s%lu", i == 0 ? ", groups " : " ",
                        (unsigned long)identity->groups[i]);
            emit(context, ids);
        }
        emit(context, ")\n");
    }
    print_text("chroot", identity->chroot, emit, context);
    print_text("capabilities", service->capabilities, emit, context);
    print_text("environment_from", service->environment_from, emit, context);
}

static bool has_field(const struct key *key, unsigned section) {
    return (key->sections & section) != 0 && key->field_offset != KEY_NO_FIELD;
}

/* `object`: the service, or the options, whose key it is. */
static uint32_t number_of(const struct key *key, const void *object) {
    uint32_t number = 0;
    memcpy(&number, (const char *)object + key->field_offset, sizeof number);
    return number;
}

static void emit_value(const struct key *key, uint32_t number, text_emit *emit, void *context) {
    char value[32];
    emit(context, key_print_value(key, number, value, sizeof value));
}

/* Spares that follow from what is said of the others. */
static bool is_implied(const struct service *service, size_t id) {
    return id >= KEY_SPARES && id <= KEY_SPARES_MAX && !service->is_spares_written[id - KEY_SPARES];
}

/* The keys that differ from their default. */
static void print_numbers(const struct service *service, text_emit *emit, void *context) {
    unsigned mode = service_mode(service->handoff, service->protocol);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if (has_field(key, KEY_IN_SERVICE) && key_fits_mode(key, mode) && !is_implied(service, i) &&
            number_of(key, service) != key->default_number) {
            print_extra(key_name(key), "", emit, context);
            emit_value(key, number_of(key, service), emit, context);
            emit(context, " (default ");
            emit_value(key, key->default_number, emit, context);
            emit(context, ")\n");
        }
    }
}

/* True for the facts that every service has; their names are used as they stand in the table. */
static bool is_fact(const struct service *service, size_t index) {
    const struct fact_variable *fact = fact_variables;
    while (fact->name[0] != '\0' && fact->name != service->variables[index]) {
        fact++;
    }
    return fact->name[0] != '\0';
}

/* Emits what does not depend on the launch, then what does. Returns true if there was any. */
static bool print_environment(const struct service *service, text_emit *emit, void *context) {
    const char *separator = "  * environment = ";
    for (size_t i = 0; i < service->environment_count; i++) {
        if (text_equal_start(service->environment[i], "BATON_", 6, false)) {
            continue; /* says nothing that other keys do not say */
        }
        emit(context, separator);
        words_emit(emit, context, service->environment[i]);
        separator = " ";
    }
    for (size_t i = 0; i < service->variable_count; i++) {
        if (!is_fact(service, i)) {
            emit(context, separator);
            emit(context, service->variables[i]);
            emit(context, "=");
            words_emit(emit, context, service->variable_templates[i]);
            separator = " ";
        }
    }
    return separator[1] == '\0';
}

static void print_trusted(const struct service *service, text_emit *emit, void *context) {
    for (size_t i = 0; i < service->proxy_trusted_count; i++) {
        const struct address_block *block = &service->proxy_trusted[i];
        char text[ADDRESS_TEXT_SIZE];
        unsigned all = block->address.family == ADDRESS_IPV4 ? 32 : 128;
        emit(context, i > 0 ? ", " : "  * proxy_trusted = ");
        emit(context, address_print_host(&block->address, text, sizeof text));
        if (block->prefix_bits != all) {
            text_format(text, sizeof text, "/%u", block->prefix_bits);
            emit(context, text);
        }
    }
    emit(context, service->proxy_trusted_count > 0 ? "\n" : "");
}

static void print_rate(const char *name, const struct rate_limit *limit, text_emit *emit,
                       void *context) {
    char text[64];
    if (limit->count > 0) {
        text_format(text, sizeof text, "%lu/%s burst %lu\n", (unsigned long)limit->count,
                    service_rate_unit(limit), (unsigned long)limit->burst_count);
        print_extra(name, text, emit, context);
    }
}

static void print_rates(const struct service_limits *limits, text_emit *emit, void *context) {
    print_rate("rate", &limits->rate, emit, context);
    print_rate("rate_per_source", &limits->rate_per_source, emit, context);
}

static void print_texts(const struct service *service, text_emit *emit, void *context) {
    print_rates(&service->limits, emit, context);
    if (service->refuse_message != NULL) {
        print_extra("refuse_message", "given", emit, context);
        emit(context, "\n");
    }
    print_text("argv0", service->argv0, emit, context);
    print_text("log", service->log, emit, context);
    for (size_t i = 0; i < service->success_exit_count; i++) {
        char code[16];
        text_format(code, sizeof code, "%lu", (unsigned long)service->success_exits[i]);
        emit(context, i > 0 ? ", " : "  * success_exit = ");
        emit(context, code);
    }
    emit(context, service->success_exit_count > 0 ? " (default 0)\n" : "");
    print_text("listen_names", service->listen_names, emit, context);
    if (print_environment(service, emit, context)) {
        emit(context, "\n");
    }
    print_text("directory", service->directory, emit, context);
    print_identity(service, emit, context);
    for (size_t i = 0; i < SERVICE_ACCESS_KEY_COUNT; i++) {
        print_text(key_name(&key_table[KEY_ALLOW + i]), service->access_texts[i], emit, context);
    }
    if (service->socket_user != NULL || service->socket_group != NULL) {
        print_extra("owner", service->socket_user != NULL ? service->socket_user : "", emit,
                    context);
        emit(context, service->socket_group != NULL ? ":" : "");
        emit(context, service->socket_group != NULL ? service->socket_group : "");
        emit(context, "\n");
    }
    if (service->proxy_protocol != 0) {
        print_trusted(service, emit, context);
    }
}

static void print_in_columns(const struct service *service, struct columns columns, text_emit *emit,
                             void *context) {
    emit_padded(emit, context, service->name, columns.name_width + 2);
    print_places(service, emit, context);
    emit(context, "  ");
    emit_padding(emit, context, places_width(service), columns.listen_width);
    words_emit(emit, context, service->program);
    for (size_t i = 1; i < service->argc; i++) {
        emit(context, " ");
        words_emit(emit, context, service->argv[i]);
    }
    emit(context, "\n");
    print_numbers(service, emit, context);
    print_texts(service, emit, context);
}

void service_print(const struct service *service, text_emit *emit, void *context) {
    print_in_columns(service, (struct columns){strlen(service->name), 0}, emit, context);
}

/* ---- The rest ---- */

/* Where inetd's programs may need what is dangerous to others. */
static void print_advice(const struct service_table *table, text_emit *emit, void *context) {
    size_t count = 0;
    for (size_t i = 0; i < table->service_count; i++) {
        const struct service *service = &table->services[i];
        if (service->no_new_privileges == CHOICE_AUTO && !service_forbids_new_privileges(service)) {
            emit(context, count == 0
                              ? "\n`no_new_privileges = yes` would keep set-user-ID programs "
                                "from giving further rights to: "
                              : "");
            service_print_name(service, &count, emit, context);
        }
    }
    service_print_more(count, emit, context);
    emit(context, count > 0 ? "\n" : "");
}

static void print_defaults(text_emit *emit, void *context) {
    emit(context, "\nWhere nothing else is said above:\n    environment_from      none: of "
                  "batond's own variables handlers get a few, such as PATH\n");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if (has_field(key, KEY_IN_SERVICE)) {
            emit(context, "    ");
            emit_padded(emit, context, key_name(key), 22);
            emit_value(key, key->default_number, emit, context);
            emit(context, key->type == KEY_TYPE_NUMBER ? " " : "");
            emit(context, key->type == KEY_TYPE_NUMBER ? key_words(key) : "");
            emit(context, "\n");
        }
    }
}

void service_print_options(const struct supervisor_options *options, text_emit *emit,
                           void *context) {
    emit(context, "\nSupervisor:\n    handlers              ");
    emit(context, options->handlers);
    emit(context, "\n    log                   ");
    emit(context, options->log_is_syslog ? "syslog:" : "");
    emit(context, options->log != NULL ? options->log : "standard error");
    const char *const texts[] = {options->default_user, "\n    default_user          ",
                                 options->control,      "\n    control               ",
                                 options->status,       "\n    status                "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i += 2) {
        if (texts[i] != NULL) {
            emit(context, texts[i + 1]);
            emit(context, texts[i][0] == '\0' ? "none" : texts[i]);
        }
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if (has_field(key, KEY_IN_SUPERVISOR)) {
            emit(context, "\n    ");
            emit_padded(emit, context, key_name(key), 22);
            emit_value(key, number_of(key, options), emit, context);
        }
    }
    emit(context, "\n");
    print_rates(&options->limits, emit, context);
}

void service_table_print_services(const struct service_table *table, text_emit *emit,
                                  void *context) {
    struct columns columns = measure(table);
    for (size_t i = 0; i < table->service_count; i++) {
        print_in_columns(&table->services[i], columns, emit, context);
    }
}

void service_table_print(const struct service_table *table, bool has_defaults, text_emit *emit,
                         void *context) {
    service_table_print_services(table, emit, context);
    if (has_defaults) {
        print_advice(table, emit, context);
        print_defaults(emit, context);
        service_print_options(&table->options, emit, context);
    }
    service_print_kept(table, emit, context);
}

/* After `before`, unless there are none. */
static void print_count(const char *before, size_t count, const char *noun, bool is_plural,
                        text_emit *emit, void *context) {
    char text[64];
    if (count > 0) {
        text_format(text, sizeof text, "%s%lu %s%s", before, (unsigned long)count, noun,
                    is_plural && count != 1 ? "s" : "");
        emit(context, text);
    }
}

void service_table_print_verdict(const struct service_table *table, size_t warning_count,
                                 text_emit *emit, void *context) {
    print_count("\nvalid, ", table->service_count, "service", true, emit, context);
    print_count(", ", table->disabled_count, "switched off", false, emit, context);
    print_count(", ", table->piece_count, "piece", true, emit, context);
    print_count(", ", warning_count, "warning", true, emit, context);
    emit(context, "\n");
}
