"""Fresh processes, spares and reuse under Wine: --row wine-spares.

batond.exe and a handler are built by mingw-w64 and run through Wine; the clients are those of Linux,
as Wine's sockets are. Wine is not Windows: only what these three are to each other is of interest.
Clients come so slowly that the one before has gone and another spare is ready, or all would wait for
launches, spares or not.
"""

import contextlib
import os
import re
import subprocess

import against
from against import ROOT
from rounds import Broken, Failure
from rows import ONE, WINE, WINE_FRESH, WINE_REUSE, WINE_SPARES, Value
from servers import Kind, Server

BUILD = ROOT / "build" / "bench-windows"
COUNT, WARM_UP_COUNT = 10, 3
PACE = 2  # clients a second
PREFIX_DEADLINE_S = 180
# As the tests have it (scripts/cmake/BatonTest.cmake says why).
ENVIRONMENT = {
    "WINEPREFIX": str(BUILD / "wineprefix"), "WINEDEBUG": "-all", "LC_ALL": "C.UTF-8",
    "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=d;winedbg.exe=d"}
KEYS = {WINE_FRESH: "", WINE_SPARES: "spares = 2\n", WINE_REUSE: "reuse = 0\n"}


def system_path(path):
    return "Z:" + str(path).replace("/", "\\")


class WineBatond(Kind):
    """One batond.exe with one service."""

    family = "wine"
    environment = {**ENVIRONMENT, "HOME": os.environ.get("HOME", "/")}

    def __init__(self, name, keys):
        super().__init__(name, "dynamic.exe")
        self.keys = keys

    def launch(self, folder):
        config = folder / "bench.ini"
        text = ("[bench]\nlisten = 127.0.0.1:0\nhandler = dynamic\nhandoff = channel\n"
                f"handshake_timeout_ms = 60000\n{self.keys}")
        config.write_text(text, encoding="utf-8")
        command = [ROOT / "scripts" / "cmake" / "wine", BUILD / "bin" / "batond.exe",
                   "-c", system_path(config), "--handlers", system_path(BUILD / "bench")]
        return command, text, 0

    def printed_port(self, folder):
        text = (folder / "log").read_text(encoding="utf-8", errors="replace")
        match = re.search(r"\bevent=listening .*address=127\.0\.0\.1:(\d+)", text)
        return int(match.group(1)) if match and " event=ready" in text else 0


def build(folder):
    if subprocess.run([ROOT / "scripts" / "cmake" / "wine", "--find"], capture_output=True,
                      check=False).returncode != 0:
        raise Broken("Wine is not installed")
    log = folder / "windows.log"
    try:
        against.run_quietly("configuring for Windows", log, "cmake", "--preset", "windows", "-B", BUILD,
                            "-DBATON_TESTS=OFF", "-DBATON_BENCH=ON", "-DBATON_WERROR=OFF")
        against.run_quietly("building for Windows", log, "cmake", "--build", BUILD)
    except Failure as failure:
        raise Broken(str(failure)) from failure


@contextlib.contextmanager
def prefix():
    """Wine's folder and its server, which stays while this lasts."""
    def step(word):
        return subprocess.run([ROOT / "scripts" / "cmake" / "wine-prefix", word], check=False,
                              env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PREFIX_DEADLINE_S)
    done = step("setup")
    if done.returncode != 0:
        raise Broken(f"no prefix of Wine: {done.stderr.strip()}")
    try:
        yield
    finally:
        step("cleanup")


def measure(folder, clients, rounds, add):
    """Calls `add` with each round's number, what it is of, and its result."""
    build(folder)
    with prefix():
        for number in range(rounds):
            names = list(KEYS)[number % len(KEYS):] + list(KEYS)[:number % len(KEYS)]
            for name in names:
                with Server(WineBatond(name, KEYS[name]), folder / f"{name}-{number}") as server:
                    clients(server, "count", 1, WARM_UP_COUNT)
                    add(number, Value(WINE, ONE, name), clients(server, "paced", PACE, COUNT))
