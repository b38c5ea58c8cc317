/* Where services listen: the texts of `listen`. Host names are not looked up; the names of services
 * are, by the machine. */
#include "core/base/error.h"
#include "core/service/build.h"

#include <string.h>

/* What is being read. */
struct reading {
    struct service_builder *builder;
    const struct config_setting *setting;
    const struct service_values *values;
    struct service *service;
    size_t capacity;
    size_t entry_count; /* read so far, the current one not included */
    bool uses_bind;
};

/* A place of the list, taken apart. */
struct entry {
    const char *text;
    struct address host; /* family ADDRESS_NONE = that of `bind` */
    const char *ports;
    uint16_t first, last;
};

static bool is_digits(const char *text, size_t length) {
    return length > 0 && strspn(text, "0123456789") >= length;
}

static bool report_host(const struct reading *reading, const struct entry *entry,
                        const char *host) {
    service_report_value(reading->builder, reading->setting, entry->text,
                         ": `%s` is no address to listen at; give HOST:PORT or [IPV6]:PORT with an "
                         "address (for localhost 127.0.0.1), names of hosts are not looked up",
                         service_excerpt(reading->builder, host));
    return false;
}

/* Takes the host off the text and leaves the rest in `ports`. */
static bool split_host(const struct reading *reading, struct entry *entry) {
    const char *text = entry->text;
    bool brackets = text[0] == '[';
    const char *start = brackets ? text + 1 : text;
    const char *end = brackets ? strchr(text, ']') : strrchr(text, ':');
    entry->ports = text;
    if (end == NULL && !brackets) {
        return true;
    }
    if (end == NULL || (brackets && end[1] != ':')) {
        service_report_value(
            reading->builder, reading->setting, text,
            " is no address to listen at; after `[` comes an IPv6 address, and then "
            "`]:PORT`");
        return false;
    }
    const char *host = arena_copy(reading->builder->scratch, start, (size_t)(end - start));
    if (host == NULL) {
        return false;
    }
    /* Brackets are for IPv6 and nothing else (RFC 3986, section 3.2.2). */
    if (brackets != (strchr(host, ':') != NULL)) {
        service_report_value(reading->builder, reading->setting, text,
                             brackets ? ": brackets are for IPv6 addresses; write HOST:PORT"
                                      : ": an IPv6 address stands in brackets; write [IPV6]:PORT");
        return false;
    }
    if (!address_parse_host(host, &entry->host)) {
        return report_host(reading, entry, host);
    }
    entry->ports = end + (brackets ? 2 : 1);
    return true;
}

static bool report_port(const struct reading *reading, const struct entry *entry,
                        const char *what) {
    service_report_value(reading->builder, reading->setting, entry->text, " %s", what);
    return false;
}

/* LOW-HIGH, whose first `length` digits are LOW. */
static bool read_range(const struct reading *reading, struct entry *entry, size_t length) {
    const char *low = arena_copy(reading->builder->scratch, entry->ports, length);
    if (low == NULL) {
        return false;
    }
    if (!address_parse_port(low, &entry->first) ||
        !address_parse_port(entry->ports + length + 1, &entry->last)) {
        return report_port(reading, entry,
                           "is no range of ports; give LOW-HIGH with numbers from 1 to 65535, as "
                           "in 7000-7015");
    }
    if (entry->first == 0) {
        return report_port(reading, entry,
                           "is a range that begins with 0, which is no port of its own; begin with "
                           "1 or more");
    }
    if (entry->first > entry->last) {
        service_report_value(reading->builder, reading->setting, entry->text,
                             " is a range that goes backwards; give %u-%u", (unsigned)entry->last,
                             (unsigned)entry->first);
        return false;
    }
    return true;
}

static bool is_service_name(const char *text) {
    bool has_letter = false;
    for (const char *at = text; *at != '\0'; at++) {
        bool digit = *at >= '0' && *at <= '9';
        bool inner = *at == '-' || *at == '.' || *at == '+' || *at == '_' || *at == '/';
        if (!text_is_name_char(*at) && (!inner || at == text)) {
            return false;
        }
        has_letter = has_letter || (!digit && !inner);
    }
    return has_letter;
}

static bool read_name(const struct reading *reading, struct entry *entry) {
    const struct service_machine *machine = reading->builder->machine;
    bool udp = reading->service->protocol == PROTOCOL_UDP;
    uint16_t port = 0;
    if (machine->find_port(machine->context, entry->ports, udp, &port) == BATON_OK) {
        entry->first = entry->last = port;
        return true;
    }
    if (machine->find_port(machine->context, entry->ports, !udp, &port) == BATON_OK) {
        service_report_value(
            reading->builder, reading->setting, entry->text,
            " is a service of %s, not of %s, in the system's list of services; put "
            "`protocol = %s` into its section, or give the number of the port",
            udp ? "TCP" : "UDP", udp ? "UDP" : "TCP", udp ? "tcp" : "udp");
        return false;
    }
    return report_port(reading, entry,
                       "is not in the system's list of services; give the number of the port");
}

