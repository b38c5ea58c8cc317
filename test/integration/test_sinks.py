"""Where lines go: services' own logs, records that nobody wants, a syslog, the journal."""

import os
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import time
import unittest

import harness
from client import Client
from harness import EXIT_CONFIG, SupervisorCase, misbehave, render, shared, what_tests_need
from settings import BIN_DIR, DEADLINE_S, ON_WINE, clean_environment, executable, system_path


def wait_for(path, wanted, count=1):
    """The lines of the file, as soon as `count` of them have the words."""
    give_up_s = time.monotonic() + DEADLINE_S
    while True:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if sum(1 for line in lines if wanted in line) >= count:
            return lines
        if time.monotonic() > give_up_s:
            raise AssertionError(f"{wanted} did not come {count} times:\n" + "\n".join(lines))
        time.sleep(0.01)


def having(lines, words):
    return [line for line in lines if words in line]


def address_in(path, name):
    line = having(wait_for(path, f"event=listening service={name} "), "event=listening")[-1]
    return harness.split_address(re.search(r"address=(\S+)", line)[1])


def ask(address):
    with Client(address) as client:
        answer = client.ask("hello")
        client.rest()
    return answer


class Own(SupervisorCase):
    def test_all_of_a_service_and_nothing_else(self):
        folder = self.folder()
        own = folder / "öwn log"
        supervisor = self.launch({"line": misbehave("--write lines", log=system_path(own)),
                                  "other": misbehave()}, folder=folder).wait_ready()
        self.assertIn("served", ask(address_in(own, "line")))
        self.assertIn("served", supervisor.ask("other", "hello"))
        wait_for(own, "event=connection")
        supervisor.wait_event("connection", service="other")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        lines = wait_for(own, "event=connection")
        self.assertEqual(len(having(lines, "event=output service=line")), 3)
        self.assertEqual(len(having(lines, "event=connection service=line")), 1)
        self.assertEqual(having(lines, "service=other"), [])
        self.assertEqual([e for e in supervisor.events if e.get("service") == "line"], [])
        self.assertEqual(len(supervisor.find("stopped")), 1)

    def test_what_was_served_is_not_told(self):
        supervisor = self.supervisor({"mute": misbehave(log_served="no"),
                                      "bad": misbehave("--at ack --do crash", log_served="no"),
                                      "line": misbehave()})
        self.assertIn("served", ask(supervisor.address("mute")))
        supervisor.ask("bad", "hello")
        supervisor.ask("line", "hello")
        supervisor.wait_events(2, "connection")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        self.assertEqual(sorted((r["service"], r["outcome"]) for r in supervisor.records()),
                         [("bad", "crashed"), ("line", "served")])

    def test_a_folder_that_is_not_there(self):
        supervisor = self.launch({"line": misbehave(log=system_path(self.folder() / "no" / "log"))})
        self.assertEqual(supervisor.wait(), EXIT_CONFIG)
        self.assertIn("line.log", supervisor.log_text())


