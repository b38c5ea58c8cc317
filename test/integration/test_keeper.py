"""baton-keeper: a batond that crashes, or stands still, is followed by another, and no client is refused."""

import os
import resource
import signal
import socket
import threading
import time
import unittest

import harness
import processes
from client import Client, await_refusal, split_address
from harness import SupervisorCase, service
from settings import DEADLINE_S, ON_WINE

IDLE_SHARE = 0.2  # of a processor; a loop that spins uses all of one


@unittest.skipIf(ON_WINE, "POSIX")
class Keeper(SupervisorCase):
    def reserve(self):
        """A place that nobody else gets while it is bound here, where nobody listens."""
        one = socket.socket()
        self.addCleanup(one.close)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % one.getsockname()[1]

    def start(self, sections, descriptor_limit=None, **environment):
        supervisor = self.launch({**sections, "supervisor": {"keeper": "yes"}},
                                 environment=environment, descriptor_limit=descriptor_limit)
        return supervisor.wait_ready()

    def ready_pids(self, supervisor, count):
        return [int(event["pid"]) for event in supervisor.wait_events(count, "ready")]

    def fixed(self, supervisor, name):
        return "%s:%d" % supervisor.address(name)

    def end(self, supervisor, code=0):
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), code)
        self.assertEqual(supervisor.left_over(), {})

    def test_a_crash_refuses_nobody(self):
        supervisor = self.start({"line": {**service("echo"), "listen": self.reserve()},
                                 "cat": service("/bin/cat", handoff="stdio")})
        place = split_address(self.fixed(supervisor, "line"))
        live = {name: supervisor.connect(name) for name in ("line", "cat")}
        for client in live.values():
            self.assertEqual(client.ask("before"), "before")
        goes_on, refused, served = [True], [], []

        def load():
            while goes_on[0]:
                try:
                    with Client(place) as client:
                        served.append(client.ask("x"))
                except OSError as error:
                    refused.append(error)

        loads = [threading.Thread(target=load) for _ in range(4)]
        for thread in loads:
            thread.start()
        for number in range(3):
            pid = self.ready_pids(supervisor, number + 1)[-1]
            os.kill(pid, signal.SIGKILL)
        self.ready_pids(supervisor, 4)
        count = len(served)
        until_s = time.monotonic() + DEADLINE_S
        while len(served) < count + 20 and time.monotonic() < until_s:
            time.sleep(0.01)
        goes_on[0] = False
        for thread in loads:
            thread.join(DEADLINE_S)
        self.assertEqual([e for e in refused if isinstance(e, ConnectionRefusedError)], [])
        # Who was with a handler goes on with it.
        for client in live.values():
            self.assertEqual(client.ask("after"), "after")
            client.close()
        self.assertEqual(supervisor.find("listen_failed"), [])
        self.assertEqual(supervisor.find("listening", service="line")[-1]["passed"], "yes")
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    def test_a_batond_that_stands_still_is_killed(self):
        supervisor = self.start({"one": {**service("echo"), "listen": self.reserve()}},
                                BATON_WATCHDOG_MS="300")
        os.kill(self.ready_pids(supervisor, 1)[0], signal.SIGSTOP)
        self.ready_pids(supervisor, 2)
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
        self.assertIn("stands still", "".join(supervisor.strange_lines))
        self.end(supervisor)

    def test_a_restart_and_then_a_crash(self):
        """It is the same process to its keeper, who has what it had."""
        supervisor = self.start({"one": {**service("echo"), "listen": self.reserve()},
                                 "two": {**service("echo"), "listen": self.reserve()}},
                                BATON_WATCHDOG_MS="2000")
        pid = self.ready_pids(supervisor, 1)[0]
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
            for number in range(2):
                os.kill(pid, signal.SIGUSR2)
                self.assertEqual(supervisor.wait_events(number + 1, "restarted")[number]["pid"], str(pid))
            self.assertEqual(client.ask("y"), "y")
            os.kill(pid, signal.SIGKILL)
            self.ready_pids(supervisor, 2)
            self.assertEqual(client.ask("z"), "z")
        self.assertEqual(len(supervisor.find("listening", passed="yes")), 2)
        self.assertEqual(supervisor.find("listen_failed"), [])
        self.end(supervisor)

    def test_signals_and_the_exit_code_are_batonds(self):
        supervisor = self.start({"one": service("echo")})
        self.assertNotEqual(self.ready_pids(supervisor, 1)[0], supervisor.pid)
        supervisor.signal(signal.SIGHUP)
        supervisor.wait_event("reloaded")
        self.end(supervisor)
        self.assertEqual(supervisor.events[-1]["event"], "stopped")

    def test_a_faulty_config_is_not_tried_again(self):
        supervisor = self.launch({}, text="[supervisor]\nkeeper = yes\n[one]\nlisten = x\n")
        self.assertEqual(supervisor.wait(), harness.EXIT_CONFIG)
        # What batond cannot start with is found when it starts, and is not tried again either.
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        supervisor = self.launch({"supervisor": {"keeper": "yes"}, "one": {
            **service("echo"), "listen": "127.0.0.1:%d" % taken.getsockname()[1]}})
        self.assertEqual(supervisor.wait(), harness.EXIT_SYSTEM)

    def test_what_a_reload_closes_is_closed(self):
        """It hears at once, however long the time after which it looks."""
        kept, gone = ({**service("echo"), "listen": self.reserve()} for _ in range(2))
        supervisor = self.start({"kept": kept, "gone": gone}, BATON_WATCHDOG_MS="1000000")
        place = supervisor.address("gone")
        self.rewrite(supervisor, {"kept": kept})
        os.kill(self.ready_pids(supervisor, 1)[0], signal.SIGHUP)  # the keeper has not been woken by it
        supervisor.wait_event("reloaded")
        await_refusal(place)  # who came between batond's close and the keeper's is cut off
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    def test_more_listeners_than_it_may_open_by_default(self):
        count, (_, most) = 60, resource.getrlimit(resource.RLIMIT_NOFILE)
        supervisor = self.start({f"n{i}": {**service("echo"), "listen": self.reserve()}
                                 for i in range(count)}, descriptor_limit=(64, most))
        os.kill(self.ready_pids(supervisor, 1)[0], signal.SIGKILL)
        self.ready_pids(supervisor, 2)
        self.assertEqual(len(supervisor.find("listening", passed="yes")), count)
        self.assertEqual(supervisor.find("listen_failed"), [])
        self.end(supervisor)

    def test_who_stands_still_at_the_end_costs_nothing(self):
        supervisor = self.start({"one": {**service("echo"), "listen": self.reserve()}},
                                BATON_WATCHDOG_MS="300")
        pid = self.ready_pids(supervisor, 1)[0]
        os.kill(pid, signal.SIGSTOP)
        supervisor.signal(signal.SIGTERM)
        share = processes.BusyWatch(supervisor.pid).share(0.7)
        os.kill(pid, signal.SIGCONT)
        self.assertLess(share, IDLE_SHARE)
        self.assertEqual(supervisor.wait(), 0)

    def test_what_was_kept_is_as_the_config_says_by_now(self):
        place = self.folder() / "socket"
        keys = {**service("echo"), "protocol": "unix", "listen": str(place)}
        supervisor = self.start({"one": {**keys, "mode": "0666"},
                                 "two": {**service("echo"), "listen": self.reserve()}})
        pid = self.ready_pids(supervisor, 1)[0]
        self.assertEqual(place.stat().st_mode & 0o777, 0o666)
        self.rewrite(supervisor, {"one": {**keys, "mode": "0600"}})
        os.kill(pid, signal.SIGKILL)
        pid = self.ready_pids(supervisor, 2)[1]
        self.assertEqual(place.stat().st_mode & 0o777, 0o600)
        place.unlink()
        os.kill(pid, signal.SIGKILL)
        self.ready_pids(supervisor, 3)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    def rewrite(self, supervisor, sections):
        text = supervisor.rendered({"supervisor": {"keeper": "yes"}, **sections})
        supervisor.config.write_text(text, encoding="utf-8")

    def test_what_handlers_had_is_not_accepted_from_by_the_next_one(self):
        """Its flags are theirs, too; when they have gone it is opened anew."""
        one = {**service("echo", handoff="listener"), "listen": self.reserve()}
        two = {**service("echo"), "listen": self.reserve()}
        supervisor = self.start({"one": one, "two": two})
        pid = self.ready_pids(supervisor, 1)[0]
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
            self.rewrite(supervisor, {"one": {**service("echo"), "listen": one["listen"]}, "two": two})
            os.kill(pid, signal.SIGKILL)
            supervisor.wait_event("listen_failed", service="one")
            with Client(split_address(two["listen"])) as other:
                self.assertEqual(other.ask("y"), "y")
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    def test_v6only_of_what_was_kept(self):
        keys = {**service("echo"), "v6only": "no"}
        two = {**service("echo"), "listen": self.reserve()}
        port = self.reserve_six()
        supervisor = self.start({"one": {**keys, "listen": f"[::]:{port}"}, "two": two})
        pid = self.ready_pids(supervisor, 1)[0]
        with Client(("127.0.0.1", port)) as client:
            self.assertEqual(client.ask("x"), "x")
        self.rewrite(supervisor, {"one": {**keys, "v6only": "yes", "listen": f"[::]:{port}"}, "two": two})
        os.kill(pid, signal.SIGKILL)
        supervisor.wait_events(2, "listening", service="one")
        await_refusal(("127.0.0.1", port))
        with Client(("::1", port)) as client:
            self.assertEqual(client.ask("x"), "x")
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    def reserve_six(self):
        """A port of both families, while this test has it bound, where nobody listens."""
        one = socket.socket(socket.AF_INET6)
        self.addCleanup(one.close)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.bind(("::", 0))
        return one.getsockname()[1]

    def test_nobody_else_can_say_anything(self):
        """There is no place to come to, and no handler has the keeper's socket or hears of it."""
        supervisor = self.start({"one": {**service("env"), "listen": self.reserve()}})
        pids = {supervisor.pid, *self.ready_pids(supervisor, 1)}
        inodes = {os.readlink(entry.path)[len("socket:["):-1] for pid in pids
                  for entry in os.scandir(f"/proc/{pid}/fd")
                  if os.readlink(entry.path).startswith("socket:[")}
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            sockets = [line.split() for line in file.readlines()[1:]]
        ours = [fields for fields in sockets if fields[6] in inodes and int(fields[4], 16) == socket.SOCK_DGRAM]
        self.assertGreaterEqual(len(ours), 2, "the two ends")
        self.assertEqual([fields[7:] for fields in ours], [[]] * len(ours), "none has a name")
        with supervisor.connect("one") as client:
            self.assertNotIn("BATON_KEEPER", client.rest())
        self.end(supervisor)


if __name__ == "__main__":
    harness.main()
