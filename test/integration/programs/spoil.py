"""A handler that gets a listener or a UDP socket: serves one client or datagram, and leaves the socket so
that it is of no use any more. With "take" a process of its own takes the port."""

import os
import socket
import sys

what = sys.argv[1]
listener = socket.socket(fileno=3)
address = listener.getsockname()
if listener.type == socket.SOCK_DGRAM:
    text, peer = listener.recvfrom(100)
    listener.sendto(text, peer)
else:
    connection, _ = listener.accept()
    connection.sendall(b"%d\n" % os.getpid())
    connection.close()
if what == "backlog":
    listener.listen(0)
    sys.exit(0)
try:
    listener.shutdown(socket.SHUT_RDWR)
except OSError:
    pass  # "not connected", and yet it is done
if what == "turn":
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listener.connect(other.getsockname())
if what == "take":
    listener.close()
    os.close(0)
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(address)
    other.listen()
    other.set_inheritable(True)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(writing)  # the parent waits until we have left its group
        os.execl("/bin/sleep", "sleep", "600")
    os.close(writing)
    os.read(reading, 1)
