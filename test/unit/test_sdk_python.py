"""baton.py against the golden vectors, and on a channel with this test as its supervisor (POSIX)."""

import os
import pathlib
import select
import socket
import subprocess
import sys
import unittest

ROOT = pathlib.Path(os.environ.get("BATON_SOURCE_DIR", "."))
sys.path.insert(0, str(ROOT / "handlers" / "sdk"))
import baton  # noqa: E402

NONCE = "000102030405060708090a0b0c0d0e0f"
DEADLINE_S = 5


def vectors():
    text = (ROOT / "test" / "golden" / "wire" / "vectors.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if " | " in line and not line.startswith("#"):
            name, direction, result, frame, meaning = line.split(" | ")
            yield name, direction, result, bytes.fromhex(frame), meaning


FRAMES = {name: frame for name, _, _, frame, _ in vectors()}


class Codec(unittest.TestCase):
    def test_vectors_to_the_handler(self):
        count = 0
        for name, direction, result, frame, meaning in vectors():
            if direction != "to-handler":
                continue
            count += 1
            with self.subTest(name):
                if result not in ("OK", "SKIP"):
                    self.assertRaises(baton.ProtocolFault, baton.decode, frame)
                    continue
                kind, number, fields = baton.decode(frame)
                if result == "OK":
                    self.assertIn(f" connection={number}", meaning)
                    if not name.startswith("loose-"):
                        self.assertEqual(baton.encode(kind, number, fields), frame)
                else:
                    self.assertEqual(fields, {})
        self.assertGreater(count, 20)

    def test_truncations(self):
        for length in range(len(FRAMES["offer"])):
            self.assertRaises(baton.ProtocolFault, baton.decode, FRAMES["offer"][:length])


class Supervisor:
    """Our side of a channel; the handler's side is opened in this process."""

    def __init__(self, **options):
        self.channel, handler = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE_S)
        number = handler.detach()
        os.environ.update(
            BATON_PROTOCOL="1", BATON_CHANNEL=f"{number},{number}", BATON_NONCE=NONCE
        )
        self.number = number
        self.baton = baton.open(**options)
        self.hello = self.channel.recv(1024)

    def offer(self, frame=FRAMES["offer"], count=1):
        """Sends an offer with `count` copies of a socket; returns the client's end."""
        client, server = socket.socketpair()
        client.settimeout(DEADLINE_S)
        socket.send_fds(self.channel, [frame], [server.fileno()] * count)
        server.close()
        return client

    def close(self):
        self.baton.close()
        self.channel.close()


