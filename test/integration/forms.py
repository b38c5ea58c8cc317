"""Lines of xinetd.conf and inetd.conf for test_import_shapes, each in an otherwise plain service.

`/srv/NAME` is a program of the test, `@` in a line of inetd.conf its port.
"""

# One line (or several) in an otherwise plain service. Whoever is let in by Baton must be let in by
# xinetd, whatever stands here. No names of hosts, which would be looked up elsewhere.
LINES = [
    "Disable = yes", "disable = YES", "disable=yes", "disable = yes please", "disable = perhaps",
    "disable =", "disable = no\n\tdisable = yes", "flags = REUSE WHATEVER",
    "flags = REUSE WHATEVER\n\tdisable = no", "flags = REUSE\n\tflags += SENSOR", "flags = DISABLE",
    "flags =", "flags = reuse ipv4", "flags = IPv4 IPv6", "Flags = sensor", "flags = NAMEINARGS",
    "flags = NOLIBWRAP NORETRY KEEPALIVE NODELAY", "flags = LABELED", "flags = INTERCEPT",
    "instances = lots", "instances = 0", "instances = 5 6", "instances = unlimited",
    "instances = -1", "per_source = 0", "per_source = x", "per_source = UNLIMITED", "cps = a b",
    "cps = 10", "cps = 0 30", "max_load = 0", "max_load = x", "max_load = 900",
    "group = nosuch-group", "group = 0", "group = nogroup", "colour = blue", "colour", "nice =",
    "nice = x", "nice = 5", "nice=5", "nice +=5", "= 5", "{", "} x", "umask = 9", "umask = 0777",
    "umask = 1777", "deny_time = x", "deny_time = FOREVER", "v6only = maybe", "v6only = yes",
    "groups = maybe", "groups = YES", "rlimit_as = x", "rlimit_cpu = 5k", "rlimit_files = 64",
    "server_args =", "server_args = x y\n\tflags = NAMEINARGS", "server_args = a \\\n\tb",
    "server_args = \"a b\" c", "server_args = }", "env = NOEQ", "env -= A=1", "env += A=1",
    "passenv =", "only_from = 127.0.0.1", "only_from = 127.0.0.2", "ONLY_FROM = 127.0.0.2",
    "only_from =", "only_from = 127.0.0.0", "only_from = 127.0.0.0/8", "only_from = 127",
    "only_from = 127.0.0.0/255.0.0.0", "only_from = 127.1", "only_from = 0.0.0.0",
    "only_from = 0.0.0.0/0", "only_from = 0", "only_from = 0/0", "only_from = 0.0.0.0/32",
    "only_from = ::/0", "only_from = ::", "only_from = ::1", "only_from = ::1/128",
    "only_from = ::/0\n\tflags = IPv4", "only_from = 0.0.0.0\n\tv6only = yes",

    "only_from = 127.0.0.{1,3}", "only_from = 127.0.0.{1,,3}",
    "only_from = 127.0.0.1,127.0.0.2", "only_from += 127.0.0.2",
    "only_from -= 127.0.0.2", "only_from + = 127.0.0.2",
    "only_from = 0.0.0.0\n\tonly_from = 127.0.0.2",
    "only_from = 127.0.0.{1,,3}\n\tonly_from = ::/0", "only_from = 127.0.0.{\n\tonly_from = ::/0",
    "only_from = 127..{1}\n\tonly_from = ::/0", "only_from = 127.{1}.1\n\tonly_from = ::/0",
    "only_from = 127.0.0.{1,3}\n\tonly_from = ::/0", "only_from = .{1}\n\tonly_from = ::/0",
    "only_from = {1}\n\tonly_from = ::/0", "only_from = 127.0.0.1{2}\n\tonly_from = ::/0",
    "only_from = 127.0.0.{ 1}\n\tonly_from = ::/0", "only_from = 127.0.0.{1,2\n\tonly_from = ::/0",
    "only_from = 0.0.0.0 127.0.0.2\n\tonly_from -= 0/0",
    "only_from = 0.0.0.0\n\tonly_from -= 0.0.0.0", "no_access = 127.0.0.2", "No_Access = 0.0.0.0",
    "no_access = 127.0.0.2\n\tno_access -= 127.0.0.2",
    "no_access = 127.0.0.1\n\tonly_from = 127.0.0.0", "access_times = 00:00-00:01",
    "access_times = 0:00-23:59", "access_times =", "access_times = 25:00-26:00",
    "bind = 127.0.0.1", "BIND = 127.0.0.1", "interface = 127.0.0.1", "bind = 127.0.0.2",
    "bind = 127.0.0.1 127.0.0.2", "bind = 127.0.0.1\n\tinterface = 127.0.0.2", "bind = 0",
    "bind = 127.1", "bind = localhost", "bind = localhost\n\tv6only = yes", "bind = ::",
    "bind = ::1", "bind = 127.0.0.1\n\tflags = IPv6", "bind = ::1\n\tflags = IPv4",
    "bind = ::ffff:127.0.0.1", "bind = 0.0.0.0", "log_on_success = FOO", "log_on_success = TRAFFIC",
    "log_on_success =", "log_on_success = pid Host", "log_on_failure = RECORD", "log_type = FOO",
    "log_type = FILE", "log_type = FILE /nonexistent/folder/log", "log_type = SYSLOG nothing",
    "log_type = SYSLOG daemon info", "log_type = SYSLOG cron", "log_type = FILE /tmp",
    "log_type = FILE /dev/null UNLIMITED", "log_type = FILE /dev/null 5k 4000", "cps = UNLIMITED 5",
    "cps = 5x 1", "max_load = nan", "instances = +5", "rlimit_as = 5kk", "nice = 1.5",
    "type =", "socket_type =", "user =", "port =", "server =", "redirect = 127.0.0.1",
    "redirect = 127.0.0.1 0",
    "type = INTERNAL", "id = a b", "id = other", "libwrap = x",
    "banner = /nonexistent", "banner_fail = /nonexistent", "mdns = yes", "leaky_bucket = 1 2 3 4",
    "rpc_version = 1", "enabled = x", "disabled = a", "  # disable = yes", "wait = yes",
]

