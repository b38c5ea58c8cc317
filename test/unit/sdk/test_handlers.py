"""The handlers as real processes, in each of the ways that a socket can come to them (POSIX)."""

import hashlib
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SDK = pathlib.Path(__file__).resolve().parents[3] / "handlers" / "sdk"
HANDLERS = pathlib.Path(os.environ.get("BATON_HANDLERS_DIR", "build/dev/handlers"))
DEADLINE_S = 20
WAYS = ("channel", "stdio", "stdio-error", "wait", "listen-fds")
MIB = 1 << 20

# LISTEN_PID is known only in the child; the listener is standard input and descriptor 3.
AS_LISTENER = 'LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$0" "$@" 3<&0'


def field(tag, value):
    return struct.pack("!HH", tag, len(value)) + value


def offer():
    body = field(0x0A, b"test") + field(0x0B, b"\1") + field(0x0E, bytes(8)) + field(0x0F, bytes(8))
    return b"BATN\1\x11\0\0" + struct.pack("!II", 1, len(body)) + body


class Launched:
    """A handler that serves `client` (and, where it has a listener, whoever comes after)."""

    def __init__(self, way, command):
        self.way = way
        self.channel = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.client = self.connect()
        command = [str(HANDLERS / command[0]), *command[1:]]
        options = {"stdin": self.listener, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        given = None
        if way.startswith("stdio"):
            given, _ = self.listener.accept()
            options.update(stdin=given, stdout=given)
            if way == "stdio-error":
                options.update(stderr=given)
        elif way == "listen-fds":
            command = ["sh", "-c", AS_LISTENER, *command]
        elif way == "channel":
            given = self.offer_to(options)
        self.process = subprocess.Popen(command, **options)
        if given is not None:
            given.close()

    def offer_to(self, options):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE_S)
        number = theirs.fileno()
        names = {"BATON_PROTOCOL": "1", "BATON_CHANNEL": f"{number},{number}"}
        names["BATON_NONCE"] = "00" * 16
        options.update(stdin=subprocess.DEVNULL, pass_fds=[number], env={**os.environ, **names})
        accepted, _ = self.listener.accept()
        socket.send_fds(self.channel, [offer()], [accepted.fileno()])
        accepted.close()
        return theirs

    def connect(self):
        client = socket.create_connection(self.listener.getsockname(), DEADLINE_S)
        client.settimeout(DEADLINE_S)
        return client

    def end(self):
        """How it went, as (status, text), when all is served."""
        self.client.close()
        self.listener.close()
        status, text = None, ""
        if self.channel is not None:
            frames = [self.channel.recv(1024) for _ in range(3)]  # HELLO, ACK, DONE
            status = frames[2][20]
            found = re.search(rb"\x80\x09..(.*)", frames[2], re.S)
            text = found.group(1).decode() if found else ""
            self.channel.close()
        elif self.way in ("wait", "listen-fds"):
            self.process.terminate()
        if self.process.stderr is not None:
            text += self.process.stderr.read().decode()
            self.process.stderr.close()
        code = self.process.wait(DEADLINE_S)
        return code if status is None else status, text


def rest(client):
    return b"".join(iter(lambda: client.recv(65536), b""))


class HandlerCase(unittest.TestCase):
    def each_way(self, *command):
        for way in WAYS:
            with self.subTest(way=way):
                launched = Launched(way, command)
                yield launched
                self.assertEqual(launched.end(), (0, ""))


class Stream(HandlerCase):
    def test_echo(self):
        for launched in self.each_way("echo"):
            launched.client.sendall(b"to and fro")
            launched.client.shutdown(socket.SHUT_WR)
            self.assertEqual(rest(launched.client), b"to and fro")

    def test_echo_for_many(self):
        for way in ("wait", "listen-fds"):
            with self.subTest(way=way):
                launched = Launched(way, ["echo"])
                launched.client.close()
                for _ in range(5):
                    with launched.connect() as client:
                        client.sendall(b"x")
                        self.assertEqual(client.recv(9), b"x")
                self.assertEqual(launched.end(), (0, ""))

    def test_discard(self):
        for launched in self.each_way("discard"):
            launched.client.sendall(bytes(MIB))
            launched.client.shutdown(socket.SHUT_WR)
            self.assertEqual(rest(launched.client), b"")

    def test_daytime(self):
        for launched in self.each_way("daytime"):
            self.assertRegex(rest(launched.client), rb"^\w+, \w+ \d\d, \d{4} \d\d:\d\d:\d\d-UTC\r\n$")

    def test_time(self):
        for launched in self.each_way("time"):
            before = int(time.time())
            (seconds,) = struct.unpack("!I", rest(launched.client))
            self.assertLessEqual(before - DEADLINE_S, seconds - 2208988800)
            self.assertLessEqual(seconds - 2208988800, int(time.time()))

    def test_chargen(self):
        for launched in self.each_way("chargen"):
            said = b""
            while len(said) < 200 * 74:
                said += launched.client.recv(65536)
            for number, line in enumerate(said.split(b"\r\n")[:200]):
                expected = bytes(32 + (number + i) % 95 for i in range(72))
                self.assertEqual(line, expected, number)
            launched.client.close()


