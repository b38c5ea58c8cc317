"""baton.py with a listener that it shares with other processes (POSIX)."""

import os
import pathlib
import socket
import sys
import threading
import unittest

ROOT = pathlib.Path(os.environ.get("BATON_SOURCE_DIR", "."))
sys.path.insert(0, str(ROOT / "handlers" / "sdk"))
import baton  # noqa: E402
import baton_sources  # noqa: E402

DEADLINE_S = 5


class Shared(unittest.TestCase):
    def test_accept_waits_for_nobody(self):
        """Another process has taken who came."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            source = baton_sources.Source(listener, baton.KIND_LISTENER)
            sources = baton_sources.Sources(False)
            self.addCleanup(sources.close)
            taken = []
            thread = threading.Thread(target=lambda: taken.append(sources.take(source)), daemon=True)
            thread.start()
            thread.join(DEADLINE_S)
            self.assertEqual(taken, [None])


if __name__ == "__main__":
    unittest.main()
