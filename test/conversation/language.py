"""The language of conversations.txt, whose head explains it, and the frames that it speaks of."""
import re
import struct

WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')
CAN = "again nack retire cancel listener datagram limits strict run nonblock".split()
HEADER = struct.Struct("!4sBBHII")  # magic, version, type, flags, connection number, body length
TYPES = {"HELLO": 0x01, "ACK": 0x02, "NACK": 0x03, "DONE": 0x04, "RETIRE": 0x05, "OFFER": 0x11,
         "CANCEL": 0x12, "DRAIN": 0x13, "LIMITS": 0x81, "FRAME": 0x00}
TAGS = {  # name: tag, bytes of its number (0: of another kind), messages of the handler with it
    "nonce": (0x0001, 0, "HELLO"), "pid": (0x0002, 4, "HELLO ACK DONE"),
    "capacity": (0x0003, 4, "HELLO"), "sdk": (0x8004, 0, "HELLO"), "reason": (0x0005, 1, "NACK"),
    "status": (0x0006, 1, "DONE"), "bytes_in": (0x8007, 8, "DONE"),
    "bytes_out": (0x8008, 8, "DONE"), "text": (0x8009, 0, "NACK DONE"), "service": (0x000A, 0, ""),
    "kind": (0x000B, 1, ""), "peer": (0x000C, 0, ""), "local": (0x000D, 0, ""), "accepted_us": (0x000E, 8, ""),
    "id": (0x000F, 8, ""), "handshake_ms": (0x0016, 4, ""), "stop_ms": (0x0017, 4, ""),
    "reuse": (0x0018, 4, "")}
REQUIRED = {"HELLO": {"nonce", "pid", "capacity"}, "NACK": {"reason"}, "DONE": {"status"}}


class Wrong(Exception):
    """The handler did not do what the conversation says."""


def bytes_of(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def encode_field(name, value):
    tag, size, _ = TAGS[name]
    value = int(value).to_bytes(size, "big") if size else value
    value = bytes_of(value) if isinstance(value, str) else value
    return struct.pack("!HH", tag, len(value)) + value


def decode(frame):
    """Name, connection number and fields of a handler's frame; None if it may be skipped."""
    magic, version, kind, flags, number, length = HEADER.unpack_from(frame.ljust(HEADER.size))
    if (magic, version, flags, length) != (b"BATN", 1, 0, len(frame) - HEADER.size) or length > 512:
        raise Wrong(f"a wrong header, or torn: {frame[:HEADER.size].hex()}")
    message = {kind: name for name, kind in TYPES.items() if 1 <= kind <= 5}.get(kind)
    if message is None and kind & 0x80:
        return None
    if message is None or (number != 0) != (message in ("ACK", "NACK", "DONE")):
        raise Wrong(f"a frame of type {kind:#x} about connection {number}")
    names, fields, at = {tag[0]: name for name, tag in TAGS.items()}, {}, HEADER.size
    while at < len(frame):
        tag, size = struct.unpack_from("!HH", frame[at:].ljust(4, b"\xff"))
        value, at = frame[at + 4 : at + 4 + size], at + 4 + size
        name = names.get(tag, "sdk")
        _, wanted, where = TAGS[name]
        is_known = tag in names and message in where.split()
        if at > len(frame) or not (is_known or tag & 0x8000) or (is_known and (
                name in fields or wanted not in (0, size))):
            raise Wrong(f"{message} has a field {tag:#06x} of {size} bytes")
        if is_known:
            fields[name] = int.from_bytes(value, "big") if wanted else value
    if not REQUIRED.get(message, set()) <= set(fields):
        raise Wrong(f"{message} lacks a field: {fields}")
    return message, number, fields


class Frame:
    """FRAME of a conversation: its name, perhaps a number, and NAME=VALUE."""

    def __init__(self, name, *words):
        self.name, self.number = name, 0
        if words and words[0].isdigit():
            self.number, words = int(words[0]), words[1:]
        self.values = dict(word.split("=", 1) for word in words)

    def is_like(self, name, number, fields):
        """Whether it is this one; of the fields only those count that stand in the conversation."""
        same = all(str(fields.get(key)) == value for key, value in self.values.items())
        return (self.name, self.number) == (name, number) and same

    def encode(self, fields):
        """Its bytes. `fields` are there if the conversation does not say otherwise."""
        fields = {**fields, **self.values}
        fields.pop(fields.pop("no", None), None)
        head = {"magic": "4241544e", "version": 1, "type": TYPES[self.name], "flags": 0,
                "number": self.number, "length": None, "fill": None, "more": "", "cut": None,
                "with": ""}
        head = {key: fields.pop(key, value) for key, value in head.items()}
        body = b"".join(encode_field(name, value) for name, value in fields.items())
        if head["fill"]:  # by a field that may be skipped
            size = int(head["fill"]) - len(body) - 4
            body += struct.pack("!HH", 0x9ABC, size) + bytes(size)
        body += bytes.fromhex(head["more"])
        head["length"] = head["length"] or len(body)
        numbers = [int(str(head[key]), 0) for key in "version type flags number length".split()]
        frame = HEADER.pack(bytes.fromhex(head["magic"]), *numbers) + body
        return frame[: head["cut"] and int(head["cut"])]


class Conversation:
    def __init__(self, name):
        self.name, self.tests, self.system, self.needs, self.reuse = name, "", "", [], 0
        self.steps = []  # line number, words

    def add(self, line, words):
        if words[0] in ("tests", "system"):
            setattr(self, words[0], words[1])
        elif words[0] == "needs":
            self.needs = words[1:]
        elif words[0] == "reuse":
            self.reuse = int(words[1])
        else:
            self.steps.append((line, words))

    def has(self, word):
        return any(word in words for _, words in self.steps)

    def why_not(self, options):
        """Why it is skipped; "" if it is held."""
        if self.tests == "supervisor" or self.system == "windows":
            return "tests supervisors" if self.tests == "supervisor" else "is about Windows"
        can = options.can + [f"capacity={options.capacity}"]
        lacks = [need for need in self.needs if (need.lstrip("!") in can) == need.startswith("!")]
        return f"needs {' '.join(lacks)}" if lacks else ""


def read_conversations(path):
    found = []
    with open(path, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            words = [word.replace('"', "") for word in WORD.findall(text.partition(" #")[0])]
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "conversation":
                found.append(Conversation(words[1]))
            else:
                found[-1].add(number, words)
    return found


