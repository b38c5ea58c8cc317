"""A handler with baton.py that answers lines until it is cancelled.

    cancel.py SDK-FOLDER

One thread waits for what the supervisor says, another one serves, as a handler must that wants to
hear of CANCEL while it works.
"""

import socket
import sys
import threading

sys.path.insert(0, sys.argv[1])
import baton  # noqa: E402

serving = {}


def cancel(number):
    serving[number].socket.shutdown(socket.SHUT_RD)


def answer(connection):
    connection.socket.sendall(b"holding\n")
    for line in connection.socket.makefile("rb"):
        connection.socket.sendall(b"answer to " + line)
    connection.socket.sendall(b"cancelled\n")
    source.finish(connection, 0, "it was cancelled")


source = baton.open(cancelled=cancel)
while (connection := source.next()) is not None:
    serving[connection.number] = connection
    threading.Thread(target=answer, args=(connection,)).start()
