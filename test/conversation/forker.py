"""What forker.c is, with baton.py."""

import errno
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "handlers" / "sdk"))
import baton  # noqa: E402


class Scarce:
    """fork(), for which there may be no room the next time."""

    def __init__(self):
        self.real, self.is_scarce = os.fork, False
        os.fork = self.fork
        signal.signal(signal.SIGUSR1, self.on_signal)

    def on_signal(self, *_):
        self.is_scarce = True

    def fork(self):
        if self.is_scarce:
            self.is_scarce = False
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return self.real()


def tell_open(client):
    numbers = sorted(map(int, os.listdir("/proc/self/fd")))
    there = [number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")]
    ours = client.socket.fileno()
    return " ".join(f"{number}=client" if number == ours else str(number) for number in there)


def leave(client):
    if os.fork() != 0:
        os._exit(0)
    while True:
        data = client.socket.recv(1)
        if not data:
            client.bytes_in = 4711
            return 0
        client.socket.sendall(data)


def obey(client, line):
    """What to send back; or a number: how it ends."""
    command, _, words = line.partition(" ")
    if command == "run":
        output = client.socket.fileno()
        subprocess.run(["sh", "-c", words], stdout=output, close_fds=False, check=False)
    elif command in ("fail", "exit"):
        if command == "exit":
            sys.exit(int(words))
        return int(words)
    elif command == "signal":
        os.kill(os.getpid(), int(words))
    elif command == "text":
        raise ValueError(words)
    elif command == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif command == "leave":
        return leave(client)
    elif command == "kill":
        os.kill(os.getppid(), signal.SIGKILL)
    elif command == "scarce":
        os.kill(os.getppid(), signal.SIGUSR1)
    elif command == "open":
        return tell_open(client)
    elif command == "pid":
        facts = client.service, client.peer, client.local, client.id
        return " ".join(map(str, (os.getpid(), os.getppid(), os.getpgrp(), *facts)))
    return line


def serve(client):
    with client.socket.makefile("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            said = obey(client, line[:-1].decode())
            if isinstance(said, int):
                return said
            client.bytes_in += len(line)
            client.bytes_out += len(said) + 1
            client.socket.sendall(said.encode() + b"\n")
    return 0


def main(capacity=4):
    return baton.serve_forking(serve, capacity)


if __name__ == "__main__":
    Scarce()
    sys.exit(main(*map(int, sys.argv[1:])))
