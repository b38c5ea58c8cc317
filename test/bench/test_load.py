"""The client of scripts/bench --against: it serves as a measure only if it notices every fault."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import unittest

LOAD = os.environ["BATON_BENCH_LOAD"]
DEADLINE_S = 30
QUIET_MS = 20000


class Server:
    """Listens on loopback, and lets `serve` have each connection in a thread of its own."""

    def __init__(self, serve):
        self._serve = serve
        self._threads = []
        self._in_turn = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._accepter = threading.Thread(target=self._accept)

    def __enter__(self):
        self._accepter.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepter.join(DEADLINE_S)
        self._listener.close()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def serve_in_turn(self):
        """From here on the next connection is taken when the last has been served."""
        self._in_turn = True

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # __exit__()
            self._threads.append(threading.Thread(target=self._take, args=(connection,)))
            self._threads[-1].start()
            if self._in_turn:
                self._threads[-1].join(DEADLINE_S)

    def _take(self, connection):
        connection.settimeout(DEADLINE_S)
        # A client that has given up may have reset the connection.
        with connection, contextlib.suppress(ConnectionError):
            self._serve(connection)


def question(connection):
    """All that the client says."""
    said = b""
    while more := connection.recv(64):
        said += more
    return said


def answering(*pieces):
    def serve(connection):
        question(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
    return serve


def run(port, at_once=4, count=8, quiet_ms=QUIET_MS):
    return subprocess.run([LOAD, *map(str, (port, at_once, count, quiet_ms))],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)


class Load(unittest.TestCase):
    def fault(self, serve, *wanted, **options):
        with Server(serve) as server:
            result = run(server.port, **options)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        for text in ("load: ", " served)\n", *wanted):
            self.assertIn(text, result.stderr)

    def test_count_at_once_and_question(self):
        said = []
        # Opens only to four at once, so fewer would wait for ever.
        gate = threading.Barrier(4, timeout=DEADLINE_S)

        def serve(connection):
            said.append(question(connection))
            gate.wait()
            connection.sendall(b"OK")

        with Server(serve) as server:
            result = run(server.port, at_once=4, count=12)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"^[1-9][0-9]*\n$")
        self.assertEqual(said, [b"hello"] * 12)

    def test_fewer_connections_than_clients(self):
        with Server(answering(b"OK")) as server:
            self.assertEqual(run(server.port, at_once=4, count=1).returncode, 0)

    def test_answer_in_pieces(self):
        with Server(answering(b"O", b"K")) as server:
            self.assertEqual(run(server.port).returncode, 0)

    def test_no_answer(self):
        self.fault(answering(), "ended after 0 of 2 bytes", "(0 of 8 served)")

    def test_short_answer(self):
        self.fault(answering(b"O"), "ended after 1 of 2 bytes")

    def test_wrong_answer(self):
        self.fault(answering(b"NO"), "another answer than OK")
        self.fault(answering(b"O", b"H"), "another answer than OK")

    def test_long_answer(self):
        self.fault(answering(b"OK!"), "another answer than OK")
        self.fault(answering(b"OK", b"OK"), "another answer than OK")

    def test_reset(self):
        def serve(connection):
            question(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        self.fault(serve, "broke after 0 of 2 bytes", "reset")

    def test_silence(self):
        def serve(connection):
            question(connection)
            released.wait(DEADLINE_S)

        released = threading.Event()
        with Server(serve) as server:
            result = run(server.port, quiet_ms=100)
            released.set()
        self.assertEqual(result.returncode, 1)
        self.assertIn("4 connections got no answer or no end, and nothing came for 100 ms",
                      result.stderr)

    def test_answer_without_an_end(self):
        released = threading.Event()

        def serve(connection):
            question(connection)
            connection.sendall(b"OK")
            released.wait(DEADLINE_S)

        with Server(serve) as server:
            result = run(server.port, at_once=1, count=2, quiet_ms=200)
            released.set()
        self.assertEqual(result.returncode, 1)
        self.assertIn("1 connections got no answer or no end", result.stderr)
        self.assertIn("(0 of 2 served)", result.stderr)

    def test_nobody_listens(self):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            result = run(deaf.getsockname()[1])
        self.assertEqual(result.returncode, 1)
        self.assertIn("connection 1 could not be made: Connection refused", result.stderr)

    def test_usage(self):
        for arguments in ((), ("1", "1", "1"), ("0", "1", "1", "1"), ("1", "0", "1", "1"),
                          ("1", "251", "1", "1"), ("1", "1", "0", "1"), ("1", "1", "1", "x")):
            result = subprocess.run([LOAD, *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 64, arguments)
            self.assertIn("usage: load PORT AT_ONCE COUNT QUIET_MS", result.stderr)


if __name__ == "__main__":
    unittest.main()
