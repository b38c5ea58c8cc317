/* What a handler is told of its connection (core/tell/filling.h). */
#include "core/tell/filling.h"

#include "core/base/error.h"
#include "core/service/facts.h"
#include "core/service/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME_MOST_COUNT 32

/* A service as service_table_build() makes it: the facts' names, then its own. */
struct scene {
    struct service service;
    struct service_listen listen[2];
    const char *variables[NAME_MOST_COUNT + 1];
    const char *templates[NAME_MOST_COUNT + 1];
    struct connection connection;
    struct filling filling;
};

static struct scene scene;

static void add_variable(const char *name, const char *template) {
    size_t i = scene.service.variable_count++;
    assert_true(i < NAME_MOST_COUNT);
    scene.variables[i] = name;
    scene.templates[i] = template;
}

static void set_scene(enum service_protocol protocol, enum service_handoff handoff) {
    enum fact_context context = fact_context_of(protocol, handoff, false);
    const struct fact_variable *next = fact_variables;
    filling_clear(&scene.filling);
    memset(&scene, 0, sizeof scene);
    scene.listen[1].path = protocol == PROTOCOL_UNIX ? "/run/web/much/longer" : NULL;
    scene.listen[0].path = protocol == PROTOCOL_UNIX ? "/run/web" : NULL;
    scene.service = (struct service){.name = "web",
                                     .listen = scene.listen,
                                     .listen_count = 2,
                                     .protocol = protocol,
                                     .handoff = handoff,
                                     .reuse_count = 1,
                                     .variables = scene.variables,
                                     .variable_templates = scene.templates};
    for (; (next = fact_variable_next(next, context)) != NULL; next++) {
        add_variable(next->name, next->template);
    }
    scene.connection.id = 17;
    scene.connection.from_peer_count = 3;
}

static void set_addresses(const char *peer, const char *local) {
    assert_true(address_parse(peer, &scene.connection.peer));
    assert_true(address_parse(local, &scene.connection.local));
}

static void set_user(uint32_t uid, uint32_t pid) {
    scene.connection.peer =
        (struct address){.family = ADDRESS_UNIX, .has_uid = true, .uid = uid, .pid = pid};
    scene.connection.local = (struct address){.family = ADDRESS_UNIX};
}

static void fill(void) {
    filling_clear(&scene.filling);
    scene.service.launch_bytes = template_launch_bytes(&scene.service);
    assert_int_equal(filling_reserve(&scene.filling, &scene.service), BATON_OK);
    filling_make(&scene.filling, &scene.service, &scene.connection);
}

/* All variables that are set, as "A=1 B=2 ". */
static const char *environment(void) {
    static char text[2048];
    size_t used = 0;
    fill();
    text[0] = '\0';
    for (size_t i = 0; i < scene.service.variable_count; i++) {
        if (scene.filling.values[i] != NULL) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s=%s ", scene.variables[i],
                                     scene.filling.values[i]);
            assert_true(used < sizeof text);
        }
    }
    return text;
}

/* What a template becomes as an argument. */
static const char *expand(const char *template) {
    static char *argv[2];
    static char argument[512];
    assert_true(strlen(template) < sizeof argument);
    memcpy(argument, template, strlen(template) + 1);
    argv[0] = argument;
    scene.service.argv = argv;
    scene.service.argc = 1;
    scene.service.argv_varies = true;
    fill();
    assert_ptr_equal(scene.filling.argv, scene.filling.argv_room);
    assert_null(scene.filling.argv[1]);
    assert_true(strlen(scene.filling.argv[0]) + 1 <= template_max_bytes(template, &scene.service));
    return scene.filling.argv[0];
}

static int tear_down(void **state) {
    (void)state;
    filling_clear(&scene.filling);
    filling_clear(&scene.filling); /* an empty one is accepted */
    return 0;
}

/* ---- Environments ---- */

static void a_tcp_connection_has_the_ucspi_and_cgi_names(void **state) {
    static const enum service_handoff handoffs[] = {HANDOFF_CHANNEL, HANDOFF_STDIO, HANDOFF_PUMP};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        set_scene(PROTOCOL_TCP, handoffs[i]);
        set_addresses("192.0.2.1:50122", "198.51.100.7:80");
        assert_string_equal(environment(),
                            "BATON_SERVICE=web BATON_ID=17 SERVER_ADDR=198.51.100.7 SERVER_PORT=80 "
                            "REMOTE_ADDR=192.0.2.1 REMOTE_PORT=50122 PROTO=TCP "
                            "TCPLOCALIP=198.51.100.7 TCPLOCALPORT=80 TCPREMOTEIP=192.0.2.1 "
                            "TCPREMOTEPORT=50122 TCPCONNNUM=3 ");
    }
}

