"""batonctl against somebody who plays batond's side of the control channel, well and badly."""

import concurrent.futures
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from harness import complete_ini
from settings import (BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE, TEST_HANDLERS_DIR, clean_environment, executable,
                      system_path)

DONE, REFUSED, USAGE, NOBODY, SYSTEM, LATE, ANSWER, DENIED, CONFIG = 0, 1, 64, 69, 71, 75, 76, 77, 78
SOURCE_DIR = pathlib.Path(__file__).parents[2]
GOOD = b'{"v":1,"type":"end","ok":true}\n'
SERVICE = {"v": 1, "type": "service", "service": "web", "state": "serving", "handoff": "stdio", "handler": "/h",
           "connections": 2, "max_connections": 64, "processes": 3, "accepted": 9}


def line(**fields):
    return json.dumps({"v": 1, **fields}, separators=(",", ":")).encode() + b"\n"


def refusal(code, text, hint=None):
    return line(type="end", ok=False, code=code, text=text, **({"hint": hint} if hint else {}))


class Played:
    """A local socket at which one client after the other is answered by `play(connection)`."""

    def __init__(self, path, play):
        self.path, self.requests, self.play = path, [], play
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(4)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(DEADLINE_S)
                try:
                    self.requests.append(connection.recv(4096))
                    self.play(connection)
                except OSError:
                    pass  # batonctl has had enough

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(DEADLINE_S)


