"""The config is read anew while everything goes on (SIGHUP)."""

import os
import signal
import socket
import threading
import time
import unittest

import harness
import processes
from client import Client, await_refusal
from harness import SupervisorCase, misbehave, service
from settings import ALL_WANTED, DEADLINE_S, ON_WINE

ROUNDS = 100 if ALL_WANTED else 20


def says(word, **keys):
    """A program for inetd that answers a line with `word` and that line, again and again."""
    return service(f"/bin/sh -c 'while read line; do echo {word} $line; done'", handoff="stdio",
                   **keys)


def pids(supervisor):
    return {pid for pid, line in processes.marked(supervisor.mark).items()
            if pid != supervisor.pid and "misbehave" in line}


@unittest.skipIf(ON_WINE, "SIGHUP; Windows is asked by the control channel")
class Reload(SupervisorCase):
    def ask(self, supervisor, name, text):
        """A whole connection with a program that reads to the end."""
        with supervisor.connect(name) as client:
            answer = client.ask(text)
            client.end()
            client.rest()
        return answer

    def changes(self, supervisor):
        return {(e["service"], e["change"], e.get("keys")) for e in
                supervisor.find("service_changed")}

    def test_what_is_the_same_is_not_touched(self):
        sections = {"supervisor": {"log_level": "debug"},
                    "line": misbehave("--write lines", spares=2, environment="A=1 B=2",
                                      allow="127.0.0.0/8", refuse_message="no", rate="100/s"),
                    "other": says("one", hours="00:00-23:59", success_exit="0, 3")}
        supervisor = self.supervisor(sections)
        supervisor.wait_events(2, "hello")
        spares = pids(supervisor)
        self.assertEqual(len(spares), 2)
        with supervisor.connect("other") as client:
            self.assertEqual(client.ask("a"), "one a")
            text = supervisor.config.read_text(encoding="utf-8")
            supervisor.config.write_text("; a comment more\n\n" + text, encoding="utf-8")
            event = supervisor.reload()
            self.assertEqual([event[k] for k in ("added", "removed", "changed", "unchanged")],
                             ["0", "0", "0", "2"])
            self.assertEqual(client.ask("b"), "one b")
        self.assertEqual(pids(supervisor), spares)
        self.assertEqual(len(supervisor.find("listening")), 2)
        self.stop(supervisor)

    def test_changed_added_and_removed(self):
        supervisor = self.supervisor({"changed": says("one"), "removed": says("gone"),
                                      "kept": says("kept")})
        places = {name: supervisor.address(name) for name in ("changed", "removed", "kept")}
        old = {name: supervisor.connect(name) for name in places}
        for name, client in old.items():
            self.assertIn(client.ask("x"), ("one x", "gone x", "kept x"))
        supervisor.reload({"changed": says("two", max_connections=7), "kept": says("kept"),
                           "added": says("new")})
        self.assertEqual(self.changes(supervisor), {
            ("changed", "changed", "handler, max_connections"), ("removed", "removed", None),
            ("added", "added", None)})
        self.assertEqual(self.ask(supervisor, "changed", "y"), "two y")
        self.assertEqual(self.ask(supervisor, "added", "y"), "new y")
        self.assertEqual(self.ask(supervisor, "kept", "y"), "kept y")
        await_refusal(places["removed"])
        self.assertEqual([old["changed"].ask("z"), old["removed"].ask("z"), old["kept"].ask("z")],
                         ["one z", "gone z", "kept z"])
        for client in old.values():
            client.close()
        supervisor.wait_events(6, "connection", outcome="served")
        self.stop(supervisor)

    def test_idle_processes_of_a_changed_service_retire(self):
        supervisor = self.supervisor({"line": misbehave("--serve hold", reuse=0, spares=2)})
        client = supervisor.connect("line")
        first = client.line()
        self.assertIn("holding", first)
        supervisor.reload({"line": misbehave("--serve hold", reuse=0, spares=1)})
        supervisor.wait_event("process", reason="service", taken=0)
        with supervisor.connect("line") as second:
            self.assertNotEqual(second.line(), first)
            client.close()
            supervisor.wait_event("process", reason="service", taken=1)
        supervisor.wait_events(2, "connection", outcome="served")
        self.stop(supervisor)

    def test_one_that_was_never_ready(self):
        """It lacks its program: nothing of it is there to be closed."""
        lacks = {"kept": says("kept"), "late": service("/none/late", handoff="stdio")}
        for name, sections in (("removed", {"kept": lacks["kept"]}),
                               ("changed", {**lacks, "late": {**lacks["late"], "environment": "A=1"}}),
                               ("repaired", {**lacks, "late": says("late")})):
            with self.subTest(name):
                supervisor = self.launch(lacks)
                supervisor.wait_event("service_failed", service="late")
                supervisor.reload(sections)
                self.assertEqual(self.ask(supervisor, "kept", "x"), "kept x")
                if name == "repaired":
                    self.assertEqual(self.ask(supervisor, "late", "x"), "late x")
                self.stop(supervisor)

    def test_a_place_that_handlers_have_is_opened_when_they_are_gone(self):
        """What is handed over is not taken back; the place is free when the last of them has ended."""
        supervisor = self.supervisor({"one": service("echo", handoff="listener"),
                                      "other": says("other")})
        place = supervisor.address("one")
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
            supervisor.reload({"one": says("two", listen="%s:%d" % place), "other": says("other")})
            client.close()
        supervisor.wait_events(2, "listening", service="one")
        self.assertEqual(self.ask(supervisor, "one", "x"), "two x")
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "gives files away")
    def test_an_owner_that_is_not_asked_for_any_more(self):
        place = self.folder() / "socket"
        keys = {**service("echo"), "protocol": "unix", "listen": str(place)}
        supervisor = self.supervisor({"one": {**keys, "owner": "nobody", "mode": "0600"}})
        self.assertNotEqual(place.stat().st_uid, 0)
        supervisor.reload({"one": {**keys, "mode": "0600"}})
        self.assertEqual((place.stat().st_uid, place.stat().st_gid), (0, os.getegid()))
        self.stop(supervisor)

    def test_a_faulty_config_changes_nothing(self):
        supervisor = self.supervisor({"one": says("one")})
        with supervisor.connect("one") as client:
            for keys in ({"handlr": "x"}, {"max_connections": "many"}, {"protocol": "tpc"}):
                event = supervisor.reload({"one": says("two", **keys)}, event="reload_failed")
                self.assertIn("faults", event["reason"])
                problem = supervisor.find("config_problem")[-1]["text"]
                self.assertRegex(problem, rf"\.ini:\d+: one\.{list(keys)[0]}: ")
            supervisor.config.unlink()
            supervisor.reload(event="reload_failed")
            self.assertIn("cannot be read", supervisor.find("config_problem")[-1]["text"])
            self.assertEqual(client.ask("x"), "one x")
            self.assertEqual(self.ask(supervisor, "one", "x"), "one x")
            supervisor.reload({"one": says("two")})
            self.assertEqual(self.ask(supervisor, "one", "x"), "two x")
        self.stop(supervisor)

    def test_who_serves_is_not_given_up_for_what_cannot(self):
        supervisor = self.supervisor({"one": says("one"), "two": says("two")})
        event = supervisor.reload({"one": service("/nowhere/to be", handoff="stdio"),
                                   "two": says("2")}, event="reload_failed")
        self.assertIn("`one`", event["reason"])
        self.assertEqual(self.ask(supervisor, "two", "x"), "two x")
        # A new one may come later, as at the start.
        supervisor.reload({"one": says("one"), "two": says("2"),
                           "late": service("/nowhere/to be", handoff="stdio")})
        supervisor.wait_event("service_failed", service="late")
        self.assertEqual(self.ask(supervisor, "two", "x"), "2 x")
        self.stop(supervisor)

    def test_a_listener_goes_to_another_service(self):
        supervisor = self.supervisor({"one": says("one")})
        host, port = supervisor.address("one")
        supervisor.reload({"two": {**says("two"), "listen": f"{host}:{port}"}})
        supervisor.wait_event("listening", service="two")
        with Client((host, port)) as client:
            supervisor.clients[client.name, client.server] += 1
            self.assertEqual(client.ask("x"), "two x")
        # And now that it has that place by its number it is not opened anew, whoever has it.
        supervisor.reload({"three": {**says("three"), "listen": f"{host}:{port}", "backlog": 7}})
        with Client((host, port)) as client:
            supervisor.clients[client.name, client.server] += 1
            self.assertEqual(client.ask("x"), "three x")
        supervisor.wait_event("listening", service="three")
        self.stop(supervisor)

    def test_a_wider_address_takes_the_place_of_a_narrow_one(self):
        supervisor = self.supervisor({"one": says("one")})
        _, port = supervisor.address("one")
        supervisor.reload({"one": {**says("two"), "listen": f"0.0.0.0:{port}"}})
        self.assertEqual(self.ask(supervisor, "one", "x"), "two x")
        self.stop(supervisor)

    def test_options(self):
        supervisor = self.supervisor({"one": says("one")})
        self.assertEqual(supervisor.find("hello"), [])
        supervisor.reload({"supervisor": {"log_level": "debug", "max_connections": 1},
                           "one": says("one"), "line": misbehave()})
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "one x")
            second = supervisor.connect("line")
            supervisor.wait_event("accept_paused", reason="max_connections of all services")
            supervisor.reload({"supervisor": {"log_level": "debug"}, "one": says("one"),
                               "line": misbehave()})
            second.ask("y")
            supervisor.wait_event("hello")
            second.close()
        other = supervisor.folder / "other.log"
        supervisor.reload({"one": says("one"), "line": misbehave()})
        supervisor.config.write_text(supervisor.config.read_text(encoding="utf-8").replace(
            "[supervisor]\n", f"[supervisor]\nlog = {other}\n"), encoding="utf-8")
        supervisor.signal(signal.SIGHUP)
        until_s = time.monotonic() + DEADLINE_S
        while not (other.exists() and "event=reloaded" in other.read_text()):
            self.assertLess(time.monotonic(), until_s)
            time.sleep(0.01)
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        self.assertIn("event=stopped", other.read_text())

    def test_a_service_that_is_switched_off(self):
        supervisor = self.supervisor({"one": says("one"), "two": says("two")})
        address = supervisor.address("two")
        with supervisor.connect("two") as client:
            supervisor.reload({"one": says("one"), "two": says("two", enabled="no")})
            self.assertEqual(client.ask("x"), "two x")
            await_refusal(address)
        supervisor.wait_event("connection", service="two")
        self.stop(supervisor)

    def test_workers_and_those_who_accept_themselves(self):
        sections = {"echo": service("echo", handoff="listener"),
                    "many": service("echo", handoff="listener", workers=3),
                    "udp": service("echo", protocol="udp")}
        supervisor = self.supervisor(sections)

        def talk(client, text):
            client.send(text)
            self.assertEqual(client.socket.recv(100), text.encode())

        clients = []
        for name in ("echo", "many"):
            clients.append(Client(supervisor.address(name)))
            talk(clients[-1], "a")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(DEADLINE_S)
            datagrams.connect(supervisor.address("udp"))
            datagrams.send(b"x")
            self.assertEqual(datagrams.recv(10), b"x")
            for version in range(3):
                supervisor.reload({name: {**keys, "environment": f"VERSION={version}"}
                                   for name, keys in sections.items()})
                for client in clients:
                    talk(client, "b")
                for name in ("echo", "many"):
                    with Client(supervisor.address(name)) as client:
                        talk(client, "c")
                datagrams.send(b"y")
                self.assertEqual(datagrams.recv(10), b"y")
        for client in clients:
            client.close()
        self.assertEqual(supervisor.find("held_back"), [])
        self.assertEqual(supervisor.find("listener_lost"), [])
        self.stop(supervisor)