LOGGING_PY = """
import sys
sys.path.insert(0, sys.argv[1])
import baton
def answer(connection):
    while data := connection.socket.recv(1000):
        print("said", data)
        print("said", data, file=sys.stderr, flush=True)
        sys.stdout.write("kept back")
        baton.log("said")
        connection.socket.sendall(b"OK")
raise SystemExit(baton.serve(answer))
"""


class LogThatIsGone(unittest.TestCase):
    """Standard error is a pipe that nobody reads any more, and the client is still there."""

    def test_the_client_does_not_notice(self):
        for command in (["ok"], [sys.executable, "-c", LOGGING_PY, str(SDK)]):
            for way in ("channel", "stdio", "wait", "listen-fds"):
                with self.subTest(command=command[0], way=way):
                    launched = Launched(way, command)
                    self.ask(launched.client)
                    launched.process.stderr.close()
                    launched.process.stderr = None
                    for _ in range(5):
                        self.ask(launched.client)
                    self.assertEqual(launched.end(), (0, ""))

    def ask(self, client):
        client.sendall(b"question")
        self.assertEqual(client.recv(9), b"OK")


class Target:
    """A server for one connection, on a thread of its own."""

    def __init__(self, serve, host="127.0.0.1"):
        self.listener = socket.create_server((host, 0))
        self.listener.settimeout(DEADLINE_S)
        self.port = str(self.listener.getsockname()[1])
        self.result = None
        self.thread = threading.Thread(target=self.run, args=[serve])
        self.thread.start()

    def run(self, serve):
        try:
            connection, _ = self.listener.accept()
            with connection:
                connection.settimeout(DEADLINE_S)
                self.result = serve(connection)
        except OSError as error:
            self.result = error

    def end(self):
        self.thread.join(DEADLINE_S)
        self.listener.close()
        return self.result


