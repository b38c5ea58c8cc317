"""For baton.py: datagrams, at which of our addresses they came, and which may be answered.

A socket that is bound to all of them would answer from the one that the route suggests, which a
connected client does not take (ip(7), ipv6(7)). On Windows Python has no recvmsg(), and it does.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from typing import Any, List, Optional, Set, Tuple

# Python names them since 3.14 only, or not on every system.
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # Linux's own number
_IN_PKTINFO = struct.Struct("=I4s4s")  # interface, address of ours, address in the header
_IN6_PKTINFO = struct.Struct("=16sI")

_ABOUT_SOURCE = (errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENODEV)

CAN_TELL = sys.platform == "linux" or (
    hasattr(socket, "IP_PKTINFO") and hasattr(socket.socket, "recvmsg")
)
Arrival = Optional[Tuple[int, int, bytes]]  # level, type and data of what names our address


# Ports from which no client asks and where a service may answer whatever it gets: baton.h has names.
_ANSWERING = (*range(1024), 1900, 2049, 3074, 3702, 5060, 5353, 5683, 11211, 27960)
_own_ports: Set[int] = set()  # of this process
BUCKETS_COUNT = 1024
BURST_COUNT = 1000  # answers at once
INTERVAL_S = 0.01  # and then one in this time


class Limit:
    """How many answers a sender gets, as limit.h has it: counters by a hash, bounded memory."""

    def __init__(self) -> None:
        self._full_at_s = [0.0] * BUCKETS_COUNT  # when a counter will be full again

    def take(self, sender: str, now_s: float) -> bool:
        """Counts one answer to `sender`; False if it has had too many. hash() of a text is secret."""
        bucket = hash(sender) % BUCKETS_COUNT
        from_s = max(self._full_at_s[bucket], now_s)
        if from_s - now_s > (BURST_COUNT - 0.5) * INTERVAL_S:
            return False
        self._full_at_s[bucket] = from_s + INTERVAL_S
        return True


def would_loop(port: int) -> bool:
    """Is it a port that a datagram must not be answered to, by who answers whatever he gets?"""
    return port in _ANSWERING or port in _own_ports


def prepare(bound: socket.socket) -> None:
    """From now on the system tells where a datagram came."""
    name = bound.getsockname()
    if isinstance(name, tuple):
        _own_ports.add(name[1])
    if not CAN_TELL:
        return
    for level, option in (
        (socket.IPPROTO_IP, IP_PKTINFO),
        (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
    ):
        try:
            bound.setsockopt(level, option, 1)
        except OSError:
            pass  # a socket of another family, which does not need it


def _is_a_hosts(address: bytes) -> bool:
    """False for a group's or a broadcast address: connect(2) refuses the latter."""
    if 224 <= address[0] < 240:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((socket.inet_ntop(socket.AF_INET, address), 9))
        except OSError:
            return False
    return True


def _arrival_of(parts: List[Tuple[int, int, bytes]]) -> Tuple[Arrival, str]:
    """What to answer with, and the address as a text."""
    arrival: Arrival = None
    host = ""
    for level, kind, data in parts:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            address, interface = _IN6_PKTINFO.unpack(data)
            is_link_local = address[0] == 0xFE and address[1] & 0xC0 == 0x80
            if address[0] != 0xFF:
                # Otherwise the route decides where it goes out, which may not be where it came in.
                arrival = level, kind, _IN6_PKTINFO.pack(address, interface * is_link_local)
                host = socket.inet_ntop(socket.AF_INET6, address)
        elif (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            # Comes behind the other where there are both, and knows more: for what was sent to all
            # also an address of ours, if it came after prepare().
            _, ours, header = _IN_PKTINFO.unpack(data)
            if not any(ours):
                ours = header if _is_a_hosts(header) else ours
            arrival, host = None, ""
            if any(ours):
                arrival = level, kind, _IN_PKTINFO.pack(0, ours, bytes(4))
                host = socket.inet_ntop(socket.AF_INET, ours)
    return arrival, host


def receive(bound: socket.socket, size: int) -> Tuple[bytes, Any, Arrival, str]:
    """A datagram, its sender, what to answer with, and our address that it came to or ""."""
    if not CAN_TELL:
        data, sender = bound.recvfrom(size)
        return data, sender, None, ""
    room = socket.CMSG_SPACE(_IN_PKTINFO.size) + socket.CMSG_SPACE(_IN6_PKTINFO.size)
    data, parts, _, sender = bound.recvmsg(size, room, socket.MSG_DONTWAIT)
    return (data, sender, *_arrival_of(parts))


def send(bound: socket.socket, data: bytes, receiver: Any, arrival: Arrival) -> None:
    """Answers from where it came, or as the route suggests where that cannot be."""
    if arrival is not None:
        try:
            bound.sendmsg([data], [arrival], 0, receiver)
            return
        except OSError as error:
            # The address is not ours any more.
            if error.errno not in _ABOUT_SOURCE:
                raise
    bound.sendto(data, receiver)
