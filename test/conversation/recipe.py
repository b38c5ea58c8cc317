"""The drill of conversations.txt by a handler that is PROTOCOL.md's recipe, step by step, and no more:
one connection at a time, the channel read between them. No SDK; POSIX."""

import os
import socket
import struct
import subprocess
import sys

HEADER = struct.Struct("!4sBBHII")
HELLO, ACK, NACK, DONE, RETIRE, OFFER, CANCEL, DRAIN = 1, 2, 3, 4, 5, 0x11, 0x12, 0x13
SIZES = {0x0A: range(1, 256), 0x0B: (1,), 0x0C: (7, 19), 0x0D: (7, 19), 0x0E: (8,), 0x0F: (8,)}
NEEDED = {0x0A, 0x0B, 0x0E, 0x0F}


class Breach(Exception):
    pass


def field(tag, value):
    return struct.pack("!HH", tag, len(value)) + value


def fields_of(body, known):
    fields, at = {}, 0
    while at < len(body):
        if len(body) - at < 4:
            raise Breach("a torn field")
        tag, size = struct.unpack_from("!HH", body, at)
        value, at = body[at + 4 : at + 4 + size], at + 4 + size
        if at > len(body) or tag in fields:
            raise Breach("a field is there twice, or leaves the body")
        if tag in known and size in known[tag]:
            fields[tag] = value
        elif tag in known or not tag & 0x8000:
            raise Breach(f"field {tag:#06x} of {size} bytes")
    return fields


def check_offer(fields):
    if not NEEDED <= set(fields) or not 1 <= fields[0x0B][0] <= 3:
        raise Breach("an OFFER without what it needs")
    if b"\0" in fields[0x0A]:
        raise Breach("a NUL in a text")
    try:
        fields[0x0A].decode()
    except UnicodeDecodeError:
        raise Breach("a text that is not UTF-8") from None
    for tag in (0x0C, 0x0D):
        if tag in fields and (fields[tag][0], len(fields[tag])) not in ((4, 7), (6, 19)):
            raise Breach("no address")


class Recipe:
    def __init__(self):
        words = [os.environ.pop("BATON_" + name) for name in ("PROTOCOL", "CHANNEL", "NONCE")]
        if "1" not in words[0].split(","):
            sys.exit(1)
        self.channel = socket.socket(fileno=int(words[1].split(",")[0]))
        self.channel.set_inheritable(False)
        self.channel.setblocking(True)  # a launcher may have changed it
        self.reason = None  # of the NACK that the next OFFER gets
        pid = struct.pack("!I", os.getpid())
        self.say(HELLO, 0, field(1, bytes.fromhex(words[2])) + field(2, pid) + field(3, b"\0\0\0\1"))

    def say(self, kind, number, body=b""):
        """False: the channel has ended, which is read next."""
        try:
            self.channel.send(HEADER.pack(b"BATN", 1, kind, 0, number, len(body)) + body)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def read(self):
        """Type, connection number, fields, and the socket of an OFFER; None at the end."""
        try:
            frame, descriptors, flags, _ = socket.recv_fds(self.channel, 16400, 4)
        except ConnectionResetError:
            return self.read()
        try:
            return self.take_apart(frame, descriptors, flags) if frame else None
        finally:
            for descriptor in descriptors:  # one that is taken has been duplicated
                os.close(descriptor)

    def take_apart(self, frame, descriptors, flags):
        if len(frame) < HEADER.size or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise Breach("a torn frame")
        magic, version, kind, flags, number, length = HEADER.unpack_from(frame)
        if (magic, version, flags, length) != (b"BATN", 1, 0, len(frame) - HEADER.size):
            raise Breach("a wrong header")
        if len(descriptors) != (kind == OFFER):
            raise Breach("a wrong number of descriptors")
        if kind not in (OFFER, CANCEL, DRAIN):
            if not kind & 0x80:
                raise Breach(f"type {kind:#x}")
            return kind, 0, {}, None
        if (number != 0) != (kind != DRAIN):
            raise Breach("a wrong connection number")
        fields = fields_of(frame[HEADER.size :], SIZES if kind == OFFER else {})
        if kind != OFFER:
            return kind, number, fields, None
        check_offer(fields)
        try:
            return kind, number, fields, socket.socket(fileno=os.dup(descriptors[0]))
        except OSError:
            raise Breach("the descriptor is no socket") from None

    def serve(self, client):
        """The status for DONE."""
        with client, client.makefile("rb") as lines:
            try:
                for line in lines:
                    words = line.split()
                    if words[0] == b"exit":
                        os._exit(int(words[1]))
                    if words[0] == b"fail":
                        return int(words[1])
                    if words[0] == b"nack":
                        self.reason = 1 + [b"retire", b"busy", b"refuse"].index(words[1])
                    if words[0] == b"run":
                        command = ["sh", "-c", line[4:]]
                        subprocess.run(command, stdout=client, close_fds=False, check=False)
                    if words[0] == b"retire":
                        self.say(RETIRE, 0)
                    client.sendall(line)
            except OSError:
                pass  # the client is gone
        return 0

    def run(self):
        while True:
            said = self.read()
            if said is None or said[0] == DRAIN:
                return 0
            kind, number, fields, client = said
            if kind != OFFER:
                continue
            reason, self.reason = (3 if fields[0x0B] != b"\1" else self.reason), None
            if reason is not None:
                client.close()
                self.say(NACK, number, field(5, bytes([reason])))
                continue
            if not self.say(ACK, number):
                client.close()  # unread: another process may get it
                continue
            status = self.serve(client)
            self.say(DONE, number, field(6, bytes([status])))


def main(handler=Recipe):
    try:
        return handler().run()
    except Breach as breach:
        print(f"recipe.py: {breach}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
