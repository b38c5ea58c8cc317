"""`baton-import`: what other super-servers served is served by the config that it prints."""

import ctypes
import errno
import os
import pathlib
import pwd
import re
import socket
import struct
import subprocess
import sys
import tempfile

import harness
import peers
from client import Client
from harness import EXIT_CONFIG, EXIT_USAGE, SupervisorCase, shared
from settings import BIN_DIR, DEADLINE_S, clean_environment, executable

XINETD = peers.PEERS_DIR / "root/etc"
TIME_1970 = 2208988800  # 1970-01-01 in the seconds of RFC 868


class Import(SupervisorCase):
    def program(self, name, *arguments, said=b"", cwd=None):
        done = subprocess.run(
            [str(BIN_DIR / executable(name)), *map(str, arguments)], input=said,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
            env=clean_environment(), cwd=cwd)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def import_file(self, path):
        """The config for the file, which passes --check as it is."""
        code, text, complaint = self.program("baton-import", path)
        self.assertEqual((code, complaint), (0, ""))
        config = self.folder() / "imported.ini"
        config.write_text(text)
        code, _, complaint = self.program("batond", "-c", config, "--handlers", shared().handlers, "--check")
        self.assertEqual(code, 0, complaint)
        self.assertTrue(all(": warning: " in line for line in complaint.splitlines()), complaint)
        return text

    def on_free_ports(self, text):
        """The config at ports that nobody else has, and that others than root may have."""
        text = re.sub(r"(?m)^listen = .*$", "listen = 127.0.0.1:0", text)
        return text.replace("v6only = no\n", "")

    def plain_folder(self):
        """Without blanks in its name: these files know no quotes."""
        folder = tempfile.TemporaryDirectory(prefix="baton-")
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def ask(self, supervisor, address, said=b""):
        """All that a service says to a client that says this and no more."""
        with Client(address) as client:
            client.send(said)
            client.end()
            heard = client.rest()
        supervisor.expect_records(1, peer=client.name)
        return heard

    def ask_datagram(self, address, said):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(address)
            client.send(said)
            return client.recv(65536)


