"""For baton.py: standard output and error that outlive the supervisor.

Both lead to the supervisor's log. When it is killed nobody reads them any more, and a line that is
written raises BrokenPipeError, in the middle of serving a client that lives on; what print() has
kept back raises it at the exit, which then has the status 120.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any


class _LastingFile(io.FileIO):
    """What cannot be written since nobody reads it counts as written."""

    def write(self, data: Any) -> Any:
        try:
            return super().write(data)
        except (BrokenPipeError, ConnectionResetError):
            return memoryview(data).nbytes


def _lasting(stream: Any) -> Any:
    raw = _LastingFile(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )


def let_streams_last() -> None:
    """Makes sys.stdout and sys.stderr what print() may use without care: what nobody reads is
    dropped, and each line goes out as soon as it is whole. Streams that the program has put there
    itself, or closed, are left as they are. POSIX only."""
    if os.name != "posix":
        return
    for name in ("stdout", "stderr"):
        stream, original = getattr(sys, name), getattr(sys, f"__{name}__")
        if stream is None or stream is not original:
            continue
        try:
            lasting = _lasting(stream)
            stream.flush()
        except (OSError, ValueError):
            continue
        setattr(sys, name, lasting)


def log(text: str) -> None:
    """One line for the supervisor's log, written at once to descriptor 2. If nobody reads it any
    more, it is dropped; never raises."""
    try:
        os.write(2, (text.replace("\n", " ") + "\n").encode("utf-8", "backslashreplace"))
    except OSError:
        pass
