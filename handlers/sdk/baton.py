"""Take connections from batond, in Python 3.9 or newer with nothing but the standard library.

Two files: this one, and baton_wire.py beside it.

A whole handler:

    import baton

    def greet(connection):
        connection.socket.sendall(b"hello\\n")

    raise SystemExit(baton.serve(greet))

The shape is that of baton.h; the protocol is described in PROTOCOL.md. Tested on Linux. The Windows
half (pipes by msvcrt.open_osfhandle, the socket by socket.fromshare) follows the same page but is
untested on Windows.

Without a channel, open() takes what other super-servers give: LISTEN_FDS (systemd), or a socket on
standard input (inetd, xinetd, s6-tcpserver; POSIX only).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Set, Tuple

from baton_wire import *  # noqa: F403

TAKE, RETIRE_ME, BUSY, REFUSE = 0, 1, 2, 3  # what `decide` returns; 1 to 3 are NACK's reasons
Attached = Optional[socket.socket]  # what came with a frame


class NoSource(Error):
    """No channel, no LISTEN_FDS and no socket on standard input: start the program by batond."""


class EnvironmentFault(Error):
    """BATON_ or LISTEN_ variables are malformed or name no usable channel."""


def _address_text(value: Optional[bytes]) -> str:
    if value is None:
        return ""
    family = socket.AF_INET if value[0] == 4 else socket.AF_INET6
    host = socket.inet_ntop(family, value[3:])
    port = int.from_bytes(value[1:3], "big")
    return f"{host}:{port}" if value[0] == 4 else f"[{host}]:{port}"


def _name_text(name: object) -> str:
    if isinstance(name, tuple) and len(name) == 2:
        return f"{name[0]}:{name[1]}"
    return f"[{name[0].split('%')[0]}]:{name[1]}" if isinstance(name, tuple) else ""


@dataclass
class Connection:
    """A connection that was handed over. The socket is blocking and not inheritable."""

    socket: socket.socket
    kind: int = KIND_CONNECTION
    number: int = 0  # names the connection on the channel; 0 without a channel
    id: int = 0  # `id=` of the supervisor's record; 0 without a channel
    accepted_us: int = 0  # microseconds since 1970-01-01 UTC; 0 when not known
    service: str = ""
    peer: str = ""  # "192.0.2.1:5000", "[2001:db8::1]:5000"; "" when there is none
    local: str = ""
    bytes_in: int = 0  # may be set by the handler; sent with DONE unless both are 0
    bytes_out: int = 0
    finished: bool = False


def _offered_socket(descriptor: int) -> socket.socket:
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        os.close(descriptor)
        raise ProtocolFault("the offered descriptor is no socket") from error


class _PosixChannel:
    """One end of a SOCK_SEQPACKET pair; a frame is a packet."""

    def __init__(self, read_end: int, write_end: int) -> None:
        if read_end != write_end:
            raise EnvironmentFault("BATON_CHANNEL names two different descriptors")
        try:
            os.set_inheritable(read_end, False)
            self._socket = socket.socket(fileno=read_end)
        except OSError as error:
            raise EnvironmentFault("BATON_CHANNEL names no socket") from error
        if (self._socket.family, self._socket.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            self._socket.detach()
            raise EnvironmentFault("BATON_CHANNEL names no channel")
        self._socket.setblocking(True)

    def receive(self) -> Tuple[bytes, Attached]:
        """The next frame and the socket that came with it; b"" at the end."""
        frame, descriptors, flags = self._receive_packet()
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or len(descriptors) > 1:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ProtocolFault("frame or descriptors cut, or several descriptors")
        return frame, _offered_socket(descriptors[0]) if descriptors else None

    def _receive_packet(self) -> Tuple[bytes, List[int], int]:
        size = HEADER.size + BODY_MAX_BYTES
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            frame, descriptors, flags, _ = socket.recv_fds(self._socket, size, 8, flags)
        except ConnectionResetError:
            # Said once, ahead of what is left to read, when the supervisor closed first.
            return self._receive_packet()
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return frame, descriptors, flags

    def socket_of(self, fields: Fields, attached: Attached) -> socket.socket:
        if attached is None or TAG_PROTOCOL_INFO in fields:
            raise ProtocolFault("the offer carries no descriptor")
        return attached

    def send(self, frame: bytes) -> None:
        self._socket.sendall(frame)

    def end(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the supervisor has ended it already

    def close(self) -> None:
        self._socket.close()


class _WindowsChannel:
    """Two one-way pipes."""

    def __init__(self, read_end: int, write_end: int) -> None:
        import msvcrt

        try:
            for handle in (read_end, write_end):
                os.set_handle_inheritable(handle, False)  # type: ignore[attr-defined]
            read_descriptor = msvcrt.open_osfhandle(read_end, os.O_RDONLY)  # type: ignore
            write_descriptor = msvcrt.open_osfhandle(write_end, 0)  # type: ignore
        except OSError as error:
            raise EnvironmentFault("BATON_CHANNEL names no pipes") from error
        self._reader = os.fdopen(read_descriptor, "rb", buffering=0)
        self._writer = os.fdopen(write_descriptor, "wb", buffering=0)
        self._lock = threading.Lock()

    def receive(self) -> Tuple[bytes, Attached]:
        header = self._read_exactly(HEADER.size)
        length = check_header(header) if header else 0
        body = self._read_exactly(length)
        return (header + body if len(body) == length else b""), None

    def _read_exactly(self, length: int) -> bytes:
        """`length` bytes, or b"" if the pipe ends before them."""
        data = b""
        while len(data) < length:
            try:
                piece = self._reader.read(length - len(data))
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.EINVAL):
                    raise
                piece = b""
            if not piece:
                return b""
            data += piece
        return data

    def socket_of(self, fields: Fields, _: Attached) -> socket.socket:
        if TAG_PROTOCOL_INFO not in fields:
            raise ProtocolFault("the offer carries no protocol info")
        rebuilt = socket.fromshare(fields[TAG_PROTOCOL_INFO])  # type: ignore[attr-defined]
        os.set_handle_inheritable(rebuilt.fileno(), False)  # type: ignore[attr-defined]
        return rebuilt

    def send(self, frame: bytes) -> None:
        with self._lock:
            try:
                self._writer.write(frame)
            except OSError as error:
                # Whatever the reason, half a frame may be written: there is no going on.
                raise BrokenPipeError(*error.args) from error

    def end(self) -> None:
        with self._lock:
            self._writer.close()

    def close(self) -> None:
        self.end()
        self._reader.close()


class Baton:
    """Where connections come from; made by open(). next() belongs to one thread; finish() may be
    called from any, for different connections at the same time."""

    def __init__(self, capacity: int, name: str, decide: Decide, cancelled: Cancelled) -> None:
        if not 1 <= capacity <= 65535 or len(name.encode()) > 64:
            raise ValueError("capacity is 1 to 65535, name at most 64 bytes")
        self._decide, self._cancelled = decide, cancelled
        self._capacity = capacity
        self._held: Set[int] = set()
        self._fault: Optional[OSError] = None  # why an offered socket could not be built
        self._channel: Optional[_Channel] = None
        self._sources: List[Connection] = []
        self._ended = False
        words = {key: os.environ.pop(key, None) for key in _VARIABLES}
        if words["BATON_CHANNEL"] is not None:
            self._open_channel(words, capacity, name)
            return
        self._sources = _fallback_sources(words) if os.name == "posix" else []
        if not self._sources:
            raise NoSource(NoSource.__doc__)

    def _open_channel(self, words: Dict[str, Optional[str]], capacity: int, name: str) -> None:
        try:
            read_end, write_end = (int(part) for part in (words["BATON_CHANNEL"] or "").split(","))
            nonce = bytes.fromhex(words["BATON_NONCE"] or "")
            versions = [int(part) for part in (words["BATON_PROTOCOL"] or "").split(",")]
        except ValueError as error:
            raise EnvironmentFault(EnvironmentFault.__doc__) from error
        if len(nonce) != 16 or VERSION not in versions:
            raise EnvironmentFault("BATON_NONCE or BATON_PROTOCOL cannot be used")
        self._channel = _Channel(read_end, write_end)
        fields = {
            TAG_NONCE: nonce,
            TAG_PID: struct.pack("!I", os.getpid()),
            TAG_CAPACITY: struct.pack("!I", capacity),
            TAG_SDK: name.encode(),
        }
        self._channel.send(encode(HELLO, 0, fields))

    def next(self) -> Optional[Connection]:
        """Waits for the next connection and acknowledges it. None when there will be no more:
        finish what is open, then exit with status 0. Raises ProtocolFault or OSError, after which
        nothing more comes from a channel: finish what is open, then exit with status 1. A socket
        that cannot be rebuilt goes to another process, and is told when the channel has ended."""
        if self._channel is None:
            return None if self._ended else self._next_from_sources()
        connection = None
        try:
            while connection is None and not self._ended:
                connection = self._act_on_frame(*self._channel.receive())
        except (Error, OSError):
            self._ended = True
            self._channel.end()
            raise
        if connection is None and self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        return connection

    def _act_on_frame(self, frame: bytes, attached: Attached) -> Optional[Connection]:
        kind = number = 0
        fields: Fields = {}
        try:
            if frame:
                kind, number, fields = decode(frame)
            if kind == OFFER:
                return self._take_offer(number, fields, attached)
            if attached is not None:
                raise ProtocolFault("a descriptor with a frame that is no offer")
        except BaseException:
            if attached is not None:
                attached.close()
            raise
        if not frame or kind == DRAIN:
            self._ended = True
        elif kind == CANCEL and self._cancelled is not None:
            self._cancelled(number)
        return None

    def _take_offer(self, number: int, fields: Fields, attached: Attached) -> Optional[Connection]:
        assert self._channel is not None
        try:
            offered = self._channel.socket_of(fields, attached)
        except OSError as error:
            self._fault = error
            self._say(NACK, number, {TAG_REASON: b"\1", TAG_TEXT: b"the socket could not be built"})
            return None
        if number in self._held or len(self._held) >= self._capacity:
            offered.close()
            raise ProtocolFault("an offer of a connection that is held, or beyond the capacity")
        connection = Connection(
            socket=offered,
            kind=fields[TAG_KIND][0],
            number=number,
            id=int.from_bytes(fields[TAG_ID], "big"),
            accepted_us=int.from_bytes(fields[TAG_ACCEPTED_US], "big"),
            service=fields[TAG_SERVICE].decode(),
            peer=_address_text(fields.get(TAG_PEER)),
            local=_address_text(fields.get(TAG_LOCAL)),
        )
        decision = REFUSE if connection.kind != KIND_CONNECTION else TAKE
        if decision == TAKE and self._decide is not None:
            decision = self._decide(connection)
        if decision != TAKE:
            offered.close()
            self._say(NACK, number, {TAG_REASON: bytes([decision])})
            return None
        self._held.add(number)
        if self._say(ACK, number):
            return connection
        self._held.discard(number)
        offered.close()
        return None

    def _say(self, kind: int, number: int, fields: Optional[Fields] = None) -> bool:
        """False when the channel has ended, which is read next, or is closed (ValueError)."""
        assert self._channel is not None
        try:
            self._channel.send(encode(kind, number, fields))
        except (BrokenPipeError, ConnectionResetError, ValueError):
            return False
        return True

    def _next_from_sources(self) -> Optional[Connection]:
        for index, source in enumerate(self._sources):
            if not source.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return self._sources.pop(index)
        if not self._sources:
            return None
        while True:
            ready, _, _ = select.select([source.socket for source in self._sources], [], [])
            for source in self._sources:
                if source.socket in ready:
                    try:
                        accepted, peer = source.socket.accept()
                    except (BlockingIOError, ConnectionAbortedError):
                        continue
                    accepted.setblocking(True)
                    local = _name_text(accepted.getsockname())
                    name, peer_text = source.service, _name_text(peer)
                    return Connection(accepted, service=name, peer=peer_text, local=local)

    def finish(self, connection: Connection, status: int = 0, text: str = "") -> None:
        """Closes the socket, then reports DONE: status 0 is served, 1 to 255 failed; `text` (at most
        256 bytes of it) goes to the record. Does nothing the second time, and nothing more than
        closing when the supervisor has gone."""
        if connection.finished:
            return
        connection.finished = True
        connection.socket.close()
        if self._channel is None:
            return
        # First, because after DONE the next offer may come before we are back here.
        self._held.discard(connection.number)
        fields: Fields = {TAG_STATUS: bytes([status if 0 <= status <= 255 else 1])}
        if connection.bytes_in or connection.bytes_out:
            fields[TAG_BYTES_IN] = struct.pack("!Q", connection.bytes_in)
            fields[TAG_BYTES_OUT] = struct.pack("!Q", connection.bytes_out)
        if text:
            clipped = text.replace("\0", "?").encode("utf-8", "replace")[:256]
            fields[TAG_TEXT] = clipped.decode("utf-8", "ignore").encode()
        self._say(DONE, connection.number, fields)  # if that fails, nobody wants to know

    def retire(self) -> None:
        """Asks for no more offers. Go on to call next() until it returns None."""
        if self._channel is None:
            self._ended = True
        else:
            self._channel.send(encode(RETIRE))

    def close(self) -> None:
        """Closes the channel or listeners; connections that were given out stay open."""
        self._ended = True
        if self._channel is not None:
            self._channel.close()
        while self._sources:
            self._sources.pop().socket.close()


_VARIABLES = "BATON_PROTOCOL BATON_CHANNEL BATON_NONCE LISTEN_PID LISTEN_FDS LISTEN_FDNAMES".split()


def _stream_socket(descriptor: int) -> Optional[socket.socket]:
    """The descriptor as a socket object, or None if it is no stream socket."""
    try:
        candidate = socket.socket(fileno=descriptor)
    except OSError:
        return None
    if candidate.type != socket.SOCK_STREAM:
        candidate.detach()
        return None
    os.set_inheritable(descriptor, False)
    return candidate


def _as_source(stream: socket.socket, name: str) -> Connection:
    source = Connection(stream, service=name)
    if not stream.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        stream.setblocking(True)
        source.peer, source.local = _name_text(stream.getpeername()), _name_text(stream.getsockname())
    return source


def _fallback_sources(words: Dict[str, Optional[str]]) -> List[Connection]:
    sources: List[Connection] = []
    if words["LISTEN_PID"] == str(os.getpid()) and words["LISTEN_FDS"] is not None:
        if not words["LISTEN_FDS"].isdecimal():
            raise EnvironmentFault("LISTEN_FDS is no number")
        names = (words["LISTEN_FDNAMES"] or "").split(":")
        for index in range(int(words["LISTEN_FDS"])):
            stream = _stream_socket(3 + index)
            if stream is not None:
                sources.append(_as_source(stream, names[index] if index < len(names) else ""))
    if not sources:
        sources = _standard_input_source()
    return sources


def _standard_input_source() -> List[Connection]:
    """A socket on standard input, moved away; streams that were the same one become /dev/null."""
    stream = _stream_socket(0)
    if stream is None:
        return []
    ours = os.fstat(0)
    moved = socket.socket(fileno=os.dup(stream.detach()))
    null_device = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        try:
            same = os.path.samestat(os.fstat(descriptor), ours)
        except OSError:
            continue
        if same:
            os.dup2(null_device, descriptor)
    os.close(null_device)
    return [_as_source(moved, "")]


def open(  # noqa: A001 - the name that baton.h has
    capacity: int = 1, name: str = "baton.py", decide: Decide = None, cancelled: Cancelled = None
) -> Baton:
    """Finds out where connections come from and, with a channel, says HELLO.

    Call it before other threads exist: it takes BATON_... and LISTEN_... out of the environment.
    `decide(connection)` is asked before an offer is acknowledged and returns TAKE, RETIRE_ME, BUSY
    or REFUSE; it must not read. `cancelled(number)` is told when that connection should end soon.
    Raises NoSource, EnvironmentFault, ValueError or OSError.
    """
    return Baton(capacity, name, decide, cancelled)


def serve(function: Callable[[Connection], Optional[int]]) -> int:
    """The usual case: calls `function` for one connection after the other, and finishes each with
    what it returns (None is 0, served; an exception is 1 and goes to standard error). Returns what
    the program should exit with."""
    status, baton = 0, open()
    for connection in iter(baton.next, None):
        text = ""
        try:
            status = function(connection) or 0
        except Exception as error:  # one client's trouble must not end the process
            traceback.print_exc(file=sys.stderr)
            status, text = 1, f"{type(error).__name__}: {error}"
        baton.finish(connection, status, text)
    baton.close()
    return status


Decide = Optional[Callable[[Connection], int]]
Cancelled = Optional[Callable[[int], None]]
if sys.platform == "win32":
    _Channel = _WindowsChannel
else:
    _Channel = _PosixChannel