static bool read_ports(const struct reading *reading, struct entry *entry) {
    struct address ignored;
    size_t digits = strspn(entry->ports, "0123456789");
    if (address_parse_port(entry->ports, &entry->first)) {
        entry->last = entry->first;
        return true;
    }
    if (is_digits(entry->ports, strlen(entry->ports))) {
        return report_port(reading, entry,
                           "is no port; give a number from 0 to 65535 without leading zeros");
    }
    if (digits > 0 && entry->ports[digits] == '-' &&
        strspn(entry->ports + digits + 1, "0123456789") == strlen(entry->ports + digits + 1)) {
        return read_range(reading, entry, digits);
    }
    if (entry->ports[0] == '\0' || address_parse_host(entry->ports, &ignored)) {
        return report_port(reading, entry, "has no port; give HOST:PORT or [IPV6]:PORT");
    }
    if (is_service_name(entry->ports)) {
        return read_name(reading, entry);
    }
    if (entry->ports[0] == '/') {
        return report_port(
            reading, entry,
            "is no place to listen at; a local socket takes a section with `protocol = unix`");
    }
    return report_port(reading, entry,
                       strpbrk(entry->ports, " \t") != NULL
                           ? "is no place to listen at; separate several with commas"
                           : "is no place to listen at; give PORT, LOW-HIGH or the name of a "
                             "service, each with or without HOST: or [IPV6]: before it");
}

/* False when there is no room for one more: too many, which was reported, or out of memory. */
static bool make_room(struct reading *reading) {
    struct service_builder *builder = reading->builder;
    struct service *service = reading->service;
    if (service->listen_count == SERVICE_LISTEN_MAX_COUNT) {
        service_report(builder, reading->setting,
                       "these are more than %lu places; give fewer, or narrower ranges",
                       (unsigned long)SERVICE_LISTEN_MAX_COUNT);
        return false;
    }
    if (builder->place_count == SERVICE_TABLE_LISTEN_MAX_COUNT) {
        if (!builder->reported_places) {
            service_report(builder, reading->setting,
                           "with this, all services together listen at more than %lu places; give "
                           "fewer, or narrower ranges",
                           (unsigned long)SERVICE_TABLE_LISTEN_MAX_COUNT);
        }
        builder->reported_places = true;
        return false;
    }
    struct service_listen *grown = arena_grow(
        builder->arena, service->listen, service->listen_count, &reading->capacity, sizeof *grown);
    service->listen = grown != NULL ? grown : service->listen;
    return grown != NULL;
}

static bool add_places(struct reading *reading, const struct entry *entry) {
    struct service *service = reading->service;
    bool hosted = entry->host.family != ADDRESS_NONE;
    reading->uses_bind = reading->uses_bind || !hosted;
    service->is_open_unsaid =
        service->is_open_unsaid || (!hosted && service_given(reading->values, KEY_BIND) == NULL);
    for (uint32_t port = entry->first; port <= entry->last; port++) {
        if (!make_room(reading)) {
            return false;
        }
        struct service_listen *place = &service->listen[service->listen_count++];
        reading->builder->place_count++;
        place->address = *(hosted ? &entry->host : &reading->values->bind);
        place->address.port = (uint16_t)port;
        place->path = NULL;
        place->name = service_listen_name(reading->values, reading->entry_count);
    }
    return true;
}

bool service_read_listen(struct service_builder *builder, const struct config_setting *setting,
                         const char *text, const struct service_values *values,
                         struct service_draft *draft) {
    struct reading reading = {builder, setting, values, &draft->service, 0, 0, false};
    bool fine = true;
    draft->service.listen_line = setting->line;
    if (!values->protocol_known) {
        return false;
    }
    if (draft->service.protocol == PROTOCOL_UNIX) {
        return service_read_path(builder, setting, values, draft);
    }
    for (const char *rest = text; rest != NULL;) {
        struct entry entry = {.text = service_next_part(builder, &rest)};
        if (entry.text == NULL) {
            return false;
        }
        if (entry.text[0] == '\0') {
            service_report(builder, setting,
                           "has an empty entry; delete the comma that is too many");
            return false;
        }
        bool readable = split_host(&reading, &entry) && read_ports(&reading, &entry);
        if (readable && !add_places(&reading, &entry)) {
            return false;
        }
        fine = fine && readable;
        reading.entry_count++;
    }
    service_check_listen_names(builder, values, reading.entry_count);
    if (fine && values->own[KEY_BIND] != NULL && !reading.uses_bind) {
        service_report(builder, values->own[KEY_BIND],
                       "has no effect, because `listen` names its host; leave one of them out");
    }
    return fine && draft->service.listen_count > 0;
}
