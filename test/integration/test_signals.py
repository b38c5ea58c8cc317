"""Signals that come from elsewhere, and the terminal that batond runs at."""

import json
import os
import re
import pty
import resource
import signal
import time

import harness
import peers
from harness import SupervisorCase, misbehave, service
from settings import DEADLINE_S

# What tells of a fault in the program itself, and what nobody can do anything about.
FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS,
          signal.SIGTRAP, signal.SIGABRT, signal.SIGKILL, signal.SIGSTOP}
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR, signal.SIGXCPU)
# They stop and go on with a program, and end none.
JOB_CONTROL = {signal.SIGTSTP, signal.SIGCONT}
SIGNAL_ROUNDS = 200


def wait_for_text(path, wanted):
    give_up_s = time.monotonic() + DEADLINE_S
    while True:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if wanted in text:
            return text
        if time.monotonic() > give_up_s:
            raise AssertionError(f"{wanted} did not come:\n{text}")
        time.sleep(0.01)


class Terminal(SupervisorCase):
    """A controlling terminal of batond's own; the test is its user."""

    def terminal(self):
        ours, program_side = pty.openpty()
        self.addCleanup(os.close, program_side)
        return ours, program_side

    def test_a_handler_has_no_terminal(self):
        ours, program_side = self.terminal()
        self.addCleanup(os.close, ours)
        supervisor = self.supervisor(
            {mode: service(peers.program("terminal.py"), handoff=mode)
             for mode in ("stdio", "pump")}, terminal=program_side)
        for mode in ("stdio", "pump"):
            with self.subTest(mode):
                facts = json.loads(supervisor.ask(mode, ""))
                self.assertEqual(facts, {"terminal": "ENXIO", "streams": [False] * 3})
        self.stop(supervisor)

    def test_the_end_of_the_terminal_drains(self):
        ours, program_side = self.terminal()
        supervisor = self.supervisor({"line": misbehave()}, terminal=program_side)
        os.close(ours)
        self.check_end(supervisor)
        self.assertIn("SIGHUP", supervisor.find("stopping")[0]["reason"])

    def test_a_hangup_from_elsewhere_does_not(self):
        ours, program_side = self.terminal()
        self.addCleanup(os.close, ours)
        supervisor = self.supervisor({"line": misbehave()}, terminal=program_side)
        supervisor.signal(signal.SIGHUP)
        supervisor.wait_event("log_kept")
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)


class Signals(SupervisorCase):
    def test_no_signal_ends_it_without_a_drain(self):
        supervisor = self.supervisor({"line": misbehave()})
        ignored = [number for number in range(1, 65)
                   if number not in FAULTS | JOB_CONTROL and number not in STOPS]
        # SIGHUP reloads, in a thread, and libc makes threads with a signal of its own unblocked.
        for _ in range(SIGNAL_ROUNDS):
            for number in (signal.SIGHUP, *ignored):
                os.kill(supervisor.pid, number)
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)

    def test_each_stop_names_its_signal(self):
        for number in STOPS:
            with self.subTest(number.name):
                supervisor = self.supervisor({"line": misbehave()})
                self.stop(supervisor, number)
                self.assertEqual(supervisor.find("stopping")[0]["reason"], number.name)

    def launch_with_a_file(self):
        """A supervisor, the file that is its log, what is in it when all is ready, and the address."""
        folder = self.folder()
        log = folder / "log"
        supervisor = self.launch({"supervisor": {"log": log}, "line": misbehave()}, folder=folder)
        text = wait_for_text(log, "event=ready")
        address = text.partition("event=listening")[2].partition("address=")[2].split()[0]
        return supervisor, log, text, harness.split_address(address)

    def test_a_log_that_has_reached_the_size_limit(self):
        supervisor, _, text, address = self.launch_with_a_file()
        _, hard = resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (len(text), hard))
        for _ in range(3):
            with harness.Client(address) as client:
                self.assertIn("served", client.ask("hello"))
        supervisor.signal()
        self.assertIn(supervisor.wait(), (0, 74))

    def test_a_log_that_can_be_written_again(self):
        supervisor, log, text, address = self.launch_with_a_file()
        soft, hard = resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE)

        def ask(count):
            for _ in range(count):
                with harness.Client(address) as client:
                    self.assertIn("served", client.ask("hello"))

        # In the middle of a record, so that it is torn. Records come behind the answers.
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (len(text) + 300, hard))
        ask(5)
        give_up_s = time.monotonic() + DEADLINE_S
        while log.stat().st_size < len(text) + 300 and time.monotonic() < give_up_s:
            time.sleep(0.01)
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (soft, hard))
        ask(2)
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        lines = log.read_text(encoding="utf-8").splitlines()
        dropped = [line for line in lines if "event=lines_dropped" in line]
        records = [line for line in lines if "event=connection" in line and "duration_ms=" in line]
        lost = sum(int(re.search(r"\brecords=(\d+)", line)[1]) for line in dropped)
        self.assertGreater(lost, 0)
        self.assertEqual(len(records) + lost, 7)
        self.assertTrue(all("write: File too large" in line for line in dropped), dropped)
        # The torn line is alone in its own.
        self.assertTrue(all(line.startswith("time=") and line.count("time=") == 1 for line in lines))


class Reopen(SupervisorCase):
    def start(self):
        folder = self.folder()
        (folder / "logs").mkdir()
        path = folder / "logs" / "log"
        supervisor = self.launch({"supervisor": {"log": path}, "line": misbehave()}, folder=folder)
        wait_for_text(path, "event=ready")
        return supervisor, path

    def finish(self, supervisor):
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_a_file_that_was_renamed(self):
        supervisor, path = self.start()
        path.rename(path.parent / "old")
        supervisor.signal(signal.SIGHUP)
        self.assertIn("event=log_reopened", wait_for_text(path, "\n").splitlines()[0])
        self.finish(supervisor)
        self.assertIn("event=stopped", path.read_text(encoding="utf-8"))
        self.assertIn("event=ready",
                      (path.parent / "old").read_text(encoding="utf-8").splitlines()[-1])

    def test_a_file_that_cannot_be_opened(self):
        supervisor, path = self.start()
        folder = path.parent.rename(path.parent.parent / "away")
        supervisor.signal(signal.SIGHUP)
        text = wait_for_text(folder / "log", "event=log_kept")
        kept = [line for line in text.splitlines() if "event=log_kept" in line]
        self.assertIn("No such file", kept[0])
        self.finish(supervisor)
        self.assertIn("event=stopped", (folder / "log").read_text(encoding="utf-8"))


if __name__ == "__main__":
    harness.main()
