/* What each verb does: at once, or line by line. */
#include "core/base/text.h"
#include "run/internal.h"

#include <string.h>

/* What a verb is asked with, and what it answers. */
struct asked {
    struct supervisor *s;
    uint32_t client;
    const struct control_request *request;
    const char *text, *hint;
};

static enum control_code begin_nothing(struct asked *asked) {
    (void)asked;
    return CONTROL_OK;
}

/* Those of all that have the name: what a reload has replaced may have some still. */
static enum control_code begin_connections(struct asked *asked) {
    struct supervisor *s = asked->s;
    struct run_control_client *c = &s->control.clients[asked->client];
    if (asked->request->word_count == 0) {
        return CONTROL_OK;
    }
    SLOTS_EACH(service, &s->services.slots) {
        if (strcmp(services_get(&s->services, service)->name, asked->request->words[0]) == 0) {
            c->of_service = slots_token(&s->services.slots, 0, service);
            return CONTROL_OK;
        }
    }
    return CONTROL_NO_SERVICE;
}

static enum control_code begin_stop(struct asked *asked) {
    run_drain_on_stop(asked->s, "batonctl stop");
    return CONTROL_OK;
}

static bool parse_id(const char *text, uint64_t *out) {
    size_t length = strspn(text, "0123456789");
    *out = 0;
    for (size_t i = 0; i < length; i++) {
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    }
    return length > 0 && length < 20 && text[length] == '\0';
}

static enum control_code begin_kill(struct asked *asked) {
    struct supervisor *s = asked->s;
    uint64_t id;
    if (!parse_id(asked->request->words[0], &id)) {
        return CONTROL_BAD_WORD;
    }
    SLOTS_EACH(connection, &s->pool.connection_slots) {
        const struct connection *c = &s->pool.connections[connection];
        if (c->id == id && c->state != CONNECTION_ENDED) {
            run_tell(s, LOG_LEVEL_INFO, "kill_asked", c->service, "id=%llu",
                     (unsigned long long)id);
            pool_kill(&s->pool, connection);
            return CONTROL_OK;
        }
    }
    return CONTROL_NO_CONNECTION;
}

static enum control_code begin_log_level(struct asked *asked) {
    struct supervisor *s = asked->s;
    for (unsigned level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        const char *word = record_level_text((enum log_level)level);
        if (strcmp(asked->request->words[0], word) == 0) {
            s->log.level = (enum log_level)level;
            run_tell(s, LOG_LEVEL_INFO, "log_level", SLOT_NONE, "now=%s", word);
            return CONTROL_OK;
        }
    }
    asked->hint = "error, warning, info or debug";
    return CONTROL_BAD_WORD;
}

static enum control_code begin_log_reopen(struct asked *asked) {
    int result = run_drain_reopen_log(asked->s);
    if (result == BATON_UNSUPPORTED) {
        asked->text = "the log is standard error, which cannot be opened anew";
        return CONTROL_UNSUPPORTED;
    }
    asked->text = asked->s->reason; /* as it was told */
    return result == BATON_OK ? CONTROL_OK : CONTROL_FAILED;
}

static enum control_code begin_events(struct asked *asked) {
    run_control_follow(asked->s, asked->client);
    return CONTROL_OK;
}

/* With `wait` the reply ends when what was asked for has happened. A reload's does so in any case.
 */
static bool has_wait(struct asked *asked, size_t index, enum control_code *code) {
    bool has = asked->request->word_count > index;
    *code =
        has && strcmp(asked->request->words[index], "wait") != 0 ? CONTROL_BAD_WORD : CONTROL_OK;
    return has;
}

static enum control_code begin_reload(struct asked *asked) {
    struct supervisor *s = asked->s;
    struct run_control_client *c = &s->control.clients[asked->client];
    enum control_code code;
    (void)has_wait(asked, 0, &code);
    if (code != CONTROL_OK) {
        return code;
    }
    asked->text = run_reload_refusal(s);
    if (run_reload_ask(s, "batonctl reload") != BATON_OK) {
        return CONTROL_UNSUPPORTED;
    }
    c->waits = true;
    c->reload_count = s->reload.asked_count;
    return CONTROL_OK;
}

