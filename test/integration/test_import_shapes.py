"""What `baton-import` makes of a config serves whom the old server serves, and nobody else.

The real xinetd and inetds read a file, and clients from several addresses ask each service; then
batond does with the config that was imported from the same file. What is answered must be the same:
who is let in, as whom the program runs, and within which limits; or the service is off, with a reason.
"""

import concurrent.futures
import ctypes
import datetime
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import forms
import harness
import peers
import shapes
from harness import SupervisorCase
from settings import BIN_DIR, DEADLINE_S, clean_environment, executable

# Where clients come from, and where they connect to.
SOURCES = (*((source, "127.0.0.1") for source in (
    "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.17", "127.0.1.1", "127.1.0.1",
    "127.255.255.254")), ("::1", "::1"))
FEW_SOURCES = (SOURCES[0], SOURCES[1], SOURCES[-1])
REFUSED = "refused"

# Says which program it is, its arguments, as whom and within which limits it runs, who the client is
# said to be, and its working directory.
PROGRAM = """#!/bin/sh
read -r line
echo "${0##*/} $* $(id)" \\
    "umask=$(umask) nice=$(nice) limits=$(ulimit -t),$(ulimit -v),$(ulimit -n),$(ulimit -Hn)" \\
    "from=${REMOTE_HOST#::ffff:} in=$(pwd -P)"
"""
# Tells its clients, and stays until they go.
HOLDS = "#!/bin/sh\necho in\nexec cat >/dev/null\n"
# What of the environment the test has planted, and what it was given.
ENVIRON = "#!/bin/sh\nread -r line\necho $(env | grep ^LAB_ | sort)\n"
SAYS = "#!/bin/sh\nread -r line\necho in\n"
# Takes one client of the socket that it is handed.
TAKES = """#!{python} -IS
import os, socket
connection, _ = socket.socket(fileno=0).accept()
connection.sendall(f"takes uid={{os.getuid()}}\\n".encode())
"""