@unittest.skipIf(ON_WINE, "signals; Windows is asked by the control channel")
class Changed(SupervisorCase):
    def test_reopened_and_by_a_reload_elsewhere(self):
        folder = self.folder()
        first, second, old = folder / "first", folder / "second", folder / "old"
        sections = {"supervisor": {"log_mode": "0604"}, "line": misbehave(log=first),
                    "other": misbehave()}
        supervisor = self.launch(sections, folder=folder).wait_ready()
        address = address_in(first, "line")
        sections["line"] = {**sections["line"], "listen": f"{address[0]}:{address[1]}"}
        self.assertEqual(stat.S_IMODE(first.stat().st_mode), 0o604)
        first.rename(old)
        supervisor.reload(sections)
        ask(address)
        wait_for(first, "event=connection")
        self.assertEqual(having(wait_for(old, "event=listening"), "event=connection"), [])
        # Another file, another format, and other permissions, in one.
        sections["supervisor"] = {"log_mode": "0600", "log_format": "json"}
        sections["line"]["log"] = second
        supervisor._parse = lambda line: {"event": "any", "line": line}  # of two formats
        supervisor.config.write_text(supervisor.rendered(sections), encoding="utf-8")
        supervisor.signal(signal.SIGHUP)
        give_up_s = time.monotonic() + DEADLINE_S
        while not second.exists() and time.monotonic() < give_up_s:
            time.sleep(0.01)
        supervisor.wait_events(1, "any")
        self.assertIn("served", ask(address))
        lines = wait_for(second, '"event":"connection"')
        self.assertTrue(all(line.startswith("{") for line in lines), lines)
        self.assertEqual(stat.S_IMODE(second.stat().st_mode), 0o600)
        self.assertEqual(len(having(wait_for(first, "event="), "event=connection")), 1)
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_one_that_cannot_be_opened_any_more(self):
        folder = self.folder()
        logs = folder / "logs"
        logs.mkdir()
        supervisor = self.launch({"line": misbehave(log=logs / "own")}, folder=folder).wait_ready()
        address = address_in(logs / "own", "line")
        away = logs.rename(folder / "away")
        supervisor.signal(signal.SIGHUP)
        event = supervisor.wait_event("log_kept")
        self.assertEqual(event["log"], str(logs / "own"))
        ask(address)
        wait_for(away / "own", "event=connection")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_a_line_that_is_torn_before_a_restart(self):
        """Who takes over ends it, and knows why it is torn."""
        own = self.folder() / "own"
        supervisor = self.launch({"line": misbehave(log=own)}).wait_ready()
        address = address_in(own, "line")
        unlimited = (resource.RLIM_INFINITY,) * 2
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (own.stat().st_size + 20, resource.RLIM_INFINITY))
        ask(address)
        supervisor.wait_event("log_failed", log=own)
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, unlimited)
        supervisor.signal(signal.SIGUSR2)
        supervisor.wait_event("restarted")
        ask(address)
        lines = wait_for(own, "event=lines_dropped")
        self.assertEqual((len(lines), len(lines[1])), (4, 20), lines)
        self.assertIn("event=connection service=line id=2 ", lines[2])
        self.assertIn('count=1 records=1 reason="write: File too large"', lines[3])
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_the_reader_of_a_fifo_goes_on_behind_a_restart(self):
        """He sees no end of it: there is always somebody who writes."""
        def read(name):
            os.mkfifo(folder / name)
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK)  # else it would wait for batond
            os.set_blocking(descriptor, True)
            log = open(descriptor, encoding="utf-8")
            self.addCleanup(log.close)
            return log

        folder = self.folder()
        whole, own = read("whole"), read("own")
        supervisor = self.launch({"supervisor": {"log": folder / "whole"}, "line": misbehave(log=folder / "own")})
        for log in (whole, own):  # before there was a writer, a read would see the end
            self.assertTrue(select.select([log], [], [], DEADLINE_S)[0])
        address = harness.split_address(re.search(r"address=(\S+)", own.readline())[1])
        for _ in range(2):
            ask(address)
            self.assertIn("event=connection service=line ", own.readline())
            supervisor.signal(signal.SIGUSR2)
            while "event=restarted " not in (line := whole.readline()):
                self.assertNotEqual(line, "")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)
        self.assertIn("event=stopped", whole.read())
        self.assertEqual((own.read(), supervisor.events, supervisor.strange_lines), ("", [], []))

    @unittest.skipUnless(os.geteuid() == 0, "takes root")
    def test_who_may_make_it(self):
        folder = self.folder()
        folder.chmod(0o755)
        logs = folder / "logs"
        logs.mkdir()
        os.chown(logs, 65534, 65534)
        sections = {"line": misbehave(log=logs / "own")}
        # Whoever has that folder could put a link there.
        supervisor = self.launch(sections)
        self.assertEqual(supervisor.wait(), EXIT_CONFIG)
        self.assertIn("line.log", supervisor.log_text())
        # One who batond becomes has it anyhow, and can open it anew.
        sections["supervisor"] = {"user": "nobody"}
        sections["line"]["user"] = "nobody"
        supervisor = self.launch(sections, folder=folder)
        wait_for(logs / "own", "event=listening")
        supervisor.wait_ready()
        self.assertEqual((logs / "own").stat().st_uid, 65534)
        (logs / "own").rename(logs / "old")
        supervisor.signal(signal.SIGHUP)
        supervisor.wait_events(2, "log_reopened")  # the first one by who batond has become
        self.assertEqual((logs / "own").stat().st_uid, 65534)
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)


