/* What inetd and xinetd say alike of a service: port, addresses, program, user. */
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/service/lack.h"
#include "import/internal.h"

#include <stdio.h>
#include <string.h>

struct import_entry *import_entry_add(struct importer *importer, struct import_where where,
                                      const char *label) {
    if (importer->entry_count == CONFIG_SERVICES_MAX_COUNT) {
        import_fault(importer, where,
                     "there are more than %lu services, which is what one config can hold; import "
                     "the rest apart",
                     (unsigned long)CONFIG_SERVICES_MAX_COUNT);
    }
    if (importer->entry_count >= CONFIG_SERVICES_MAX_COUNT) {
        return NULL;
    }
    /* An array of pointers, as it is meant to be.
     * NOLINTNEXTLINE(bugprone-sizeof-expression) */
    const size_t item_bytes = sizeof *importer->entries;
    struct import_entry **entries =
        arena_grow(importer->arena, importer->entries, importer->entry_count,
                   &importer->entry_capacity, item_bytes);
    struct import_entry *entry = arena_alloc(importer->arena, sizeof *entry);
    if (entries == NULL || entry == NULL) {
        return NULL;
    }
    importer->entries = entries;
    entry->where = where;
    entry->label = arena_text(importer->arena, label);
    entry->name = entry->label;
    if (entry->label == NULL) {
        return NULL;
    }
    entries[importer->entry_count++] = entry;
    return entry;
}

/* Names of services(5) that `listen` can hold: it ends a place at blanks, commas and colons. */
static bool is_service_name(const char *text) {
    bool has_letter = false;
    if (strchr("+-.", text[0]) != NULL) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        bool digit = *at >= '0' && *at <= '9';
        if (!text_is_name_char(*at) && strchr("+-.", *at) == NULL) {
            return false;
        }
        has_letter = has_letter || (text_is_name_char(*at) && !digit && *at != '_');
    }
    return has_letter;
}

bool import_entry_port(struct importer *importer, struct import_entry *entry, const char *text) {
    const struct import_machine *machine = importer->machine;
    bool udp = entry->protocol == PROTOCOL_UDP;
    bool is_number = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
    if (is_number && (!address_parse_port(text, &entry->port) || entry->port == 0)) {
        import_drop(importer, entry, "`%s` is no port; give 1 to 65535", text_excerpt(text).text);
    } else if (!is_number &&
               (!is_service_name(text) ||
                machine->find_port(machine->context, text, udp, &entry->port) != BATON_OK)) {
        import_drop(importer, entry,
                    "this system's list of services has no `%s/%s`, so its port is not known; add "
                    "it there, or give the port here, and import again",
                    text_excerpt(text).text, udp ? "udp" : "tcp");
    } else {
        entry->port_text = text;
    }
    return !entry->dropped;
}

/* True if `wide` has all the clients of `narrow`. */
static bool covers(const struct address *wide, const struct address *narrow) {
    return wide->family == narrow->family &&
           (address_is_any(wide) || memcmp(wide->bytes, narrow->bytes, sizeof wide->bytes) == 0);
}

/* Makes room among the places for one more: false if an earlier one has its clients already; takes
 * those away whose clients it has. */
static bool is_new_place(struct import_entry *entry, const struct address *address) {
    size_t kept_count = 0;
    for (size_t i = 0; i < entry->place_count; i++) {
        if (covers(&entry->places[i].address, address)) {
            return false;
        }
    }
    for (size_t i = 0; i < entry->place_count; i++) {
        if (!covers(address, &entry->places[i].address)) {
            entry->places[kept_count++] = entry->places[i];
        }
    }
    entry->place_count = kept_count;
    return true;
}

static void add_place(struct importer *importer, struct import_entry *entry,
                      const struct address *address, const char *host) {
    if (!is_new_place(entry, address)) {
        return;
    }
    struct import_place *places = arena_grow(importer->arena, entry->places, entry->place_count,
                                             &entry->place_capacity, sizeof *places);
    const char *before = address->family == ADDRESS_IPV6 ? "[" : "";
    const char *after = address->family == ADDRESS_IPV6 ? "]:" : ":";
    const char *text =
        host == NULL ? entry->port_text : arena_join(importer->arena, before, host, after);

    if (host != NULL && text != NULL) {
        text = arena_join(importer->arena, text, entry->port_text, "");
    }
    entry->places = places != NULL ? places : entry->places;
    if (places == NULL || text == NULL) {
        return;
    }
    places[entry->place_count] = (struct import_place){.text = text, .address = *address};
    places[entry->place_count++].address.port = entry->port;
}

/* Every address of the entry's family. Both families are two places, each with a socket of its own,
 * since one for both cannot be had where there is no IPv6. */
static void add_any(struct importer *importer, struct import_entry *entry) {
    const struct address any4 = {.family = ADDRESS_IPV4};
    const struct address any6 = {.family = ADDRESS_IPV6};
    bool is_one = entry->family == IMPORT_IPV4;
    if (is_one || entry->family == IMPORT_DUAL) {
        add_place(importer, entry, &any4, is_one ? NULL : "0.0.0.0");
    }
    if (!is_one) {
        add_place(importer, entry, &any6, "::");
    }
}

