#!/usr/bin/env python3
"""A small supervisor that tests handlers: it holds the conversations of a file with any handler.

    supervisor.py [--capacity N] [--can WORD,...] [--only NAME] conversations.txt -- HANDLER ARGS

--capacity  what the handler's HELLO says; without it conversations that need one are skipped
--can       what else the handler does: again, nack, retire, cancel, listener, datagram, limits, strict
--only      this conversation alone

The head of conversations.txt says what the handler must do, and how a conversation is written.
Prints TAP. Exit code 0: all that were held passed; 1: one did not, or none was held; 2: wrong arguments.
Linux, Python 3.9.
"""
import argparse
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time

DEADLINE_S = 5.0
CAN = "again nack retire cancel listener datagram limits strict".split()
LIMIT_MS = 5000  # told as the limits for the handshake and the stop
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
                "number": self.number, "length": None, "more": "", "cut": None, "with": ""}
        head = {key: fields.pop(key, value) for key, value in head.items()}
        body = b"".join(encode_field(name, value) for name, value in fields.items())
        body += bytes.fromhex(head["more"])
        head["length"] = head["length"] or len(body)
        numbers = [int(str(head[key]), 0) for key in "version type flags number length".split()]
        frame = HEADER.pack(bytes.fromhex(head["magic"]), *numbers) + body
        return frame[: head["cut"] and int(head["cut"])]


class Process:
    """A handler process, and our end of its channel, which is there before the process is."""

    def __init__(self):
        self.channel, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE_S)
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.pid, self.nonce = None, os.urandom(16)
        self.may = []  # frames that it may write, or not

    def launch(self, command, facts):
        number = self.theirs.fileno()
        facts = {**facts, "PROTOCOL": 1, "CHANNEL": f"{number},{number}", "NONCE": self.nonce.hex()}
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("BATON_", "LISTEN_"))}
        environment.update(("BATON_" + name, str(value)) for name, value in facts.items())
        self.start(command, environment)
        self.theirs.close()

    def start(self, command, environment):
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment,
                                      pass_fds=[self.theirs.fileno()], start_new_session=True)
        self.pid = self.popen.pid

    def wait(self):
        """Its exit code; that of a signal is negative."""
        try:
            return self.popen.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Wrong("it does not exit") from None

    def send(self, frame, sockets):
        rights = struct.pack(f"{len(sockets)}i", *(each.fileno() for each in sockets))
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if sockets else []
        try:
            self.channel.sendmsg([frame], control)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended the channel, perhaps rightly; later steps say so

    def receive(self):
        """What the next frame says; None if it may be skipped, "end" at the end of the channel."""
        try:
            frame, control, flags, _ = self.channel.recvmsg(65536, 256)
        except ConnectionResetError:
            return None  # said once, before the rest that there is to read
        except socket.timeout:
            raise Wrong("it says nothing") from None
        came = {kind: data for _, kind, data in control}
        if socket.SCM_RIGHTS in came or flags & socket.MSG_CTRUNC:
            raise Wrong("a descriptor came with a frame")
        said = decode(frame) if frame else "end"
        if said and said[0] == "HELLO":
            sender = struct.unpack("3i", came[socket.SCM_CREDENTIALS])[0]
            with open(f"/proc/{sender}/status", encoding="ascii") as status:
                pids = re.findall(r"^NSpid:.*\b(\d+)$", status.read(), re.M) + [sender]
            if said[2]["pid"] not in map(int, pids) or said[2]["nonce"] != self.nonce:
                raise Wrong(f"HELLO of process {sender} has another pid or nonce: {said[2]}")
        return said

    def expect(self, wanted):
        """Reads up to this frame ("end": the end), with what it may say before that."""
        while True:
            said = self.receive()
            if said is None:
                continue
            if said == wanted or (said != "end" and wanted != "end" and wanted.is_like(*said)):
                return said
            allowed = [may for may in self.may if said != "end" and may.is_like(*said)]
            if not allowed:
                raise Wrong("the channel has ended" if said == "end" else f"it says {said}")
            self.may.remove(allowed[0])


