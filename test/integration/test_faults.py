"""Handlers that crash, hang, lie or talk nonsense, at each step of the protocol.

Before the ACK a fault costs the client nothing if the next attempt succeeds. After it the client has
been in the handler's hands and is not offered again. Either way there is one record.
"""

import concurrent.futures
import json
import os
import unittest

import socket
import struct
import unittest

import harness
import peers
import processes
from harness import SupervisorCase, misbehave, service, shared
from settings import ALL_WANTED, DEADLINE_S, ON_WINE, REFUSES_RIGHTS, executable

# Faults that show only by a deadline. On Windows the channel is a stream of bytes, where half a
# frame may still become a whole one. And Wine gives each handler's console host a copy of what the
# handler inherits, so there a channel ends only with the process; Windows has no such copies.
SILENT = {"hang"} | ({"half", "half-body", "close"} if ON_WINE else set())
SHORT_MS = 3000 if ON_WINE else 700

ENDS = ("crash", "exit-0", "exit-3", "hang", "close")
LIES = ("garbage", "half", "half-body", "wrong-magic", "wrong-version", "wrong-flags",
        "unknown-type", "type-zero", "long-body", "no-fields", "ack-unknown", "done-unknown",
        *(() if ON_WINE or REFUSES_RIGHTS else ("descriptor",)))
IN_PLACE_OF_HELLO = ("wrong-nonce", "stranger-pid", "capacity-zero", "two-hello", "optional")

# What the log says of each, with the value that was wrong.
BREACHES = {
    "garbage": ("?", r"magic 0xa5a5a5a5, not 0x4241544e"),
    "half": ("HELLO", r"8 bytes, which are no header"),
    "half-body": ("HELLO", r"length 36, but 14 bytes follow the header"),
    "wrong-magic": ("HELLO", r"magic 0x5841544e, not 0x4241544e"),
    "wrong-version": ("HELLO", r"version 9, not 1"),
    "wrong-flags": ("HELLO", r"flags 0x1, not 0"),
    "unknown-type": ("?", r"type 0x42: unknown .*"),
    "type-zero": ("?", r"type 0x0: unknown .*"),
    "long-body": ("HELLO", r"length 604, at most 512"),
    "no-fields": ("HELLO", r"tag 0x1: required field missing"),
    "ack-unknown": ("ACK", r"connection 2147483646, which is not offered|before HELLO"),
    "done-unknown": ("DONE", r"connection 2147483646, which is not held|before HELLO"),
    "wrong-nonce": ("HELLO", r"a wrong nonce"),
    "stranger-pid": ("HELLO", r"pid \d+, which is not the handler's"),
    "capacity-zero": ("HELLO", r"tag 0x3: field .* out of range"),
    "two-hello": ("HELLO", r"a second HELLO"),
    "hello": ("HELLO", r"a second HELLO"),
    "optional": ("?", r"before HELLO"),
    "descriptor": ("HELLO", r"a descriptor or other control data came with it"),
}


def sample(acts, number):
    """A third of them, which is another one for another number, where a launch takes Wine its time."""
    return acts[number % 3::3] if ON_WINE and not ALL_WANTED else acts


BEFORE_ACK = [*(("start", act) for act in sample(ENDS + LIES, 0) + IN_PLACE_OF_HELLO),
              *(("hello", act) for act in sample(ENDS + LIES, 1) + ("hello",)),
              *(("offer", act) for act in sample(ENDS + LIES, 2) + ("hello",)),
              # It goes on, but nothing that it says then is taken.
              *(("offer", f"{act}-on") for act in
                sample(("unknown-type", "ack-unknown", "done-unknown", "hello"), 0))]


def expected_reasons(step, act):
    """What the log may give as the reason of the failed attempt."""
    if act in SILENT:
        return {"handshake_timeout"}
    if act == "crash":
        # The hand-off may fail before the exit is seen.
        return {"crashed"} if step != "hello" else {"crashed", "handshake_invalid"}
    if step == "start" and act in ("exit-0", "exit-3", "close"):
        return {"launch_failed"}
    return {"handshake_invalid"}


def faulty(step, act, count=None, times=0, **keys):
    arguments = f"--at {step} --do {act}"
    if count:
        arguments += f" --count {count} --times {times}"
    keys.setdefault("handshake_timeout_ms", SHORT_MS if act in SILENT else 20000)
    return misbehave(arguments, max_connections=8, stop_timeout_ms=1000, **keys)


def ask_all(supervisor, names):
    """Asks each service once, a few at a time; {name: (client's name, answer)}."""
    def ask(name):
        with supervisor.connect(name) as client:
            answer = client.ask(name)
            client.rest()
        return name, (client, answer)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(pool.map(ask, names))


