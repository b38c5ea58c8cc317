"""What a service manager and batond say to each other: this test plays systemd's side, by the pages
sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3) and systemd.socket(5). A real systemd is not asked."""

import os
import re
import signal
import socket
import time
import unittest

import harness
from client import Client, split_address
from harness import SupervisorCase, service
from settings import DEADLINE_S, ON_WINE


class Manager:
    """The socket that NOTIFY_SOCKET names."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.store = {}
        self.socket.settimeout(DEADLINE_S)
        self.socket.bind("\0" + path[1:] if path[0] == "@" else path)

    def state(self):
        """The next message, as a dictionary; what is about the store is carried out."""
        while True:
            text, descriptors, _, _ = socket.recv_fds(self.socket, 4096, 1)
            state = dict(line.split("=", 1) for line in text.decode().split("\n"))
            if "FDSTORE" in state:
                self.store[state["FDNAME"]] = socket.socket(fileno=descriptors[0])
            elif "FDSTOREREMOVE" in state:
                self.store.pop(state["FDNAME"]).close()
            else:
                return state

    def wait(self, name):
        """The next message with that assignment, and all before it."""
        before = []
        while True:
            state = self.state()
            if name in state:
                return state, before
            before.append(state)

    def places(self):
        return sorted("%s:%d" % one.getsockname() for one in self.store.values())

    def close(self):
        for one in (self.socket, *self.store.values()):
            one.close()


@unittest.skipIf(ON_WINE, "systemd")
class Systemd(SupervisorCase):
    def manager(self, path=None):
        manager = Manager(path or str(self.folder() / "notify"))
        self.addCleanup(manager.close)
        return manager

    def start(self, sections, path=None, sockets=(), names=None, **variables):
        """A supervisor that a manager has started, with these sockets."""
        self.told = self.manager(path)
        name = self.told.socket.getsockname()
        address = "@" + name[1:].decode() if isinstance(name, bytes) else name
        variables = {"NOTIFY_SOCKET": address, **variables}
        if names is not None:
            variables["LISTEN_FDNAMES"] = names
        return self.launch(sections, environment=variables, passed=sockets)

    def test_life(self):
        sections = {"one": service("echo"), "two": service("echo", enabled="no")}
        supervisor = self.start(sections)
        state, before = self.told.wait("READY")
        self.assertEqual((state["READY"], before), ("1", []))
        self.assertEqual(state["STATUS"], "1 services, 1 listeners")
        began_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        supervisor.reload({"one": service("echo"), "two": service("echo")})
        state, before = self.told.wait("RELOADING")
        self.assertEqual(before, [])
        self.assertGreaterEqual(int(state["MONOTONIC_USEC"]), began_us)
        state, before = self.told.wait("READY")
        self.assertEqual((before, state["STATUS"]), ([], "2 services, 2 listeners"))
        supervisor.config.write_text("[one\n", encoding="utf-8")
        supervisor.reload(event="reload_failed")
        self.told.wait("RELOADING")
        self.assertEqual(self.told.wait("READY")[0]["STATUS"], "2 services, 2 listeners")
        client = supervisor.connect("one")
        client.send("x")
        client.socket.recv(1)
        supervisor.signal()
        state, before = self.told.wait("STOPPING")
        self.assertEqual(before, [])
        self.assertIn("1 connections, 1 processes", state["STATUS"])
        self.assertGreaterEqual(int(state["EXTEND_TIMEOUT_USEC"]), 15000000)
        client.close()
        self.check_end(supervisor)

    def test_a_restart(self):
        """To it that is a reload; what it has kept, it has still and once, and the watchdog hears of the new loop."""
        passed = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(passed.close)
        place = "127.0.0.1:%d" % passed.getsockname()[1]
        supervisor = self.start({"one": {**service("echo"), "listen": place}, "two": service("echo")},
                                sockets=(passed,), WATCHDOG_USEC="600000")
        self.told.wait("READY")
        supervisor.wait_ready()
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
            for number in range(3):
                supervisor.signal(signal.SIGUSR2)
                self.told.wait("RELOADING")
                state, _ = self.told.wait("READY")
                self.assertEqual(state["STATUS"], "2 services, 2 listeners")
                supervisor.wait_events(number + 1, "restarted")
            self.assertEqual(client.ask("y"), "y")
        self.told.wait("WATCHDOG")
        self.assertEqual(self.told.places(), ["%s:%d" % supervisor.address("two")])
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("z"), "z")
        self.assertEqual(supervisor.find("socket_unused"), [])
        supervisor.config.write_text("[one\n", encoding="utf-8")
        supervisor.signal(signal.SIGUSR2)
        self.told.wait("RELOADING")
        self.told.wait("READY")
        supervisor.wait_event("restart_failed")
        self.stop(supervisor)

    def test_an_abstract_socket(self):
        self.start({"one": service("echo")}, path=f"@baton-test-{os.getpid()}")
        self.told.wait("READY")

    def test_nobody_has_to_listen(self):
        supervisor = self.launch({"one": service("echo")},
                                 environment={"NOTIFY_SOCKET": str(self.folder() / "nobody")})
        supervisor.wait_ready()
        self.stop(supervisor)

    def test_the_watchdog_hears_of_the_loop(self):
        supervisor = self.start({"one": service("echo")}, WATCHDOG_USEC="60000")
        self.told.wait("READY")
        for _ in range(3):
            self.assertEqual(self.told.state(), {"WATCHDOG": "1"})
        # A loop that stands still says nothing.
        os.kill(supervisor.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, supervisor.pid, signal.SIGCONT)
        self.told.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                self.told.state()
        self.told.socket.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            self.told.state()
        os.kill(supervisor.pid, signal.SIGCONT)
        self.told.socket.settimeout(DEADLINE_S)
        self.told.wait("WATCHDOG")

    def test_a_watchdog_that_wants_too_much(self):
        supervisor = self.start({"one": service("echo")}, WATCHDOG_USEC="1")
        self.told.wait("READY")
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
        self.stop(supervisor)

    def test_another_process_is_watched(self):
        supervisor = self.start({"one": service("echo")}, WATCHDOG_USEC="1000",
                                WATCHDOG_PID=str(os.getpid()))
        self.told.wait("READY")
        supervisor.wait_ready()
        supervisor.signal()
        self.assertEqual(self.told.wait("STOPPING")[1], [])
        self.check_end(supervisor)

    # -- Sockets

    def listen(self, kind=socket.SOCK_STREAM, family=socket.AF_INET, address=("127.0.0.1", 0)):
        one = socket.socket(family, kind)
        self.addCleanup(one.close)
        one.bind(address)
        if kind == socket.SOCK_STREAM:
            one.listen(5)
        return one

    def test_sockets_are_found_by_address_and_by_name(self):
        path = str(self.folder() / "local")
        by_address, by_name, local, udp, other = (
            self.listen(), self.listen(), self.listen(family=socket.AF_UNIX, address=path),
            self.listen(kind=socket.SOCK_DGRAM), self.listen())
        early = Client(by_address.getsockname())  # who has come before batond was there
        places = {name: "%s:%d" % one.getsockname() for name, one in
                  {"address": by_address, "name": by_name, "udp": udp, "other": other}.items()}
        sections = {"first": {**service("echo"), "listen": places["address"]},
                    "second": {**service("echo"), "listen": "127.0.0.1:1"},
                    "local": {"listen": path, "protocol": "unix", "handler": "echo"},
                    "udp": {"listen": places["udp"], "protocol": "udp", "handler": "echo"},
                    "own": service("echo")}
        supervisor = self.start(sections, sockets=(by_address, by_name, local, udp, other),
                                names="x:second:y:z:unused")
        supervisor.wait_ready()
        for name, place in {"first": places["address"], "second": places["name"], "local": path,
                            "udp": places["udp"]}.items():
            event = supervisor.wait_event("listening", service=name)
            self.assertEqual((event["address"], event.get("passed")), (place, "yes"))
        self.assertNotIn("passed", supervisor.wait_event("listening", service="own"))
        unused = supervisor.wait_event("socket_unused")
        self.assertEqual(unused["socket"], f"unused {places['other']}")
        self.assertEqual(len(supervisor.find("socket_unused")), 1)
        supervisor.clients[early.name, early.server] += 1
        self.assertEqual(early.ask("early"), "early")
        early.close()
        for name in ("first", "second", "own"):
            with supervisor.connect(name) as client:
                self.assertEqual(client.ask(name), name)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(path)
            client.send(b"x")
            self.assertEqual(client.recv(10), b"x")
        supervisor.expect_records(1, service="local")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(udp.getsockname())
            client.send(b"u")
            self.assertEqual(client.recv(10), b"u")
        # A service that comes later finds what nobody had; one that leaves gives it back.
        del sections["first"]
        supervisor.reload({**sections, "late": {**service("echo"), "listen": places["other"]}})
        self.assertEqual(supervisor.wait_event("listening", service="late")["passed"], "yes")
        with supervisor.connect("late") as client:
            self.assertEqual(client.ask("late"), "late")
        supervisor.reload({**sections, "again": {**service("echo"), "listen": places["address"]}})
        with supervisor.connect("again") as client:
            self.assertEqual(client.ask("again"), "again")
        self.stop(supervisor)
        self.assertTrue(os.path.exists(path), "the file is the manager's")
        # They go on in the manager, and whoever comes waits there.
        Client(by_address.getsockname()).close()

    def test_listeners_are_kept_for_the_next_one(self):
        sections = {"one": service("echo"), "two": service("echo")}
        supervisor = self.start(sections)
        self.told.wait("READY")
        supervisor.reload({"one": service("echo"), "three": service("echo")})
        self.told.wait("READY")
        places = {name: "%s:%d" % supervisor.address(name) for name in ("one", "three")}
        supervisor.signal(signal.SIGTERM)
        self.told.wait("STOPPING")
        self.check_end(supervisor)
        self.assertEqual(self.told.places(), sorted(places.values()), "`two` has left")
        waiting = Client(split_address(places["one"]))  # while there is no batond
        store, names = list(self.told.store.values()), list(self.told.store)
        sections = {"one": {**service("echo"), "listen": places["one"]}, "four": service("echo")}
        self.told.store = dict(zip(names, store))
        second = self.launch(sections, passed=store, environment={
            "NOTIFY_SOCKET": self.told.socket.getsockname(), "LISTEN_FDNAMES": ":".join(names)})
        self.told.wait("READY")
        second.clients[waiting.name, waiting.server] += 1
        self.assertEqual(waiting.ask("here"), "here")
        waiting.close()
        self.assertEqual(second.find("socket_unused"), [])
        second.reload(sections)
        self.told.wait("READY")
        self.assertEqual(self.told.places(), sorted(
            [places["one"], "%s:%d" % second.address("four")]), "`three` is not wanted any more")
        self.stop(second)

    def test_one_that_handlers_have_is_not_accepted_from(self):
        """They have its flags, too: an accept(2) of ours could wait for ever."""
        one = self.listen()
        place = {"listen": "%s:%d" % one.getsockname()}
        supervisor = self.start({"one": {**service("echo", handoff="listener"), **place},
                                 "other": service("echo")}, sockets=(one,))
        supervisor.wait_ready()
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
            supervisor.reload({"one": {**service("echo"), **place}, "other": service("echo")})
            supervisor.wait_event("listen_failed", service="one")
        with supervisor.connect("other") as client:
            self.assertEqual(client.ask("x"), "x")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_handlers_are_told_nothing_of_it(self):
        one = self.listen()
        supervisor = self.start({"env": {"listen": "%s:%d" % one.getsockname(), "handler": "env"}},
                                sockets=(one,), names="env", WATCHDOG_USEC="10000000")
        supervisor.wait_ready()
        with supervisor.connect("env") as client:
            text = client.rest()
        self.assertIsNone(re.search("NOTIFY|WATCHDOG|LISTEN_", text), text)
        self.stop(supervisor)

    def test_sockets_for_somebody_else(self):
        one = self.listen()
        place = "%s:%d" % one.getsockname()
        supervisor = self.start({"one": {**service("echo"), "listen": place}}, sockets=(one,),
                                LISTEN_PID="1")
        supervisor.wait_event("listen_failed", service="one")


if __name__ == "__main__":
    harness.main()
