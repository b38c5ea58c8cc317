"""Shortage: few descriptors, full services. Clients wait, nobody is lost, nothing spins."""

import select
import unittest

import harness
import processes
from harness import EXIT_SYSTEM, SupervisorCase, misbehave, service
from settings import ON_WINE, SANITIZED

# For so long the supervisor has nothing to do but to wait. The processor time that it uses then is
# what the test measures; how long it takes is no matter.
QUIET_S = 1.0


@unittest.skipIf(ON_WINE, "a limit of Linux; handles on Windows have none that matters")
class FewDescriptors(SupervisorCase):
    DESCRIPTORS = 40
    FLOOD = 80
    FOR_A_CROWD = 128

    def test_a_flood_is_served_and_nothing_spins(self):
        supervisor = self.supervisor(
            {"hold": misbehave("--serve hold", max_connections=500, stop_timeout_ms=1000,
                               handshake_timeout_ms=60000)},
            descriptor_limit=self.DESCRIPTORS)
        clients = [supervisor.connect("hold") for _ in range(self.FLOOD)]
        first = clients[0]
        self.assertIn("holding", first.line())
        before_s = processes.cpu_s(supervisor.pid)
        # Nothing comes: the client is held and says nothing.
        self.assertEqual(select.select([first.socket], [], [], QUIET_S)[0], [])
        used_s = processes.cpu_s(supervisor.pid) - before_s
        self.assertLess(used_s, QUIET_S / 2 * (2 if SANITIZED else 1), "it spins")
        first.close()
        for client in clients[1:]:
            self.assertIn("holding", client.line())
            client.close()
        supervisor.wait_events(self.FLOOD, "connection", outcome="served")
        self.assertTrue(supervisor.find("accept_paused", service="hold"), "a silent shortage")
        # Afterwards it serves as before, without a hand.
        with supervisor.connect("hold") as client:
            self.assertIn("holding", client.line())
        self.stop(supervisor)


    def test_who_waits_for_a_handler_leaves_what_its_launch_takes(self):
        """Clients who are accepted and wait have a descriptor each. If they had all of them no handler could be
        launched for them, nor for anybody else, for ever."""
        supervisor = self.supervisor(
            {"crowd": misbehave("--serve hold", max_handlers=1, max_connections=500), "other": service("echo")},
            descriptor_limit=self.FOR_A_CROWD)
        crowd = [supervisor.connect("crowd") for _ in range(self.FOR_A_CROWD + 20)]
        supervisor.wait_event("accept_paused")
        for client in crowd:
            client.close()
        with supervisor.connect("other") as client:
            self.assertEqual(client.ask("x"), "x")
        supervisor.wait_events(len(crowd), "connection", service="crowd")
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "a limit of Linux; handles on Windows have none that matters")
class TooFewDescriptors(SupervisorCase):
    def start(self, count, **keys):
        supervisor = self.launch({"a": misbehave(**keys)}, descriptor_limit=count)
        try:
            supervisor.wait_ready()
        except AssertionError:
            self.assertEqual(supervisor.wait(), EXIT_SYSTEM)
        return supervisor

    def test_who_says_ready_serves_and_who_does_not_says_what_is_needed(self):
        told = set()
        for count in range(12, 200):
            supervisor = self.start(count, max_connections=1)
            if supervisor.find("ready"):
                break
            for event in supervisor.find("few_descriptors", service="a"):
                self.assertEqual(event["limit"], str(count))
                told.add(int(event["needed"]))
            self.assertTrue(supervisor.find("few_descriptors") or any(
                "open files" in line for line in supervisor.strange_lines), count)
        self.assertIn("served", supervisor.ask("a", "hello"))
        self.assertIn(count, told)
        self.stop(supervisor)

    def test_more_connections_than_descriptors_are_warned_of(self):
        supervisor = self.start(100, max_connections=1000)
        warning, = supervisor.find("few_descriptors")
        self.assertEqual((warning["level"], warning["limit"]), ("warning", "100"))
        needed = int(warning["needed"])
        self.stop(supervisor)
        supervisor = self.start(needed, max_connections=1000)
        self.assertEqual(supervisor.find("few_descriptors"), [])
        self.stop(supervisor)


class FullService(SupervisorCase):
    def test_more_clients_than_places(self):
        count = 12 if ON_WINE else 100
        supervisor = self.supervisor({"line": misbehave(max_connections=2)})
        clients = [supervisor.connect("line") for _ in range(count)]
        for client in clients:
            client.send("hello\n")
        for client in clients:
            self.assertIn("served", client.line())
            client.close()
        supervisor.wait_events(count, "connection", outcome="served")
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "the processor time of Wine's helpers is not the supervisor's")
    def test_a_full_service_does_not_spin(self):
        supervisor = self.supervisor({"hold": misbehave("--serve hold", max_connections=1)})
        with supervisor.connect("hold") as first, supervisor.connect("hold") as second:
            self.assertIn("holding", first.line())
            before_s = processes.cpu_s(supervisor.pid)
            self.assertEqual(select.select([second.socket], [], [], QUIET_S)[0], [])
            self.assertLess(processes.cpu_s(supervisor.pid) - before_s, QUIET_S / 2, "it spins")
            first.close()
            self.assertIn("holding", second.line())
        supervisor.wait_events(2, "connection", outcome="served")
        self.stop(supervisor)

    def test_clients_that_leave_while_they_wait(self):
        """Each accepted connection has its record, whatever became of its client."""
        supervisor = self.supervisor({"hold": misbehave("--serve hold", max_connections=1)})
        with supervisor.connect("hold") as first:
            self.assertIn("holding", first.line())
            for _ in range(3):
                supervisor.connect("hold").close()
        with supervisor.connect("hold") as last:
            self.assertIn("holding", last.line())
        supervisor.wait_events(5, "connection")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
