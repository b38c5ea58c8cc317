"""A client of the supervisor: a socket whose every wait has a deadline."""

import socket
import time

from settings import DEADLINE_S


def address_text(name):
    """A socket's name as the log writes it: 127.0.0.1:80, [::1]:80."""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(text):
    """'127.0.0.1:80' or '[::1]:80' -> (host, port)."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def await_refusal(address):
    """Until nobody listens there. A launcher that was made just now has what batond had until the machine comes to
    it, a keeper until it has heard, and who gets through to that is cut off."""
    give_up_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            socket.create_connection(address, DEADLINE_S).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            pass
        if time.monotonic() > give_up_s:
            raise AssertionError(f"{address} listens still")


class Client:
    """One connection. `name` is its own address and `server` the other one, as the records show
    them in peer= and local=; only both together name it, as Linux uses a port for several."""

    def __init__(self, address, deadline_s=DEADLINE_S, receive_bytes=None, source=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(deadline_s)
        if source:
            self.socket.bind((source, 0))
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.name = address_text(self.socket.getsockname())
        self.server = address_text(self.socket.getpeername())
        self._rest = b""

    def fileno(self):
        """So that select.select() takes a client."""
        return self.socket.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def end(self):
        """No more comes from here; the other direction stays open."""
        self.socket.shutdown(socket.SHUT_WR)

    def line(self):
        """The next line without its end; "" when the other side has ended."""
        while b"\n" not in self._rest:
            more = self._receive()
            if not more:
                break
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace")

    def rest(self):
        """All that comes until the other side ends; a reset counts as an end."""
        parts = [self._rest]
        self._rest = b""
        while parts[-1:] != [b""] or len(parts) == 1:
            parts.append(self._receive())
        return b"".join(parts).decode(errors="replace")

    def _receive(self):
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def ask(self, text):
        """Sends one line and gives back the answer's line."""
        self.send(text + "\n")
        return self.line()

    def try_to_ask(self, text):
        """The same; "" when the other side does not want to be asked."""
        try:
            return self.ask(text)
        except (BrokenPipeError, ConnectionResetError):
            return ""

    def close(self):
        self.socket.close()
