/* The entries as sections of INI. */
#include "core/base/text.h"
#include "import/internal.h"

#include <stdio.h>

struct printer {
    text_emit *emit;
    void *context;
};

static void say(const struct printer *printer, const char *before, const char *text,
                const char *after) {
    printer->emit(printer->context, before);
    printer->emit(printer->context, text);
    printer->emit(printer->context, after);
}

static void print_notes(const struct printer *printer, const struct import_lines *notes) {
    for (const struct import_line *line = notes->first; line != NULL; line = line->next) {
        say(printer, "; ", line->text, "\n");
    }
}

void import_give_settings(const struct import_entry *entry, import_give *give, void *context) {
    static const char *const protocols[] = {"tcp", "udp", "unix"};
    static const char *const handoffs[] = {"channel", "stdio", "listener", "pump"};
    const bool is_old = entry->program[0] == '/'; /* one of the old server's programs */
    char number[24];
    text_format(number, sizeof number, "%lu", (unsigned long)entry->max_connections_count);
    const struct {
        const char *key, *value;
        bool is_given;
    } before[] = {{"enabled", "no", entry->disabled},
                  {"protocol", protocols[entry->protocol], entry->protocol != PROTOCOL_TCP},
                  {"listen", entry->listen, true},
                  {"mode", entry->mode, entry->mode != NULL},
                  {"owner", entry->owner, entry->mode != NULL},
                  {"handoff", handoffs[entry->handoff], entry->handoff != HANDOFF_CHANNEL},
                  {"stderr", "socket", entry->handoff == HANDOFF_STDIO},
                  {"handler", entry->handler, true},
                  {"argv0", entry->argv0_text, entry->argv0_text != NULL},
                  {"directory", "/", is_old}, /* where all of the old servers run programs */
                  {"no_new_privileges", "no", is_old}, /* some of inetd's are set-user-ID */
                  {"environment", entry->environment_text, entry->environment_text != NULL},
                  {"max_connections", number, entry->max_connections_count > 0}},
      after[] = {{"nodelay", "yes", entry->nodelay},
                 {"keepalive", "yes", entry->keepalive},
                 {"receive_buffer_bytes", entry->receive_buffer, entry->receive_buffer != NULL},
                 {"send_buffer_bytes", entry->send_buffer, entry->send_buffer != NULL}};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        if (before[i].is_given) {
            give(context, before[i].key, before[i].value);
        }
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (entry->values[i] != NULL) {
            give(context, key_name(&key_table[i]), entry->values[i]);
        }
    }
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        if (after[i].is_given) {
            give(context, after[i].key, after[i].value);
        }
    }
}

static void print_setting(void *context, const char *key, const char *value) {
    say(context, key, " = ", value);
    say(context, "\n", "", "");
}

static void print_section(const struct printer *printer, const struct import_entry *entry) {
    struct printer copy = *printer;
    say(printer, "[", entry->name, "]\n");
    import_give_settings(entry, print_setting, &copy);
}

static void print_heading(const struct printer *printer, const struct importer *importer) {
    bool is_xinetd = importer->format == IMPORT_XINETD;
    size_t carried_count = 0;
    size_t enabled_count = 0;
    for (size_t i = 0; i < importer->entry_count; i++) {
        const struct import_entry *entry = importer->entries[i];
        carried_count += !entry->dropped;
        enabled_count += !entry->dropped && !entry->disabled;
    }
    say(printer, "; Imported by batond from an ", is_xinetd ? "xinetd.conf" : "inetd.conf",
        ". `not carried over` marks what this config\n"
        "; does not say, `switched off` what was off before, with the reason and the cure. Check\n"
        "; it with `batond --check -c FILE`. Services of named users want a batond that root "
        "runs.\n");
    say(printer, "; ",
        is_xinetd
            ? "xinetd with libwrap asks hosts.allow for every service, and Baton for none: a "
              "server that\n; needs it is named through tcpd."
            : "An inetd with libwrap asks hosts.allow by itself, and Baton does not: a server "
              "that needs it\n; is named through tcpd.",
        "\n");
    if (importer->has_plain_protocol) {
        say(printer, "; ",
            "tcp and udp are IPv4 here, as GNU inetutils has it. Debian's openbsd-inetd listens "
            "for IPv6,\n; too: then write `listen = NAME, [::]:NAME`.",
            "\n");
    }
    say(printer, "; ",
        "Where nothing else is said, 256 connections of a service live at once, and further ones\n"
        "; wait: see `max_connections`. Programs had all of the old server's environment, and "
        "have\n"
        "; little of batond's: see `environment_from`.",
        "\n");
    if (carried_count == 0) {
        say(printer, "; ", "There is no service in it.", "\n");
    } else if (enabled_count == 0) {
        say(printer, "; ",
            "Every service in it is switched off. batond wants one at least: give one "
            "`enabled = yes`.",
            "\n");
    }
}

/* True if a section does not say as whom its handler runs. */
static bool needs_default_user(const struct importer *importer) {
    for (size_t i = 0; i < importer->entry_count; i++) {
        const struct import_entry *entry = importer->entries[i];
        if (!entry->dropped && entry->values[KEY_USER] == NULL) {
            return true;
        }
    }
    return false;
}

void import_print(const struct importer *importer, text_emit *emit, void *context) {
    const struct printer printer = {.emit = emit, .context = context};
    print_heading(&printer, importer);
    if (needs_default_user(importer)) {
        say(&printer, "\n[supervisor]\n; What the old server did itself needs no privileges.\n",
            "default_user = nobody", "\n");
    }
    if (importer->notes.first != NULL) {
        emit(context, "\n");
        print_notes(&printer, &importer->notes);
    }
    for (size_t i = 0; i < importer->entry_count; i++) {
        const struct import_entry *entry = importer->entries[i];
        char where[1024];
        emit(context, "\n");
        text_format(where, sizeof where, "%.900s:%lu%s%s", entry->where.file,
                    (unsigned long)entry->where.line, entry->label[0] == '\0' ? "" : ": ",
                    text_excerpt(entry->label).text);
        say(&printer, "; ", where, "\n");
        print_notes(&printer, &entry->notes);
        if (!entry->dropped) {
            print_section(&printer, entry);
        }
    }
}
