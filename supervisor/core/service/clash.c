/* Whether services leave room for each other. */
#include "core/service/build.h"

#include "core/base/sort.h"

#include <stdio.h>
#include <string.h>

/* A place of an enabled service. */
struct place {
    const struct service_draft *draft;
    const struct service_listen *listen;
    uint32_t order; /* among all, in the order of the file */
};

static bool is_unix(const struct place *place) {
    return place->listen->path != NULL;
}

static bool is_udp(const struct place *place) {
    return place->draft->service.protocol == PROTOCOL_UDP;
}

/* By what must be equal for a clash to be possible. */
static int compare_kind(const struct place *a, const struct place *b) {
    if (is_unix(a) || is_unix(b)) {
        return (int)is_unix(a) - (int)is_unix(b);
    }
    if (is_udp(a) != is_udp(b)) {
        return (int)is_udp(a) - (int)is_udp(b);
    }
    return (int)a->listen->address.port - (int)b->listen->address.port;
}

static int compare(const void *places, size_t first, size_t second) {
    const struct place *a = (const struct place *)places + first;
    const struct place *b = (const struct place *)places + second;
    int kind = compare_kind(a, b);
    return kind != 0 ? kind : a->order < b->order ? -1 : a->order > b->order;
}

static void swap(void *places, size_t a, size_t b) {
    struct place *list = places;
    struct place place = list[a];
    list[a] = list[b];
    list[b] = place;
}

/* The next byte of a path that matters: separators that follow each other are one, and "." as a
 * part is none. Windows does not tell \ from / nor A from a. */
static char next_byte(const struct service_machine *machine, const char **path) {
    bool windows = service_on_windows(machine);
    const char *at = *path;
    char byte = *at;
    if (byte == '/' || (windows && byte == '\\')) {
        while (*at == '/' || (windows && *at == '\\') ||
               (*at == '.' && (at[1] == '/' || (windows && at[1] == '\\')))) {
            at++;
        }
        *path = at;
        return '/';
    }
    *path = byte == '\0' ? at : at + 1;
    return windows && byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool same_path(const struct service_machine *machine, const char *a, const char *b) {
    for (;;) {
        char left = next_byte(machine, &a);
        if (left != next_byte(machine, &b)) {
            return false;
        }
        if (left == '\0') {
            return true;
        }
    }
}

/* An IPv6 socket for every address that takes IPv4 clients too. */
static bool is_dual(const struct place *place) {
    return place->listen->address.family == ADDRESS_IPV6 && place->draft->service.v6only == 0 &&
           address_is_any(&place->listen->address);
}

/* For places that compare_kind() finds equal. */
static bool clash(const struct service_machine *machine, const struct place *a,
                  const struct place *b) {
    const struct address *left = &a->listen->address;
    const struct address *right = &b->listen->address;
    if (is_unix(a)) {
        return same_path(machine, a->listen->path, b->listen->path);
    }
    if (left->port == 0) {
        return false;
    }
    if (left->family != right->family) {
        return is_dual(a) || is_dual(b);
    }
    return address_is_any(left) || address_is_any(right) || address_equal(left, right);
}

static const char *print_place(const struct place *place, char *room) {
    return is_unix(place) ? place->listen->path
                          : address_print(&place->listen->address, room, ADDRESS_TEXT_SIZE);
}

static void report_clash(struct service_builder *builder, const struct place *later,
                         const struct place *earlier) {
    const struct config_setting *other = earlier->draft->listen;
    bool dual = later->listen->address.family != earlier->listen->address.family;
    char room[2][ADDRESS_TEXT_SIZE];
    const char *own = print_place(later, room[0]);
    const char *theirs = print_place(earlier, room[1]);
    if (later->draft == earlier->draft) {
        service_report(builder, later->draft->listen,
                       "%s stands here twice (as %s); leave one of them out", own, theirs);
        return;
    }
    service_report(builder, later->draft->listen,
                   "%s is taken by `%s.%s` in %s (%s%s); choose another %s", own, other->section,
                   other->key,
                   config_line_words(builder->problems, other->line, later->draft->listen->line),
                   theirs, dual ? ", and `v6only = no` takes the IPv4 clients of that port" : "",
                   is_unix(later) ? "path" : "port or address");
}

/* One fault for each service: what comes after it in a range is no news. */
static void check_places(struct service_builder *builder, const struct place *places, size_t count,
                         bool *told) {
    for (size_t i = 1; i < count; i++) {
        size_t draft = (size_t)(places[i].draft - builder->drafts);
        for (size_t j = i; !told[draft] && j > 0; j--) {
            const struct place *earlier = &places[j - 1];
            if (compare_kind(earlier, &places[i]) != 0) {
                break;
            }
            if (clash(builder->machine, &places[i], earlier)) {
                report_clash(builder, &places[i], earlier);
                told[draft] = true;
            }
        }
    }
}

static void check_clashes(struct service_builder *builder) {
    struct place *places =
        arena_alloc(builder->scratch, (builder->place_count + 1) * sizeof *places);
    bool *told = arena_alloc(builder->scratch, (builder->draft_count + 1) * sizeof *told);
    size_t count = 0;
    if (places == NULL || told == NULL) {
        return;
    }
    for (size_t i = 0; i < builder->draft_count; i++) {
        const struct service_draft *draft = &builder->drafts[i];
        size_t own_count =
            draft->enabled && draft->listen != NULL ? draft->service.listen_count : 0;
        for (size_t j = 0; j < own_count; j++) {
            places[count] = (struct place){
                .draft = draft, .listen = &draft->service.listen[j], .order = (uint32_t)count};
            count++;
        }
    }
    sort_items(places, count, &(struct sort_of){compare, swap});
    check_places(builder, places, count, told);
}

/* The largest of those that are on, a guest if there is one; NULL = none is. */
static struct service_draft *find_largest(struct service_builder *builder, uint64_t *total_count) {
    struct service_draft *largest = NULL;
    *total_count = 0;
    for (size_t i = 0; i < builder->draft_count; i++) {
        struct service_draft *draft = &builder->drafts[i];
        if (draft->enabled) {
            *total_count += draft->service.max_connections_count;
            bool goes_before = largest == NULL || (draft->is_guest && !largest->is_guest);
            bool is_larger =
                largest != NULL && draft->is_guest == largest->is_guest &&
                draft->service.max_connections_count > largest->service.max_connections_count;
            largest = goes_before || is_larger ? draft : largest;
        }
    }
    return largest;
}

void service_check_clashes(struct service_builder *builder) {
    uint64_t total_count = 0;
    struct service_draft *largest;
    check_clashes(builder);
    while ((largest = find_largest(builder, &total_count)) != NULL &&
           total_count > SERVICE_TABLE_CONNECTIONS_MAX_COUNT) {
        const struct config_setting not_given = {
            .line = largest->service.line, .section = "defaults", .key = "max_connections"};
        service_report(
            builder, largest->max_connections != NULL ? largest->max_connections : &not_given,
            "the sum over all services is %lu; give at most %lu in all (here it is "
            "%lu, the most)",
            (unsigned long)total_count, (unsigned long)SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
            (unsigned long)largest->service.max_connections_count);
        if (!largest->is_guest) {
            return;
        }
        largest->enabled = false;
    }
}
