"""baton.py against the golden vectors, and on a channel with this test as its supervisor (POSIX)."""

import errno
import os
import pathlib
import select
import socket
import subprocess
import sys
import unittest
from unittest import mock

ROOT = pathlib.Path(os.environ.get("BATON_SOURCE_DIR", "."))
sys.path.insert(0, str(ROOT / "handlers" / "sdk"))
import baton  # noqa: E402
import baton_channel  # noqa: E402

NONCE = "000102030405060708090a0b0c0d0e0f"
DEADLINE_S = 5


def vectors():
    text = (ROOT / "test" / "golden" / "wire" / "vectors.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if " | " in line and not line.startswith("#"):
            name, direction, system, result, frame, meaning = line.split(" | ")
            yield name, direction, system, result, bytes.fromhex(frame), meaning


FRAMES = {name: frame for name, _, _, _, frame, _ in vectors()}


class Codec(unittest.TestCase):
    def test_vectors_to_the_handler(self):
        count = 0
        for name, direction, _, result, frame, meaning in vectors():
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
        """CANCEL is told of what is held, be it that the offer had no answer yet when it came; of
        another number it is not."""
        numbers = []
        supervisor = self.start(cancelled=numbers.append)
        supervisor.channel.send(FRAMES["skip-type-to-handler"])
        supervisor.channel.send(FRAMES["cancel"])
        client = supervisor.offer()
        supervisor.channel.send(FRAMES["cancel"])
        connection = supervisor.baton.next()
        self.assertEqual(numbers, [])
        supervisor.channel.send(FRAMES["cancel"].replace(b"\0\x11", b"\0\x12"))
        supervisor.channel.send(FRAMES["drain"])
        supervisor.channel.send(FRAMES["cancel"])
        supervisor.channel.shutdown(socket.SHUT_WR)
        self.assertIsNone(supervisor.baton.next())
        self.assertEqual(numbers, [17, 17])
        supervisor.baton.finish(connection)
        client.close()

    def test_offer_after_drain(self):
        supervisor = self.start(capacity=2, cancelled=print)
        supervisor.offer().close()
        connection = supervisor.baton.next()
        supervisor.channel.send(FRAMES["drain"])
        supervisor.offer(FRAMES["offer"].replace(b"\0\x11", b"\0\x12", 1)).close()
        self.assertRaises(baton.ProtocolFault, supervisor.baton.next)
        supervisor.baton.finish(connection)

    def test_cancel_ends_an_activation(self):
        supervisor = self.start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listens = FRAMES["offer-listener"]
        socket.send_fds(supervisor.channel, [listens], [listener.fileno()])
        supervisor.channel.send(FRAMES["cancel"][:8] + listens[8:12] + bytes(4))
        supervisor.channel.shutdown(socket.SHUT_WR)
        self.assertIsNone(supervisor.baton.next())
        self.assertEqual([supervisor.channel.recv(1024)[5] for _ in range(2)],
                         [baton.ACK, baton.DONE])

    def test_limits(self):
        supervisor = self.start(capacity=9)
        self.assertIsNone(supervisor.baton.limits)
        supervisor.channel.send(FRAMES["limits"])
        client = supervisor.offer()
        connection = supervisor.baton.next()
        self.assertEqual(supervisor.baton.limits, baton.Limits(4, 5000, 3000, 0))
        supervisor.baton.finish(connection)
        client.close()

    def test_limits_beyond_what_counts(self):
        """Neither a second one nor more than was asked for is a breach."""
        supervisor = self.start(capacity=3)
        for name in ("limits", "limits-least", "drain"):
            supervisor.channel.send(FRAMES[name])
        self.assertIsNone(supervisor.baton.next())
        self.assertEqual(supervisor.baton.limits, baton.Limits(3, 5000, 3000, 0))

    def test_handles(self):
        """32 significant bits, sign-extended."""
        pairs = ((4, 4), (0x7FFFFFFF, 0x7FFFFFFF), (0x80000000, -0x80000000), (0xFFFFFFFC, -4))
        self.assertEqual([baton_channel._handle(number) for number, _ in pairs], [it for _, it in pairs])

    def test_retire_twice_and_across_drain(self):
        supervisor = self.start()
        client = supervisor.offer()
        supervisor.baton.retire()
        connection = supervisor.baton.next()
        supervisor.channel.send(FRAMES["drain"])
        supervisor.baton.retire()
        supervisor.baton.finish(connection)
        self.assertIsNone(supervisor.baton.next())
        said = [supervisor.channel.recv(1024)[5] for _ in range(4)]
        self.assertEqual(said, [baton.RETIRE, baton.ACK, baton.RETIRE, baton.DONE])
        client.close()

    def test_retire_and_done_to_nobody(self):
        for is_closed in (False, True):
            with self.subTest(is_closed):
                supervisor = self.start()
                client = supervisor.offer()
                connection = supervisor.baton.next()
                supervisor.channel.close()
                if is_closed:
                    supervisor.baton.close()
                else:
                    supervisor.baton.retire()
                    self.assertIsNone(supervisor.baton.next())
                connection.socket.sendall(b"OK")
                supervisor.baton.finish(connection)
                self.assertEqual((client.recv(9), client.recv(9)), (b"OK", b""))
                client.close()

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

    def test_socket_that_the_system_refuses(self):
        supervisor = self.start()
        client = supervisor.offer()
        supervisor.channel.send(FRAMES["drain"])
        refusal = OSError(errno.ENOBUFS, "no buffer space")
        with mock.patch.object(baton.socket, "socket", side_effect=refusal):
            self.assertRaises(OSError, supervisor.baton.next)
        self.assertIn(FRAMES["nack-retire"][16:], supervisor.channel.recv(1024))
        self.assertEqual(client.recv(1), b"", "the descriptor was kept")
        client.close()

    def test_other_control_data(self):
        supervisor = self.start()
        with socket.socket(fileno=os.dup(supervisor.number)) as theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        supervisor.channel.send(FRAMES["cancel"])
        supervisor.channel.send(FRAMES["drain"])
        self.assertRaises(baton.ProtocolFault, supervisor.baton.next)

    def test_offer_behind_a_breach(self):
        supervisor = self.start()
        supervisor.channel.send(FRAMES["bad-magic-drain"])
        clients = [supervisor.offer(count=count) for count in (1, 2)]
        self.assertRaises(baton.ProtocolFault, supervisor.baton.next)
        for client in clients:
            self.assertEqual(client.recv(1), b"", "its socket is still in the channel")
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
            (FRAMES["drain"], 1),
            (FRAMES["skip-type-to-handler"], 1),
            (FRAMES["bad-magic"], 1),
            (FRAMES["offer"] + bytes(20000), 1),
            (FRAMES["offer-listener"], 1),
            (FRAMES["offer-datagram"], 1),
            (b"", 1),
        ):
            with self.subTest(frame=frame[:32], count=count):
                self.assert_breach(frame, count)

    def test_a_listener_is_no_connection(self):
        supervisor = self.start()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.send_fds(supervisor.channel, [FRAMES["offer"]], [listener.fileno()])
            self.assertRaises(baton.ProtocolFault, supervisor.baton.next)

    def test_offers_of_the_other_system(self):
        for name, _, system, _, frame, _ in vectors():
            if system == "windows":
                with self.subTest(name):
                    self.assert_breach(frame, 1)


