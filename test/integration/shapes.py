"""Files as xinetd.d and inetd.conf have them all over the world, written anew for these tests.

`@X` is a port that the test chooses, one for each letter; `/srv/NAME` is a program of the test, which
says who it is. OFF tells which services Baton leaves off though the old server has them on, and a
word of the reason.
"""

XINETD_DEFAULTS = """\
# Simple configuration file for xinetd
defaults
{
	instances	= 60
	log_type	= SYSLOG authpriv
	log_on_success	= HOST PID
	log_on_failure	= HOST
	cps		= 100 30
	per_source	= UNLIMITED
}
"""

# name: text. Services say UNLISTED and a port, since the test may not have those of /etc/services.
XINETD = {
    "telnet": """\
# default: on
# description: The telnet server serves telnet sessions; it uses unencrypted username/password pairs.
service telnet
{
	disable	= no
	flags		= REUSE
	type		= UNLISTED
	port		= @A
	socket_type	= stream
	wait		= no
	user		= root
	server		= /srv/in.telnetd
	log_on_failure	+= USERID
}
""",
    "tftp": """\
service tftp
{
	type		= UNLISTED
	port		= @B
	socket_type	= dgram
	protocol	= udp
	wait		= yes
	user		= root
	server		= /srv/datagram
	server_args	= -s /var/lib/tftpboot
	per_source	= 11
	cps		= 100 2
	flags		= IPv4
	disable		= no
}
""",
    "rsync": """\
service rsync
{
	disable		= no
	flags		= IPv6
	type		= UNLISTED
	port		= @C
	socket_type     = stream
	wait            = no
	user            = root
	server          = /srv/rsync
	server_args     = --daemon --config=/etc/rsyncd.conf
	log_on_failure  += USERID
}
""",
    "git": """\
service git
{
	disable		= no
	type		= UNLISTED
	port		= @D
	socket_type	= stream
	wait		= no
	user		= nobody
	server		= /srv/git-daemon
	server_args	= --base-path=/var/lib/git --export-all --user-path=public_git --syslog --inetd
}
""",
    "imap": """\
service imap
{
	type		= UNLISTED
	port		= @E
	socket_type	= stream
	wait		= no
	user		= root
	server		= /srv/imapd
	log_on_success	+= HOST DURATION
	log_on_failure	+= HOST
	disable		= yes
}
""",
    "pop3s": """\
service pop3s
{
	socket_type		= stream
	wait			= no
	user			= root
	type			= UNLISTED
	port			= @F
	server			= /srv/ipop3d
	Only_From		= 127.0.0.2
	log_on_success		+= HOST DURATION
	disable			= no
}
""",
    "finger": """\
service finger
{
	disable	= no
	type		= UNLISTED
	port		= @G
	socket_type	= stream
	wait		= no
	user		= nobody
	server		= /srv/in.fingerd
	server_args	= -w
}
""",
    "swat": """\
# default: off
# description: SWAT is the Samba Web Admin Tool.
service swat
{
	type		= UNLISTED
	port		= @H
	socket_type	= stream
	wait		= no
	only_from	= 127.0.0.1
	user		= root
	server		= /srv/swat
	log_on_failure	+= USERID
	disable		= no
}
""",
    "cvspserver": """\
service cvspserver
{
	disable		= no
	type		= UNLISTED
	port		= @I
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= root
	passenv		= PATH
	env		= HOME=/var/cvs
	server		= /srv/cvs
	server_args	= -f --allow-root=/var/cvs pserver
	bind		= 127.0.0.1
}
""",
    "vnc": """\
service vnc1024
{
	disable		= no
	type		= UNLISTED
	protocol	= tcp
	wait		= no
	user		= nobody
	server		= /srv/Xvnc
	server_args	= :42 -inetd -once -query localhost -geometry 1024x768 -depth 16
	port		= @J
}
""",
    "nrpe": """\
service nrpe
{
	flags		= REUSE
	type		= UNLISTED
	port		= @K
	socket_type	= stream
	wait		= no
	user		= nagios-nrpe-of-nobody
	group		= nagios
	server		= /srv/nrpe
	server_args	= -c /etc/nagios/nrpe.cfg --inetd
	disable		= no
	only_from	= 127.0.0.1 192.0.2.10
}
""",
    "check_mk": """\
service check_mk
{
	type           = UNLISTED
	port           = @L
	socket_type    = stream
	protocol       = tcp
	wait           = no
	user           = root
	server         = /srv/check_mk_agent

	# If you use fully redundant monitoring and poll the client from more then one server:
	#only_from      = 127.0.0.1 10.0.20.1 10.0.20.2

	# Don't be too verbose. Don't log every check.
	log_on_success =

	disable        = no
}
""",
    "amanda": """\
service amanda
{
	only_from	= 127.0.0.{1,2}
	type		= UNLISTED
	port		= @M
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= root
	group		= daemon
	groups		= yes
	server		= /srv/amandad
	server_args	= -auth=bsdtcp amdump
	disable		= no
}
""",
    "ftp": """\
service ftp
{
	type			= UNLISTED
	port			= @N
	socket_type             = stream
	wait                    = no
	user                    = root
	server                  = /srv/in.proftpd
	log_on_success          += DURATION USERID
	log_on_failure          += USERID
	nice                    = 10
	instances		= 30
	access_times		= 00:00-23:59
	disable                 = no
}
""",
    "internal": """\
service echo
{
	disable		= no
	type		= INTERNAL UNLISTED
	id		= echo-stream
	socket_type	= stream
	protocol	= tcp
	user		= root
	wait		= no
	port		= @O
}

service echo
{
	disable		= no
	type		= INTERNAL UNLISTED
	id		= echo-dgram
	socket_type	= dgram
	protocol	= udp
	user		= root
	wait		= yes
	port		= @P
}
""",
    "ssh": """\
service ssh-inetd
{
	type		= unlisted
	socket_type     = stream
	protocol        = tcp
	port            = @Q
	wait            = no
	user            = root
	server          = /srv/sshd
	server_args     = -i
	per_source	= 10
	log_on_failure  += USERID
	no_access	= 127.0.0.2
	disable		= no
}
""",
    "http": """\
service http
{
	type		= UNLISTED
	port		= @R
	socket_type	= stream
	wait		= no
	user		= root
	flags		= NAMEINARGS NODELAY
	server		= /srv/busybox
	server_args	= httpd -i -h /srv/www
	banner_fail	= /etc/banner
	disable		= no
}
""",
    "sieve": """\
SERVICE sieve
{
	DISABLE		= NO
	TYPE		= UNLISTED
	PORT		= @S
	SOCKET_TYPE	= STREAM
	WAIT		= NO
	USER		= root
	SERVER		= /srv/timsieved
	ONLY_FROM	= 127.0.0.0/8
}
""",
    "forwarded": """\
service relay
{
	disable		= no
	type		= UNLISTED
	port		= @T
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= nobody
	redirect	= 127.0.0.1 @O
	log_on_success	+= TRAFFIC
}
""",
    "misspelt": """\
service ident
{
	disable		= no
	type		= UNLISTED
	port		= @U
	socket_type	= stream
	wait		= yes
	user		= identd-of-nobody
	server		= /srv/in.identd
}

service brace {
	type		= UNLISTED
	port		= @V
	socket_type	= stream
	wait		= no
	user		= root
	server		= /srv/brace
}

service flagged
{
	flags		= REUSE WHATEVER
	type		= UNLISTED
	port		= @W
	socket_type	= stream
	wait		= no
	user		= root
	server		= /srv/flagged
}
""",
    "zz-last": """\
service last
{
	type		= UNLISTED
	port		= @Z
	flags		= IPv4
	socket_type	= stream
	wait		= no
	user		= root
	server		= /srv/last
}
""",
}

