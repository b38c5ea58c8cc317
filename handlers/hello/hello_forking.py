#!/usr/bin/env python3
"""hello.py as a server that forks: what takes long is done once, and each client still has a process of
its own. POSIX; in the config `reuse = 0`, and best `max_handlers = 1`."""

import os
import time

import baton

CAPACITY = 64
STARTED = time.strftime("%H:%M:%S")  # in place of what takes long


def greet(connection: baton.Connection) -> None:
    words = f"Hello {connection.peer}, this is {connection.service}, process {os.getpid()} of {os.getppid()}"
    connection.socket.sendall(f"{words}, which has been ready since {STARTED}.\n".encode())


if __name__ == "__main__":
    raise SystemExit(baton.serve_forking(greet, CAPACITY))
