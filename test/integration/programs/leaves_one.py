"""Takes one client of the listener that it is given, and leaves another there that has gone again
(of TCP: has reset), so that as many wait as before; the last of ROUNDS leaves nobody."""

import os
import socket
import struct
import sys

rounds = int(sys.argv[1])
listener = socket.socket(fileno=3)
listener.accept()[0].close()
with open("rounds", "ab") as taken:
    taken.write(b"x")
if os.path.getsize("rounds") < rounds:
    with socket.socket(listener.family) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connect(listener.getsockname())
