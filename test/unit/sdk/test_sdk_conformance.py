"""The conformance handler finds what is wrong: this test is a supervisor that breaks promises."""

import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import unittest

HANDLERS = pathlib.Path(os.environ.get("BATON_HANDLERS_DIR", "build/dev/handlers"))
DEADLINE_S = 10


def field(tag, value):
    return struct.pack("!HH", tag, len(value)) + value


def address(pair):
    return b"\4" + struct.pack("!H", pair[1]) + socket.inet_aton(pair[0])


def offer(peer, local):
    body = field(0x0A, b"conformance") + field(0x0B, b"\1")
    body += field(0x0C, address(peer)) + field(0x0D, address(local))
    body += field(0x0E, bytes(8)) + field(0x0F, bytes(8))
    return b"BATN\1\x11\0\0" + struct.pack("!II", 1, len(body)) + body


class Fault:
    """What this supervisor does wrong."""

    def __init__(self, **wrong):
        self.nonblocking = wrong.get("nonblocking", False)
        self.stray_descriptor = wrong.get("stray_descriptor", False)
        self.speaks_first = wrong.get("speaks_first", False)
        self.same_group = wrong.get("same_group", False)
        self.peer, self.local = wrong.get("peer"), wrong.get("local")
        self.stdin = wrong.get("stdin", subprocess.DEVNULL)
        self.prepare = wrong.get("prepare", lambda: None)


def in_child(fault):
    """What a supervisor does between fork and exec."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these
        signal.signal(number, signal.SIG_DFL)
    if not fault.same_group:
        os.setpgid(0, 0)
    fault.prepare()


def examine(fault):
    """Launches the handler and returns its report: point -> (verdict, rest of the line)."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname(), DEADLINE_S)
    accepted, _ = listener.accept()
    accepted.setblocking(not fault.nonblocking)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(DEADLINE_S)
    number = theirs.fileno()
    given = [number] + ([listener.fileno()] if fault.stray_descriptor else [])
    process = subprocess.Popen(
        [HANDLERS / "conformance"],
        stdin=fault.stdin,
        stdout=subprocess.DEVNULL,
        pass_fds=given,
        preexec_fn=lambda: in_child(fault),
        env={
            **os.environ,
            "BATON_PROTOCOL": "1",
            "BATON_CHANNEL": f"{number},{number}",
            "BATON_NONCE": "00" * 16,
        },
    )
    theirs.close()
    hello = ours.recv(1024)
    assert hello[5] == 1, hello
    if fault.speaks_first:
        client.sendall(b"I cannot wait")
    names = (fault.peer or accepted.getpeername(), fault.local or accepted.getsockname())
    socket.send_fds(ours, [offer(*names)], [accepted.fileno()])
    accepted.close()
    listener.close()
    report = b"".join(iter(lambda: client.recv(4096), b"")).decode()
    done = [frame for frame in (ours.recv(1024), ours.recv(1024)) if frame[5] == 4]
    ours.close()
    client.close()
    process.wait(DEADLINE_S)
    if process.stdin is not None:
        process.stdin.close()
    failed, lines = take_apart(report)
    assert done[0][20] == len(failed), (done, failed)
    return failed, lines


def take_apart(report):
    """The report as (points that fail, point -> rest of the line)."""
    lines = re.findall(r"^(ok|not ok) (\d+) - (.*)$", report, re.M)
    assert report.endswith(f"1..{len(lines)}\n"), report
    failed = [int(line[1]) for line in lines if line[0] == "not ok"]
    return failed, {int(line[1]): line[2] for line in lines}


# With a shell in between, because LISTEN_PID is known only in the child.
AS_LISTENER = 'LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@" 3<&0'


def examine_without_channel(listener_mode=False, **changes):
    """As batond's stdio or listener mode would launch it, but for `changes` of the environment."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname(), DEADLINE_S)
    accepted = listener if listener_mode else listener.accept()[0]
    environment = {**os.environ, "BATON_SERVICE": "conformance", "BATON_ID": "17"}
    if listener_mode:
        environment.update(LISTEN_FDS="1", LISTEN_FDNAMES="conformance", LIBBATON_IDLE_MS="1")
    environment.update(changes)
    command = [HANDLERS / "conformance"]
    if listener_mode:
        command = ["sh", "-c", AS_LISTENER] + command
    process = subprocess.Popen(
        command,
        stdin=accepted,
        stdout=subprocess.DEVNULL if listener_mode else accepted,
        preexec_fn=lambda: in_child(Fault()),
        env={name: value for name, value in environment.items() if value is not None},
    )
    if not listener_mode:
        accepted.close()
    report = b"".join(iter(lambda: client.recv(4096), b"")).decode()
    client.close()
    status = process.wait(DEADLINE_S)
    listener.close()
    failed, lines = take_apart(report)
    assert status == (0 if listener_mode else len(failed)), (status, failed)
    return failed, lines


class Conformance(unittest.TestCase):
    def assert_found(self, points, **wrong):
        failed, lines = examine(Fault(**wrong))
        self.assertEqual(failed, points, lines)
        return lines

    def test_all_is_well(self):
        lines = self.assert_found([])
        skipped = [point for point, rest in lines.items() if "# SKIP" in rest]
        self.assertEqual((len(lines), skipped), (14, [12, 14]))

    def test_standard_input(self):
        self.assert_found([1], stdin=subprocess.PIPE)

    def test_stray_descriptor(self):
        self.assert_found([2], stray_descriptor=True)

    def test_blocked_signal(self):
        block = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])  # noqa: E731
        self.assert_found([3], prepare=block)

    def test_ignored_signal(self):
        self.assert_found([4], prepare=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))

    def test_group(self):
        self.assert_found([5], same_group=True)

    def test_names(self):
        self.assert_found([9], peer=("127.0.0.2", 1))
        self.assert_found([10], local=("127.0.0.1", 1))

    def test_non_blocking(self):
        self.assert_found([11], nonblocking=True)

    def test_client_that_speaks_first(self):
        lines = self.assert_found([], speaks_first=True)
        self.assertNotIn("# SKIP", lines[11])


class WithoutChannel(unittest.TestCase):
    """What is promised there is looked at, and the rest is skipped."""

    def assert_skipped(self, examined, *points):
        failed, lines = examined
        self.assertEqual(failed, [], lines)
        skipped = [point for point, rest in lines.items() if "# SKIP" in rest]
        self.assertEqual(skipped, list(points), lines)

    def test_standard_streams(self):
        self.assert_skipped(examine_without_channel(), 7, 12, 14)

    def test_listener(self):
        self.assert_skipped(examine_without_channel(listener_mode=True), 7, 12, 14)

    def test_behind_a_proxy(self):
        changes = {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "50122"}
        changes.update({"SERVER_ADDR": "192.0.2.7", "SERVER_PORT": "443"})
        self.assert_skipped(examine_without_channel(**changes), 7, 10, 12, 14)

    def test_other_super_servers(self):
        examined = examine_without_channel(BATON_ID=None)
        self.assert_skipped(examined, 1, 2, 3, 4, 5, 7, 12, 14)


if __name__ == "__main__":
    unittest.main()
