#!/usr/bin/env python3
"""A supervisor of two pages, for tests of handlers: it holds the conversations of a file
(test/golden/wire/conversations.txt, whose head explains them) with any handler, and prints TAP.

    supervisor.py [--capacity N] [--can WORD,...] [--only NAME] conversations.txt -- HANDLER ARGS

--capacity  what the handler's HELLO says; without it conversations that need one are skipped
--can       what of the drill the handler does: nack, retire, cancel, listener, datagram
--only      this conversation alone

Exit code 0: all passed; 1: one did not; 2: the file or the arguments are wrong. Linux, Python 3.9.
"""
import argparse
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time

DEADLINE_S = 5.0
NONCE = bytes(range(16))
HEADER = struct.Struct("!4sBBHII")  # magic, version, type, flags, connection number, body length
NAMES = "HELLO ACK NACK DONE RETIRE OFFER CANCEL DRAIN LIMITS".split()
TYPES = dict(zip(NAMES, (0x01, 0x02, 0x03, 0x04, 0x05, 0x11, 0x12, 0x13, 0x81)))
TAGS = {  # name: (tag, bytes of a number; 0 = text, address or other bytes)
    "nonce": (0x0001, 0), "pid": (0x0002, 4), "capacity": (0x0003, 4), "sdk": (0x8004, 0),
    "reason": (0x0005, 1), "status": (0x0006, 1), "bytes_in": (0x8007, 8),
    "bytes_out": (0x8008, 8), "text": (0x8009, 0), "service": (0x000A, 0), "kind": (0x000B, 1),
    "peer": (0x000C, 0), "local": (0x000D, 0), "accepted_us": (0x000E, 8), "id": (0x000F, 8),
    "peer_count": (0x8011, 4), "handshake_ms": (0x0016, 4), "stop_ms": (0x0017, 4),
    "reuse": (0x0018, 4)}  # fmt: skip
NAME_OF_TAG = {tag: name for name, (tag, _) in TAGS.items()}
REQUIRED = {"HELLO": {"nonce", "pid", "capacity"}, "NACK": {"reason"}, "DONE": {"status"}}


class Wrong(Exception):
    """The handler did not do what the conversation says."""


def address(pair):
    return b"\4" + struct.pack("!H", pair[1]) + socket.inet_aton(pair[0])


def field(name, value):
    tag, size = TAGS[name]
    if isinstance(value, int):
        value = value.to_bytes(size, "big")
    return struct.pack("!HH", tag, len(value)) + value


def decode(frame):
    """A frame of the handler's: name of its type, connection number, fields. Wrong if it is not
    what a handler may send; None if it may be skipped."""
    if len(frame) < HEADER.size:
        raise Wrong(f"a frame of {len(frame)} bytes")
    magic, version, kind, flags, number, length = HEADER.unpack_from(frame)
    if (magic, version, flags, length) != (b"BATN", 1, 0, len(frame) - HEADER.size):
        raise Wrong(f"a wrong header: {frame[:HEADER.size].hex()}")
    name = next((name for name in NAMES[:5] if TYPES[name] == kind), None)
    if name is None and kind & 0x80:
        return None
    if name is None or length > 512 or (number != 0) != (name in ("ACK", "NACK", "DONE")):
        raise Wrong(f"type {kind:#x}, {length} bytes, connection {number}")
    fields, at = {}, HEADER.size
    while at < len(frame):
        tag, size = struct.unpack_from("!HH", frame[at:].ljust(4, b"\xff"))
        value, at = frame[at + 4 : at + 4 + size], at + 4 + size
        known = NAME_OF_TAG.get(tag)
        if at > len(frame) or known in fields or (known is None and not tag & 0x8000):
            raise Wrong(f"field {tag:#06x} is unknown, is there twice, or leaves the body")
        if known and TAGS[known][1] not in (0, size):
            raise Wrong(f"{known} of {size} bytes")
        if known:
            fields[known] = int.from_bytes(value, "big") if TAGS[known][1] else value
    if not REQUIRED.get(name, set()) <= set(fields):
        raise Wrong(f"{name} without {REQUIRED[name] - set(fields)}")
    return name, number, fields