class Xinetd(Import):
    """Debian's files, in which every service is switched off: here they are on, as by an editor."""

    SERVERS = ("servers", "services")  # they tell of xinetd itself
    TWICE = "-udp"                     # files that have what another file has as well

    def switched_on(self):
        """The folder of the packaged files with each service on, except those that are twice."""
        folder = self.plain_folder() / "xinetd.d"
        folder.mkdir()
        text = (XINETD / "xinetd.conf").read_text()
        self.assertIn("includedir /etc/xinetd.d\n", text)
        (folder.parent / "xinetd.conf").write_text(text.replace("/etc/xinetd.d", str(folder)))
        for path in (XINETD / "xinetd.d").iterdir():
            text, count = re.subn(r"disable\s*= yes", "disable = no", path.read_text())
            self.assertGreater(count, 0)
            (folder / path.name).write_text(text)
        return folder

    def test_each_packaged_file(self):
        files = sorted(self.switched_on().iterdir())
        self.assertGreater(len(files), 8)
        for path in files:
            with self.subTest(path.name):
                if path.name in self.SERVERS:
                    code, text, _ = self.program("baton-import", path)
                    self.assertEqual(code, 0)
                    self.assertIn("not carried over", text)
                else:
                    self.assertNotIn("not carried over: ", self.import_file(path))

    def test_the_packaged_files_serve(self):
        folder = self.switched_on()
        for path in folder.glob(f"*{self.TWICE}"):
            path.unlink()
        text = self.import_file(folder.parent / "xinetd.conf")
        supervisor = self.supervisor({}, text=self.on_free_ports(text))
        self.assertEqual(self.ask(supervisor, supervisor.address("echo-stream"), b"hello"), "hello")
        self.assertRegex(self.ask(supervisor, supervisor.address("daytime-stream")), r"20\d\d")
        self.assertEqual(self.ask(supervisor, supervisor.address("discard-stream"), b"x"), "")
        with supervisor.connect("chargen-stream") as client:
            self.assertGreater(len(client.line()), 70)
        with supervisor.connect("time-stream") as client:
            stamp = b"".join(iter(lambda: client.socket.recv(100), b""))
            self.assertGreater(int.from_bytes(stamp, "big"), TIME_1970)
        self.assertEqual(self.ask_datagram(supervisor.address("echo-dgram"), b"hello"), b"hello")
        self.assertRegex(self.ask_datagram(supervisor.address("daytime-dgram"), b""), rb"20\d\d")
        self.assertEqual(len(self.ask_datagram(supervisor.address("time-dgram"), b"")), 4)
        self.stop(supervisor)

    def test_one_file_wherever_it_is_read_from(self):
        folder = self.switched_on()
        said = (folder / "echo").read_bytes()
        ways = {"its path": self.program("baton-import", folder / "echo"),
                "its name": self.program("baton-import", "echo", cwd=folder),
                "standard input": self.program("baton-import", "--no-defaults", "-", said=said),
                "its defaults": self.program("baton-import", "--defaults",
                                             folder.parent / "xinetd.conf", "-", said=said)}
        for name, (code, text, complaint) in ways.items():
            with self.subTest(name):
                self.assertEqual((code, complaint), (0, ""))
                self.assertIn("\n[echo-stream]\nlisten = 0.0.0.0:echo, [::]:echo\nhandler = echo\n",
                              text)
        code, text, _ = self.program("baton-import", "-", said=said)
        self.assertEqual(code, 0)
        self.assertIn("standard input:", text)
        self.assertRegex(text, r"no xinetd.conf was seen[^[]*\[echo-stream\]\nenabled = no\n")

    def test_a_folder(self):
        folder = self.switched_on()
        (folder / "echo~").write_text("service of-an-editor\n{\n}\n")
        (folder / "echo.rpmsave").write_text("service of-a-package\n{\n}\n")
        (folder / "deeper").mkdir()
        for udp in folder.glob(f"*{self.TWICE}"):
            udp.unlink()
        text = self.import_file(folder)
        for name in "echo-stream", "discard-stream", "time-stream":
            self.assertIn(f"\n[{name}]\nlisten = ", text)
        self.assertIn("deeper: this is no regular file", text)
        self.assertNotIn("of-a", text)

    def test_services_of_an_inetd_from_standard_input(self):
        code, text, complaint = self.program(
            "baton-import", "-", said=b"echo stream tcp nowait root internal\n")
        self.assertEqual((code, complaint), (0, ""))
        self.assertIn("; standard input:1: echo\n[echo]\nlisten = echo\nhandler = echo\n", text)

    def test_a_file_that_is_not_there(self):
        code, text, complaint = self.program("baton-import", self.folder() / "nothing.conf")
        self.assertEqual((code, text), (EXIT_CONFIG, ""))
        self.assertIn("nothing.conf", complaint)

    def test_links_in_a_circle(self):
        place = tempfile.TemporaryDirectory(prefix="baton-")  # xinetd takes no name with a blank
        self.addCleanup(place.cleanup)
        folder = pathlib.Path(place.name)
        (folder / "circle").symlink_to("circle")
        (folder / "a.d").mkdir()
        (folder / "a.d" / "circle").symlink_to("circle")
        (folder / "circle.conf").symlink_to("circle.conf")
        (folder / "file.conf").write_text(f"defaults\n{{\n}}\ninclude {folder}/circle\n")
        (folder / "folder.conf").write_text(f"defaults\n{{\n}}\nincludedir {folder}/circle\n")
        (folder / "in.conf").write_text(f"defaults\n{{\n}}\nincludedir {folder}/a.d\n")
        (folder / "absent.conf").write_text(f"defaults\n{{\n}}\ninclude {folder}/none\n")
        for name, line, words in (("circle.conf", "", "symbolic links"),
                                  ("file.conf", ":4", "symbolic links"),
                                  ("folder.conf", ":4", "symbolic links"),
                                  ("in.conf", ":4", "symbolic links"),
                                  ("absent.conf", ":4", "there is no such file")):
            with self.subTest(name):
                code, text, complaint = self.program("baton-import", folder / name)
                self.assertEqual((code, text), (EXIT_CONFIG, ""))
                self.assertTrue(complaint.startswith(f"{folder / name}{line}: "), complaint)
                self.assertIn(words, complaint)
                self.assertIn("; correct the path", complaint)

    def test_a_file_that_is_called_like_an_option(self):
        code, text, complaint = self.program("baton-import", "--", "--help")
        self.assertEqual((code, text), (EXIT_CONFIG, ""))
        self.assertIn("--help", complaint)

    def test_a_wrong_command_line_of_it(self):
        for arguments, words in (([], "name one FILE"), (["a", "b"], "name one FILE"), (["--"], "name one FILE"),
                                 (["--defaults", "a"], "name one FILE"), (["--no-defaults"], "name one FILE"),
                                 (["-", "-"], "name one FILE"), ([""], "name one FILE"),
                                 (["--nothing"], "unknown argument `--nothing`"),
                                 (["a", "--nothing=5"], "unknown argument `--nothing=5`"),
                                 (["-x", "a"], "unknown argument `-x`"),
                                 (["a", "--no-defaults=5"], "no value may follow `--no-defaults=5`"),
                                 (["a", "--defaults"], "a file must follow `--defaults`"),
                                 (["--defaults=", "a"], "a file must follow --defaults"),
                                 (["--defaults=a", "--defaults", "b", "c"], "one file of defaults already"),
                                 (["--defaults", "-", "-"], "cannot be standard input"),
                                 (["--no-defaults", "--defaults", "a", "b"], "exclude each other")):
            with self.subTest(arguments):
                code, text, complaint = self.program("baton-import", *arguments)
                self.assertEqual((code, text), (EXIT_USAGE, ""))
                self.assertIn(words, complaint)
                self.assertIn("--help", complaint)

    def test_options_of_it_in_all_forms(self):
        path = self.folder() / "inetd.conf"
        path.write_text("7 stream tcp nowait root internal\n")
        for arguments in ([path, "--no-defaults"], ["--no-d", path], ["--defaults", path, path], [path, f"--def={path}"]):
            code, text, complaint = self.program("baton-import", *arguments)
            self.assertNotEqual(code, EXIT_USAGE, complaint)
        code, text, _ = self.program("baton-import", "--vers")
        self.assertRegex(text, r"^baton-import \d")