class Case(unittest.TestCase):
    def folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="bctl-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def run_ctl(self, *arguments, **variables):
        done = subprocess.run(
            [*EMULATOR, str(BIN_DIR / executable("batonctl")), *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
            env=clean_environment(**variables))
        text = [out.decode().replace("\r\n", "\n") for out in (done.stdout, done.stderr)]
        return (done.returncode, *text)

    def said(self, code, *arguments, **variables):
        """What it printed, and complained of, on the way to this exit code."""
        got, out, complaint = self.run_ctl(*arguments, **variables)
        self.assertEqual(got, code, out + complaint)
        if code != DONE:
            self.assertRegex(complaint, r"(?m)^batonctl: error: .+: .+$")
        return out, complaint


class Alone(Case):
    """Without a batond."""

    def test_help_version_and_usage(self):
        out, _ = self.said(DONE, "--help")
        self.assertTrue(out.startswith("usage: batonctl"))
        self.assertRegex(self.said(DONE, "--version")[0], r"^batonctl \d+\.\d+\.\d+\n$")
        for words in ([], ["stauts"], ["kill"], ["--json"], ["--timeout", "x", "status"], ["kill", "a b"]):
            self.said(USAGE, *words)

    def test_keys(self):
        self.assertIn("\n  listen ", self.said(DONE, "keys")[0])
        self.assertIn("Where to listen", self.said(DONE, "keys", "listen")[0])
        self.assertIn("`listen`?", self.said(USAGE, "keys", "lissten")[1])

    def test_check(self):
        folder = self.folder()
        good, bad = folder / "good.ini", folder / "bad.ini"
        handlers = system_path(BIN_DIR.parent / "handlers")
        good.write_text(complete_ini(f"[supervisor]\nhandlers = {handlers}\n[ports]\n7777 = ok\n"))
        bad.write_text(complete_ini(f"[supervisor]\nhandlers = {handlers}\n[web]\nlissten = 1\n"))
        for file, code in ((good, DONE), (bad, CONFIG), (folder / "none.ini", CONFIG)):
            batond = subprocess.run(
                [*EMULATOR, str(BIN_DIR / executable("batond")), "-c", system_path(file), "--check"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
                env=clean_environment())
            ours = self.run_ctl("check", system_path(file))
            self.assertEqual(ours[0], code)
            self.assertEqual((batond.returncode, batond.stdout.decode().replace("\r\n", "\n"),
                              batond.stderr.decode().replace("\r\n", "\n")), ours)

    def test_nobody(self):
        if ON_WINE:
            self.said(NOBODY, "--control", r"\\.\pipe\baton-none", "status")
            self.said(USAGE, "--control", r"C:\control", "status")
            return
        folder = self.folder()
        self.said(NOBODY, "--control", folder / "none", "status")
        self.said(NOBODY, "status", BATON_CONTROL="none")
        self.said(NOBODY, "status", BATON_CONTROL=str(folder / "none"))
        self.said(USAGE, "--control", folder / ("x" * 120), "status")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(folder / "left"))  # as of a batond that was killed
        self.said(NOBODY, "--control", folder / "left", "status")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(str(folder / "other"))
            self.said(USAGE, "--control", folder / "other", "status")
        (folder / "file").touch()
        self.said(NOBODY, "--control", folder / "file", "status")


class Playing(Case):
    def played(self, play):
        played = Played(self.folder() / "s", play)
        self.addCleanup(played.close)
        return played

    def answered(self, answer, code, *arguments, **variables):
        """Against one who sends this, and closes."""
        played = self.played(lambda connection: connection.sendall(answer))
        said = self.said(code, "--control", played.path, *arguments, **variables)
        self.request = played.requests[0] if played.requests else b""
        return said


@unittest.skipIf(ON_WINE, "it is played in Python")
class Conversation(Playing):
    def test_requests_are_as_typed(self):
        for words, request in ((["status"], b"1 status\n"), (["connections", "web"], b"1 connections web\n"),
                               (["drain", "web", "--wait"], b"1 drain web wait\n"),
                               (["log-level", "debug"], b"1 log-level debug\n"), (["kill", "7"], b"1 kill 7\n")):
            self.assertEqual(self.answered(GOOD, DONE, *words), ("", ""))
            self.assertEqual(self.request, request)

    def test_a_reply_for_people_and_as_it_is(self):
        answer = line(**{k: v for k, v in SERVICE.items() if k != "v"}) + line(type="new", x=[1]) + GOOD
        out, _ = self.answered(answer, DONE, "status")
        self.assertEqual(out, "SERVICE  STATE    LIVE  PROCS  ACCEPTED\n"
                              "web      serving  2/64      3         9\n")
        out, _ = self.answered(answer, DONE, "--json", "status")
        self.assertEqual(out.encode(), answer)

    def test_a_refusal_says_why(self):
        answer = refusal("no_such_service", "there is no service `x`", "`batonctl services` lists them")
        _, complaint = self.answered(answer, REFUSED, "drain", "x")
        self.assertEqual(complaint, "batonctl: error: batond: there is no service `x`; "
                                    "`batonctl services` lists them\n")
        out, _ = self.answered(answer, REFUSED, "--json", "drain", "x")
        self.assertEqual(out.encode(), answer)
        answer = line(type="problem", text="ports.ini:3: web.lissten: unknown") + refusal(
            "config_invalid", "nothing has changed")
        out, complaint = self.answered(answer, REFUSED, "reload")
        self.assertEqual(out, "ports.ini:3: web.lissten: unknown\n")
        self.assertIn("nothing has changed", complaint)

    def test_what_is_no_reply(self):
        much = b"x" * 10_000_000
        for answer, why in ((b"", "closed without an answer"), (b"hello\n", "line 1 of the answer: it is no JSON"),
                            (line(type="service") + b"{", "cut off behind 1 lines"),
                            (line(type="service"), "cut off behind 1 lines"),
                            (b'{"v":1,"type":"end"', "cut off"), (much, "longer than 8,192 bytes"),
                            (b'{"v":2,"type":"end","ok":true}\n', "not of version 1"),
                            (b'{"v":1,"type":"end"}\n', "does not say whether it is good"),
                            (b'{"v":1,"type":"end","ok":"yes"}\n', "does not say"),
                            (b"\0\0\0\n" + GOOD, "line 1 of the answer"), (b"\n" + GOOD, "no JSON"),
                            (b"[" * 8000 + b"\n", "no JSON")):
            _, complaint = self.answered(answer, ANSWER, "status")
            self.assertIn(why, complaint)
            self.assertLess(len(complaint), 400)

    def test_a_reply_without_an_end_is_given_up(self):
        """At 64 MiB; they are lines of a type that nobody knows, so that nothing of them is kept."""
        much = line(type="novel", text="x" * 8000) * 8
        played = self.played(lambda connection: [connection.sendall(much) for _ in range(1100)])
        _, complaint = self.said(ANSWER, "--control", played.path, "--timeout", "60", "status")
        self.assertIn("more than 64 MiB", complaint)

    def test_what_follows_the_end_is_not_looked_at(self):
        self.assertEqual(self.answered(GOOD + b"\0garbage", DONE, "stop"), ("", ""))

    def test_nothing_of_others_moves_the_cursor(self):
        evil = "\x1b]0;owned\x07\x1b[2J\r\n\u009b31m\u202e"
        answer = (line(**{**{k: v for k, v in SERVICE.items() if k != "v"}, "service": evil, "reason": evil}) +
                  line(type="place", service=evil, address=evil, open=False, reason=evil) +
                  line(type="event", event=evil, time=evil, level=evil, **{evil: evil}) +
                  line(type="connection", id=1, peer=evil, state=evil) + line(type="problem", text=evil) +
                  line(type="outcomes", **{evil: 1}) + line(type="waiting", service=evil) +
                  line(type="change", what=evil, service=evil, keys=[evil]) +
                  json.dumps({"v": 1, "type": "end", "ok": False, "text": evil, "hint": evil},
                             ensure_ascii=False).encode() + b"\n")
        for words in (["status"], ["services"], ["events"], ["--json", "status"]):
            for text in self.answered(answer, REFUSED, *words):
                self.assertFalse(set(text) & set("\x1b\x07\r\u009b\u202e"), text)

    def test_one_who_is_slow(self):
        """Or sends without an end, or has no room: all three at the same time, since each takes a second."""
        hold = threading.Event()

        def drip(connection):
            while True:
                connection.sendall(line(type="waiting", service="web"))
        slow = self.played(lambda connection: (connection.sendall(GOOD[:9]), hold.wait(DEADLINE_S)))
        endless = self.played(drip)
        self.addCleanup(hold.set)
        with socket.socket(socket.AF_UNIX) as listener:
            full = self.folder() / "s"
            self.fill(listener, full)
            cases = ((slow.path, "status"), (endless.path, "--wait", "drain", "web"), (full, "status"))
            with concurrent.futures.ThreadPoolExecutor() as pool:
                for result in [pool.submit(self.said, LATE, "--timeout", "1", "--control", *case) for case in cases]:
                    self.assertIn("in time", result.result()[1])

    def fill(self, listener, path):
        """A backlog that is full, at which connect(2) waits."""
        listener.bind(str(path))
        listener.listen(0)
        while True:
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.setblocking(False)
            try:
                client.connect(str(path))
            except BlockingIOError:
                return

    def test_a_place_that_is_another_s(self):
        if os.geteuid() != 0:
            self.skipTest("it takes root to have a socket that is not ours")
        folder = self.folder()
        folder.chmod(0o755)
        played = Played(folder / "s", lambda connection: connection.sendall(GOOD))
        self.addCleanup(played.close)
        played.path.chmod(0o600)
        done = subprocess.run([str(BIN_DIR / "batonctl"), "--control", str(played.path), "status"], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, user=65534,
                              env=clean_environment()) if self.others_reach(BIN_DIR) else None
        if done is None:
            self.skipTest("no other user reaches the build")
        self.assertEqual(done.returncode, DENIED, done.stderr)
        self.assertIn(b"root", done.stderr)

    def others_reach(self, path):
        return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))

    def test_the_default_place(self):
        folder = self.folder()
        (folder / "baton").mkdir()
        played = Played(folder / "baton" / "control", lambda connection: connection.sendall(GOOD))
        self.addCleanup(played.close)
        self.said(DONE, "status", BATON_CONTROL=str(played.path))
        self.said(DONE, "status", BATON_CONTROL="", RUNTIME_DIRECTORY=str(folder / "baton"))
        if os.geteuid() != 0:
            self.said(DONE, "status", BATON_CONTROL="", XDG_RUNTIME_DIR=str(folder))

    def test_events_come_as_they_happen(self):
        """Each is out before the next one comes, and Ctrl-C ends it."""
        seen, again = threading.Event(), threading.Event()

        def play(connection):
            connection.sendall(line(type="event", time="T", level="info", event="one", id=1))
            seen.wait(DEADLINE_S)
            connection.sendall(line(type="event", time="T", level="info", event="two"))
            again.wait(DEADLINE_S)
        played = self.played(play)
        self.addCleanup(lambda: (seen.set(), again.set()))
        with subprocess.Popen([str(BIN_DIR / "batonctl"), "--control", str(played.path), "events"],
                              stdout=subprocess.PIPE, env=clean_environment()) as process:
            self.assertEqual(process.stdout.readline(), b"T info one id=1\n")
            seen.set()
            self.assertEqual(process.stdout.readline(), b"T info two\n")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(DEADLINE_S), -signal.SIGINT)

    def on_terminal(self, *arguments, **variables):
        """What a terminal shows."""
        ours, theirs = pty.openpty()
        with subprocess.Popen([str(BIN_DIR / "batonctl"), *map(str, arguments)], stdout=theirs, stdin=theirs,
                              stderr=theirs, env=clean_environment(**variables)) as process:
            os.close(theirs)
            process.wait(DEADLINE_S)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:
            pass  # how Linux tells that nobody has the other side
        os.close(ours)
        return text

    def test_colours_are_for_terminals_that_want_them(self):
        played = self.played(lambda connection: connection.sendall(
            line(**{k: v for k, v in SERVICE.items() if k != "v"}) + GOOD))
        status = ("--control", played.path, "status")
        self.assertIn(b"\x1b[32mserving\x1b[0m", self.on_terminal(*status, TERM="xterm"))
        for variables in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn(b"\x1b", self.on_terminal(*status, **variables))

    def test_a_reader_that_leaves_is_told(self):
        played = self.played(lambda connection: connection.sendall(GOOD))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([str(BIN_DIR / "batonctl"), "--json", "--control", str(played.path), "status"],
                                  stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
                                  env=clean_environment())
        self.assertEqual(done.returncode, 74)

    def test_explain_takes_the_config_of_who_runs(self):
        folder = self.folder()
        config = folder / "ports.ini"
        config.write_text(complete_ini(f"[supervisor]\nhandlers = {BIN_DIR.parent}/handlers\n[web]\n"
                                       "listen = 127.0.0.1:7777\nhandler = ok\ndeny = 10.0.0.0/8\n"))
        answer = line(type="supervisor", config=str(config), pid=1) + GOOD
        out, _ = self.answered(answer, DONE, "explain", "web", "10.1.2.3")
        self.assertEqual(self.request, b"1 status\n")
        self.assertIn("10.0.0.0/8", out)
        for states, said in ((["serving"], None), (["off"], "off"), (["paused"], "paused"),
                             (["draining", "serving"], None), (["serving", "draining"], None)):
            lines = b"".join(line(type="service", service="web", state=state) for state in states)
            lines += line(type="service", service="other", state="off")
            out, _ = self.answered(lines + answer, DONE, "explain", "web", "127.0.0.1")
            self.assertEqual("nobody is let in" in out, said is not None, out)
            self.assertIn(f"web is {said} now" if said else "web", out)
        self.answered(answer, USAGE, "explain", "none", "10.1.2.3")
        self.answered(answer, USAGE, "explain", "web", "nowhere")
        self.answered(GOOD, ANSWER, "explain", "web", "10.1.2.3")
        for name in ("/x\x1b[2J.ini", "/x\u009b.ini", "/x\0.ini", ""):
            self.answered(line(type="supervisor", config=name) + GOOD, ANSWER, "explain", "web", "10.1.2.3")


