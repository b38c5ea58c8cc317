"""A service whose exec takes long, and what its neighbour has of that: --row slow-exec.

The slow program lies in a file system of ours (held.py): its first page comes EXEC_S after it was
asked for, and the kernel keeps none, so each execve waits. Needs root.
"""

import re
import subprocess
import time

from held import HeldFolder
from kinds import TINY
from measuring import FAULTS
from rounds import Broken
from rows import ALONE, SLOW, SLOW_NEIGHBOUR, Value
from servers import Batond, Server

EXEC_S = 3.0
SLOW_CLIENTS = 32
# The neighbour's clients a second, and for which part of an exec they come.
PACE, SHARE = 100, 0.8
# A round takes as long as the exec does.
ROUNDS_MAX = 7
BEGIN_DEADLINE_S = 10
QUIET_MS = 6000


class Neighbours(Batond):
    """A batond with the service that is measured, and the slow one beside it."""

    def __init__(self, program, handler, slow):
        super().__init__(SLOW_NEIGHBOUR, program, handler, "handoff = stdio\n")
        self._slow = slow

    def launch(self, folder):
        command, text, port = super().launch(folder)
        text += (f"[slow]\nlisten = 127.0.0.1:0\nhandler = {self._slow}\nhandoff = stdio\n"
                 f"max_connections = {SLOW_CLIENTS}\nstop_timeout_ms = 500\n")
        command[-1].write_text(text, encoding="utf-8")
        return command, text, port

    @staticmethod
    def slow_port(server):
        text = server.log.read_text(encoding="utf-8", errors="replace")
        return int(re.search(r"\bevent=listening .*service=slow .*address=127\.0\.0\.1:(\d+)",
                             text).group(1))


def measure_round(clients, server, program, slow, span_s):
    """{measure: Result} of the neighbour, once without and once with the slow one's clients."""
    numbers = (PACE, max(int(PACE * span_s), 1), QUIET_MS)
    found = {ALONE: clients(server, "paced", *numbers)}
    slow.is_asked.clear()
    command = [program, str(Neighbours.slow_port(server)), "count", *[str(SLOW_CLIENTS)] * 2]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as others:
        try:
            if not slow.is_asked.wait(BEGIN_DEADLINE_S):
                raise Broken(server.explain("has not begun the slow program"))
            found[SLOW] = clients(server, "paced", *numbers)
        finally:
            others.terminate()
    return found


def measure(programs, folder, clients, rounds, add, exec_s=EXEC_S):
    """Calls `add` with each round's number, what it is of, and its result."""
    with HeldFolder(folder / "slowly", programs.bench / "tiny", lambda: time.sleep(exec_s)) as slow:
        began_s = time.monotonic()
        subprocess.run([slow.path], stdin=subprocess.DEVNULL, check=False)
        if time.monotonic() - began_s < exec_s:
            raise Broken("the slow exec is none")
        kind = Neighbours(programs.bin / "batond", str(programs.bench / "tiny"), slow.path)
        for number in range(min(rounds, ROUNDS_MAX)):
            with Server(kind, folder / f"neighbours-{number}") as server:
                # A median of what came while it was slow, and not behind it.
                found = measure_round(clients, server, programs.bench / "clients", slow,
                                      exec_s * SHARE)
                # It may be busy with the slow ones for long.
                server.process.kill()
            for what, result in found.items():
                add(number, Value(TINY, what, SLOW_NEIGHBOUR),
                    result._replace(median_us=median_us(result)))


def median_us(result):
    """Who was not served within QUIET_MS counts as if he had been then, so what comes of it is the least
    that it can be."""
    is_typical = result.served > sum(getattr(result, fault) for fault in FAULTS)
    return result.median_us if is_typical else QUIET_MS * 1000
