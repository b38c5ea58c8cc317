"""Headers of a proxy, written by hand: in pieces, wrong, or never ending. test_haproxy.py has real ones."""

import concurrent.futures
import socket
import struct
import time

import harness
import peers
import processes
from client import Client
from harness import SupervisorCase
from proxied import facts_of, trusting
from settings import ON_WINE, size

IDLE_SHARE = 0.2            # of a processor; a loop that spins uses all of one
WATCH_S = 1
TORN_COUNT = size(200, 40) if ON_WINE else size(1000, 200)
SHORT_MS = 400

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command=1, family=0x11, body=struct.pack("!4s4sHH", bytes((192, 0, 2, 1)),
                                                       bytes((192, 0, 2, 2)), 4711, 80)):
    return SIGNATURE + bytes((0x20 | command, family)) + struct.pack("!H", len(body)) + body


class Headers(SupervisorCase):
    WRONG = {
        "another protocol": b"GET / HTTP/1.0\r\n\r\n",
        "another protocol, short": b"\n",
        "version 1, torn": b"PROXY TCP4 192.0.2.1 192.0.",
        "version 1, over-long": b"PROXY TCP6 " + b"f" * 200 + b"\r\n",
        "version 1, no CR": b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\n" + b"x" * 100,
        "version 1, a port too large": b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 70000\r\n",
        "version 1, an old form of address": b"PROXY TCP4 192.0.2.010 192.0.2.2 4711 80\r\n",
        "version 2, torn": version_2()[:20],
        "version 2, over-long": SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 70000,
        "version 2, too short for its family": version_2(body=b"12345678"),
        "version 2, version 3": SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
        "version 2, an unknown command": version_2(command=7),
        "version 2, a wrong checksum": version_2(body=bytes(12) + b"\x03\0\x04abcd"),
    }

    def test_wrong_ones(self):
        supervisor = self.supervisor({"behind": trusting("env")})

        def send(name):
            client = Client(supervisor.address("behind"))
            with client:
                try:
                    client.send(self.WRONG[name])
                    if "torn" in name:
                        client.end()
                except OSError:
                    pass  # the refusal was faster
                return name, client, client.rest()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for name, client, heard in pool.map(send, self.WRONG):
                with self.subTest(name):
                    self.assertEqual(heard, "")
                    record = supervisor.wait_event("connection", peer=client.name)
                    self.assertEqual(record["outcome"], "proxy_invalid")
                    self.assertIn("PROXY header", record["text"].replace("line", "header"))
                    self.assertNotIn("pid", record, "nothing was launched for it")
                    supervisor.expect_record(record)
        self.stop(supervisor)

    def test_whoever_leaves_without_a_word(self):
        supervisor = self.supervisor({"behind": trusting("env")})
        with supervisor.connect("behind") as client:
            pass
        self.assertEqual(supervisor.record(client)["outcome"], "abandoned")
        self.stop(supervisor)

    def test_a_slow_one_has_one_deadline(self):
        """Counted from the accept: a byte now and then wins no time."""
        supervisor = self.supervisor({
            "silent": trusting("env", proxy_timeout_ms=SHORT_MS),
            "slow": trusting("env", proxy_timeout_ms=SHORT_MS)})
        with supervisor.connect("silent") as silent, supervisor.connect("slow") as slow:
            for byte in b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 ":
                try:
                    slow.send(bytes((byte,)))
                except OSError:
                    break
                if supervisor.find("connection", service="slow"):
                    break
                time.sleep(SHORT_MS / 1000 / 8)
            for client in (silent, slow):
                self.assertEqual(client.rest(), "")
        for client in (silent, slow):
            record = supervisor.record(client)
            self.assertEqual(record["outcome"], "proxy_timeout")
            self.assertGreaterEqual(int(record["duration_ms"]), SHORT_MS - 1)
        self.stop(supervisor)

    def test_one_that_is_not_trusted(self):
        supervisor = self.supervisor({"behind": trusting("env", proxy_trusted="10.0.0.0/8")})
        with supervisor.connect("behind") as client:
            self.assertEqual(client.rest(), "", "at once, and whatever it might send")
        self.assertEqual(supervisor.record(client)["outcome"], "refused_access")
        self.stop(supervisor)

    def test_byte_by_byte_and_with_the_clients_own(self):
        supervisor = self.supervisor({"upper": trusting("console upper", handoff="stdio")})
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n", version_2()):
            for glued in (False, True):
                client = Client(supervisor.address("upper"))
                with self.subTest(header=header, glued=glued), client:
                    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if glued:
                        client.send(header + b"hello\n")
                    else:
                        for byte in header + b"hello\n":
                            client.send(bytes((byte,)))
                    self.assertEqual(client.line().rstrip("\r"), "HELLO")
                    client.end()
                    client.rest()
                record = supervisor.wait_event("connection", via=client.name)
                self.assertEqual((record["outcome"], record["peer"], record["local"]),
                                 ("served", "192.0.2.1:4711", "192.0.2.2:80"))
                supervisor.expect_record(record)
        self.stop(supervisor)

    def test_unknown_keeps_the_direct_peer(self):
        supervisor = self.supervisor({"facts": trusting("env")})
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN whatever this is\r\n",
                       version_2(command=0), version_2(family=0, body=b"")):
            with self.subTest(header=header), supervisor.connect("facts") as client:
                client.send(header)
                facts = facts_of(client.rest())
                self.assertEqual((facts["peer"], facts["REMOTE_ADDR"]), (client.name, "127.0.0.1"))
            self.assertNotIn("via", supervisor.record(client))
        self.stop(supervisor)

    def test_many_torn_ones_wait_and_cost_nothing(self):
        peers.raise_descriptor_limit(TORN_COUNT + 500)
        supervisor = self.supervisor({
            "behind": trusting("console upper", handoff="stdio",
                               max_connections=TORN_COUNT + 10)})
        torn = [supervisor.connect("behind") for _ in range(TORN_COUNT)]
        for number, client in enumerate(torn):
            client.send(version_2()[:14] if number % 2 else b"PROXY TCP4 192.0.2.1 19")
        watch = processes.BusyWatch(supervisor.pid)
        with Client(supervisor.address("behind")) as client:
            client.send(version_2() + b"hello\n")
            self.assertEqual(client.line().rstrip("\r"), "HELLO", "the others are no obstacle")
            client.end()
            client.rest()
        supervisor.expect_records(1, outcome="served", peer="192.0.2.1:4711")
        watch = processes.BusyWatch(supervisor.pid)
        self.assertLess(watch.share(WATCH_S), IDLE_SHARE)
        for client in torn:
            client.close()
        supervisor.wait_events(TORN_COUNT, "connection", outcome="proxy_invalid")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