class BeforeAck(SupervisorCase):
    def check_second_attempt(self, step):
        cases = [act for at, act in BEFORE_ACK if at == step]
        supervisor = self.supervisor({act: faulty(step, act, count=act, times=1) for act in cases})
        for act, (client, answer) in ask_all(supervisor, cases).items():
            with self.subTest(step=step, act=act):
                self.assertIn("launch=2 ", answer)
                record = supervisor.record(client)
                self.assertEqual((record["outcome"], record["attempts"]), ("served", "2"))
                failed = supervisor.find("attempt_failed", service=act)
                self.assertEqual([f["attempt"] for f in failed], ["1"])
                self.assertIn(failed[0]["reason"], expected_reasons(step, act))
                self.assertEqual(failed[0]["id"], record["id"])
                self.assertNotEqual(failed[0]["pid"], record["pid"])
                if act.removesuffix("-on") in BREACHES and act not in SILENT:
                    self.check_breach(supervisor, act)
        self.stop(supervisor)

    def check_breach(self, supervisor, act):
        message, reason = BREACHES[act.removesuffix("-on")]
        said = [(line["message"], line["reason"])
                for line in supervisor.find("protocol_error", service=act)]
        self.assertEqual([message], [heard for heard, _ in said])
        self.assertRegex(said[0][1], f"^(?:{reason})$")

    def test_in_place_of_hello(self):
        self.check_second_attempt("start")

    def test_after_hello(self):
        self.check_second_attempt("hello")

    def test_after_the_offer(self):
        self.check_second_attempt("offer")


@unittest.skipIf(ON_WINE, "a handler of POSIX")
class Spoiled(SupervisorCase):
    def test_what_the_first_process_has_set_is_put_back(self):
        supervisor = self.supervisor({"second": service(peers.program("second.py", "launches"))})
        with supervisor.connect("second") as client:
            supervisor.wait_event("attempt_failed")
            facts = json.loads(client.ask("hello"))
        self.assertEqual(facts, {"line": "hello\n", "flags": 0, "linger": [0, 0]})
        self.assertEqual(supervisor.record(client)["attempts"], "2")
        self.stop(supervisor)


class LastAttempt(SupervisorCase):
    """No attempt succeeds: the client is closed, and the record tells the last fault."""

    CASES = {"start": sample(("crash", "exit-3", "hang", "garbage", "wrong-nonce", "stranger-pid",
                              "close"), 0),
             "offer": sample(("crash", "exit-0", "hang", "wrong-magic", "close"), 1)}

    def check(self, step):
        acts = self.CASES[step]
        supervisor = self.supervisor({act: faulty(step, act, attempts=3) for act in acts})
        for act, (client, answer) in ask_all(supervisor, acts).items():
            with self.subTest(step=step, act=act):
                self.assertEqual(answer, "", "the client is closed without a word")
                record = supervisor.record(client)
                self.assertIn(record["outcome"], expected_reasons(step, act))
                self.assertEqual(record["attempts"], "3")
                self.assertEqual(len(supervisor.find("attempt_failed", service=act)), 3)
        self.stop(supervisor)

    def test_in_place_of_hello(self):
        self.check("start")

    def test_after_the_offer(self):
        self.check("offer")

    def test_the_counts_return_to_zero(self):
        """A full service that forgot to count down would let no second client in."""
        supervisor = self.supervisor({
            "crash": {**faulty("offer", "crash", count="c", times=4), "max_connections": 1}})
        outcomes = []
        for _ in range(3):
            with supervisor.connect("crash") as client:
                client.ask("hello")
                client.rest()
            outcomes.append(supervisor.record(client)["outcome"])
        self.assertEqual(outcomes, ["crashed", "crashed", "served"])
        self.stop(supervisor)

    def test_a_program_that_has_gone(self):
        handlers = shared().handlers
        name = handlers / executable("vanishing")
        name.write_bytes((handlers / executable("misbehave")).read_bytes())
        name.chmod(0o755)
        supervisor = self.supervisor({"gone": service("vanishing")})
        name.unlink()
        with supervisor.connect("gone") as client:
            self.assertEqual(client.ask("hello"), "")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["attempts"]), ("launch_failed", "2"))
        self.stop(supervisor)