def ask(port, source, at):
    """What a client from this address hears: all of it, or REFUSED."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE_S)
        try:
            client.bind((source, 0))
            client.connect((at, port))
            client.sendall(b"hello\n")
            heard = client.recv(4096)
            client.shutdown(socket.SHUT_WR)  # not before: xinetd relays no further then
            heard += b"".join(iter(lambda: client.recv(4096), b""))
        except TimeoutError:
            raise
        except OSError:
            return REFUSED
    return heard.decode(errors="replace") or REFUSED


def ask_datagram(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(DEADLINE_S)
        try:
            client.connect(("127.0.0.1", port))
            client.send(b"hello")
            return client.recv(4096).split(b":")[-1].decode()
        except ConnectionRefusedError:
            return REFUSED


class Shapes(SupervisorCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("the old servers change users, which takes root")
        # Each server adds to the niceness that it has, and ends at the same bounds only from here.
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        folder = tempfile.TemporaryDirectory(prefix="baton-")
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)
        self.place.chmod(0o755)  # for nobody

    def program(self, name):
        path = self.place / "srv" / name
        path.parent.mkdir(exist_ok=True)
        texts = {"datagram": f'#!/bin/sh\nexec {peers.program("datagram.py")}\n', "holds": HOLDS, "says": SAYS,
                 "environ": ENVIRON, "takes": TAKES.format(python=sys.executable)}
        path.write_text(texts.get(name, PROGRAM))
        path.chmod(0o755)

    def prepare(self, text, ports):
        """The text with ports for letters, and with programs that are there."""
        for name in re.findall(r"/srv/([\w.-]+)", text):
            if name != "nothing-there":
                self.program(name)
        text = re.sub(r"@([A-Za-z])", lambda match: str(ports[match[1]]), text)
        return text.replace("/srv/", f"{self.place}/srv/")

    def hear(self, ports, datagrams=(), sources=FEW_SOURCES):
        """{letter: what clients hear there}; many services at once, each asked by one at a time."""
        def hear_one(letter):
            if letter in datagrams:
                return ask_datagram(ports[letter])
            return [ask(ports[letter], *source) for source in sources]

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            return dict(zip(ports, pool.map(hear_one, ports)))

    def run_import(self, *arguments):
        done = subprocess.run([str(BIN_DIR / executable("baton-import")), *map(str, arguments)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
                              env=clean_environment())
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def with_xinetd(self, config, ready, hear, environment=None):
        server = peers.Server(self, peers.server("xinetd"), "-dontfork", "-f", config, "-filelog",
                              self.place / "log", "-pidfile", self.place / "pid", port=ready,
                              env=clean_environment(**(environment or {})))
        heard = hear()
        server.stop()
        return heard

    def with_baton(self, text, hear, environment=None):
        """The config as it was printed, with nothing of what tests add."""
        supervisor = self.launch({}, text=text.encode(), environment=environment)
        supervisor.wait_ready()
        heard = hear()
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        return heard

    def hear_xinetd(self, config, ready, ports, *how):
        return self.with_xinetd(config, ready, lambda: self.hear(ports, *how))

    def hear_baton(self, text, ports, *how):
        return self.with_baton(text, lambda: self.hear(ports, *how))

    def as_it_is(self, config):
        """A config of ours that serves this inetd.conf without an import."""
        return f"[supervisor]\ninetd_conf = {config}\n[beside]\nlisten = 127.0.0.1:0\nhandler = echo\nuser = nobody\n"

    def sections(self, text):
        """{name: (is it on, comments and keys)} of an imported config."""
        found = {}
        for part in re.split(r"\n\n(?=; )", text)[1:]:
            name = re.search(r"^; .*?:\d+: (.*)$", part, re.M)
            on = re.search(r"^\[", part, re.M) and "enabled = no" not in part
            if name:
                found.setdefault(name[1], []).append((bool(on), part))
        return found

    def check_reason(self, text, name, words):
        parts = self.sections(text)[name]
        self.assertTrue(any(words in part for _, part in parts), (name, words, parts))

    def ports(self, letters):
        first = peers.free_ports(len(letters))
        return dict(zip(letters, range(first, first + len(letters))))

    def letters(self, text):
        return sorted(set(re.findall(r"@([A-Za-z])", text)))

    def serve_each(self, bodies, program, first):
        """The path of an xinetd.conf: a plain service for each body, at ports from `first` on, and
        then one that is there when all are."""
        self.program(program)
        text = "defaults\n{\n\tcps = 1000 1\n}\n"
        ready = f"server = {self.place}/srv/{program}\n\tuser = root\n\tflags = IPv4"
        for number, body in enumerate([*bodies, ready]):
            lines = body.replace("\n", "\n\t")
            lines += "" if "user" in body else "\n\tuser = root"
            lines += "" if "server" in body else f"\n\tserver = {self.place}/srv/{program}"
            text += (f"service v{number}\n{{\n\ttype = UNLISTED\n\tport = {first + number}\n"
                     f"\tsocket_type = stream\n\twait = no\n\t{lines}\n}}\n")
        config = self.place / "x.conf"
        config.write_text(text)
        return config

    def compare(self, bodies, program, hear, environment=None):
        """What `hear`, which gets the ports, hears of each under xinetd, which is what it hears of
        each here."""
        first = peers.free_ports(len(bodies) + 1)
        config = self.serve_each(bodies, program, first)
        ports = range(first, first + len(bodies))
        theirs = self.with_xinetd(config, first + len(bodies), lambda: hear(ports), environment)
        ours = self.with_baton(self.run_import(config), lambda: hear(ports), environment)
        for body, one, other in zip(bodies, ours, theirs):
            self.assertEqual(one, other, body)
        return theirs


class Xinetd(Shapes):
    def test_files_of_the_world(self):
        folder = self.place / "xinetd.d"
        folder.mkdir()
        ports = self.ports(self.letters("".join(shapes.XINETD.values())))
        for name, text in shapes.XINETD.items():
            (folder / name).write_text(self.prepare(text, ports))
        config = self.place / "xinetd.conf"
        config.write_text(shapes.XINETD_DEFAULTS + f"\nincludedir {folder}\n")
        theirs = self.hear_xinetd(config, ports["Z"], ports, "BP", SOURCES)
        text = self.run_import(config)
        ours = self.hear_baton(text, ports, "BP", SOURCES)
        lost = []
        for name, shape in shapes.XINETD.items():
            for letter in self.letters(shape):
                before = re.split(r"port\s*= @" + letter, shape, flags=re.I)[0]
                service = re.findall(r"(?i)service (\S+)", before)[-1]
                if ours[letter] != theirs[letter] and service in shapes.XINETD_OFF:
                    self.assertIn(ours[letter], (REFUSED, [REFUSED] * len(SOURCES)))
                    lost.append(service)
                else:
                    self.assertEqual(ours[letter], theirs[letter], (name, letter))
        self.assertEqual(sorted(lost), sorted(shapes.XINETD_OFF))
        for service, words in shapes.XINETD_OFF.items():
            self.check_reason(text, service, words)
        served = [letter for letter, heard in ours.items() if REFUSED not in heard[:1]]
        self.assertGreaterEqual(len(served), 10)
        # Each file alone has the same defaults, since its xinetd.conf is above it.
        for name in shapes.XINETD:
            alone = self.run_import(folder / name)
            for service, parts in self.sections(alone).items():
                whole = self.sections(text)[service]
                self.assertEqual([on for on, _ in parts], [on for on, _ in whole], service)

    def variants(self, ports):
        """(name, text, port) of a plain service with each line, each at a port of its own."""
        plain = {"type": "type = UNLISTED", "socket_type": "socket_type = stream",
                 "protocol": "protocol = tcp", "wait": "wait = no", "user": "user = root",
                 "server": "server = /srv/plain", "port": "port = {port}"}
        ports = iter(ports)
        for line in forms.LINES:
            port = next(ports)
            body = [*plain.values(), line]
            yield line, body, port
        for key, line in forms.REPLACED:
            port = next(ports)
            body = [line if k == key else text for k, text in plain.items()]
            yield f"{key}: {line}", [text for text in body if text], port

    def hear_lost(self, config, folder, ready, ports):
        """Among so many odd services xinetd closes the listeners of some sound ones, which it says;
        they are asked once more without the others."""
        words = re.findall(r"service (\S+) has been closed", (self.place / "log").read_text())
        numbers = [forms.LINES.index("id = other") if word == "other" else int(word[1:])
                   for word in words]
        lost = {number: ports[number] for number in numbers}
        alone = self.place / "lost.d"
        alone.mkdir()
        for name in [f"{number:03d}" for number in lost] + ["zz"]:
            shutil.copy(folder / name, alone / name)
        (self.place / "log").unlink()
        other = self.place / "lost.conf"
        other.write_text(config.read_text().replace(str(folder), str(alone)))
        heard = self.hear_xinetd(other, ready, lost) if lost else {}
        self.assertNotIn("has been closed", (self.place / "log").read_text() if lost else "")
        return heard

    def test_no_line_opens_what_was_closed(self):
        count = len(forms.LINES) + len(forms.REPLACED)
        first = peers.free_ports(count + 1)
        folder = self.place / "xinetd.d"
        folder.mkdir()
        self.program("plain")
        ports = {}
        names = {}
        for number, (name, body, port) in enumerate(self.variants(range(first, first + count))):
            lines = "".join(f"\t{line}\n" for line in body).replace("{port}", str(port))
            text = f"service v{number}\n{{\n{lines}}}\n"
            (folder / f"{number:03d}").write_text(text.replace("/srv/", f"{self.place}/srv/"))
            ports[number], names[number] = port, name
        (folder / "zz").write_text(
            "service ready\n{\n\ttype = UNLISTED\n\tsocket_type = stream\n\twait = no\n"
            f"\tuser = root\n\tserver = {self.place}/srv/plain\n\tflags = IPv4\n"
            f"\tport = {first + count}\n}}\n")
        config = self.place / "xinetd.conf"
        config.write_text(f"defaults\n{{\n\tcps = 100 1\n}}\nincludedir {folder}\n")
        theirs = self.hear_xinetd(config, first + count, ports)
        theirs.update(self.hear_lost(config, folder, first + count, ports))
        text = self.run_import(config)
        ours = self.hear_baton(text, ports)
        opened = [(names[number], ours[number], theirs[number]) for number in ports
                  if any(mine not in (REFUSED, yours)
                         for mine, yours in zip(ours[number], theirs[number]))]
        self.assertEqual(opened, [])
        # Those that are lost say why, and most are carried over.
        sections = self.sections(text)
        for number in ports:
            if ours[number] != theirs[number]:
                for on, part in sections[f"v{number}" if names[number] != "id = other" else "other"]:
                    self.assertRegex(part, "not carried over|switched off|note", names[number])
        same = sum(ours[number] == theirs[number] for number in ports)
        self.assertGreater(same, count * 2 // 3)


    def test_programs_get_what_they_got(self):
        """As whom, and within which limits."""
        heard = self.compare(forms.XINETD_PROGRAMS, "plain",
                             lambda ports: [ask(port, *SOURCES[0]) for port in ports])
        self.assertGreater(len(set(heard)), len(heard) * 2 // 3)
        self.assertNotIn(REFUSED, heard)

    def test_programs_get_the_environment_that_was_named(self):
        """Without `passenv`, all of xinetd's own is passed on, which Baton does not without being
        told; see the heading of an imported config."""
        heard = self.compare(forms.XINETD_ENVIRONMENTS, "environ",
                             lambda ports: [ask(port, *SOURCES[0]) for port in ports],
                             {"LAB_PASSED": "passed", "LAB_SECRET": "secret", "LAB_OTHER": "other"})
        self.assertEqual(heard[:2], ["LAB_PASSED=passed\n", "LAB_GIVEN=given LAB_PASSED=passed\n"])

    def test_rules(self):
        """Each client's verdict, for each form of a rule that is carried over."""
        def hear(ports):
            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                return list(pool.map(
                    lambda port: [ask(port, *source) != REFUSED for source in SOURCES], ports))

        heard = self.compare(forms.XINETD_RULES, "says", hear)
        self.assertGreater(len({tuple(each) for each in heard}), 10)

    def test_hours(self):
        """It is about half past twelve here: the zone is chosen so."""
        now = datetime.datetime.now(datetime.timezone.utc)
        behind = now.hour * 60 + now.minute - (12 * 60 + 30)
        zone = f"ZONE{'-' if behind < 0 else ''}{abs(behind) // 60}:{abs(behind) % 60:02}"
        bodies = [f"access_times = {times}" for times in (
            "12:00-13:00", "0:0-23:59", "13:30-14:30", "10:00-11:45", "13:30-14:30 12:0-12:59",
            "22:00-02:00", "12:00-12:00", "12:00-24:00", "13:00-12:45")]
        heard = self.compare(bodies, "plain",
                             lambda ports: [ask(port, *SOURCES[0]) for port in ports],
                             {"TZ": zone})
        self.assertEqual([one != REFUSED for one in heard],
                         [True, True, False, False, True, False, False, False, False])

    def test_how_many(self):
        """What each of a sequence of clients hears first, all of which stay."""
        banner = self.place / "banner"
        banner.write_text("421 {no} room; try\tlater\r\n'\\\"\n")
        sequence = [SOURCES[number] for number in (0, 0, 0, 1, 0, -1, -1, -1, 2)]

        def hear_port(port):
            clients, heard = [], []
            for source, at in sequence:
                client = socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET)
                clients.append(client)
                client.settimeout(DEADLINE_S)
                client.bind((source, 0))
                try:
                    client.connect((at, port))
                    heard.append(client.recv(4096).decode())
                except ConnectionError:
                    heard.append("")
            for client in clients:
                client.close()
            return heard

        heard = self.compare(
            ["instances = 4", "per_source = 2", f"instances = 3\nbanner_fail = {banner}",
             f"per_source = 1\nbanner_fail = {banner}", "instances = 5\nper_source = 2",
             f"no_access = 127.0.0.2\nbanner_fail = {banner}", "instances = UNLIMITED"],
            "holds", lambda ports: [hear_port(port) for port in ports])
        self.assertEqual([sum(one == "in\n" for one in each) for each in heard],
                         [4, 6, 3, 4, 5, 8, 9])
        self.assertIn(banner.read_bytes().decode(), heard[2])


