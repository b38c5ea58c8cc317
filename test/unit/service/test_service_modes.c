/* Hand-off modes, protocols, places and templates, as the rest of the supervisor finds them. */
#include "config_world.h"
#include "core/base/error.h"
#include "core/service/template.h"
#include "core/tell/filling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct service_table load(const struct service_machine *world, const char *ini) {
    struct service_table table = {0};
    assert_int_equal(
        config_world_load(world, CONFIG_FORMAT_INI, "f.ini", ini, strlen(ini), &table, NULL),
        BATON_OK);
    return table;
}

/* The number of the variable, or -1. */
static int find_variable(const struct service *service, const char *name) {
    for (size_t i = 0; i < service->variable_count; i++) {
        if (strcmp(service->variables[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void expect_place(const struct service *service, size_t index, const char *expected) {
    char text[ADDRESS_TEXT_SIZE];
    assert_true(index < service->listen_count);
    assert_string_equal(address_print(&service->listen[index].address, text, sizeof text),
                        expected);
    assert_null(service->listen[index].path);
}

static void a_service_is_as_it_was_without_new_keys(void **state) {
    struct service_table table = load(&config_world_posix, "[ports]\n7777 = ok -v\n");
    const struct service *service = &table.services[0];
    (void)state;
    assert_int_equal(service->handoff, HANDOFF_CHANNEL);
    assert_int_equal(service->protocol, PROTOCOL_TCP);
    assert_true(service->has_channel);
    assert_int_equal(service->stderr_to, STDERR_LOG);
    assert_int_equal(service->v6only, 1);
    assert_int_equal(
        service->options.nodelay + service->options.keepalive + service->options.defer_accept_s, 0);
    assert_int_equal(service->options.receive_buffer_bytes + service->options.send_buffer_bytes, 0);
    assert_int_equal(service->proxy_protocol, 0);
    assert_false(service->argv_varies);
    service_table_clear(&table);
}

static void each_mode_is_told(void **state) {
    static const char ini[] = "[a]\nlisten = 1\nhandler = ok\nhandoff = stdio\nstderr = socket\n"
                              "[b]\nlisten = 2\nhandler = ok\nhandoff = listener\n"
                              "[c]\nlisten = 3\nhandler = ok\nhandoff = pump\n"
                              "[d]\nlisten = 4\nhandler = ok\nprotocol = udp\n"
                              "[defaults]\nmax_connections = 7\nattempts = 3\nstderr = log\n";
    static const uint32_t handoffs[] = {HANDOFF_STDIO, HANDOFF_LISTENER, HANDOFF_PUMP,
                                        HANDOFF_LISTENER};
    (void)state;
    for (int windows = 0; windows < 2; windows++) {
        struct service_table table =
            load(windows != 0 ? &config_world_windows : &config_world_posix, ini);
        for (size_t i = 0; i < 4; i++) {
            const struct service *service = &table.services[i];
            bool listener = handoffs[i] == HANDOFF_LISTENER;
            assert_int_equal(service->handoff, handoffs[i]);
            assert_int_equal(service->has_channel, listener && windows != 0);
            assert_int_equal(service->max_connections_count, listener ? 1 : 7);
            assert_int_equal(service->attempts_count, listener ? 1 : 3);
            assert_int_equal(service->stderr_to, i == 0 ? STDERR_SOCKET : STDERR_LOG);
        }
        assert_int_equal(table.services[3].protocol, PROTOCOL_UDP);
        service_table_clear(&table);
    }
}

/* An OFFER has one listener, a launch takes all of them along. */
static void each_place_has_its_activation_where_it_is_offered(void **state) {
    static const char ini[] = "[a]\nlisten = 1, 2, 5-7\nhandler = ok\nhandoff = listener\n";
    (void)state;
    for (int windows = 0; windows < 2; windows++) {
        struct service_table table =
            load(windows != 0 ? &config_world_windows : &config_world_posix, ini);
        assert_int_equal(table.services[0].listen_count, 5);
        assert_int_equal(table.services[0].max_connections_count, windows != 0 ? 5 : 1);
        service_table_clear(&table);
    }
}

static void defaults_hold_where_they_can_be_honoured(void **state) {
    static const char ini[] =
        "[defaults]\nhandoff = stdio\nstderr = socket\nnodelay = yes\n"
        "keepalive = yes\nhandshake_timeout_ms = 11\nmode = 0666\n"
        "owner = alice:users\nproxy_protocol = on\nproxy_trusted = ::1, 10.0.0.0/8\n"
        "[ports]\n1 = ok\n"
        "[udp]\nlisten = 1\nprotocol = udp\nhandler = ok\n"
        "[local]\nlisten = data/x\nprotocol = unix\nhandler = ok\n";
    struct service_table table = load(&config_world_posix, ini);
    const struct service *tcp = &table.services[0];
    const struct service *udp = &table.services[1];
    const struct service *local = &table.services[2];
    (void)state;
    assert_int_equal(tcp->options.nodelay + tcp->options.keepalive + tcp->proxy_protocol, 3);
    assert_int_equal(tcp->proxy_trusted_count, 2);
    assert_int_equal(tcp->handshake_timeout_ms, 5000);
    assert_null(tcp->socket_user);
    assert_int_equal(udp->options.nodelay + udp->options.keepalive + udp->proxy_protocol, 0);
    assert_int_equal(udp->proxy_trusted_count, 0);
    assert_int_equal(udp->stderr_to, STDERR_LOG);
    assert_int_equal(local->options.nodelay, 0);
    assert_int_equal(local->proxy_protocol, 1);
    assert_int_equal(local->proxy_trusted_count, 0);
    assert_int_equal(local->socket_mode, 0666);
    assert_string_equal(local->socket_user, "alice");
    assert_string_equal(local->socket_group, "users");
    assert_int_equal(local->socket_ids[0], 1001);
    assert_int_equal(local->socket_ids[1], 100);
    assert_string_equal(local->listen[0].path, "/srv/data/x");
    assert_int_equal(local->listen[0].address.family, ADDRESS_UNIX);
    service_table_clear(&table);
}

/* On Windows a listener goes over a channel, whose deadline then holds. */
static void a_listener_with_a_channel_has_its_deadline(void **state) {
    static const char ini[] = "[defaults]\nhandshake_timeout_ms = 20000\n"
                              "[a]\nlisten = 1\nhandoff = listener\nhandler = ok\n";
    struct service_table table = load(&config_world_windows, ini);
    (void)state;
    assert_int_equal(table.services[0].handshake_timeout_ms, 20000);
    service_table_clear(&table);
}

static void places_are_in_the_order_of_the_list(void **state) {
    struct service_table table =
        load(&config_world_posix, "[a]\nlisten = 7001-7003 ,[::1]:http,127.0.0.1:6000-6001,\t0\n"
                                  "bind = ::\nhandler = ok\n"
                                  "[b]\nlisten = z39.50\nhandler = ok\n");
    const struct service *service = &table.services[0];
    (void)state;
    assert_int_equal(service->listen_count, 7);
    expect_place(service, 0, "[::]:7001");
    expect_place(service, 2, "[::]:7003");
    expect_place(service, 3, "[::1]:80");
    expect_place(service, 4, "127.0.0.1:6000");
    expect_place(service, 5, "127.0.0.1:6001");
    expect_place(service, 6, "[::]:0");
    expect_place(&table.services[1], 0, "0.0.0.0:210");
    service_table_clear(&table);
}

static void a_line_of_ports_may_be_a_list(void **state) {
    struct service_table table =
        load(&config_world_posix, "[ports]\n7000-7002, http = ok\n65535 = ok\n");
    (void)state;
    assert_int_equal(table.services[0].listen_count, 4);
    expect_place(&table.services[0], 3, "0.0.0.0:80");
    assert_string_equal(table.services[0].name, "ok-7000");
    assert_string_equal(table.services[1].name, "ok-65535");
    service_table_clear(&table);
}

static void variables_are_parted_from_the_environment(void **state) {
    struct service_table table =
        load(&config_world_posix,
             "[a]\nlisten = 1\nhandler = ok\n"
             "environment = A=1 B=\"{port} x\" REMOTE_ADDR=none PROTO={id} C={{}}\n");
    const struct service *service = &table.services[0];
    (void)state;
    assert_int_equal(service->environment_count, 2 + 5);
    assert_string_equal(service->environment[0], "A=1");
    assert_string_equal(service->environment[1], "REMOTE_ADDR=none");
    assert_null(service->environment[2 + 5]);
    assert_null(service->variables[service->variable_count]);
    /* What the config names takes the place of the fact. */
    assert_int_equal(find_variable(service, "REMOTE_ADDR"), -1);
    int proto = find_variable(service, "PROTO");
    int b = find_variable(service, "B");
    int c = find_variable(service, "C");
    int remote_port = find_variable(service, "REMOTE_PORT");
    assert_true(proto >= 0 && b >= 0 && c >= 0 && remote_port >= 0);
    assert_string_equal(service->variable_templates[proto], "{id}");
    assert_string_equal(service->variable_templates[b], "{port} x");
    assert_string_equal(service->variable_templates[c], "{{}}");
    assert_string_equal(service->variable_templates[remote_port], "{peer_port}");
    service_table_clear(&table);
}

static void the_environment_tells_the_handoff_and_its_times(void **state) {
    static const char ini[] = "[defaults]\nstop_timeout_ms = 7\nhandshake_timeout_ms = 60000\n"
                              "[a]\nlisten = 1\nhandler = ok\nstop_timeout_ms = 8\n"
                              "[b]\nlisten = 2\nhandler = ok\nhandoff = stdio\n"
                              "[c]\nlisten = 3\nhandler = ok\nhandoff = pump\n"
                              "[d]\nlisten = 4\nhandler = ok\nhandoff = listener\n"
                              "[e]\nlisten = 5\nhandler = ok\nprotocol = udp\n"
                              "[f]\nlisten = 6\nhandler = ok\nreuse = 0\n"
                              "[g]\nlisten = 7\nhandler = ok\nspares_max = 1\n"
                              "[h]\nlisten = 8\nhandler = ok\nhandoff = listener\nworkers = 4\n";
    static const char *const expected[2][8] = {
        {"BATON_HANDOFF=channel BATON_STOP_MS=8 BATON_HANDSHAKE_MS=60000 BATON_REUSE=1 "
         "BATON_FACTS=environment ",
         "BATON_HANDOFF=stdio BATON_STOP_MS=7 ", "BATON_HANDOFF=pump BATON_STOP_MS=7 ",
         "BATON_HANDOFF=listener BATON_STOP_MS=7 ", "BATON_HANDOFF=listener BATON_STOP_MS=7 ",
         "BATON_HANDOFF=channel BATON_STOP_MS=7 BATON_HANDSHAKE_MS=60000 BATON_REUSE=0 "
         "BATON_FACTS=offer ",
         "BATON_HANDOFF=channel BATON_STOP_MS=7 BATON_HANDSHAKE_MS=60000 BATON_REUSE=1 "
         "BATON_FACTS=offer ",
         "BATON_HANDOFF=listener BATON_STOP_MS=7 BATON_WORKERS=4 "},
        {"BATON_HANDOFF=channel BATON_STOP_MS=8 BATON_HANDSHAKE_MS=60000 BATON_REUSE=1 "
         "BATON_FACTS=environment ",
         "BATON_HANDOFF=stdio BATON_STOP_MS=7 ", "BATON_HANDOFF=pump BATON_STOP_MS=7 ",
         "BATON_HANDOFF=listener BATON_STOP_MS=7 BATON_HANDSHAKE_MS=60000 BATON_REUSE=0 "
         "BATON_FACTS=environment ",
         "BATON_HANDOFF=listener BATON_STOP_MS=7 BATON_HANDSHAKE_MS=60000 BATON_REUSE=0 "
         "BATON_FACTS=environment ",
         "BATON_HANDOFF=channel BATON_STOP_MS=7 BATON_HANDSHAKE_MS=60000 BATON_REUSE=0 "
         "BATON_FACTS=offer ",
         "BATON_HANDOFF=channel BATON_STOP_MS=7 BATON_HANDSHAKE_MS=60000 BATON_REUSE=1 "
         "BATON_FACTS=offer ",
         "BATON_HANDOFF=listener BATON_STOP_MS=7 BATON_WORKERS=4 BATON_HANDSHAKE_MS=60000 "
         "BATON_REUSE=0 BATON_FACTS=environment "}};
    (void)state;
    for (size_t on_windows = 0; on_windows < 2; on_windows++) {
        struct service_table table =
            load(on_windows ? &config_world_windows : &config_world_posix, ini);
        for (size_t i = 0; i < 8; i++) {
            char text[256] = "";
            size_t used = 0;
            for (char **at = table.services[i].environment; *at != NULL; at++) {
                used += (size_t)snprintf(text + used, sizeof text - used, "%s ", *at);
                assert_true(used < sizeof text);
            }
            assert_string_equal(text, expected[on_windows][i]);
        }
        service_table_clear(&table);
    }
}

static void names_of_variables_have_no_case_on_windows(void **state) {
    static const char ini[] = "[a]\nlisten = 1\nhandler = ok\nenvironment = Remote_Addr=x\n";
    struct service_table table = load(&config_world_windows, ini);
    (void)state;
    assert_int_equal(find_variable(&table.services[0], "REMOTE_ADDR"), -1);
    service_table_clear(&table);
    table = load(&config_world_posix, ini);
    assert_true(find_variable(&table.services[0], "REMOTE_ADDR") >= 0);
    service_table_clear(&table);
}

/* Fills in the arguments of a launch for a client from 192.0.2.1:4242, and tells whether all that a
 * launch adds has the room that was measured. */
static void expect_arguments(const struct service_table *table, const char *const *expected) {
    const struct service *service = &table->services[0];
    struct connection connection = {
        .id = 17,
        .peer = {.family = ADDRESS_IPV4, .bytes = {192, 0, 2, 1}, .port = 4242},
        .local = {.family = ADDRESS_IPV4, .bytes = {127, 0, 0, 1}, .port = 7001}};
    struct filling filling = {0};
    size_t used_bytes = 0;
    assert_int_equal(filling_reserve(&filling, service), BATON_OK);
    filling_make(&filling, service, &connection);
    assert_non_null(filling.argv);
    for (size_t i = 0; i < service->argc; i++) {
        assert_string_equal(filling.argv[i], expected[i]);
        used_bytes += strlen(filling.argv[i]) + 1;
    }
    for (size_t i = 0; i < service->variable_count; i++) {
        used_bytes += filling.values[i] == NULL ? 0 : strlen(filling.values[i]) + 1;
    }
    assert_true(used_bytes <= service->launch_bytes);
    filling_clear(&filling);
}

static void templates_are_for_the_handlers_own_arguments(void **state) {
    struct service_table table =
        load(&config_world_posix, "[a]\nlisten = 7001\nargv0 = {port}\n"
                                  "handler = ok {port} x{peer_address}y {{ '{service} {id}'\n");
    (void)state;
    assert_true(table.services[0].argv_varies);
    assert_string_equal(table.services[0].argv0, "{port}");
    expect_arguments(&table, (const char *const[]){"{port}", "7001", "x192.0.2.1y", "{", "a 17"});
    service_table_clear(&table);
    table = load(&config_world_posix, "[a]\nlisten = 7001\nhandler = data.rb {id}\n"
                                      "[supervisor]\ninterpreter.rb = /usr/bin/ruby {W}\n");
    expect_arguments(&table,
                     (const char *const[]){"/usr/bin/ruby", "{W}", "/srv/handlers/data.rb", "17"});
    service_table_clear(&table);
    /* Without any, all is as it stands. */
    table = load(&config_world_posix, "[a]\nlisten = 7001\nhandler = data.rb x\n"
                                      "[supervisor]\ninterpreter.rb = /usr/bin/ruby {W}\n");
    assert_false(table.services[0].argv_varies);
    assert_string_equal(table.services[0].argv[1], "{W}");
    service_table_clear(&table);
}

static void print(void *context, const char *text) {
    config_output_add(context, text);
}

static void a_thousand_places_are_printed_as_a_range(void **state) {
    struct service_table table =
        load(&config_world_posix, "[a]\nlisten = 10000-11023\nhandler = ok\n");
    struct config_output out = {0};
    (void)state;
    service_table_print(&table, false, print, &out);
    assert_non_null(strstr(out.text, "a  0.0.0.0:10000-11023  /srv/handlers/ok\n"));
    assert_true(out.length < 200);
    free(out.text);
    service_table_clear(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_as_it_was_without_new_keys),
        cmocka_unit_test(each_mode_is_told),
        cmocka_unit_test(each_place_has_its_activation_where_it_is_offered),
        cmocka_unit_test(defaults_hold_where_they_can_be_honoured),
        cmocka_unit_test(a_listener_with_a_channel_has_its_deadline),
        cmocka_unit_test(places_are_in_the_order_of_the_list),
        cmocka_unit_test(a_line_of_ports_may_be_a_list),
        cmocka_unit_test(variables_are_parted_from_the_environment),
        cmocka_unit_test(the_environment_tells_the_handoff_and_its_times),
        cmocka_unit_test(names_of_variables_have_no_case_on_windows),
        cmocka_unit_test(templates_are_for_the_handlers_own_arguments),
        cmocka_unit_test(a_thousand_places_are_printed_as_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
