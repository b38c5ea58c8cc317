"""A UDP server of tftpd's shape: takes the request, and exits; its child sends the blocks, each behind the
word of the client that it has the one before."""

import os
import socket

asked = socket.socket(fileno=0)
count, client = asked.recvfrom(100)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.bind(("127.0.0.1", 0))
    if os.fork() != 0:
        os._exit(0)
    asked.close()
    own.settimeout(30)
    for number in range(int(count)):
        own.sendto(b"%d" % number, client)
        own.recv(100)
