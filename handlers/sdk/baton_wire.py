"""The frames of the channel protocol (PROTOCOL.md) for baton.py: no I/O."""

from __future__ import annotations

import struct
from typing import Dict, Optional, Tuple

MAGIC = b"BATN"
VERSION = 1
HEADER = struct.Struct("!4sBBHII")
FIELD = struct.Struct("!HH")
BODY_MAX_BYTES = 16384
PROTOCOL_INFO_BYTES = 628

HELLO, ACK, NACK, DONE, RETIRE = 0x01, 0x02, 0x03, 0x04, 0x05
OFFER, CANCEL, DRAIN, LIMITS = 0x11, 0x12, 0x13, 0x81
TYPE_OPTIONAL = 0x80

TAG_NONCE, TAG_PID, TAG_CAPACITY, TAG_SDK = 0x0001, 0x0002, 0x0003, 0x8004
TAG_REASON, TAG_STATUS = 0x0005, 0x0006
TAG_BYTES_IN, TAG_BYTES_OUT, TAG_TEXT = 0x8007, 0x8008, 0x8009
TAG_SERVICE, TAG_KIND, TAG_PEER, TAG_LOCAL = 0x000A, 0x000B, 0x000C, 0x000D
TAG_ACCEPTED_US, TAG_ID, TAG_PROTOCOL_INFO = 0x000E, 0x000F, 0x0010
TAG_PEER_COUNT, TAG_VIA, TAG_PATH, TAG_PEER_UID, TAG_PEER_PID = range(0x8011, 0x8016)
TAG_HANDSHAKE_MS, TAG_STOP_MS, TAG_REUSE = 0x0016, 0x0017, 0x0018
TAG_CPU_US, TAG_MEMORY_PEAK_KIB = 0x8019, 0x801A
TAG_OPTIONAL = 0x8000

KIND_CONNECTION, KIND_LISTENER, KIND_DATAGRAM = 1, 2, 3

# Tag: the message types it belongs to, those that require it, the least and greatest length.
_Rule = Tuple[Tuple[int, ...], Tuple[int, ...], int, int]
_RULES: Dict[int, _Rule] = {
    TAG_NONCE: ((HELLO,), (HELLO,), 16, 16),
    TAG_PID: ((HELLO, ACK, DONE), (HELLO,), 4, 4),
    TAG_CAPACITY: ((HELLO, LIMITS), (HELLO, LIMITS), 4, 4),
    TAG_SDK: ((HELLO,), (), 0, 64),
    TAG_REASON: ((NACK,), (NACK,), 1, 1),
    TAG_STATUS: ((DONE,), (DONE,), 1, 1),
    TAG_BYTES_IN: ((DONE,), (), 8, 8),
    TAG_BYTES_OUT: ((DONE,), (), 8, 8),
    TAG_TEXT: ((NACK, DONE), (), 0, 256),
    TAG_SERVICE: ((OFFER,), (OFFER,), 1, 255),
    TAG_KIND: ((OFFER,), (OFFER,), 1, 1),
    TAG_PEER: ((OFFER,), (), 7, 19),
    TAG_LOCAL: ((OFFER,), (), 7, 19),
    TAG_ACCEPTED_US: ((OFFER,), (OFFER,), 8, 8),
    TAG_ID: ((OFFER,), (OFFER,), 8, 8),
    TAG_PROTOCOL_INFO: ((OFFER,), (), PROTOCOL_INFO_BYTES, PROTOCOL_INFO_BYTES),
    TAG_PEER_COUNT: ((OFFER,), (), 4, 4),
    TAG_VIA: ((OFFER,), (), 7, 19),
    TAG_PATH: ((OFFER,), (), 1, 108),
    TAG_PEER_UID: ((OFFER,), (), 4, 4),
    TAG_PEER_PID: ((OFFER,), (), 4, 4),
    TAG_HANDSHAKE_MS: ((LIMITS,), (LIMITS,), 4, 4),
    TAG_STOP_MS: ((LIMITS,), (LIMITS,), 4, 4),
    TAG_REUSE: ((LIMITS,), (LIMITS,), 4, 4),
    TAG_CPU_US: ((DONE,), (), 8, 8),
    TAG_MEMORY_PEAK_KIB: ((DONE,), (), 4, 4),
}
_RANGES: Dict[int, range] = {
    TAG_PID: range(1, 1 << 32),
    TAG_CAPACITY: range(1, 65536),
    TAG_REASON: range(1, 4),
    TAG_KIND: range(1, 4),
    TAG_PEER_COUNT: range(1, 1 << 32),
    TAG_PEER_PID: range(1, 1 << 32),
}
_TEXTS = (TAG_SDK, TAG_TEXT, TAG_SERVICE, TAG_PATH)
_ADDRESSES = (TAG_PEER, TAG_LOCAL, TAG_VIA)
_ABOUT_CONNECTION = (ACK, NACK, DONE, OFFER, CANCEL)
_TO_HANDLER = (OFFER, CANCEL, DRAIN, LIMITS)