# What replaces a line of the plain service: its key, and the lines (none: it is left out).
REPLACED = [
    ("type", "type = unlisted"), ("type", "type = UNLISTED STRANGE"), ("type", "type ="),
    ("type", "type = UNLISTED INTERNAL"), ("type", ""), ("type", "type = UNLISTED TCPMUX"),
    ("protocol", ""), ("protocol", "protocol = TCP"), ("protocol", "protocol = udp"),
    ("protocol", "protocol = nothing"), ("socket_type", ""), ("socket_type", "socket_type = STREAM"),
    ("socket_type", "socket_type = raw"), ("socket_type", "socket_type = seqpacket"),
    ("wait", ""), ("wait", "wait = NO"), ("wait", "wait = maybe"), ("wait", "wait += no"),
    ("user", ""), ("user", "user = nosuch-user"), ("user", "user = 65534"), ("user", "user = 0"),
    ("user", "user = 00"), ("user", "user = root x"), ("user", "user = -1"), ("user", "user = ROOT"),
    ("type", "type = UNLISTED INTERNAL\n\tuser = nosuch-user"),
    ("port", ""), ("port", "port = http"), ("server", ""), ("server", "server = /nonexistent/x"),
    ("server", "server = /tmp"), ("server", "server = sh"), ("server", "server = /bin/sh -c"),
]