@unittest.skipIf(ON_WINE, "bash is of POSIX")
class Completion(Playing):
    """What bash is told behind `batonctl`."""

    def completed(self, typed):
        done = subprocess.run(
            [str(SOURCE_DIR / "test/integration/completes"), str(SOURCE_DIR / "scripts/completion/batonctl.bash"),
             str(BIN_DIR / "batonctl"), typed], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False,
            env=clean_environment(BATON_CONTROL=str(self.folder() / "none")))
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode().split("\n")[:-1]

    def test_commands_and_options(self):
        names = re.findall(r"(?m)^  ([a-z][a-z-]+)(?: SERVICE, ([a-z]+))?", self.said(DONE, "--help")[0])
        wanted = sorted(name for row in names for name in row if name)
        self.assertEqual(sorted(self.completed("batonctl ")), wanted)
        self.assertEqual(self.completed("batonctl st"), ["status", "stop"])
        self.assertEqual(self.completed("batonctl --timeout 3 rel"), ["reload"])
        self.assertEqual(self.completed("batonctl re"), ["reload", "restart"])
        self.assertEqual(self.completed("batonctl --timeout "), [])
        self.assertEqual(self.completed("batonctl --j"), ["--json"])
        self.assertEqual(self.completed("batonctl drain --w"), ["--wait"])
        self.assertEqual(self.completed("batonctl log-level d"), ["debug"])
        self.assertEqual(self.completed("batonctl log-level debug "), [])
        options = re.findall(r"(?m)^  (--[a-z]+)", self.said(DONE, "--help")[0])
        self.assertEqual(sorted(self.completed("batonctl --")), sorted(options))

    def test_keys_and_files(self):
        self.assertEqual(self.completed("batonctl keys proxy_t"), ["proxy_trusted", "proxy_timeout_ms"])
        self.assertIn("listen", self.completed("batonctl keys "))
        (self.folder() / "none").touch()
        folder = self.folder()
        (folder / "a.ini").touch()
        for typed in (f"batonctl check {folder}/", f"batonctl --control {folder}/", f"batonctl --control={folder}/"):
            self.assertEqual(self.completed(typed), [f"{folder}/a.ini"])

    def test_services_and_connections_are_asked_for(self):
        services = b"".join(line(type="service", service=name, handler="/h", reason='"service":"x"')
                            for name in ("web", "web-2", "mail")) + GOOD
        played = self.played(lambda connection: connection.sendall(services))
        for option in (f"--control {played.path}", f"--control={played.path}"):
            self.assertEqual(self.completed(f"batonctl {option} drain w"), ["web", "web-2"])
        self.assertEqual(self.completed(f"batonctl --control {played.path} explain "), ["web", "web-2", "mail"])
        self.assertEqual(self.completed(f"batonctl --control {played.path} explain web "), [])
        self.assertEqual(set(played.requests), {b"1 services\n"})
        played = self.played(lambda connection: connection.sendall(
            line(type="connection", id=17, service="web") + line(type="connection", id=9, service="web") + GOOD))
        self.assertEqual(self.completed(f"batonctl --control {played.path} kill "), ["17", "9"])
        self.assertEqual(self.completed("batonctl drain w"), [])  # nobody is there


