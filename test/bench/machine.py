"""On which machine, and how idle it is."""

import os
import pathlib
import platform
import re
import subprocess
import time

LOOK_S = 2.0
# The share of all cores' time that others may take.
BUSY_MAX = 0.08


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    match = re.search(r"^(?:model name|Model|Hardware)\s*: (.*)$", text, re.MULTILINE)
    return match.group(1).strip() if match else platform.machine()


def memory_mib():
    text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.search(r"^MemTotal: +(\d+) kB", text, re.MULTILINE).group(1)) // 1024


def is_virtual():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    return re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) is not None


def compiler(program):
    """The first line of what the compiler of a build says of itself, by its CMake cache."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[0]
    except (OSError, IndexError):
        return program


def load_average():
    return os.getloadavg()[0]


def describe(compiler_program="cc"):
    """{what: text}, in the order in which it is told."""
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores" + (", virtual" if is_virtual() else ""),
        "memory": f"{memory_mib()} MiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "compiler": compiler(compiler_program),
        "load": f"load average {load_average():.2f}",
    }


def _ticks():
    """(busy, all) of all cores since the start of the machine."""
    line = pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    ticks = [int(word) for word in line.split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


def busy_share(span_s=LOOK_S):
    """What part of the cores' time somebody else takes just now; steal counts. The load average would
    still show what was built a minute ago."""
    busy, all_ticks = _ticks()
    time.sleep(span_s)
    busy_then, all_then = _ticks()
    return (busy_then - busy) / max(all_then - all_ticks, 1)
