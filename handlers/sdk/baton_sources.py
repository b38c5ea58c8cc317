"""For baton.py: what a connection is, and the sockets that serve many clients or come without a
channel: LISTEN_FDS (systemd, batond's listener mode) and standard input (inetd and others)."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, List, MutableMapping, Optional, Union

import baton_datagram
from baton_wire import (
    KIND_CONNECTION, KIND_DATAGRAM, KIND_LISTENER, Error, ProtocolFault, parse_number,
)

LISTEN_FDS_START = 3
LISTEN_FDS_MAX = 32
LOOK_EVERY_S = 0.1  # where a channel cannot be waited for
SAME_ORDER_S = 1.0  # a supervisor that was killed asks once for each of its threads (PR_SET_PDEATHSIG)
Words = Dict[str, Optional[str]]  # of the environment


class EnvironmentFault(Error):
    """BATON_, LISTEN_ or LIBBATON_ variables are malformed, or name what is not there."""


def _with_slots(made: type) -> type:
    """What dataclass(slots=True) makes since Python 3.10: whoever sets an attribute by a name that it
    does not have, which nobody would heed, is told so."""
    fields = tuple(made.__dataclass_fields__)
    left = {name: value for name, value in vars(made).items() if name not in fields + ("__dict__", "__weakref__")}
    return type(made.__name__, made.__bases__, {**left, "__slots__": fields + ("__weakref__",)})


@_with_slots
@dataclass
class Connection:
    """A connection that was handed over. The socket is blocking and not inheritable.

    One of kind DATAGRAM is given out whenever a datagram waits: take what waits with
    receive_datagram(), then finish it; the socket stays with the module and comes again."""

    socket: socket.socket
    kind: int = KIND_CONNECTION
    number: int = 0  # names the connection on the channel; 0 without one, and when accepted by us
    id: int = 0  # `id=` of the supervisor's record (or of the listener's activation)
    accepted_us: int = 0  # microseconds since 1970-01-01 UTC; 0 when not known
    service: str = ""
    peer: str = ""  # "192.0.2.1:5000", "[2001:db8::1]:5000"; "" when there is none
    local: str = ""
    via: str = ""  # the proxy's address, when a PROXY header named `peer` and `local`
    path: str = ""  # of a local socket
    peer_count: int = 0  # live connections from the peer's address; 0 when not known
    peer_uid: Optional[int] = None  # of a local socket, where the system tells
    peer_pid: Optional[int] = None
    bytes_in: int = 0  # may be set by the handler; sent with DONE unless both are 0
    bytes_out: int = 0
    text: str = ""  # may be set by the handler to what the record should say
    finished: bool = False
    source: Optional[Source] = None  # private: where it came from
    sender: object = None  # of the datagram that was received last
    arrival: baton_datagram.Arrival = None  # private: where that came

    def receive_datagram(self, size: int = 65536) -> Optional[bytes]:
        """The next datagram that waits, its sender in `peer` and the address of ours that it was
        sent to in `local`; None if there is none."""
        if not select.select([self.socket], [], [], 0)[0]:
            return None
        try:
            data, self.sender, self.arrival, host = baton_datagram.receive(self.socket, size)
        except (BlockingIOError, ConnectionResetError):  # Windows says that an answer was lost
            return None
        self.peer = name_text(self.sender)
        if host:
            self.local = name_text((host, int(self.local.rpartition(":")[2])))
        return data

    def may_answer(self) -> bool:
        """For a service that answers whatever it gets: may the datagram that was received last be
        answered? Without this two such services answer each other for ever, once somebody has sent
        one a datagram in the other's name. False: it came from a port of such a service or of our
        own (baton_would_loop() of baton.h has the list), or its sender has had its share: 1,000
        answers at once, and 100 a second after that. Ask once for each answer."""
        if self.kind != KIND_DATAGRAM or self.source is None:
            return True
        if baton_datagram.would_loop(int(self.peer.rpartition(":")[2] or "0")):
            return False
        return self.source.limit.take(self.peer, time.monotonic())

    def export_facts(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Sets the variables that tell of a connection (PROTOCOL.md, "Facts about the connection"),
        for a program that is started next; what is not known is removed. The environment that batond
        made says them itself where the process is for one connection (BATON_FACTS)."""
        is_tcp = self.peer != ""
        facts: Dict[str, object] = {
            "BATON_SERVICE": self.service,
            "BATON_ID": self.id or "",
            "PROTO": "TCP" if is_tcp else "UNIX" if self.path else "",
            "TCPCONNNUM": self.peer_count if is_tcp and self.peer_count else "",
            "UNIXLOCALPATH": self.path,
            "UNIXREMOTEEUID": "" if self.peer_uid is None else self.peer_uid,
            "UNIXREMOTEPID": self.peer_pid or "",
        }
        for address, names in (
            (self.local, ("SERVER_ADDR", "SERVER_PORT", "TCPLOCALIP", "TCPLOCALPORT")),
            (self.peer, ("REMOTE_ADDR", "REMOTE_PORT", "TCPREMOTEIP", "TCPREMOTEPORT")),
        ):
            host, _, port = address.rpartition(":")
            facts.update(zip(names, (host.strip("[]"), port) * 2))
        for name, value in facts.items():
            if value == "":
                environment.pop(name, None)
            else:
                environment[name] = str(value)

    def answer(self, data: bytes) -> None:
        """Sends `data` to the client. If that is the kind: as one datagram to the sender of the
        last, from the address that it had been sent to."""
        if self.kind == KIND_DATAGRAM:
            baton_datagram.send(self.socket, data, self.sender, self.arrival)
        else:
            self.socket.sendall(data)