static enum control_code begin_restart(struct asked *asked) {
    struct supervisor *s = asked->s;
    struct run_control_client *c = &s->control.clients[asked->client];
    enum control_code code;
    (void)has_wait(asked, 0, &code);
    if (code != CONTROL_OK) {
        return code;
    }
    asked->text = run_restart_refusal(s);
    if (run_restart_ask(s, "batonctl restart") != BATON_OK) {
        return CONTROL_UNSUPPORTED;
    }
    c->waits = true;
    c->restart_count = s->restart.asked_count;
    return CONTROL_OK;
}

enum wish { WISH_ON, WISH_DRAINED, WISH_DISABLED };

static enum control_code switch_service(struct asked *asked, enum wish wish) {
    struct supervisor *s = asked->s;
    struct run_control_client *c = &s->control.clients[asked->client];
    uint32_t service = run_roster_find(s, asked->request->words[0]);
    enum control_code code;
    bool waits = has_wait(asked, 1, &code);
    if (code != CONTROL_OK) {
        return code;
    }
    if (service == SLOT_NONE) {
        asked->hint = "what the config has switched off, `enabled = yes` and a reload switch on";
        return CONTROL_NO_SERVICE;
    }
    if (s->stopping) {
        asked->text = "batond is being stopped";
        return CONTROL_UNSUPPORTED;
    }
    run_tell(s, LOG_LEVEL_INFO, "service_switched", service, "to=%s by=%s",
             text_nth("on\0drained\0disabled\0", wish), "batonctl");
    if (wish == WISH_ON) {
        return run_roster_switch_on(s, service) == SLOT_NONE ? CONTROL_SHORT : CONTROL_OK;
    }
    run_roster_switch_off(s, service, wish == WISH_DISABLED);
    if (waits) {
        run_control_await_service(s, c, service);
    }
    return CONTROL_OK;
}

static enum control_code begin_drain(struct asked *asked) {
    return switch_service(asked, WISH_DRAINED);
}

static enum control_code begin_disable(struct asked *asked) {
    return switch_service(asked, WISH_DISABLED);
}

static enum control_code begin_enable(struct asked *asked) {
    return switch_service(asked, WISH_ON);
}

static enum run_control_more next_nothing(struct supervisor *s, struct run_control_client *c) {
    (void)s;
    (void)c;
    return RUN_CONTROL_END;
}

/* By verb. */
static const struct {
    enum control_code (*begin)(struct asked *asked);
    enum run_control_more (*next)(struct supervisor *s, struct run_control_client *c);
} verbs[CONTROL_VERB_COUNT] = {
    [CONTROL_VERB_STATUS] = {begin_nothing, run_control_next_status},
    [CONTROL_VERB_SERVICES] = {begin_nothing, run_control_next_status},
    [CONTROL_VERB_CONNECTIONS] = {begin_connections, run_control_next_connection},
    [CONTROL_VERB_STOP] = {begin_stop, next_nothing},
    [CONTROL_VERB_KILL] = {begin_kill, next_nothing},
    [CONTROL_VERB_LOG_LEVEL] = {begin_log_level, next_nothing},
    [CONTROL_VERB_LOG_REOPEN] = {begin_log_reopen, next_nothing},
    [CONTROL_VERB_EVENTS] = {begin_events, run_control_next_lost},
    [CONTROL_VERB_RELOAD] = {begin_reload, run_control_next_change},
    [CONTROL_VERB_RESTART] = {begin_restart, run_control_next_restart},
    [CONTROL_VERB_DRAIN] = {begin_drain, run_control_next_wait},
    [CONTROL_VERB_DISABLE] = {begin_disable, run_control_next_wait},
    [CONTROL_VERB_ENABLE] = {begin_enable, next_nothing},
};

enum control_code run_control_begin(struct supervisor *s, uint32_t client,
                                    const struct control_request *request, const char **text,
                                    const char **hint) {
    struct asked asked = {.s = s, .client = client, .request = request};
    enum control_code code = verbs[request->verb].begin(&asked);
    *text = asked.text;
    *hint = asked.hint;
    return code;
}

enum run_control_more run_control_next(struct supervisor *s, uint32_t client) {
    struct run_control_client *c = &s->control.clients[client];
    return verbs[c->verb].next(s, c);
}
