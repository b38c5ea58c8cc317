"""The ordered stop, and a supervisor that is killed."""

import os
import signal
import socket
import time
import unittest

import harness
import peers
import processes
from client import await_refusal
from harness import SupervisorCase, misbehave
from settings import DEADLINE_S, ON_WINE

SHORT_MS = 1500 if ON_WINE else 400
LONG_MS = 120000  # more than any test may take: what waits for it fails


def held(arguments="--serve hold", stop_timeout_ms=SHORT_MS):
    return misbehave(arguments, stop_timeout_ms=stop_timeout_ms)


class Idle(SupervisorCase):
    SIGNALS = (signal.SIGINT,) if ON_WINE else (signal.SIGTERM, signal.SIGINT)

    def test_each_signal(self):
        for number in self.SIGNALS:
            with self.subTest(number.name):
                supervisor = self.supervisor({"line": misbehave()})
                self.assertIn("served", supervisor.ask("line", "hello"))
                self.stop(supervisor, number)
                events = [e["event"] for e in supervisor.events]
                self.assertLess(events.index("stopping"), events.index("stopped"))

    def test_a_stop_before_it_is_ready(self):
        """A signal that comes while it starts is neither lost nor fatal."""
        supervisor = self.launch({"line": misbehave()})
        supervisor.wait_event("listening", service="line")
        self.stop(supervisor)


class Live(SupervisorCase):
    def hold(self, supervisor, name="hold"):
        client = supervisor.connect(name)
        self.assertIn("holding", client.line())
        return client

    def test_a_connection_that_does_not_end_is_ended(self):
        supervisor = self.supervisor({"hold": held()})
        client = self.hold(supervisor)
        self.stop(supervisor)
        self.assertEqual(client.rest(), "")
        self.assertEqual(supervisor.record(client)["outcome"], "drained")
        client.close()

    def test_a_connection_that_ends_in_time_is_served(self):
        supervisor = self.supervisor({"hold": held(stop_timeout_ms=LONG_MS), "idle": held()})
        client = self.hold(supervisor)
        supervisor.signal()
        supervisor.wait_event("stopping")
        awaited = supervisor.wait_event("stop_awaits")
        self.assertEqual([awaited[name] for name in ("service", "connections", "processes", "timeout_ms")],
                         ["hold", "1", "1", str(LONG_MS)])
        self.assertEqual(client.ask("are you there?"), "still here")
        client.close()
        self.check_end(supervisor)
        self.assertEqual(len(supervisor.find("stop_awaits")), 1)
        self.assertEqual(supervisor.record(client)["outcome"], "served")

    def test_a_handler_that_listens_to_drain(self):
        supervisor = self.supervisor({"drain": held("--serve drain", LONG_MS)})
        client = self.hold(supervisor, "drain")
        self.stop(supervisor)
        self.assertEqual(client.line(), "drained")
        self.assertEqual(client.rest(), "")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        client.close()

    def test_new_clients_are_refused_while_old_ones_finish(self):
        supervisor = self.supervisor({"hold": held(stop_timeout_ms=LONG_MS)})
        address = supervisor.address("hold")
        client = self.hold(supervisor)
        supervisor.signal()
        supervisor.wait_event("stopping")
        self.assertEqual(client.ask("are you there?"), "still here")
        await_refusal(address)
        client.close()
        self.check_end(supervisor)

    def test_a_second_stop_hurries_and_keeps_every_record(self):
        supervisor = self.supervisor({"hold": held(stop_timeout_ms=LONG_MS)})
        clients = [self.hold(supervisor) for _ in range(5)]
        supervisor.signal()
        supervisor.wait_event("stopping")
        self.assertEqual(clients[0].ask("are you there?"), "still here")
        supervisor.signal()
        self.check_end(supervisor)
        for client in clients:
            self.assertEqual(supervisor.record(client)["outcome"], "drained")
            client.close()

    def test_a_handler_in_its_handshake(self):
        """It has not said HELLO, so it cannot drain; its client has one record as well."""
        supervisor = self.supervisor({
            "mute": misbehave("--at start --do hang", handshake_timeout_ms=LONG_MS,
                              stop_timeout_ms=SHORT_MS, attempts=1),
            "ready": held()})
        mute = supervisor.connect("mute")
        ready = self.hold(supervisor, "ready")
        supervisor.signal()
        supervisor.wait_event("stopping")
        supervisor.signal()
        self.check_end(supervisor)
        for client in (mute, ready):
            self.assertEqual(client.rest(), "")
            client.close()

    def test_waiting_clients_of_a_full_service(self):
        supervisor = self.supervisor({"hold": {**held(), "max_connections": 1}})
        client = self.hold(supervisor)
        address = supervisor.address("hold")
        waiting = harness.Client(address)
        self.stop(supervisor)
        self.assertEqual(client.rest(), "")
        self.assertEqual(waiting.rest(), "")
        client.close()
        waiting.close()