static void ipv6_has_the_same_names_and_no_zone(void **state) {
    (void)state;
    set_scene(PROTOCOL_TCP, HANDOFF_STDIO);
    set_addresses("[fe80::1]:50122", "[2001:db8::2]:80");
    scene.connection.peer.scope_id = 2;
    assert_string_equal(environment(),
                        "BATON_SERVICE=web BATON_ID=17 SERVER_ADDR=2001:db8::2 SERVER_PORT=80 "
                        "REMOTE_ADDR=fe80::1 REMOTE_PORT=50122 PROTO=TCP TCPLOCALIP=2001:db8::2 "
                        "TCPLOCALPORT=80 TCPREMOTEIP=fe80::1 TCPREMOTEPORT=50122 TCPCONNNUM=3 ");
}

static void a_local_connection_has_the_unix_names(void **state) {
    (void)state;
    set_scene(PROTOCOL_UNIX, HANDOFF_STDIO);
    set_user(0, 4711);
    assert_string_equal(environment(), "BATON_SERVICE=web BATON_ID=17 PROTO=UNIX "
                                       "UNIXLOCALPATH=/run/web UNIXREMOTEEUID=0 "
                                       "UNIXREMOTEPID=4711 ");
    set_user(4294967295u, 4294967295u);
    assert_non_null(strstr(environment(), "EUID=4294967295 UNIXREMOTEPID=4294967295 "));
    set_user(0, 0); /* the system cannot name the process, as from another pid namespace */
    assert_string_equal(environment(), "BATON_SERVICE=web BATON_ID=17 PROTO=UNIX "
                                       "UNIXLOCALPATH=/run/web UNIXREMOTEEUID=0 ");
    assert_string_equal(expand("{peer_uid}:{peer_pid}"), "0:");
    scene.connection.peer.has_uid = false; /* it does not tell at all */
    assert_string_equal(environment(),
                        "BATON_SERVICE=web BATON_ID=17 PROTO=UNIX UNIXLOCALPATH=/run/web ");
}

static void a_client_named_by_a_proxy_is_a_tcp_client(void **state) {
    (void)state;
    set_scene(PROTOCOL_UNIX, HANDOFF_CHANNEL);
    set_addresses("192.0.2.1:50122", "[2001:db8::2]:443");
    assert_string_equal(environment(),
                        "BATON_SERVICE=web BATON_ID=17 SERVER_ADDR=2001:db8::2 SERVER_PORT=443 "
                        "REMOTE_ADDR=192.0.2.1 REMOTE_PORT=50122 PROTO=TCP "
                        "TCPLOCALIP=2001:db8::2 TCPLOCALPORT=443 TCPREMOTEIP=192.0.2.1 "
                        "TCPREMOTEPORT=50122 TCPCONNNUM=3 UNIXLOCALPATH=/run/web ");
}

static void whoever_gets_a_listener_knows_no_client(void **state) {
    static const char expected[] =
        "BATON_SERVICE=web BATON_ID=17 SERVER_ADDR=127.0.0.1 SERVER_PORT=69 ";
    (void)state;
    set_scene(PROTOCOL_UDP, HANDOFF_LISTENER);
    assert_true(address_parse("127.0.0.1:69", &scene.connection.local));
    assert_string_equal(environment(), expected);
    set_scene(PROTOCOL_TCP, HANDOFF_LISTENER);
    assert_true(address_parse("127.0.0.1:69", &scene.connection.local));
    assert_string_equal(environment(), expected);
    set_scene(PROTOCOL_UNIX, HANDOFF_LISTENER);
    scene.connection.local.family = ADDRESS_UNIX;
    assert_string_equal(environment(), "BATON_SERVICE=web BATON_ID=17 UNIXLOCALPATH=/run/web ");
}

/* ---- Processes that serve many ---- */

/* The variables of such a service at one place. A client that there is all the same tells nothing.
 */
static void set_many(enum service_protocol protocol, const char *place) {
    enum fact_context context = fact_context_of(protocol, HANDOFF_CHANNEL, true);
    const struct fact_variable *next = fact_variables;
    set_scene(protocol, HANDOFF_CHANNEL);
    scene.service.reuse_count = 0;
    scene.service.listen_count = 1;
    scene.listen[0].address.family = ADDRESS_UNIX;
    assert_true(place == NULL || address_parse(place, &scene.listen[0].address));
    set_addresses("192.0.2.1:50122", "198.51.100.7:80");
    scene.service.variable_count = 0;
    for (; (next = fact_variable_next(next, context)) != NULL; next++) {
        add_variable(next->name, next->template);
    }
}