@dataclass
class Source:
    """A socket that serves many, or one connection that came without a channel. Until it is closed
    or given out it belongs to the Sources that has it."""

    socket: socket.socket
    kind: int
    service: str = ""
    number: int = 0  # of its OFFER
    id: int = 0
    lent: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        if self.kind == KIND_DATAGRAM:
            self.limit = baton_datagram.Limit()
            baton_datagram.prepare(self.socket)


def name_text(name: object) -> str:
    """ "192.0.2.1:5000" of what getpeername() returns; "" of what is no such address."""
    if not isinstance(name, tuple):
        return ""
    host = name[0].split("%")[0]
    if host.lower().startswith("::ffff:") and "." in host:
        host = host[7:]  # an IPv4 client of a listener for both families
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"


def _describe(connection: Connection) -> None:
    """Fills in what the socket itself tells."""
    stream = connection.socket
    try:
        connection.peer = name_text(stream.getpeername())
    except OSError:
        pass  # a datagram socket has none, a client may be gone
    local = stream.getsockname()
    connection.local = name_text(local)
    if stream.family == getattr(socket, "AF_UNIX", None) and isinstance(local, str):
        connection.path = local
    if connection.path and hasattr(socket, "SO_PEERCRED"):
        told = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, _ = struct.unpack("=iII", told)
        if uid != 0xFFFFFFFF:  # of a socket without a peer
            connection.peer_uid = uid
            connection.peer_pid = pid or None  # 0: of a pid namespace that ours does not contain


def _told_number(name: str, most: int) -> int:
    """A number of the environment; 0 if there is none."""
    try:
        return parse_number(os.environ.get(name, ""), most)
    except ValueError:
        return 0


def _told_address(kind: str) -> str:
    """REMOTE_ADDR and REMOTE_PORT, or SERVER_...; "" if they are no address and no port."""
    host = os.environ.get(f"{kind}_ADDR", "")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        packed = socket.inet_pton(family, host)
        port = parse_number(os.environ.get(f"{kind}_PORT", ""), 65535)
    except (OSError, ValueError):
        return ""
    return name_text((socket.inet_ntop(family, packed), port))