# Lines of an inetd.conf. Whoever is let in by Baton must be let in by either inetd, as the same user.
INETD_LINES = [
    "@ stream tcp nowait root /srv/plain plain a b", "@ stream tcp nowait root /srv/plain",
    "@ stream tcp nowait nobody /srv/plain plain", "@ stream tcp nowait root.daemon /srv/plain plain",
    "@ stream tcp nowait root:daemon /srv/plain plain", "@ stream tcp nowait root.root /srv/plain x",
    "@ stream tcp nowait 0 /srv/plain plain", "@ stream tcp nowait nosuch /srv/plain plain",
    "@ stream tcp nowait root.nosuch /srv/plain plain", "@ stream tcp nowait root/daemon /srv/plain x",
    "@ stream tcp nowait nobody.root /srv/plain plain", "@ stream tcp nowait ROOT /srv/plain plain",
    "@ stream tcp nowait : /srv/plain plain", "@ stream tcp nowait root. /srv/plain plain",
    "@ stream tcp nowait .root /srv/plain plain", "@ stream tcp nowait root root /srv/plain plain",
    "@ stream tcp nowait nobody /srv/plain first\n@ stream tcp nowait root /srv/plain second",
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp nowait nobody /srv/plain second",
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp4 nowait nobody /srv/plain second",
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp wait root /srv/takes second",
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp nowait nobody nothing second",
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp nowait nosuch /srv/plain second",
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp nowait root",
    "127.0.0.1:@ stream tcp nowait root /srv/plain first\n@ stream tcp nowait root /srv/plain second",
    "@ stream tcp nowait root /srv/plain first\n127.0.0.1:@ stream tcp nowait nobody /srv/plain x",
    "#@ stream tcp nowait root /srv/plain plain", " #@ stream tcp nowait root /srv/plain plain",
    "# x\n\t@ stream tcp nowait root /srv/plain plain",
    "@ stream tcp nowait root /srv/plain plain # x", "@ stream tcp nowait root /srv/plain 'a b' \"c",
    "@ STREAM tcp nowait root /srv/plain plain", "@ stream TCP nowait root /srv/plain plain",
    "@ stream tcp NOWAIT root /srv/plain plain", "@ stream tcp maybe root /srv/plain plain",
    "@ stream tcp nowait.0 root /srv/plain plain", "@ stream tcp nowait.05 root /srv/plain plain",
    "@ stream tcp nowait.+5 root /srv/plain plain", "@ stream tcp nowait/3.2 root /srv/plain plain", "@ stream tcp nowait.x root /srv/plain plain",
    "@ stream tcp nowait:2 root /srv/plain plain", "@ stream tcp nowait/2 root /srv/plain plain",
    "@ stream tcp4 nowait root /srv/plain plain", "@ stream tcp6 nowait root /srv/plain plain",
    "@ stream tcp6only nowait root /srv/plain plain", "@ stream udp nowait root /srv/plain plain",
    "@ dgram tcp nowait root /srv/plain plain", "@ raw tcp nowait root /srv/plain plain",
    "@ stream tcp,sndbuf=16k nowait root /srv/plain plain", "@ stream tcp,what nowait root /srv/plain x",
    "@ stream tcp, nowait root /srv/plain plain", "@ stream sctp nowait root /srv/plain plain",
    "@ stream tcp nowait root /srv/nothing-there plain", "@ stream tcp nowait root srv/plain plain",
    "@ stream tcp nowait root /tmp plain", "@ stream tcp nowait root /srv/plain/ plain",
    "@ stream tcp nowait root internal", "@ stream tcp nowait root internal internal",
    "@ stream tcp nowait root INTERNAL", "0@ stream tcp nowait root /srv/plain plain",
    "+@ stream tcp nowait root /srv/plain plain", "@/tcp stream tcp nowait root /srv/plain plain",
    "tcpmux/@ stream tcp nowait root /srv/plain plain", "@ stream rpc/tcp nowait root /srv/plain plain",
    "127.0.0.1:@ stream tcp nowait root /srv/plain plain",
    "127.0.0.1:@:@ stream tcp nowait root /srv/plain x",
    "127.0.0.2,127.0.0.1:@ stream tcp nowait root /srv/plain plain",
    "127.1:@ stream tcp nowait root /srv/plain plain", "0:@ stream tcp nowait root /srv/plain plain",
    "*:@ stream tcp nowait root /srv/plain plain",
    "localhost:@ stream tcp nowait root /srv/plain plain",
    "@ stream tcp nowait root /srv/plain -l", "@ stream tcp nowait",
]

# Lines of a service of xinetd that are about its program. Whatever it says of itself is the same.
XINETD_PROGRAMS = [
    "user = root", "user = nobody", "user = root\ngroup = daemon", "user = nobody\ngroup = daemon",
    "user = nobody\ngroup = daemon\ngroups = yes", "user = nobody\ngroups = yes",
    "user = root\ngroups = yes", "user = 65534", "user = 0", "user = 65534\ngroup = 1",
    "user = 01\ngroup = 002", "user = games\ngroups = no", "umask = 022", "umask = 0", "umask = 77",
    "user = man\numask = 0117", "nice = 5", "nice = -5", "user = nobody\nnice = -5", "nice = +3", "nice = 40", "nice = -40",
    "rlimit_as = 200M", "rlimit_as = 200000k", "rlimit_as = UNLIMITED", "rlimit_as = 0",
    "rlimit_cpu = 20", "rlimit_cpu = UNLIMITED", "rlimit_files = 64", "rlimit_files = 1K",
    "user = mail\ngroup = mail\nnice = 3\numask = 002\nrlimit_files = 100",
]

