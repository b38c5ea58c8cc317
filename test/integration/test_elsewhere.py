"""Handlers that were written with our SDK, unchanged, under the super-servers of others.

There are four kinds of hand-off among them: the connection on the standard streams, the listener
there, and either in LISTEN_FDS. The gate has one server of each kind."""

import getpass
import pathlib
import socket
import tempfile

import harness
import peers
from harness import SupervisorCase, shared
from settings import DEADLINE_S, one_more_of_a_kind, size

ROUNDS = size(3, 2)


class Elsewhere(SupervisorCase):
    def check_echo(self, port):
        sent = bytes(range(256)) * 256
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            heard = b""
            while piece := client.recv(65536):
                heard += piece
        self.assertEqual(heard, sent)

    def check_ok(self, port):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
            for _ in range(2):
                client.sendall(b"Hello")
                self.assertEqual(client.recv(100).strip(), b"OK")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(100), b"", "and nothing else, no line of the log")

    def check(self, start):
        """`start(handler's path, port)` starts the other super-server."""
        for name, check in (("echo", self.check_echo), ("ok", self.check_ok)):
            with self.subTest(name):
                port = peers.free_ports()
                start(str(shared().handlers / name), port)
                for _ in range(ROUNDS):
                    check(port)

    def plain_folder(self, handler):
        """A folder with a link to the handler, without blanks in its name: configs of inetd's kind
        know no quotes."""
        folder = tempfile.TemporaryDirectory(prefix="baton-")
        self.addCleanup(folder.cleanup)
        link = pathlib.Path(folder.name) / "handler"
        link.symlink_to(handler)
        return link.parent, link

    # -- inetd

    def inetd_config(self, handler, port, wait):
        folder, link = self.plain_folder(handler)
        config = folder / "inetd.conf"
        config.write_text(f"127.0.0.1:{port} stream tcp {wait} {getpass.getuser()} {link} handler\n")
        return config

    def inetutils(self, wait):
        def start(handler, port):
            config = self.inetd_config(handler, port, wait)
            peers.Server(self, peers.server("inetutils-inetd"), "--debug",
                         f"--pidfile={config.parent}/pid", config, port=port)
        self.check(start)

    def openbsd(self, wait):
        self.check(lambda handler, port: peers.Server(
            self, peers.server("openbsd-inetd"), "-i", self.inetd_config(handler, port, wait),
            port=port))

    def test_inetutils_inetd(self):
        self.inetutils("nowait")

    @one_more_of_a_kind
    def test_inetutils_inetd_wait(self):
        self.inetutils("wait")

    @one_more_of_a_kind
    def test_openbsd_inetd(self):
        self.openbsd("nowait")

    @one_more_of_a_kind
    def test_openbsd_inetd_wait(self):
        self.openbsd("wait")

    # -- xinetd

    def xinetd(self, wait):
        def start(handler, port):
            folder, link = self.plain_folder(handler)
            config = folder / "xinetd.conf"
            config.write_text(
                "defaults\n{\n}\nservice handler\n{\n type = UNLISTED\n socket_type = stream\n"
                f" protocol = tcp\n bind = 127.0.0.1\n port = {port}\n wait = {wait}\n"
                f" user = {getpass.getuser()}\n server = {link}\n}}\n")
            peers.Server(self, peers.server("xinetd"), "-dontfork", "-f", config, "-pidfile",
                         folder / "pid", port=port)
        self.check(start)

    @one_more_of_a_kind
    def test_xinetd(self):
        self.xinetd("no")

    def test_xinetd_wait(self):
        self.xinetd("yes")

    # -- tcpserver

    @one_more_of_a_kind
    def test_tcpserver(self):
        self.check(lambda handler, port: peers.Server(
            self, peers.tool("tcpserver"), "-HRl0", "127.0.0.1", port, handler, port=port))

    # -- systemd

    def systemd(self, *options):
        self.check(lambda handler, port: peers.Server(
            self, peers.server("systemd-socket-activate"), *options, "--listen",
            f"127.0.0.1:{port}", handler, port=port))

    def test_systemd_socket_activate(self):
        self.systemd()

    def test_systemd_socket_activate_accept(self):
        self.systemd("--accept")

    @one_more_of_a_kind
    def test_systemd_socket_activate_accept_inetd(self):
        self.systemd("--accept", "--inetd")


if __name__ == "__main__":
    harness.main()
