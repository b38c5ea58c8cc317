"""Clients at a server, and what they say of it."""

import collections
import subprocess

from rounds import Broken

FAULTS = ("refused", "reset", "short", "wrong", "silent")
DEADLINE_S = 900

Result = collections.namedtuple(
    "Result", "served refused reset short wrong silent span_us median_us p90_us p99_us max_us")


def parse(line):
    return Result(**{name: int(value) for name, value in
                     (word.split("=") for word in line.split())})


def faults(result):
    """{fault: how many}, of those that there were."""
    return {name: getattr(result, name) for name in FAULTS if getattr(result, name)}


def rate(result):
    """Connections a second."""
    return result.served * 1e6 / max(result.span_us, 1)


class Clients:
    """Called as (server, mode, numbers...), as clients.c has them; counts all faults by server."""

    def __init__(self, program):
        self._program = program
        self.faults = collections.defaultdict(collections.Counter)

    def __call__(self, server, mode, *numbers):
        command = [self._program, str(server.port), mode, *map(str, numbers)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=DEADLINE_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise Broken(server.explain(f"has kept its clients for {DEADLINE_S} s")) from error
        except OSError as error:
            raise Broken(f"the clients could not be started: {error}") from error
        if done.returncode != 0:
            raise Broken(f"the clients of {server.name} have ended: {done.stderr.strip()}")
        result = parse(done.stdout)
        self.faults[server.name].update(faults(result))
        return result
