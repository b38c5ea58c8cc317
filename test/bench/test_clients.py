"""The clients of scripts/bench --peers: they serve as a measure only if they count every fault."""

import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import unittest

import measuring
from test_load import DEADLINE_S, Server

CLIENTS = pathlib.Path(os.environ["BATON_BENCH_PROGRAMS"]) / "clients"


def right(connection):
    if connection.recv(64) == b"hello":
        connection.sendall(b"OK")


def run(port, *arguments):
    done = subprocess.run([CLIENTS, str(port), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    return measuring.parse(done.stdout)


class Case(unittest.TestCase):
    def fates(self, serve, *arguments):
        with Server(serve) as server:
            result = run(server.port, *(arguments or ("count", 2, 6)))
        return {"served": result.served, **measuring.faults(result)}

    def test_all_are_served(self):
        self.assertEqual(self.fates(right), {"served": 6})

    def test_paced(self):
        with Server(right) as server:
            result = run(server.port, "paced", 100, 10)
        self.assertEqual(result.served, 10)
        # The last came 90 ms after the first.
        self.assertGreaterEqual(result.span_us, 90000)
        self.assertLessEqual(result.median_us, result.p99_us)

    def test_closed(self):
        with Server(right) as server:
            result = run(server.port, "closed", 2, 10, 100)
        self.assertGreater(result.served, 0)
        self.assertEqual((result.span_us, measuring.faults(result)), (100000, {}))

    def test_short_answers(self):
        self.assertEqual(self.fates(lambda connection: connection.sendall(b"O")
                                    if connection.recv(64) else None), {"served": 0, "short": 6})

    def test_wrong_and_long_answers(self):
        for answer in (b"KO", b"OKOK"):
            def serve(connection, answer=answer):
                connection.recv(64)
                connection.sendall(answer)
            self.assertEqual(self.fates(serve), {"served": 0, "wrong": 6})

    def test_an_answer_in_two_parts(self):
        def serve(connection):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if connection.recv(64):
                connection.sendall(b"O")
                connection.sendall(b"K")
        self.assertEqual(self.fates(serve), {"served": 6})

    def test_reset_connections(self):
        def serve(connection):
            connection.recv(64)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.assertEqual(self.fates(serve), {"served": 0, "reset": 6})

    def test_refused_connections(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            result = run(nobody.getsockname()[1], "count", 2, 6)
        self.assertEqual((result.served, measuring.faults(result)), (0, {"refused": 6}))

    def test_who_waits_is_silent(self):
        def serve(connection):
            with contextlib.suppress(OSError):
                while connection.recv(64):
                    pass
        self.assertEqual(self.fates(serve, "paced", 100, 3, 50), {"served": 0, "silent": 3})

    def test_a_late_client_is_late_from_when_it_was_to_come(self):
        # One at a time, each slower than they come: the last waits for those before it.
        def serve(connection):
            connection.recv(64)
            subprocess.run(["sleep", "0.05"], check=True)
            connection.sendall(b"OK")
        with Server(serve) as server:
            server.serve_in_turn()
            result = run(server.port, "paced", 1000, 6)
        self.assertEqual(result.served, 6)
        self.assertGreaterEqual(result.max_us, 6 * 50000 - 5000)

    def test_usage(self):
        for arguments in ((), ("1", "count", "1"), ("0", "count", "1", "1"), ("1", "closed", "1", "1"),
                          ("1", "count", "1001", "1"), ("1", "paced", "0", "1"), ("1", "x", "1", "1"),
                          ("1", "count", "1", "1", "1")):
            done = subprocess.run([CLIENTS, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=DEADLINE_S, check=False)
            self.assertEqual(done.returncode, 64, arguments)


if __name__ == "__main__":
    unittest.main()
