"""The log: handlers' output, formats, sinks, and a reader that does not read."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import time
import unittest

import harness
from harness import EXIT_CONFIG, EXIT_SYSTEM, SupervisorCase, misbehave, render, shared, what_tests_need
from settings import BIN_DIR, DEADLINE_S, ON_WINE, clean_environment, system_path


def writing(what):
    return misbehave(f"--write {what}")


class Output(SupervisorCase):
    def outputs(self, what, count):
        """The texts that one connection's handler wrote, as soon as there are `count`."""
        supervisor = self.supervisor({what: writing(what)})
        with supervisor.connect(what) as client:
            client.ask("hello")
            client.rest()
        pid = supervisor.record(client)["pid"]
        found = supervisor.wait_events(count, "output", service=what)
        self.stop(supervisor)
        found = supervisor.find("output", service=what)
        self.assertEqual({event["pid"] for event in found}, {pid})
        return [event["text"] for event in found]

    def test_lines_of_both_streams(self):
        texts = self.outputs("lines", 3)
        self.assertEqual(sorted(texts),
                         sorted(["first on output", "second on output", "first on error"]))
        self.assertLess(texts.index("first on output"), texts.index("second on output"))

    def test_a_line_in_pieces_is_one(self):
        self.assertEqual(self.outputs("pieces", 1), ["one line in pieces"])

    def test_a_line_without_an_end(self):
        self.assertEqual(self.outputs("partial", 1), ["no end of line"])

    def test_a_very_long_line_is_cut_but_whole(self):
        texts = self.outputs("long", 2)
        self.assertEqual("".join(texts), "x" * 20000)

    def test_bytes_that_are_no_text(self):
        texts = self.outputs("binary", 2)
        self.assertEqual(len(texts), 2, "the line feed among the bytes ends a line")
        for text in texts:
            self.assertNotIn("\n", text)
        self.assertIn("ABC", texts[1])

    def test_a_flood_loses_nothing(self):
        texts = self.outputs("flood", 5000)
        self.assertEqual(texts, [f"flood line {n}" for n in range(5000)])


class Formats(SupervisorCase):
    def test_json(self):
        supervisor = self.supervisor({"supervisor": {"log_format": "json"},
                                      "binary": writing("binary"), "line": misbehave()})
        supervisor.ask("binary", "hello")
        self.assertIn("served", supervisor.ask("line", "hello"))
        supervisor.wait_events(2, "connection", outcome="served")
        self.stop(supervisor)

    def test_debug_tells_more_in_the_same_form(self):
        supervisor = self.supervisor({"supervisor": {"log_level": "debug"},
                                      "bad": misbehave("--at start --do crash"),
                                      "line": misbehave()})
        supervisor.ask("bad", "hello")
        self.assertIn("served", supervisor.ask("line", "hello"))
        supervisor.wait_events(2, "connection")
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "a terminal of POSIX; test_win32_stop.c has a console")
class Terminal(SupervisorCase):
    """Standard error is a terminal, and the test looks at it."""

    def start(self, *, log_format="auto", **environment):
        self.ours, self.theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.addCleanup(os.close, self.theirs)
        config = self.folder() / "a.ini"
        config.write_text(render(what_tests_need({
            "supervisor": {"log_format": log_format}, "line": misbehave(),
            "bad": misbehave("--at ack --do crash"), "binary": writing("binary")}), "ini"))
        self.process = subprocess.Popen(
            [BIN_DIR / "batond", "-c", config, "--handlers", shared().handlers], stdin=subprocess.DEVNULL,
            stderr=self.theirs, env=clean_environment(**{"TERM": "xterm", **environment}))
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.seen = ""
        self.wait_for(r"ready[^\n]*\n")

    def wait_for(self, pattern):
        deadline_s = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.seen):
            readable, _, _ = select.select([self.ours], [], [], max(0, deadline_s - time.monotonic()))
            self.assertTrue(readable, f"{pattern!r} did not come:\n{self.seen}")
            self.seen += os.read(self.ours, 65536).decode()
        return re.search(pattern, self.seen)

    def ask(self, name):
        port = self.wait_for(rf"\d\d:\d\d:\d\d {name} listening 127.0.0.1:(\d+) ")[1]
        with socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S) as client:
            try:
                client.sendall(b"hello\n")
                return client.recv(100)
            except ConnectionError:
                return b""

    def test_short_lines_and_colours(self):
        self.start()
        self.assertIn(b"served", self.ask("line"))
        self.wait_for(r"\n\d\d:\d\d:\d\d  line 127.0.0.1:\d+ served in \d+ ms\r\n")
        self.ask("bad")
        self.wait_for(r"\n\d\d:\d\d:\d\d \x1b\[33m warning bad 127.0.0.1:\d+ crashed [^\n]*\x1b\[0m\r\n")
        self.ask("binary")
        self.wait_for(r"binary output: [^\n]*\\x")
        self.assertNotIn("event=", self.seen)
        self.process.send_signal(signal.SIGTERM)
        self.wait_for(r"stopping: SIGTERM connections=\d+ processes=\d+ timeout=\d+ ms")
        self.assertEqual(self.process.wait(DEADLINE_S), 0)
        self.assertEqual(re.findall(r"[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", self.seen), [])

    def test_where_no_colours_are_wanted(self):
        for environment, has_colours in (({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False),
                                         ({"NO_COLOR": ""}, True)):
            with self.subTest(environment):
                self.start(**environment)
                self.ask("bad")
                self.wait_for(r"crashed [^\n]*\n")
                self.assertEqual("\x1b" in self.seen, has_colours)

    def test_the_format_may_be_said(self):
        self.start(log_format="logfmt")
        self.assertIn(" level=info event=ready ", self.seen)

    def test_a_terminal_that_was_stopped_holds_up_nobody(self):
        """Ctrl-S."""
        self.start()
        termios.tcflow(self.theirs, termios.TCOOFF)
        for _ in range(3):
            self.assertIn(b"served", self.ask("line"))
        self.assertNotIn("served in", self.seen)
        self.process.send_signal(signal.SIGTERM)
        termios.tcflow(self.theirs, termios.TCOON)
        self.wait_for(r"(?s)(served in .*){3}stopped")
        self.assertEqual(self.process.wait(DEADLINE_S), 0)


class File(SupervisorCase):
    def test_a_log_file_is_appended_to(self):
        folder = self.folder()
        path = folder / "the løg.txt"
        path.write_text("what was there before\n", encoding="utf-8")
        supervisor = self.supervisor({"supervisor": {"log": system_path(path)},
                                      "line": misbehave()}, folder=folder, log_file=path)
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)
        self.assertEqual(supervisor.process.stderr.read(), b"", "nothing on standard error")
        self.assertTrue(path.read_bytes().startswith(b"what was there before\ntime="))

    def test_a_log_that_cannot_be_opened(self):
        folder = self.folder()
        supervisor = self.launch({"supervisor": {"log": system_path(folder / "none" / "log")},
                                  "line": misbehave()}, folder=folder)
        self.assertIn(supervisor.wait(), (EXIT_SYSTEM, EXIT_CONFIG))
        self.assertIn("log", supervisor.log_text())