class Load(threading.Thread):
    """Clients without a pause: each asks, and checks the answer."""

    def __init__(self, address, lines):
        super().__init__(daemon=True)
        self.address = address
        self.lines = lines
        self.goes_on = True
        self.names = []
        self.fault = None

    def run(self):
        try:
            while self.goes_on:
                with Client(self.address) as client:
                    self.names.append((client.name, client.server))
                    for number in range(self.lines):
                        answer = client.ask(f"line{number}")
                        if f"line{number}" not in answer and "pid=" not in answer:
                            raise AssertionError(f"{self.address}: line {number}: {answer!r}")
                    client.end()
                    client.rest()
        except (OSError, AssertionError) as error:
            self.fault = error


@unittest.skipIf(ON_WINE, "SIGHUP; Windows is asked by the control channel")
class UnderLoad(SupervisorCase):
    def test_nobody_notices(self):
        sections = {"short": says("a"),
                    "pumped": {**says("a"), "handoff": "pump"},
                    "fresh": misbehave(),
                    "living": misbehave("--write lines", reuse=0, capacity=4, spares=2),
                    "local": says("a"),
                    "listener": service("echo", handoff="listener")}
        supervisor = self.supervisor(sections)
        loads = [Load(supervisor.address(name), lines) for name, lines in
                 [("short", 1), ("short", 20), ("pumped", 1), ("pumped", 20), ("fresh", 1),
                  ("fresh", 1), ("living", 1), ("living", 1), ("local", 3)]]
        stranger = Load(supervisor.address("listener"), 2)
        for load in (*loads, stranger):
            load.start()
        for number in range(ROUNDS):
            keys = {"environment": f"ROUND={number}"} if number % 3 else {}
            event = supervisor.reload({name: {**old, **(keys if name != "local" else {})}
                                       for name, old in sections.items()})
            self.assertEqual(event["removed"], "0")
        for load in (*loads, stranger):
            load.goes_on = False
        for load in (*loads, stranger):
            load.join(DEADLINE_S)
            self.assertIsNone(load.fault)
        for load in loads:  # whom the handler accepts has no record
            for name in load.names:
                supervisor.clients[name] += 1
        self.assertEqual(supervisor.find("attempt_failed"), [])
        self.stop(supervisor)
        self.assertEqual({r["outcome"] for r in supervisor.records()}, {"served"})


if __name__ == "__main__":
    harness.main()
