"""Runs batond for a test: natively, or as batond.exe under Wine.

A test says which services it wants; the supervisor gets a folder of its own, whose name has a
space and letters beyond ASCII, listens on ports that the system chooses, and is read by a thread that
keeps every event of its log. Whoever waits, waits for an event with a deadline.
"""

import atexit
import collections
import ctypes
import fcntl
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import unittest
import uuid

import logfmt
import processes
from client import Client, address_text, split_address
from settings import (BIN_DIR, DEADLINE_S, EMULATOR, HANDLERS_DIR, ON_WINE, TEST_HANDLERS_DIR,
                      clean_environment, executable, system_path)

# What asks for an ordered stop. Wine turns SIGINT into Ctrl-C, and SIGTERM into an end at once.
STOP_SIGNAL = signal.SIGINT if ON_WINE else signal.SIGTERM

EXIT_USAGE, EXIT_SYSTEM, EXIT_OUTPUT, EXIT_CONFIG = 64, 71, 74, 78

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_the_test():
    # If ctest ends this test at its time limit, the supervisor gets an ordered stop.
    _libc.prctl(_PR_SET_PDEATHSIG, STOP_SIGNAL)


class _Shared:
    """Made once for all tests of a file: the folder of handlers."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="baton tëst ✓ "))
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)
        self.root.chmod(0o755)  # other users run handlers, too
        self.handlers = self.root / "händlers dir"
        self.handlers.mkdir()
        for folder in (HANDLERS_DIR, TEST_HANDLERS_DIR):
            for file in folder.iterdir() if folder.is_dir() else ():
                if file.is_file():
                    shutil.copy2(file, self.handlers / file.name)


_shared = None


def shared():
    global _shared
    if _shared is None:
        _shared = _Shared()
    return _shared


def _render_ini(sections):
    lines = []
    for name, keys in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {value}" for key, value in keys.items()]
        lines.append("")
    return "\n".join(lines)


def _render_yaml(sections):
    def quoted(value):
        return "'" + str(value).replace("'", "''") + "'"

    lines = []
    for name, keys in sections.items():
        lines.append(f"{quoted(name)}:")
        lines += [f"  {quoted(key)}: {quoted(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def render(sections, config_format):
    return {"ini": _render_ini, "yaml": _render_yaml}[config_format](sections)


# What the sanitizers' and the memory checkers' builds are told, and what finds processes again.
PASSED_ON = ", ".join([processes.MARK_NAME, *sorted(
    name for name in os.environ if name.startswith(("ASAN_", "LSAN_", "UBSAN_", "TSAN_")))])


def what_tests_need(sections):
    """The sections with what every supervisor of a test is told, unless they say otherwise."""
    defaults = {"environment_from": PASSED_ON, **sections.get("defaults", {})}
    supervisor = sections.get("supervisor", {})
    if os.geteuid() == 0 and not ON_WINE:
        supervisor = {"default_user": "root", **supervisor}
    sections = {**sections, "defaults": defaults}
    return {**sections, "supervisor": supervisor} if supervisor else sections


# For a service of a config that a test writes by itself.
AS_US = "user = root\n" if os.geteuid() == 0 and not ON_WINE else ""


def complete_ini(text):
    """The same for a config that is a text already."""
    if AS_US:
        text = text.replace("default_user = nobody\n", "")
    for name, keys in what_tests_need({}).items():
        lines = "".join(f"{key} = {value}\n" for key, value in keys.items())
        head = f"[{name}]\n"
        text = text.replace(head, head + lines, 1) if head in text else f"{text}\n{head}{lines}"
    return text


def service(handler, **keys):
    """The keys of a service on a port that the system chooses."""
    return {"listen": "127.0.0.1:0", "handler": handler, **keys}


def misbehave(arguments="", **keys):
    return service(f"misbehave {arguments}".strip(), **keys)


# Becomes a program that has these descriptors as 3, 4, ... and is told so.
PASS_ON = """
import os, sys
copies = [os.dup(int(number)) for number in sys.argv[1].split(",")]
high = [os.dup2(copy, 100 + i) for i, copy in enumerate(copies)]
for i, number in enumerate(high):
    os.dup2(number, 3 + i)