class Stubborn(SupervisorCase):
    """Nothing is left, whatever the handlers do."""

    def check(self, arguments, outcome):
        supervisor = self.supervisor({"hold": held(arguments)})
        with supervisor.connect("hold") as client:
            self.assertIn("holding", client.line())
            self.stop(supervisor)
            self.assertEqual(client.rest(), "")
        self.assertEqual(supervisor.record(client)["outcome"], outcome)

    def test_one_that_ignores_the_request_to_end(self):
        self.check("--serve hold --ignore-terminate", "drained")

    def test_one_with_children(self):
        self.check("--serve hold --child --ignore-terminate", "drained")

    def test_one_with_a_child_that_left_the_group(self):
        self.check("--serve hold --escape", "drained")

    def test_a_shim(self):
        self.check("shim --serve hold", "drained")

    def test_one_that_hangs_after_it_was_done(self):
        supervisor = self.supervisor({"done": held("--at done --do hang", LONG_MS)})
        self.assertIn("served", supervisor.ask("done", "hello"))
        supervisor.wait_event("connection", outcome="served")
        supervisor.signal()
        supervisor.wait_event("stopping")
        supervisor.signal()
        self.check_end(supervisor)

    def test_an_escaped_child_of_a_finished_connection(self):
        supervisor = self.supervisor({"line": misbehave("--escape --child")})
        self.assertIn("served", supervisor.ask("line", "hello"))
        supervisor.wait_event("connection", outcome="served")
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "a handler in Python; jobs have a test of their own")
class Left(SupervisorCase):
    """What a handler leaves running when it exits."""

    def leave(self, ways="", other=None, **keys):
        services = {"leave": harness.service(peers.program("leave.py", ways), **keys)}
        supervisor = self.supervisor({**services, **(other or {})})
        with supervisor.connect("leave") as client:
            pid = int(client.line())
            if "pipes" not in ways:
                client.rest()
        supervisor.wait_event("connection", service="leave", outcome="served")
        return supervisor, pid

    def go(self, supervisor):
        (supervisor.state / "go").write_text("")
        give_up_s = time.monotonic() + DEADLINE_S
        while not (supervisor.state / "finished").exists():
            self.assertLess(time.monotonic(), give_up_s, "it does not finish")
            time.sleep(0.01)

    def stop_and_count(self, supervisor):
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        return supervisor.find("stopped")[0]

    def test_it_lives_on_as_under_inetd(self):
        for ways in ("", "away", "bare", "away bare"):
            with self.subTest(ways):
                supervisor, pid = self.leave(ways, handoff="stdio")
                stopped = self.stop_and_count(supervisor)
                self.assertEqual((stopped["strays"], stopped["left"]), ("0", "1"))
                self.assertFalse(processes.wait_for_end(pid, 0))
                self.go(supervisor)
                self.assertTrue(processes.wait_for_end(pid, DEADLINE_S))

    def test_it_ends_where_that_is_said(self):
        """In the group at once; elsewhere at the stop."""
        for ways in ("", "away", "away bare"):
            with self.subTest(ways):
                supervisor, pid = self.leave(ways, handoff="stdio", leave_children="no")
                if not ways:
                    self.assertTrue(processes.wait_for_end(pid, DEADLINE_S))
                self.stop(supervisor)
                stopped = supervisor.find("stopped")[0]
                self.assertEqual((stopped["strays"], stopped["left"]), ("1" if ways else "0", "0"))

    def test_services_that_say_both(self):
        """The environment tells whose it is; where it does not, it is left."""
        other = {"other": harness.service(peers.program("leave.py"), handoff="stdio")}
        for ways, ends in (("away", True), ("away bare", False)):
            with self.subTest(ways):
                supervisor, pid = self.leave(ways, other, handoff="stdio", leave_children="no")
                stopped = self.stop_and_count(supervisor)
                self.assertEqual((stopped["strays"], stopped["left"]),
                                 ("1", "0") if ends else ("0", "1"))
                self.assertEqual(processes.wait_for_end(pid, 0), ends)

    def test_a_pump_goes_on_for_who_has_its_pipes(self):
        supervisor = self.supervisor({"leave": harness.service(
            peers.program("leave.py", "pipes"), handoff="pump")})
        with supervisor.connect("leave") as client:
            self.assertTrue(client.line().isdigit())
            self.go(supervisor)
            self.assertEqual(client.rest(), "the child goes on\n")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_a_udp_server_whose_child_goes_on(self):
        supervisor = self.supervisor({"blocks": harness.service(
            peers.program("blocks.py"), protocol="udp")})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.bind(("127.0.0.1", 0))
            client.sendto(b"20", supervisor.address("blocks"))
            blocks = []
            while len(blocks) < 20:
                block, server = client.recvfrom(100)
                if not blocks:  # only now: the parent has exited, and its end was seen
                    supervisor.wait_event("activation", service="blocks", outcome="served")
                blocks.append(int(block))
                client.sendto(b"next", server)
        self.assertEqual(blocks, list(range(20)))
        self.assertEqual(supervisor.left_over(DEADLINE_S), {}, "it has all it wanted")
        self.stop(supervisor)