# The same for its variables, where `passenv` says which.
XINETD_ENVIRONMENTS = [
    "passenv = LAB_PASSED", "passenv = LAB_PASSED\nenv = LAB_GIVEN=given", "passenv =",
    "passenv = LAB_NOT_THERE", "passenv = LAB_SECRET PATH\nenv = LAB_SECRET=public",
    "passenv = LAB_OTHER\npassenv += LAB_PASSED", "passenv = LAB_OTHER LAB_PASSED\n"
    "passenv -= LAB_OTHER", "passenv =\nenv = LAB_A=1 LAB_B={2}\nenv += LAB_C=3",
    "passenv = LAB_SECRET\nuser = nobody",
]

# For the user `lab`, in the groups `labs` and `others`, and for `alone`, in none but `users`.
XINETD_GROUPS = [
    "user = lab", "user = lab\ngroups = yes", "user = lab\ngroup = labs",
    "user = lab\ngroup = labs\ngroups = yes", "user = lab\ngroup = lab\ngroups = yes",
    "user = lab\ngroup = mail\ngroups = yes", "user = 4242\ngroups = yes",
    "user = 4242\ngroup = 4245\ngroups = yes", "user = alone", "user = alone\ngroups = yes",
    "user = alone\ngroup = labs", "user = alone\ngroup = labs\ngroups = yes", "user = mail\ngroups = yes",
    "user = root\ngroup = lab",
]
INETD_USERS = [
    "lab", "lab.labs", "lab:others", "lab.mail", "lab.lab", "lab:root", "alone", "alone:labs",
    "mail", "mail.others", "root", "root.lab", "root:root", "4242", "lab.4244", "lab.nosuch",
    "nosuch.lab", "lab/labs", "lab:labs/daemon", ".lab", "lab:labs:others",
]
# Of whom one inetd makes something else than the other.
INETD_USERS_OFF = ("lab:root",)

# Rules that are carried over.
XINETD_RULES = [
    *(f"only_from = {word}" for word in (
        "127.0.0.0", "127.1.0.0", "127.0.1.0", "127.0.0.0/8", "127.0.0.0/9", "127.0.0.0/16",
        "127.0.0.1/24", "127.0.0.3/30", "127.0.0.0/31", "127.0.0.1/32", "127.0.0.0/1", "127.0.0.0/0",
        "0.0.0.0", "0.0.0.0/0", "0.0.0.0/8", "0.0.0.0/1", "127.0.0.{1,2}", "127.0.{0,1}", "127.{1}",
        "{127}", "{126,128}", "127.0.0.{0,2}", "127.0.0.1", "::1", "::/0", "::/64", "::/96", "::/95",
        "::fffe:0:0/95", "8000::/1", "::1/127", "::ffff:127.0.0.1", "::ffff:127.0.0.0",
        "::ffff:127.0.0.0/104", "::ffff:127.0.0.2/120", "::ffff:7f00:1", "127.0.0.1 127.1.0.1 ::1",
        "0.0.0.0 ::1", "10.0.0.0 192.0.2.{1,2} 2001:db8::/32")),
    *(f"only_from = {word}\nflags = IPv4" for word in (
        "127.0.0.0", "::/0", "::ffff:127.0.0.1", "127.0.0.2 ::1", "0.0.0.0")),
    *(f"only_from = {word}\nv6only = yes" for word in ("0.0.0.0", "::1", "::/0", "127.0.0.1")),
    *(f"no_access = {word}" for word in (
        "127.0.0.1", "127.0.0.0/24", "0.0.0.0", "::1", "::/0", "::ffff:0:0/96", "127.0.0.{1,17}", "")),
    *(f"only_from = {one}\nno_access = {other}" for one in (
        "127.0.0.0", "127.0.0.1", "127.0.0.0/24 ::1", "::/0") for other in (
        "127.0.0.1", "127.0.0.0", "127.0.0.0/24", "::1", "::/0", "127.1.0.0")),
    "only_from = 127.0.0.1\nonly_from += 127.0.0.2", "only_from = 127.0.0.1\nonly_from = 127.0.0.2",
    "only_from = 127.0.0.{1,2,3}\nonly_from -= 127.0.0.2",
    "only_from = 127.0.0.0/16\nonly_from -= 127.0.0.0/24",
    "only_from = 127.0.0.0/8 127.0.0.2\nonly_from -= 127.0.0.0", "only_from += ::1", "only_from =",
    "no_access = 127.0.0.1 127.0.0.2\nno_access -= 127.0.0.1",
]
