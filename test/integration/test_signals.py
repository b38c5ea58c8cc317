"""Signals that come from elsewhere, and the terminal that batond runs at."""

import json
import os
import pty

import harness
import peers
from harness import SupervisorCase, service


class Terminal(SupervisorCase):
    """A controlling terminal of batond's own; the test is its user."""

    def terminal(self):
        ours, program_side = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, program_side)
        return ours, program_side

    def test_a_handler_has_no_terminal(self):
        _, program_side = self.terminal()
        supervisor = self.supervisor(
            {mode: service(peers.program("terminal.py"), handoff=mode)
             for mode in ("stdio", "pump")}, terminal=program_side)
        for mode in ("stdio", "pump"):
            with self.subTest(mode):
                facts = json.loads(supervisor.ask(mode, ""))
                self.assertEqual(facts, {"terminal": "ENXIO", "streams": [False] * 3,
                                         "leads": True})
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
