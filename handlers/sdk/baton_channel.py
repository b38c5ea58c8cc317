"""For baton.py: the channel to the supervisor, on POSIX and on Windows."""

from __future__ import annotations

import errno
import os
import socket
import threading
from array import array
from typing import List, Tuple, Union

from baton_sources import Channel, EnvironmentFault, Unbuilt, kind_of, offered_socket
from baton_wire import (
    BODY_MAX_BYTES, HEADER, TAG_KIND, TAG_PROTOCOL_INFO, Fields, ProtocolFault, check_header,
)

Attached = Union[socket.socket, Unbuilt, None]  # what came with a frame


class PosixChannel(Channel):
    """One end of a SOCK_SEQPACKET pair; a frame is a packet."""

    def __init__(self, read_end: int, write_end: int) -> None:
        if read_end != write_end or read_end >= 1 << 31:
            raise EnvironmentFault("BATON_CHANNEL names two descriptors, or one that cannot be")
        try:
            self._socket = socket.socket(fileno=read_end)
        except OSError as error:
            raise EnvironmentFault("BATON_CHANNEL names no socket") from error
        # Whatever else it is stays as it was: the number may be somebody else's.
        if (self._socket.family, self._socket.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            self._socket.detach()
            raise EnvironmentFault("BATON_CHANNEL names no channel")
        os.set_inheritable(read_end, False)
        self._socket.setblocking(True)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Tuple[bytes, Attached]:
        """The next frame and the socket that came with it; b"" at the end."""
        frame, descriptors, is_right = self._receive_packet()
        if not is_right or len(descriptors) > 1:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ProtocolFault("frame or control data cut, several descriptors, or what is none")
        return frame, offered_socket(descriptors[0]) if descriptors else None

    def _receive_packet(self) -> Tuple[bytes, List[int], bool]:
        """A packet, its descriptors, and whether it came whole, and nothing else with it."""
        size, wanted = HEADER.size + BODY_MAX_BYTES, (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        flags, descriptors = getattr(socket, "MSG_CMSG_CLOEXEC", 0), array("i")
        room = socket.CMSG_SPACE(8 * descriptors.itemsize)
        try:
            frame, parts, flags, _ = self._socket.recvmsg(size, room, flags)
        except ConnectionResetError:
            # Said once, ahead of what is left to read, when the supervisor closed first.
            return self._receive_packet()
        for level, kind, value in parts:
            if (level, kind) == wanted:
                descriptors.frombytes(value[: len(value) - len(value) % descriptors.itemsize])
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        is_right = all(part[:2] == wanted for part in parts)
        is_right = is_right and not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        return frame, list(descriptors), is_right

    def socket_of(self, fields: Fields, attached: Attached) -> socket.socket:
        if attached is None or TAG_PROTOCOL_INFO in fields:
            raise ProtocolFault("the offer carries no descriptor")
        if isinstance(attached, Unbuilt):
            attached.close()
            raise attached.fault
        if kind_of(attached) != fields[TAG_KIND][0]:
            raise ProtocolFault("the offered socket is not of the kind that the offer says")
        return attached

    def send(self, frame: bytes) -> None:
        if self._socket.fileno() < 0:
            raise ValueError("the channel is closed")
        self._socket.sendall(frame)

    def end(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
            # An OFFER may lie behind a breach: its client would see no end while we live. The end
            # comes behind what is there.
            frame, descriptors, _ = self._receive_packet()
            while frame or descriptors:
                for descriptor in descriptors:
                    os.close(descriptor)
                frame, descriptors, _ = self._receive_packet()
        except OSError:
            pass  # the supervisor has ended it already

    def close(self) -> None:
        self._socket.close()


def _handle(number: int) -> int:
    """Handles have 32 significant bits, sign-extended to 64."""
    return number - (1 << 32) if number >= 1 << 31 else number


class WindowsChannel(Channel):
    """Two one-way pipes."""

    can_be_selected = False

    def __init__(self, read_end: int, write_end: int) -> None:
        import msvcrt

        read_end, write_end = _handle(read_end), _handle(write_end)
        try:
            for handle in (read_end, write_end):
                os.set_handle_inheritable(handle, False)  # type: ignore[attr-defined]
            read_descriptor = msvcrt.open_osfhandle(read_end, os.O_RDONLY)  # type: ignore
            write_descriptor = msvcrt.open_osfhandle(write_end, 0)  # type: ignore
        except OSError as error:
            raise EnvironmentFault("BATON_CHANNEL names no pipes") from error
        self._read_end = read_end
        self._reader = os.fdopen(read_descriptor, "rb", buffering=0)
        self._writer = os.fdopen(write_descriptor, "wb", buffering=0)
        self._lock = threading.Lock()

    def has_more(self) -> bool:
        import ctypes

        waiting = ctypes.c_ulong(0)
        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
        handle = ctypes.c_void_p(self._read_end)
        known = kernel.PeekNamedPipe(handle, None, 0, None, ctypes.byref(waiting), None)
        return not known or waiting.value > 0  # the end is to be read too

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
