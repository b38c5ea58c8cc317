"""Where the build is and which system it is for, from the variables that ctest sets.

The names are those of scripts/cmake/BatonTest.cmake. By hand:
    BATON_BIN_DIR=build/dev/bin BATON_HANDLERS_DIR=build/dev/handlers \\
    BATON_TEST_HANDLERS_DIR=build/dev/tests/handlers python3 test/integration/test_serve.py
"""

import os
import pathlib
import shutil
import socket
import unittest

PRESET = os.environ.get("BATON_PRESET", "")
BIN_DIR = pathlib.Path(os.environ["BATON_BIN_DIR"])
HANDLERS_DIR = pathlib.Path(os.environ["BATON_HANDLERS_DIR"])
TEST_HANDLERS_DIR = pathlib.Path(os.environ["BATON_TEST_HANDLERS_DIR"])
HANDLERS32_DIR = BIN_DIR.parent.with_name("windows32") / "handlers"  # the preset's of that name
EXE_SUFFIX = os.environ.get("BATON_EXE_SUFFIX", "")
EMULATOR = [os.environ["BATON_EMULATOR"]] if os.environ.get("BATON_EMULATOR") else []

# Clients are always Linux sockets; with Wine the supervisor and its handlers are Windows programs.
ON_WINE = bool(EMULATOR)


def system_refuses_rights():
    """Linux 6.16 and later tell the sender that no descriptor can be attached (SO_PASSRIGHTS)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, 83, 0)
        except OSError:
            return False
    return True


REFUSES_RIGHTS = not ON_WINE and system_refuses_rights()
SANITIZED = PRESET == "asan"

# How long something that must happen may take before the test gives up. Nothing waits for as
# long as this when all is well.
DEADLINE_S = 60 if ON_WINE else 30

# scripts/test --all: every case, in its full size. The gate has a small one of each kind.
ALL_WANTED = os.environ.get("BATON_ALL") == "1"
one_more_of_a_kind = unittest.skipUnless(ALL_WANTED, "one more of a kind: scripts/test --all")


def size(whole, small):
    return whole if ALL_WANTED else small


# The number of connections in a row of the soak test.
SOAK_COUNT = int(os.environ.get("BATON_SOAK_COUNT") or
                 (size(300, 60) if ON_WINE else size(500, 150) if SANITIZED else size(3000, 600)))


def executable(name):
    return name + EXE_SUFFIX


def copy_batond(folder):
    """Copies batond, and what it needs beside it, into a folder. Returns the path of batond there."""
    for name in ("batond",) if ON_WINE else ("batond", "baton-config"):
        shutil.copy2(BIN_DIR / executable(name), folder / executable(name))
    return folder / executable("batond")


def system_path(path):
    """The path as the supervisor's system writes it: under Wine the root is drive Z."""
    return "Z:" + str(path).replace("/", "\\") if ON_WINE else str(path)


def clean_environment(**more):
    """Our own environment without the variables of the test's settings, and `more`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BATON_")}
    environment["LC_ALL"] = "C.UTF-8"
    environment["BATON_CONTROL"] = "none"  # all would have the same place; who tests it says another
    environment.update(more)
    return environment
