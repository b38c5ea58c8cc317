#!/usr/bin/env python3
"""Greets every client by its address: a whole handler in Python."""

import baton


def greet(connection: baton.Connection) -> None:
    connection.socket.sendall(f"Hello {connection.peer}, this is {connection.service}.\n".encode())


if __name__ == "__main__":
    raise SystemExit(baton.serve(greet))
