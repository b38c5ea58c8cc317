"""What batond costs while nobody comes: memory and wake-ups, its helper processes included."""

import os
import pathlib
import sys
import time
import unittest

import harness
import processes
from harness import SupervisorCase, service
from settings import ALL_WANTED, BIN_DIR, DEADLINE_S, PRESET, SANITIZED, executable, system_path

SERVICES_COUNT = 10
# What is there for the processes, pages of files that they share with others included; a page that several
# of them have is there once. Of the dynamic build 1.6 MiB are the C library's, the loader's and the like.
RESIDENT_MAX_KIB = {"release": 2800, "static": 900}
PAGE_BYTES = 4096
QUIET_S = 10 if ALL_WANTED else 2


def program(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None  # it has ended


def own_processes(pid):
    """batond and its helpers, which are processes of the same program."""
    return [pid] + [child for child in processes.descendants(pid) if program(child) == program(pid)]


def memory_kib(pid):
    """Rss and its like of smaps_rollup."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def pages(pid):
    """The numbers of the pages that it has in memory (proc_pid_pagemap(5)); 0 for one without privileges."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        for line in maps:
            first, end = (int(part, 16) // PAGE_BYTES for part in line.split()[0].split("-"))
            if "[v" not in line:  # [vvar], [vdso], [vsyscall] are the system's
                pagemap.seek(8 * first)
                entries = memoryview(pagemap.read(8 * (end - first))).cast("Q")
                found += [entry & (1 << 55) - 1 for entry in entries if entry >> 63]
    return found


def wake_ups(pids):
    """{thread: how often it has had a processor and left it}, of all threads."""
    counts = {}
    for pid in pids:
        for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
            try:
                lines = status.read_text(encoding="ascii").splitlines()
            except OSError:
                continue  # it has ended
            counts[status.parent.name] = [line for line in lines if "_ctxt_switches:" in line]
    return counts


@unittest.skipUnless(pathlib.Path("/proc/self/smaps_rollup").exists(), "the system does not tell")
class Small(SupervisorCase):
    def start(self):
        services = {f"ok{number}": service("ok") for number in range(SERVICES_COUNT - 1)}
        services["cat"] = service(system_path("/bin/cat"), handoff="pump")
        return self.supervisor(services)

    def serve_each_kind(self, supervisor):
        for name, said in (("ok0", "OK"), ("cat", "Hello")):
            with supervisor.connect(name) as client:
                client.send("Hello")
                client.end()
                self.assertEqual(client.rest(), said)
            self.assertEqual(supervisor.record(client)["outcome"], "served")

    @unittest.skipUnless(PRESET in RESIDENT_MAX_KIB, "the promise is about what users get for Linux")
    def test_memory_idle_with_ten_services(self):
        supervisor = self.start()
        found, shares_kib = set(), 0
        for pid in own_processes(supervisor.pid):
            kib = memory_kib(pid)
            found |= set(pages(pid))
            shares_kib += kib["Pss"]
            print(f"{processes.command_line(pid)} ({len(os.listdir(f'/proc/{pid}/task'))} threads): KiB",
                  *(f"{key}={kib[key]}" for key in ("Rss", "Pss", "Private_Clean", "Private_Dirty", "Anonymous")),
                  flush=True)
        if found == {0}:
            self.skipTest("which pages these are, root alone is told")
        total_kib = len(found) * PAGE_BYTES // 1024
        print(f"{total_kib} KiB in all, {shares_kib} of them for them alone", flush=True)
        self.assertGreaterEqual(total_kib, shares_kib * 0.9)
        self.assertLessEqual(total_kib, RESIDENT_MAX_KIB[PRESET])
        self.stop(supervisor)

    @unittest.skipIf(SANITIZED, "a sanitizer has a thread of its own")
    def test_nothing_wakes_up_while_nobody_comes(self):
        """A thread that has not run since the last look has made no system call either."""
        supervisor = self.start()
        self.serve_each_kind(supervisor)
        give_up_s = time.monotonic() + DEADLINE_S
        before, after = {}, None
        while before != after:  # what was under way ends first: a carrier after a second of idleness
            self.assertLess(time.monotonic(), give_up_s, (before, after))
            before = wake_ups(own_processes(supervisor.pid))
            time.sleep(QUIET_S)
            after = wake_ups(own_processes(supervisor.pid))
        print(f"{len(after)} threads, quiet for {QUIET_S} s", flush=True)
        self.stop(supervisor)


if __name__ == "__main__":
    if not (BIN_DIR / executable("batond")).exists():
        print(f"skipped: {BIN_DIR} is not built (scripts/build-static)")
        sys.exit(77)
    harness.main()
