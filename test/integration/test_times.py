"""Connections that go on for too long, that are idle, and that never begin."""

import select
import socket
import struct
import time
import unittest

import harness
import peers
import processes
from harness import SupervisorCase, misbehave, service
from settings import HANDLERS_DIR, ON_WINE, SANITIZED, size

SHORT_MS = 1500 if ON_WINE else 400
LONG_MS = 120000  # more than any test may take: what waits for it fails
CROWD = 40 if ON_WINE else size(1000, 300)
QUIET_S = 1.0
FLOOD_S = 8.0  # of a machine that is busy
RESETS = struct.pack("ii", 1, 0)


class Flood(SupervisorCase):
    """Handlers that never stop writing put off nobody's deadlines."""

    WRITERS = 80  # more than the loop takes events at a time

    @unittest.skipIf(ON_WINE, "a pipe of Windows has one read under way")
    def test_frames_without_end(self):
        supervisor = self.supervisor({
            "flood": misbehave("--at ack --do flood", stop_timeout_ms=SHORT_MS),
            "silent": misbehave("--at start --do hang", attempts=1, handshake_timeout_ms=SHORT_MS),
        })
        writers = [supervisor.connect("flood") for _ in range(self.WRITERS)]
        time.sleep(QUIET_S)
        began = time.monotonic()
        client = supervisor.connect("silent")
        self.assertEqual(client.rest(), "")
        self.assertLess(time.monotonic() - began, FLOOD_S)
        self.assertEqual(supervisor.record(client)["outcome"], "handshake_timeout")
        began = time.monotonic()
        self.stop(supervisor)
        self.assertLess(time.monotonic() - began, FLOOD_S)
        self.assertEqual([r["outcome"] for r in supervisor.records() if r["service"] == "flood"],
                         ["drained"] * len(writers))


class Runtime(SupervisorCase):
    def run_out(self, handler, words):
        supervisor = self.supervisor({"hold": handler})
        client = supervisor.connect("hold")
        self.assertIn("holding", client.line())
        self.assertEqual(client.rest(), words)
        record = supervisor.record(client)
        self.assertEqual(record["outcome"], "timed_out")
        self.assertGreaterEqual(int(record["duration_ms"]), SHORT_MS)
        self.stop(supervisor)
        return record, supervisor

    def test_a_handler_in_c_that_ends_it(self):
        record, supervisor = self.run_out(
            misbehave("--serve drain", max_runtime_ms=SHORT_MS, stop_timeout_ms=LONG_MS), "drained\n")
        self.assertEqual(record["status"], "0")
        self.assertEqual(record["text"], "max_runtime_ms has passed")
        self.assertEqual(supervisor.find("terminate") + supervisor.find("kill"), [])

    @unittest.skipIf(ON_WINE, "there is no Python under Wine")
    def test_a_handler_in_python_that_ends_it(self):
        record, supervisor = self.run_out(
            service(peers.program("cancel.py", peers.quoted(str(HANDLERS_DIR))),
                    max_runtime_ms=SHORT_MS, stop_timeout_ms=LONG_MS), "cancelled\n")
        self.assertEqual(record["text"], "it was cancelled")
        self.assertEqual(supervisor.find("terminate") + supervisor.find("kill"), [])

    def test_a_handler_that_does_not_hear_it(self):
        record, supervisor = self.run_out(
            misbehave("--serve hold", max_runtime_ms=SHORT_MS, stop_timeout_ms=SHORT_MS), "")
        line = supervisor.find("terminate", service="hold")[0]
        self.assertEqual(line["reason"], "the time of its connection has passed")
        if not ON_WINE:
            self.assertEqual(record["signal"], "15")

    @unittest.skipIf(ON_WINE, "to terminate is to kill there")
    def test_a_handler_that_has_to_be_killed(self):
        record, _ = self.run_out(
            misbehave("--serve hold --ignore-terminate", max_runtime_ms=SHORT_MS,
                      stop_timeout_ms=SHORT_MS), "")
        self.assertEqual(record["signal"], "9")

    def test_programs_without_a_channel(self):
        for mode in "stdio", "pump":
            with self.subTest(mode):
                supervisor = self.supervisor({"hold": service(
                    "misbehave hold", handoff=mode, max_runtime_ms=SHORT_MS,
                    stop_timeout_ms=SHORT_MS)})
                client = supervisor.connect("hold")
                self.assertEqual(client.line(), "here")
                self.assertEqual(client.rest(), "")
                client.close()
                self.assertEqual(supervisor.record(client)["outcome"], "timed_out")
                self.stop(supervisor)

    def test_a_handler_that_has_the_listener(self):
        supervisor = self.supervisor({"echo": service(
            str(HANDLERS_DIR / "echo") if not ON_WINE else "echo", handoff="listener",
            max_runtime_ms=SHORT_MS, stop_timeout_ms=SHORT_MS)})
        for number in 1, 2:
            with harness.Client(supervisor.address("echo")) as client:
                client.send("hello\n")
                self.assertEqual(client.line(), "hello")
            supervisor.wait_events(number, "activation", outcome="timed_out")
        self.stop(supervisor)


