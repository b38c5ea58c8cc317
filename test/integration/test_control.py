"""The control channel: supervisor/CONTROL.md, asked as by its clients."""

import contextlib
import json
import os
import pathlib
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import SupervisorCase, service
from settings import DEADLINE_S, EMULATOR, ON_WINE, TEST_HANDLERS_DIR, executable

COUNTS = ("accepted", "served", "refused", "failed", "other")


def connect(place):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(place))  # without a time limit: with one it does not wait for room in the backlog
    client.settimeout(DEADLINE_S)
    return client


def receive(client):
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def parse(reply):
    """The lines of a whole reply, without its end; and that."""
    lines = [json.loads(line) for line in reply.decode().splitlines()]
    for line in lines:
        assert list(line)[:2] == ["v", "type"] and line["v"] == 1, line
    assert lines and lines[-1]["type"] == "end", lines
    return lines[:-1], lines[-1]


def ask(place, request):
    """The lines of the reply, and its end."""
    if ON_WINE:
        done = subprocess.run([*EMULATOR, str(TEST_HANDLERS_DIR / executable("ask")), place, request],
                              stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True)
        return parse(done.stdout)
    with connect(place) as client:
        client.sendall(request.encode() + b"\n")
        return parse(receive(client))


class ControlCase(SupervisorCase):
    def setUp(self):
        super().setUp()
        self.place_folder = pathlib.Path(tempfile.mkdtemp(prefix="baton-"))
        self.addCleanup(shutil.rmtree, self.place_folder)
        self.place = str(self.place_folder / "control")
        if ON_WINE:
            self.place = "\\\\.\\pipe\\" + self.place_folder.name

    def start(self, sections=None, **options):
        sections = sections or {"echo": service("echo")}
        supervisor_keys = {"control": self.place, **sections.pop("supervisor", {})}
        supervisor = self.supervisor({"supervisor": supervisor_keys, **sections}, **options)
        supervisor.wait_ready()
        return supervisor

    def assert_fine(self, request):
        lines, end = ask(self.place, request)
        self.assertEqual(end, {"v": 1, "type": "end", "ok": True})
        return lines

    def assert_refused(self, request, code):
        lines, end = ask(self.place, request)
        self.assertEqual((lines, end["ok"], end["code"]), ([], False, code))
        self.assertTrue(end["text"])


class Conversation(ControlCase):
    def test_status_kill_and_stop(self):
        supervisor = self.start({"echo": service("echo", stop_timeout_ms=100), "ok": service("ok")})
        with supervisor.connect("echo") as client:
            client.ask("hello")
            lines = self.assert_fine("1 status")
            self.assertEqual([line["type"] for line in lines],
                             ["supervisor", "outcomes", "service", "place", "service", "place"])
            self.assertEqual((lines[0]["state"], lines[0]["connections"], lines[0]["services"]),
                             ("serving", 1, 2))
            echo = next(line for line in lines if line["type"] == "service" and line["service"] == "echo")
            self.assertEqual((echo["state"], echo["handoff"], [echo[name] for name in COUNTS]),
                             ("serving", "channel", [1, 0, 0, 0, 0]))
            self.assertEqual(lines[2:], self.assert_fine("1 services"))
            held, = self.assert_fine("1 connections echo")
            self.assertEqual((held["service"], held["state"], held["attempts"]), ("echo", "held", 0))
            self.assertEqual(self.assert_fine("1 connections ok"), [])
            self.assert_refused("1 kill 99", "no_such_connection")
            self.assert_refused("1 connections no", "no_such_service")
            self.assert_refused("2 status", "version")
            self.assert_fine(f"1 kill {held['id']}")
            client.rest()
        self.assertEqual(supervisor.record(client)["outcome"], "killed")
        self.assertEqual(self.assert_fine("1 status")[1]["killed"], 1)
        self.assert_fine("1 log-level debug")
        self.assertEqual(supervisor.wait_event("log_level")["now"], "debug")
        self.assert_fine("1 stop")
        self.assertEqual(supervisor.wait_event("stopping")["reason"], "batonctl stop")
        supervisor.wait_event("stopped")
        self.check_end(supervisor)


