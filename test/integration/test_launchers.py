"""Launchers: programs whose file does not come, held in a file system of the test's own until it says so.

Whose program is held waits; all others are served meanwhile, and nobody is lost or served twice.
"""

import concurrent.futures
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

import harness
import processes
from harness import SupervisorCase, service
from settings import DEADLINE_S

# Behind our own folder, where modules of the same names are others.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

from held import HeldFolder  # noqa: E402

CAT = pathlib.Path("/bin/cat")
LAUNCHERS = 4
CROWD, OTHERS, LOAD = 20, 30, 16
STOP_MS = 500
# How long batond waits for those that it has killed, and how much later it may end on a busy machine.
GIVE_UP_S, MARGIN_S = 5, 5
KILLS = 3


class Held(SupervisorCase):
    def setUp(self):
        self.goes_on = threading.Event()
        self.goes_on.set()

    def held(self):
        """A folder whose program is held from hold_crowds() to release()."""
        held = HeldFolder(self.open_folder() / "held", CAT, self.goes_on.wait)
        held.__enter__()
        self.addCleanup(held.remove)
        self.addCleanup(self.goes_on.set)
        return held

    def run_with(self, folders, launch=None, **more):
        """A batond with a service for each held program, and two that are not."""
        limits = {"max_connections": 64, "stop_timeout_ms": STOP_MS}
        return (launch or self.supervisor)({
            "supervisor": {"launchers": LAUNCHERS},
            **{name: service(held.path, handoff="stdio", **limits)
               for name, held in folders.items()},
            "stdio": service(CAT, handoff="stdio", **limits),
            "channel": service("echo", handoff="channel", **limits), **more})

    def come(self, supervisor, name, count):
        clients = [supervisor.connect(name) for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(f"hello {number}")
            client.end()
        return clients

    def check_served(self, supervisor, clients):
        for number, client in enumerate(clients):
            self.assertEqual(client.rest(), f"hello {number}")
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["attempts"]), ("served", "1"))
            if record["service"] != "channel":  # whose record does not wait for its process for long
                self.assertIn("cpu_us", record)

    def check_others(self, supervisor, count=OTHERS, names=("stdio", "channel")):
        """They come and go, one after the other."""
        for _ in range(count):
            for name in names:
                self.check_served(supervisor, self.come(supervisor, name, 1))

    def check_none(self, supervisor, *names):
        for name in names:
            self.assertEqual(supervisor.find("connection", service=name), [])

    def hold_crowds(self, supervisor, folders):
        """Clients at each held program, of which some are at its file."""
        for held in folders.values():
            held.is_asked.clear()
        self.goes_on.clear()
        crowds = [self.come(supervisor, name, CROWD) for name in folders]
        for held in folders.values():
            self.assertTrue(held.is_asked.wait(DEADLINE_S))
        return crowds

    def release(self):
        self.goes_on.set()


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/dev/fuse"), "mounting takes root")
class Meanwhile(Held):
    def check(self, count, others_count):
        folders = {f"held-{number}": self.held() for number in range(count)}
        supervisor = self.run_with(folders)
        crowds = self.hold_crowds(supervisor, folders)
        self.check_others(supervisor, others_count)
        self.check_none(supervisor, *folders)
        self.release()
        for crowd in crowds:
            self.check_served(supervisor, crowd)
        self.stop(supervisor)

    def test_others_are_served(self):
        self.check(1, OTHERS)

    def test_others_than_two(self):
        self.check(2, OTHERS // 3)

    def test_others_than_as_many_as_there_are_launchers(self):
        self.check(LAUNCHERS, OTHERS // 3)

    def test_others_that_come_later(self):
        """Their program was not there before, so no launcher knows it."""
        late = self.open_folder() / "late"
        folders = {"held": self.held()}
        supervisor = self.run_with(folders, self.launch, late=service(late, handoff="stdio"))
        supervisor.wait_event("service_failed", service="late")
        crowd, = self.hold_crowds(supervisor, folders)
        self.check_others(supervisor, 1)
        late.symlink_to(CAT)
        supervisor.wait_event("listening", service="late")
        self.check_others(supervisor, 1, ("late", "stdio", "channel"))
        self.check_none(supervisor, "held")
        self.release()
        self.check_served(supervisor, crowd)
        self.stop(supervisor)


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/dev/fuse"), "mounting takes root")
class End(Held):
    def test_a_stop(self):
        """Nothing can end those that are held, so batond leaves them, and says so."""
        folders = {"gone": self.held(), "late": self.held()}
        supervisor = self.run_with(folders)
        self.hold_crowds(supervisor, folders)
        self.check_others(supervisor, 1)  # by then all have been accepted
        supervisor.signal(signal.SIGTERM)
        began_s = time.monotonic()
        self.assertEqual(supervisor.wait(), 0)
        self.assertLess(time.monotonic() - began_s, STOP_MS / 1000 + GIVE_UP_S + MARGIN_S)
        self.check_records(supervisor)
        for name in folders:
            outcomes = [record["outcome"] for record in supervisor.find("connection", service=name)]
            self.assertEqual(outcomes, CROWD * ["drained"])
        left = supervisor.left_over()
        self.assertEqual(len(left), int(supervisor.find("stopped")[0]["left"]))
        folders["gone"].remove()
        self.release()
        self.assertEqual(supervisor.left_over(DEADLINE_S), {})

    def launchers(self, supervisor):
        """All of them, when each that was killed has been replaced."""
        found = processes.await_launchers(supervisor.pid, LAUNCHERS, DEADLINE_S)
        self.assertEqual(len(found), LAUNCHERS, found)
        return found

    def test_launchers_that_are_held_are_killed(self):
        folders = {"held": self.held()}
        supervisor = self.run_with(folders)
        launchers = self.launchers(supervisor)
        crowd, = self.hold_crowds(supervisor, folders)
        processes.end(launchers)
        self.check_others(supervisor, OTHERS // 3)
        self.check_none(supervisor, "held")
        self.release()
        self.check_served(supervisor, crowd)
        self.check_others(supervisor, 1)
        self.stop(supervisor)

    def test_all_are_killed_under_load(self):
        supervisor = self.run_with({})
        for _ in range(KILLS):
            # There are no others, for nobody is there.
            launchers = self.launchers(supervisor)
            with concurrent.futures.ThreadPoolExecutor(LOAD) as pool:
                clients = [pool.submit(self.check_others, supervisor, 3, (name,))
                           for name in ("stdio", "channel") * (LOAD // 2)]
                next(concurrent.futures.as_completed(clients))
                processes.end(launchers)
                for client in clients:
                    client.result()
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