def digest(data):
    return hashlib.sha256(data).hexdigest()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Forward(unittest.TestCase):
    def setUp(self):
        source = random.Random(868)
        self.there, self.back = source.randbytes(10 * MIB + 1), source.randbytes(10 * MIB + 7)

    def each_way(self, serve, client, outcome=(0, "")):
        for way in WAYS:
            with self.subTest(way=way):
                target = Target(serve)
                launched = Launched(way, ["forward", "127.0.0.1", target.port])
                client(launched.client)
                result = target.end()
                self.assertEqual(launched.end(), outcome)
                yield result

    def test_client_ends_first(self):
        """The target answers only when it has all, so the half-close must have come."""

        def serve(connection):
            got = rest(connection)
            connection.sendall(self.back)
            return digest(got)

        def client(connection):
            connection.sendall(self.there)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(digest(rest(connection)), digest(self.back))

        for result in self.each_way(serve, client):
            self.assertEqual(result, digest(self.there))

    def test_target_ends_first(self):
        def serve(connection):
            connection.sendall(self.back)
            connection.shutdown(socket.SHUT_WR)
            return digest(rest(connection))

        def client(connection):
            self.assertEqual(digest(rest(connection)), digest(self.back))
            connection.sendall(self.there)
            connection.close()

        for result in self.each_way(serve, client):
            self.assertEqual(result, digest(self.there))

    def test_both_at_the_same_time(self):
        def serve(connection):
            sender = threading.Thread(target=connection.sendall, args=[self.back])
            sender.start()
            got = rest(connection)
            sender.join()
            return digest(got)

        def client(connection):
            def send():
                connection.sendall(self.there)
                connection.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            self.assertEqual(digest(rest(connection)), digest(self.back))
            sender.join()

        for result in self.each_way(serve, client):
            self.assertEqual(result, digest(self.there))

    def test_urgent_bytes_in_their_place(self):
        def serve(connection):
            connection.send(b"xY", socket.MSG_OOB)
            connection.sendall(b"z")
            connection.shutdown(socket.SHUT_WR)
            return rest(connection)

        def client(connection):
            self.assertEqual(rest(connection), b"xYz")
            connection.send(b"abC", socket.MSG_OOB)
            connection.sendall(b"d")
            connection.shutdown(socket.SHUT_WR)

        for result in self.each_way(serve, client):
            self.assertEqual(result, b"abCd")

    def assert_reset(self, connection):
        with self.assertRaises(ConnectionResetError):
            rest(connection)

    def failed(self, way, launched):
        """It says why, and the process that was made for it fails."""
        status, text = launched.end()
        self.assertEqual(status, 0 if way in ("wait", "listen-fds") else 1)
        return text

    def test_reset_by_the_target(self):
        def serve(connection):
            connection.recv(1)
            reset(connection)

        for way in WAYS:
            with self.subTest(way=way):
                target = Target(serve)
                launched = Launched(way, ["forward", "127.0.0.1", target.port])
                launched.client.sendall(b"x")
                self.assert_reset(launched.client)
                target.end()
                text = self.failed(way, launched)
                if way != "stdio-error":
                    self.assertIn("reset before its end", text)

    def test_reset_by_the_client(self):
        def serve(connection):
            connection.sendall(b"x")
            return rest(connection)

        target = Target(serve)
        launched = Launched("channel", ["forward", "127.0.0.1", target.port])
        self.assertEqual(launched.client.recv(1), b"x")
        reset(launched.client)
        self.assertIsInstance(target.end(), ConnectionResetError)
        self.assertEqual(launched.end(), (1, "reset before its end"))

    def test_nobody_at_the_target(self):
        free = socket.socket()
        free.bind(("127.0.0.1", 0))  # and does not listen
        port = str(free.getsockname()[1])
        for way in WAYS:
            with self.subTest(way=way):
                launched = Launched(way, ["forward", "127.0.0.1", port])
                self.assert_reset(launched.client)
                text = self.failed(way, launched)
                if way != "stdio-error":
                    self.assertIn(f"no connection to 127.0.0.1 port {port}: Connection refused", text)
        free.close()

    def test_target_without_address(self):
        launched = Launched("channel", ["forward", "127.0.0.1", "no-such-port"])
        self.assert_reset(launched.client)
        self.assertIn("no connection to 127.0.0.1 port no-such-port: Serv", launched.end()[1])

    def test_every_address_is_tried(self):
        """Where the name has an IPv6 address too, nobody listens there."""
        target = Target(lambda connection: connection.sendall(b"here"))
        launched = Launched("channel", ["forward", "localhost", target.port])
        self.assertEqual(rest(launched.client), b"here")
        launched.client.close()
        target.end()
        self.assertEqual(launched.end(), (0, ""))

    def test_usage(self):
        for arguments in ([], ["127.0.0.1"], ["127.0.0.1", "1", "2"]):
            process = subprocess.run([HANDLERS / "forward", *arguments], capture_output=True)
            self.assertEqual((process.returncode, process.stderr), (64, b"usage: forward HOST PORT\n"))


BATON_PY = """
import sys
sys.path.insert(0, sys.argv[1])
import baton
def tell(connection):
    connection.answer(f"peer_uid {connection.peer_uid}\\npeer_pid {connection.peer_pid}\\n".encode())
raise SystemExit(baton.serve(tell))
"""


class LocalClient(unittest.TestCase):
    """Who a local client is, told by the socket itself (unix(7))."""

    PROGRAMS = ([str(HANDLERS / "env")], [sys.executable, "-c", BATON_PY, str(SDK)])

    def facts(self, command):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener, \
                socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE_S)
            listener.bind(f"{folder}/s")
            listener.listen()
            client.connect(f"{folder}/s")
            given, _ = listener.accept()
            process = subprocess.Popen(command, stdin=given, stdout=given)
            given.close()
            said = rest(client).decode()
            self.assertEqual(process.wait(DEADLINE_S), 0)
        lines = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
        return lines.get("peer_uid"), lines.get("peer_pid", "None")

    def test_user_and_process(self):
        for program in self.PROGRAMS:
            self.assertEqual(self.facts(program), (str(os.getuid()), str(os.getpid())))

    def test_the_user_alone_where_the_process_cannot_be_named(self):
        for options in (["--pid"], ["--user", "--map-current-user", "--pid"]):
            apart = ["unshare", *options, "--fork"]
            if subprocess.run([*apart, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                break
        else:
            self.skipTest("no pid namespace may be made here")
        for program in self.PROGRAMS:
            self.assertEqual(self.facts([*apart, *program]), (str(os.getuid()), "None"))


if __name__ == "__main__":
    unittest.main()
