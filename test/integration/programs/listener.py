"""A handler of systemd's kind (Accept=no): accepts one connection, tells it what it was given, as a
line of JSON, and exits."""

import json
import os
import select
import socket

FIRST = 3
numbers = range(FIRST, FIRST + int(os.environ["LISTEN_FDS"]))
facts = {
    "ours": os.environ["LISTEN_PID"] == str(os.getpid()),
    "names": os.environ["LISTEN_FDNAMES"].split(":"),
    "blocking": [os.get_blocking(number) for number in numbers],
    "input_is": [number for number in numbers if os.path.sameopenfile(number, 0)],
    "channel": os.environ.get("BATON_CHANNEL"),
    "pid": os.getpid(),
}
listeners = [socket.socket(fileno=number) for number in numbers]
facts["listening"] = [bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
                      for each in listeners]
ready = select.select(listeners, [], [], 30)[0][0]
facts["ready"] = ready.fileno()
connection, _ = ready.accept()
with connection:
    connection.sendall(json.dumps(facts).encode() + b"\n")