class Sources(unittest.TestCase):
    """A listener or datagram socket that is offered on a channel."""

    def start(self, kind, stream, **options):
        supervisor = Supervisor(**options)
        self.addCleanup(supervisor.close)
        self.addCleanup(stream.close)
        frame = bytearray(FRAMES["offer-listener"])
        frame[16 + 6 + 4] = kind
        socket.send_fds(supervisor.channel, [bytes(frame)], [stream.fileno()])
        return supervisor

    def assert_heard(self, supervisor, kind):
        frame = supervisor.channel.recv(1024)
        self.assertEqual((frame[5], frame[8:12]), (kind, (17).to_bytes(4, "big")), frame)

    def test_listener_and_drain(self):
        listener = socket.create_server(("127.0.0.1", 0))
        supervisor = self.start(baton.KIND_LISTENER, listener, idle_s=60)
        for _ in range(2):
            with socket.create_connection(listener.getsockname(), DEADLINE_S) as client:
                connection = supervisor.baton.next()
                self.assertEqual((connection.kind, connection.number), (baton.KIND_CONNECTION, 0))
                self.assertEqual((connection.service, connection.id), ("ok", 17))
                self.assertEqual(connection.peer, "127.0.0.1:%d" % client.getsockname()[1])
                supervisor.baton.finish(connection, 1)
        self.assert_heard(supervisor, baton.ACK)
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        self.assert_heard(supervisor, baton.DONE)

    def served(self, listener, **options):
        """A supervisor, and a connection that was accepted and is not finished."""
        supervisor = self.start(baton.KIND_LISTENER, listener, capacity=2, **options)
        client = socket.create_connection(listener.getsockname(), DEADLINE_S)
        self.addCleanup(client.close)
        connection = supervisor.baton.next()
        self.assert_heard(supervisor, baton.ACK)
        return supervisor, connection

    def test_done_does_not_wait_for_clients(self):
        supervisor, connection = self.served(socket.create_server(("127.0.0.1", 0)))
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        self.assert_heard(supervisor, baton.DONE)
        connection.socket.sendall(b"x")
        supervisor.baton.finish(connection)

    def test_retiring_waits_with_done_for_clients(self):
        supervisor, connection = self.served(socket.create_server(("127.0.0.1", 0)))
        supervisor.baton.retire()
        self.assertEqual(supervisor.channel.recv(1024)[5], baton.RETIRE)
        supervisor.baton.finish(connection)

    def test_breach_gives_the_listener_back(self):
        listener = socket.create_server(("127.0.0.1", 0))
        supervisor, connection = self.served(listener)
        supervisor.channel.send(b"x")
        self.assertRaises(baton.ProtocolFault, supervisor.baton.next)
        listener.close()  # the last copy, so nobody listens there any more
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(connection.socket.getsockname(), DEADLINE_S)
        supervisor.baton.finish(connection)

    def test_a_lent_socket_is_done_when_it_comes_back(self):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        bound.sendto(b"ask", bound.getsockname())
        supervisor = self.start(
            baton.KIND_DATAGRAM, bound, kinds=[baton.KIND_DATAGRAM], capacity=2
        )
        connection = supervisor.baton.next()
        self.assert_heard(supervisor, baton.ACK)
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        self.assertFalse(select.select([supervisor.channel], [], [], 0)[0])
        supervisor.baton.finish(connection)
        self.assert_heard(supervisor, baton.DONE)

    def test_idle_listener(self):
        supervisor = self.start(
            baton.KIND_LISTENER, socket.create_server(("127.0.0.1", 0)), idle_s=0.01
        )
        supervisor.channel.shutdown(socket.SHUT_WR)
        self.assertIsNone(supervisor.baton.next())
        self.assert_heard(supervisor, baton.ACK)

    def test_listener_as_it_is(self):
        listener = socket.create_server(("127.0.0.1", 0))
        supervisor = self.start(baton.KIND_LISTENER, listener, kinds=[baton.KIND_LISTENER])
        connection = supervisor.baton.next()
        self.assertEqual((connection.kind, connection.number), (baton.KIND_LISTENER, 17))
        self.assert_heard(supervisor, baton.ACK)
        supervisor.baton.finish(connection)
        self.assert_heard(supervisor, baton.DONE)

    def test_datagrams(self):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))
        kinds = [baton.KIND_DATAGRAM]
        supervisor = self.start(baton.KIND_DATAGRAM, bound, kinds=kinds, idle_s=60)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(DEADLINE_S)
        client.connect(bound.getsockname())
        for _ in range(2):
            client.send(b"ask")
            connection = supervisor.baton.next()
            self.assertEqual(connection.receive_datagram(), b"ask")
            self.assertIsNone(connection.receive_datagram())
            self.assertEqual(connection.peer, "127.0.0.1:%d" % client.getsockname()[1])
            connection.answer(b"answer")
            supervisor.baton.finish(connection)
            self.assertEqual(client.recv(99), b"answer")
        self.assert_heard(supervisor, baton.ACK)
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        self.assert_heard(supervisor, baton.DONE)

    def test_datagrams_are_refused_unless_wanted(self):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        supervisor = self.start(baton.KIND_DATAGRAM, bound)
        supervisor.channel.send(FRAMES["drain"])
        self.assertIsNone(supervisor.baton.next())
        nack = supervisor.channel.recv(1024)
        self.assertEqual((nack[5], nack[-1]), (baton.NACK, baton.REFUSE))

    def test_facts_of_an_offer(self):
        supervisor = Supervisor()
        self.addCleanup(supervisor.close)
        for name, facts in (
            ("offer-proxied", (3, "10.0.0.9:443", "", None, None)),
            ("offer-local", (3, "", "/run/ok.sock", 0, 4711)),
        ):
            client = supervisor.offer(FRAMES[name])
            c = supervisor.baton.next()
            self.assertEqual((c.peer_count, c.via, c.path, c.peer_uid, c.peer_pid), facts)
            supervisor.baton.finish(c)
            client.close()