XINETD_OFF = {
    "git": "user = nobody", "finger": "user = nobody", "vnc1024": "user = nobody",
    "pop3s": "only_from = 127.0.0.2", "swat": "only_from = 127.0.0.1",
    "amanda": "only_from = 127.0.0.{1,2}", "ftp": "access_times", "ssh-inetd": "no_access",
}

INETD = """\
# /etc/inetd.conf: see inetd(8) for further information.
#
#<service>	<type>	<proto>	<flags>		<user>	<server_path>	<args>
#discard		stream	tcp	nowait	root	internal
@A	stream	tcp	nowait	root	/srv/in.ftpd	in.ftpd -l -a
@B	stream	tcp	nowait.400	root	/srv/tcpd	/usr/sbin/in.telnetd
@C	stream	tcp	nowait	nobody	/srv/in.fingerd	in.fingerd -w
#@D	stream	tcp	nowait	root	/srv/in.rshd	in.rshd
@E	dgram	udp	wait	root	/srv/datagram	in.tftpd -s /srv/tftp
@F	stream	tcp	nowait	root	/srv/rsync	rsync --daemon # all of it
@G	stream	tcp4	nowait	root:root	/srv/git	git daemon --inetd --base-path=/srv/git
@H	stream	tcp	nowait	root	/srv/imapd
@I	stream	tcp,rcvbuf=64k	nowait	root	/srv/swat	swat
@J	stream	tcp	nowait	www-data	/srv/httpd	httpd -i
@K	stream	tcp	nowait	root.nosuch-group	/srv/uucico	uucico -l
@L	stream	tcp	nowait	nosuch-user	/srv/identd	identd -i
@M	stream	tcp	nowait	root	/srv/nothing-there	nothing
@N	stream	tcp	nowait	nobody	/srv/first	first
@N	stream	tcp	nowait	root	/srv/second	second
@O	stream	tcp	nowait	root	/srv/third	third
@O	stream	tcp	nowait	nobody	/srv/fourth	fourth
127.0.0.1:@P	stream	tcp	nowait	root	/srv/nrpe	nrpe -i
@Q	stream	tcp6	nowait	root	/srv/six	six
@R	streem	tcp	nowait	root	/srv/typo	typo
@S	stream	tcp	nowait	root
@T	stream	tcp	nowait	root	/srv/amandad	-auth=bsdtcp
127.0.0.2:
@Z	stream	tcp	nowait	root	/srv/last	last
"""

INETD_IPV6 = "Q"
INETD_OFF = {"C": "user `nobody`", "J": "user `www-data`", "O": "user `nobody`"}
INETUTILS_OFF = {"Q": "IPv6 alone"}

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
    "@ stream tcp nowait root /srv/plain first\n@ stream tcp wait nobody /srv/plain second",
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
    "@ stream tcp nowait.0 root /srv/plain plain", "@ stream tcp nowait.x root /srv/plain plain",
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