class Unread(SupervisorCase):
    """Nobody reads the log for a while: it pauses accepting, but no connection that lives."""

    PATIENCE_S = 6 if ON_WINE else 2  # no answer in this time: it does not accept
    MOST = 5000

    def clients_until_it_pauses(self, supervisor):
        for _ in range(self.MOST):
            client = supervisor.connect("line")
            client.send("hello\n")
            if not select.select([client.socket], [], [], self.PATIENCE_S)[0]:
                return client
            self.assertIn("served", client.line())
            client.close()
        self.fail(f"{self.MOST} records have gone nowhere, and it still accepts")

    def test_a_log_that_blocks(self):
        supervisor = self.supervisor({"hold": misbehave("--serve hold"), "line": misbehave(),
                                      "flood": writing("flood")})
        live = supervisor.connect("hold")
        self.assertIn("holding", live.line())
        supervisor.hold_log()
        self.addCleanup(supervisor.release_log)
        noisy = supervisor.connect("flood")
        noisy.send("hello\n")
        waiting = self.clients_until_it_pauses(supervisor)
        self.assertEqual(live.ask("are you there?"), "still here")
        supervisor.release_log()
        self.assertIn("served", waiting.line())
        self.assertIn("served", noisy.line())
        for client in (live, waiting, noisy):
            client.close()
        supervisor.wait_events(sum(supervisor.clients.values()), "connection", outcome="served")
        self.stop(supervisor)
        flood = [e["text"] for e in supervisor.find("output", service="flood")]
        self.assertEqual(flood, [f"flood line {n}" for n in range(5000)])

    def test_a_log_that_nobody_will_ever_read(self):
        """Its pipe is closed: the supervisor serves on, without a log."""
        supervisor = self.supervisor({"line": misbehave()})
        address = supervisor.address("line")
        supervisor.hold_log()
        for number in range(4):
            with harness.Client(address) as client:
                self.assertIn("served", client.ask("hello"))
                client.rest()
            if number == 0:  # the line that is being read keeps the pipe open
                supervisor.wait_event("connection")
                supervisor.close_log()
        supervisor.signal()
        self.assertEqual(supervisor.process.wait(DEADLINE_S), harness.EXIT_OUTPUT)


@unittest.skipUnless(os.geteuid() == 0 and not ON_WINE, "only root becomes another user")
class ForeignTerminal(SupervisorCase):
    """Somebody has become another user by su(1), to whom the terminal does not open by its name."""

    def test_one_that_is_not_read_makes_nobody_wait(self):
        folder = self.folder()
        folder.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = folder / "services.ini"
        config.write_text(render({"x": {"listen": f"127.0.0.1:{port}", "handoff": "stdio",
                                        "handler": "/bin/echo hi"}}, "ini"))
        pid, terminal = pty.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.execve(BIN_DIR / "batond", ["batond", "-c", config], clean_environment())
        self.addCleanup(os.close, terminal)
        try:
            until = time.monotonic() + DEADLINE_S
            served_count = 0
            while served_count < 800 and time.monotonic() < until:
                try:
                    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
                        client.settimeout(DEADLINE_S)
                        self.assertEqual(client.recv(10), b"hi\n")
                        served_count += 1
                except ConnectionRefusedError:
                    time.sleep(0.01)
            self.assertEqual(served_count, 800)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    harness.main()