os.closerange(3 + len(high), 200)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ["LISTEN_FDS"] = str(len(high))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """One run of batond. Made by SupervisorCase.supervisor(), which stops it as well."""

    def __init__(self, folder, sections, *, config_format="ini", text=None, arguments=(),
                 descriptor_limit=None, log_file=None, file_name=None, terminal=None,
                 environment=None, user=None, program=None, passed=()):
        """`user`: the number of the one that runs it, from `program`, where that one can reach it.
        `passed`: sockets that it gets as a service manager passes them (sd_listen_fds(3))."""
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir(exist_ok=True)
        self.mark = uuid.uuid4().hex
        self.events = []
        self.strange_lines = []
        self.clients = collections.Counter()
        self._open_clients = []
        self._changed = threading.Condition()
        self._ended = False
        self._parse = logfmt.parse_logfmt
        if sections.get("supervisor", {}).get("log_format") == "json":
            self._parse = logfmt.parse_json
        config = self.config = folder / (file_name or f"sërvices.{config_format}")
        self._config_format = config_format
        if text is None:
            text = self.rendered(sections)
        elif isinstance(text, str):
            text = complete_ini(text)
        config.write_bytes(text if isinstance(text, bytes) else text.encode())
        self._user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        program = program or BIN_DIR / executable("batond")
        command = [*EMULATOR, str(program), "-c", system_path(config),
                   "--handlers", system_path(shared().handlers), *arguments]
        self._environment = environment or {}
        self._passed = [one.fileno() for one in passed]
        if passed:
            numbers = ",".join(str(number) for number in self._passed)
            command = [sys.executable, "-c", PASS_ON, numbers, *command]
        self._start(command, descriptor_limit, terminal)
        self._may_read = threading.Event()
        self._may_read.set()
        self._log = self.process.stderr
        self._tail = None
        if log_file:
            self._tail = subprocess.Popen(
                ["tail", "-n", "+2", "-f", f"--pid={self.pid}", log_file], stdout=subprocess.PIPE)
            self._log = self._tail.stdout
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def rendered(self, sections):
        """The text of a config with these sections, as it was told at the start."""
        return render(what_tests_need({"defaults": {"directory": system_path(self.state)},
                                       **sections}), self._config_format)

    def reload(self, sections=None, event="reloaded"):
        """Has the config read anew, with other sections unless there are none. Returns the event
        that says what came of it."""
        if sections is not None:
            self.config.write_text(self.rendered(sections), encoding="utf-8")
        count = len(self.find(event))
        self.signal(signal.SIGHUP)
        return self.wait_events(count + 1, event)[count]

    def _start(self, command, descriptor_limit, terminal):
        """`terminal`: the program's side of a pty, which becomes the controlling terminal."""
        def prepare():
            _die_with_the_test()
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
            if descriptor_limit:
                limits = descriptor_limit if isinstance(descriptor_limit, tuple) else (descriptor_limit,) * 2
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder,
            start_new_session=True, preexec_fn=prepare, pass_fds=self._passed, **self._user,
            env=clean_environment(**{processes.MARK_NAME: self.mark}, **self._environment))
        self.pid = self.process.pid

    # -- the log

    def _read_log(self):
        while True:
            self._may_read.wait()
            try:
                raw = self._log.readline()
            except ValueError:
                break  # close_log()
            if not raw:
                break
            self._take_line(raw)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def hold_log(self):
        """Reads no more lines than the one that is being waited for."""
        self._may_read.clear()

    def release_log(self):
        self._may_read.set()

    def close_log(self):
        """Closes the pipe under the supervisor's log; for a log that is held."""
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), self.process.stderr.fileno())

    def _take_line(self, raw):
        line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
        if ON_WINE and line.startswith("wine: "):
            return  # Wine's own words about a handler's crash
        with self._changed:
            try:
                self.events.append(self._parse(line))
            except logfmt.Malformed:
                self.strange_lines.append(line)
            self._changed.notify_all()

    def log_text(self):
        with self._changed:
            lines = [" ".join(f"{k}={v!r}" for k, v in event.items()) for event in self.events]
            lines += [f"not a log line: {line}" for line in self.strange_lines]
        if len(lines) > 300:
            lines = lines[:100] + [f"... {len(lines) - 300} lines ..."] + lines[-200:]
        return "\n".join(lines)

    def find(self, event, **fields):
        """The events seen so far that have these fields."""
        return [e for e in list(self.events) if e["event"] == event and
                all(e.get(name) == str(value) for name, value in fields.items())]

    def wait_events(self, count, event, deadline_s=DEADLINE_S, **fields):
        """The events of this kind as soon as there are `count` of them."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or len(self.find(event, **fields)) >= count, deadline_s)
        found = self.find(event, **fields)
        if len(found) < count:
            raise AssertionError(f"{len(found)} of {count} events {event} {fields} came"
                                 f"{' before the log ended' if self._ended else ''}")
        return found

    def wait_event(self, event, deadline_s=DEADLINE_S, **fields):
        """The first event of this kind, waited for if it has not come yet."""
        return self.wait_events(1, event, deadline_s, **fields)[0]

    def wait_ready(self):
        self.wait_event("ready")
        return self

    # -- connections

    def address(self, name):
        """(host, port) where the service listens."""
        return split_address(self.wait_event("listening", service=name)["address"])

    def connect(self, name, host=None, **options):
        """`host`: another one than that at which the service says that it listens."""
        address = self.address(name)
        client = Client((host or address[0], address[1]), **options)
        self.clients[client.name, client.server] += 1
        self._open_clients.append(client)
        return client

    def ask(self, name, text):
        """A whole connection: one line there, one line back, and the end."""
        with self.connect(name) as client:
            answer = client.ask(text)
            client.rest()
        return answer

    def record(self, client):
        return self.wait_event("connection", peer=client.name, local=client.server)

    def expect_record(self, record):
        """Counts a connection that was not made by connect(), known by its record alone."""
        self.clients[record["peer"], record["local"]] += 1

    def expect_records(self, count, **fields):
        """The same for the `count` connections of a client that is not ours; its records."""
        records = self.wait_events(count, "connection", **fields)[:count]
        for record in records:
            self.expect_record(record)
        return records

    def records(self):
        return self.find("connection")

    # -- the end

    def signal(self, number=STOP_SIGNAL):
        if ON_WINE:
            processes.signal_other_thread(self.pid, number)
        else:
            self.process.send_signal(number)

    def wait(self, deadline_s=DEADLINE_S):
        """The exit code, once the process has ended and its log is read."""
        code = self.process.wait(deadline_s)
        self._reader.join(deadline_s)
        return code

    def left_over(self, deadline_s=0):
        """Processes that descend from the supervisor and live on: {pid: command line}."""
        found = processes.marked(self.mark)
        found.pop(self.pid, None)
        return {pid: line for pid, line in found.items()
                if not processes.is_launcher_in_the_end(pid, DEADLINE_S) and
                not processes.wait_for_end(pid, deadline_s)}

    def clean_up(self):
        """For the end of a test, whatever has happened: leaves no process and no pipe."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        processes.end(processes.marked(self.mark))
        for client in self._open_clients:
            client.close()
        self._may_read.set()
        self._reader.join(DEADLINE_S)
        for stream in (self.process.stderr, self._tail and self._tail.stdout):
            if stream and not self._reader.is_alive():
                stream.close()
        if self._tail:
            self._tail.wait(DEADLINE_S)