class AfterAck(SupervisorCase):
    def check(self, step, expected):
        """`expected`: {act: (answer is given, outcome)}."""
        supervisor = self.supervisor({act: faulty(step, act) for act in expected})
        for act, (client, answer) in ask_all(supervisor, expected).items():
            with self.subTest(step=step, act=act):
                answered, outcome = expected[act]
                self.assertEqual(answer.startswith("served"), answered, answer)
                record = supervisor.record(client)
                self.assertEqual((record["outcome"], record["attempts"]), (outcome, "1"))
                self.assertEqual(supervisor.find("attempt_failed", service=act), [])
        return supervisor

    def test_ends_after_ack(self):
        supervisor = self.check("ack", {"crash": (False, "crashed"), "exit-0": (False, "served"),
                                        "exit-3": (False, "failed"), "close": (True, "served")})
        crashed = supervisor.find("connection", service="crash")[0]
        self.assertIn("signal", crashed)
        self.assertEqual(supervisor.find("connection", service="exit-3")[0]["exit"], "3")
        self.stop(supervisor)

    def test_lies_after_ack(self):
        """The client is served by who has it; the record says that the channel was broken, and
        neither the DONE nor the exit code 0 behind that counts."""
        # Half a frame on Windows swallows the DONE that follows: then the exit decides.
        lies = [act for act in LIES + ("hello",) if act not in SILENT]
        supervisor = self.check("ack", {act: (True, "failed") for act in sample(lies, 0)})
        for record in supervisor.find("connection"):
            self.assertEqual((record["reason"], record["exit"]), ("breach", "0"))
            self.assertNotIn("status", record)
        self.stop(supervisor)

    def test_after_done(self):
        """What happens after DONE is not the client's business; the process is ended."""
        acts = ("crash", "exit-3", "hang", "close", "garbage", "done-twice", "wrong-version")
        supervisor = self.check("done", {act: (True, "served") for act in acts})
        for pid in processes.marked(supervisor.mark):
            if pid != supervisor.pid:
                self.assertTrue(processes.wait_for_end(pid, DEADLINE_S),
                                f"lives on: {processes.command_line(pid)}")
        self.stop(supervisor)


class Nack(SupervisorCase):
    def test_busy_and_retire_send_it_to_another(self):
        acts = ("nack-busy", "nack-retire")
        supervisor = self.supervisor({act: faulty("offer", act, count=act, times=1)
                                      for act in acts})
        for act, (client, answer) in ask_all(supervisor, acts).items():
            with self.subTest(act):
                self.assertIn("launch=2 ", answer)
                self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_refuse_is_final(self):
        supervisor = self.supervisor({"no": faulty("offer", "nack-refuse", count="no", times=1)})
        with supervisor.connect("no") as client:
            self.assertEqual(client.ask("hello"), "")
        self.assertEqual(supervisor.record(client)["outcome"], "rejected")
        self.assertEqual(os.stat(supervisor.state / "no").st_size, 1, "launched once")
        self.stop(supervisor)

    def test_always_busy_comes_to_an_end(self):
        supervisor = self.supervisor({"busy": faulty("offer", "nack-busy", attempts=2)})
        with supervisor.connect("busy") as client:
            self.assertEqual(client.ask("hello"), "")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["attempts"]), ("rejected", "2"))
        self.stop(supervisor)


class Slow(SupervisorCase):
    def test_late_within_the_deadline(self):
        steps = ("start", "hello", "offer", "ack", "done")
        supervisor = self.supervisor({step: faulty(step, "slow-300") for step in steps})
        for step, (client, answer) in ask_all(supervisor, steps).items():
            with self.subTest(step):
                self.assertIn("served", answer)
                record = supervisor.record(client)
                self.assertEqual((record["outcome"], record["attempts"]), ("served", "1"))
        self.stop(supervisor)


class Capacity(SupervisorCase):
    def test_more_capacity_than_the_service_uses(self):
        """A fresh process for every connection, whatever the handler could take."""
        supervisor = self.supervisor({"wide": misbehave("--serve hold --capacity 9")})
        with supervisor.connect("wide") as first, supervisor.connect("wide") as second:
            pids = {client.line().split()[1] for client in (first, second)}
        self.assertEqual(len(pids), 2)
        supervisor.wait_events(2, "connection", outcome="served")
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "Windows has no SIGPIPE")
class ClientsThatLeave(SupervisorCase):
    """A program that writes to a client that is gone dies by SIGPIPE, which is no crash of its own."""

    def check(self, leave, **keys):
        supervisor = self.supervisor({"yes": service(peers.tool("yes"), **keys)})
        with supervisor.connect("yes") as client:
            client.line()
            leave(client)
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["signal"]), ("broken_pipe", "13"))
        self.stop(supervisor)

    def test_stdio(self):
        """Behind the end of its sending: a reset alone is told as an error (ECONNRESET), and `yes`
        exits by itself."""
        def leave(client):
            client.end()
            client.close()

        self.check(leave, handoff="stdio")

    def test_pump_by_a_reset(self):
        def leave(client):
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

        self.check(leave, handoff="pump")


if __name__ == "__main__":
    harness.main()
