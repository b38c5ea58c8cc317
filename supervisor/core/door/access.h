/*
 * Whether a client is let in: by the service's rules about addresses, users and hours. What limits
 * by numbers stands elsewhere.
 */
#ifndef BATON_DOOR_ACCESS_H
#define BATON_DOOR_ACCESS_H

#include "core/base/address.h"
#include "core/service/service.h"

enum access_verdict { ACCESS_ALLOWED, ACCESS_REFUSED, ACCESS_OUT_OF_HOURS };

/* Which key has decided. */
enum access_reason {
    ACCESS_BY_NOTHING, /* no rule is about it: allowed */
    ACCESS_BY_RULE,    /* a rule of `allow` or `deny`, which is in `rule` */
    ACCESS_BY_NO_RULE, /* there are rules of `allow`, and none is about it: refused */
    ACCESS_BY_USER,    /* allow_uid, allow_gid */
    ACCESS_BY_HOURS    /* hours: refused */
};

struct access_decision {
    enum access_verdict verdict;
    enum access_reason reason;
    struct rule_found rule;
};

/* The verdict about a client. `peer`: who it is; behind a PROXY header the client that this names,
 * and nobody is asked about the proxy itself. A client of a local socket is judged by its user when
 * it has come; if a PROXY header then names somebody else, there is nothing more to judge, as
 * `allow` and `deny` are not for local sockets. `in_group`: the client of a local socket is in one
 * of the service's allow_gids (platform_socket_in_groups()). `local_minute`: of the day, 0..1439
 * (platform_local_minute()); it does not matter unless the service has hours. A user that the
 * system does not tell is refused where users are asked for. */
enum access_verdict access_verdict(const struct service *service, const struct address *peer,
                                   bool in_group, unsigned local_minute);

/* The same, with the reason, for those who tell it. */
void access_decide(const struct service *service, const struct address *peer, bool in_group,
                   unsigned local_minute, struct access_decision *out);

/* True at any minute for a service without hours; for services that never see a client, too. */
bool access_is_open(const struct service *service, unsigned local_minute);

/* A rule of the service's as people read it, `deny 10.0.0.0/8 (FILE:LINE)`; `config_file`: what the
 * main config is called, NULL = not known. Cut if it is longer than `size_bytes`. Returns `out`. */
const char *access_rule_print(const struct service *service, const struct rule_found *rule,
                              const char *config_file, char *out, size_t size_bytes);

#endif
