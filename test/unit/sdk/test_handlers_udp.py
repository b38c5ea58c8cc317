"""The handlers of UDP as real processes, and baton.py: answers, from where, and to whom not (POSIX)."""

import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import unittest

SDK = pathlib.Path(__file__).resolve().parents[3] / "handlers" / "sdk"
HANDLERS = pathlib.Path(os.environ.get("BATON_HANDLERS_DIR", "build/dev/handlers"))
DEADLINE_S = 20
LATER_S = 1  # how long something that must not happen is waited for


class Datagram(unittest.TestCase):
    """As a wait service of inetd: the bound socket is standard input."""

    def setUp(self):
        self.bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bound.bind(("127.0.0.1", 0))
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.settimeout(DEADLINE_S)
        self.client.connect(self.bound.getsockname())
        self.addCleanup(self.bound.close)
        self.addCleanup(self.client.close)

    def launch(self, name, **environment):
        return subprocess.Popen([HANDLERS / name], stdin=self.bound, env={**os.environ, **environment})

    def ask(self, question):
        self.client.send(question)
        return self.client.recv(65536)

    def end(self, process):
        process.terminate()
        self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_echo(self):
        process = self.launch("echo")
        for question in (b"to and fro", b"", bytes(60000)):
            self.assertEqual(self.ask(question), question)
        self.end(process)

    def test_daytime(self):
        process = self.launch("daytime")
        self.assertRegex(self.ask(b""), rb"^\w+, .*-UTC\r\n$")
        self.end(process)

    def test_time(self):
        process = self.launch("time")
        (seconds,) = struct.unpack("!I", self.ask(b""))
        self.assertLess(abs(seconds - 2208988800 - time.time()), DEADLINE_S)
        self.end(process)

    def test_chargen_answers_with_no_more_than_it_got(self):
        process = self.launch("chargen")
        for length, answer_length in ((0, 0), (1, 1), (300, 300), (512, 512), (5000, 512)):
            self.assertEqual(len(self.ask(bytes(length))), answer_length)
        self.end(process)

    def test_discard_reads_and_ends_when_idle(self):
        self.client.send(b"nothing comes back")
        process = self.launch("discard", LIBBATON_IDLE_MS="20")
        self.assertEqual(process.wait(DEADLINE_S), 0)
        self.bound.setblocking(False)
        self.assertRaises(BlockingIOError, self.bound.recv, 1)

    def test_services_do_not_answer_each_other(self):
        """A datagram that comes from the service's own port, as a spoofed one would."""
        process = self.launch("echo")
        self.bound.sendto(b"for ever", self.bound.getsockname())
        self.assertEqual(self.ask(b"still there"), b"still there")
        self.end(process)
        self.bound.setblocking(False)
        self.assertRaises(BlockingIOError, self.bound.recv, 1)


class Loop(unittest.TestCase):
    """Two servers that answer whatever they get, and one datagram that somebody sent to one of them in
    the other's name. The other one is played by the test, at a port that says nothing."""

    ENDLESS = 20000  # of 95,921 that were once seen
    BURST = 1000
    INTERVAL_S = 0.01  # until another answer after it
    # A single one whose round takes the interval is answered for ever: so slow may a machine be.
    IN_FLIGHT = 32

    def play(self, command):
        """How many answers came until there were no more, and how many may have in that time."""
        bound, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        count = 0
        with bound, other:
            for end in (bound, other):
                end.bind(("127.0.0.1", 0))
            other.connect(bound.getsockname())
            other.settimeout(LATER_S)
            process = subprocess.Popen(command, stdin=bound)
            begin_s = end_s = time.monotonic()
            for _ in range(self.IN_FLIGHT):
                other.send(b"for ever")
            other.settimeout(DEADLINE_S)  # for the first one, while it starts
            try:
                while count < self.ENDLESS and end_s - begin_s < DEADLINE_S:
                    data = other.recv(1000)
                    other.settimeout(LATER_S)
                    end_s = time.monotonic()
                    count += 1
                    other.send(data)
            except TimeoutError:
                pass
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.settimeout(DEADLINE_S)
                stranger.connect(bound.getsockname())
                stranger.send(b"still there")
                self.assertTrue(stranger.recv(1000), "others are served")
            process.terminate()
            self.assertEqual(process.wait(DEADLINE_S), 0)
        # 2 for a clock that goes in steps.
        return count, self.BURST + int((end_s - begin_s) / self.INTERVAL_S) + 2

    def test_it_ends(self):
        for command in ([HANDLERS / "echo"], [HANDLERS / "chargen"], [HANDLERS / "daytime"],
                        [HANDLERS / "time"], [sys.executable, "-c", PYTHON_POLITE, str(SDK)]):
            with self.subTest(command=str(command[0])):
                count, most = self.play(command)
                self.assertGreaterEqual(count, self.BURST, "a client of a few hundred is not hurt")
                self.assertLessEqual(count, most)

    def test_answering_ports_are_not_answered(self):
        """Whoever asks from a service's own port; as far as this user may have such a port."""
        for command in ([HANDLERS / "echo"], [sys.executable, "-c", PYTHON_POLITE, str(SDK)]):
            bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            bound.bind(("127.0.0.1", 0))
            process = subprocess.Popen(command, stdin=bound)
            with bound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, \
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
                # Others run this test at the same time.
                service.bind((".".join(["127", *(str(1 + b % 254) for b in os.urandom(3))]), 11211))
                service.setblocking(False)
                service.sendto(b"stats", bound.getsockname())
                stranger.settimeout(DEADLINE_S)
                stranger.connect(bound.getsockname())
                stranger.send(b"and then")  # behind it, from one who is answered
                self.assertEqual(stranger.recv(1000), b"and then")
                self.assertRaises(BlockingIOError, service.recv, 1)
                process.terminate()
                self.assertEqual(process.wait(DEADLINE_S), 0)