class Idle(SupervisorCase):
    def test_a_pump_without_bytes(self):
        supervisor = self.supervisor({"copy": service(
            "console copy", handoff="pump", idle_timeout_ms=SHORT_MS, stop_timeout_ms=SHORT_MS)})
        whole = supervisor.connect("copy")
        whole.send("abc\n")
        self.assertEqual(whole.line(), "abc")
        self.assertEqual(whole.rest(), "")
        whole.close()
        record = supervisor.record(whole)
        self.assertEqual((record["outcome"], record["text"], record["bytes_in"]),
                         ("timed_out", "idle_timeout_ms has passed", "4"))
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "sh")
    def test_a_pump_of_which_one_half_is_over(self):
        for script in "cat; exec sleep 1000", "exec >&-; exec cat 1>&2":
            with self.subTest(script):
                supervisor = self.supervisor({"half": service(
                    f"{peers.tool('sh')} -c '{script}'", handoff="pump", idle_timeout_ms=SHORT_MS,
                    stop_timeout_ms=LONG_MS)})
                client = supervisor.connect("half")
                client.send("abc\n")
                if script.startswith("cat"):
                    client.end()
                    self.assertEqual(client.line(), "abc")
                self.assertEqual(client.rest(), "")
                record = supervisor.record(client)
                client.close()
                self.assertEqual(record["outcome"], "timed_out")
                self.stop(supervisor)


class FirstByte(SupervisorCase):
    def test_a_silent_crowd_costs_nothing(self):
        supervisor = self.supervisor({
            "line": misbehave(first_byte_timeout_ms=LONG_MS, max_connections=CROWD + 1)})
        crowd = [supervisor.connect("line") for _ in range(CROWD)]
        self.assertIn("served", supervisor.ask("line", "hello"))  # behind all of them
        supervisor.wait_event("connection", outcome="served")
        if not ON_WINE:  # the processor time of Wine's helpers is not the supervisor's
            before_s = processes.cpu_s(supervisor.pid)
            self.assertEqual(select.select([c.socket for c in crowd], [], [], QUIET_S)[0], [])
            used_s = processes.cpu_s(supervisor.pid) - before_s
            self.assertLess(used_s, QUIET_S / 10 * (2 if SANITIZED else 1), "it spins")
            self.assertEqual(supervisor.left_over(), {})
        self.assertEqual(len(supervisor.records()), 1)
        crowd[0].end()  # says that it says nothing
        self.assertIn("served", crowd[0].line())
        crowd[1].send("at last\n")
        self.assertIn("served", crowd[1].line())
        self.stop(supervisor)
        self.assertEqual(len(supervisor.find("connection", outcome="drained")), CROWD - 2)

    def test_who_says_nothing_in_time_is_closed(self):
        supervisor = self.supervisor({"line": misbehave(first_byte_timeout_ms=SHORT_MS)})
        with supervisor.connect("line") as client:
            self.assertEqual(client.rest(), "")
            self.assertEqual(supervisor.record(client)["outcome"], "no_first_byte")
        self.stop(supervisor)

    def test_who_resets_is_abandoned(self):
        supervisor = self.supervisor({"line": misbehave(first_byte_timeout_ms=LONG_MS)})
        with supervisor.connect("line") as client:
            # Once one behind it is served, it has been accepted.
            self.assertIn("served", supervisor.ask("line", "hello"))
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
            client.close()
            self.assertEqual(supervisor.record(client)["outcome"], "abandoned")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
