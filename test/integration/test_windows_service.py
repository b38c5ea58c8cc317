"""batond as a service of Windows, by the service manager that Wine has: it has no recovery actions, no accounts
and no privileges of its own, so these are asked for and not seen."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import unittest
import uuid

import harness
import logfmt
from client import Client, split_address
from harness import EXIT_CONFIG, EXIT_SYSTEM, EXIT_USAGE, render, service, shared
from settings import BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE, clean_environment, executable, system_path

EXIT_NOBODY = 69
SERVICES_KEY = r"HKLM\System\CurrentControlSet\Services"
SOURCES_KEY = SERVICES_KEY + r"\EventLog\Application"


def run(*command):
    """(exit code, standard output, standard error)"""
    done = subprocess.run([*EMULATOR, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=2 * DEADLINE_S, env=clean_environment(), check=False)
    texts = [text.decode(errors="replace").replace("\r", "") for text in (done.stdout, done.stderr)]
    return done.returncode, *texts


class Service:
    """A service of one name, removed at the end of its test, and before it if a test was broken off."""

    def __init__(self, name, folder, program):
        self.name = name
        self.program = program
        self.config = folder / "sërvices und mehr.ini"
        prefix = pathlib.Path(os.environ["WINEPREFIX"])
        self.log = prefix / "drive_c" / "ProgramData" / "baton" / f"{name}.log"
        self.remove()

    def remove(self):
        self.ask("uninstall")
        self.log.unlink(missing_ok=True)

    def ask(self, verb, *arguments):
        return run(str(self.program), "service", verb, "--name", self.name, *arguments)

    def configure(self, sections):
        self.config.write_text(render(harness.what_tests_need(sections), "ini"), encoding="utf-8")

    def install(self, sections):
        self.configure(sections)
        return self.ask("install", "-c", system_path(self.config), "--handlers", system_path(shared().handlers))

    def log_text(self):
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def find(self, event, **fields):
        found = []
        for line in self.log_text().splitlines(keepends=True):
            if line.startswith("time=") and line.endswith("\n"):
                values = logfmt.parse_logfmt(line.rstrip("\r\n"))
                if values["event"] == event and all(values.get(k) == v for k, v in fields.items()):
                    found.append(values)
        return found

    def wait_event(self, event, count=1, **fields):
        """The last of them, once there are so many."""
        give_up_s = time.monotonic() + DEADLINE_S
        while len(found := self.find(event, **fields)) < count:
            if time.monotonic() > give_up_s:
                raise AssertionError(f"no {event} {fields} in the log:\n{self.log_text()}")
            time.sleep(0.01)
        return found[-1]

    def wait_status(self, words):
        give_up_s = time.monotonic() + DEADLINE_S
        while words not in (status := self.ask("status")[1]):
            if time.monotonic() > give_up_s:
                raise AssertionError(f"status is not `{words}`, but: {status}\n{self.log_text()}")
        return status

    def connect(self, name):
        return Client(split_address(self.wait_event("listening", service=name)["address"]))


@unittest.skipUnless(ON_WINE, "a service of Windows")
class WindowsService(harness.SupervisorCase):
    program = None

    @classmethod
    def setUpClass(cls):
        """Where a path has to be quoted."""
        folder = shared().root / "Prögram Files"
        folder.mkdir(exist_ok=True)
        cls.program = folder / executable("batond")
        shutil.copy2(BIN_DIR / executable("batond"), cls.program)

    def service(self, name):
        made = Service(f"baton-test-{name}", self.folder(), self.program)
        self.addCleanup(made.remove)
        return made

    def installed(self, name, sections):
        made = self.service(name)
        code, out, err = made.install(sections)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(system_path(made.config), out)
        return made

    def check(self, answer, code, *words):
        self.assertEqual(answer[0], code, answer)
        for word in words:
            self.assertIn(word, answer[1] + answer[2])

    def hello(self, made, name):
        with made.connect(name) as client:
            client.send("Hello")
            self.assertEqual(client.socket.recv(100), b"OK")

    def test_its_whole_life(self):
        made = self.installed("life", {"one": service("ok")})
        self.check(made.ask("status"), EXIT_NOBODY, ": stopped", r"as NT SERVICE\baton-test-life",
                   f'"{system_path(self.program)}" service run', f'"{system_path(made.config)}"')
        self.check(made.ask("start"), 0, "running, pid ")
        self.hello(made, "one")
        made.wait_event("connection", service="one", outcome="served")
        self.check(made.ask("status"), 0, "running, pid ")

        made.configure({"one": service("ok"), "two": service("ok")})
        self.check(made.ask("reload"), 0)
        made.wait_event("reloading", by="PARAMCHANGE")
        made.wait_event("reloaded", added="1")
        self.hello(made, "two")
        self.check(made.ask("status"), 0, "running, pid ")

        self.check(made.ask("uninstall"), 0, "removed")
        made.wait_event("stopping", reason="the service manager")
        made.wait_event("stopped", connections="2")
        self.check(made.ask("status"), EXIT_NOBODY, "error 1060", "service install")
        self.assertNotEqual(run("reg.exe", "query", rf"{SERVICES_KEY}\{made.name}")[0], 0)

    def source(self, made):
        return run("reg.exe", "query", rf"{SOURCES_KEY}\{made.name}")

    def test_its_source_of_the_event_log(self):
        """Wine keeps no entries: platform_win32_event_log has them told, and reads their messages."""
        made = self.installed("events", {"one": service("ok")})
        code, out, _ = self.source(made)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"EventMessageFile +REG_EXPAND_SZ +.*\\Pr.+gram Files\\batond\.exe\n")  # reg has a code page
        self.assertRegex(out, r"TypesSupported +REG_DWORD +0x7\n")
        self.check(made.ask("start"), 0, "running")
        made.wait_event("ready")
        self.check(made.ask("uninstall"), 0, "removed")
        self.assertNotEqual(self.source(made)[0], 0)
        self.assertEqual(made.find("entries_lost"), [])

    def test_a_source_of_another_program(self):
        made = self.service("other")
        key = rf"{SOURCES_KEY}\{made.name}"
        run("reg.exe", "add", key, "/v", "EventMessageFile", "/d", r"C:\other.dll", "/f")
        self.addCleanup(run, "reg.exe", "delete", key, "/f")
        self.check(made.install({"one": service("ok")}), EXIT_SYSTEM, "another program writes to the Event Log")
        self.check(made.ask("status"), EXIT_NOBODY, "error 1060")
        self.assertIn("other.dll", self.source(made)[1])

    def test_a_stop_lets_clients_finish(self):
        made = self.installed("drains", {"echo": service("echo", stop_timeout_ms="60000")})
        self.check(run("net.exe", "start", made.name), 0)
        with made.connect("echo") as client:
            client.send("before\n")
            self.assertEqual(client.line(), "before")
            answers = []
            asker = threading.Thread(target=lambda: answers.append(made.ask("stop")))
            asker.start()
            self.assertEqual(made.wait_event("stopping")["connections"], "1")
            self.check(made.ask("status"), EXIT_NOBODY, ": stopping, pid ")
            self.check(made.ask("reload"), EXIT_SYSTEM, "error 1061")
            client.send("still there\n")
            self.assertEqual(client.line(), "still there")
            self.assertEqual(answers, [])
            client.end()
            client.rest()
            asker.join(DEADLINE_S)
        self.assertEqual([answer[0] for answer in answers], [0], answers)
        made.wait_event("connection", outcome="served")
        self.check(made.ask("status"), EXIT_NOBODY, f"{made.name}: stopped\n")

    def test_a_faulty_config(self):
        made = self.installed("faulty", {"one": {"listen": "nonsense", "handler": "ok"}})
        self.check(made.ask("start"), EXIT_CONFIG, "ended with 78 (config)", rf"baton\{made.name}.log")
        self.assertRegex(made.log_text(), rf"{re.escape(made.config.name)}:\d+: .*nonsense")
        self.check(made.ask("status"), EXIT_NOBODY, "stopped; batond ended with 78 (config)")
        made.configure({"one": service("ok")})
        self.check(made.ask("start"), 0, "running")

    def test_two_of_them(self):
        made = [self.installed(name, {"one": service("ok")}) for name in ("first", "second")]
        for each in made:
            self.check(each.ask("start"), 0, "running")
        for each in made:
            self.hello(each, "one")
        self.check(run("net.exe", "stop", made[0].name), 0)
        self.check(made[0].ask("status"), EXIT_NOBODY, ": stopped")
        self.hello(made[1], "one")
        self.check(made[1].ask("status"), 0, ": running")

    def test_a_supervisor_that_is_killed(self):
        """Not its host: Wine 8 would have the service running for ever."""
        made = self.installed("killed", {"one": service("ok")})
        self.check(made.ask("start"), 0, "running")
        run("taskkill.exe", "/f", "/pid", made.wait_event("ready")["pid"])
        self.assertIn("stopped; ", made.wait_status("stopped"), "the manager sees a failure")
        self.check(made.ask("start"), 0, "running")

    def test_a_restart(self):
        """Another process is the supervisor then, and the service goes on: stops, reloads and ends reach it."""
        made = self.service("restarted")
        control = rf"\\.\pipe\baton-{uuid.uuid4()}"
        sections = {"supervisor": {"control": control}, "echo": service("echo"), "one": service("ok")}
        self.assertEqual(made.install(sections)[0], 0)
        self.check(made.ask("start"), 0, "running, pid ")
        host = re.search(r"running, pid (\d+)", made.ask("status")[1])[1]
        with made.connect("echo") as client:
            client.send("before\n")
            self.assertEqual(client.line(), "before")
            for number in range(2):
                self.check(run(str(BIN_DIR / executable("batonctl")), "--control", control, "restart", "--wait"), 0)
                made.wait_event("restarted", number + 1)
                self.assertEqual(len({e["pid"] for e in made.find("restarted")}), number + 1)
                self.check(made.ask("status"), 0, f"running, pid {host}")
                client.send(f"behind {number}\n")
                self.assertEqual(client.line(), f"behind {number}")
                self.hello(made, "one")
            client.end()
            client.rest()
        made.configure({**sections, "two": service("ok")})
        self.check(made.ask("reload"), 0)
        made.wait_event("reloading", by="PARAMCHANGE")
        made.wait_event("reloaded", added="1")
        self.hello(made, "two")
        self.check(made.ask("stop"), 0, "stopped")
        made.wait_event("stopping", reason="the service manager")
        made.wait_event("stopped", connections="4")
        made.wait_event("connection", 4, outcome="served")

        self.check(made.ask("start"), 0, "running")
        self.check(run(str(BIN_DIR / executable("batonctl")), "--control", control, "restart", "--wait"), 0)
        run("taskkill.exe", "/f", "/pid", made.wait_event("restarted", 3)["pid"])
        self.assertIn("stopped; ", made.wait_status("stopped"), "the manager sees a failure")

    def test_what_cannot_be(self):
        made = self.service("none")
        self.check(made.ask("run", "-c", "x", "--log", "y"), EXIT_SYSTEM, "error 1063")
        for verb in ("start", "stop", "uninstall", "reload"):
            self.check(made.ask(verb), EXIT_SYSTEM, "OpenServiceW", "error 1060")
        made.install({"one": service("ok")})
        self.check(made.ask("install", "-c", system_path(made.config)), EXIT_SYSTEM, "CreateServiceW", "error 1073",
                   "uninstall")
        self.check(made.ask("reload"), EXIT_SYSTEM, "error 1062")
        self.check(made.ask("stop"), 0, "stopped")
        self.check(made.ask("start"), 0, "running")
        self.check(made.ask("start"), EXIT_SYSTEM, "StartServiceW", "error 1056")
        self.check(made.ask("start", "-c", "x"), EXIT_USAGE, "for install")
        for arguments in ("frob",), (), ("status", "--name", "a b"), ("status", "more"), ("install", "-c", "-"):
            self.check(run(str(self.program), "service", *arguments), EXIT_USAGE)
        self.check(run(str(self.program), "service", "--help"), 0, "usage: batond service install")


if __name__ == "__main__":
    harness.main()
