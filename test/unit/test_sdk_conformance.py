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
    lines = re.findall(r"^(ok|not ok) (\d+) - (.*)$", report, re.M)
    assert report.endswith(f"1..{len(lines)}\n"), report
    failed = [int(line[1]) for line in lines if line[0] == "not ok"]
    assert done[0][20] == len(failed), (done, failed)
    return failed, {int(line[1]): line[2] for line in lines}


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


if __name__ == "__main__":
    unittest.main()
