"""What the system says about processes, read from /proc. Wine's processes are there as well."""

import contextlib
import ctypes
import os
import pathlib
import pwd
import select
import signal
import socket
import time

_libc = ctypes.CDLL(None, use_errno=True)

MARK_NAME = "INTEGRATION_MARK"

# Wine starts these for itself in whichever process comes first.
_WINE_OWN = ("wineserver", "\\windows\\system32\\", "winedevice.exe", "winedbg")


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _state(pid):
    """One letter of proc(5); "" when there is no such process."""
    text = _read(pathlib.Path(f"/proc/{pid}/stat"))
    return text.rpartition(b") ")[2][:1].decode()


def command_line(pid):
    return _read(pathlib.Path(f"/proc/{pid}/cmdline")).replace(b"\0", b" ").decode(errors="replace")


def _is_launcher(pid):
    """Whether it is one of a batond that lives, which has some all along."""
    names = [_name(pid)]
    fields = _read(pathlib.Path(f"/proc/{pid}/stat")).rpartition(b") ")[2].split()
    if fields:
        names.append(_name(int(fields[1])))
    return names == [b"batond-launcher", b"batond"]


def _name(pid):
    return _read(pathlib.Path(f"/proc/{pid}/comm")).strip()


def is_launcher_in_the_end(pid, deadline_s):
    """Of one that has batond's own name: it may have been made just now, and has one of its own when the machine
    comes to it; or it is killed before. True as well if it ends."""
    give_up_s = time.monotonic() + deadline_s
    while _name(pid) == b"batond" and _state(pid) not in ("Z", "X") and time.monotonic() < give_up_s:
        time.sleep(0.001)
    return _is_launcher(pid) or _state(pid) in ("", "Z", "X")


def launchers(pid):
    """The pids of those of a batond that live."""
    return [child for child in descendants(pid)
            if _is_launcher(child) and _state(child) not in ("", "Z", "X")]


def await_launchers(pid, count, deadline_s):
    """The same, once there are so many: a new one has its name a moment later. All there are at the deadline."""
    give_up_s = time.monotonic() + deadline_s
    while len(found := launchers(pid)) != count and time.monotonic() < give_up_s:
        time.sleep(0.01)
    return found


def marked(mark):
    """The pids of living processes whose environment has the mark: {pid: command line}."""
    wanted = f"{MARK_NAME}={mark}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        environment = _read(pathlib.Path(f"/proc/{entry}/environ"))
        if wanted not in environment.split(b"\0") or _state(entry) in ("", "Z", "X"):
            continue
        if _is_launcher(entry):
            continue
        line = command_line(entry)
        if not any(own in line.lower() for own in _WINE_OWN):
            found[int(entry)] = line
    return found


def descendants(pid):
    """The pids of the process's children, their children, and so on."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _read(pathlib.Path(f"/proc/{entry}/stat")).rpartition(b") ")[2].split()
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found[1:]


def wait_for_end(pid, deadline_s):
    """Waits until the process has ended; False at the deadline. It need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], deadline_s)[0])
    finally:
        os.close(descriptor)


def signal_other_thread(pid, number):
    """Sends a signal to a thread of the process that is not its first (tgkill(2)).

    Ctrl-C becomes a thread of the program's, which Wine makes inside its signal handler, in whichever
    thread is interrupted. The kernel would take the first one; if that is in fork(2), as it is at each
    launch, it holds the C library's allocator, which the new thread needs, and stands still for ever.
    """
    thread = next(int(entry) for entry in os.listdir(f"/proc/{pid}/task") if entry != str(pid))
    if _libc.tgkill(pid, thread, number) != 0:
        raise OSError(ctypes.get_errno(), f"tgkill({pid}, {thread})")


def end(pids):
    """Kills processes that a test has left; they are known by their pid alone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def descriptors(pid):
    """{number: target} of the process's open descriptors."""
    folder = f"/proc/{pid}/fd"
    found = {}
    for entry in os.listdir(folder):
        try:
            found[int(entry)] = os.readlink(f"{folder}/{entry}")
        except OSError:
            pass
    return found


def private_bytes(pid):
    """Memory that is this process's own: Anonymous of smaps_rollup, its heap, stack and written data.

    Private_Clean and Private_Dirty also count pages of the program's file, which become private or
    dirty without our doing: when another process that runs the file ends, and while a program that
    was linked a moment ago is not on the disk yet.
    """
    for line in _read(pathlib.Path(f"/proc/{pid}/smaps_rollup")).decode().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no Anonymous for {pid}")


def owner(pid):
    """The process's user id; -1 when there is no such process."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def own_number():
    """Of a user without an account, of whom only this test has processes, whatever runs beside it."""
    return (1 << 30) + os.getpid()


_claims = []


def own_account():
    """The name of an account that has no process. Until this one ends no other test takes it."""
    for account in reversed(pwd.getpwall()):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            claim.bind(f"\0baton-test-account-{account.pw_uid}")
            busy = {owner(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
            if account.pw_uid not in busy | {0} and account.pw_name != "nobody":
                _claims.append(claim)
                return account.pw_name
        claim.close()
    raise LookupError("each account has a process, or a test")


def tasks_count(user):
    """How many threads of all processes the user has, as RLIMIT_NPROC counts them."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids if owner(pid) == user)


def cpu_s(pid):
    """Seconds of processor time that the process has used, of user and system."""
    fields = _read(pathlib.Path(f"/proc/{pid}/stat")).rpartition(b") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    """Memory that is there for the process, of whatever kind: VmRSS of proc(5)."""
    for line in _read(pathlib.Path(f"/proc/{pid}/status")).decode().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no VmRSS for {pid}")


class BusyWatch:
    """Whether a process is idle: the share of a processor that it used since this was made."""

    def __init__(self, pid):
        self._pid = pid
        self._start_s, self._cpu_s = time.monotonic(), cpu_s(pid)

    def share(self, at_least_s):
        """Waits until it has watched for this long. That is a measurement and waits for nothing."""
        remaining_s = self._start_s + at_least_s - time.monotonic()
        if remaining_s > 0:
            time.sleep(remaining_s)
        return (cpu_s(self._pid) - self._cpu_s) / (time.monotonic() - self._start_s)
