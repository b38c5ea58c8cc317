"""A service whose exec takes long, and what its neighbour has of that: --row slow-exec.

The slow program lies in a file system of ours (FUSE, without a library): its first page comes EXEC_S
after it was asked for, and the kernel keeps none, so each execve waits. Needs root.
"""

import contextlib
import ctypes
import os
import re
import struct
import subprocess
import threading
import time

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

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2
_HEADER = struct.Struct("<IIQQIIII")
_LOOKUP, _GETATTR, _OPEN, _READ, _INIT = 1, 3, 14, 15, 26
_FORGET, _RELEASE, _FLUSH, _ACCESS = 2, 18, 25, 34
_ENOENT, _ENOSYS = 2, 38
_ROOT, _FILE = 1, 2


class SlowFolder:
    """A folder with one program, whose bytes come late; from entry to exit."""

    def __init__(self, folder, program, delay_s=EXEC_S):
        self._folder = folder
        self._bytes = program.read_bytes()
        self.delay_s = delay_s
        self.path = folder / "slow"
        self.is_asked = threading.Event()

    def __enter__(self):
        self._folder.mkdir()
        self._fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"slow", os.fsencode(self._folder), b"fuse", 0, options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self._fuse)
            raise Broken(f"no file system of our own: {os.strerror(error)}")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        _libc.umount2(os.fsencode(self._folder), _MNT_DETACH)
        os.close(self._fuse)

    def _attributes(self, inode):
        is_root = inode == _ROOT
        size = 0 if is_root else len(self._bytes)
        mode = 0o40755 if is_root else 0o100755
        return struct.pack("<QQQQQQIIIIIIIIII", inode, size, 8, 0, 0, 0, 0, 0, 0, mode,
                           2 if is_root else 1, 0, 0, 0, 4096, 0)

    def _reply(self, unique, body=b"", error=0):
        with contextlib.suppress(OSError):
            os.write(self._fuse, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)

    def _read(self, unique, offset, size):
        self.is_asked.set()
        time.sleep(self.delay_s)
        self._reply(unique, self._bytes[offset:offset + size])

    def _answer(self, operation, unique, inode, body):
        if operation == _INIT:
            self._reply(unique, struct.pack("<IIIIHHIIHHI", 7, 31, 65536, 0, 16, 12, 65536, 1, 16, 0, 0)
                        + bytes(28))
        elif operation == _LOOKUP:
            if body.rstrip(b"\0") != b"slow":
                self._reply(unique, error=_ENOENT)
            else:
                self._reply(unique, struct.pack("<QQQQII", _FILE, 0, 1000, 1000, 0, 0)
                            + self._attributes(_FILE))
        elif operation == _GETATTR:
            self._reply(unique, struct.pack("<QII", 1000, 0, 0) + self._attributes(inode))
        elif operation == _OPEN:
            # Without FOPEN_KEEP_CACHE each open forgets what was read before.
            self._reply(unique, struct.pack("<QII", 1, 0, 0))
        elif operation == _READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            threading.Thread(target=self._read, args=(unique, offset, size), daemon=True).start()
        elif operation in (_RELEASE, _FLUSH, _ACCESS):
            self._reply(unique)
        elif operation != _FORGET:
            self._reply(unique, error=_ENOSYS)

    def _serve(self):
        while True:
            try:
                request = os.read(self._fuse, 1 << 17)
            except OSError:
                return
            _, operation, unique, inode, *_ = _HEADER.unpack_from(request)
            self._answer(operation, unique, inode, request[_HEADER.size:])


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
    with SlowFolder(folder / "slowly", programs.bench / "tiny", exec_s) as slow:
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