@unittest.skipIf(ON_WINE, "of local sockets")
class Places(ControlCase):
    def test_default_of_systemd(self):
        folder = self.place_folder / "made"
        supervisor = self.supervisor({"echo": service("echo")}, environment={
            "BATON_CONTROL": "", "RUNTIME_DIRECTORY": str(folder)})
        supervisor.wait_ready()
        self.place = str(folder / "control")
        self.assertEqual(stat.S_IMODE(os.stat(self.place).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o755 if os.geteuid() == 0 else 0o700)
        self.assert_fine("1 services")
        self.stop(supervisor)
        self.assertEqual(list(folder.iterdir()), [])

    def test_none(self):
        supervisor = self.start({"supervisor": {"control": "none"}, "echo": service("echo")},
                                environment={"BATON_CONTROL": self.place})
        self.assertFalse(os.path.exists(self.place))
        self.stop(supervisor)

    def test_who_has_ended_is_replaced_and_who_lives_is_not(self):
        first = self.start()
        second = self.start()
        failed = second.wait_event("control_failed")
        self.assertEqual(failed["path"], self.place)
        self.assertIn("supervisor", failed["hint"])
        with second.connect("echo") as client:
            self.assertEqual(client.ask("hello"), "hello")
        self.assertEqual(self.assert_fine("1 status")[0]["pid"], first.pid)
        self.stop(second)
        self.assertEqual(self.assert_fine("1 status")[0]["pid"], first.pid)
        first.process.kill()
        first.process.wait()
        third = self.start()
        self.assertEqual(self.assert_fine("1 status")[0]["pid"], third.pid)
        self.assertEqual(third.find("control_failed"), [])
        self.stop(third)

    def test_status_cannot_be_told_anything(self):
        looking = str(self.place_folder / "status")
        supervisor = self.start({"supervisor": {"status": looking, "status_mode": "0666"},
                                 "echo": service("echo")})
        self.assertEqual(stat.S_IMODE(os.stat(looking).st_mode), 0o666)
        with connect(looking) as client:
            with contextlib.suppress(BrokenPipeError):  # it may have been told all, and been closed
                client.sendall(b"1 stop\n" * 100)
            lines, end = parse(client.recv(65536))
        self.assertTrue(end["ok"])
        self.assertEqual((lines[0]["type"], lines[0]["state"]), ("supervisor", "serving"))
        self.assertEqual(supervisor.find("stopping"), [])
        self.stop(supervisor)

    def ask_as(self, uid, request):
        """What somebody else reads."""
        script = ("import os, socket, sys\nuid = int(sys.argv[1])\nos.setgid(uid)\nos.setuid(uid)\n"
                  "s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[2])\ns.settimeout(20)\n"
                  "try:\n    s.sendall(sys.argv[3].encode() + b'\\n')\n    print(s.recv(100).decode())\n"
                  "except (BrokenPipeError, ConnectionResetError):\n    print()\n")
        done = subprocess.run([sys.executable, "-c", script, str(uid), self.place, request], text=True,
                              stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True)
        return done.stdout.strip()

    @unittest.skipUnless(os.geteuid() == 0, "takes root")
    def test_of_another_user(self):
        os.chmod(self.place_folder, 0o755)
        daemon = pwd.getpwnam("daemon").pw_uid
        supervisor = self.start({"supervisor": {"user": "daemon"}, "defaults": {"directory": "/"},
                                 "cat": service("/bin/cat", handoff="stdio", user="daemon")})
        self.assertEqual((os.stat(self.place).st_uid, stat.S_IMODE(os.stat(self.place).st_mode)),
                         (daemon, 0o600))
        self.assert_fine("1 status")
        self.assertEqual(self.ask_as(daemon, "1 connections"), '{"v":1,"type":"end","ok":true}')
        os.chmod(self.place, 0o666)
        self.assertEqual(self.ask_as(65534, "1 connections"), "")
        supervisor.wait_event("control_refused")
        self.stop(supervisor)

    @unittest.skipUnless(os.geteuid() == 0, "takes another user")
    def test_others_may_not_come(self):
        supervisor = self.start()
        os.chmod(self.place, 0o666)
        os.chmod(self.place_folder, 0o755)
        self.assertEqual(self.ask_as(65534, "1 stop"), "")
        self.assertTrue(supervisor.wait_event("control_refused")["peer"].startswith("uid:65534,pid:"))
        self.assertEqual(self.assert_fine("1 status")[0]["state"], "serving")
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "of local sockets")
class Crowds(ControlCase):
    def descriptors(self, supervisor):
        return len(os.listdir(f"/proc/{supervisor.pid}/fd"))

    def test_a_thousand_idle_ones_and_garbage(self):
        supervisor = self.start()
        before = self.descriptors(supervisor)
        idle = []
        garbage = connect(self.place)
        garbage.setblocking(False)
        for number in range(1000):
            idle.append(connect(self.place))
            try:
                garbage.send(b"\xff\x00" * 5000)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            if number % 100 == 0:
                with supervisor.connect("echo") as client:
                    self.assertEqual(client.ask("hello"), "hello")
                self.assertLess(self.descriptors(supervisor), before + 200)
        supervisor.wait_events(10, "connection")
        lines = self.assert_fine("1 status")
        self.assertLessEqual(lines[0]["control_clients"], 32)
        self.assertEqual([line["served"] for line in lines if line["type"] == "service"], [10])
        for client in (garbage, *idle):
            client.close()
        self.stop(supervisor)

    def test_a_large_reply_is_taken_piece_by_piece(self):
        names = [f"service-{number:03}" for number in range(120)]
        supervisor = self.start({name: service("echo") for name in names})
        with connect(self.place) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"1 services\n")
            with supervisor.connect(names[7]) as other:
                self.assertEqual(other.ask("hello"), "hello")
            lines, end = parse(receive(client))
        self.assertTrue(end["ok"])
        self.assertEqual([line["service"] for line in lines if line["type"] == "service"], names)
        self.assertEqual([line["service"] for line in lines if line["type"] == "place"], names)
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "of local sockets")
class Followers(ControlCase):
    def test_events(self):
        supervisor = self.start()
        with connect(self.place) as follower:
            follower.sendall(b"1 events\n")
            deadline = time.monotonic() + DEADLINE_S
            while self.assert_fine("1 status")[0]["control_clients"] < 2:
                self.assertLess(time.monotonic(), deadline)
            with supervisor.connect("echo") as client:
                client.ask("hello")
            record = supervisor.record(client)
            self.assert_fine("1 stop")
            lines, end = parse(receive(follower))
        self.assertTrue(end["ok"])
        mine, = [line for line in lines if line["event"] == "connection"]
        self.assertEqual({name: str(value) for name, value in mine.items() if name not in ("v", "type")},
                         record)
        self.assertEqual(lines[-1]["event"], "stopped")
        self.check_end(supervisor)

    def test_reopen(self):
        log = self.place_folder / "log"
        log.write_text("")
        supervisor = self.supervisor({"supervisor": {"control": self.place, "log": str(log)},
                                      "echo": service("echo")}, log_file=str(log))
        deadline = time.monotonic() + DEADLINE_S
        while "event=ready" not in log.read_text():
            self.assertLess(time.monotonic(), deadline)
        log.rename(self.place_folder / "log.1")
        self.assert_fine("1 log-reopen")
        self.assert_fine("1 log-level debug")
        self.assertIn("event=log_level", log.read_text())
        supervisor.process.terminate()
        self.assertEqual(supervisor.process.wait(DEADLINE_S), 0)


if __name__ == "__main__":
    harness.main()