GREETER = """
import sys
sys.path.insert(0, sys.argv[1])
import baton
def greet(connection):
    print("stray", flush=True)
    connection.socket.sendall(f"{connection.service} {connection.peer}".encode())
def answer(connection, data):
    connection.answer(data + connection.peer.encode())
raise SystemExit(baton.serve(greet, answer if sys.argv[2:] else None))
"""


class WithoutChannel(unittest.TestCase):
    def run_greeter(self, *arguments, **options):
        program = [sys.executable, "-c", GREETER, str(ROOT / "handlers" / "sdk"), *arguments]
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

    def listener(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return listener

    def assert_greeted(self, listener, service, client=None):
        client = client or socket.create_connection(listener.getsockname(), DEADLINE_S)
        with client:
            said = b"".join(iter(lambda: client.recv(99), b""))
            self.assertEqual(said.decode(), f"{service} 127.0.0.1:{client.getsockname()[1]}")

    def test_listener_until_sigterm(self):
        listener = self.listener()
        process = self.run_greeter(stdin=listener)
        for _ in range(3):
            self.assert_greeted(listener, "")
        process.terminate()
        self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_listen_fds_until_idle(self):
        """Descriptor 3 and standard input are the same, as batond has it."""
        listener = self.listener()
        shell = 'LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@" 3<&0'
        program = [sys.executable, "-c", GREETER, str(ROOT / "handlers" / "sdk")]
        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
        environment["LIBBATON_IDLE_MS"] = "50"
        client = socket.create_connection(listener.getsockname(), DEADLINE_S)
        process = subprocess.Popen(
            ["sh", "-c", shell, *program], stdin=listener, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, env=environment,
        )
        self.assert_greeted(listener, "web", client)
        self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_datagrams(self):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(bound.close)
        self.addCleanup(client.close)
        bound.bind(("127.0.0.1", 0))
        client.connect(bound.getsockname())
        client.settimeout(DEADLINE_S)
        process = self.run_greeter("udp", stdin=bound)
        for _ in range(2):
            client.send(b"from ")
            expected = "from 127.0.0.1:%d" % client.getsockname()[1]
            self.assertEqual(client.recv(99).decode(), expected)
        process.terminate()
        self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_a_datagram_socket_that_fails_ends_it(self):
        """A connected one fails when its peer has no port."""
        given = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(given.close)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            given.connect(peer.getsockname())
        given.send(b"?")
        process = self.run_greeter("udp", stdin=given)
        self.assertEqual(process.wait(DEADLINE_S), 1)

    def test_facts_of_the_environment(self):
        listener = self.listener()
        with socket.create_connection(listener.getsockname(), DEADLINE_S) as client:
            accepted, _ = listener.accept()
            facts = {"BATON_ID": "17", "BATON_SERVICE": "web"}
            facts.update(REMOTE_ADDR="2001:db8::1", REMOTE_PORT="50122")
            process = self.run_greeter(stdin=accepted, env={**os.environ, **facts})
            accepted.close()
            said = b"".join(iter(lambda: client.recv(99), b""))
        self.assertEqual(said, b"web [2001:db8::1]:50122")
        self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_nothing_to_serve(self):
        process = self.run_greeter(stdin=subprocess.DEVNULL)
        self.assertEqual(process.wait(DEADLINE_S), 1)


if __name__ == "__main__":
    unittest.main()
