/* The effective table for people (--check). */
#include "core/key.h"
#include "core/service.h"

#include <stdio.h>
#include <string.h>

struct columns {
    size_t name_width;
    size_t listen_width;
};

static void emit_padded(text_emit *emit, void *context, const char *text, size_t width) {
    emit(context, text);
    for (size_t used = strlen(text); used < width; used++) {
        emit(context, " ");
    }
}

static struct columns measure(const struct service_table *table) {
    struct columns columns = {0, 0};
    for (size_t i = 0; i < table->service_count; i++) {
        char listen[ADDRESS_TEXT_SIZE];
        size_t name = strlen(table->services[i].name);
        size_t address =
            strlen(address_print(&table->services[i].listen->address, listen, sizeof(listen)));
        columns.name_width = name > columns.name_width ? name : columns.name_width;
        columns.listen_width = address > columns.listen_width ? address : columns.listen_width;
    }
    return columns;
}

static void print_extra(const char *name, const char *value, text_emit *emit, void *context) {
    emit(context, "  * ");
    emit(context, name);
    emit(context, " = ");
    emit(context, value);
}

/* The keys that differ from their default. */
static void print_numbers(const struct service *service, text_emit *emit, void *context) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        char value[32];
        uint32_t number = 0;
        if ((key->places & KEY_IN_SERVICE) == 0 || key->field_offset == KEY_NO_FIELD) {
            continue;
        }
        memcpy(&number, (const char *)service + key->field_offset, sizeof(number));
        if (strcmp(key_print_value(key, number, value, sizeof(value)), key->default_text) != 0) {
            print_extra(key->name, value, emit, context);
            emit(context, " (default ");
            emit(context, key->default_text);
            emit(context, ")\n");
        }
    }
}

static void print_texts(const struct service *service, text_emit *emit, void *context) {
    if (service->argv0 != NULL) {
        print_extra("argv0", service->argv0, emit, context);
        emit(context, "\n");
    }
    if (service->environment_count > 0) {
        print_extra("environment", "", emit, context);
        for (size_t i = 0; i < service->environment_count; i++) {
            emit(context, i > 0 ? " " : "");
            text_emit_word(emit, context, service->environment[i]);
        }
        emit(context, "\n");
    }
    if (service->directory != NULL) {
        print_extra("directory", service->directory, emit, context);
        emit(context, "\n");
    }
}

static void print_service(const struct service *service, struct columns columns, text_emit *emit,
                          void *context) {
    char listen[ADDRESS_TEXT_SIZE];

    emit_padded(emit, context, service->name, columns.name_width + 2);
    emit_padded(emit, context, address_print(&service->listen->address, listen, sizeof(listen)),
                columns.listen_width + 2);
    text_emit_word(emit, context, service->program);
    for (size_t i = 1; i < service->argc; i++) {
        emit(context, " ");
        text_emit_word(emit, context, service->argv[i]);
    }
    emit(context, "\n");
    print_numbers(service, emit, context);
    print_texts(service, emit, context);
}

static void print_defaults(text_emit *emit, void *context) {
    emit(context, "\nWhere nothing else is said above:\n");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if ((key->places & KEY_IN_SERVICE) != 0 && key->field_offset != KEY_NO_FIELD) {
            emit(context, "    ");
            emit_padded(emit, context, key->name, 22);
            emit(context, key->default_text);
            emit(context, " ");
            emit(context, key->unit);
            emit(context, "\n");
        }
    }
}

static void print_options(const struct supervisor_options *options, text_emit *emit,
                          void *context) {
    emit(context, "\nSupervisor:\n    handlers              ");
    emit(context, options->handlers);
    emit(context, "\n    log                   ");
    emit(context, options->log != NULL ? options->log : "standard error");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        char value[32];
        uint32_t number = 0;
        if ((key->places & KEY_IN_SUPERVISOR) != 0 && key->field_offset != KEY_NO_FIELD) {
            memcpy(&number, (const char *)options + key->field_offset, sizeof(number));
            emit(context, "\n    ");
            emit_padded(emit, context, key->name, 22);
            emit(context, key_print_value(key, number, value, sizeof(value)));
        }
    }
    emit(context, "\n");
}

void service_table_print(const struct service_table *table, text_emit *emit, void *context) {
    struct columns columns = measure(table);
    char line[96];

    (void)snprintf(line, sizeof(line), "%lu service%s", (unsigned long)table->service_count,
                   table->service_count == 1 ? "" : "s");
    emit(context, line);
    if (table->disabled_count > 0) {
        (void)snprintf(line, sizeof(line), ", and %lu switched off",
                       (unsigned long)table->disabled_count);
        emit(context, line);
    }
    emit(context, "\n\n");
    for (size_t i = 0; i < table->service_count; i++) {
        print_service(&table->services[i], columns, emit, context);
    }
    print_defaults(emit, context);
    print_options(&table->options, emit, context);
}
