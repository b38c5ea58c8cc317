"""Take connections from batond, in Python 3.9 or newer with nothing but the standard library.

Beside this file, where it is one beside a handler and not an installed package: baton_channel.py,
baton_datagram.py, baton_forking.py, baton_output.py, baton_sources.py, baton_wire.py.

A whole handler:

    import baton

    def greet(connection):
        connection.socket.sendall(b"hello\\n")

    raise SystemExit(baton.serve(greet))

The shape is that of baton.h; the protocol is described in PROTOCOL.md. Tested on Linux. The Windows
half (pipes by msvcrt.open_osfhandle, sockets by socket.fromshare) follows the same page but is
untested on Windows.

Without a channel, open() takes what batond gives in its other hand-off modes, and what other
super-servers give: LISTEN_FDS (systemd), or a socket on standard input (inetd, xinetd, tcpserver). Of a listening socket the module accepts by itself, and ends when nobody came for a while,
to be started again by the next client.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import traceback
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Sequence, Set, Tuple

from baton_channel import Attached, PosixChannel, WindowsChannel
from baton_output import let_streams_last, log
from baton_sources import Connection, EnvironmentFault, Source, Sources, fallback_sources
from baton_wire import *  # noqa: F403

TAKE, RETIRE_ME, BUSY, REFUSE = 0, 1, 2, 3  # what `decide` returns; 1 to 3 are NACK's reasons
IDLE_MS = 10000
NEVER_MS = (1 << 32) - 1


@dataclass(frozen=True)
class Limits:
    """What the supervisor has said that it really does, within what `capacity` was."""

    capacity: int  # connections that it offers at a time
    handshake_ms: int  # within which an offer is to be answered
    stop_ms: int  # that there are from DRAIN, or a cancellation, to the end by force
    reuse: int  # connections that it offers to this process in its life; 0 is no bound


class NoSource(Error):
    """No channel, and no socket of a kind that the program serves in LISTEN_FDS or on standard
    input: start it by batond; not with handoff = pump, and with protocol = udp only if it serves
    datagrams."""


def _address_text(value: Optional[bytes]) -> str:
    if value is None:
        return ""
    family = socket.AF_INET if value[0] == 4 else socket.AF_INET6
    host = socket.inet_ntop(family, value[3:])
    port = int.from_bytes(value[1:3], "big")
    return f"{host}:{port}" if value[0] == 4 else f"[{host}]:{port}"


def done_fields(status: int, bytes_in: int, bytes_out: int, text: str) -> Fields:
    fields: Fields = {TAG_STATUS: bytes([status if 0 <= status <= 255 else 1])}
    if bytes_in or bytes_out:
        fields[TAG_BYTES_IN] = struct.pack("!Q", bytes_in)
        fields[TAG_BYTES_OUT] = struct.pack("!Q", bytes_out)
    if text:
        clipped = text.replace("\0", "?").encode("utf-8", "replace")[:256]
        fields[TAG_TEXT] = clipped.decode("utf-8", "ignore").encode()
    return fields


_HEX_DIGITS = set("0123456789abcdefABCDEF")


def _is_kept() -> bool:
    """A worker that ends is replaced at once."""
    try:
        return parse_number(os.environ.get("BATON_WORKERS", "")) > 0
    except ValueError:
        return False


def _idle_s(wanted: Optional[float]) -> Optional[float]:
    """How long to wait for a client, in seconds; None is for ever."""
    if wanted is None:
        text = os.environ.get("LIBBATON_IDLE_MS")
        try:
            otherwise_ms = NEVER_MS if _is_kept() else IDLE_MS
            wanted_ms = parse_number(text) if text else otherwise_ms
        except ValueError as error:
            raise EnvironmentFault(f"LIBBATON_IDLE_MS: {error}") from error
        return None if wanted_ms == NEVER_MS else wanted_ms / 1000
    if not wanted >= 0:  # a NaN too
        raise ValueError("idle_s is 0 or more")
    return None if wanted * 1000 >= NEVER_MS else wanted


def _number(fields: Fields, tag: int) -> Optional[int]:
    return int.from_bytes(fields[tag], "big") if tag in fields else None


class Baton:
    """Where connections come from; made by open(). next() belongs to one thread; finish() may be
    called from any, for different connections at the same time.

    `limits` is None as long as the supervisor has not said any. batond says them to who asks for a
    capacity above 1, ahead of the first offer."""

    limits: Optional[Limits] = None

    def __init__(self, options: _Options) -> None:
        if not isinstance(options.capacity, int) or not 1 <= options.capacity <= 65535:
            raise ValueError("capacity is 1 to 65535")
        if len(options.name.encode()) > 64:
            raise ValueError("name is at most 64 bytes")
        self._options = options
        self._held: Set[int] = set()
        self._fault: Optional[OSError] = None  # why an offered socket could not be built
        self._channel: Optional[_Channel] = None
        self._ended = self._draining = False
        self._sources = Sources(KIND_LISTENER in options.kinds)
        let_streams_last()
        try:
            words = {key: os.environ.pop(key, None) for key in _VARIABLES}
            self._idle_s = _idle_s(options.idle_s)
            if words["BATON_CHANNEL"] is not None:
                self._open_channel(words, options.capacity, options.name)
                return
            self._sources.items = fallback_sources(words, list(options.kinds))
            if not self._sources.items:
                raise NoSource(" ".join((NoSource.__doc__ or "").split()))
            self._sources.watch_sigterm()
        except BaseException:
            Baton.close(self)  # a server that forks has not begun
            raise

    def _open_channel(self, words: Dict[str, Optional[str]], capacity: int, name: str) -> None:
        try:
            read_end, write_end = map(parse_number, (words["BATON_CHANNEL"] or "").split(","))
            versions = list(map(parse_number, (words["BATON_PROTOCOL"] or "").split(",")))
        except ValueError as error:
            raise EnvironmentFault(f"BATON_CHANNEL or BATON_PROTOCOL: {error}") from error
        nonce_text = words["BATON_NONCE"] or ""
        if len(nonce_text) != 32 or not set(nonce_text) <= _HEX_DIGITS:
            raise EnvironmentFault("BATON_NONCE is not 32 hexadecimal digits")
        if VERSION not in versions:
            raise EnvironmentFault("BATON_PROTOCOL: the supervisor does not speak version 1")
        nonce = bytes.fromhex(nonce_text)
        self._channel = _Channel(read_end, write_end)
        fields = {
            TAG_NONCE: nonce,
            TAG_PID: struct.pack("!I", os.getpid()),
            TAG_CAPACITY: struct.pack("!I", capacity),
            TAG_SDK: name.encode(),
        }
        self._channel.send(encode(HELLO, 0, fields))

    def next(self) -> Optional[Connection]:
        """Waits for the next connection and acknowledges it, or accepts it from a listener. None
        when there will be no more (also when nobody came to a listener for `idle_s`): finish what is
        open, then exit with status 0. Raises ProtocolFault or OSError, after which nothing more
        comes from a channel: finish what is open, then exit with status 1. A socket that cannot be
        rebuilt goes to another process, and is told when the channel has ended."""
        connection = None
        try:
            while connection is None and not self._is_over():
                connection = self._go_on()
        except (Error, OSError):
            if self._channel is not None:
                self._ended = True
                self._channel.end()
                self._sources.close_all()
            raise
        if connection is None:
            self._close_sources()
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
        return connection

    def _is_over(self) -> bool:
        """After DRAIN only CANCEL can come that concerns anybody: for who listens to it, and as
        long as something is held."""
        listens = self._options.cancelled is not None and self._held
        return self._ended or (self._draining and not listens)

    def _go_on(self) -> Optional[Connection]:
        """Waits once, for whatever it may be."""
        sources, found = self._sources, self._channel
        if sources.items or self._draining:
            idle_s = None if self._draining else self._idle_s
            try:
                found = sources.wait(self._options.capacity, self._channel, idle_s)
            except TimeoutError:
                self._close_sources()
                return None
        if isinstance(found, Source):
            return sources.take(found)
        if found is not None:
            return self._act_on_frame(*found.receive())
        self._ended = sources.stopped or not (sources.items or self._draining)
        return None

    def _close_sources(self, number: int = 0) -> None:
        """Gives them back, all or that of one OFFER."""
        for done in self._sources.close_all(number):
            self._say_source_is_done(done)

    def _say_source_is_done(self, number: int) -> None:
        self._held.discard(number)
        self._say(DONE, number, {TAG_STATUS: b"\0"})

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
        if not frame:
            self._ended = True
        elif kind == DRAIN:
            self._draining = True
            self._close_sources()  # what is shared is given back at once
        elif kind == CANCEL and number in self._held:
            self._cancel(number)
        elif kind == LIMITS:
            self._take_limits(fields)
        return None

    def _take_limits(self, fields: Fields) -> None:
        """The first one counts, and allows no more than we asked for."""
        tags = TAG_CAPACITY, TAG_HANDSHAKE_MS, TAG_STOP_MS, TAG_REUSE
        capacity, *others = (int.from_bytes(fields[tag], "big") for tag in tags)
        if self.limits is None:
            self.limits = Limits(min(capacity, self._options.capacity), *others)

    def _cancel(self, number: int) -> None:
        if any(source.number == number for source in self._sources.items):
            self._close_sources(number)
        elif self._options.cancelled is not None:
            self._options.cancelled(number)

    def _take_offer(self, number: int, fields: Fields, attached: Attached) -> Optional[Connection]:
        assert self._channel is not None
        try:
            offered = self._channel.socket_of(fields, attached)
        except OSError as error:
            self._fault = error
            self._say(NACK, number, {TAG_REASON: b"\1", TAG_TEXT: b"the socket could not be built"})
            return None
        if self._draining or number in self._held or len(self._held) >= self._options.capacity:
            offered.close()
            raise ProtocolFault("an offer of what is held, beyond the capacity, or after DRAIN")
        connection = Connection(
            socket=offered,
            kind=fields[TAG_KIND][0],
            number=number,
            id=int.from_bytes(fields[TAG_ID], "big"),
            accepted_us=int.from_bytes(fields[TAG_ACCEPTED_US], "big"),
            service=fields[TAG_SERVICE].decode(),
            peer=_address_text(fields.get(TAG_PEER)),
            local=_address_text(fields.get(TAG_LOCAL)),
            via=_address_text(fields.get(TAG_VIA)),
            path=fields.get(TAG_PATH, b"").decode(),
            peer_count=_number(fields, TAG_PEER_COUNT) or 0,
            peer_uid=_number(fields, TAG_PEER_UID),
            peer_pid=_number(fields, TAG_PEER_PID),
        )
        kinds = self._options.kinds
        accepts = connection.kind == KIND_LISTENER and KIND_CONNECTION in kinds
        decision = TAKE if connection.kind in kinds or accepts else REFUSE
        if decision == TAKE and self._options.decide is not None:
            decision = self._options.decide(connection)
        if decision != TAKE:
            offered.close()
            self._say(NACK, number, {TAG_REASON: bytes([decision])})
            return None
        self._held.add(number)
        return self._take(connection)

    def _take(self, connection: Connection) -> Optional[Connection]:
        """Acknowledges the offer. A shared socket that we serve from goes to the sources."""
        number, kind = connection.number, connection.kind
        if not self._say(ACK, number):
            self._held.discard(number)
            connection.socket.close()
            return None
        if kind == KIND_CONNECTION or (kind == KIND_LISTENER and kind in self._options.kinds):
            return connection
        source = Source(connection.socket, kind, connection.service, number, connection.id)
        self._sources.items.append(source)
        return None

    def _say(self, kind: int, number: int, fields: Optional[Fields] = None) -> bool:
        """False when the channel has ended, which is read next, or is closed (ValueError)."""
        assert self._channel is not None
        try:
            self._channel.send(encode(kind, number, fields))
        except (BrokenPipeError, ConnectionResetError, ValueError):
            return False
        return True

    def finish(self, connection: Connection, status: int = 0, text: str = "") -> None:
        """Closes the socket (one of kind DATAGRAM goes back), then reports DONE: status 0 is served,
        1 to 255 failed; `text` (at most 256 bytes), else the connection's, goes to the record. Does nothing the second time, and nothing more than
        closing when the supervisor has gone."""
        if connection.finished:
            return
        connection.finished = True
        if connection.number == 0:
            done = self._sources.give_back(connection)
            if done:
                self._say_source_is_done(done)
            return
        connection.socket.close()
        # First, because after DONE the next offer may come before we are back here.
        self._held.discard(connection.number)
        text = text or str(connection.text)
        fields = done_fields(status, connection.bytes_in, connection.bytes_out, text)
        self._say(DONE, connection.number, fields)  # if that fails, nobody wants to know
        self._sources.wake()  # it may have been the last one after DRAIN

    def retire(self) -> None:
        """Asks for no more offers. Go on to call next() until it returns None."""
        if self._sources.live_count:
            # The end of the channel follows the last DONE, and then our own end within the
            # supervisor's time: not while clients that we have accepted are served.
            self._sources.close_all()
        else:
            self._close_sources()
        if self._channel is None:
            self._ended = True
        else:
            self._say(RETIRE, 0)  # if that fails, the end is read next

    def close(self) -> None:
        """Closes the channel or listeners; connections that were given out stay open."""
        self._ended = True
        if self._channel is not None:
            self._channel.close()
        self._sources.close()


@dataclass
class _Options:
    capacity: int
    name: str
    decide: Decide
    cancelled: Cancelled
    kinds: Sequence[int]
    idle_s: Optional[float]


def open(  # noqa: A001 - the name that baton.h has
    capacity: int = 1,
    name: str = "baton.py",
    decide: Decide = None,
    cancelled: Cancelled = None,
    kinds: Sequence[int] = (KIND_CONNECTION,),
    idle_s: Optional[float] = None,
) -> Baton:
    """Finds out where connections come from and, with a channel, says HELLO.

    Call it before other threads exist: it takes BATON_PROTOCOL, BATON_CHANNEL, BATON_NONCE and
    LISTEN_... out of the environment. `decide(connection)` is asked before an offer is acknowledged
    and returns TAKE, RETIRE_ME, BUSY or REFUSE; it must not read. `cancelled(number)` is told when
    that connection, which is not finished, should end soon; with it next() goes on after DRAIN until
    all is finished, so another thread has to finish. `kinds`: without KIND_LISTENER, connections are accepted from a
    listener. sys.stdout and sys.stderr become streams that outlive the supervisor, unless the
    program has put others there: what nobody reads any more is dropped, and raises nothing (POSIX;
    Python ignores SIGPIPE itself, and `subprocess` gives children the default back). log(text)
    writes one line to the supervisor's log in the same way. `idle_s`: when to give up a listener or datagram socket to which nobody comes, in
    seconds, 0 or more (from 4294967.295 on: never); None is LIBBATON_IDLE_MS of the environment
    (decimal digits; 4294967295 is never), else 10 s, and never with BATON_WORKERS. Without a channel the first SIGTERM means DRAIN.
    Raises NoSource, EnvironmentFault, ValueError or OSError.
    """
    return Baton(_Options(capacity, name, decide, cancelled, kinds, idle_s))


def _serve_datagrams(connection: Connection, datagram: Datagram) -> bool:
    """False if the socket itself fails, which the next round would meet again."""
    for _ in range(64):  # then whoever else waits, and DRAIN, have their turn
        try:
            data = connection.receive_datagram()
        except OSError as error:
            log(f"cannot receive: {error}")
            return False
        if data is None:
            break
        try:
            datagram(connection, data)
        except Exception:  # one sender's trouble must not end the process
            traceback.print_exc(file=sys.stderr)
    return True


def serve_one(function: Function, connection: Connection) -> Tuple[int, str]:
    """The status and text that the connection ends with."""
    try:
        return function(connection) or 0, str(connection.text)
    except Exception as error:  # one client's trouble must not end the process
        traceback.print_exc(file=sys.stderr)
        return 1, f"{type(error).__name__}: {error}"


def serve(
    function: Optional[Function],
    datagram: Optional[Datagram] = None,
) -> int:
    """The usual case: calls `function` for one connection after the other, and finishes each with
    what it returns (None is 0, served; an exception is 1 and goes to standard error) and with the
    connection's `text`. For a service of UDP `datagram(connection, data)` is called for each
    datagram; connection.answer() answers it.
    Returns what the program should exit with: the last status, 0 after a listener; 1 if it could not
    open, or the channel was broken."""
    kinds = [KIND_CONNECTION] * (function is not None) + [KIND_DATAGRAM] * (datagram is not None)
    status = 0
    try:
        baton = open(kinds=kinds)
    except (Error, OSError, ValueError) as error:
        log(f"cannot start: {type(error).__name__}: {error}")
        return 1
    while True:
        try:
            connection = baton.next()
        except (Error, OSError) as error:
            log(f"cannot go on: {type(error).__name__}: {error}")
            status = 1
            break
        if connection is None:
            break
        result, text, works = 0, "", True
        if connection.kind == KIND_DATAGRAM and datagram is not None:
            works = _serve_datagrams(connection, datagram)
        elif function is not None:
            result, text = serve_one(function, connection)
            if connection.number == 0 and connection.text:
                log(f"{connection.peer}: {connection.text}")
        status = result if connection.source is None else 0
        baton.finish(connection, result, text)
        if not works:
            status = 1
            break
    baton.close()
    return status


def serve_forking(function: Function, capacity: int) -> int:
    """The same with a process for each connection, forked from this one: do what takes long (import,
    read, fill tables) before the call, and each client gets a fresh process for the price of a fork.
    POSIX, main thread; on Windows it says so and returns 1. See baton_serve_forking() in baton.h.

    `capacity`, 1 to 65535, is how many children there are at most; batond's `capacity` and `reuse`
    say how many it really offers (`reuse = 0`: without end). `function` is called in the child; what
    it returns (None is 0, an exception 1; sys.exit() as ever) is the child's exit code, and STATUS of
    DONE, with the `text` of its connection. Functions of atexit are not called in a child. What there is at the call is kept from the garbage collector
    (gc.freeze), which would write to it, and moved to huge pages where the system has some."""
    import baton_forking

    return baton_forking.serve(function, capacity)


Datagram = Callable[[Connection, bytes], object]
Function = Callable[[Connection], Optional[int]]
_VARIABLES = "BATON_PROTOCOL BATON_CHANNEL BATON_NONCE LISTEN_PID LISTEN_FDS LISTEN_FDNAMES".split()
Decide = Optional[Callable[[Connection], int]]
Cancelled = Optional[Callable[[int], None]]
if sys.platform == "win32":
    _Channel = WindowsChannel
else:
    _Channel = PosixChannel
