"""Our own handlers of UDP under batond: from which address they answer, and whom not."""

import socket
import unittest

import harness
from harness import SupervisorCase, service
from settings import DEADLINE_S, ON_WINE


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


if __name__ == "__main__":
    harness.main()