class Killed(SupervisorCase):
    def handlers_left(self, supervisor):
        """Its launchers end a moment after it, when they are told of its end."""
        give_up_s = time.monotonic() + DEADLINE_S
        while len(left := processes.marked(supervisor.mark)) > 1 and time.monotonic() < give_up_s:
            time.sleep(0.01)
        return left

    def test_live_connections_outlive_the_supervisor(self):
        supervisor = self.supervisor({"hold": held(stop_timeout_ms=SHORT_MS)})
        with supervisor.connect("hold") as client:
            self.assertIn("holding", client.line())
            os.kill(supervisor.pid, signal.SIGKILL)
            self.assertEqual(supervisor.process.wait(DEADLINE_S), -signal.SIGKILL)
            self.assertEqual(client.ask("are you there?"), "still here")
            handlers = self.handlers_left(supervisor)
            self.assertEqual(len(handlers), 1, handlers)
        for pid in handlers:
            self.assertTrue(processes.wait_for_end(pid, DEADLINE_S), "ends with its client")

    def test_the_end_of_the_channel_means_drain(self):
        supervisor = self.supervisor({"drain": held("--serve drain", LONG_MS)})
        with supervisor.connect("drain") as client:
            self.assertIn("holding", client.line())
            os.kill(supervisor.pid, signal.SIGKILL)
            self.assertEqual(client.line(), "drained")
            self.assertEqual(client.rest(), "")

    @unittest.skipIf(ON_WINE, "Wine's SIGTERM is an end at once; Ctrl-C is what stops it")
    def test_the_port_is_free_again_at_once(self):
        supervisor = self.supervisor({"hold": held()})
        address = harness.address_text(supervisor.address("hold"))
        client = supervisor.connect("hold")
        self.assertIn("holding", client.line())
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.process.wait(DEADLINE_S)
        successor = self.supervisor({"hold": {**held(), "listen": address}})
        self.assertEqual(client.ask("are you there?"), "still here")
        with successor.connect("hold") as other:
            self.assertIn("holding", other.line())
        self.stop(successor)
        client.close()

    def kill_with_sleeper(self, **keys):
        """A supervisor whose handler has the listening socket is killed. Returns that socket's address and
        the handler's pid."""
        supervisor = self.supervisor({"wait": harness.service(
            f"{peers.tool('sleep')} 600", **{"handoff": "listener", **keys})})
        address = supervisor.wait_event("listening", service="wait")["address"]
        kinds = {"udp": socket.SOCK_DGRAM}
        if keys.get("protocol") == "unix":
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(supervisor.folder / address))
        else:
            client = socket.socket(socket.AF_INET, kinds.get(keys.get("protocol"), socket.SOCK_STREAM))
            client.connect(harness.split_address(address))
        client.send(b"x")
        give_up_s = time.monotonic() + DEADLINE_S
        pid = None
        while pid is None and time.monotonic() < give_up_s:
            found = [each for each, line in processes.marked(supervisor.mark).items()
                     if line.endswith("sleep 600 ")]
            pid = found[0] if found else None
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.process.wait(DEADLINE_S)
        client.close()
        return address, pid

    @unittest.skipIf(ON_WINE, "PR_SET_PDEATHSIG is Linux'")
    def test_a_handler_with_a_listener_learns_that_its_supervisor_is_gone(self):
        for keys in ({}, {"protocol": "udp"}):
            with self.subTest(keys):
                address, pid = self.kill_with_sleeper(**keys)
                self.assertTrue(processes.wait_for_end(pid, DEADLINE_S), "it gets SIGTERM")
                successor = self.supervisor({"wait": {**harness.service(
                    f"{peers.tool('sleep')} 600", handoff="listener", **keys), "listen": address}})
                self.stop(successor)

    @unittest.skipIf(ON_WINE, "PR_SET_PDEATHSIG is Linux'")
    def test_who_holds_the_place_is_told(self):
        folder = self.folder()
        for keys in ({}, {"protocol": "udp"}, {"protocol": "unix", "listen": folder / "wait.sock"}):
            with self.subTest(keys):
                address, pid = self.kill_with_sleeper(end_with_supervisor="no", **keys)
                self.assertFalse(processes.wait_for_end(pid, 0))
                wait = {**harness.service(f"{peers.tool('sleep')} 600", handoff="listener", **keys),
                        "listen": address}
                successor = self.launch({"wait": wait, "hold": held()})
                # On a busy machine it takes more than one look to find it.
                failed = successor.wait_event("listen_failed", service="wait", holder_pid=pid)
                self.assertEqual(failed["holder"], "sleep")
                self.assertIn("earlier batond", failed["holder_is"])
                processes.end([pid])
                successor.wait_event("listening", service="wait")
                self.stop(successor)


if __name__ == "__main__":
    harness.main()
