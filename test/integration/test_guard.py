"""The door: how many may come and how fast, what is said to those who may not, and that all of it
heals without a hand."""

import collections
import contextlib
import os
import re
import socket
import time
import unittest

import harness
from harness import SupervisorCase, misbehave, service
from settings import ON_WINE

MESSAGE = "421 {service}: no room for {peer_address}\\r\\n"


def told(host, name="hold"):
    return f"421 {name}: no room for {host}\r\n"


class Sources(SupervisorCase):
    def test_a_source_has_its_number_and_others_theirs(self):
        supervisor = self.supervisor({"hold": misbehave(
            "--serve hold", max_per_source=2, stop_timeout_ms=1000, refuse_message=MESSAGE)})
        held = [supervisor.connect("hold", source=host) for host in ("127.0.0.2",) * 2]
        for client in held:
            self.assertIn("holding", client.line())
        for _ in range(5):
            with supervisor.connect("hold", source="127.0.0.2") as refused:
                self.assertEqual(refused.rest(), told("127.0.0.2"))
        with supervisor.connect("hold", source="127.0.0.3") as other:
            self.assertIn("holding", other.line())
        supervisor.wait_events(5, "connection", outcome="refused_source")
        held[0].close()
        supervisor.wait_event("connection", peer=held[0].name)
        with supervisor.connect("hold", source="127.0.0.2") as again:
            self.assertIn("holding", again.line())
        held[1].close()
        self.stop(supervisor)
        for record in supervisor.find("connection", outcome="refused_source"):
            self.assertEqual(record["attempts"], "0")
            self.assertNotIn("pid", record)

    def test_a_rate_by_source_heals_by_itself(self):
        supervisor = self.supervisor({"a": service("echo", rate_per_source="2/s burst 3")})
        answers = collections.Counter()
        while answers[""] == 0 or answers["hello"] < 6:
            with supervisor.connect("a", source="127.0.0.2") as client:
                answers[client.try_to_ask("hello")] += 1
        self.assertEqual(set(answers), {"hello", ""})
        with supervisor.connect("a", source="127.0.0.3") as client:
            self.assertEqual(client.ask("hello"), "hello")
        supervisor.wait_event("connection", outcome="refused_rate")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    @unittest.skipIf(ON_WINE, "Wine has no IPv6 loopback of its own")
    def test_an_ipv6_source_is_its_prefix(self):
        supervisor = self.supervisor({"hold": misbehave(
            "--serve hold", listen="[::1]:0", max_per_source=1, stop_timeout_ms=1000)})
        with supervisor.connect("hold") as first:
            self.assertIn("holding", first.line())
            with supervisor.connect("hold") as second:
                self.assertEqual(second.rest(), "")
            supervisor.wait_event("connection", outcome="refused_source", peer=second.name)
        self.stop(supervisor)


class Access(SupervisorCase):
    def test_rules_of_the_config_and_of_files(self):
        folder = self.folder()
        (folder / "rules").write_text("# ours\n127.0.1.0/24\n\n127.0.2.1  ; one\n")
        supervisor = self.supervisor(
            {"a": service("echo", allow="@rules", deny="127.0.1.9", refuse_message=MESSAGE),
             "b": service("echo", deny="127.0.0.0/9")}, folder=folder)
        verdicts = {"127.0.1.1": "", "127.0.2.1": "", "127.0.2.2": "no rule of allow has it",
                    "127.0.1.9": "deny 127.0.1.9/32 ({0}:6)"}
        for source, rule in verdicts.items():
            with supervisor.connect("a", source=source) as client:
                if not rule:
                    self.assertEqual(client.ask("hello"), "hello")
                    continue
                self.assertEqual(client.rest(), told(source, "a"))
                record = supervisor.record(client)
                self.assertEqual(record["outcome"], "refused_access")
                self.assertRegex(record["text"], "^" + re.escape(rule).replace(
                    re.escape("{0}:6"), ".*:[0-9]+") + "$")
        with supervisor.connect("b") as client:
            self.assertEqual(client.rest(), "")
        with supervisor.connect("b", source="127.128.0.1") as client:
            self.assertEqual(client.ask("hello"), "hello")
        self.stop(supervisor)

    def test_hours(self):
        now = time.localtime()
        before, after = ((now.tm_hour * 60 + now.tm_min + minutes) % 1440 for minutes in (-60, 60))
        later = (after + 60) % 1440
        hours = [f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}"
                 for a, b in ((before, after), (after, later))]
        supervisor = self.supervisor({"open": service("echo", hours=hours[0]),
                                      "closed": service("echo", hours=hours[1])})
        with supervisor.connect("open") as client:
            self.assertEqual(client.ask("hello"), "hello")
        with supervisor.connect("closed") as client:
            self.assertEqual(client.rest(), "")
            self.assertEqual(supervisor.record(client)["outcome"], "refused_hours")
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "Wine's programs have no local sockets")
    def test_users_at_a_local_socket(self):
        folder = self.folder()
        supervisor = self.supervisor(
            {name: {"protocol": "unix", "listen": str(folder / name), "handler": "echo", **keys}
             for name, keys in (("ours", {"allow_uid": os.getuid()}),
                                ("group", {"allow_uid": 4711, "allow_gid": os.getgid()}),
                                ("theirs", {"allow_uid": 4711, "allow_gid": 4711}))},
            folder=folder)
        answers = {}
        for name in ("ours", "group", "theirs"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(harness.DEADLINE_S)
                client.connect(str(folder / name))
                try:
                    client.sendall(b"hello\n")
                    answers[name] = client.recv(100)
                except (BrokenPipeError, ConnectionResetError):
                    answers[name] = b""
        self.assertEqual(answers, {"ours": b"hello\n", "group": b"hello\n", "theirs": b""})
        supervisor.wait_event("connection", outcome="refused_access", service="theirs",
                              text="neither allow_uid nor allow_gid has it")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    @unittest.skipIf(ON_WINE, "Wine's programs have no local sockets")
    def test_who_may_not_come_to_a_local_socket_may_speak_for_nobody(self):
        folder = self.folder()
        supervisor = self.supervisor(
            {"proxied": {"protocol": "unix", "listen": str(folder / "proxied"), "handler": "echo",
                         "proxy_protocol": "on", "allow_uid": 4711}}, folder=folder)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.DEADLINE_S)
            client.connect(str(folder / "proxied"))
            try:
                client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello\n")
                answer = client.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
        self.assertEqual(answer, b"")
        supervisor.wait_event("connection", outcome="refused_access")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)