def without_ipv6():
    """For a child: socket(AF_INET6, ...) fails as where the kernel has none (seccomp(2))."""
    number = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
    load, equal, end = 0x20, 0x15, 0x06
    steps = [(load, 0, 0, 0), (equal, 0, 3, number),  # which call, socket
             (load, 0, 0, 16), (equal, 0, 1, socket.AF_INET6),
             (end, 0, 0, 0x50000 | errno.EAFNOSUPPORT), (end, 0, 0, 0x7FFF0000)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    room = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(room))
    no_new_privileges, seccomp, filter_mode = 38, 22, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(seccomp, filter_mode, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class EitherWorld(Import):
    TEXT = """\
service plain
{
	type = UNLISTED INTERNAL
	port = @
	socket_type = stream
	wait = no
}
"""

    def test_where_there_is_no_ipv6(self):
        self.serve(preexec_fn=without_ipv6, hosts=["127.0.0.1"])

    def test_where_there_is(self):
        self.serve(hosts=["127.0.0.1", "::1"])

    def serve(self, hosts, **options):
        port = peers.free_ports()
        path = self.plain_folder() / "x.conf"
        path.write_text(self.TEXT.replace("plain", "echo").replace("@", str(port)))
        config = self.folder() / "imported.ini"
        config.write_text(self.import_file(path))
        peers.Server(self, BIN_DIR / "batond", "-c", config, "--handlers", shared().handlers,
                     port=port, **options)
        for host in hosts:
            with socket.create_connection((host, port), DEADLINE_S) as client:
                client.sendall(b"hello")
                self.assertEqual(client.recv(100), b"hello")


class Variables(Import):
    def test_what_other_servers_tell_can_be_said(self):
        page = (pathlib.Path(__file__).parents[2] / "conf/KEYS.md").read_text()
        table = page.split("### What other servers tell")[1].split("\n## ")[0]
        settings = re.findall(r"`((?:\w+=\{\w+\}(?::\{\w+\})? ?)+)`", table)
        self.assertGreaterEqual(len(settings), 4)
        text = "".join(f"[s{i}]\nlisten = 127.0.0.1:0\nhandler = env\nenvironment = {setting}\n"
                       for i, setting in enumerate(settings))
        supervisor = self.supervisor({}, text=text)
        for i, setting in enumerate(settings):
            with supervisor.connect(f"s{i}") as client:
                facts = {"peer_address": "127.0.0.1", "local_address": "127.0.0.1",
                         "port": str(client.socket.getpeername()[1]),
                         "peer_port": str(client.socket.getsockname()[1]), "protocol": "TCP"}
                client.end()
                shown = client.rest()
            wanted = re.sub(r"\{(\w+)\}", lambda match: facts[match[1]], setting)
            for word in wanted.split():
                self.assertIn(f"\nenvironment {word}\n", shown, setting)
        self.stop(supervisor)


class Inetd(Import):
    def write(self):
        folder = self.plain_folder()
        self.root = folder / "web"
        self.root.mkdir()
        (self.root / "page").write_text("the page")
        links = {"ok": shared().handlers / "ok", "echo": shared().handlers / "echo",
                 "python": sys.executable, "datagram.py": peers.PROGRAMS_DIR / "datagram.py"}
        for name, target in links.items():
            (folder / name).symlink_to(target)
        user, at = pwd.getpwuid(os.geteuid()).pw_name, peers.free_ports(6)
        self.web, self.upper, self.ok, self.echo, self.udp, self.many = (
            ("127.0.0.1", port) for port in range(at, at + 6))
        lines = f"""\
# /etc/inetd.conf: see inetd(8) for further information.
#
# <service_name> <sock_type> <proto> <flags> <user> <server_path> <args>

#:INTERNAL: Internal services
#discard        stream  tcp     nowait  root    internal
daytime         stream  tcp     nowait  root    internal

#:STANDARD: These are standard services.
127.0.0.1:
{self.web[1]}   stream  tcp     nowait          {user}  {peers.tool("busybox")} busybox httpd -i -h {self.root}
{self.upper[1]} stream  tcp     nowait.200      {user}  {peers.tool("tr")}      tr a-z A-Z
{self.ok[1]}    stream  tcp     wait            {user}  {folder}/ok             ok

#:BOOT: TFTP service is provided primarily for booting.
{self.udp[1]}   dgram   udp     wait            {user}  {folder}/python python -I -S {folder}/datagram.py

#:RPC: RPC based services
rstatd/1-3      dgram   rpc/udp wait            root    /usr/sbin/rpc.rstatd    rpc.rstatd
{self.echo[1]}  stream  tcp,rcvbuf=64k  nowait  {user}  {folder}/echo           echo
"""
        self.assertEqual(len(lines.splitlines()), 20)
        path = folder / "inetd.conf"
        path.write_text(lines)
        return path

    def test_twenty_lines(self):
        path = self.write()
        text = self.import_file(path)
        self.assertRegex(text, r"(?i);.*rpc", "what could not be carried over is told")
        # Only root may have the port of daytime, and only once.
        text = re.sub(r"(?m)^listen = .*daytime$", "listen = 127.0.0.1:0", text)
        supervisor = self.supervisor({}, text=text)
        places = {event["address"] for event in supervisor.find("listening")}
        for address in (self.web, self.upper, self.ok, self.echo, self.udp):
            self.assertIn(harness.address_text(address), places)
        page = peers.run(peers.tool("curl"), "--silent", "--fail",
                         f"http://127.0.0.1:{self.web[1]}/page")
        self.assertEqual(page, b"the page")
        supervisor.expect_records(1, local=harness.address_text(self.web))
        self.assertEqual(self.ask(supervisor, self.upper, b"hello"), "HELLO")
        self.assertEqual(self.ask(supervisor, self.echo, b"hello"), "hello")
        with Client(self.ok) as client:
            client.send("Hello")
            self.assertEqual(client.socket.recv(100).strip(), b"OK")
        self.assertEqual(self.ask_datagram(self.udp, b"hello").split(b":")[1], b"hello")
        self.assertRegex(self.ask(supervisor, supervisor.address("daytime")), r"20\d\d")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
