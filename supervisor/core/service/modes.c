/* Which keys a service's hand-off and protocol can honour. */
#include "core/service/build.h"

#include <string.h>

unsigned service_mode(uint32_t handoff, uint32_t protocol) {
    static const uint8_t modes[] = {[HANDOFF_CHANNEL] = KEY_MODE_CHANNEL,
                                    [HANDOFF_STDIO] = KEY_MODE_STDIO,
                                    [HANDOFF_LISTENER] = KEY_MODE_LISTENER,
                                    [HANDOFF_PUMP] = KEY_MODE_PUMP};
    if (protocol == PROTOCOL_UDP) {
        return KEY_MODE_UDP;
    }
    return modes[handoff] | (protocol == PROTOCOL_UNIX ? KEY_OVER_UNIX : KEY_OVER_TCP);
}

void service_choose_mode(struct service_builder *builder, struct service_values *values,
                         bool handoff_read, bool protocol_read) {
    uint32_t protocol = values->numbers[KEY_PROTOCOL];
    const struct config_setting *handoff = values->own[KEY_HANDOFF];
    values->protocol_known = protocol_read;
    if (protocol_read && protocol == PROTOCOL_UDP) {
        if (handoff != NULL && handoff_read && values->numbers[KEY_HANDOFF] != HANDOFF_LISTENER) {
            service_report_value(
                builder, handoff, handoff->value,
                " needs connections, and UDP has none; with `protocol = udp` the "
                "socket itself is handed over: give `listener`, or leave the key out");
        }
        values->numbers[KEY_HANDOFF] = HANDOFF_LISTENER;
        handoff_read = true;
    }
    values->mode =
        protocol_read && handoff_read ? service_mode(values->numbers[KEY_HANDOFF], protocol) : 0;
}

/* Windows hands listeners over on a channel, so what [defaults] says of channels holds. */
static bool holds_for_listeners(size_t id, unsigned mode) {
    return id == KEY_HANDSHAKE_TIMEOUT && (mode & (KEY_MODE_LISTENER | KEY_MODE_UDP)) != 0;
}

void service_fit_values(struct service_values *values) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if (key_fits_mode(key, values->mode) || values->own[i] != NULL ||
            holds_for_listeners(i, values->mode)) {
            continue;
        }
        values->given[i] = NULL;
        values->numbers[i] = key->default_number;
        if (i == KEY_SOCKET_OWNER) {
            values->service.socket_user = NULL;
            values->service.socket_group = NULL;
        } else if (i == KEY_PROXY_TRUSTED) {
            values->service.proxy_trusted = NULL;
            values->service.proxy_trusted_count = 0;
        }
    }
}

static void check_sandbox(struct service_builder *builder, const struct service_values *values) {
    const struct config_setting *setting = values->given[KEY_SANDBOX];
    bool is_own = setting == values->own[KEY_SANDBOX];
    if (values->numbers[KEY_SANDBOX] != SANDBOX_NONE && !service_on_windows(builder->machine) &&
        (is_own || !builder->reported_sandbox)) {
        service_report(builder, setting,
                       "is a thing of Windows; here take `user`, `chroot` and "
                       "`no_new_privileges`, and leave this out");
        builder->reported_sandbox = builder->reported_sandbox || !is_own;
    }
}

void service_check_values(struct service_builder *builder, const struct service_values *values) {
    static const struct {
        uint8_t key, needs;
    } pairs[] = {{KEY_KEEPALIVE_IDLE, KEY_KEEPALIVE},
                 {KEY_KEEPALIVE_INTERVAL, KEY_KEEPALIVE},
                 {KEY_KEEPALIVE_COUNT, KEY_KEEPALIVE},
                 {KEY_PROXY_TRUSTED, KEY_PROXY_PROTOCOL},
                 {KEY_PROXY_TIMEOUT, KEY_PROXY_PROTOCOL}};
    struct key_message message;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct config_setting *setting = values->own[pairs[i].key];
        const struct config_setting *needed = values->given[pairs[i].needs];
        bool fits = key_fits_mode(&key_table[pairs[i].key], values->mode);
        uint32_t number = 0;
        bool readable = needed == NULL ||
                        key_parse(&key_table[pairs[i].needs], needed->value, &number, &message);
        if (setting != NULL && fits && readable && number == 0) {
            service_report(
                builder, setting, "has no effect without `%s`; add that, or leave this out",
                pairs[i].needs == KEY_KEEPALIVE ? "keepalive = yes" : "proxy_protocol = on");
        }
    }
    check_sandbox(builder, values);
    const struct config_setting *proxy = values->given[KEY_PROXY_PROTOCOL];
    bool is_own = proxy != NULL && proxy == values->own[KEY_PROXY_PROTOCOL];
    if (values->numbers[KEY_PROXY_PROTOCOL] != 0 && (values->mode & KEY_OVER_TCP) != 0 &&
        values->given[KEY_PROXY_TRUSTED] == NULL && (is_own || !builder->reported_trusted)) {
        service_report(builder, proxy,
                       "needs `proxy_trusted`, because otherwise any client could claim any "
                       "address; give the addresses of the proxies, as in "
                       "`proxy_trusted = 127.0.0.1, 10.1.0.0/16`");
        builder->reported_trusted = builder->reported_trusted || !is_own;
    }
}

bool service_ends_with_supervisor(const struct service *service) {
    return service->end_with_supervisor == CHOICE_AUTO ? service->handoff == HANDOFF_LISTENER
                                                       : service->end_with_supervisor == CHOICE_YES;
}

bool service_leaves_children(const struct service *service) {
    return service->leave_children == CHOICE_AUTO ? service->handoff != HANDOFF_CHANNEL
                                                  : service->leave_children == CHOICE_YES;
}

bool service_forbids_new_privileges(const struct service *service) {
    return service->no_new_privileges == CHOICE_AUTO ? service->handoff == HANDOFF_CHANNEL
                                                     : service->no_new_privileges == CHOICE_YES;
}
