"""A handler of which several share a listener (`workers`): accepts one client after the other, tells
each its pid and what it knows of itself, and keeps it until it says something: `exit`; `shut`, which
shuts the listener down for all who share it; `wait not`, which makes it non-blocking for all of them.

    worker.py
"""

import json
import os
import select
import socket
import threading

listener = socket.socket(fileno=3)
facts = {name: os.environ.get(name) for name in ("BATON_ID", "SERVER_PORT", "LISTEN_FDS")}
facts.update(pid=os.getpid(), ours=os.environ["LISTEN_PID"] == str(os.getpid()),
             blocking=listener.getblocking() and os.get_blocking(3))


def serve(connection):
    with connection:
        connection.setblocking(True)
        blocks = os.get_blocking(3)
        connection.sendall(json.dumps({**facts, "blocks": blocks}).encode() + b"\n")
        said = connection.recv(100).strip()
        if said == b"shut":
            listener.shutdown(socket.SHUT_RDWR)
        if said == b"wait not":
            os.set_blocking(3, False)
            connection.sendall(b"done")
        if said == b"exit":
            os._exit(0)


while True:
    select.select([listener], [], [])
    try:
        connection, _ = listener.accept()
    except BlockingIOError:  # another one was faster
        continue
    except OSError:  # somebody has shut it down
        threading.Event().wait()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
