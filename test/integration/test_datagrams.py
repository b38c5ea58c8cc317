"""Our own handlers of UDP under batond: from which address they answer, and whom not."""

import socket
import unittest

import harness
import peers
from harness import SupervisorCase, service
from settings import DEADLINE_S, HANDLERS_DIR, ON_WINE


def udp(handler, listen="127.0.0.1:0", **keys):
    return service(handler, **{"listen": listen, "protocol": "udp", **keys})


def client_of(case, host, port):
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    case.addCleanup(client.close)
    client.settimeout(DEADLINE_S)
    client.connect((host, port))
    return client


@unittest.skipIf(ON_WINE, "Wine 8 does not look at the address to answer from")
class AnyAddress(SupervisorCase):
    """A client that is connected to one of several addresses gets its answer from that one."""

    def check(self, listen, **keys):
        names = ("echo", "chargen", "daytime", "time")
        supervisor = self.supervisor({name: udp(name, listen, **keys) for name in names})
        for name in names:
            _, port = supervisor.address(name)
            for host in ("127.0.0.2", "127.0.0.1"):
                with self.subTest(name=name, host=host):
                    client = client_of(self, host, port)
                    client.send(b"question")
                    self.assertTrue(client.recv(1000))
        self.stop(supervisor)

    def test_ipv4(self):
        self.check("0.0.0.0:0")

    def test_both_families(self):
        self.check("[::]:0", v6only="no")


@unittest.skipIf(ON_WINE, "a handler in Python, which is told of its socket as on POSIX")
class Loop(SupervisorCase):
    """Two services that answer whatever they get, at ports that say nothing, and one datagram that
    somebody sent to one of them in the other's name."""

    def check(self, name):
        supervisor = self.supervisor({
            "forged": udp(peers.program("forge.py", f"{HANDLERS_DIR / name}"),
                          environment="LIBBATON_IDLE_MS=300"),
            "other": udp(name, environment="LIBBATON_IDLE_MS=300")})
        _, port = supervisor.address("other")
        client_of(self, *supervisor.address("forged")).send(b"%d" % port)
        # A loop never leaves them idle; each ends when it has died.
        for service_name in ("other", "forged"):
            record = supervisor.wait_event("activation", service=service_name)
            self.assertEqual(record["outcome"], "served")
        self.stop(supervisor)

    def test_echo(self):
        self.check("echo")

    def test_chargen(self):
        self.check("chargen")


if __name__ == "__main__":
    harness.main()
