"""What scripts/bench --syscalls does: the system calls that a connection costs a server.

The server runs, a tracer attaches (strace), some clients come, one after the other or many at once,
and the calls of the server and of its helpers are counted, and apart from these those of the launchers;
of a process that is launched those before its program runs are told apart, and those after not counted.
"""

import collections
import contextlib
import os
import re
import shutil
import subprocess
import time

from rounds import Broken

COUNT = 200
AT_ONCE = 32
ATTACH_DEADLINE_S = 20
QUIET_S = 0.5

_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()")

# What batond calls its launchers.
LAUNCHER = "batond-launcher"

Counts = collections.namedtuple("Counts", "server launchers launch")


def count_lines(lines, own, launchers, others):
    """Counts of a trace by strace -f -q -o; `own` are the threads of the server and its helpers,
    `launchers` those of its launchers, and `others` those of handlers that were there already."""
    counts = Counts(*(collections.Counter() for _ in Counts._fields))
    executed = set(others)
    for line in lines:
        match = _LINE.match(line)
        # A call counts when it has ended; what it waits in at the end is of the next connection.
        if not match or line.endswith(("<unfinished ...>", "<detached ...>")):
            continue
        pid, name = int(match.group(1)), match.group(2) or match.group(3)
        if pid in own:
            counts.server[name] += 1
        elif pid in launchers:
            counts.launchers[name] += 1
        elif pid not in executed:
            counts.launch[name] += 1
            if name == "execve" and line.endswith("= 0"):
                executed.add(pid)
    return counts


class Trace:
    """strace on a server that runs, from entry to exit; then `lines` has what it saw."""

    def __init__(self, server, pids):
        strace = shutil.which("strace")
        if strace is None:
            raise Broken("strace is not installed (Debian: strace)")
        self.file = server.folder / "trace"
        self._said = server.folder / "strace"
        # Not attached to threads of handlers that come later: those are followed anyway.
        self._command = [strace, "-f", "-q", "-s", "0", "-o", self.file,
                         *(word for pid in pids for word in ("-p", str(pid)))]
        self._pids = pids

    def __enter__(self):
        with open(self._said, "wb") as said:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=said,
                                             stderr=said)
        deadline_s = time.monotonic() + ATTACH_DEADLINE_S
        while not all(self._is_attached(pid) for pid in self._pids):
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                said = self._said.read_text(encoding="utf-8", errors="replace").strip()
                self._end()
                raise Broken(f"strace has not attached: {said}")
            time.sleep(0.01)
        return self

    @staticmethod
    def _is_attached(pid):
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return re.search(r"^TracerPid:\t[1-9]", file.read(), re.MULTILINE) is not None

    def _end(self):
        self._process.terminate()
        self._process.wait()

    def __exit__(self, *_):
        self._end()
        self.lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines()


def count_calls(server, run, at_once, count=COUNT):
    """Counts for `count` connections of a server that runs."""
    run(server, "count", at_once, at_once * 4)
    time.sleep(QUIET_S)
    there = server.processes()
    own = threads(pid for pid, name in there if is_helper(server, name) and name != LAUNCHER)
    launchers = threads(pid for pid, name in there if name == LAUNCHER)
    others = threads(pid for pid, name in there if not is_helper(server, name))
    with Trace(server, [pid for pid, _ in there]) as trace:
        run(server, "count", at_once, count)
        # What it does behind the last answer belongs to it as well.
        time.sleep(QUIET_S)
    return count_lines(trace.lines, own, launchers, others)


def threads(pids):
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found |= set(map(int, os.listdir(f"/proc/{pid}/task")))
    return found


def is_helper(server, name):
    """Whether a process of it is no handler."""
    return name != server.kind.handler_name


def listing(counter, count):
    """The calls by how often they come, for each connection."""
    return ", ".join(
        f"{name} {number / count:.2f}".replace(".00", "")
        for name, number in counter.most_common() if number / count >= 0.005)


def report(name, counts, at_once, count=COUNT):
    each = {what: sum(calls.values()) / count for what, calls in counts._asdict().items()}
    print(f"{name}, {'one at a time' if at_once == 1 else f'{at_once} at once'}: "
          f"{each['server']:.1f} calls a connection, {each['launchers']:.1f} of launchers, and "
          f"{each['launch']:.1f} to launch")
    print(f"    {listing(counts.server, count)}")
    if counts.launchers:
        print(f"    launchers: {listing(counts.launchers, count)}")
    if counts.launch:
        print(f"    to launch: {listing(counts.launch, count)}", flush=True)
