"""What tiny.c does, in Python, with Baton's SDK, which lies beside it; with `forking` the process forks
for each client, where it would be started for each."""

import sys

import baton

CHILDREN_MAX = 64


def answer(connection):
    if connection.socket.recv(64):
        connection.socket.sendall(b"OK")


if __name__ == "__main__":
    if sys.argv[1:] == ["forking"]:
        raise SystemExit(baton.serve_forking(answer, CHILDREN_MAX))
    raise SystemExit(baton.serve(answer))
