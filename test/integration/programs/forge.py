"""A handler of a UDP service that sends one datagram, as an attacker would in the service's name, to
the port that the first datagram tells, and then is another handler.

    forge.py HANDLER

It is in its place all the same: same process, same socket, same environment.
"""

import os
import socket
import sys

waiting = socket.socket(fileno=os.dup(0))
port = int(waiting.recv(100))
waiting.sendto(b"for ever and ever", ("127.0.0.1", port))
os.set_inheritable(3, True)
os.execv(sys.argv[1], sys.argv[1:])