def _describe_by_environment(connection: Connection) -> None:
    """What batond says of the one connection on standard input."""
    if "BATON_ID" not in os.environ:
        return
    connection.peer_count = _told_number("TCPCONNNUM", (1 << 32) - 1)
    direct = connection.peer
    connection.peer = _told_address("REMOTE") or direct
    connection.local = _told_address("SERVER") or connection.local
    connection.via = direct if direct != connection.peer else ""


class Sources:
    """The sockets that next() waits for, beside the channel."""

    def __init__(self, gives_listeners: bool) -> None:
        self.items: List[Source] = []
        self.stopped = False
        self._asked_s: Optional[float] = None
        self.live_count = 0  # given out and not finished
        self._gives_listeners = gives_listeners
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._has_wakeup = False

    def watch_sigterm(self) -> None:
        """The first SIGTERM means DRAIN; one that comes SAME_ORDER_S later or more ends the process. Done once."""
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)
            self.use_wakeup()

    def use_wakeup(self) -> None:
        """Python calls functions for signals between two steps of its own: a signal that comes just
        before select(2) begins would be noticed by nobody without a byte from the system's handler."""
        if not self._has_wakeup:
            before = signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
            self._has_wakeup = before == -1
            if before != -1:  # the program has one, which wakes it as well
                signal.set_wakeup_fd(before)

    def _on_sigterm(self, *_: object) -> None:
        now_s = time.monotonic()
        if self._asked_s is None:
            self._asked_s = now_s
            self.stopped = True
            self.wake()
        elif now_s - self._asked_s >= SAME_ORDER_S:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    def wake(self) -> None:
        try:
            self._wake_write.send(b"\0")
        except OSError:
            pass  # full is good enough, and closed is too late

    def _is_whole(self, source: Source) -> bool:
        """Is it given out as it is, once?"""
        return source.kind == KIND_CONNECTION or (
            source.kind == KIND_LISTENER and self._gives_listeners
        )

    def wait(
        self,
        capacity: int,
        channel: Optional[Channel],
        idle_s: Optional[float],
        most_s: Optional[float] = None,
    ) -> Optional[object]:
        """Waits for a source, the channel (and returns which), SIGTERM, a finished connection or
        `most_s` (None: look again); raises TimeoutError when nobody came for so long and all is
        finished."""
        with self._lock:
            is_full, is_busy = self.live_count >= capacity, self.live_count > 0
            here = [] if is_full else [item for item in self.items if not item.lent]
        for item in here:
            if self._is_whole(item):
                return item
        sockets = {item.socket: item for item in here}
        readers: List[object] = [self._wake_read, *sockets]
        if channel is not None and channel.can_be_selected:
            readers.append(channel)
        deadline = None if idle_s is None or is_busy else time.monotonic() + idle_s
        bound = None if most_s is None else time.monotonic() + most_s
        while not self.stopped and (bound is None or time.monotonic() < bound):
            if channel is not None and not channel.can_be_selected and channel.has_more():
                return channel
            ends = [end for end in (deadline, bound) if end is not None]
            limit = max(0.0, min(ends) - time.monotonic()) if ends else None
            if channel is not None and not channel.can_be_selected:
                limit = LOOK_EVERY_S if limit is None else min(LOOK_EVERY_S, limit)
            ready = select.select(readers, [], [], limit)[0]
            if self._wake_read in ready:
                self._wake_read.recv(4096)
                return None
            if channel in ready:
                return channel
            if ready:
                self.items.sort(key=lambda item: item.socket is ready[0])  # others first next time
                return sockets[ready[0]]
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError
        return None

    def take(self, source: Source) -> Optional[Connection]:
        """Gives out what waits there; None if nobody does after all."""
        given, kind = source.socket, source.kind
        if self._is_whole(source):
            self.items.remove(source)
        elif kind == KIND_LISTENER:
            try:
                given.setblocking(False)  # another process that shares it may have taken who came
                given, _ = given.accept()
            except (BlockingIOError, ConnectionAbortedError, PermissionError):  # of a firewall
                return None
            kind = KIND_CONNECTION
            given.setblocking(True)
        else:
            source.lent = True
        connection = Connection(given, kind, service=source.service, id=source.id)
        connection.source = None if self._is_whole(source) else source
        _describe(connection)
        if source.kind == KIND_CONNECTION:
            _describe_by_environment(connection)
        with self._lock:
            self.live_count += 1
        return connection

    def give_back(self, connection: Connection) -> int:
        """Returns the number of the OFFER that is done by that, as its socket was lent; else 0."""
        source = connection.source if connection.kind == KIND_DATAGRAM else None
        with self._lock:
            is_kept = source is not None and not source.closed
            if source is not None:
                source.lent = False
            self.live_count -= 1
        if not is_kept:
            connection.socket.close()
        self.wake()
        return source.number if source is not None and not is_kept else 0

    def close_all(self, number: int = 0) -> List[int]:
        """Closes what is not lent of all, or of the OFFER `number`. Returns the numbers of OFFERs
        that are done by that; what was accepted is the handler's own, and may live on."""
        with self._lock:
            closing = [item for item in self.items if number in (0, item.number)]
            self.items = [item for item in self.items if item not in closing]
            for item in closing:
                item.closed = True
            here = [item for item in closing if not item.lent]
            done = [item.number for item in here if item.number]
        for item in here:
            item.socket.close()
        return done

    def close(self) -> None:
        self.close_all()
        if os.name == "posix" and signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if self._has_wakeup and threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)
        self._wake_read.close()
        self._wake_write.close()


