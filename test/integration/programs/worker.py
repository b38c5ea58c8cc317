"""A handler of which several share a listener (`workers`): accepts one client after the other, tells
each its pid and what it knows of itself, and keeps it until it says something.

    worker.py [WHAT]

WHAT: `shut` has it shut the listener down, which is everybody's, when a client says so.
"""

import json
import os
import socket
import sys
import threading

what = sys.argv[1] if len(sys.argv) > 1 else ""
listener = socket.socket(fileno=3)
facts = {name: os.environ.get(name) for name in ("BATON_ID", "SERVER_PORT", "LISTEN_FDS")}
facts.update(pid=os.getpid(), ours=os.environ["LISTEN_PID"] == str(os.getpid()),
             blocking=listener.getblocking() and os.get_blocking(3))


def serve(connection):
    with connection:
        connection.sendall(json.dumps(facts).encode() + b"\n")
        said = connection.recv(100).strip()
        if said == b"shut" and what == "shut":
            listener.shutdown(socket.SHUT_RDWR)
        if said == b"exit":
            os._exit(0)


while True:
    try:
        connection, _ = listener.accept()
    except OSError:  # somebody has shut it down
        threading.Event().wait()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
