/* A reply as people read it. */
#include "core/base/error.h"
#include "ctl/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_buffer out;
static struct ctl_show show;

static void keep(void *context, const char *text) {
    (void)context;
    ctl_put(&out, text);
}

static void begin(bool coloured, bool has_places) {
    ctl_buffer_clear(&out);
    ctl_put(&out, "");
    ctl_show_begin(&show, keep, NULL, coloured, has_places);
}

static void line(const char *text) {
    struct ctl_reply *reply = NULL;
    struct ctl_fault fault;
    assert_int_equal(ctl_reply_read(text, strlen(text), &reply, &fault), BATON_OK);
    ctl_show_line(&show, reply);
    ctl_reply_clear(&reply);
}

static void end(const char *expected) {
    assert_true(ctl_show_end(&show));
    assert_string_equal(out.text, expected);
    ctl_buffer_clear(&out);
}

static const char web[] =
    "{'v':1,'type':'service','service':'web','state':'serving','handoff':'channel','handler':'/h/"
    "web',"
    "'connections':3,'max_connections':64,'processes':4,'idle':1,'waiting':0,'accepted':1200,"
    "'served':1190,'failed':3,'refused':4}";

/* JSON with its quotes. */
static void quoted_line(const char *text) {
    char copy[1024] = "";
    for (size_t i = 0; text[i] != '\0'; i++) {
        assert_true(i + 1 < sizeof copy);
        copy[i] = text[i] == '\'' ? '"' : text[i];
    }
    line(copy);
}

static void services_are_a_table(void **state) {
    (void)state;
    begin(false, false);
    quoted_line(web);
    quoted_line("{'v':1,'type':'place','service':'web','address':'127.0.0.1:80','open':true}");
    quoted_line("{'v':1,'type':'service','service':'mail','state':'failed','reason':'no program',"
                "'connections':0,'processes':0}");
    quoted_line("{'v':1,'type':'place','service':'mail','address':'[::]:25','open':false,"
                "'reason':'in use'}");
    quoted_line("{'v':1,'type':'place','service':'mail','address':'[::]:26','open':false}");
    end("SERVICE  STATE    LIVE  WAIT  PROCS  IDLE  ACCEPTED  SERVED  FAILED  REFUSED\n"
        "web      serving  3/64     0      4     1      1200    1190       3        4\n"
        "mail     failed      0            0\n"
        "\n"
        "mail: no program\n"
        "mail: [::]:25 is not open: in use\n"
        "mail: [::]:26 is not open\n");
}

static void services_have_places(void **state) {
    (void)state;
    begin(false, true);
    quoted_line(web);
    quoted_line("{'v':1,'type':'place','service':'web','address':'127.0.0.1:80','open':true,"
                "'protocol':'tcp'}");
    quoted_line("{'v':1,'type':'place','service':'web','address':'127.0.0.1:53','open':true,"
                "'protocol':'udp'}");
    end("SERVICE  STATE    HANDOFF  HANDLER  PLACES\n"
        "web      serving  channel  /h/web   127.0.0.1:80, 127.0.0.1:53/udp\n");
}

static void a_place_without_its_service_is_no_fault(void **state) {
    (void)state;
    begin(false, true);
    quoted_line("{'v':1,'type':'place','service':'web','address':'127.0.0.1:80','open':true}");
    end("");
    begin(false, true);
    quoted_line("{'v':1,'type':'connection','id':7}");
    quoted_line("{'v':1,'type':'place','service':'web','address':'127.0.0.1:80','open':true}");
    end("ID  AGE\n"
        " 7  0ms\n");
}

static void colours_are_only_for_states(void **state) {
    (void)state;
    begin(true, false);
    quoted_line("{'v':1,'type':'service','service':'a','state':'serving'}");
    quoted_line("{'v':1,'type':'service','service':'b','state':'paused'}");
    quoted_line("{'v':1,'type':'service','service':'c','state':'new'}");
    end("SERVICE  STATE    LIVE\n"
        "a        \033[32mserving\033[0m     0\n"
        "b        \033[33mpaused\033[0m      0\n"
        "c        new         0\n");
}

static void batond_says_how_it_is(void **state) {
    (void)state;
    begin(false, false);
    quoted_line(
        "{'v':1,'type':'supervisor','version':'1.2','pid':7,'uptime_ms':93784000,'config':'/c',"
        "'state':'serving','log_level':'info','services':1,'listeners_open':1,"
        "'listeners_failed':2,'connections':1,'processes':2,'launchers':0,'accepted':9,"
        "'log_lost':3}");
    quoted_line("{'v':1,'type':'outcomes','served':7,'failed':2}");
    end("batond 1.2, pid 7, serving, up 1d 2h\n"
        "config /c, log level info\n"
        "1 service, 1 open place, 2 not open, 2 handler processes, 0 launchers\n"
        "1 live connection, 9 accepted since the start\n"
        "the log lacks 3 lines\n"
        "ended: served 7, failed 2\n");
}