def with_accounts(case):
    """For the rest of the test the machine has a user `lab` with groups of its own, as this process
    and all that it launches see it: in a mount namespace (unshare(2)) that is left in the end."""
    new_mounts, own_folder, private, bind, recursive = 0x20000, 0x200, 1 << 18, 0x1000, 0x4000
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    case.addCleanup(os.close, before)
    if libc.unshare(new_mounts):
        case.skipTest(f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}")
    folder = os.getcwd()

    def leave():
        case.assertEqual((libc.unshare(own_folder), libc.setns(before, new_mounts)), (0, 0))
        os.chdir(folder)

    case.addCleanup(leave)
    if libc.mount(b"none", b"/", None, recursive | private, None):
        case.skipTest(f"no mount namespace of its own: {os.strerror(ctypes.get_errno())}")
    for name, lines in (("passwd", "lab:x:4242:4242::/nonexistent:/bin/sh\n"
                                   "alone:x:4243:100::/nonexistent:/bin/sh\n"),
                        ("group", "lab:x:4242:\nlabs:x:4244:lab\nothers:x:4245:mail,lab\n")):
        file = case.place / name
        file.write_text(pathlib.Path("/etc", name).read_text() + lines)
        if libc.mount(bytes(file), b"/etc/" + name.encode(), None, bind, None):
            case.skipTest(f"no mount over /etc/{name}: {os.strerror(ctypes.get_errno())}")