class Channel:
    """What wait() needs to know of a channel."""

    can_be_selected = True

    def fileno(self) -> int:
        raise NotImplementedError

    def has_more(self) -> bool:
        raise NotImplementedError


def kind_of(stream: socket.socket) -> Optional[int]:
    if stream.type == socket.SOCK_DGRAM:
        return KIND_DATAGRAM
    if stream.type != socket.SOCK_STREAM:
        return None
    accepts = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    return KIND_LISTENER if accepts else KIND_CONNECTION


class Unbuilt:
    """A descriptor of which the system makes no socket: it goes to another process."""

    def __init__(self, descriptor: int, fault: OSError) -> None:
        self._descriptor, self.fault = descriptor, fault

    def close(self) -> None:
        os.close(self._descriptor)


def offered_socket(descriptor: int) -> Union[socket.socket, Unbuilt]:
    try:
        return socket.socket(fileno=descriptor)
    except MemoryError:
        return Unbuilt(descriptor, OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))
    except OSError as error:
        if error.errno != errno.ENOTSOCK:
            return Unbuilt(descriptor, error)
        os.close(descriptor)
        raise ProtocolFault("the offered descriptor is no socket") from error


def _source_of(descriptor: int, name: str, kinds: List[int]) -> Optional[Source]:
    """The descriptor as a source, if it is a socket of such a kind."""
    try:
        candidate = socket.socket(fileno=descriptor)
    except OSError:
        return None
    kind = kind_of(candidate)
    if kind not in kinds and not (kind == KIND_LISTENER and KIND_CONNECTION in kinds):
        candidate.detach()
        return None
    os.set_inheritable(descriptor, False)
    if kind == KIND_CONNECTION:
        candidate.setblocking(True)
    return Source(candidate, kind or 0, name)


def _free_standard_streams(is_ours: Callable[[int], bool]) -> None:
    """Streams that are this socket become the null device."""
    null_device = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        try:
            same = is_ours(descriptor)
        except OSError:
            continue
        if same:
            os.dup2(null_device, descriptor)
    if null_device > 2:
        os.close(null_device)


def _is_file(ours: os.stat_result, descriptor: int) -> bool:
    return os.path.samestat(os.fstat(descriptor), ours)


