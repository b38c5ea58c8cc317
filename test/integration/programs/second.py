"""A handler with a channel, written with nothing but PROTOCOL.md. The first process sets what it can on the
socket that it was offered, and ends without an ACK; the second tells the client what it finds."""

import fcntl
import json
import os
import socket
import struct
import sys

channel = socket.socket(fileno=int(os.environ["BATON_CHANNEL"].split(",")[0]))


def frame(kind, number, body=b""):
    channel.send(struct.pack(">4sBBHII", b"BATN", 1, kind, 0, number, len(body)) + body)


def field(tag, value):
    return struct.pack(">HH", tag, len(value)) + value


nonce = bytes.fromhex(os.environ["BATON_NONCE"])
frame(1, 0, field(1, nonce) + field(2, struct.pack(">I", os.getpid())) +
      field(3, struct.pack(">I", 1)))
offer, descriptors, _, _ = socket.recv_fds(channel, 20000, 1)
number = struct.unpack(">I", offer[8:12])[0]
client = socket.socket(fileno=descriptors[0])
with open(sys.argv[1], "ab") as launches:
    launches.write(b".")
    first = launches.tell() == 1
if first:
    fcntl.fcntl(client, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.FASYNC)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 1000))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1000)
    sys.exit(1)
frame(2, number)
flags = fcntl.fcntl(client, fcntl.F_GETFL)
linger = client.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
line = client.recv(100)  # blocks, and is told of the first byte
client.sendall(json.dumps({"line": line.decode(), "flags": flags & (os.O_NONBLOCK | fcntl.FASYNC),
                           "linger": list(struct.unpack("ii", linger))}).encode() + b"\n")
client.close()
frame(4, number, field(6, b"\0"))
channel.recv(100)