class Frame:
    """FRAME of a conversation: a name, perhaps a number, and NAME=VALUE."""

    def __init__(self, words):
        self.name, *words = words
        self.number = int(words.pop(0)) if words and words[0].isdigit() else 0
        self.values = dict(word.split("=", 1) for word in words)

    def take(self, *names):
        return [self.values.pop(name, None) for name in names]

    def is_like(self, name, number, fields):
        """Whether it is that frame; of the fields only what the conversation names."""
        wanted = {key: int(v) if TAGS[key][1] else v.encode() for key, v in self.values.items()}
        same = all(fields.get(key) == value for key, value in wanted.items())
        return (self.name, self.number) == (name, number) and same

    def encode(self, fields):
        """As the supervisor writes it; `fields` is what is there without a word about it."""
        magic, version, kind, flags, number, length = self.take(
            "magic", "version", "type", "flags", "number", "length")  # fmt: skip
        cut, without, more, _ = self.take("cut", "no", "more", "with")
        fields = {name: value for name, value in fields.items() if name != without}
        for name, value in self.values.items():
            fields[name] = int(value, 0) if TAGS[name][1] else text_of(value)
        body = b"".join(field(name, value) for name, value in fields.items())
        body += bytes.fromhex(more or "")
        head = HEADER.pack(
            bytes.fromhex(magic) if magic else b"BATN", int(version or "1", 0),
            int(kind, 0) if kind else TYPES[self.name], int(flags or "0", 0),
            int(number, 0) if number else self.number,
            int(length, 0) if length else len(body))  # fmt: skip
        return (head + body)[: int(cut) if cut else None]


def text_of(word):
    return word.encode().decode("unicode_escape").encode("latin-1")


class Process:
    """A handler process and our end of its channel, which are there before it is launched."""

    def __init__(self):
        self.channel, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE_S)
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.popen = None
        self.may = []  # frames that it may write, or not

    def launch(self, command, reuse):
        number = str(self.theirs.fileno())
        words = {"PROTOCOL": "1", "CHANNEL": f"{number},{number}", "NONCE": NONCE.hex()}
        words.update(SERVICE="drill", HANDOFF="channel", REUSE=str(reuse))
        words.update(STOP_MS="5000", HANDSHAKE_MS="5000")
        environment = {"BATON_" + name: value for name, value in words.items()}
        self.popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=[self.theirs.fileno()],
            start_new_session=True, env={**os.environ, **environment})  # fmt: skip
        self.theirs.close()

    def receive(self):
        """The next frame that may not be skipped; None at the end of the channel."""
        while True:
            try:
                frame, control, flags, _ = self.channel.recvmsg(65536, 256)
            except ConnectionResetError:
                continue  # said once, before what there is to read
            except socket.timeout:
                raise Wrong("nothing came") from None
            if not frame:
                return None
            if any(kind == socket.SCM_RIGHTS for _, kind, _ in control) or flags & socket.MSG_CTRUNC:
                raise Wrong("a descriptor came with the frame")
            decoded = decode(frame)
            sender = [struct.unpack("3i", d)[0] for _, k, d in control if k == socket.SCM_CREDENTIALS]
            if decoded and decoded[0] == "HELLO" and sender != [decoded[2]["pid"]]:
                raise Wrong(f"HELLO of {sender} names pid {decoded[2]['pid']}")
            if decoded:
                return decoded

    def expect(self, frame):
        """Reads up to this frame (None: the end); only what may come comes before it."""
        while True:
            got = self.receive()
            if frame is None if got is None else frame is not None and frame.is_like(*got):
                return got
            allowed = [may for may in self.may if got and may.is_like(*got)]
            if not allowed:
                raise Wrong("the channel ended" if got is None else "it said {} {} {}".format(*got))
            self.may.remove(allowed[0])