def _windows_input(kinds: List[int]) -> List[Source]:
    """A socket on standard input of Windows. To Winsock an inherited one may be unknown until it is
    duplicated, and the duplicate is a socket like any other."""
    import ctypes
    import msvcrt

    try:
        handle = msvcrt.get_osfhandle(0)  # type: ignore[attr-defined]
    except OSError:
        return []
    socket.socket().close()  # starts Winsock
    info = ctypes.create_string_buffer(628)  # a WSAPROTOCOL_INFOW
    duplicate = ctypes.windll.ws2_32.WSADuplicateSocketW  # type: ignore[attr-defined]
    if duplicate(ctypes.c_void_p(handle), os.getpid(), info) != 0:
        return []
    rebuilt = socket.fromshare(info.raw)  # type: ignore[attr-defined]
    kind = kind_of(rebuilt)
    if kind not in kinds and not (kind == KIND_LISTENER and KIND_CONNECTION in kinds):
        rebuilt.close()
        return []
    os.set_handle_inheritable(rebuilt.fileno(), False)  # type: ignore[attr-defined]
    # Each descriptor that is this handle would close it, and the next one who has its number then.
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    protected = 2  # HANDLE_FLAG_PROTECT_FROM_CLOSE
    kernel.SetHandleInformation(ctypes.c_void_p(handle), protected, protected)
    _free_standard_streams(lambda stream: msvcrt.get_osfhandle(stream) == handle)  # type: ignore
    kernel.SetHandleInformation(ctypes.c_void_p(handle), protected, 0)
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return [Source(rebuilt, kind or 0)]


def _listen_fds(words: Words) -> int:
    """How many descriptors were passed to this process, from LISTEN_FDS_START on."""
    if words["LISTEN_PID"] is None or words["LISTEN_FDS"] is None:
        return 0
    try:
        if parse_number(words["LISTEN_PID"]) != os.getpid():
            return 0
        count = parse_number(words["LISTEN_FDS"], LISTEN_FDS_MAX)
    except ValueError as error:
        raise EnvironmentFault(f"LISTEN_PID or LISTEN_FDS: {error}") from error
    if count == 0:
        raise EnvironmentFault("LISTEN_FDS is 0")
    import fcntl  # POSIX only, as LISTEN_FDS is

    for descriptor in range(LISTEN_FDS_START, LISTEN_FDS_START + count):
        try:
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        except OSError as error:
            raise EnvironmentFault(f"LISTEN_FDS: descriptor {descriptor}: {error}") from error
        # What was passed is not closed by execve(2): this was opened since, by ourselves maybe.
        if flags & fcntl.FD_CLOEXEC:
            raise EnvironmentFault(f"LISTEN_FDS: descriptor {descriptor} was not passed")
    return count


def _posix_sources(words: Words, kinds: List[int]) -> List[Source]:
    sources: List[Source] = []
    names = (words["LISTEN_FDNAMES"] or "").split(":")
    for index in range(_listen_fds(words)):
        name = names[index] if index < len(names) else ""
        source = _source_of(LISTEN_FDS_START + index, name, kinds)
        if source is not None:
            sources.append(source)
    if not sources:
        source = _source_of(0, "", kinds)
        if source is not None:
            source.socket = socket.socket(fileno=os.dup(source.socket.detach()))
            sources.append(source)
    for source in sources:
        ours = os.fstat(source.socket.fileno())
        _free_standard_streams(partial(_is_file, ours))
    return sources


def fallback_sources(words: Words, kinds: List[int]) -> List[Source]:
    """What another super-server gave."""
    is_posix = os.name == "posix"
    sources = _posix_sources(words, kinds) if is_posix else _windows_input(kinds)
    for source in sources:
        if "BATON_ID" in os.environ:
            source.id = _told_number("BATON_ID", (1 << 64) - 1)
            source.service = os.environ.get("BATON_SERVICE", "")
    return sources
