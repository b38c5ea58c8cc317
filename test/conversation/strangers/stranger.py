#!/usr/bin/env python3
"""A handler of class full, written from handlers/PROTOCOL.md alone. With its clients it does what
the drill in the head of test/golden/wire/conversations.txt says. POSIX, Python 3.9 or later.

    stranger.py [CAPACITY]          as a handler; without an argument 4
    stranger.py --vectors FILE      takes and refuses the vectors to a handler, and prints TAP

One thread reads the channel, one serves each socket, and the main thread waits for the end. Python
ignores SIGPIPE: writing to nobody is an OSError."""

import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
from time import monotonic

HELLO, ACK, NACK, DONE, RETIRE, OFFER, CANCEL, DRAIN, LIMITS = 1, 2, 3, 4, 5, 17, 18, 19, 0x81
NONCE, PID, CAPACITY, SDK, REASON, STATUS, KIND = 1, 2, 3, 0x8004, 5, 6, 11
CONNECTION, LISTENER, DATAGRAM = 1, 2, 3
HEADER = struct.Struct("!4sBBHII")
LONGEST = 16384

# What may come in, by tag: a name, and a number of so many bytes, a text of that many or fewer, or
# an address. PROTOCOL_INFO is not here: on POSIX it is a breach.
FIELDS = {
    3: ("capacity", int, 4), 10: ("service", str, 255), 11: ("kind", int, 1),
    12: ("peer", tuple, 19), 13: ("local", tuple, 19), 14: ("accepted_us", int, 8),
    15: ("id", int, 8), 22: ("handshake_ms", int, 4), 23: ("stop_ms", int, 4),
    24: ("reuse", int, 4), 0x8011: ("peer_count", int, 4), 0x8012: ("via", tuple, 19),
    0x8013: ("path", str, 108), 0x8014: ("peer_uid", int, 4), 0x8015: ("peer_pid", int, 4),
}
RANGES = {"capacity": (1, 65535), "kind": (1, 3), "peer_count": (1, 2**32), "peer_pid": (1, 2**32)}
# By type: its name, whether it is about a connection, the tags that it must have and those it may.
MESSAGES = {
    OFFER: ("OFFER", True, {10, 11, 14, 15}, {12, 13, 0x8011, 0x8012, 0x8013, 0x8014, 0x8015}),
    CANCEL: ("CANCEL", True, set(), set()),
    DRAIN: ("DRAIN", False, set(), set()),
    LIMITS: ("LIMITS", False, {3, 22, 23, 24}, set()),
}
# The lines of the drill that are more than something to send back.
NACKS = {b"nack retire\n": 1, b"nack busy\n": 2, b"nack refuse\n": 3}
FAILS = {b"fail %d\n" % status: status for status in range(1, 256)}
EXITS = {b"exit %d\n" % code: code for code in range(256)}


class Breach(ValueError):
    """The supervisor has broken the protocol."""


def require(condition, what):
    if not condition:
        raise Breach(what)


def decode_value(name, form, size, value):
    if form is int:
        number = int.from_bytes(value, "big")
        least, most = RANGES.get(name, (0, 2**64))
        require(len(value) == size and least <= number <= most, name + " of wrong size or range")
        return number
    if form is tuple:
        require((value[:1], len(value)) in ((b"\4", 7), (b"\6", 19)), name + " is no address")
        return "%d:%d:%s" % (value[0], int.from_bytes(value[1:3], "big"), value[3:].hex())
    require(1 <= len(value) <= size and 0 not in value, name + " of wrong size, or with NUL")
    return value.decode()  # UnicodeDecodeError is a breach too; no overlong forms, no surrogates


def decode(packet):
    """Type, connection number, and values by tag. The type is None where it is to be skipped."""
    require(len(packet) >= HEADER.size, "no whole header")
    magic, version, kind, flags, number, length = HEADER.unpack_from(packet)
    require((magic, version, flags) == (b"BATN", 1, 0), "wrong magic, version or flags")
    require(length <= LONGEST and length == len(packet) - HEADER.size, "wrong length")
    if kind not in MESSAGES:
        require(kind & 0x80, "unknown type")
        return None, number, {}
    _, numbered, required, optional = MESSAGES[kind]
    require((number != 0) == numbered, "connection number missing, or where there is none")
    fields = {}
    at = HEADER.size
    while at < len(packet):
        require(at + 4 <= len(packet), "torn field")
        tag, size = struct.unpack_from("!HH", packet, at)
        at += 4 + size
        require(at <= len(packet), "field past the end")
        if tag in required or tag in optional:
            require(tag not in fields, "field twice")
            fields[tag] = decode_value(*FIELDS[tag], packet[at - size:at])
        else:
            require(tag & 0x8000, "unknown tag, or not one of this message")
    require(required <= fields.keys(), "required field missing")
    return kind, number, fields


def log(line):
    try:
        os.write(2, ("stranger: %s\n" % line).encode())
    except OSError:
        pass  # nobody reads the log any more


