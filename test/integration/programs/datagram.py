"""A handler of inetd's kind for datagrams (`wait`): the bound socket is standard input.

    datagram.py [COUNT]

Answers COUNT datagrams (1) and exits. As long as there is a file `exit` in its folder, it exits
without a look at what waits, with the status that the file has in it.
"""

import os
import socket
import sys

try:
    with open("exit", encoding="ascii") as file:
        sys.exit(int(file.read()))
except FileNotFoundError:
    pass

waiting = socket.socket(fileno=0)
assert waiting.type == socket.SOCK_DGRAM, waiting
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    data, peer = waiting.recvfrom(65536)
    waiting.sendto(b"%d:%s" % (os.getpid(), data), peer)