class Play:
    """One conversation. Numbers of clients are the connection numbers of the channel, too."""

    def __init__(self, conversation, options):
        self.conversation, self.options = conversation, options
        self.processes, self.clients = {}, {}
        self.copies = {}  # by number: what we have of the sockets that are offered
        self.listener = socket.create_server(("127.0.0.1", 0))

    def step(self, who, what, *words):
        if who == "client":
            getattr(self, "client_" + words[0])(int(what), *words[1:])
        elif who.startswith(("handler", "supervisor")):
            process = self.processes.setdefault(who.partition("-")[2], Process())
            method = self.watch if who.startswith("handler") else self.act
            method(process, what, *words)
        # time, operator and record are about supervisors that are tested

    def act(self, process, what, *words):
        """What the supervisor does: this program."""
        if what == "ends":
            process.channel.close()
            return
        frame, fields, usual = Frame(*(words if what == "may" else (what, *words))), {}, "nothing"
        if frame.name == "LIMITS":
            fields = {"capacity": self.options.capacity or 1, "handshake_ms": LIMIT_MS,
                      "stop_ms": LIMIT_MS, "reuse": self.conversation.reuse}
        if frame.name == "OFFER":
            kinds = {"2": "listener", "3": "datagram"}
            usual = kinds.get(frame.values.get("kind"), "socket")
            fields = {"service": "drill", "kind": 1, "accepted_us": time.time_ns() // 1000,
                      "id": frame.number}
        if usual == "socket":
            here = self.copies[frame.number]
            for name, (host, port) in (("peer", here.getpeername()), ("local", here.getsockname())):
                fields[name] = struct.pack("!BH", 4, port) + socket.inet_aton(host)
        words = frame.values.get("with", usual).split(",")
        sockets = [self.carried(word, frame.number) for word in words if word != "nothing"]
        process.send(frame.encode(fields), sockets)

    def carried(self, word, number):
        """What comes with a frame: the socket of a client, or another that there is."""
        if word == "pipe":
            return os.fdopen(os.pipe()[0])
        if word == "socket":
            return self.copies.get(number, self.listener)
        if number not in self.copies:
            kind = socket.SOCK_DGRAM if word == "datagram" else socket.SOCK_STREAM
            self.copies[number] = socket.socket(socket.AF_INET, kind)
            self.copies[number].bind(("127.0.0.1", 0))
            if word == "listener":
                self.copies[number].listen()
        return self.copies[number]

    def watch(self, process, what, *words):
        """What the handler has to do."""
        if process.pid is None:
            facts = {"SERVICE": "drill", "HANDOFF": "channel", "REUSE": self.conversation.reuse,
                     "HANDSHAKE_MS": LIMIT_MS, "STOP_MS": LIMIT_MS}
            process.launch(self.options.command, facts)
        if what == "may":
            process.may.append(Frame(*words))
        elif what == "exits":
            code = process.wait()
            if process.channel.fileno() >= 0:
                process.expect("end")
            if code < 0 or str(code) not in (words or str(code)):
                raise Wrong(f"its exit code is {code}")
        elif what == "ends":
            process.expect("end")
        else:
            name, number, fields = process.expect(Frame(what, *words))
            if name == "HELLO" and self.options.capacity not in (None, fields["capacity"]):
                raise Wrong(f"its capacity is {fields['capacity']}, not {self.options.capacity}")
            if name == "ACK" and number in self.clients:
                self.forget(number)  # from here on the connection is the handler's

    def forget(self, number):
        if number in self.copies:
            self.copies.pop(number).close()

    def client_connects(self, number, _to="", place=None):
        word = "datagram" if self.conversation.has("kind=3") else "listener"
        there = self.carried(word, int(place)) if place else self.listener
        self.clients[number] = client = socket.socket(there.family, there.type)
        client.settimeout(DEADLINE_S)
        client.connect(there.getsockname())
        if not place:
            self.copies[number] = there.accept()[0]

    def client_sends(self, number, text):
        self.clients[number].sendall(bytes_of(text))

    def client_ends(self, number):
        self.clients[number].shutdown(socket.SHUT_WR)

    def client_resets(self, number):
        linger = struct.pack("ii", 1, 0)
        self.clients[number].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.clients[number].close()

    def client_receives(self, number, text):
        wanted, got = bytes_of(text), b""
        while len(got) < len(wanted):
            got += self.read(number, len(wanted) - len(got)) or b" and the end"
        if got != wanted:
            raise Wrong(f"it receives {got!r}")

    def client_sees(self, number, _end):
        self.forget(number)  # as a supervisor closes its copy of who is not served
        got = self.read(number, 4096)
        if got:
            raise Wrong(f"it receives {got!r}")

    def read(self, number, size):
        try:
            return self.clients[number].recv(size)
        except ConnectionResetError:
            return b""
        except socket.timeout:
            raise Wrong("nothing comes, and no end") from None

    def close(self):
        for process in self.processes.values():
            try:
                if process.pid is not None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            except ProcessLookupError:
                pass  # it has ended, and all that it has started
            process.channel.close()
            process.theirs.close()
        for each in [self.listener, *self.clients.values(), *self.copies.values()]:
            each.close()


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

    def hold(self, options):
        """What went wrong; "" if nothing did."""
        play, at = Play(self, options), ""
        try:
            for line, words in self.steps:
                at = f"line {line}: {shlex.join(words)}"
                play.step(*words)
        except Wrong as wrong:
            return f"{at}: {wrong}"
        finally:
            play.close()
        return ""


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


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--capacity", type=int)
    parser.add_argument("--can", type=lambda words: words.split(","), default=[])
    parser.add_argument("--only")
    parser.add_argument("file")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    if set(options.can) - set(CAN):
        parser.error(f"--can takes {', '.join(CAN)}")
    count = held = failed = 0
    for conversation in read_conversations(options.file):
        if options.only in (None, conversation.name):
            skipped = conversation.why_not(options)
            wrong = "" if skipped else conversation.hold(options)
            count, held, failed = count + 1, held + (not skipped), failed + bool(wrong)
            note = f" # SKIP {skipped}" if skipped else f"\n# {wrong}" if wrong else ""
            print(f"{'not ok' if wrong else 'ok'} {count} - {conversation.name}{note}", flush=True)
    print(f"1..{count}\n# held {held}, failed {failed}, skipped {count - held}")
    return 1 if failed or not held else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