@unittest.skipUnless(ON_WINE, "named pipes are of Windows")
class Pipe(Case):
    def answered(self, answer, code, *arguments):
        file = self.folder() / "answer"
        file.write_bytes(answer)
        name = rf"\\.\pipe\baton-test-{os.getpid()}"
        with subprocess.Popen([*EMULATOR, str(TEST_HANDLERS_DIR / "plays_control.exe"), name, system_path(file)],
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=clean_environment()) as played:
            self.assertEqual(played.stdout.readline().strip(), b"ready")
            said = self.said(code, "--control", name, *arguments)
            self.request = played.stdout.readline().strip()
            self.assertEqual(played.wait(DEADLINE_S), 0)
        return said

    def test_a_pipe_is_asked(self):
        answer = line(**{k: v for k, v in SERVICE.items() if k != "v"}) + GOOD
        out, _ = self.answered(answer, DONE, "status")
        self.assertEqual(self.request, b"1 status")
        self.assertEqual(out, "SERVICE  STATE    LIVE  PROCS  ACCEPTED\n"
                              "web      serving  2/64      3         9\n")

    def test_what_is_no_reply(self):
        self.answered(b"x" * 9000, ANSWER, "status")

    def test_one_who_is_slow(self):
        """And has room for one client alone, so that a second one waits for the first."""
        file, name = self.folder() / "answer", rf"\\.\pipe\baton-slow-{os.getpid()}"
        file.write_bytes(GOOD[:9])
        with subprocess.Popen([*EMULATOR, str(TEST_HANDLERS_DIR / "plays_control.exe"), name, system_path(file)],
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=clean_environment()) as played:
            self.assertEqual(played.stdout.readline().strip(), b"ready")
            with concurrent.futures.ThreadPoolExecutor() as pool:
                asked = [pool.submit(self.run_ctl, "--timeout", "1", "--control", name, "status") for _ in range(2)]
                said = sorted(result.result() for result in asked)
            # One that comes when the other has gone finds that the pipe has, too.
            self.assertIn([code for code, _, _ in said], ([LATE, LATE], [NOBODY, LATE]), said)
            played.stdout.read()
            self.assertEqual(played.wait(DEADLINE_S), 0)


if __name__ == "__main__":
    unittest.main()