class Play:
    """One conversation with one handler."""

    def __init__(self, conversation, options):
        self.conversation, self.options = conversation, options
        self.processes, self.clients, self.copies, self.places = {}, {}, {}, {}
        self.here = socket.create_server(("127.0.0.1", 0))

    def process(self, who):
        return self.processes.setdefault(who.partition("-")[2], Process())

    def step(self, who, what, *words):
        if who == "client":
            getattr(self, "client_" + words[0])(what, *words[1:])
        elif who.startswith("supervisor"):
            self.supervise(self.process(who), what, *words)
        elif who.startswith("handler"):
            process = self.process(who)
            if process.popen is None:
                process.launch(self.options.command, self.conversation.reuse)
            self.watch(process, what, *words)
        # time, operator, record: they are about tests of supervisors

    def supervise(self, process, what, *words):
        if what == "may":
            what, *words = words
        if what == "ends":
            process.channel.close()
        elif what in ("terminates", "kills"):
            os.killpg(process.popen.pid, signal.SIGTERM if what == "terminates" else signal.SIGKILL)
        else:
            self.say(process, Frame([what, *words]))

    def say(self, process, frame):
        fields, sockets = {}, []
        if frame.name == "LIMITS":
            capacity = self.options.capacity or 1
            fields = {"capacity": capacity, "handshake_ms": 5000, "stop_ms": 5000,
                      "reuse": self.conversation.reuse}  # fmt: skip
        if frame.name == "OFFER":
            kind = int(frame.values.get("kind", "1"))
            fields = {"service": b"drill", "kind": kind, "accepted_us": time.time_ns() // 1000,
                      "id": frame.number}  # fmt: skip
            if kind == 1 and frame.number in self.copies:
                offered = self.copies[frame.number]
                fields["peer"] = address(offered.getpeername())
                fields["local"] = address(offered.getsockname())
        usual = {1: "socket", 2: "listener", 3: "datagram"}.get(fields.get("kind"), "nothing")
        for word in frame.values.get("with", usual).split(","):
            if word == "socket":
                sockets.append(self.copies.get(frame.number) or self.here)
            elif word in ("listener", "datagram"):
                sockets.append(self.place(frame.number))
            elif word == "pipe":
                sockets.append(os.fdopen(os.pipe()[0]))
        rights = struct.pack(f"{len(sockets)}i", *(each.fileno() for each in sockets))
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if sockets else []
        try:
            process.channel.sendmsg([frame.encode(fields)], control)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended the channel already; what it must do then is said by later steps

    def watch(self, process, what, *words):
        if what == "may":
            process.may.append(Frame(words))
        elif what == "ends":
            process.expect(None)
        elif what == "exits":
            try:
                code = process.popen.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                raise Wrong("it did not exit") from None
            if process.channel.fileno() >= 0:
                process.expect(None)
            if str(code) not in words:
                raise Wrong(f"its exit code is {code}")
        elif what == "dies":
            raise Wrong("no handler is asked to crash")
        else:
            name, number, fields = process.expect(Frame([what, *words]))
            if name == "HELLO" and fields["nonce"] != NONCE:
                raise Wrong("not our nonce")
            if name == "HELLO" and self.options.capacity not in (None, fields["capacity"]):
                raise Wrong(f"capacity {fields['capacity']}, not {self.options.capacity}")
            if name == "ACK":
                self.forget(number)  # from now on the connection is the handler's alone

    def forget(self, number):
        if number in self.copies:
            self.copies.pop(number).close()

    def place(self, number):
        """The listener, or the datagram socket, that is offered with that number."""
        if number not in self.places:
            is_datagram = any(words[1:3] == ["OFFER", str(number)] and "kind=3" in words
                              for _, words in self.conversation.steps)  # fmt: skip
            place = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if is_datagram else
                                  socket.SOCK_STREAM)  # fmt: skip
            place.bind(("127.0.0.1", 0))
            if not is_datagram:
                place.listen()
            self.places[number] = place
        return self.places[number]

    def client_connects(self, number, to=None, place=None):
        there = self.here if to is None else self.place(int(place))
        client = socket.socket(there.family, there.type)
        client.settimeout(DEADLINE_S)
        client.connect(there.getsockname())
        if to is None:
            self.copies[int(number)] = there.accept()[0]
        self.clients[number] = client

    def client_sends(self, number, text):
        self.clients[number].sendall(text_of(text))

    def client_ends(self, number):
        self.clients[number].shutdown(socket.SHUT_WR)

    def client_resets(self, number):
        client = self.clients.pop(number)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    def client_receives(self, number, text):
        wanted, got = text_of(text), b""
        while len(got) < len(wanted):
            piece = self.read(number, len(wanted) - len(got))
            if not piece:
                raise Wrong(f"it received {got!r} and the end")
            got += piece
        if got != wanted:
            raise Wrong(f"it received {got!r}")

    def client_sees(self, number, _end):
        self.forget(int(number))  # a supervisor closes its copy of who is not served
        got = self.read(number, 4096)
        if got:
            raise Wrong(f"it received {got!r}")

    def read(self, number, size):
        try:
            return self.clients[number].recv(size)
        except ConnectionResetError:
            return b""
        except socket.timeout:
            raise Wrong("nothing came, and no end") from None

    def end(self):
        for process in self.processes.values():
            if process.popen is not None and process.popen.poll() is None:
                os.killpg(process.popen.pid, signal.SIGKILL)
                process.popen.wait()
            process.channel.close()
            process.theirs.close()
        for each in [self.here, *self.clients.values(), *self.copies.values(), *self.places.values()]:
            each.close()


