"""One round of scripts/bench --against, with batond as it is and with some that fail."""

import os
import pathlib
import tempfile
import unittest
from unittest import mock

import guard
import rounds

LOAD = os.environ["BATON_BENCH_LOAD"]

LISTENING = """\
print("event=listening service=stdio address=127.0.0.1:%d handler=x" % port, flush=True)
print("event=listening service=channel address=127.0.0.1:%d handler=x" % port, flush=True)
print("event=ready", flush=True)
"""
# Says that it listens, and closes every connection without an answer.
SILENT = """\
#!/usr/bin/env python3
import socket
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
""" + LISTENING + """\
while True:
    connection, _ = listener.accept()
    connection.recv(64)
    connection.close()
"""
STUBBORN = """\
#!/usr/bin/env python3
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
port = 1
""" + LISTENING + """\
while True:
    signal.pause()
"""
REFUSING = """\
#!/bin/sh
echo 'line 2: handoff: no such mode' >&2
exit 78
"""
DEAF = """\
#!/bin/sh
echo 'time=x event=ready services=0'
exec sleep 600
"""


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def folder(self, name, batond=None):
        """A folder as build() of against.py leaves it: of this build, or with another batond."""
        folder = self.root / name
        (folder / "bin").mkdir(parents=True)
        (folder / "handlers").symlink_to(os.environ["BATON_HANDLERS_DIR"])
        program = folder / "bin" / "batond"
        if batond is None:
            program.symlink_to(pathlib.Path(os.environ["BATON_BIN_DIR"]) / "batond")
        else:
            program.write_text(batond, encoding="utf-8")
            program.chmod(0o755)
        return folder

    def settings(self, folders):
        return {side: {"defaults": guard.account(folder)} for side, folder in folders.items()}

    def start(self, batond):
        return rounds.Supervisor(self.folder("old", batond), "old")


class Round(Case):
    def test_both_sides_serve_in_both_modes(self):
        folders = {side: self.folder(side) for side in rounds.SIDES}
        rates = rounds.run_round(LOAD, folders, 0, 40, self.settings(folders))
        self.assertEqual(set(rates), {(mode, side) for mode in rounds.MODES
                                      for side in rounds.SIDES})
        self.assertGreater(min(rates.values()), 0)
        for side in rounds.SIDES:
            log = (folders[side] / "log").read_text(encoding="utf-8")
            for mode in rounds.MODES:
                lines = [line for line in log.splitlines()
                         if f"event=connection service={mode} " in line]
                self.assertEqual(len(lines), rounds.WARM_UP_COUNT + rounds.LEGS * 40)
                for line in lines:
                    self.assertIn(" outcome=served ", line)
            self.assertIn(" event=stopped ", log)

    def rounds_of(self, leg, count):
        """What `count` rounds yield if a leg does this."""
        folders = {side: self.folder(side) for side in rounds.SIDES}
        with mock.patch.object(rounds, "leg", leg):
            return [rounds.run_round(LOAD, folders, number, 10, self.settings(folders))
                    for number in range(count)]

    def test_the_side_that_begins_alternates(self):
        legs = {mode: "" for mode in rounds.MODES}

        def leg(_load, supervisor, mode, count):
            if count == 10:
                legs[mode] += supervisor.name[0]
            return 1.0

        self.rounds_of(leg, 2)
        self.assertEqual(legs, {mode: "onnoonno" + "noonnoon" for mode in rounds.MODES})

    def test_a_round_is_all_its_legs(self):
        spans_s = {"old": [], "new": []}

        def leg(_load, supervisor, _mode, count):
            if count != 10:
                return 1000.0  # the first ones do not count
            spans = spans_s[supervisor.name]
            spans.append(2.0 if supervisor.name == "old" and not spans else 1.0)
            return spans[-1]

        rates, = self.rounds_of(leg, 1)
        self.assertEqual(rates, {("stdio", "old"): 8.0, ("stdio", "new"): 10.0,
                                 ("channel", "old"): 10.0, ("channel", "new"): 10.0})

class Faults(Case):
    def test_batond_that_is_not_there(self):
        folder = self.folder("old")
        (folder / "bin" / "batond").unlink()
        with self.assertRaisesRegex(rounds.Broken, "old tree could not be started: .*batond"):
            rounds.Supervisor(folder, "old")

    def test_batond_that_refuses_the_config(self):
        with self.assertRaisesRegex(rounds.Broken, "(?s)of the old tree did not get ready and has "
                                                   "ended with 78; .*\n  line 2: handoff"):
            with self.start(REFUSING):
                self.fail("it is said to be ready")

    def test_batond_that_does_not_listen(self):
        supervisor = self.start(DEAF)
        with self.assertRaisesRegex(rounds.Broken, "does not listen for every mode"):
            with supervisor:
                self.fail("it is said to be ready")
        self.assertIsNotNone(supervisor.process.poll())

    def test_lost_connection(self):
        with self.start(SILENT) as supervisor:
            with self.assertRaisesRegex(
                    rounds.Broken, r"(?s)of the old tree lost a connection \(stdio mode\): "
                                   r".*0 of 2 bytes.*\(0 of 8 served\).*\n  event=ready"):
                rounds.leg(LOAD, supervisor, "stdio", 8)

    def test_leg_that_does_not_end(self):
        load = self.root / "load"
        load.write_text("#!/bin/sh\nexec sleep 600\n", encoding="utf-8")
        load.chmod(0o755)
        with self.start(SILENT) as supervisor, mock.patch.object(rounds, "LEG_DEADLINE_S", 0.1):
            with self.assertRaisesRegex(rounds.Broken, "served 8 connections not within 0.1 s"):
                rounds.leg(load, supervisor, "channel", 8)

    def test_batond_that_does_not_stop_is_killed(self):
        with mock.patch.object(rounds, "STOP_DEADLINE_S", 0.1):
            with self.start(STUBBORN) as supervisor:
                pass
        self.assertEqual(supervisor.process.returncode, -9)


if __name__ == "__main__":
    unittest.main()
