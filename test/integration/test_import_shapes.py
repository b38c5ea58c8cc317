"""What `baton-import` makes of a config serves whom the old server serves, and nobody else.

The real xinetd and inetds read a file, and clients from several addresses ask each service; then
batond does with the config that was imported from the same file. What is answered must be the same,
or the service is off, with a reason.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import harness
import peers
import shapes
from harness import SupervisorCase
from settings import BIN_DIR, DEADLINE_S, clean_environment, executable

SOURCES = (("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.1"), ("::1", "::1"))
REFUSED = "refused"

# Says which program it is, its arguments, its user, who the client is said to be, and its working
# directory.
PROGRAM = """#!/bin/sh
read -r line
echo "${0##*/} $* uid=$(id -u) from=${REMOTE_HOST#::ffff:} in=$(pwd -P)"
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
        folder = tempfile.TemporaryDirectory(prefix="baton-")
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)
        self.place.chmod(0o755)  # for nobody

    def program(self, name):
        path = self.place / "srv" / name
        path.parent.mkdir(exist_ok=True)
        if name == "datagram":
            path.write_text(f'#!/bin/sh\nexec {peers.program("datagram.py")}\n')
        else:
            path.write_text(PROGRAM)
        path.chmod(0o755)

    def prepare(self, text, ports):
        """The text with ports for letters, and with programs that are there."""
        for name in re.findall(r"/srv/([\w.-]+)", text):
            if name != "nothing-there":
                self.program(name)
        text = re.sub(r"@([A-Z])", lambda match: str(ports[match[1]]), text)
        return text.replace("/srv/", f"{self.place}/srv/")

    def hear(self, ports, datagrams=()):
        """{letter: what clients hear there}; many services at once, each asked by one at a time."""
        def hear_one(letter):
            if letter in datagrams:
                return ask_datagram(ports[letter])
            return [ask(ports[letter], *source) for source in SOURCES]

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            return dict(zip(ports, pool.map(hear_one, ports)))

    def run_import(self, *arguments):
        done = subprocess.run([str(BIN_DIR / executable("baton-import")), *map(str, arguments)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
                              env=clean_environment())
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def hear_xinetd(self, config, ready, ports, datagrams=()):
        server = peers.Server(self, peers.server("xinetd"), "-dontfork", "-f", config, "-filelog",
                              self.place / "log", "-pidfile", self.place / "pid", port=ready)
        heard = self.hear(ports, datagrams)
        server.stop()
        return heard

    def hear_baton(self, text, ports, datagrams=()):
        supervisor = self.launch({}, text=text)
        supervisor.wait_ready()
        heard = self.hear(ports, datagrams)
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        return heard

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
        return sorted(set(re.findall(r"@([A-Z])", text)))


class Xinetd(Shapes):
    def test_files_of_the_world(self):
        folder = self.place / "xinetd.d"
        folder.mkdir()
        ports = self.ports(self.letters("".join(shapes.XINETD.values())))
        for name, text in shapes.XINETD.items():
            (folder / name).write_text(self.prepare(text, ports))
        config = self.place / "xinetd.conf"
        config.write_text(shapes.XINETD_DEFAULTS + f"\nincludedir {folder}\n")
        theirs = self.hear_xinetd(config, ports["Z"], ports, "BP")
        text = self.run_import(config)
        ours = self.hear_baton(text, ports, "BP")
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
        for line in shapes.LINES:
            port = next(ports)
            body = [*plain.values(), line]
            yield line, body, port
        for key, line in shapes.REPLACED:
            port = next(ports)
            body = [line if k == key else text for k, text in plain.items()]
            yield f"{key}: {line}", [text for text in body if text], port

    def hear_lost(self, config, folder, ready, ports):
        """Among so many odd services xinetd closes the listeners of some sound ones, which it says;
        they are asked once more without the others."""
        words = re.findall(r"service (\S+) has been closed", (self.place / "log").read_text())
        numbers = [shapes.LINES.index("id = other") if word == "other" else int(word[1:])
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
        count = len(shapes.LINES) + len(shapes.REPLACED)
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


class Inetd(Shapes):
    def check(self, server, arguments, off):
        ports = self.ports(self.letters(shapes.INETD))
        config = self.place / "inetd.conf"
        config.write_text(self.prepare(shapes.INETD, ports))
        process = peers.Server(self, peers.server(server), *arguments, config, port=ports["Z"],
                               cwd="/")  # as the system starts it
        theirs = self.hear(ports, "E")
        process.stop()
        text = self.run_import(config)
        ours = self.hear_baton(text, ports, "E")
        for letter, port in ports.items():
            one, other = ours[letter], theirs[letter]
            if letter != "E" and letter not in shapes.INETD_IPV6:
                one, other = one[:2], other[:2]  # the rest is said above the config
            if letter in off and one != other:
                self.assertEqual(one[:2], [REFUSED] * 2)
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
        first = peers.free_ports(len(shapes.INETD_LINES) + 1)
        ports = dict(enumerate(range(first, first + len(shapes.INETD_LINES))))
        ready = first + len(ports)
        text = "".join(line.replace("@", str(ports[number])) + "\n"
                       for number, line in enumerate(shapes.INETD_LINES))
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
        users = re.compile(r"uid=\d+")
        for server, heard in theirs.items():
            opened = [(shapes.INETD_LINES[number], ours[number], heard[number]) for number in ports
                      if any(mine != REFUSED and users.findall(mine) != users.findall(other)
                             for mine, other in zip(ours[number][:2], heard[number][:2]))]
            self.assertEqual(opened, [], server)
        served = sum(heard[0] != REFUSED for heard in ours.values())
        self.assertGreater(served, len(ports) // 4)


if __name__ == "__main__":
    harness.main()
