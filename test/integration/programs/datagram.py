"""A handler of inetd's kind for datagrams (`wait`): the bound socket is standard input.

    datagram.py [COUNT]

Answers COUNT datagrams (1) and exits.
"""

import os
import socket
import sys

waiting = socket.socket(fileno=0)
assert waiting.type == socket.SOCK_DGRAM, waiting
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
    data, peer = waiting.recvfrom(65536)
    waiting.sendto(b"%d:%s" % (os.getpid(), data), peer)
