"""What the design promises a handler about its socket and its process, checked by handlers."""

import re
import unittest

import harness
from harness import SupervisorCase, service
from settings import ON_WINE


class Conformance(SupervisorCase):
    def check(self, handler, listen):
        supervisor = self.supervisor({"points": service(handler, listen=listen)})
        with supervisor.connect("points") as client:
            # The handler proves that its receive blocks; a client that speaks and ends lets it go on.
            client.send("go on\n")
            client.end()
            text = client.rest()
        print(text, flush=True)
        lines = text.splitlines()
        plan = [int(m.group(1)) for m in map(re.compile(r"1\.\.(\d+)").fullmatch, lines) if m]
        results = [line for line in lines if re.match(r"(not )?ok \d", line)]
        self.assertEqual(len(plan), 1, text)
        self.assertGreater(plan[0], 0)
        self.assertEqual(len(results), plan[0], text)
        self.assertEqual([line for line in results if line.startswith("not ok")], [], text)
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_ipv4(self):
        self.check("conformance", "127.0.0.1:0")

    def test_ipv6(self):
        self.check("conformance", "[::1]:0")


@unittest.skipIf(ON_WINE, "Wine has no Python of its own; the module is untested on Windows")
class Python(SupervisorCase):
    def test_a_handler_in_python(self):
        supervisor = self.supervisor({"hello": service("hello.py")})
        with supervisor.connect("hello") as client:
            client.send("world\n")
            client.end()
            self.assertTrue(client.rest())
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
