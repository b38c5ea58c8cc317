"""The servers that scripts/bench compares, each as its manual says that it is fastest.

All get the same program to launch, the same environment (PATH alone) and no log to write, but for
batond, which is measured with its log and without.
"""

import contextlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

from rounds import START_DEADLINE_S, STOP_DEADLINE_S, Broken, Running, end_with_the_bench

# For clients at once and for the backlog: above what any measure needs.
MANY = 1000
RATE_LIMIT = 100000000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def free_port():
    """For those who cannot choose one by themselves."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


# ---- A server while it runs ----

class Server(Running):
    """One that runs from entry to exit. `launch(folder)` of its kind gives (command, config, port);
    port 0 stands for one that the server prints."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.name = self.title = kind.name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.command, self.config, self.port = kind.launch(folder)
        self.log = folder / "log"
        # Of one that goes on in the background.
        self._daemon = None

    def __enter__(self):
        with open(self.log, "wb") as log, open(self.folder / "out", "wb") as out:
            try:
                self.process = subprocess.Popen(
                    [str(word) for word in self.command], stdin=subprocess.DEVNULL, stdout=out,
                    stderr=log, cwd=self.folder, env={"PATH": PATH, **self.kind.environment},
                    preexec_fn=end_with_the_bench(signal.SIGKILL), start_new_session=True)
            except OSError as error:
                raise Broken(f"{self.name} could not be started: {error}") from error
        return super().__enter__()

    @property
    def pid(self):
        return self._daemon or self.process.pid

    def _await(self):
        """Until a client has been served."""
        deadline_s = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline_s and (self.kind.is_daemon or self.process.poll() is None):
            if self.kind.is_daemon:
                self._daemon = self._daemon or self._read_pid()
            self.port = self.port or self.kind.printed_port(self.folder)
            if self.port and self._serves():
                return
            time.sleep(0.02)
        raise Broken(self.explain("has not served its first client"))

    def _read_pid(self):
        try:
            return int((self.folder / "pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def _serves(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), START_DEADLINE_S) as client:
                client.sendall(b"hello")
                return client.recv(2) == b"OK"
        except ConnectionError:
            return False

    def explain(self, what):
        return f"{super().explain(what)}\nIt is: {shlex.join(map(str, self.command))}"

    def _end(self):
        if self._daemon is not None:
            self._end_daemon()
        super()._end()
        # What it leaves behind: handlers that live on, helpers.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _end_daemon(self):
        """No child of ours: its end is that of its folder in /proc."""
        deadline_s = time.monotonic() + STOP_DEADLINE_S
        number = signal.SIGTERM
        with contextlib.suppress(ProcessLookupError):
            while os.path.exists(f"/proc/{self._daemon}"):
                os.kill(self._daemon, number)
                number = 0 if time.monotonic() < deadline_s else signal.SIGKILL
                time.sleep(0.01)

    def processes(self):
        """[(pid, name)] of it and of all that it has started."""
        children = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                    name, rest = re.fullmatch(r"\d+ \((.*)\) \S (.*)\n", text, re.DOTALL).groups()
                    children.setdefault(int(rest.split()[0]), []).append((int(entry.name), name))
        found = [(self.pid, self.name)]
        for pid, _ in found:
            found += children.get(pid, [])
        return found

    def memory_kib(self):
        """(PSS, RSS, private) of it and all that it has started, and how many processes these are."""
        sums, count = [0, 0, 0], 0
        for pid, _ in self.processes():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                sizes = {name: int(kib) for name, kib in
                         re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
                own = sizes["Private_Clean"] + sizes["Private_Dirty"]
                sums = [a + b for a, b in zip(sums, (sizes["Pss"], sizes["Rss"], own))]
                count += 1
        return (*sums, count)


# ---- Kinds of them ----

class Kind:
    """A server that may be started: by its name, with `launch`, as Server has it."""

    environment = {}
    # Whether it writes its process id into the file `pid` and leaves its parent.
    is_daemon = False
    # Whether it is ours, a loop that does the least, or one of others.
    family = "peer"

    def __init__(self, name, handler, note=""):
        self.name = name
        self.handler = handler
        self.note = note

    @property
    def handler_name(self):
        """What /proc calls the process that it launches."""
        return pathlib.Path(self.handler.split()[0]).name[:15]

    def launch(self, folder):
        raise NotImplementedError

    def printed_port(self, folder):
        """Of a server that chooses its port."""
        text = (folder / "out").read_text(encoding="utf-8", errors="replace")
        match = re.match(r"(\d+)\n", text)
        return int(match.group(1)) if match else 0


class Loop(Kind):
    """One of ours: a program of test/bench that prints its port."""

    family = "loop"

    def __init__(self, name, command, handler, note=""):
        super().__init__(name, handler, note)
        self.command = [*command, *shlex.split(handler)]

    def launch(self, folder):
        return self.command, "", 0


class Batond(Kind):
    """With `keys` for its one service, and `own` for batond itself."""

    family = "batond"

    def __init__(self, name, program, handler, keys, own="", note=""):
        super().__init__(name, handler, note)
        self.program = program
        self.keys = keys
        self.own = own

    def launch(self, folder):
        config = folder / "bench.ini"
        # Whom it launches is what the others launch: root where they are.
        account = "default_user = root\n" if os.geteuid() == 0 else ""
        supervisor = f"[supervisor]\n{account}{self.own}\n" if account or self.own else ""
        config.write_text(
            f"{supervisor}[bench]\nlisten = 127.0.0.1:0\nhandler = {self.handler}\n"
            f"max_connections = {MANY}\n{self.keys}", encoding="utf-8")
        return [self.program, "-c", config], config.read_text(encoding="utf-8"), 0

    def printed_port(self, folder):
        text = (folder / "log").read_text(encoding="utf-8", errors="replace")
        match = re.search(r"\bevent=listening .*service=bench .*address=127\.0\.0\.1:(\d+)", text)
        return int(match.group(1)) if match and " event=ready" in text else 0

    def complaint(self, folder):
        """What batond has against this config; None if it takes it."""
        command, _, _ = self.launch(folder)
        result = subprocess.run([*command, "--check"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, check=False)
        return None if result.returncode == 0 else result.stderr.strip()


class Peer(Kind):
    """One of others. `words` are its command after the program, `text` its config; both may have
    {port}, {handler}, {config}, {folder} and {user}."""

    def __init__(self, name, program, handler, words, text="", environment=None):
        super().__init__(name, handler)
        self.program = program
        self.words = words
        self.text = text
        self.environment = environment or {}
        self.note = PEER_NOTES.get(name, "")
        self.is_daemon = program[-1].endswith("inetutils-inetd")

    def launch(self, folder):
        port = free_port()
        config = folder / "config"
        values = {"port": port, "handler": self.handler, "config": config, "folder": folder,
                  "user": "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody"),
                  "name": pathlib.Path(self.handler.split()[0]).name}
        text = self.text.format(**values)
        config.write_text(text, encoding="utf-8")
        words = [word.format(**values) for word in self.words]
        # A handler may be a program with arguments.
        words = [part for word in words
                 for part in (shlex.split(word) if word == self.handler else [word])]
        return [*self.program, *words], text, port


XINETD = """\
defaults
{{
    log_type = FILE /dev/null
    log_on_success =
    log_on_failure =
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 0 0
}}
service bench
{{
    type = UNLISTED
    socket_type = stream
    protocol = tcp
    wait = no
    bind = 127.0.0.1
    port = {port}
    user = {user}
    server = {program}
    server_args = {arguments}
    flags = NOLIBWRAP
}}
"""


PEER_NOTES = {
    "inetutils-inetd": "2.4 sleeps for a second whenever the end of a process interrupts its wait",
    "openbsd-inetd": "looks its user up for each client",
}


def xinetd_text(handler):
    program, _, arguments = handler.partition(" ")
    text = XINETD.replace("{program}", program).replace("{arguments}", arguments)
    return text if arguments else text.replace("    server_args = \n", "")


def inetd_text(handler, limit):
    program, _, arguments = handler.partition(" ")
    name = pathlib.Path(program).name
    return (f"127.0.0.1:{{port}} stream tcp nowait.{limit} {{user}} {program} {name} "
            f"{arguments}\n")


def peer_rows(handler):
    """[(name, program in `bin`, words, text, environment)], each with its fastest documented
    setting: no look-ups, no log, no limits, a long backlog."""
    many = str(MANY)
    return [
        ("tcpserver", "tcpserver", ["-q", "-H", "-R", "-o", "-l0", "-c", many, "-b", many,
                                    "127.0.0.1", "{port}", handler], "", {}),
        ("xinetd", "xinetd", ["-dontfork", "-f", "{config}", "-pidfile", "{folder}/pid"],
         xinetd_text(handler), {}),
        ("openbsd-inetd", "openbsd-inetd", ["-i", "-E", "-q", many, "-R", str(RATE_LIMIT),
                                            "{config}"], inetd_text(handler, RATE_LIMIT), {}),
        # In the foreground it is in debug mode only, so it goes to the background.
        ("inetutils-inetd", "inetutils-inetd", ["-p{folder}/pid", "-R", str(RATE_LIMIT),
                                                "{config}"], inetd_text(handler, RATE_LIMIT), {}),
        ("tcpsvd", "tcpsvd", ["-E", "-l0", "-c", many, "-b", many, "127.0.0.1", "{port}", handler],
         "", {}),
        ("socat", "socat", [f"TCP4-LISTEN:{{port}},bind=127.0.0.1,reuseaddr,fork,backlog={many}",
                            f"EXEC:{handler},nofork"], "", {}),
        ("systemd-socket-activate", "systemd-socket-activate",
         ["--accept", "--inetd", "-l", "127.0.0.1:{port}", handler], "",
         {"SYSTEMD_LOG_LEVEL": "crit"}),
        ("s6-tcpserver", "s6-tcpserver", ["-v0", "-c", many, "-b", many, "127.0.0.1", "{port}",
                                          handler], "", {}),
    ]


def _unwrapped(path):
    """The command behind a script of fetch-peers, whose LD_LIBRARY_PATH the handlers would have to
    search as well."""
    match = re.search(r"^LD_LIBRARY_PATH='(.*)' exec '(.*)' ", path.read_text(errors="replace"),
                      re.MULTILINE)
    if not match:
        return [str(path)]
    libraries, program = match.groups()
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    if "not found" not in listed:
        return [program]
    loader = re.search(r"^\s*(/\S*/ld-\S+)", listed, re.MULTILINE).group(1)
    return [loader, "--library-path", libraries, program]


def find_program(name, folder):
    """The command of a peer, or None: what is installed, else what fetch-peers has brought."""
    installed = shutil.which(name, path=PATH)
    if name == "openbsd-inetd":
        # By this name nobody installs it.
        installed = None
    if installed:
        return [installed]
    path = folder / "bin" / name
    return _unwrapped(path) if os.access(path, os.X_OK) else None


def peers(handler, folder, names=None):
    """({name: Peer}, {name of one that cannot be had: why})."""
    found, missing = {}, {}
    for name, program, words, text, environment in peer_rows(handler):
        if names is not None and name not in names:
            continue
        command = find_program(program, folder)
        if command is None:
            missing[name] = ("not on PATH, and Debian 12 has no package of it"
                             if name == "s6-tcpserver" else "not installed, and not to be fetched")
            continue
        found[name] = Peer(name, command, handler, words, text, environment)
    return found, missing