class Totals(SupervisorCase):
    def fill(self, **keys):
        supervisor = self.supervisor({"hold": misbehave(
            "--serve hold", max_connections=2, stop_timeout_ms=1000, **keys)})
        clients = [supervisor.connect("hold") for _ in range(2)]
        for client in clients:
            self.assertIn("holding", client.line())
        return supervisor, clients

    def test_who_finds_it_full_waits(self):
        supervisor, clients = self.fill()
        waits = supervisor.connect("hold")
        clients[0].close()
        self.assertIn("holding", waits.line())
        for client in (clients[1], waits):
            client.close()
        self.stop(supervisor)

    def test_or_is_refused(self):
        supervisor, clients = self.fill(when_full="refuse", refuse_message=MESSAGE)
        with supervisor.connect("hold") as refused:
            self.assertEqual(refused.rest(), told("127.0.0.1"))
            self.assertEqual(supervisor.record(refused)["outcome"], "refused_full")
        for client in clients:
            client.close()
        self.stop(supervisor)

    def test_all_services_together(self):
        supervisor = self.supervisor({
            "supervisor": {"max_connections": 2, "when_full": "refuse"},
            "hold": misbehave("--serve hold", stop_timeout_ms=1000),
            "other": misbehave("--serve hold", stop_timeout_ms=1000)})
        with supervisor.connect("hold") as first, supervisor.connect("other") as second:
            self.assertIn("holding", first.line())
            self.assertIn("holding", second.line())
            with supervisor.connect("other") as refused:
                self.assertEqual(refused.rest(), "")
                self.assertEqual(supervisor.record(refused)["outcome"], "refused_full")
        self.stop(supervisor)

    def test_a_rate_makes_clients_wait_and_loses_none(self):
        # So slow that a launch under Wine does not take up what it lets in.
        supervisor = self.supervisor({"a": service("echo", rate="1/s burst 2")})
        clients = [supervisor.connect("a") for _ in range(5)]
        for client in clients:
            client.end()
            client.rest()
        records = supervisor.wait_events(5, "connection", outcome="served")
        self.assertEqual(len(records), 5)
        self.assertTrue(supervisor.find("accept_paused", reason="rate"))
        self.stop(supervisor)

    def test_a_crowd_at_one_keeps_nobody_at_another_waiting(self):
        for crowded, other in (("a", "b"), ("b", "a")):
            with self.subTest(crowded):
                supervisor = self.supervisor({"supervisor": {"rate": "4/s burst 1"},
                                              "a": service("echo"), "b": service("echo")})
                crowd = [supervisor.connect(crowded) for _ in range(10)]
                with supervisor.connect(other) as client:
                    client.end()
                    client.rest()
                    served_before = int(supervisor.record(client)["id"])
                self.assertLess(served_before, 6)
                for each in crowd:
                    each.end()
                    each.rest()
                self.stop(supervisor)


