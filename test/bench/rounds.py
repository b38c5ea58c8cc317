"""Two supervisors under the same load by turns; and what every round has: a server that runs for as
long as it lasts, and what is told when it goes wrong."""

import ctypes
import functools
import os
import re
import signal
import socket
import subprocess
import sys
import time

MODES = ("stdio", "channel")
SIDES = ("old", "new")

AT_ONCE = 32
LEGS = 4
WARM_UP_COUNT = 2 * AT_ONCE
QUIET_MS = 20000
LEG_DEADLINE_S = 180
START_DEADLINE_S = 30
STOP_DEADLINE_S = 30

CONFIG = "".join(
    f"[{mode}]\nlisten = 127.0.0.1:0\nhandler = ok\nhandoff = {mode}\n" for mode in MODES)
# Handlers that live for as long as their client stays.
LIVING = "living"
LIVING_CONFIG = (f"[{LIVING}]\nlisten = 127.0.0.1:0\nhandler = /bin/cat\nhandoff = stdio\n"
                 "max_connections = {count}\n")

# Services that nobody comes to.
IDLE = "idle-"
IDLE_CONFIG = (f"[{IDLE}{{number}}]\nlisten = 127.0.0.1:0\nhandler = ok\nhandoff = stdio\n"
               "max_connections = 1\n")

# Both trees run their handlers as what they are themselves.
AS_ROOT = "default_user = root\n" if os.geteuid() == 0 else ""

EXIT_BROKEN = 70

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """The bench ends with this status; the text says why."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Broken(Failure):
    """The same, since a server or what is at work on it did not do what it should."""

    def __init__(self, text):
        super().__init__(EXIT_BROKEN, text)


def tells_failures(main):
    """Wraps a main: a failure is printed, and its status is the program's."""
    @functools.wraps(main)
    def wrapped(arguments):
        try:
            return main(arguments)
        except Failure as failure:
            print(f"bench: {failure}", file=sys.stderr)
            return failure.status
    return wrapped


def end_with_the_bench(number):
    """For preexec_fn: the signal that the process gets when the bench is gone."""
    return lambda: _libc.prctl(_PR_SET_PDEATHSIG, number)


class Running:
    """A server, `process`, whose log is the file `log`, from entry to exit; what a fault calls it is
    `title`. Of its kind it has `_await`, which returns when it serves."""

    def __enter__(self):
        try:
            self._await()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def _end(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def explain(self, what):
        """What to tell of a fault, with the end of the log."""
        state = self.process.poll()
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"{self.title} {what}"
                          + (f" and has ended with {state}" if state is not None else "")
                          + "; its log ends:", *(f"  {line}" for line in lines[-10:])])


class Supervisor(Running):
    """A batond with the `bin` and `handlers` of `folder`, where its config and log go as well.

    `config` names its `services`, `defaults` are lines for all of them, and `own` for batond itself;
    `living_count` handlers live beside those that are measured, and `idle_count` services wait
    beside theirs. `start_s` is how long it took to say that it is ready.
    """

    def __init__(self, folder, name, defaults="", own="", living_count=0, config=CONFIG,
                 services=MODES, idle_count=0):
        self.name = name
        self.title = f"batond of the {name} tree"
        self.start_s = 0.0
        self._services = services
        self.living_count = living_count
        self.clients = []
        self.log = folder / "log"
        path = folder / "bench.ini"
        living = LIVING_CONFIG.format(count=living_count) if living_count else ""
        text = (f"[defaults]\n{defaults}\n" if defaults else "") + config + living
        text += "".join(IDLE_CONFIG.format(number=number) for number in range(idle_count))
        command = [folder / "bin" / "batond", "-c", path, "--handlers", folder / "handlers"]
        try:
            # An older one runs all as root, and has no key for it.
            has_key = b"default_user" in command[0].read_bytes()
            if has_key or own:
                text = f"[supervisor]\n{AS_ROOT if has_key else ''}{own}\n" + text
            path.write_text(text, encoding="utf-8")
            # A file and not a pipe: nobody has to read along while we measure.
            with open(self.log, "wb") as log:
                self._began_s = time.monotonic()
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, cwd=folder,
                                                preexec_fn=end_with_the_bench(signal.SIGTERM))
        except OSError as error:
            raise Broken(f"{self.title} could not be started: {error}") from error

    def _await(self):
        self.ports = self._await_ports()
        self._fill()

    def _fill(self):
        """A client for each handler that is to live; each has been answered, so its handler runs."""
        for number in range(self.living_count):
            try:
                client = socket.create_connection(("127.0.0.1", int(self.ports[LIVING])),
                                                  QUIET_MS / 1000)
                self.clients.append(client)
                client.sendall(b"x")
                answer = client.recv(1)
            except OSError as error:
                raise Broken(self.explain(f"has not let handler {number} live: {error}")) from error
            if answer != b"x":
                raise Broken(self.explain(f"has not let handler {number} live"))

    def _end(self):
        for client in self.clients:
            client.close()
        super()._end()

    def _await_ports(self):
        deadline_s = time.monotonic() + START_DEADLINE_S
        while True:
            text = self.log.read_text(encoding="utf-8", errors="replace")
            if re.search(r"\bevent=ready\b", text):
                self.start_s = time.monotonic() - self._began_s
                break
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise Broken(self.explain("did not get ready"))
            time.sleep(0.005)
        ports = dict(re.findall(
            r"event=listening .*service=(\S+) .*address=127\.0\.0\.1:(\d+)", text))
        others = {name for name in ports if name == LIVING or name.startswith(IDLE)}
        if set(ports) - others != set(self._services):
            raise Broken(self.explain("does not listen for every mode"))
        return ports


def leg(load, supervisor, mode, count):
    """Seconds that `count` connections take. Every answer was right, or the bench is over."""
    command = [load, supervisor.ports[mode], str(AT_ONCE), str(count), str(QUIET_MS)]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=LEG_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Broken(supervisor.explain(
            f"served {count} connections not within {LEG_DEADLINE_S} s ({mode} mode)")) from error
    except OSError as error:
        raise Broken(f"the load could not be started: {error}") from error
    if result.returncode != 0:
        raise Broken(supervisor.explain(
            f"lost a connection ({mode} mode): {result.stderr.strip()}"))
    return int(result.stdout) / 1e6


def run_round(load, folders, number, count, settings=None):
    """`settings`: what each side's Supervisor has of its own. One round, of LEGS * count connections a mode and side: {(mode, side): how many per second}.

    The sides take turns of one leg, and which of them begins alternates: what another program does
    to the machine for some seconds meets both, and no drift favours either. Each round has
    supervisors of its own: what a process owes to chance for its whole life, such as where its
    memory lies, differs from round to round, and so counts as the noise that it is.
    """
    rates = {}
    settings = settings or {side: {} for side in SIDES}
    with (Supervisor(folders["old"], "old", **settings["old"]) as old,
          Supervisor(folders["new"], "new", **settings["new"]) as new):
        supervisors = {"old": old, "new": new}
        for mode in MODES:
            spans_s = dict.fromkeys(SIDES, 0.0)
            for side in SIDES:
                leg(load, supervisors[side], mode, WARM_UP_COUNT)
            for turn in range(number, number + LEGS):
                for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                    spans_s[side] += leg(load, supervisors[side], mode, count)
            for side in SIDES:
                rates[mode, side] = LEGS * count / spans_s[side]
    return rates
