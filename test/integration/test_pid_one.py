"""batond as the first process of a pid namespace, as in a container: the kernel drops signals that it does not expect, and
whoever has lost his parents is its child."""

import os
import pathlib
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import harness
import processes
from asked import AskedCase
from harness import misbehave, service
from settings import BIN_DIR, DEADLINE_S, executable


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@unittest.skipUnless(os.geteuid() == 0, "only root may make a pid namespace")
class PidOne(AskedCase):
    def setUp(self):
        self.place_of_it = self.open_folder()
        self.program = self.place_of_it / "first"
        self.make_program("")

    def make_program(self, before):
        self.program.write_text("#!/bin/sh\nexec unshare --pid --fork --kill-child --mount --mount-proc "
                                f"sh -c '{before} exec \"$@\"' sh '{BIN_DIR / executable('batond')}' \"$@\"\n")
        self.program.chmod(0o755)

    def first(self, sections, **options):
        supervisor = self.served(sections, **options)
        self.assertEqual(supervisor.wait_event("ready")["pid"], "1")
        self.batond, = children(supervisor.pid)
        return supervisor

    def served(self, sections=None, **options):
        self.control = self.place()
        return self.supervisor({"supervisor": {"control": self.control, **options}, **sections}, program=self.program)

    def inside(self, command):
        """In that namespace, as by `podman exec`."""
        done = subprocess.run(["nsenter", "--target", str(self.batond), "--pid", "--mount", "/bin/sh", "-c", command],
                              stdin=subprocess.DEVNULL, check=False, timeout=DEADLINE_S)
        # With the first process all others of its name space end.
        self.assertIn(done.returncode, (0, -signal.SIGKILL) if "TERM" in command else (0,))

    def until(self, is_so):
        give_up_s = time.monotonic() + DEADLINE_S
        while not is_so():
            self.assertLess(time.monotonic(), give_up_s)
            time.sleep(0.005)

    def fifo(self):
        path = pathlib.Path(tempfile.mkdtemp(dir=self.place_of_it)) / "fifo"
        os.mkfifo(path)
        path.chmod(0o666)
        path.parent.chmod(0o755)
        return path

    def check_reaped(self, fifo):
        """Who waits at the FIFO is a child of batond, and when it ends no zombie."""
        before = set()
        self.until(lambda: before.update(child for child in children(self.batond) if "read" in
                                         processes.command_line(child)) or before)
        orphan, = before
        with open(fifo, "w", encoding="ascii") as file:
            file.write("go\n")
        self.until(lambda: not pathlib.Path(f"/proc/{orphan}").exists())

    def test_orphans_are_reaped(self):
        fifo = self.fifo()
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))
        supervisor = self.first({"leaves": service(
            f"/bin/sh -c \"setsid /bin/sh -c 'read x <{fifo}; exit 3' >/dev/null 2>&1 & echo left\"", handoff="stdio")})
        with supervisor.connect("leaves") as client:
            self.assertEqual(client.rest(), "left\n")
        self.check_reaped(fifo)
        # Nor did batond launch this one.
        other = self.fifo()
        self.inside(f"setsid /bin/sh -c 'read x <{other}; exit 3' >/dev/null 2>&1 &")
        self.check_reaped(other)
        self.stop_it(supervisor)

    def stop_it(self, supervisor):
        self.inside("kill -TERM 1")
        self.check_end(supervisor)

    def test_signals_from_inside(self):
        supervisor = self.first({"echo": service("echo")})
        with supervisor.connect("echo") as client:
            self.assertEqual(client.ask("a"), "a")
            self.inside("kill -HUP 1")
            supervisor.wait_event("reloaded")
            self.assertEqual(client.ask("b"), "b")
            self.assertIn("unchanged echo", self.told("reload"))
        self.stop_it(supervisor)

    def test_a_stop_drains_and_a_second_hurries(self):
        for sender in (lambda: os.kill(self.batond, signal.SIGTERM), lambda: self.inside("kill -TERM 1")):
            supervisor = self.first({"hold": misbehave("--serve hold", stop_timeout_ms=600000)})
            with supervisor.connect("hold") as client:
                self.assertIn("holding", client.line())
                sender()
                supervisor.wait_event("stopping")
                self.assertIsNone(supervisor.process.poll())
                sender()
                self.assertEqual(supervisor.wait(), 0)

    def test_where_devices_are_few(self):
        """A bare root has no /dev/tty: nobody could open it there."""
        self.make_program("mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&")
        supervisor = self.first({"echo": service("echo")})
        with supervisor.connect("echo") as client:
            self.assertEqual(client.ask("a"), "a")
        self.stop_it(supervisor)

    def test_batonctl_stops_it(self):
        supervisor = self.first({"echo": service("echo")})
        self.told("stop")
        self.check_end(supervisor)


if __name__ == "__main__":
    harness.main()
