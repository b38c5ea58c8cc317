"""A supervisor that was started as root and is another user when it serves ([supervisor] user)."""

import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import time
import unittest

import harness
import processes
from client import Client
from harness import EXIT_CONFIG, SupervisorCase, render, service
from settings import BIN_DIR, DEADLINE_S, clean_environment, copy_batond

DAEMON = pwd.getpwnam("daemon")
NOBODY = pwd.getpwnam("nobody")
PYTHON = "/usr/bin/python3"
EXIT_SYSTEM = 71
KILL, SETGID, SETUID, NET_BIND_SERVICE = 1 << 5, 1 << 6, 1 << 7, 1 << 10
OF_OTHERS = KILL | SETGID | SETUID
SEE = "id -u; id -G; grep -E CapPrm /proc/self/status"


def shell(script, **keys):
    return service(f"/bin/sh -c '{script}'", handoff="stdio", **keys)


def wait_until(condition):
    give_up_s = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < give_up_s:
        time.sleep(0.01)
    return condition()


def status(path):
    """What a process or thread is: {name: value}."""
    lines = (pathlib.Path(path) / "status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def free_low_port():
    """A port that takes privileges, and that nobody has; not the same for two who ask at once."""
    lows = list(range(600, 1024))
    turn = os.getpid() % len(lows)
    for port in lows[turn:] + lows[:turn]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise unittest.SkipTest("no port below 1024 can be had here")


def is_privileged(port):
    path = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return not path.exists() or port < int(path.read_text())


@unittest.skipUnless(os.geteuid() == 0, "takes root")
class Become(SupervisorCase):
    def become(self, sections, supervisor=None, **options):
        return self.supervisor({
            "supervisor": {"user": "daemon", "default_user": "nobody", **(supervisor or {})},
            "defaults": {"directory": "/"}, **sections}, **options)

    def expect_to_be(self, pid, kept, no_new_privileges=False):
        """Of every thread."""
        own = status("/proc/self")
        threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        self.assertGreater(len(threads), 1)
        for thread in threads:
            seen = status(thread)
            self.assertEqual(set(seen["Uid"].split()), {str(DAEMON.pw_uid)})
            self.assertEqual(set(seen["Gid"].split()), {str(DAEMON.pw_gid)})
            groups = set(os.getgrouplist("daemon", DAEMON.pw_gid)) - {DAEMON.pw_gid}
            self.assertEqual({int(group) for group in seen["Groups"].split()}, groups)
            for name in "CapPrm", "CapEff":
                self.assertEqual(int(seen[name], 16), kept, name)
            for name in "CapInh", "CapAmb":
                self.assertEqual(int(seen[name], 16), 0, name)
            self.assertEqual(seen["CapBnd"], own["CapBnd"])
            self.assertEqual(int(seen["NoNewPrivs"]), int(no_new_privileges))

    def test_nothing_is_kept(self):
        supervisor = self.become({"a": shell(SEE, user="daemon", no_new_privileges="yes")})
        self.expect_to_be(supervisor.pid, 0, no_new_privileges=True)
        uid, groups, capabilities = self.answer(supervisor, "a").splitlines()
        self.assertEqual(int(uid), DAEMON.pw_uid)
        self.assertEqual({int(group) for group in groups.split()},
                         set(os.getgrouplist("daemon", DAEMON.pw_gid)))
        self.assertEqual(int(capabilities.split()[1], 16), 0)
        self.stop(supervisor)

    def test_others_are_launched_and_ended(self):
        supervisor = self.become({
            "nobody": shell(SEE), "root": shell(SEE, user="root"),
            "own": shell(SEE, user="daemon"),
            "held": shell("trap : TERM; echo here; while :; do sleep 1; done",
                          stop_timeout_ms=200),
            "pump": service("/bin/cat", handoff="pump")})
        self.expect_to_be(supervisor.pid, OF_OTHERS)
        whole = int(status("/proc/self")["CapBnd"], 16)
        for name, uid, kept in (("nobody", NOBODY.pw_uid, 0), ("root", 0, whole),
                                ("own", DAEMON.pw_uid, 0)):
            lines = self.answer(supervisor, name).splitlines()
            self.assertEqual((int(lines[0]), int(lines[2].split()[1], 16)), (uid, kept), name)
        with supervisor.connect("pump") as client:
            self.assertEqual(client.ask("hello"), "hello")
        with supervisor.connect("held") as client:
            self.assertEqual(client.line(), "here")
            supervisor.signal()
            record = supervisor.record(client)
        self.assertEqual(record["signal"], str(int(signal.SIGKILL)))
        self.assertEqual(supervisor.wait(), 0)

    def test_root_that_may_gain_nothing_has_all_the_same(self):
        whole = int(status("/proc/self")["CapPrm"], 16)
        supervisor = self.become({"root": shell(SEE, user="root", no_new_privileges="yes")})
        lines = self.answer(supervisor, "root").splitlines()
        self.assertEqual((int(lines[0]), int(lines[2].split()[1], 16)), (0, whole))
        self.stop(supervisor)

    def test_a_low_port_that_is_lost_comes_back(self):
        port = free_low_port()
        program = self.open_folder() / "spoil"
        program.write_text(f"#!{PYTHON}\n"
                           "import socket\n"
                           "listener = socket.socket(fileno=3)\n"
                           "client, _ = listener.accept()\n"
                           "client.sendall(b'here\\n')\n"
                           "listener.shutdown(socket.SHUT_RDWR)\n")
        program.chmod(0o755)
        supervisor = self.become({"spoil": service(str(program), listen=f"127.0.0.1:{port}",
                                                   handoff="listener")})
        self.expect_to_be(supervisor.pid, OF_OTHERS | NET_BIND_SERVICE)
        for count in range(1, 4):
            with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
                self.assertEqual(client.makefile().readline(), "here\n")
            supervisor.wait_events(count, "listener_lost")
            supervisor.wait_events(count + 1, "listening")
        self.assertTrue(is_privileged(port), "nothing was shown")
        self.stop(supervisor)

    def test_a_listener_is_told_when_the_supervisor_is_killed(self):
        """The kernel sends the signal only if the one who has died might have."""
        folder = self.open_folder()
        program = folder / "serve"
        program.write_text(f"#!{PYTHON}\nimport os, socket, time\n"
                           "client, _ = socket.socket(fileno=3).accept()\n"
                           "client.sendall(b'%d\\n' % os.getpid())\ntime.sleep(600)\n")
        program.chmod(0o755)
        supervisor = self.become({"serve": service(str(program), handoff="listener")})
        with harness.Client(supervisor.address("serve")) as client:
            pid = int(client.line())
            supervisor.process.kill()
            self.assertTrue(processes.wait_for_end(pid, DEADLINE_S))
        supervisor.wait()

    def test_carriers_and_output(self):
        supervisor = self.become({"talk": shell("echo to the log >&2; echo done")})
        self.assertEqual(self.answer(supervisor, "talk"), "done\n")
        supervisor.wait_event("output", text="to the log")
        for pid in processes.marked(supervisor.mark):
            self.assertEqual(set(status(f"/proc/{pid}")["Uid"].split()), {str(DAEMON.pw_uid)})
        self.stop(supervisor)

    def test_the_score_of_the_memory_killer(self):
        """Its file is root's, for whoever has changed its user."""
        supervisor = self.become({"a": shell("cat /proc/self/oom_score_adj", oom_score_adj=321)})
        own = pathlib.Path(f"/proc/{supervisor.pid}/oom_score_adj")
        before = own.read_text()
        self.assertEqual(self.answer(supervisor, "a"), "321\n")
        self.assertEqual(own.read_text(), before)
        self.stop(supervisor)

    def test_the_log(self):
        """One that batond has made can be opened anew; whose it is otherwise is for others."""
        folder = self.open_folder()
        os.chown(folder, DAEMON.pw_uid, -1)
        new, old = folder / "new.log", folder / "old.log"
        old.touch(0o600)
        for log, event in (new, "log_reopened"), (old, "log_kept"):
            log.touch()
            if log == new:
                log.unlink()
            config = folder / "a.ini"
            config.write_text(render({
                "supervisor": {"user": "daemon", "log": str(log), "strict_modes": "no"},
                "a": shell("echo", user="daemon", directory="/")}, "ini"))
            process = subprocess.Popen([BIN_DIR / "batond", "-c", config], stderr=subprocess.PIPE,
                                       env=clean_environment())
            self.addCleanup(process.stderr.close)
            self.addCleanup(process.kill)
            self.assertTrue(wait_until(
                lambda log=log: log.exists() and "event=ready" in log.read_text()))
            self.assertEqual(log.read_text().count(f"event={event}"), 1)
            log.rename(folder / "rotated")
            process.send_signal(signal.SIGHUP)
            self.assertTrue(wait_until(log.exists))
            self.assertEqual(log.stat().st_uid, DAEMON.pw_uid)
            process.terminate()
            self.assertEqual(process.wait(DEADLINE_S), 0)

    def test_a_local_socket(self):
        folder = self.open_folder()
        path = folder / "s"
        supervisor = self.become({"a": shell("id -u", listen=str(path), protocol="unix",
                                             owner="nobody", mode="0600")})
        self.assertEqual(path.stat().st_uid, NOBODY.pw_uid)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            self.assertEqual(client.makefile().readline(), f"{NOBODY.pw_uid}\n")
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_a_reload(self):
        """What the config asks for is judged by whom batond was when it was started."""
        supervisor = self.become({"see": shell(SEE)})
        self.assertEqual(int(self.answer(supervisor, "see").splitlines()[0]), NOBODY.pw_uid)
        text = supervisor.config.read_text(encoding="utf-8")
        self.assertEqual(supervisor.reload()["unchanged"], "1")
        supervisor.config.write_text(text + "user = root\n", encoding="utf-8")
        self.assertEqual(supervisor.reload()["changed"], "1")
        self.assertEqual(int(self.answer(supervisor, "see").splitlines()[0]), 0)
        supervisor.config.write_text(text.replace("user = daemon", "user = nobody"), encoding="utf-8")
        refused = supervisor.reload(event="reload_failed")
        self.assertIn("takes a stop and a start", refused["reason"])
        self.stop(supervisor)

    def test_a_restart(self):
        """It is who it was, and can what it could; a handler of another user has its listener all the while."""
        supervisor = self.become({
            "nobody": shell(SEE), "root": shell(SEE, user="root"),
            "listener": service("echo", handoff="listener", user="nobody"),
            "datagrams": service("echo", protocol="udp", user="nobody"),
            "pump": service("/bin/cat", handoff="pump")})
        live = Client(supervisor.address("listener"))
        self.addCleanup(live.close)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        datagrams.settimeout(DEADLINE_S)
        datagrams.connect(supervisor.address("datagrams"))
        with supervisor.connect("pump") as client:
            for number in range(3):
                self.assertEqual(client.ask("hello"), "hello")
                self.assertEqual(live.ask(f"{number}"), f"{number}")
                datagrams.send(b"x")
                self.assertEqual(datagrams.recv(10), b"x")
                supervisor.signal(signal.SIGUSR2)
                supervisor.wait_events(number + 1, "reloaded")
                self.expect_to_be(supervisor.pid, OF_OTHERS)
            self.assertEqual(client.ask("again"), "again")
        for name, uid in (("nobody", NOBODY.pw_uid), ("root", 0)):
            self.assertEqual(int(self.answer(supervisor, name).splitlines()[0]), uid)
        self.assertEqual([event["unchanged"] for event in supervisor.find("reloaded")], ["5"] * 3)
        self.assertEqual(len(supervisor.find("restarted")), 3)
        live.close()
        self.stop(supervisor)

    def test_a_restart_without_a_program(self):
        """It is gone when it is wanted: what it would have had of ours goes over to nobody else."""
        folder = self.folder()
        program = copy_batond(folder)
        supervisor = self.become({"nobody": shell(SEE)}, program=program)
        new = folder / "new"
        new.write_text(f"""#!/bin/sh
mv '{program}' '{folder}/gone'
exec '{BIN_DIR}/batond' "$@"
""", encoding="utf-8")
        new.chmod(0o755)
        new.rename(program)
        os.chown(folder, DAEMON.pw_uid, DAEMON.pw_gid)
        supervisor.signal(signal.SIGUSR2)
        self.assertIn("execve", supervisor.wait_event("restart_failed")["reason"])
        self.expect_to_be(supervisor.pid, OF_OTHERS)
        self.answer(supervisor, "nobody")
        self.stop(supervisor)

    def test_a_restart_that_would_lose_the_log(self):
        """Root has opened it, and nobody would open it again for whom batond is by now."""
        log = self.folder() / "log"
        log.touch(mode=0o600)
        supervisor = self.become({"nobody": shell(SEE)}, {"log": str(log)}, log_file=str(log))
        supervisor.signal(signal.SIGUSR2)
        told = supervisor.wait_event("restart_problem")
        self.assertRegex(told["text"], f"^{re.escape(str(log))}: open: Permission denied")
        supervisor.wait_event("restart_failed")
        self.answer(supervisor, "nobody")
        self.stop(supervisor)

    def test_who_cannot_become_another_does_not_start(self):
        """As root without the capability for it."""
        config = self.folder() / "a.ini"
        config.write_text(render({"supervisor": {"user": "daemon", "strict_modes": "no"},
                                  "a": shell("id", user="daemon", directory="/")}, "ini"))
        done = subprocess.run(
            ["setpriv", "--bounding-set=-setgid", BIN_DIR / "batond", "-c", config],
            stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, env=clean_environment(),
            check=False)
        self.assertEqual(done.returncode, EXIT_SYSTEM)
        self.assertIn("cannot become the user of [supervisor]: setgroups: ", done.stderr)
        self.assertNotIn("event=ready", done.stderr)

    def test_it_has_to_be_there(self):
        config = self.folder() / "a.ini"
        config.write_text(render({"supervisor": {"user": "nosuchuser", "strict_modes": "no"},
                                  "a": shell("id", user="daemon")}, "ini"))
        done = subprocess.run([BIN_DIR / "batond", "-c", config, "--check"], capture_output=True,
                              text=True, timeout=DEADLINE_S, env=clean_environment(), check=False)
        self.assertEqual(done.returncode, EXIT_CONFIG)
        self.assertIn("there is no user `nosuchuser`", done.stderr)


if __name__ == "__main__":
    harness.main()