static void connections_are_a_table(void **state) {
    (void)state;
    begin(false, false);
    quoted_line(
        "{'v':1,'type':'connection','service':'web','id':17,'peer':'127.0.0.1:5','state':'held',"
        "'pid':99,'age_ms':1500}");
    quoted_line("{'v':1,'type':'connection','service':'w','id':9,'state':'held','ending':true,"
                "'age_ms':61000}");
    end("ID  SERVICE  PEER         STATE         PID    AGE\n"
        "17  web      127.0.0.1:5  held           99   1.5s\n"
        " 9  w                     held, ending       1m 1s\n");
}

static void events_are_lines(void **state) {
    (void)state;
    begin(false, false);
    quoted_line("{'v':1,'type':'event','time':'T','level':'info','event':'connection','id':17,"
                "'outcome':'served','text':'two words'}");
    quoted_line("{'v':1,'type':'lost','count':17}");
    line("{\"v\":1,\"type\":\"event\",\"time\":\"T\",\"level\":\"warning\",\"event\":\"output\","
         "\"text\":\"a \\\"b\\\" \\u001b[2J\\n\\u202e\\u009b\"}");
    end("T info connection id=17 outcome=served text=\"two words\"\n"
        "(17 lines lost here: they were not taken as fast as they came)\n"
        "T warning output text=\"a \\\"b\\\" \\x1b[2J\\x0a\\u202e\\x9b\"\n");
}

static void reloads_and_waits_are_told(void **state) {
    (void)state;
    begin(false, false);
    quoted_line(
        "{'v':1,'type':'change','service':'web','what':'changed','keys':['listen','rate']}");
    quoted_line("{'v':1,'type':'change','service':'new','what':'added'}");
    quoted_line("{'v':1,'type':'problem','text':'ports.ini:3: wrong'}");
    quoted_line("{'v':1,'type':'waiting','service':'web','connections':1,'processes':2}");
    quoted_line("{'v':1,'type':'tomorrow','service':'web'}");
    end("changed web: listen, rate\n"
        "added new\n"
        "ports.ini:3: wrong\n"
        "web: waiting for 1 connection and 2 processes\n");
}

static void fields_of_other_types_are_passed_over(void **state) {
    static const char *const types[] = {"supervisor", "outcomes", "service", "place",
                                        "connection", "event",    "lost",    "change",
                                        "problem",    "waiting"};
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        begin(true, i % 2 == 0);
        text_format(
            text, sizeof text,
            "{'v':1,'type':'%s','service':[1],'state':7,'reason':{},'address':null,'open':'x',"
            "'text':5,'time':false,'level':3,'event':-1,'what':1.5,'keys':'k','config':3,"
            "'connections':'many','uptime_ms':null,'peer':true,'id':'x','count':[]}",
            types[i]);
        quoted_line(text);
        assert_true(ctl_show_end(&show));
    }
    ctl_buffer_clear(&out);
}

static void an_end_says_why(void **state) {
    struct ctl_reply *reply = NULL;
    struct ctl_fault fault;
    static const char text[] =
        "{\"v\":1,\"type\":\"end\",\"ok\":false,\"text\":\"no \\u0007\",\"hint\":\"yes\"}";
    (void)state;
    assert_int_equal(ctl_reply_read(text, strlen(text), &reply, &fault), BATON_OK);
    ctl_show_verdict(reply, &out);
    assert_string_equal(out.text, "no \\x07; yes");
    ctl_reply_clear(&reply);
    ctl_buffer_clear(&out);
}

static void raw_json_stays_what_it_means(void **state) {
    static const char text[] = "{\"a\":\t\"\x7f\xc2\x9b\xe2\x80\xae\xc3\xa9\"}\r";
    (void)state;
    ctl_put_safe_json(&out, text, strlen(text));
    assert_string_equal(out.text, "{\"a\": \"\\u007f\\u009b\\u202e\xc3\xa9\"} ");
    ctl_buffer_clear(&out);
}

static void times_have_two_units_at_most(void **state) {
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0ms"},
                 {999, "999ms"},
                 {1000, "1.0s"},
                 {9999, "9.9s"},
                 {10000, "10s"},
                 {60000, "1m"},
                 {61000, "1m 1s"},
                 {3600000, "1h"},
                 {3660000, "1h 1m"},
                 {3601000, "1h"},
                 {86400000, "1d"},
                 {90000000, "1d 1h"},
                 {UINT64_MAX, "213503982334d 14h"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ctl_put_duration(&out, cases[i].ms);
        assert_string_equal(out.text, cases[i].text);
        ctl_buffer_clear(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_a_table),
        cmocka_unit_test(services_have_places),
        cmocka_unit_test(a_place_without_its_service_is_no_fault),
        cmocka_unit_test(colours_are_only_for_states),
        cmocka_unit_test(batond_says_how_it_is),
        cmocka_unit_test(connections_are_a_table),
        cmocka_unit_test(events_are_lines),
        cmocka_unit_test(reloads_and_waits_are_told),
        cmocka_unit_test(fields_of_other_types_are_passed_over),
        cmocka_unit_test(an_end_says_why),
        cmocka_unit_test(raw_json_stays_what_it_means),
        cmocka_unit_test(times_have_two_units_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
