/* What each key is for, one paragraph each: the texts of the reference, which batond does not
 * carry. */
#include "core/service/key_reference.h"

static const char *const texts[KEY_COUNT] = {
    [KEY_LISTEN] =
        "Where to listen: one or more places, separated by commas. A place is a port (`8080`), a "
        "range of ports (`7000-7015`) or the name of a service in the system's list of services "
        "(`http`), each with or without a host before it: `127.0.0.1:8080`, `[::1]:http`. Names "
        "of hosts are not looked up. Without a host the address of `bind` is taken. Port 0 lets "
        "the system choose a free port; the log tells which. A service listens at 1024 places at "
        "most. With `protocol = unix` the value is the path of the socket's file, at most 107 "
        "bytes long. Required in every section of a service.",
    [KEY_LISTEN_NAMES] =
        "What the listeners are called in `LISTEN_FDNAMES`, as `FileDescriptorName=` in a systemd "
        "socket unit: a name for each place in `listen`, in the same order, separated by commas. "
        "The listeners of a range share its name. A name has 1 to 255 printable ASCII characters "
        "without `:` (nor `,`, which separates them). Otherwise each is called as the service is. "
        "On Windows, where each place is handed over by itself, the names are not used.",
    [KEY_HANDLER] = "The program to launch and its arguments, see \"Commands\". The arguments may "
                    "have templates. Required in every section of a service; in `[ports]` it is "
                    "the value of the line.",
    [KEY_ARGV0] = "What the handler is told to be called (its argument number 0); otherwise "
                  "that is the program as `handler` names it. Not together with an interpreter.",
    [KEY_HANDOFF] = "How the handler gets its clients, see \"Hand-off\". With `protocol = udp` it "
                    "is always `listener`. For a program without an SDK take `pump` on Windows.",
    [KEY_PROTOCOL] = "What `listen` speaks of: ports of TCP or UDP, or a local stream socket. "
                     "`[ports]` has ports of TCP only. Where the system has no local sockets "
                     "(Windows before 10 1803, Wine) the log tells so at start.",
    [KEY_STDERR] = "Where the handler's standard error goes: to the log, or to the client along "
                   "with its standard output, as under inetd.",
    [KEY_OUTPUT] = "What becomes of what the handler writes to standard output and error where "
                   "these go to the log: a line of the log for each line, or nothing. `null` saves "
                   "each launch a pipe.",
    [KEY_OUTPUT_RATE] =
        "How many lines a second of all its handlers' output the log takes from a service, with "
        "ten times as many at once. What is above that is left out and counted "
        "(`output_suppressed`). 0 is without a limit.",
    [KEY_OWN_LOG] =
        "A file of its own for all lines about this service: records, output, what fails. It is "
        "created, or appended to, and opened anew as batond's log is; several services may name "
        "the same. Where it cannot be opened its lines stand in batond's log, which says so "
        "(`log_failed`). `none`: in batond's log, whatever [defaults] says.",
    [KEY_LOG_SERVED] = "`no`: a connection that was served leaves no record in the log, and counts "
                       "for `batonctl status` alone. Every other outcome has its record.",
    [KEY_BIND] = "The address for every place in `listen` that has no host. `0.0.0.0` is every "
                 "IPv4 address of this machine and `::` every IPv6 address; `127.0.0.1` and `::1` "
                 "can be reached from this machine only.",
    [KEY_V6ONLY] = "`no` lets a socket that listens at `::` take IPv4 clients as well; then "
                   "nothing else can listen at that port for IPv4.",
    [KEY_BACKLOG] = "How many clients the system may keep waiting until they are accepted; a hint "
                    "to the system, which may take less.",
    [KEY_MAX_CONNECTIONS] = "How many connections of this service may live at once. At that "
                            "number accepting pauses, and further clients wait. All services "
                            "together: at most 32768, a service that hands over its listener "
                            "counting as one, or as its `workers`.",
    [KEY_MAX_PER_SOURCE] =
        "How many connections one source may have at once; further ones of it are refused "
        "(`refused_source`). A source is an IPv4 address, the first `source_prefix_bits` of an "
        "IPv6 address, at a local socket a user id; behind a proxy it is the client that the proxy "
        "names. 0 is no limit.",
    [KEY_SOURCE_PREFIX] =
        "How many bits of an IPv6 address make it one source. Whoever has an IPv6 connection has "
        "2^64 addresses as a rule, so fewer bits than 64 make one source of a provider's "
        "customers, and more make many of one machine.",
    [KEY_RATE] =
        "How fast clients may come: `50/s`, or `50/s burst 100` when as many as 100 may come at "
        "once after a pause; without `burst` that is the count itself. `none` is no limit. What is "
        "above it waits or is refused (`refused_rate`), see `when_full`. Where the listener is "
        "handed over it bounds how often the handler is launched. Clients who are refused when "
        "they "
        "come do not count. Those of a proxy (`proxy_protocol`) have to be accepted before it is "
        "known "
        "who they are, and wait for their turn behind their header; for one in the rate of "
        "[supervisor] "
        "no longer than `proxy_timeout_ms`, or they are refused.",
    [KEY_RATE_PER_SOURCE] =
        "The same for each source (see `max_per_source`), whose clients above it are always "
        "refused (`refused_rate`). The last 2048 sources that have no connection are remembered, "
        "of all services together (half as many where [supervisor] limits sources, too).",
    [KEY_WHEN_FULL] =
        "What becomes of clients above `max_connections` or `rate`: `queue` does not accept them "
        "until there is room, and they wait in the system's backlog; `refuse` accepts and closes "
        "them at once (`refused_full`, `refused_rate`), after `refuse_message`.",
    [KEY_REFUSE_MESSAGE] =
        "What a client reads who is refused for whatever reason, before the connection is closed. "
        "It may have templates; `\\n`, `\\r`, `\\t` and `\\\\` stand for the end of a line, a "
        "carriage return, a tab and a backslash: `\"421 {service}: too many connections\\r\\n\"`. "
        "It has at most 512 bytes. 64 such messages are under way at once at most, each for a "
        "second; who comes beyond that "
        "is closed without one.",
    [KEY_HANDSHAKE_TIMEOUT] = "How long a handler has from its launch until it says HELLO, and "
                              "from an offer until it acknowledges it. On Windows the value of "
                              "`[defaults]` also holds for listeners that are handed over.",
    [KEY_ATTEMPTS] = "To how many handler processes, one after the other, a connection is offered "
                     "before it is given up. Without a channel that is how often a launch is "
                     "tried; a program that was started has its client.",
    [KEY_REUSE] =
        "How many connections a handler process is offered in its life, in turn or at once; 0 is "
        "without end. With 1 each connection has a process of its own, which knows it from its "
        "environment. With more, and with `spares`, the environment has only what holds for the "
        "service, and the handler takes the facts of a connection from its OFFER (the SDKs give "
        "them by call); a template in `handler` or `environment` that differs between connections "
        "is a fault then. See \"Facts\".",
    [KEY_CAPACITY] =
        "The most connections that one process is offered at a time, whatever it said in HELLO; 0 "
        "leaves it to HELLO. More than 1 takes `reuse` other than 1, and at most that.",
    [KEY_MAX_HANDLERS] =
        "How many processes of the service may take clients, those that are being launched "
        "included and those that are ending left out. Clients beyond what these take wait. At most "
        "`max_connections`, and with 0 as many.",
    [KEY_SPARES] =
        "For how many connections handler processes are kept ready, launched ahead, so that a "
        "client need not wait for a launch. By itself it sets `spares_min` and `spares_max` as "
        "well; with them it is where the number starts. See `reuse` for what such a handler finds "
        "in its environment. At most `max_handlers`, and 0 is none.",
    [KEY_SPARES_MIN] =
        "The least that `spares` falls to when few clients come; otherwise as `spares`. More than "
        "`spares`, where that is given, or than `spares_max` is a fault.",
    [KEY_SPARES_MAX] =
        "The most that `spares` rises to when many clients come; otherwise as `spares`, or as "
        "`spares_min` where `spares` is not given. Less than one of these is a fault.",
    [KEY_IDLE_EXIT] =
        "How long a process may hold no connection until it is told to end, where `spares` does "
        "not keep it: without spares, down to none. 0 is for ever. It takes `spares`, or `reuse` "
        "other than 1.",
    [KEY_RETIRE_AFTER] =
        "How old a process may become, by turns up to a tenth less, so that those launched "
        "together do not all go at once: then it gets no more connections, and ends when it has "
        "finished those that it has. 0 is for ever. It takes `spares`, or `reuse` other than 1.",
    [KEY_RETIRE_MEMORY] =
        "How much resident memory a process may have when it has finished a connection: with more "
        "it gets no more connections, and ends when it has finished those that it has. 0 is no "
        "limit. It takes `reuse` other than 1.",
    [KEY_WORKERS] =
        "How many processes share the listener, from the start on: each is replaced when it ends, "
        "after a pause where they keep failing or ending at once, and has a line of the log as "
        "with 0. When what they run has changed they are replaced one by one: an old one is told "
        "to drain when a new one has had the listener for a second (nothing else tells that it "
        "works; so each takes that long), or for ten once one has ended early, so that the old "
        "ones serve on while a new version fails. If one shuts the listener down all "
        "are told to drain. Who is told so may go on with its clients, but is not to accept; one "
        "that does not obey goes on with the old program until it ends, or `max_runtime_ms` or a "
        "stop ends it. No more than twice `workers` live at once: a replacement waits for the end "
        "of those of the one before it. With 0 the first client that waits launches one, and when "
        "that has ended the next one who waits does. On Windows it is so many for each "
        "place in `listen`. They find the number in `BATON_WORKERS`, so that those made with the "
        "SDKs do not end when nobody comes. Not with `hours` or `rate`, which nobody could keep: "
        "workers accept clients by themselves.",
    [KEY_STOP_TIMEOUT] = "How long a handler that was asked to drain may go on before it is "
                         "terminated, and after that before it is killed. When batond stops, also "
                         "how long HELLO and an ACK are still awaited, if not for a shorter time. "
                         "To terminate is SIGTERM; on Windows Ctrl-Break, for a program without a "
                         "channel that has a console, and else the end of its job.",
    [KEY_MAX_RUNTIME] =
        "How long a connection may be with its handler; 0 is without a limit. Then the handler is "
        "told by CANCEL, if it has a channel, and has `stop_timeout_ms` to end it; one that does "
        "not, or has no channel, is terminated, and after that time once more killed. If it serves "
        "others at the same time it gets no more, and is ended when their time is up as well, or "
        "they are done. The outcome is `timed_out`, whatever the handler says after that. Where "
        "the handler has the listener (`handoff = listener`, UDP) it is the life of the handler, "
        "which is launched again when somebody waits.",
    [KEY_IDLE_TIMEOUT] =
        "How long a connection may be silent, with no byte moved either way: then the program is "
        "terminated, and after `stop_timeout_ms` killed, with the outcome `timed_out`; when it has "
        "ended, "
        "its client gets no more. 0 is off. "
        "For `handoff = pump` alone, since elsewhere nobody but the handler sees the bytes; "
        "`max_runtime_ms` and `keepalive` are for all.",
    [KEY_FIRST_BYTE_TIMEOUT] =
        "How long a client may be silent at first: no handler is launched, and nothing offered, "
        "before it has sent something, or has ended its sending; one that does neither in time is "
        "closed, with the outcome `no_first_byte`. It counts in `max_connections` meanwhile. 0 is "
        "off. For protocols in which the client speaks first alone: where the server does, both "
        "would wait. Behind a proxy the time begins with the end of the PROXY header.",
    [KEY_SANDBOX] =
        "`low`, on Windows alone: the handler gets a token without privileges, in which the groups "
        "of administrators count for denials only, at low integrity. That stops it from writing to "
        "files, folders, registry keys and other objects that are not labelled low, which is all "
        "but `AppData\\LocalLow` and what was labelled so (`icacls PATH /setintegritylevel L`); "
        "from opening or sending messages to processes above it; and from what takes an "
        "administrator. It does not stop it from reading what batond's user can read, from using "
        "the network, or from using memory and processors (`limit_memory`, `limit_cpu_s` and "
        "`limit_processes` do), and its children have the same token. It has run under Wine 8 "
        "alone, which takes away groups and privileges and knows no integrity. On other systems "
        "`user`, `chroot` and `no_new_privileges` are for that.",
    [KEY_SUCCESS_EXIT] =
        "Exit codes that mean that all went well (outcome `served`), separated by commas; every "
        "other one is a failure, 0 as well if it is not among them. `0, 255` is for `sshd -i`, "
        "which ends with 255 when the client has left. From 0 to 255, on Windows to 4294967295. "
        "What a handler says in DONE goes before its exit code.",
    [KEY_END_WITH_SUPERVISOR] =
        "Whether the handler gets SIGTERM when batond has ended without stopping it (`kill -9`). "
        "`auto`: one that has a listening or UDP socket does, since its port stays taken for as "
        "long as it lives; others go on with their clients. It holds for the process that was "
        "launched, not for its children, and not once it has changed its user. Windows has no such "
        "thing: there the end of its channel tells the handler.",
    [KEY_LEAVE_CHILDREN] =
        "What becomes of processes that a handler has started and that still run when it exits: "
        "`yes` lets them live on, through an ordered stop as well, as inetd does; `no` ends them "
        "with it. `auto` is `no` for `handoff = channel` and `yes` for the others. One that has "
        "left the process group (setsid) is met by a stop alone; it is ended if every service "
        "says `no`, or if the `BATON_SERVICE` in its environment is one that does. A pump goes on "
        "until its program's output is closed by all who have it.",
    [KEY_ENVIRONMENT] =
        "Variables `NAME=VALUE` that the handler gets besides those of "
        "`environment_from`, separated by blanks; quote as in \"Commands\": "
        "`LANGUAGE=en MOTTO=\"mind the gap\"`. The values may have templates. A variable of "
        "\"Facts\" that is named here has this value instead; names that begin with `BATON_`, "
        "`LISTEN_FDS`, `LISTEN_FDNAMES` and `LISTEN_PID` are reserved. A service that has the key "
        "does not get the variables of `[defaults]`. A name has letters, digits and `_`; on "
        "Windows "
        "whatever is no `=`, and no case of its own (`\"ProgramFiles(x86)=C:\\32\"`).",
    [KEY_ENVIRONMENT_FROM] =
        "Which of batond's own variables the handler gets: `none`, `all`, or names separated by "
        "commas. Whatever it says, a handler has `PATH`, `LANG` and `TZ` as far as batond has them "
        "(a `PATH` in any case), `HOME` and `USER` of the user that it runs as, its \"Facts\", and "
        "what `environment` says; on Windows `PATH`, `PATHEXT`, `SystemRoot`, `SystemDrive`, "
        "`windir`, `ComSpec`, `TEMP`, `TMP`, `USERNAME`, `USERPROFILE`, `APPDATA`, "
        "`LOCALAPPDATA`, `ProgramData`, `ProgramFiles`, `ProgramFiles(x86)`, `LANG` and `TZ`. What "
        "speaks of batond itself it never gets: `NOTIFY_SOCKET`, `CREDENTIALS_DIRECTORY`, "
        "`INVOCATION_ID`, `JOURNAL_STREAM`, `LISTEN_...`, `BATON_...` and the like.",
    [KEY_DIRECTORY] =
        "The folder in which the handler starts; otherwise it is the supervisor's, "
        "with `chroot` the new root, and `/` for one that runs as another user. On Windows its "
        "path has at most 258 characters.",
    [KEY_USER] = "The user that the handler runs as, a name or number of an account that there is. "
                 "Without it a "
                 "batond that is "
                 "started as root takes `default_user`, and any other its own; to run handlers as "
                 "somebody else takes root. Not on Windows, nor are the keys from here to "
                 "`no_new_privileges` but for `limit_memory`, `limit_cpu_s` and "
                 "`limit_processes`.",
    [KEY_GROUP] = "The group that it runs with; otherwise it is the user's own.",
    [KEY_GROUPS] = "Its supplementary groups, names or numbers separated by commas, or `none`; "
                   "otherwise those that the user is in.",
    [KEY_CHROOT] = "The folder that is the root of the handler's file system (chroot(2)). "
                   "`handler`, `directory` and who runs a script are looked up inside it, and so "
                   "are the loader "
                   "and libraries of a program; write paths that begin with `/`, since a relative "
                   "one, or a name in the handlers folder, stands for its whole path outside.",
    [KEY_UMASK] = "Which permissions new files of the handler do not get (umask(2)).",
    [KEY_NICE] = "What is added to batond's own niceness (nice(2)): less than 0 puts the handler "
                 "before others and takes privileges.",
    [KEY_OOM_SCORE_ADJ] =
        "How readily the system kills the handler when memory is short (proc(5)). It is 0 whatever "
        "batond's own is; where the system refuses that 0, which nobody has asked for, the handler "
        "keeps batond's, and the log says so once (`default_skipped`).",
    [KEY_LIMIT_MEMORY] =
        "The address space of each of its processes (RLIMIT_AS); on Windows the memory of the "
        "handler and all that it starts, together (its job). `inherited` is as "
        "batond was started with, here and in the other limits. With less than "
        "the program needs to be started it crashes or fails at once, or its clients wait.",
    [KEY_LIMIT_CORE] = "The size of the file that a crash leaves (RLIMIT_CORE).",
    [KEY_LIMIT_CPU] =
        "The time on processors of each of its processes, which is killed then "
        "(RLIMIT_CPU); on Windows of its job in user mode, which ends with 1816 then.",
    [KEY_LIMIT_FILES] = "Its open files (RLIMIT_NOFILE).",
    [KEY_LIMIT_PROCESSES] =
        "How many processes its user may have (RLIMIT_NPROC): the system counts all that run as "
        "that user, whoever has started them. Where more are there the service's clients wait, and "
        "nobody else's. Root is not bound by it. On Windows it counts the handler and what it has "
        "started. "
        "Wine 8 takes the limits of Windows and enforces none.",
    [KEY_CAPABILITIES] =
        "Which of root's privileges the handler keeps: names of capabilities(7) separated by "
        "commas "
        "(`net_bind_service`), or `none`. Without the key root keeps all, and any other user none.",
    [KEY_NO_NEW_PRIVILEGES] =
        "`yes`: nothing that the handler executes can give it privileges, be it set-user-ID "
        "(PR_SET_NO_NEW_PRIVS). `auto` is `yes` for `handoff = channel`, and `no` for the others, "
        "whose programs may need such ones (a mailer, sudo); `yes` is better wherever it works.",
    [KEY_ENABLED] = "`no` switches the service off and leaves its lines where they are. Its values "
                    "are still checked, but its handler and folders need not exist.",
    [KEY_SOCKET_MODE] = "The permissions of a local socket's file, in octal; who may write to it "
                        "may connect. It has them from the moment it exists. `0600` is its owner "
                        "alone, `0660` its group as well, `0666` everybody. Windows has no such "
                        "thing: there the folder's access list decides.",
    [KEY_SOCKET_OWNER] = "Who owns a local socket's file: `USER`, `USER:GROUP` or `:GROUP`, as "
                         "names or numbers; otherwise it is the supervisor's user and group. To "
                         "give it to another user takes root. Ignored on Windows.",
    [KEY_NODELAY] = "`yes` sends small pieces at once (TCP_NODELAY) instead of waiting for more.",
    [KEY_KEEPALIVE] = "`yes` has the system probe silent connections (SO_KEEPALIVE), so that one "
                      "whose client has vanished ends.",
    [KEY_ALLOW] =
        "Whose connections are let in: addresses and blocks of them, separated by commas, as in "
        "`192.0.2.7, 10.1.0.0/16, 2001:db8::/32`, and `@FILE` for those in a file of rules. "
        "Everybody else is refused, before any process is launched. See \"Rules\".",
    [KEY_DENY] = "Whose connections are refused; written as `allow`. Without `allow`, everybody "
                 "else is let in; with it, the most specific rule of both decides. See \"Rules\".",
    [KEY_ALLOW_UID] =
        "At a local socket, the users who are let in, by names or numbers; with `allow_gid`, "
        "they and the members of these groups. Without either, whoever may open the socket's file "
        "(`mode`, `owner`). root is let in only if it is named. Not on Windows, which does not "
        "tell who a client is.",
    [KEY_ALLOW_GID] = "At a local socket, the groups whose members are let in, by names or "
                      "numbers. What counts are the groups that the client had when it connected, "
                      "its own and its further ones (before Linux 4.13, only its own).",
    [KEY_HOURS] =
        "When clients are let in, in this machine's local time: `08:00-17:59, 22:00-02:00`. Both "
        "ends are part of it, to the end of their minute, as in xinetd; an end that is before the "
        "beginning is on the next day. Connections that are there already go on.",
    [KEY_KEEPALIVE_IDLE] = "How long a connection is silent before the first probe; 0 is the "
                           "system's choice, usually two hours.",
    [KEY_KEEPALIVE_INTERVAL] = "How long to wait for an answer to a probe before the next one; 0 "
                               "is the system's choice.",
    [KEY_KEEPALIVE_COUNT] = "How many probes without an answer end the connection; 0 is the "
                            "system's choice.",
    [KEY_DEFER_ACCEPT] = "On Linux a client is not shown to us before it has sent something, or "
                         "about this time has passed (TCP_DEFER_ACCEPT); no handler is launched "
                         "for one that only connects. Not for protocols in which the server "
                         "speaks first. 0 is off; other systems ignore it.",
    [KEY_RECEIVE_BUFFER] = "How much the system may keep of what the handler has not yet read "
                           "(SO_RCVBUF), a hint; 0 is the system's choice.",
    [KEY_SEND_BUFFER] = "The same for what the client has not yet taken (SO_SNDBUF).",
    [KEY_PROXY_PROTOCOL] = "`on`: every connection begins with a header of the PROXY protocol, "
                           "version 1 or 2, and the client that it names is the client for "
                           "everything after. A connection without one is closed. See \"Behind a "
                           "proxy\".",
    [KEY_PROXY_TRUSTED] = "Who may send PROXY headers: addresses and blocks of them, separated by "
                          "commas, as in `127.0.0.1, 10.1.0.0/16, 2001:db8::/32`. A connection "
                          "from anybody else is closed. Required with `proxy_protocol = on` and "
                          "TCP; at a local socket, `mode` and `owner` say who may connect.",
    [KEY_PROXY_TIMEOUT] = "How long a connection has from its acceptance until its PROXY header "
                          "is complete.",
    [KEY_DEFAULT_USER] = "The user of services without `user` when batond is started as root, such "
                         "as `nobody`; without effect otherwise. Root itself must be written, here "
                         "or there.",
    [KEY_OWN_USER] = "Whom batond itself becomes when it is started as root: see \"As whom\".",
    [KEY_HANDLERS] = "The handlers folder. `--handlers` on the command line goes before it; "
                     "without either it is the folder `handlers` of the installation.",
    [KEY_INCLUDE] = "Further files of the config, such as `ports.d/*.ini`: see \"In pieces\".",
    [KEY_INETD_CONF] = "An inetd.conf whose services are served as well, such as "
                       "`/etc/inetd.conf`: see \"An inetd.conf\". Not on Windows.",
    [KEY_INTERPRETER] = "The program, with arguments, that runs handlers whose file name ends in "
                        "`.EXT`: with `interpreter.py = /usr/bin/python3 -u`, the handler `a.py x` "
                        "runs as `/usr/bin/python3 -u /path/of/a.py x`. On Windows every handler "
                        "that is no .exe needs one; elsewhere a script names its own interpreter "
                        "in its first line, `#!`. On Windows .bat and .cmd are always refused: "
                        "what a client sends could reach their command line and be run.",
    [KEY_LOG] =
        "The log file; it is created, or appended to. `syslog` sends each line to the system's "
        "syslog (the socket /dev/log; not on Windows), `syslog:PATH` to the local datagram socket "
        "at PATH; a file of that name is `./syslog`. Otherwise the log goes to standard error.",
    [KEY_LOG_MODE] = "Permissions of a log file that batond makes, in octal, of services' too; one "
                     "that is there keeps its own. Where this is not written they are 0640 less "
                     "the umask. Without effect on Windows.",
    [KEY_SYSLOG_FACILITY] = "With `log = syslog`: as what its lines are sorted there.",
    [KEY_LOG_FORMAT] = "One line per event: as `key=value` pairs (`logfmt`), as a JSON object, or "
                       "as a short text for "
                       "people, with the local time, the service, the client and what happened. "
                       "`auto` is `text` on "
                       "a terminal and `logfmt` elsewhere. On a terminal a text has colours, "
                       "unless NO_COLOR is set "
                       "and not empty, or TERM is `dumb`.",
    [KEY_LOG_LEVEL] = "The least important events that are still logged.",
    [KEY_CONTROL] = "Where batond listens for `batonctl`: the path of a local socket, of mode "
                    "0600, or on Windows "
                    "of a named pipe, `\\\\.\\pipe\\NAME`; `none`: nowhere. Otherwise it is what "
                    "the environment "
                    "variable BATON_CONTROL says, or `control` in $RUNTIME_DIRECTORY, else (root) "
                    "in /run/baton, "
                    "else in $XDG_RUNTIME_DIR/baton; on Windows `\\\\.\\pipe\\baton`. See "
                    "supervisor/CONTROL.md.",
    [KEY_STATUS] = "The same for a second endpoint, which tells whoever connects what `batonctl "
                   "status` would, and "
                   "reads nothing; by default there is none.",
    [KEY_STATUS_MODE] =
        "Permissions of that socket, in octal; on Windows it is for administrators and batond's "
        "own user.",
    [KEY_LAUNCHERS] =
        "How many processes of batond (`batond-launcher`) launch handlers, so that nothing else "
        "waits while the system starts one: a program on a file server that hangs holds up no "
        "other service, nor do those of seven services at once. `0`: batond launches by itself, "
        "and all wait. `auto`: none on one processor, two for each where there are more, four at "
        "most. Linux 5.9; elsewhere, or with few open files, it is `0`.",
    [KEY_ALL_MAX_CONNECTIONS] = "How many connections of all services together may live at once.",
    [KEY_ALL_MAX_PER_SOURCE] = "How many connections one source may have at once with all services "
                               "together; 0 is no limit. Whom handlers accept by themselves "
                               "(`handoff = listener`) does not count, nor for "
                               "`rate_per_source`.",
    [KEY_ALL_SOURCE_PREFIX] = "How many bits of an IPv6 address make it one source of these.",
    [KEY_ALL_RATE] = "How fast clients may come to all services together. Whom `workers` accept "
                     "does not count.",
    [KEY_ALL_RATE_PER_SOURCE] = "The same for each source.",
    [KEY_ALL_WHEN_FULL] =
        "What becomes of clients above `max_connections` or `rate` of this section, as with the "
        "key of a service: who has to wait for one of them is not refused by the other.",
    [KEY_STRICT] = "`yes`: where one service cannot start because of what the machine lacks (its "
                   "program or who runs that, a folder), none does, and batond ends with 78. "
                   "Otherwise the others start, the log says `service_failed`, and it is tried "
                   "again until it can. `--check` tells all of that in both cases.",
    [KEY_STRICT_MODES] =
        "`yes`: when started as root, what others may change is refused: see \"What "
        "others may change\".",
    [KEY_KEEPER] =
        "`yes` (Linux): batond runs under `baton-keeper`, which lies beside it: a small parent "
        "that "
        "holds copies of the listening sockets, starts batond again when it has ended by a fault "
        "or "
        "has not been heard of for 30 seconds, and can do nothing else. Clients wait meanwhile, "
        "and "
        "none is refused. Its process is the one that was started: signals to it go to batond, and "
        "it ends as batond does. Under systemd, which does all that itself "
        "(`FileDescriptorStoreMax=`, `WatchdogSec=`), it does nothing.",
};

const char *key_help(enum key_id id) {
    return texts[id];
}