class Channel(unittest.TestCase):
    def start(self, **options):
        supervisor = Supervisor(**options)
        self.addCleanup(supervisor.close)
        return supervisor

    def test_hello(self):
        supervisor = self.start(name="libbaton")
        pid = os.getpid().to_bytes(4, "big")
        expected = FRAMES["hello"].replace((4711).to_bytes(4, "big"), pid)
        self.assertEqual(supervisor.hello, expected)
        self.assertFalse(os.get_inheritable(supervisor.number))
        self.assertFalse([name for name in os.environ if name.startswith("BATON_CHANNEL")])
        self.assertNotIn("BATON_NONCE", os.environ)

    def test_connection(self):
        supervisor = self.start()
        client = supervisor.offer()
        connection = supervisor.baton.next()
        self.assertEqual(supervisor.channel.recv(1024), FRAMES["ack"])
        self.assertEqual((connection.service, connection.id, connection.number), ("ok", 17, 17))
        self.assertEqual(connection.peer, "127.0.0.1:50122")
        self.assertEqual(connection.local, "127.0.0.1:7777")
        self.assertEqual(connection.accepted_us, 1767225600000000)
        self.assertFalse(connection.socket.get_inheritable())
        self.assertIsNone(connection.socket.gettimeout())
        connection.socket.sendall(b"OK")
        connection.bytes_in, connection.bytes_out = 35, 4
        supervisor.baton.finish(connection)
        self.assertEqual(supervisor.channel.recv(1024), FRAMES["done"])
        self.assertEqual((client.recv(9), client.recv(9)), (b"OK", b""))
        supervisor.baton.finish(connection)
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        self.assertFalse(select.select([supervisor.channel], [], [], 0)[0])
        client.close()

    def test_declining(self):
        supervisor = self.start(decide=lambda connection: baton.BUSY)
        client = supervisor.offer()
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        self.assertEqual(supervisor.channel.recv(1024), FRAMES["nack-busy"])
        self.assertEqual(client.recv(9), b"")
        client.close()

    def test_cancel_skip_and_end(self):
        numbers = []
        supervisor = self.start(cancelled=numbers.append)
        supervisor.channel.send(FRAMES["skip-type-to-handler"])
        supervisor.channel.send(FRAMES["cancel"])
        supervisor.channel.shutdown(socket.SHUT_WR)
        self.assertIsNone(supervisor.baton.next())
        self.assertEqual(numbers, [17])

    def test_offer_that_cannot_be_acknowledged(self):
        supervisor = self.start()
        client = supervisor.offer()
        supervisor.channel.close()
        self.assertIsNone(supervisor.baton.next())
        self.assertEqual(client.recv(9), b"")
        client.close()

    def assert_no_place(self, supervisor, frame):
        """An offer that the handler has no place for."""
        client = supervisor.offer(frame)
        self.assertRaises(baton.ProtocolFault, supervisor.baton.next)
        self.assertEqual(supervisor.channel.recv(1), b"")
        self.assertEqual(client.recv(1), b"", "the socket was kept")
        client.close()

    def taken(self, supervisor, frame=FRAMES["offer"]):
        client = supervisor.offer(frame)
        connection = supervisor.baton.next()
        self.assertEqual(supervisor.channel.recv(1024)[5], baton.ACK)
        self.addCleanup(client.close)
        self.addCleanup(connection.socket.close)
        return connection

    def test_offer_of_a_held_connection(self):
        supervisor = self.start(capacity=2)
        connection = self.taken(supervisor)
        supervisor.baton.finish(connection)
        self.assertEqual(supervisor.channel.recv(1024)[5], baton.DONE)
        self.taken(supervisor)
        self.assert_no_place(supervisor, FRAMES["offer"])

    def test_offer_beyond_the_capacity(self):
        supervisor = self.start(capacity=1)
        self.taken(supervisor)
        other = FRAMES["offer"].replace((17).to_bytes(4, "big"), (18).to_bytes(4, "big"), 1)
        self.assert_no_place(supervisor, other)

    def test_socket_that_cannot_be_built(self):
        supervisor = self.start()

        def refuse(fields, attached):
            attached.close()
            raise OSError(10055, "no buffer space")

        supervisor.baton._channel.socket_of = refuse
        client = supervisor.offer()
        supervisor.channel.send(FRAMES["drain"])
        self.assertRaises(OSError, supervisor.baton.next)
        nack = supervisor.channel.recv(1024)
        self.assertTrue(nack.startswith(FRAMES["nack-retire"][:12]), nack)
        self.assertIn(FRAMES["nack-retire"][16:], nack)
        self.assertIsNone(supervisor.baton.next())
        client.close()

    def assert_breach(self, frame, count):
        supervisor = self.start()
        client = supervisor.offer(frame, count)
        self.assertRaises(baton.ProtocolFault, supervisor.baton.next)
        self.assertEqual(supervisor.channel.recv(1), b"")
        self.assertEqual(client.recv(1), b"", "a descriptor was kept")
        self.assertIsNone(supervisor.baton.next())
        client.close()

    def test_breaches(self):
        for frame, count in (
            (FRAMES["offer"], 0),
            (FRAMES["offer"], 2),
            (FRAMES["offer"], 30),
            (FRAMES["offer-windows"], 1),
            (FRAMES["drain"], 1),
            (FRAMES["skip-type-to-handler"], 1),
            (FRAMES["bad-magic"], 1),
            (FRAMES["offer"] + bytes(20000), 1),
        ):
            with self.subTest(frame=frame[:32], count=count):
                self.assert_breach(frame, count)

    def test_malformed_environments(self):
        for protocol, channel, nonce in (
            ("1", "999,999", NONCE),
            ("1", "x", NONCE),
            ("1", "0,1", NONCE),
            ("2", "0,0", NONCE),
            ("1", "0,0", "00"),
            ("1", "0,0", "zz" * 16),
        ):
            os.environ.update(BATON_PROTOCOL=protocol, BATON_CHANNEL=channel, BATON_NONCE=nonce)
            self.assertRaises(baton.EnvironmentFault, baton.open)
            self.assertNotIn("BATON_CHANNEL", os.environ)


GREETER = """
import sys
sys.path.insert(0, sys.argv[1])
import baton
def greet(connection):
    print("stray", flush=True)
    connection.socket.sendall(f"{connection.service} {connection.peer}".encode())
raise SystemExit(baton.serve(greet))
"""


class WithoutChannel(unittest.TestCase):
    def run_greeter(self, **options):
        program = [sys.executable, "-c", GREETER, str(ROOT / "handlers" / "sdk")]
        return subprocess.Popen(program, stderr=subprocess.DEVNULL, **options)

    def test_connection_on_standard_streams(self):
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname(), DEADLINE_S)
        accepted, _ = listener.accept()
        process = self.run_greeter(stdin=accepted, stdout=accepted)
        accepted.close()
        said = b"".join(iter(lambda: client.recv(99), b""))
        self.assertEqual(said.decode(), " 127.0.0.1:%d" % client.getsockname()[1])
        self.assertEqual(process.wait(DEADLINE_S), 0)
        client.close()
        listener.close()

    def test_nothing_to_serve(self):
        process = self.run_greeter(stdin=subprocess.DEVNULL)
        self.assertEqual(process.wait(DEADLINE_S), 1)


if __name__ == "__main__":
    unittest.main()