@unittest.skipIf(ON_WINE, "there is none on Windows")
class Syslog(SupervisorCase):
    def listen(self):
        self.path.unlink(missing_ok=True)
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(str(self.path))
        self.syslog.settimeout(DEADLINE_S)
        self.addCleanup(self.syslog.close)

    def wait_line(self, words):
        while True:
            line = self.syslog.recv(65536).decode()
            self.assertRegex(line, r"^<\d+>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d batond\[\d+\]: time=\S+ "
                                   r"level=\w+ event=\w+ ?[^\n]*$")
            self.lines.append(line)
            if words in line:
                return line

    def test_one_that_is_started_again(self):
        folder = self.folder()
        self.path = folder / "log"
        self.lines = []
        self.listen()
        sections = {"supervisor": {"log": f"syslog:{self.path}", "syslog_facility": "local3"},
                    "line": misbehave(), "bad": misbehave("--at ack --do crash")}
        supervisor = self.launch(sections, folder=folder)
        line = self.wait_line("event=listening service=line ")
        address = harness.split_address(re.search(r"address=(\S+)", line)[1])
        self.assertTrue(line.startswith(f"<{19 * 8 + 6}>"), line)
        self.assertIn(f"batond[{supervisor.pid}]: ", line)
        self.wait_line("event=ready")
        self.syslog.close()
        for _ in range(3):  # nobody listens, and nothing is lost
            self.assertIn("served", ask(address))
        self.listen()
        self.assertIn("served", ask(address))
        for _ in range(4):
            self.wait_line("event=connection")
        self.assertEqual(having(self.lines, "event=lines_dropped"), [])
        # A reload may send it elsewhere, and back.
        sections["supervisor"]["log"] = folder / "file"
        supervisor.config.write_text(supervisor.rendered(sections), encoding="utf-8")
        supervisor.signal(signal.SIGHUP)
        lines = wait_for(folder / "file", "event=reloaded")
        self.assertTrue(all(line.startswith("time=") for line in lines), lines)
        sections["supervisor"] = {"log": f"syslog:{self.path}"}
        supervisor.config.write_text(supervisor.rendered(sections), encoding="utf-8")
        supervisor.signal(signal.SIGHUP)
        self.assertTrue(self.wait_line("event=reloaded").startswith(f"<{3 * 8 + 6}>"))
        supervisor.signal()
        self.wait_line("event=stopped")
        self.assertEqual(supervisor.wait(), 0)


@unittest.skipIf(ON_WINE, "systemd's")
class Journal(SupervisorCase):
    def run_with(self, log_format, *, other=0):
        """The lines of a batond whose standard error is a pipe that is called the journal's."""
        folder = self.folder()
        config = folder / "a.ini"
        config.write_text(render(what_tests_need({"supervisor": {"log_format": log_format},
                                                  "line": misbehave()}), "ini"))
        reader, writer = os.pipe()
        its = os.fstat(writer)
        environment = clean_environment(JOURNAL_STREAM=f"{its.st_dev}:{its.st_ino + other}")
        with subprocess.Popen([BIN_DIR / executable("batond"), "-c", config, "--handlers",
                               shared().handlers], stdin=subprocess.DEVNULL, stderr=writer,
                              env=environment) as process:
            os.close(writer)
            with open(reader, encoding="utf-8") as log:
                lines = [log.readline()]
                while lines[-1] and "ready" not in lines[-1]:
                    lines.append(log.readline())
                process.send_signal(signal.SIGTERM)
                lines += log.readlines()
            self.assertEqual(process.wait(DEADLINE_S), 0)
        return lines

    def test_priorities(self):
        for log_format, begins in (("auto", "<6>time="), ("json", '<6>{"time"'), ("text", "<6>")):
            with self.subTest(log_format):
                lines = self.run_with(log_format)
                self.assertGreater(len(lines), 3)
                for line in lines:
                    self.assertTrue(line.startswith(begins), line)

    def test_another_stream(self):
        for line in self.run_with("auto", other=1):
            self.assertTrue(line.startswith("time="), line)


if __name__ == "__main__":
    harness.main()
