"""Programs of others: servers that scripts/cmake/fetch-peers has unpacked, clients of the system.

A program of which nothing is found is a failure and not a skip: scripts/packages and fetch-peers
see to it that all of them are there.
"""

import os
import pathlib
import random
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import time

import processes
from settings import DEADLINE_S, clean_environment

PEERS_DIR = pathlib.Path(os.environ["BATON_PEERS_DIR"])
PROGRAMS_DIR = pathlib.Path(__file__).parent / "programs"

# Below the ports that Linux gives to clients, so that no connection of another test has them.
_PORTS = range(20000, 32000)


def server(name):
    """The path of a server that fetch-peers has unpacked."""
    path = PEERS_DIR / "bin" / name
    if not os.access(path, os.X_OK):
        raise AssertionError(f"{path} is not there: run scripts/cmake/fetch-peers {PEERS_DIR}")
    return str(path)


def tool(name):
    """The path of a program that scripts/packages has installed."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise AssertionError(f"{name} is not installed: run scripts/packages test")
    return path


def run(*command, deadline_s=DEADLINE_S, code=0, **options):
    """Runs a client to its end and gives back what it printed; it must exit with `code`."""
    options.setdefault("env", clean_environment())
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=deadline_s,
                          check=False, **options)
    if done.returncode != code:
        raise AssertionError(f"{shlex.join(map(str, command))}: exit code {done.returncode}, not "
                             f"{code}\n{(done.stdout + done.stderr).decode(errors='replace')}")
    return done.stdout


def quoted(path):
    """A word of the config's `handler`."""
    return f'"{path}"'


def program(name, arguments=""):
    """The command of a handler in Python, from the folder programs."""
    return f"{quoted(sys.executable)} -I -S {quoted(PROGRAMS_DIR / name)} {arguments}".strip()


def free_ports(count=1, kind=socket.SOCK_STREAM):
    """The first of `count` ports in a row that nobody has, for those who cannot take port 0."""
    for _ in range(100):
        first = random.choice(_PORTS[:-count])
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket(socket.AF_INET, kind))
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise AssertionError(f"no {count} free ports in a row")


def raise_descriptor_limit(count):
    """For a test that has so many clients at once. The supervisor sees to its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def _listens(port):
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
                   for line in file)


class Server:
    """A server that is not ours, at work until the end of the test; on `port`, if there is one.
    Its output is in `output`, a file, and is printed when it does not come up."""

    def __init__(self, case, *command, port=None, **options):
        options.setdefault("env", clean_environment())
        self.output = case.folder() / "output"
        with open(self.output, "wb") as file:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True, **options)
        case.addCleanup(self.stop)
        give_up_s = time.monotonic() + DEADLINE_S
        while port is not None and not _listens(port):
            if self.process.poll() is not None or time.monotonic() > give_up_s:
                raise AssertionError(f"{command[0]} does not listen:\n"
                                     f"{self.output.read_text(errors='replace')}")
            time.sleep(0.01)

    def stop(self):
        """Ends it and whatever it has launched, which may outlive it."""
        launched = processes.descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        processes.end(launched)
