"""What the design promises a handler about its socket and its process, checked by handlers."""

import re
import shutil
import subprocess
import unittest

import harness
from harness import SupervisorCase, service, shared
from settings import (DEADLINE_S, EMULATOR, HANDLERS32_DIR, ON_WINE, clean_environment,
                      executable)

# What a client says first, and then nothing more: it must not end, since one of the points is that
# receiving waits for a client that is silent.
GREETING = "hello"


class Points(SupervisorCase):
    """A handler that checks what it was promised, and tells its client point by point."""

    def report(self, handler, listen, host=None, **keys):
        """What the handler says to a client that connects to `host`, with every point it names in
        order, none of them `not ok`."""
        lends = keys.get("handoff") == "listener"
        supervisor = self.supervisor({"points": service(handler, listen=listen, **keys)})
        # From a listener that it was lent the handler takes its clients itself: no record of each.
        with (harness.Client(supervisor.address("points")) if lends
              else supervisor.connect("points", host=host)) as client:
            client.send(GREETING)
            text = client.rest()
        print(text, flush=True)
        points = [int(number) for number in re.findall(r"^(?:not )?ok (\d+) - ", text, re.M)]
        self.assertNotRegex(text, r"(?m)^not ok")
        self.assertGreater(len(points), 0, text)
        self.assertEqual(points, list(range(1, len(points) + 1)), text)
        self.assertEqual(text.splitlines()[-1], f"1..{len(points)}", "the plan, and then the end")
        record = (supervisor.wait_event("activation", service="points") if lends
                  else supervisor.record(client))
        self.assertEqual(record["outcome"], "served")
        self.stop(supervisor)
        return supervisor, text

    def assert_skipped(self, text, *points):
        skipped = re.findall(r"^ok \d+ - (.*) # SKIP ", text, re.M)
        self.assertEqual(sorted(skipped), sorted(points), text)


class Conformance(Points):
    """The handler that users get."""

    handler = "conformance"

    def check(self, listen, **keys):
        _, text = self.report(self.handler, listen, **keys)
        if ON_WINE:
            self.assert_skipped(text, "no signal is blocked", "no signal is ignored")
        else:
            lends = keys.get("handoff") == "listener"
            no_channel = ["the channel is not inheritable"] if lends else []
            self.assert_skipped(text, "the socket has no event registration",
                                "the socket can be bound to a completion port", *no_channel)

    def test_ipv4(self):
        self.check("127.0.0.1:0")

    def test_ipv6(self):
        self.check("[::1]:0")

    def test_from_a_listener_of_its_own(self):
        self.check("127.0.0.1:0", handoff="listener", environment="LIBBATON_IDLE_MS=100")

    def test_ipv4_at_a_listener_for_both(self):
        """getpeername(2) says ::ffff:127.0.0.1 there, and the OFFER 127.0.0.1."""
        for host in ("127.0.0.1", "::1"):
            with self.subTest(host):
                self.check("[::]:0", host=host, v6only="no")

    def test_behind_a_first_byte(self):
        """The supervisor has watched the socket before, and nothing of that is left."""
        self.check("127.0.0.1:0", first_byte_timeout_ms=60000)

    @unittest.skipUnless(ON_WINE, "Windows' own")
    def test_in_a_sandbox(self):
        """Everything that a handler is promised it has with less rights, too."""
        self.check("127.0.0.1:0", sandbox="low")


@unittest.skipUnless(ON_WINE, "Windows' own")
class Conformance32(Conformance):
    """The same of 32 bits, launched by a batond of 64: what is handed over has one form."""

    handler = "conformance32"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        built = HANDLERS32_DIR / executable("conformance")
        if not built.exists():
            raise unittest.SkipTest("the preset windows32 is not built")
        # Outside a hand-off it ends with a complaint, if it is run at all.
        tried = subprocess.run([*EMULATOR, str(built)], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=DEADLINE_S, env=clean_environment(),
                               check=False)
        if b"cannot start" not in tried.stderr:
            raise unittest.SkipTest("32-bit handlers are built and not run: this Wine has 64 bits "
                                    "alone (Debian: dpkg --add-architecture i386, wine32)")
        shutil.copy2(built, shared().handlers / executable("conformance32"))


class Independent(Points):
    """A handler by somebody who knew PROTOCOL.md and none of our code."""

    def check(self, listen, **keys):
        supervisor, text = self.report("independent", listen, **keys)
        # Two points that only the client, or the reader of the log, can judge.
        self.assertIn(f"# first bytes from the client: {GREETING.encode().hex()}\n", text)
        outputs = [event["text"] for event in supervisor.find("output", service="points")]
        self.assertEqual(sorted(outputs), ["independent: a line to standard error",
                                           "independent: a line to standard output"])
        self.assertEqual("# an OFFER is there before HELLO\n" in text, not ON_WINE)
        if ON_WINE:
            self.assert_skipped(
                text, "no byte of the client has been taken", "no signal is blocked",
                "no signal is ignored", "the process leads a process group of its own",
                # Wine cannot ask about one's own job without a handle to it.
                "the job holds this process and not its parent", "FIONBIO is off",
                "soon after the ACK the socket is the only copy")
        else:
            self.assert_skipped(
                text, "no byte of the client has been taken", "the process is in a job of its own",
                "there is no console window", "no event is registered",
                "overlapped, and no completion port")

    def test_ipv4(self):
        self.check("127.0.0.1:0")

    def test_ipv6(self):
        self.check("[::1]:0")

    def test_ipv4_at_a_listener_for_both(self):
        self.check("[::]:0", host="127.0.0.1", v6only="no")

    def test_it_serves(self):
        supervisor = self.supervisor({"mirror": service("independent serve")})
        for _ in range(3):
            with supervisor.connect("mirror") as client:
                client.send("one line\n")
                self.assertEqual(client.line(), "one line")
                client.end()
                self.assertEqual(client.rest(), "")
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["status"]), ("served", "0"))
            self.assertEqual((record["bytes_in"], record["bytes_out"]), ("9", "9"))
        self.stop(supervisor)


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