class Accounts(Shapes):
    """With users of several groups."""

    def setUp(self):
        super().setUp()
        with_accounts(self)

    def test_groups_of_xinetd(self):
        heard = self.compare(forms.XINETD_GROUPS, "plain",
                             lambda ports: [ask(port, *SOURCES[0]) for port in ports])
        self.assertIn("gid=4244(labs) groups=4244(labs),4242(lab),4245(others) ", heard[3])
        self.assertNotIn(REFUSED, heard)

    def check_inetd(self, server, *arguments):
        self.program("plain")
        users = forms.INETD_USERS
        first = peers.free_ports(len(users) + 1)
        ports = range(first, first + len(users))
        ready = f"127.0.0.2:{first + len(users)} stream tcp nowait root /bin/true true\n"
        config = self.place / "inetd.conf"
        config.write_text("".join(
            f"{port} stream tcp nowait {user} {self.place}/srv/plain plain\n"
            for port, user in zip(ports, users)) + ready)
        process = peers.Server(self, peers.server(server), *arguments, config,
                               port=first + len(users), cwd="/")
        theirs = [ask(port, *SOURCES[0]) for port in ports]
        process.stop()
        ours = self.with_baton(self.run_import(config),
                               lambda: [ask(port, *SOURCES[0]) for port in ports])
        as_it_is = self.with_baton(self.as_it_is(config),
                                   lambda: [ask(port, *SOURCES[0]) for port in ports])
        self.assertEqual(as_it_is, ours)
        for user, one, other in zip(users, ours, theirs):
            self.assertEqual(one, other if user not in forms.INETD_USERS_OFF else REFUSED, user)
        self.assertIn("uid=4242(lab) gid=4244(labs) groups=4244(labs),4245(others) ",
                      theirs[users.index("lab.labs")])

    def test_groups_of_openbsd(self):
        self.check_inetd("openbsd-inetd", "-i")

    def test_groups_of_inetutils(self):
        self.check_inetd("inetutils-inetd", "-d", "-p", self.place / "pid")


