"""For baton.py: a server that forks for each connection (POSIX).

Children stay in the server's process group, so that whoever ends the group ends them."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import re
import signal
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import baton
from baton import Connection, Error, Function, log
from baton_wire import (
    ACK, DONE, KIND_CONNECTION, NACK, TAG_CPU_US, TAG_MEMORY_PEAK_KIB, TAG_PID, TAG_REASON, TAG_TEXT,
    parse_number,
)

RETRY_S = 0.1
STOP_MS = 5000
SIGNAL_STATUS = 128
HUGE_PAGE_BYTES = 2 << 20
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25  # of Linux; older ones know less, and say EINVAL
REPORT = struct.Struct("=QQH256s")  # what a child leaves for DONE: bytes_in, bytes_out, text


class Unsupported(Error):
    """This system has no fork(2), so a server cannot fork for each connection: serve by serve(),
    with a process or a thread for each."""


def _told_number(name: str, otherwise: int) -> int:
    """A number of the environment that need not be there."""
    try:
        return parse_number(os.environ.get(name, ""))
    except ValueError:
        return otherwise


def _large_mappings() -> List[Tuple[int, int]]:
    """Private memory of no file, and at least half of it in use; as huge pages begin and end."""
    found, begin, end, is_ours = [], 0, 0, False
    with open("/proc/self/smaps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+) *(\S*)", line)
            if head:
                begin = -(-int(head[1], 16) // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
                end = int(head[2], 16) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES
                named = head[5] in ("", "[heap]") or head[5].startswith("[anon:")
                is_ours = head[3] == "rw-p" and head[4] == "0" and named and begin < end
            elif is_ours and line.startswith("Rss:"):
                if int(line.split()[1]) * 1024 * 2 >= end - begin:
                    found.append((begin, end))
    return found


def warm_heap() -> None:
    """Has the system keep what is there in huge pages, where it has them, since a fork copies a table
    entry for each page; and keeps the garbage collector from writing to it, in children too."""
    gc.collect()
    gc.freeze()
    try:
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        for begin, end in _large_mappings():
            for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):
                madvise(begin, end - begin, advice)
    except (OSError, AttributeError):
        pass  # a system that has no such thing


@dataclass
class Child:
    number: int  # of its OFFER; 0: accepted from a listener, or not acknowledged
    place: int  # of its report
    is_accepted: bool
    kill_at: Optional[float] = None  # it is cancelled, and not killed
    is_cancelled: bool = False


class Server(baton.Baton):
    """Answers an offer when it has forked for it."""

    def __init__(self, function: Function, capacity: int) -> None:
        self.function, self.status = function, 0
        self.children: Dict[int, Child] = {}
        self.waiting: Optional[Connection] = None  # accepted when there was no room for a process
        self.retry_at = 0.0
        self.was_stopped = self.is_lost = False
        # Half of it, so that DONE is there in time.
        self.stop_s = _told_number("BATON_STOP_MS", STOP_MS) / 2000
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()  # or what is kept back would be written by each child
        is_warm = "BATON_CHANNEL" in os.environ and _told_number("BATON_REUSE", 0) != 1
        if is_warm:
            warm_heap()
        super().__init__(
            baton._Options(
                capacity, "baton.py", None, self._cancel_child, (KIND_CONNECTION,), None
            )
        )
        if not is_warm and any(item.kind != KIND_CONNECTION for item in self._sources.items):
            warm_heap()
        self._free_places = list(range(capacity))
        self._reports = mmap.mmap(-1, capacity * REPORT.size)  # shared with the children
        self._sources.watch_sigterm()
        self._sources.use_wakeup()
        self._sigchld_before = signal.signal(signal.SIGCHLD, lambda *_: self._sources.wake())
        ours = {signal.SIGCHLD, signal.SIGTERM}
        self._mask_before = signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)

    # ---- The conversation

    def _take(self, connection: Connection) -> Optional[Connection]:
        return connection if connection.kind == KIND_CONNECTION else super()._take(connection)

    def _go_on(self) -> Optional[Connection]:
        sources, channel = self._sources, None if self._ended else self._channel
        is_open = sources.items and not self._draining
        if not sources.items and self._channel is None:
            self._ended = True
            if not self.children and self.waiting is None:
                return None
        capacity = 0 if self.waiting is not None else self._options.capacity
        try:
            found = sources.wait(
                capacity, channel, self._idle_s if is_open else None, self._most_s()
            )
        except TimeoutError:
            self._close_sources()
            return None
        if sources.stopped:
            sources.stopped, self.was_stopped = False, True
            self.retire()
            return None
        if isinstance(found, baton.Source):
            return sources.take(found)
        return self._act_on_frame(*channel.receive()) if channel and found else None

    def _most_s(self) -> Optional[float]:
        ends = [child.kill_at for child in self.children.values() if child.kill_at is not None]
        if self.waiting is not None:
            ends.append(self.retry_at)
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def run(self) -> int:
        """Returns what the program should exit with."""
        fault: Optional[Exception] = None
        while self.children or self.waiting or not (self._is_over() or self.is_lost):
            count = len(self.children)
            try:
                connection = self._go_on()
            except (Error, OSError) as error:
                fault = fault or error
                connection = None
                if self._channel is not None:
                    self._ended = True
                    self._channel.end()
                    self._sources.close_all()
            if connection is not None and connection.number == 0 and connection.source is None:
                self.status, text = baton.serve_one(self.function, connection)
                self.finish(connection, self.status, text)
            elif connection is not None:
                self._give(connection)
            self._reap()
            self._kill_late()
            waiting = self.waiting
            if waiting and (len(self.children) < count or time.monotonic() >= self.retry_at):
                self.waiting = None
                self._give(waiting, is_new=False)
        fault = fault or self._fault
        if fault is not None:
            log(f"cannot go on: {type(fault).__name__}: {fault}")
            self.status = 1
        return self.status

    # ---- Forking

    def _give(self, connection: Connection, is_new: bool = True) -> None:
        """Forks for it."""
        number, gate = connection.number, (-1, -1)
        try:
            if number:
                gate = os.pipe()
            pid = self._fork(connection, gate)
        except OSError as error:
            self._close_gate(gate)
            self._have_no_room(connection, error, is_new)
            return
        child = self.children[pid]
        connection.socket.close()
        if number and self._say(ACK, number, {TAG_PID: struct.pack("!I", pid)}):
            child.number = number
            try:
                os.write(gate[1], b"\0")  # a pipe of ours has room
            except BrokenPipeError:
                pass  # killed meanwhile
        elif number:
            self._held.discard(number)  # the end is read next, and the child leaves it unread
        self._close_gate(gate)

    @staticmethod
    def _close_gate(gate: Tuple[int, int]) -> None:
        for end in gate:
            if end >= 0:
                os.close(end)

    def _fork(self, connection: Connection, gate: Tuple[int, int]) -> int:
        place = self._free_places[-1]
        self._reports[place * REPORT.size : (place + 1) * REPORT.size] = bytes(REPORT.size)
        # A signal for the server that came to the child before it has its own actions would be lost.
        before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._live(connection, place, gate)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._free_places.pop()
        self.children[pid] = Child(0, place, connection.number == 0)
        return pid

    def _have_no_room(self, connection: Connection, error: OSError, is_new: bool) -> None:
        """The client is whole: it goes to another process, or waits here for somebody's end."""
        text = f"cannot fork: {error.strerror}"
        if is_new:
            log(text)
        if connection.number == 0:
            self.waiting, self.retry_at = connection, time.monotonic() + RETRY_S
            return
        connection.socket.close()
        self._held.discard(connection.number)
        fields = {TAG_REASON: bytes([baton.BUSY]), TAG_TEXT: text.encode()[:256]}
        self._say(NACK, connection.number, fields)

    def _live(self, connection: Connection, place: int, gate: Tuple[int, int]) -> None:
        """The child: everything of the server's is closed before a byte of the client is read. Does
        not return."""
        status = 1
        try:
            signal.signal(signal.SIGCHLD, self._sigchld_before)
            self.close()  # SIGTERM means the end again
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask_before)
            is_ours = True
            if connection.number:
                os.close(gate[1])
                is_ours = os.read(gate[0], 1) != b""  # the end: ACK could not be said
                os.close(gate[0])
            status = self._serve_in_child(connection, place) if is_ours else 0
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            # Not sys.exit(): what the program has told it to do at its end is the server's.
            os._exit(status if 0 <= status <= 255 else 1)

    def _serve_in_child(self, connection: Connection, place: int) -> int:
        status, text, pid = 1, "", os.getpid()
        try:
            status, text = baton.serve_one(self.function, connection)
        except SystemExit as ended:
            status, text = int(ended.code is not None), str(connection.text)
            if isinstance(ended.code, int):
                status = ended.code
            elif ended.code is not None:
                print(ended.code, file=sys.stderr)
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        if connection.number == 0 and text:
            log(f"{connection.peer}: {text}")
        said = text.encode("utf-8", "replace")[:256]
        counts = connection.bytes_in, connection.bytes_out
        # A process that the function has left behind returns here as well, when the place may be
        # another client's.
        if os.getpid() == pid:
            REPORT.pack_into(self._reports, place * REPORT.size, *counts, len(said), said)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        return status

    # ---- Ends

    def _reap(self) -> None:
        """The program may have children of its own, whose ends are not ours to take: so look first.
        Behind one of those the others are asked for by name."""
        while self.children:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:  # somebody has taken theirs from us
                break
            if ended is None:
                return
            if ended.si_pid not in self.children or not self._reap_one(ended.si_pid):
                break
        for pid in list(self.children):
            self._reap_one(pid)

    def _reap_one(self, pid: int) -> bool:
        try:
            found, status, used = os.wait4(pid, os.WNOHANG)
        except ChildProcessError:
            found, status, used = pid, 1 << 8, None  # somebody has taken its end from us
        if found != pid:
            return False
        child = self.children.pop(pid)
        self._free_places.append(child.place)
        ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if child.is_accepted:
            with self._sources._lock:
                self._sources.live_count -= 1
            if ended_by:
                log(f"process {pid}: ended by signal {ended_by}")
        elif child.number and self._is_end_of_all(child, ended_by):
            self.is_lost = True
        elif child.number:
            self._held.discard(child.number)
            self._say(DONE, child.number, self._words_of(child, pid, status, used))
        return True

    def _is_end_of_all(self, child: Child, ended_by: int) -> bool:
        """Not by us, while the server itself is to end: it was the whole group. Whoever ends the
        group knows why, so no DONE is said, and the server ends in the same way."""
        kills = signal.SIGTERM, signal.SIGKILL
        return self.was_stopped and ended_by in kills and not child.is_cancelled

    def _words_of(self, child: Child, pid: int, status: int, used: object) -> Dict[int, bytes]:
        report = REPORT.unpack_from(self._reports, child.place * REPORT.size)
        bytes_in, bytes_out, length, said = report
        text = said[:length].decode("utf-8", "replace")
        code = os.WEXITSTATUS(status)
        if os.WIFSIGNALED(status):
            cancelled = "cancelled: " if child.is_cancelled else ""
            text = f"{cancelled}ended by signal {os.WTERMSIG(status)}"
            code = SIGNAL_STATUS + os.WTERMSIG(status)
        fields = {
            **baton.done_fields(code, bytes_in, bytes_out, text),
            TAG_PID: struct.pack("!I", pid),
        }
        if used is not None:
            cpu_us = round((used.ru_utime + used.ru_stime) * 1000000)
            fields[TAG_CPU_US] = struct.pack("!Q", cpu_us)
            fields[TAG_MEMORY_PEAK_KIB] = struct.pack("!I", min(used.ru_maxrss, (1 << 32) - 1))
        return fields

    # ---- CANCEL

    def _cancel_child(self, number: int) -> None:
        for pid, child in self.children.items():
            if child.number == number and not child.is_cancelled:
                child.is_cancelled, child.kill_at = True, time.monotonic() + self.stop_s
                os.kill(pid, signal.SIGTERM)  # nobody else has the number until we have reaped it

    def _kill_late(self) -> None:
        for pid, child in self.children.items():
            if child.kill_at is not None and child.kill_at <= time.monotonic():
                child.kill_at = None
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        super().close()
        signal.signal(signal.SIGCHLD, self._sigchld_before)


def serve(function: Function, capacity: int) -> int:
    try:
        if os.name != "posix":
            raise Unsupported(" ".join((Unsupported.__doc__ or "").split()))
        server = Server(function, capacity)
    except (Error, OSError, ValueError) as error:
        log(f"cannot start: {type(error).__name__}: {error}")
        return 1
    status = server.run()
    server.close()
    if server.is_lost:
        os.kill(os.getpid(), signal.SIGTERM)
    return status
