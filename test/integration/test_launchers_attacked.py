"""Launchers that another process of their user stops or traces: nobody who comes is lost, and the stop ends.

Each is kept just when the program that it launches runs, so that it cannot say so: the test has a lease of the
program's file, of which it is told when somebody opens it, and which that has to wait for (fcntl(2)). And systems
without a pidfd for them, or for what they launch.
"""

import ctypes
import errno
import fcntl
import os
import signal
import unittest

import harness
import processes
from harness import SupervisorCase, service, shared
from settings import DEADLINE_S

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207

SHIM = os.environ.get("BATON_FAILS_CALLS")
LAUNCHERS = 2
STOP_MS = 100
MODES = ("channel", "stdio", "pump")


class Gate:
    """A script that begins when it is let."""

    def __init__(self, folder, command):
        self.path = folder / "program"
        self.path.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
        self.path.chmod(0o755)
        self._file = None

    def close(self):
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError as error:
            self.open()
            raise unittest.SkipTest(f"no leases here: {error}") from error

    def wait(self):
        """Until somebody is about to execute it."""
        if signal.sigtimedwait({signal.SIGIO}, DEADLINE_S) is None:
            raise AssertionError("nobody has launched it")

    def open(self):
        if self._file is not None:
            fcntl.fcntl(self._file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            os.close(self._file)
            self._file = None


class Tracer:
    """A process that stops another by ptrace(2), and never looks at it."""

    def __init__(self, pid):
        ours, its = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            signal.alarm(3 * DEADLINE_S)  # no client waits for so long
            os.dup2(its, 0)
            os.closerange(1, os.sysconf("SC_OPEN_MAX"))
            can = all(_libc.ptrace(what, pid, None, None) == 0
                      for what in (PTRACE_SEIZE, PTRACE_INTERRUPT))
            os.write(0, bytes([0 if can else ctypes.get_errno() or errno.EPERM]))
            signal.pause()
            os._exit(1)
        os.close(its)
        with open(ours, "rb") as told:
            error, = told.read(1)
        if error:
            self.end()
            raise unittest.SkipTest(f"nobody may trace: {os.strerror(error)}")

    def end(self):
        """Whether it was there still."""
        os.kill(self.pid, signal.SIGKILL)
        return os.WTERMSIG(os.waitpid(self.pid, 0)[1]) == signal.SIGKILL


class Attacked(SupervisorCase):
    @classmethod
    def setUpClass(cls):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})  # before there are threads

    def setUp(self):
        self.tracers = []
        self.addCleanup(lambda: [tracer.end() for tracer in self.tracers])

    def stop_launcher(self, pid):
        os.kill(pid, signal.SIGSTOP)

    def trace(self, pid):
        self.tracers.append(Tracer(pid))

    def run_with(self, mode):
        command = f"'{shared().handlers / 'echo'}'" if mode == "channel" else "/bin/cat"
        gate = Gate(self.open_folder(), command)
        self.addCleanup(gate.open)
        limits = {"stop_timeout_ms": STOP_MS}
        return gate, self.supervisor({
            "supervisor": {"launchers": LAUNCHERS},
            "kept": service(gate.path, handoff=mode, **limits),
            "other": service("/bin/cat", handoff="stdio", **limits)})

    def come(self, supervisor, gate, keep):
        """A client whose handler runs; the launcher of that was kept from saying so."""
        gate.close()
        client = supervisor.connect("kept")
        gate.wait()
        group = os.getpgid(supervisor.pid)  # the child has one of its own by now
        launchers = [pid for pid in processes.launchers(supervisor.pid) if os.getpgid(pid) == group]
        self.assertNotEqual(launchers, [])
        for pid in launchers:
            keep(pid)
        gate.open()
        return client

    def check_served(self, supervisor, client):
        client.send("hello\n")
        self.assertEqual(client.line(), "hello")
        client.end()
        self.assertEqual(client.rest(), "")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["attempts"]), ("served", "1"))
        self.assertIn("pid", record)
        self.assertIn("cpu_us", record)

    def check(self, mode, keep):
        gate, supervisor = self.run_with(mode)
        self.check_served(supervisor, self.come(supervisor, gate, keep))
        for name in ("other", "kept"):
            self.check_served(supervisor, supervisor.connect(name))
        self.stop(supervisor)

    def test_stopped(self):
        for mode in MODES:
            with self.subTest(mode):
                self.check(mode, self.stop_launcher)

    def test_traced(self):
        for mode in MODES:
            with self.subTest(mode):
                self.check(mode, self.trace)

    def check_stop(self, mode, keep):
        gate, supervisor = self.run_with(mode)
        client = self.come(supervisor, gate, keep)
        self.stop(supervisor)
        client.close()
        self.assertTrue(all(os.path.exists(f"/proc/{tracer.pid}") for tracer in self.tracers))

    def test_the_stop(self):
        for keep in (self.stop_launcher, self.trace):
            for mode in MODES:
                with self.subTest(mode, keep=keep.__name__):
                    self.check_stop(mode, keep)


@unittest.skipUnless(SHIM, "a library for LD_PRELOAD, which a sanitizer's own would have to come before")
class WithoutPidfds(SupervisorCase):
    def check_served(self, supervisor):
        for mode in MODES:
            with supervisor.connect(mode) as client:
                client.send("hello\n")
                client.end()
                self.assertEqual(client.rest(), "hello\n")
                record = supervisor.record(client)
                self.assertEqual((record["outcome"], record["attempts"]), ("served", "1"))
                if mode != "channel":  # whose record does not wait for its process for long
                    self.assertEqual(record["exit"], "0")
                    self.assertGreater(int(record["cpu_us"]), 0)

    def check(self, code, from_start):
        file = self.folder() / "fails"
        refusal = f"pidfd_open {code}\n"
        if from_start:
            file.write_text(refusal, encoding="ascii")
        supervisor = self.supervisor(
            {"supervisor": {"launchers": LAUNCHERS},
             **{mode: service("echo" if mode == "channel" else "/bin/cat", handoff=mode) for mode in MODES}},
            environment={"LD_PRELOAD": SHIM, "FAILS_CALLS": str(file)})
        has_some = not from_start or code == errno.EMFILE  # or will have some
        self.assertEqual(supervisor.find("ready")[0]["launchers"], str(LAUNCHERS if has_some else 0))
        if not from_start:
            self.check_served(supervisor)
            other = file.with_suffix(".new")
            other.write_text(refusal, encoding="ascii")
            other.rename(file)
        self.check_served(supervisor)
        processes.end(processes.launchers(supervisor.pid))
        self.check_served(supervisor)
        self.check_served(supervisor)
        self.stop(supervisor)

    def test_from_the_start(self):
        for code in (errno.ENOSYS, errno.EPERM, errno.EMFILE):
            with self.subTest(os.strerror(code)):
                self.check(code, True)

    def test_since_then(self):
        for code in (errno.ENOSYS, errno.EPERM, errno.EMFILE):
            with self.subTest(os.strerror(code)):
                self.check(code, False)


if __name__ == "__main__":
    harness.main()