class Held:
    """A socket that a thread serves. `end` and `close` are called with the handler's lock."""

    def __init__(self, number, kind, descriptor):
        self.number, self.kind = number, kind
        self.ended = False
        # A shared socket must not be shut down: a pipe wakes who waits for its clients.
        self.pipe = () if kind == CONNECTION else os.pipe()
        self.socket = socket.socket(fileno=descriptor)  # OSError if it is none

    def end(self):
        self.ended = True
        try:
            if self.pipe:
                os.write(self.pipe[1], b"x")
            else:
                self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client is gone

    def close(self):
        self.socket.close()
        for descriptor in self.pipe:
            os.close(descriptor)

    def wait(self):
        """Waits until something is at a shared socket; false when that is to be given up."""
        poll = select.poll()
        poll.register(self.pipe[0], select.POLLIN)
        poll.register(self.socket, select.POLLIN)
        poll.poll()
        return not self.ended


class Handler:
    def __init__(self, channel, capacity):
        self.channel = socket.socket(fileno=channel)
        self.channel.set_inheritable(False)
        self.channel.setblocking(True)  # a launcher may have left it otherwise
        self.writing = threading.Lock()  # only against closing: a frame is one packet
        self.came = []  # descriptors that came with a frame and are nobody's yet
        self.lock = threading.Condition()  # of what follows
        self.capacity = capacity
        self.held = {}  # by connection number, until before its DONE
        self.threads = 0  # that serve, until after DONE
        self.nack = 0  # the REASON for the next OFFER
        self.draining = False
        self.code = 0

    def send(self, kind, number, *fields):
        """Whether it could be written. If not, the channel has ended, and the next read says so."""
        body = b"".join(struct.pack("!HH", tag, len(value)) + value for tag, value in fields)
        with self.writing:
            try:
                self.channel.send(HEADER.pack(b"BATN", 1, kind, 0, number, len(body)) + body)
                return True
            except OSError:
                return False

    def receive(self):
        """A packet; no bytes: the end of the channel."""
        try:
            packet, control, flags, _ = self.channel.recvmsg(
                HEADER.size + LONGEST, 256, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:  # comes before what the supervisor had written
            return self.receive()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for level, kind, data in control:
            if (level, kind) == rights:
                self.came += struct.unpack_from("%di" % (len(data) // 4), data)
        require(not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), "cut data or control data")
        require(all(item[:2] == rights for item in control), "other control data")
        require(packet or not self.came, "descriptors without a frame")
        return packet

    def read(self):
        """The thread that reads the channel."""
        try:
            packet = self.receive()
            while packet:
                self.take(*decode(packet))
                packet = self.receive()
        except Exception as error:  # a Breach, no socket, or a fault of ours
            log("the channel is ended: %s" % error)
            self.code = 1
        for descriptor in self.came:
            os.close(descriptor)
        with self.writing:
            self.channel.close()  # and so what was offered behind a breach
        self.drain()

    def take(self, kind, number, fields):
        require(len(self.came) == (kind == OFFER), "%d descriptors" % len(self.came))
        if kind == OFFER:
            self.offer(number, fields[KIND])
        elif kind == CANCEL:
            with self.lock:
                if number in self.held:
                    self.held[number].end()
        elif kind == DRAIN:
            self.drain()
        # LIMITS tells nothing that the drill needs.

    def drain(self):
        """Gives up what is shared. A connection goes on until its client ends."""
        with self.lock:
            self.draining = True
            for held in self.held.values():
                if held.kind != CONNECTION:
                    held.end()
            self.lock.notify_all()

    def offer(self, number, kind):
        with self.lock:
            require(not self.draining, "OFFER after DRAIN")
            require(number not in self.held, "OFFER of a number that is in use")
            require(len(self.held) < self.capacity, "OFFER beyond the capacity")
            nack, self.nack = self.nack, 0
        held = Held(number, kind, self.came[0])
        self.came = []
        if nack:
            held.close()
            self.send(NACK, number, (REASON, bytes([nack])))
            return
        # ACK is out before there is a thread that reads from the client, or says DONE.
        if not self.send(ACK, number):
            held.close()
            return
        with self.lock:
            self.held[number] = held
        try:
            self.start(held)
        except RuntimeError:  # no more threads
            self.done(held, 1)

    def start(self, held):
        with self.lock:
            threading.Thread(target=self.serve, args=(held,), daemon=True).start()
            self.threads += 1

    def serve(self, held):
        serve = {CONNECTION: self.client, LISTENER: self.listener, DATAGRAM: self.datagrams}
        status = 1
        try:
            status = serve[held.kind](held)
        except Exception as error:
            log("connection %d: %r" % (held.number, error))
        self.done(held, status)
        with self.lock:
            self.threads -= 1
            self.lock.notify_all()

    def done(self, held, status):
        with self.lock:
            self.held.pop(held.number, None)  # the next OFFER may use it as soon as DONE is read
            held.close()
        if held.number:  # of who came by a listener nothing is said
            self.send(DONE, held.number, (STATUS, bytes([status])))

    def client(self, held):
        """Serves a client until it ends, is cancelled, or says `fail`; returns the STATUS."""
        beginning = True  # a long line comes in pieces, and only a whole one can be a command
        try:
            with held.socket.makefile("rb") as lines:
                while not held.ended:
                    line = lines.readline(4096)
                    if not line:
                        break
                    if beginning and line in FAILS:
                        return FAILS[line]
                    if beginning and line in EXITS:
                        os._exit(EXITS[line])
                    if beginning and line in NACKS:
                        with self.lock:
                            self.nack = NACKS[line]
                    if beginning and line.startswith(b"run "):
                        subprocess.run(["sh", "-c", line[4:]], stdout=held.socket,
                                       close_fds=False, check=False)
                    if beginning and line == b"retire\n":
                        self.send(RETIRE, 0)
                    held.socket.sendall(line)
                    beginning = line.endswith(b"\n")
        except OSError:
            pass  # it is gone, or was cancelled
        return 1 if held.ended else 0

    def listener(self, held):
        held.socket.setblocking(False)  # another process may take the client that woke us
        while held.wait():
            try:
                client, _ = held.socket.accept()
            except (BlockingIOError, ConnectionError):
                continue
            self.start(Held(0, CONNECTION, client.detach()))
        return 0

    def datagrams(self, held):
        name = held.socket.getsockname()
        counters = {}
        while held.wait():
            try:
                data, sender = held.socket.recvfrom(65536, socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionError):
                continue
            try:
                if may_answer(counters, sender, name):
                    held.socket.sendto(data, socket.MSG_DONTWAIT, sender)
            except OSError:
                pass  # what cannot be sent is lost
        return 0


def may_answer(counters, sender, name):
    """Not to where no client is, and to nobody without a bound: two services that send back what
    they get, brought together by one forged datagram, would do so for ever."""
    services = (1900, 2049, 3074, 3702, 5060, 5353, 5683, 11211, 27960)
    if isinstance(sender, tuple) and (sender[1] < 1024 or sender[1] in services + name[1:2]):
        return False
    slot = hash(sender) % 1024  # that of a text is secret
    now = monotonic()
    left, then = counters.get(slot, (1000, now))
    left = min(1000, left + (now - then) * 100)
    counters[slot] = (left - (left >= 1), now)
    return bool(sender) and left >= 1


def handle(capacity):
    names = ("BATON_CHANNEL", "BATON_PROTOCOL", "BATON_NONCE")
    channel, versions, nonce = (os.environ.pop(name, "") for name in names)
    if not channel:
        sys.exit("stranger: no BATON_CHANNEL: to be started by batond")
    try:
        descriptor, other = map(int, channel.split(","))
        nonce = bytes.fromhex(nonce)
        require(descriptor == other and "1" in versions.split(",") and len(nonce) == 16, channel)
        handler = Handler(descriptor, capacity)
    except (ValueError, OSError) as error:
        sys.exit("stranger: BATON_CHANNEL, BATON_PROTOCOL or BATON_NONCE is wrong: %s" % error)
    if not handler.send(HELLO, 0, (NONCE, nonce), (PID, os.getpid().to_bytes(4, "big")),
                        (CAPACITY, capacity.to_bytes(4, "big")), (SDK, b"stranger.py")):
        return 0
    threading.Thread(target=handler.read, daemon=True).start()
    with handler.lock:
        handler.lock.wait_for(lambda: handler.draining and not handler.threads)
    return handler.code


def meaning(packet):
    """Result and meaning, as the file of vectors writes them."""
    try:
        kind, number, fields = decode(packet)
    except ValueError as breach:
        return "a breach", str(breach)
    if kind is None:
        return "SKIP", ""
    tags = sorted(fields, key=lambda tag: tag & 0x7FFF)
    shown = [re.sub(r"[\0- |\x7f\\]", lambda c: "\\x%02x" % ord(c[0]), str(fields[tag])) for tag in tags]
    values = "".join(" %s=%s" % (FIELDS[tag][0], text) for tag, text in zip(tags, shown))
    return "OK", "%s connection=%d%s" % (MESSAGES[kind][0], number, values)


def vectors(path):
    """An OFFER counts as if its descriptor had come. What is right on Windows alone is a breach."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(" | ") for line in file if " | to-handler | " in line]
    failed = 0
    for count, (name, _, system, result, packet, expected) in enumerate(rows, 1):
        result = result if system != "windows" and result in ("OK", "SKIP") else "a breach"
        got, told = meaning(bytes.fromhex(packet))
        good = got == result and (got != "OK" or told == expected)
        failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", count, name))
        if not good:
            print("# %s: %s" % (got, told))
    print("1..%d" % len(rows))
    return 1 if failed or not rows else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--vectors":
        return vectors(arguments[1])
    capacity = arguments[0] if arguments else "4"
    if len(arguments) > 1 or not capacity.isdigit() or not 1 <= int(capacity) <= 65535:
        sys.exit("usage: stranger.py [CAPACITY], or stranger.py --vectors FILE")
    os._exit(handle(int(capacity)))  # does not wait for the thread that reads the channel


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