class Conversation:
    def __init__(self, name):
        self.name, self.tests, self.system, self.needs, self.reuse = name, "", "", [], 0
        self.steps = []  # (line number, words)

    def add(self, line, words):
        if words[0] in ("tests", "system"):
            setattr(self, words[0], words[1])
        elif words[0] == "needs":
            self.needs = words[1:]
        elif words[0] == "reuse":
            self.reuse = int(words[1])
        else:
            self.steps.append((line, words))

    def why_not(self, options):
        """Why it is skipped, or nothing."""
        if self.tests == "supervisor":
            return "tests supervisors"
        if self.system == "windows":
            return "is about Windows"
        can = options.can + [f"capacity={options.capacity}"]
        for word in self.needs:
            if (word[1:] in can) if word[0] == "!" else (word not in can):
                return f"needs {word}"
        return ""

    def hold(self, options):
        """Nothing, or what went wrong."""
        play, at = Play(self, options), ""
        try:
            for line, words in self.steps:
                at = f"line {line}: {shlex.join(words)}"
                play.step(*words)
            return ""
        except Wrong as wrong:
            return f"{at}: {wrong}"
        finally:
            play.end()


def read_conversations(path):
    found = []
    with open(path, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            words = shlex.split(text, comments=True)
            if words and words[0] == "conversation":
                found.append(Conversation(words[1]))
            elif words:
                found[-1].add(number, words)
    return found


def main():
    if "--" not in sys.argv:
        sys.exit(__doc__)
    split = sys.argv.index("--")
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--capacity", type=int)
    parser.add_argument("--can", type=lambda words: words.split(","), default=[])
    parser.add_argument("--only")
    parser.add_argument("file")
    options = parser.parse_args(sys.argv[1:split])
    options.command = sys.argv[split + 1 :]
    count = failed = 0
    for conversation in read_conversations(options.file):
        if options.only not in (None, conversation.name):
            continue
        count += 1
        skipped = conversation.why_not(options)
        wrong = "" if skipped else conversation.hold(options)
        failed += bool(wrong)
        note = f" # SKIP {skipped}" if skipped else f"\n# {wrong}" if wrong else ""
        print(f"{'not ok' if wrong else 'ok'} {count} - {conversation.name}{note}", flush=True)
    print(f"1..{count}")
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
