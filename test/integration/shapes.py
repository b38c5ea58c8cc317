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
    "backup": """\
# BackupPC's archive and restore, as a distribution's package asks to have it
service rsyncd-backup
{
	disable		= no
	type		= UNLISTED
	port		= @X
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= backup
	group		= operator
	umask		= 027
	nice		= 5
	server		= /srv/rsync-backup
	only_from	= 127.0.0.0/24 127.1.0.0 ::1
	no_access	= 127.0.0.3
	instances	= 20
	cps		= 100 5
}
""",
    "svnserve": """\
service svn
{
        port                    = @Y
        type                    = UNLISTED
        socket_type             = stream
        protocol                = tcp
        wait                    = no
        user                    = www-data
        group                   = www-data
        groups                  = yes
        umask                   = 002
        rlimit_files            = 256
        rlimit_cpu              = 60
        server                  = /srv/svnserve
        server_args             = -i -r /srv/svn
        only_from               = 127.0.0.1/30 127.0.1.{1,2} 2001:db8::/32
        disable                 = no
}
""",
    "mailman": """\
service smtp-filter
{
	flags		= IPv4
	type		= UNLISTED
	port		= @b
	socket_type	= stream
	wait		= no
	user		= mail
	server		= /srv/filter
	only_from	= localhost 127.0.0.2
}
""",
    "nagios": """\
service nsca
{
        flags           = REUSE
        type            = UNLISTED
        port            = @a
        socket_type     = stream
        wait            = no
        user            = 2
        group           = 4
        server          = /srv/nsca
        server_args     = -c /etc/nsca.cfg --inetd
        log_on_failure  += USERID
        disable         = no
        no_access       = 127.1.0.0 127.0.0.{2,3}
        access_times    = 00:00-11:59 12:00-23:59
        per_source      = 3
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

XINETD_OFF = {"smtp-filter": "whom xinetd means by `localhost`"}

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
@U	stream	tcp	nowait	mail.games	/srv/popper	popper -s
@V	stream	tcp	nowait.100	uucp:news	/srv/nntpd	nntpd
@W	stream	tcp	nowait	root.daemon	/srv/lpd	lpd
127.0.0.2:
@Z	stream	tcp	nowait	root	/srv/last	last
"""

INETD_IPV6 = "Q"
INETD_OFF = {}
INETUTILS_OFF = {"Q": "IPv6 alone"}