class Error(Exception):
    """Base of what baton raises, besides OSError."""


class ProtocolFault(Error):
    """The supervisor sent what the protocol forbids."""


def parse_number(text: str, most: int = (1 << 32) - 1) -> int:
    """The number that the text is: decimal digits and nothing else, at most `most`; ValueError.
    int() takes blanks, signs, underscores, and the digits of every script."""
    if len(text) > 20 or not (text.isascii() and text.isdigit()) or int(text) > most:
        raise ValueError(f"{text!r} is no number from 0 to {most}")
    return int(text)


Fields = Dict[int, bytes]


def encode(kind: int, connection: int = 0, fields: Optional[Fields] = None) -> bytes:
    """One frame of type `kind`, with the fields in the order given."""
    body = b"".join(FIELD.pack(tag, len(value)) + value for tag, value in (fields or {}).items())
    return HEADER.pack(MAGIC, VERSION, kind, 0, connection, len(body)) + body


def check_header(header: bytes) -> int:
    """The number of body bytes that follow these 16; raises ProtocolFault."""
    magic, version, kind, flags, _, length = HEADER.unpack(header)
    if magic != MAGIC or version != VERSION or flags != 0:
        raise ProtocolFault("wrong magic, version or flags")
    if kind not in _TO_HANDLER and not kind & TYPE_OPTIONAL:
        raise ProtocolFault(f"type {kind:#x} is unknown, or not one for a handler")
    if length > BODY_MAX_BYTES:
        raise ProtocolFault("body too long")
    return length


def decode(frame: bytes) -> Tuple[int, int, Fields]:
    """Takes one frame from the supervisor apart: type, connection number, known fields by tag.

    Raises ProtocolFault. A type that may be skipped comes back with no fields.
    """
    if len(frame) < HEADER.size or len(frame) != HEADER.size + check_header(frame[: HEADER.size]):
        raise ProtocolFault("wrong frame length")
    kind, connection = frame[5], HEADER.unpack_from(frame)[4]
    if kind not in _TO_HANDLER:
        return kind, connection, {}
    if (kind in _ABOUT_CONNECTION) != (connection != 0):
        raise ProtocolFault("connection number missing, or given where there is none")
    fields: Fields = {}
    at = HEADER.size
    while at < len(frame):
        if len(frame) - at < FIELD.size:
            raise ProtocolFault("torn field")
        tag, length = FIELD.unpack_from(frame, at)
        value = frame[at + FIELD.size : at + FIELD.size + length]
        at += FIELD.size + length
        if len(value) != length:
            raise ProtocolFault("field past the end")
        rule = _RULES.get(tag)
        if rule is not None and kind in rule[0]:
            if tag in fields:
                raise ProtocolFault(f"field {tag:#06x} repeated")
            _check_value(tag, value, rule)
            fields[tag] = value
        elif not tag & TAG_OPTIONAL:
            raise ProtocolFault(f"field {tag:#06x} is unknown, or not one of this message")
    for tag, rule in _RULES.items():
        if kind in rule[1] and tag not in fields:
            raise ProtocolFault(f"field {tag:#06x} missing")
    return kind, connection, fields


def _check_value(tag: int, value: bytes, rule: _Rule) -> None:
    if not rule[2] <= len(value) <= rule[3]:
        raise ProtocolFault(f"field {tag:#06x} has a wrong size")
    if tag in _RANGES and int.from_bytes(value, "big") not in _RANGES[tag]:
        raise ProtocolFault(f"field {tag:#06x} is out of range")
    if tag in _ADDRESSES and (value[0], len(value)) not in ((4, 7), (6, 19)):
        raise ProtocolFault(f"field {tag:#06x} is no address")
    if tag in _TEXTS and (b"\0" in value or value.decode("utf-8", "ignore").encode() != value):
        raise ProtocolFault(f"field {tag:#06x} contains NUL, or is not UTF-8")