class SupervisorCase(unittest.TestCase):
    """A test with supervisors of its own; when it fails, their logs are printed."""

    maxDiff = None

    def run(self, result=None):
        self._supervisors = []
        before = len(result.errors) + len(result.failures) if result else 0
        super().run(result)
        if result and len(result.errors) + len(result.failures) > before:
            for number, supervisor in enumerate(self._supervisors):
                print(f"\n---- {self.id()}: log of supervisor {number}, pid {supervisor.pid}, "
                      f"exit {supervisor.process.returncode}\n{supervisor.log_text()}\n----",
                      flush=True)
        return result

    def folder(self):
        path = pathlib.Path(tempfile.mkdtemp(prefix="rün ", dir=shared().root))
        path.chmod(0o755)
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def open_folder(self):
        """A folder that everybody can enter."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="baton-open-"))
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        path.chmod(0o755)
        return path

    def answer(self, supervisor, name):
        """All that the service says to a client who says nothing."""
        with supervisor.connect(name) as client:
            return client.rest()

    def launch(self, sections, **options):
        """A supervisor that is killed at the end of the test; nothing is asserted about it."""
        supervisor = Supervisor(options.pop("folder", None) or self.folder(), sections, **options)
        self._supervisors.append(supervisor)
        self.addCleanup(supervisor.clean_up)
        return supervisor

    def supervisor(self, sections, **options):
        """A supervisor that listens; use stop() to end it and to check how it ends."""
        return self.launch(sections, **options).wait_ready()

    def stop(self, supervisor, number=STOP_SIGNAL):
        """An ordered stop: exit code 0, one record for each connection, and nothing is left."""
        supervisor.signal(number)
        self.check_end(supervisor)

    def check_end(self, supervisor):
        self.assertEqual(supervisor.wait(), 0, "exit code after an ordered stop")
        # Windows ends the processes of a job some time after it was told to.
        self.assertEqual(supervisor.left_over(DEADLINE_S if ON_WINE else 0), {}, "left processes")
        self.assertEqual(supervisor.strange_lines, [])
        self.assertEqual(supervisor.events[-1]["event"], "stopped")
        self.check_records(supervisor)

    def check_records(self, supervisor):
        """Exactly one record for each connection that the test has made, and no other."""
        seen = collections.Counter((record["peer"], record["local"])
                                   for record in supervisor.records())
        self.assertEqual(seen - supervisor.clients, collections.Counter(), "records too many")
        self.assertEqual(supervisor.clients - seen, collections.Counter(), "records missing")
        ids = [record["id"] for record in supervisor.records() + supervisor.find("activation")]
        self.assertEqual(len(ids), len(set(ids)), "an id was used twice")


def main():
    unittest.main(verbosity=2)