static void who_serves_many_is_told_what_holds_for_all(void **state) {
    (void)state;
    set_many(PROTOCOL_TCP, "192.0.2.5:80");
    assert_string_equal(environment(), "BATON_SERVICE=web SERVER_ADDR=192.0.2.5 SERVER_PORT=80 ");
    scene.service.reuse_count = 1; /* is launched before its client comes */
    scene.service.spares_max_count = 1;
    assert_string_equal(environment(), "BATON_SERVICE=web SERVER_ADDR=192.0.2.5 SERVER_PORT=80 ");
    set_many(PROTOCOL_TCP, "[2001:db8::1]:80");
    assert_string_equal(environment(), "BATON_SERVICE=web SERVER_ADDR=2001:db8::1 SERVER_PORT=80 ");
    set_many(PROTOCOL_UNIX, NULL);
    assert_string_equal(environment(), "BATON_SERVICE=web UNIXLOCALPATH=/run/web ");
    scene.service.proxy_protocol = 1; /* names an address, and no path */
    assert_string_equal(environment(), "BATON_SERVICE=web UNIXLOCALPATH=/run/web ");
}

static void what_differs_between_clients_is_not_told_to_who_serves_many(void **state) {
    (void)state;
    set_many(PROTOCOL_TCP, "0.0.0.0:80"); /* each client comes to an address of its own */
    assert_string_equal(environment(), "BATON_SERVICE=web SERVER_PORT=80 ");
    set_many(PROTOCOL_TCP, "[::]:80");
    assert_string_equal(environment(), "BATON_SERVICE=web SERVER_PORT=80 ");
    set_many(PROTOCOL_TCP, "127.0.0.1:0"); /* the system has chosen another */
    assert_string_equal(environment(), "BATON_SERVICE=web ");
    set_many(PROTOCOL_TCP, "127.0.0.1:80");
    scene.service.listen_count = 2;
    assert_string_equal(environment(), "BATON_SERVICE=web ");
    set_many(PROTOCOL_TCP, "127.0.0.1:80");
    scene.service.proxy_protocol = 1;
    assert_string_equal(environment(), "BATON_SERVICE=web ");
    set_many(PROTOCOL_UNIX, NULL);
    scene.service.listen_count = 2;
    assert_string_equal(environment(), "BATON_SERVICE=web ");
}