PYTHON_POLITE = """
import sys
sys.path.insert(0, sys.argv[1])
import baton
def answer(connection, data):
    if connection.may_answer():
        connection.answer(data)
raise SystemExit(baton.serve(None, answer))
"""

PYTHON_ECHO = """
import sys
sys.path.insert(0, sys.argv[1])
import baton
def answer(connection, data):
    connection.answer(data + b" " + connection.local.encode())
raise SystemExit(baton.serve(None, answer))
"""


class AnyAddress(unittest.TestCase):
    """A socket that is bound to all addresses answers from the one that was asked: a connected
    client takes nothing else."""

    def bind(self, host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(bound.close)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, 0))
        return bound

    def client(self, bound, host):
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(DEADLINE_S)
        client.connect((host, bound.getsockname()[1]))
        return client

    def each(self, command, check, **environment):
        """check(client, the address that it asks) for each way to ask, the first of which is also
        what the handler was started for."""
        for bound_to, asked in (("0.0.0.0", ("127.0.0.2", "127.0.0.1", "127.1.2.3")),
                                ("::", ("127.0.0.2", "::1", "127.0.0.1")),
                                ("127.0.0.3", ("127.0.0.3",)), ("::1", ("::1",))):
            bound = self.bind(bound_to)
            first = self.client(bound, asked[0])
            first.send(b"before it was started")
            process = subprocess.Popen(command, stdin=bound, env={**os.environ, **environment})
            for host in asked:
                with self.subTest(command=command[0], bound_to=bound_to, asked=host):
                    client = first if host == asked[0] else self.client(bound, host)
                    if client is not first:
                        client.send(b"question")
                    check(client, host)
            if not environment:
                process.terminate()
            self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_handlers(self):
        def check(client, _):
            self.assertTrue(client.recv(65536))
            client.send(b"again")
            self.assertTrue(client.recv(65536))

        for name in ("echo", "chargen", "daytime", "time"):
            self.each([HANDLERS / name], check)

    def test_discard(self):
        """Reads all, and answers from no address."""
        clients = []
        self.each([HANDLERS / "discard"], lambda client, _: clients.append(client),
                  LIBBATON_IDLE_MS="50")
        for client in clients:
            client.setblocking(False)
            self.assertRaises(BlockingIOError, client.recv, 1)

    def test_python(self):
        def check(client, host):
            local = b"[%s]" % host.encode() if ":" in host else host.encode()
            self.assertEqual(client.recv(65536).split(b" ")[-1],
                             local + b":%d" % client.getpeername()[1])

        self.each([sys.executable, "-c", PYTHON_ECHO, str(SDK)], check)

    def test_what_was_sent_to_all(self):
        """A broadcast is answered from an address of the host's own."""
        bound = self.bind("0.0.0.0")
        for command in ([HANDLERS / "echo"], [sys.executable, "-c", PYTHON_ECHO, str(SDK)]):
            process = subprocess.Popen(command, stdin=bound)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(DEADLINE_S)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                for _ in range(2):
                    client.sendto(b"all", ("127.255.255.255", bound.getsockname()[1]))
                    data, sender = client.recvfrom(99)
                    self.assertTrue(data.startswith(b"all"))
                    self.assertTrue(sender[0].startswith("127."), sender)
            process.terminate()
            self.assertEqual(process.wait(DEADLINE_S), 0)


class PythonLimit(unittest.TestCase):
    """The numbers of test_limit.c."""

    def test_a_burst_and_then_a_rate(self):
        sys.path.insert(0, str(SDK))
        import baton_datagram
        limit = baton_datagram.Limit()

        def taken(now_ms, count=5000, sender="192.0.2.1:5000"):
            return sum(limit.take(sender, now_ms / 1000) for _ in range(count))

        self.assertEqual(taken(1000), 1000)
        self.assertEqual(taken(1004), 0)
        self.assertEqual(taken(1010, 10), 1)
        self.assertAlmostEqual(taken(2010), 100, delta=1)
        self.assertAlmostEqual(taken(11000), 899, delta=1)
        self.assertAlmostEqual(taken(1 << 40), 1000, delta=1)
        others = sum(limit.take(f"192.0.2.2:{port}", 1 << 30) for port in range(10000, 60000))
        self.assertGreater(others, 49700)  # but for those who share the counter of the first


if __name__ == "__main__":
    unittest.main()