class Inetd(Shapes):
    def check(self, server, arguments, off):
        ports = self.ports(self.letters(shapes.INETD))
        config = self.place / "inetd.conf"
        config.write_text(self.prepare(shapes.INETD, ports))
        process = peers.Server(self, peers.server(server), *arguments, config, port=ports["Z"],
                               cwd="/")  # as the system starts it
        theirs = self.hear(ports, "E", SOURCES)
        process.stop()
        text = self.run_import(config)
        ours = self.hear_baton(text, ports, "E", SOURCES)
        self.assertEqual(self.hear_baton(self.as_it_is(config), ports, "E", SOURCES), ours)
        for letter, port in ports.items():
            one, other = ours[letter], theirs[letter]
            if letter != "E" and letter not in shapes.INETD_IPV6:
                one, other = one[:-1], other[:-1]  # the rest is said above the config
            if letter in off and one != other:
                self.assertEqual(one[:-1], [REFUSED] * (len(SOURCES) - 1))
                self.check_reason(text, str(port), off[letter])
            else:
                self.assertEqual(one, other, letter)
        self.assertGreaterEqual(sum(heard[0] != REFUSED for heard in ours.values()), 9)

    def test_openbsd(self):
        self.check("openbsd-inetd", ["-i"], shapes.INETD_OFF)

    def test_inetutils(self):
        off = {**shapes.INETD_OFF, **shapes.INETUTILS_OFF}
        self.check("inetutils-inetd", ["-d", "-p", self.place / "pid"], off)

    def test_no_line_opens_what_was_closed(self):
        first = peers.free_ports(len(forms.INETD_LINES) + 1)
        ports = dict(enumerate(range(first, first + len(forms.INETD_LINES))))
        ready = first + len(ports)
        text = "".join(line.replace("@", str(ports[number])) + "\n"
                       for number, line in enumerate(forms.INETD_LINES))
        config = self.place / "inetd.conf"
        config.write_text(self.prepare(text, {}) +
                          f"127.0.0.2:{ready} stream tcp nowait root {self.place}/srv/plain plain\n")
        theirs = {}
        for server, arguments in (("openbsd-inetd", ["-i"]),
                                  ("inetutils-inetd", ["-d", "-p", self.place / "pid"])):
            process = peers.Server(self, peers.server(server), *arguments, config, port=ready,
                                   cwd="/")
            theirs[server] = self.hear(ports)
            process.stop()
        text = self.run_import(config)
        ours = self.hear_baton(text, ports)
        self.assertEqual(self.hear_baton(self.as_it_is(config), ports), ours)
        users = re.compile(r"uid=\S+ gid=\S+ groups=\S+|takes uid=\d+")
        for server, heard in theirs.items():
            opened = [(forms.INETD_LINES[number], ours[number], heard[number]) for number in ports
                      if any(mine != REFUSED and users.findall(mine) != users.findall(other)
                             for mine, other in zip(ours[number][:2], heard[number][:2]))]
            self.assertEqual(opened, [], server)
        served = sum(heard[0] != REFUSED for heard in ours.values())
        self.assertGreater(served, len(ports) // 4)


if __name__ == "__main__":
    harness.main()
