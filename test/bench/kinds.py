"""Which servers are compared, by the handler that all of them launch."""

import collections
import os
import pathlib
import shutil
import subprocess
import sys

import servers
from servers import Batond, Loop

TINY, DYNAMIC, PYTHON = HANDLERS = ("tiny", "dynamic", "python")

BARE, FITTED = "bare loop", "fitted loop"
SOCKETS, SOCKETS_FITTED = "bare SCM_RIGHTS", "fitted SCM_RIGHTS"
STDIO, IN_LOOP, NULL = "batond", "batond, no launchers", "batond, no launchers, no output"
CHANNEL, SPARES, REUSE = "batond, channel", "batond, spares", "batond, reuse"
FORKING = "batond, fork server"

# What each of ours is, for the reader.
NOTES = {
    BARE: "accept, vfork, execve, close; the kernel reaps (baseline.c)",
    FITTED: "with a pipe for output, a process group, exits and records: what batond promises at least "
            "(fitted.c says it all)",
    SOCKETS: "sends each socket to one living process: accept, sendmsg, close (living.c)",
    SOCKETS_FITTED: "with HELLO, OFFER, ACK, DONE and records (living.c)",
}

# Spares for a client at a time, and some more.
SPARES_COUNT = 4

Programs = collections.namedtuple("Programs", "bin bench peers")
Chosen = collections.namedtuple("Chosen", "kinds missing")


def python():
    """What a user's python3 is, and not a shim of it."""
    system = "/usr/bin/python3"
    return system if os.access(system, os.X_OK) else os.path.realpath(sys.executable)


def handler_command(handler, bench):
    return {TINY: f"{bench / 'tiny'}", DYNAMIC: f"{bench / 'dynamic'}",
            PYTHON: f"{python()} {bench / 'script.py'}"}[handler]


def loops(command, bench):
    return [
        Loop(BARE, [bench / "baseline"], command, NOTES[BARE]),
        Loop(FITTED, [bench / "fitted"], command, NOTES[FITTED]),
        Loop(SOCKETS, [bench / "living", "bare"], command, NOTES[SOCKETS]),
        Loop(SOCKETS_FITTED, [bench / "living", "fitted"], command, NOTES[SOCKETS_FITTED]),
    ]


def batonds(program, command, handler):
    in_loop = "launchers = 0\n"
    kinds = [
        Batond(STDIO, program, command, "handoff = stdio\n"),
        Batond(IN_LOOP, program, command, "handoff = stdio\n", in_loop),
        Batond(NULL, program, command, "handoff = stdio\noutput = null\n", in_loop),
        Batond(CHANNEL, program, command, "handoff = channel\n"),
        Batond(SPARES, program, command, f"handoff = channel\nspares = {SPARES_COUNT}\n"),
        Batond(REUSE, program, command, "handoff = channel\nreuse = 0\n"),
    ]
    if handler == PYTHON:
        kinds.append(Batond(FORKING, program, f"{command} forking",
                            "handoff = channel\nreuse = 0\nmax_handlers = 1\n"))
    return kinds


def lacks_fork_server(bench):
    """Whether the SDK for Python has none."""
    done = subprocess.run([python(), "-B", "-c", "import baton; baton.serve_forking"], cwd=bench,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode != 0


def without_key(kind, folder, key):
    """Whether batond does not know the key, and so has not what it is for."""
    complaint = kind.complaint(folder)
    return complaint is not None and key in complaint


def choose_batonds(handler, programs, folder):
    """(kinds that this batond takes, {name: why not})."""
    taken, missing = [], {}
    command = handler_command(handler, programs.bench)
    folder = folder / "check"
    folder.mkdir(exist_ok=True)
    for kind in batonds(programs.bin / "batond", command, handler):
        if kind.own and without_key(kind, folder, "launchers"):
            # It launches in its loop, then, and that is what is wanted here.
            kind = Batond(kind.name, kind.program, kind.handler, kind.keys,
                          note="batond has no key `launchers` yet")
        complaint = kind.complaint(folder)
        if complaint is None and kind.name == FORKING and lacks_fork_server(programs.bench):
            complaint = "the SDK for Python has no serve_forking"
        if complaint is None:
            taken.append(kind)
        else:
            missing[kind.name] = complaint.splitlines()[-1].strip()
    return taken, missing


def choose(handler, programs, folder, peer_names=None):
    """All that there is to compare with this handler."""
    command = handler_command(handler, programs.bench)
    ours, missing = choose_batonds(handler, programs, folder)
    found, missing_peers = servers.peers(command, programs.peers, peer_names)
    of_loops = loops(command, programs.bench)
    if handler != TINY:
        # A bare socket at standard input is a word of tiny's alone.
        of_loops = [kind for kind in of_loops if kind.name not in (SOCKETS, SOCKETS_FITTED)]
    kinds = [*of_loops, *ours, *found.values()]
    return Chosen({kind.name: kind for kind in kinds}, {**missing, **missing_peers})


def copy_programs(programs, folder):
    """All of it into one folder without blanks in its path, since peers split what they launch."""
    there = Programs(folder / "bin", folder / "bench", programs.peers)
    there.bin.mkdir()
    for name in ("batond", "baton-config"):
        if (programs.bin / name).exists():  # once batond read its config itself
            shutil.copy2(programs.bin / name, there.bin)
    shutil.copytree(programs.bench, there.bench)
    # Others must get at their handler.
    for each in (folder, there.bench):
        pathlib.Path(each).chmod(0o755)
    return there