class Messages(SupervisorCase):
    def setUp(self):
        self.supervisor_ = self.supervisor({"hold": misbehave(
            "--serve hold", max_connections=1, when_full="refuse", stop_timeout_ms=1000,
            refuse_message=MESSAGE)})
        self.held = self.supervisor_.connect("hold")
        self.assertIn("holding", self.held.line())

    def finish(self):
        self.held.close()
        self.stop(self.supervisor_)

    def test_who_has_written_reads_it_all_the_same(self):
        for length in (1, 10000):
            with self.supervisor_.connect("hold") as client:
                client.send(b"x" * length)
                self.assertEqual(client.line(), told("127.0.0.1").rstrip("\n"))
                client.end()
                self.assertEqual(client.rest(), "")
        self.finish()

    def test_who_neither_reads_nor_leaves_holds_nobody_up(self):
        stay = [self.supervisor_.connect("hold") for _ in range(100)]
        for client in stay:
            client.send("GET / HTTP/1.0\r\n\r\n")
        # More than are told at once, and none of them goes: each is closed in time all the same.
        self.supervisor_.wait_events(100, "connection", outcome="refused_full")
        for client in stay:
            self.assertIn(client.rest(), (told("127.0.0.1"), ""))
        text = ""
        while text == "":  # until the first have had their second
            with self.supervisor_.connect("hold") as client:
                text = client.rest()
        self.assertEqual(text, told("127.0.0.1"))
        for client in stay:
            client.close()
        self.held.close()
        self.supervisor_.signal()
        self.assertEqual(self.supervisor_.wait(), 0)


class Flood(SupervisorCase):
    COUNT = 400

    def test_the_log_is_not_flooded_and_every_refusal_is_counted(self):
        supervisor = self.supervisor({
            "a": service("echo", max_per_source=1, stop_timeout_ms=1000),
            "b": service("echo")})
        with supervisor.connect("a") as steady:
            steady.send("1\n")
            steady.line()
            address = supervisor.address("a")
            for _ in range(self.COUNT):
                with socket.create_connection(address) as client:
                    client.settimeout(harness.DEADLINE_S)
                    try:
                        self.assertEqual(client.recv(1), b"")
                    except ConnectionResetError:
                        pass
            with supervisor.connect("b") as other:
                self.assertEqual(other.ask("still here"), "still here")
            lines = suppressed = 0
            while lines + suppressed < self.COUNT:
                events = supervisor.wait_events(
                    len(supervisor.find("refusals_suppressed")) + 1, "refusals_suppressed",
                    service="a")
                suppressed = sum(int(event["refused_source"]) for event in events)
                lines = len(supervisor.find("connection", outcome="refused_source"))
            self.assertEqual(lines + suppressed, self.COUNT)
            self.assertGreater(suppressed, 0)
        supervisor.wait_event("connection", peer=steady.name)
        with supervisor.connect("a") as again:
            again.end()
            again.rest()
            self.assertEqual(supervisor.record(again)["outcome"], "served")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        stopped = supervisor.find("stopped")[0]
        self.assertEqual(int(stopped["connections"]), self.COUNT + 3)

    def test_what_was_counted_last_is_told_at_the_stop(self):
        supervisor = self.supervisor({"a": service("echo", deny="127.0.0.0/8")})
        address = supervisor.address("a")
        for _ in range(self.COUNT):
            with socket.create_connection(address) as client:
                client.settimeout(harness.DEADLINE_S)
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(client.recv(1), b"")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        lines = len(supervisor.find("connection", outcome="refused_access"))
        suppressed = sum(int(event["refused_access"])
                         for event in supervisor.find("refusals_suppressed", service="a"))
        self.assertEqual(lines + suppressed, self.COUNT)


@unittest.skipIf(ON_WINE, "needs a script as handler")
class Breaker(SupervisorCase):
    def test_it_opens_and_heals_without_a_hand(self):
        folder = self.folder()
        script = folder / "handler"
        good = folder / "good"
        echo = harness.shared().handlers / "echo"
        script.write_text(f"#!/bin/sh\n[ -e '{good}' ] && exec '{echo}'\nexit 3\n")
        script.chmod(0o755)
        supervisor = self.supervisor({"a": service(f'"{script}"', attempts=1)}, folder=folder)
        outcomes = []
        while "refused_breaker" not in outcomes:
            with supervisor.connect("a") as client:
                client.rest()
                outcomes.append(supervisor.record(client)["outcome"])
        self.assertEqual(outcomes, ["launch_failed"] * 5 + ["refused_breaker"])
        self.assertEqual(supervisor.wait_event("breaker_opened")["failures"], "5")
        good.touch()
        while not supervisor.find("breaker_closed"):
            with supervisor.connect("a") as client:
                self.assertIn(client.try_to_ask("hello"), ("hello", ""))
        with supervisor.connect("a") as client:
            self.assertEqual(client.ask("well"), "well")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_who_never_speaks_is_no_probe(self):
        folder = self.folder()
        script = folder / "handler"
        keys = {"attempts": 1, "first_byte_timeout_ms": 60000}
        script.write_text("#!/bin/sh\nexit 3\n")
        script.chmod(0o755)
        supervisor = self.supervisor({"a": service(f'"{script}"', **keys)}, folder=folder)
        while not supervisor.find("breaker_opened"):
            with supervisor.connect("a") as client:
                client.end()
                client.rest()
        echo = harness.shared().handlers / "echo"
        script.write_text(f"#!/bin/sh\nexec '{echo}'\n")
        time.sleep(int(supervisor.find("breaker_opened")[-1]["retry_ms"]) / 1000 + 0.2)
        with supervisor.connect("a"), supervisor.connect("a") as client:
            self.assertEqual(client.ask("well"), "well")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)


if __name__ == "__main__":
    harness.main()
