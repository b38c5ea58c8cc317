"""Runs a batond that was installed, from where it was installed, with the config that came with it."""

import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../integration"))

import logfmt  # noqa: E402
import processes  # noqa: E402
from harness import STOP_SIGNAL  # noqa: E402
from settings import DEADLINE_S, EMULATOR, ON_WINE  # noqa: E402

SOURCE_DIR = os.environ["BATON_SOURCE_DIR"]
BUILD_DIR = os.path.dirname(os.environ["BATON_BIN_DIR"])
CMAKE = os.environ["BATON_CMAKE"]


def run(*command, **options):
    """Its result, once it has ended with 0; else what it said is the failure."""
    result = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", timeout=240, check=False,
                            **options)
    if result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def example(language):
    """The first block of that language in README.md: what its readers type."""
    with open(os.path.join(SOURCE_DIR, "README.md"), encoding="utf-8") as file:
        return re.search(rf"```{language}\n(.*?)```", file.read(), re.S).group(1)


def edit(path, old, new):
    """As somebody does by hand: what is not there cannot be replaced."""
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise AssertionError(f"no `{old}` in {path}")
    path.write_text(text.replace(old, new), encoding="utf-8")


class Server:
    """One run of batond, which ends with the block."""

    def __init__(self, program, *arguments, prefix=(), **options):
        self._process = subprocess.Popen(
            [*prefix, *EMULATOR, str(program), *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, **options)
        self._lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        self.event("ready")
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(DEADLINE_S)
        self._process.stderr.close()

    def _read(self):
        for line in self._process.stderr:
            with self._changed:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _find(self, event, fields):
        for line in self._lines:
            if f"event={event} " in line:
                found = logfmt.parse_logfmt(line)
                if all(found.get(name) == value for name, value in fields.items()):
                    return found
        return None

    def event(self, event, **fields):
        """The first one of this kind, waited for."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._find(event, fields), DEADLINE_S)
            found = self._find(event, fields)
        if not found:
            raise AssertionError(f"no event {event} {fields}:\n" + "\n".join(self._lines))
        return found

    def ask(self, service, text=""):
        """All that a client gets who says this and no more."""
        host, port = self.event("listening", service=service)["address"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), DEADLINE_S) as client:
            client.sendall(text.encode())
            client.shutdown(socket.SHUT_WR)
            parts = iter(lambda: client.recv(4096), b"")
            return b"".join(parts).decode()

    def stop(self):
        """Ordered; its exit code."""
        if ON_WINE:
            processes.signal_other_thread(self._process.pid, STOP_SIGNAL)
        else:
            self._process.send_signal(STOP_SIGNAL)
        return self._process.wait(DEADLINE_S)
