"""Behind HAProxy, with each kind of header that it can send."""

import os
import socket

import harness
import peers
from client import address_text
from harness import SupervisorCase
from proxied import facts_of, trusting
from settings import DEADLINE_S

CLIENT_HOST = "127.0.0.77"  # so that nobody takes the proxy for the client


class HaProxy(SupervisorCase):
    """HAProxy with a port for each way of sending headers. It finds its listeners open, so that the
    system can choose their ports."""

    SERVERS = {
        "v1": "send-proxy",
        "v2": "send-proxy-v2",
        "all": "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl,cert-cn,ssl-cipher",
    }

    def start(self, keys, check=""):
        self.behind = self.supervisor({"facts": keys})
        host, port = self.behind.address("facts")
        self.ports, lines, numbers = {}, [], []
        for name, options in self.SERVERS.items():
            with socket.create_server(("127.0.0.1", 0)) as listener:
                number = os.dup(listener.fileno())
                self.addCleanup(os.close, number)
                self.ports[name] = listener.getsockname()[1]
            numbers.append(number)
            lines += [f"listen {name}", f"  bind fd@{number}", "  unique-id-format %Ts-%rt",
                      f"  server handler {host}:{port} {options} {check if name != 'v1' else ''}"]
        config = self.folder() / "haproxy.cfg"
        config.write_text("\n".join(["defaults", "  mode tcp", "  timeout connect 20s",
                                     "  timeout client 60s", "  timeout server 60s", *lines, ""]))
        return peers.Server(self, peers.server("haproxy"), "-db", "-f", config,
                            pass_fds=numbers)

    def connect(self, name):
        client = socket.socket()
        client.settimeout(DEADLINE_S)
        client.bind((CLIENT_HOST, 0))
        client.connect(("127.0.0.1", self.ports[name]))
        return client

    def check_facts(self, name):
        with self.connect(name) as client:
            peer = address_text(client.getsockname())
            facts = facts_of(client.makefile(encoding="utf-8").read())
        host, port = peer.split(":")
        self.assertEqual(facts["peer"], peer)
        expected = {"PROTO": "TCP", "REMOTE_ADDR": host, "REMOTE_PORT": port, "TCPREMOTEIP": host,
                    "TCPREMOTEPORT": port, "SERVER_ADDR": "127.0.0.1", "TCPLOCALIP": "127.0.0.1",
                    "SERVER_PORT": str(self.ports[name]), "TCPLOCALPORT": str(self.ports[name])}
        self.assertEqual({key: facts.get(key) for key in expected}, expected)
        record = self.behind.wait_event("connection", peer=peer)
        self.assertEqual((record["outcome"], record["local"]),
                         ("served", f"127.0.0.1:{self.ports[name]}"))
        self.assertRegex(record["via"], r"^127\.0\.0\.1:\d+$")
        self.behind.expect_record(record)

    def test_the_handler_sees_the_client(self):
        self.start(trusting("env"))
        for name in self.SERVERS:
            with self.subTest(name):
                self.check_facts(name)
        self.stop(self.behind)

    def test_health_checks_keep_their_own_address(self):
        """HAProxy's LOCAL, which version 2 has, says: for myself. The direct peer is the client."""
        proxy = self.start(trusting("env"), check="check check-send-proxy inter 500ms")
        record = self.behind.wait_events(3, "connection", service="facts")[0]
        self.assertRegex(record["peer"], r"^127\.0\.0\.1:\d+$")
        self.assertNotIn("via", record)
        self.check_facts("v2")
        proxy.stop()
        self.behind.signal()
        self.behind.wait()
        for record in self.behind.find("connection"):
            if "via" not in record:
                self.behind.expect_record(record)
        self.check_end(self.behind)

    def test_by_standard_streams_and_by_a_pump(self):
        """What follows the header is the program's, all of it."""
        for mode in ("stdio", "pump"):
            self.start(trusting("console upper", handoff=mode))
            for name in self.SERVERS:
                with self.subTest(mode=mode, name=name), self.connect(name) as client:
                    client.sendall(b"first\nlast\n")
                    client.shutdown(socket.SHUT_WR)
                    heard = client.makefile(encoding="utf-8", newline="").read()
                    self.assertEqual(heard.replace("\r", ""), "FIRST\nLAST\n2 lines\n")
                    self.behind.expect_records(1, peer=address_text(client.getsockname()),
                                               outcome="served")
            self.stop(self.behind)


if __name__ == "__main__":
    harness.main()