static void templates_of_who_serves_many_know_no_client(void **state) {
    static const struct {
        const char *template, *text;
    } examples[] = {
        {"{service}:{port}", "web:80"},
        {"{protocol} {local_address}", "TCP 192.0.2.5"},
        {"{path}", ""},
        {"{id}{peer_address}{peer_port}{peer_uid}{peer_pid}{peer_count}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        set_many(PROTOCOL_TCP, "192.0.2.5:80");
        assert_string_equal(expand(examples[i].template), examples[i].text);
    }
    set_many(PROTOCOL_UNIX, NULL);
    assert_string_equal(expand("{protocol} {path} {port}"), "UNIX /run/web ");
    filling_make(&scene.filling, &scene.service, NULL);
    assert_string_equal(scene.filling.argv[0], "UNIX /run/web ");
}

/* ---- Templates ---- */

static void templates_are_expanded(void **state) {
    static const struct {
        const char *template, *text;
    } examples[] = {
        {"", ""},
        {"plain", "plain"},
        {"{service}", "web"},
        {"{id}", "17"},
        {"{protocol}", "TCP"},
        {"{port}", "80"},
        {"{local_address}", "198.51.100.7"},
        {"{peer_address}", "192.0.2.1"},
        {"{peer_port}", "50122"},
        {"{peer_count}", "3"},
        {"--from={peer_address}:{peer_port}/{service}", "--from=192.0.2.1:50122/web"},
        {"{port}{port}", "8080"},
        {"{{port}}", "{port}"},
        {"{{{port}}}", "{80}"},
        {"{{", "{"},
        {"}}", "}"},
        {"{{}}", "{}"},
        {"a{{b}}c", "a{b}c"},
        {"{path}", ""}, /* not known: an argument is empty */
        {"{peer_uid}{peer_pid}", ""},
        {"uid={peer_uid};", "uid=;"},
        {"\xc3\xa9{port}\xc3\xa9", "\xc3\xa9"
                                   "80\xc3\xa9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        set_scene(PROTOCOL_TCP, HANDOFF_STDIO);
        set_addresses("192.0.2.1:50122", "198.51.100.7:80");
        assert_null(template_check(examples[i].template, true));
        assert_string_equal(expand(examples[i].template), examples[i].text);
    }
}

static void a_variable_of_one_unknown_fact_is_not_set(void **state) {
    (void)state;
    set_scene(PROTOCOL_TCP, HANDOFF_STDIO);
    scene.service.variable_count = 0;
    set_addresses("192.0.2.1:50122", "198.51.100.7:80");
    add_variable("ALONE", "{path}");
    add_variable("WITH_TEXT", "path:{path}");
    add_variable("TWO", "{peer_uid}{path}");
    add_variable("BRACE", "{{path}}");
    add_variable("EMPTY", "");
    add_variable("PORT", "{port}");
    assert_string_equal(environment(), "WITH_TEXT=path: TWO= BRACE={path} EMPTY= PORT=80 ");
}

static void the_longest_texts_fit(void **state) {
    (void)state;
    set_scene(PROTOCOL_UNIX, HANDOFF_STDIO);
    assert_int_equal(template_max_bytes("", &scene.service), 1);
    assert_int_equal(template_max_bytes("{{x}}", &scene.service), 4);
    assert_int_equal(template_max_bytes("{service}/{service}", &scene.service), 8);
    assert_int_equal(template_max_bytes("{path}", &scene.service), sizeof "/run/web/much/longer");
    scene.connection.id = UINT64_MAX;
    set_addresses("[1111:1111:1111:1111:1111:1111:1111:1111]:65535",
                  "[1111:1111:1111:1111:1111:1111:1111:1111]:65535");
    assert_string_equal(expand("{id} {port} {local_address} {peer_address} {peer_port} {path}"),
                        "18446744073709551615 65535 1111:1111:1111:1111:1111:1111:1111:1111 "
                        "1111:1111:1111:1111:1111:1111:1111:1111 65535 /run/web");
    scene.connection.peer.family = ADDRESS_IPV6; /* mapped ones print the longest way */
    memset(scene.connection.peer.bytes, 0xff, 16);
    memset(scene.connection.peer.bytes, 0, 10);
    assert_string_equal(expand("{peer_address}"), "::ffff:255.255.255.255");
    set_user(UINT32_MAX, UINT32_MAX);
    assert_string_equal(expand("{peer_uid} {peer_pid}"), "4294967295 4294967295");
}

/* ---- Launches ---- */

static void arguments_that_do_not_vary_are_left_to_the_program(void **state) {
    static char name[] = "{port}";
    static char *argv[] = {name, NULL};
    (void)state;
    set_scene(PROTOCOL_TCP, HANDOFF_STDIO);
    set_addresses("192.0.2.1:1", "192.0.2.2:2");
    scene.service.argv = argv;
    scene.service.argc = 1;
    fill();
    assert_null(scene.filling.argv);
}

/* One room serves them all, one after the other. */
static void the_largest_service_makes_the_room(void **state) {
    static char first[] = "{service}", second[] = "{peer_address}{peer_address}";
    static char *argv[] = {first, second, NULL};
    struct service services[3];
    struct filling filling = {0};
    (void)state;
    set_scene(PROTOCOL_UNIX, HANDOFF_STDIO);
    set_addresses("192.0.2.1:1", "192.0.2.2:2");
    services[0] = (struct service){
        .name = "small", .listen = scene.listen, .listen_count = 1, .reuse_count = 1};
    services[1] = scene.service;
    services[1].argv = argv;
    services[1].argc = 2;
    services[1].argv_varies = true;
    services[2] = services[0];
    for (size_t i = 0; i < 3; i++) {
        services[i].launch_bytes = template_launch_bytes(&services[i]);
        assert_int_equal(filling_reserve(&filling, &services[i]), BATON_OK);
    }
    filling_make(&filling, &services[0], &scene.connection);
    assert_null(filling.argv);
    filling_make(&filling, &services[1], &scene.connection);
    assert_string_equal(filling.argv[0], "web");
    assert_string_equal(filling.argv[1], "192.0.2.1192.0.2.1");
    assert_null(filling.argv[2]);
    assert_string_equal(filling.values[0], "web");
    filling_make(&filling, &services[2], &scene.connection);
    assert_null(filling.argv);
    filling_clear(&filling);
    assert_null(filling.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_connection_has_the_ucspi_and_cgi_names),
        cmocka_unit_test(ipv6_has_the_same_names_and_no_zone),
        cmocka_unit_test(a_local_connection_has_the_unix_names),
        cmocka_unit_test(a_client_named_by_a_proxy_is_a_tcp_client),
        cmocka_unit_test(whoever_gets_a_listener_knows_no_client),
        cmocka_unit_test(who_serves_many_is_told_what_holds_for_all),
        cmocka_unit_test(what_differs_between_clients_is_not_told_to_who_serves_many),
        cmocka_unit_test(templates_of_who_serves_many_know_no_client),
        cmocka_unit_test(templates_are_expanded),
        cmocka_unit_test(a_variable_of_one_unknown_fact_is_not_set),
        cmocka_unit_test(the_longest_texts_fit),
        cmocka_unit_test(arguments_that_do_not_vary_are_left_to_the_program),
        cmocka_unit_test(the_largest_service_makes_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