void import_entry_host(struct importer *importer, struct import_entry *entry, const char *host) {
    struct address address = {.family = ADDRESS_IPV4};
    char text[ADDRESS_TEXT_SIZE];
    if (host == NULL || strcmp(host, "*") == 0) {
        add_any(importer, entry);
        return;
    }
    if (strcmp(host, "localhost") == 0) {
        bool ipv6_alone = entry->family == IMPORT_IPV6 || entry->family == IMPORT_IPV6_MAYBE;
        host = ipv6_alone ? "::1" : "127.0.0.1";
        import_remark(importer, &entry->notes, entry->where,
                      "names of hosts are not looked up; `localhost` became `%s`", host);
    }
    size_t length = strlen(host);
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host = arena_copy(importer->arena, host + 1, length - 2);
    }
    if (host == NULL) {
        return;
    }
    if (!address_parse_host(host, &address)) {
        entry->is_elsewhere = true;
        import_note(importer, &entry->notes, entry->where,
                    "host `%s`: names of hosts are not looked up; give its address in `listen`",
                    text_excerpt(host).text);
        return;
    }
    if (address.family == ADDRESS_IPV6 && address_is_any(&address)) {
        add_any(importer, entry);
        return;
    }
    add_place(importer, entry, &address, address_print_host(&address, text, sizeof text));
}

void import_entry_set(struct importer *importer, struct import_entry *entry, enum key_id id,
                      const char *value) {
    const char *name = key_name(&key_table[id]);
    if (strlen(name) + strlen(value) + 3 > CONFIG_LINE_MAX_BYTES) {
        import_off(importer, entry, entry->where,
                   "its `%s` would be longer than the %d bytes of a line, so this is switched off; "
                   "put what belongs there into a file, one a line, and name that as `@FILE`",
                   name, CONFIG_LINE_MAX_BYTES);
        return;
    }
    entry->values[id] = arena_text(importer->arena, value);
}

bool import_entry_set_number(struct importer *importer, struct import_entry *entry, enum key_id id,
                             const char *value, struct key_message *why) {
    uint32_t number = 0;
    if (!key_parse(&key_table[id], value, &number, why)) {
        return false;
    }
    import_entry_set(importer, entry, id, value);
    return true;
}

void import_entry_rate(struct importer *importer, struct import_entry *entry, uint32_t count,
                       const char *unit) {
    char value[32];
    text_format(value, sizeof value, "%lu/%s", (unsigned long)count, unit);
    import_entry_set(importer, entry, KEY_RATE, value);
    if (entry->handoff != HANDOFF_LISTENER) {
        import_entry_set(importer, entry, KEY_WHEN_FULL, "refuse");
    }
}

void import_entry_builtin(struct importer *importer, struct import_entry *entry, const char *name) {
    static const struct {
        const char *name;
        uint16_t port;
    } builtins[] = {{"echo", 7}, {"discard", 9}, {"daytime", 13}, {"chargen", 19}, {"time", 37}};

    entry->handoff = entry->protocol == PROTOCOL_UDP ? HANDOFF_LISTENER : HANDOFF_CHANNEL;
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) {
        char number[8];
        text_format(number, sizeof number, "%u", (unsigned)builtins[i].port);
        if (strcmp(name, builtins[i].name) == 0 || strcmp(name, number) == 0) {
            entry->program = builtins[i].name;
            return;
        }
    }
    import_drop(importer, entry,
                "`%s` is a service that the old server does itself, and Baton has no handler for "
                "it; give it a program",
                text_excerpt(name).text);
}

void import_entry_wrapped(struct importer *importer, struct import_entry *entry) {
    if (importer->wrapped_by != NULL && !text_ends_with(entry->program, "/tcpd", false)) {
        import_off(importer, entry, entry->where,
                   "%.300s has rules, which the old server may have asked and Baton does not, so "
                   "this is switched off; begin `handler` with tcpd(8), then delete `enabled = no`",
                   importer->wrapped_by);
    }
}

/* What Baton could not launch the old server could not either. */
static void look_at_program(struct importer *importer, struct import_entry *entry) {
    const struct service_machine *programs = importer->machine->programs;
    struct service_lack lack = {0};
    char what[LACK_TEXT_MAX_BYTES];
    if (programs == NULL || !service_lacks_program(programs, entry->program, false, NULL, &lack)) {
        return;
    }
    if (lack.kind == LACK_PROGRAM) {
        import_off(importer, entry, entry->where,
                   "there is no program `%s` that can be run here, so the old server served "
                   "nobody and this is switched off; install it, then delete `enabled = no`",
                   text_excerpt(entry->program).text);
        return;
    }
    const char *cure = service_lack_text(&lack, programs, what);
    import_make_plain(what);
    import_off(importer, entry, entry->where,
               "%.700s, so the old server served nobody and this is switched off; %s, then delete "
               "`enabled = no`",
               what, cure);
}

bool import_entry_program(struct importer *importer, struct import_entry *entry,
                          const char *program) {
    if (program[0] != '/') {
        import_drop(importer, entry,
                    "`%s` is no absolute path, so where it is depends on where the old server was "
                    "started; give the path",
                    text_excerpt(program).text);
        return false;
    }
    entry->program = program;
    if (text_ends_with(program, "/", false)) {
        import_drop(importer, entry, "`%s` is a folder; give a program",
                    text_excerpt(program).text);
        return false;
    }
    if (text_ends_with(program, "/tcpd", false)) {
        import_remark(importer, &entry->notes, entry->where,
                      "tcpd goes on to ask hosts.allow and hosts.deny, as before");
    }
    look_at_program(importer, entry);
    return true;
}
