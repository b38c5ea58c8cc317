"""Another batond takes over all that there is (SIGUSR2, batonctl restart)."""

import hashlib
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
import processes
from asked import AskedCase, DONE, REFUSED
from client import Client, await_refusal, split_address
from harness import misbehave, service, shared
from settings import ALL_WANTED, BIN_DIR, DEADLINE_S, ON_WINE, clean_environment, copy_batond
from test_reload import Load, pids, says
from test_shortage import OWN_USER, limit_processes

ROUNDS = 50 if ALL_WANTED else 8


def descriptors(pid):
    """What there is of each kind; sockets and pipes have numbers."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}").split(":")[0])
        except FileNotFoundError:
            pass
    return sorted(found)


class RestartCase(AskedCase):
    def restart(self, supervisor, event="restarted"):
        """Returns what came of it."""
        count = len(supervisor.find(event))
        supervisor.signal(signal.SIGUSR2)
        told = supervisor.wait_events(count + 1, event)[count]
        if event == "restarted":
            supervisor.wait_events(len(supervisor.find("restarted")), "reloaded")
        return told

    def ask(self, supervisor, name, text):
        with supervisor.connect(name) as client:
            answer = client.ask(text)
            client.end()
            client.rest()
        return answer

    def ask_anew(self, supervisor, name, text):
        """The same where it listens for the second time, and its port is another."""
        place = split_address(supervisor.wait_events(2, "listening", service=name)[-1]["address"])
        with Client(place) as client:
            supervisor.clients[client.name, client.server] += 1
            return client.ask(text)

    def wait_until(self, condition, deadline_s=DEADLINE_S):
        give_up_s = time.monotonic() + deadline_s
        while not condition():
            self.assertLess(time.monotonic(), give_up_s)
            time.sleep(0.01)


@unittest.skipIf(ON_WINE, "POSIX")
class Restart(RestartCase):
    def test_who_is_served_goes_on(self):
        """In each mode, through several restarts; and nothing of the process is more behind them."""
        sections = {"line": says("one"), "pumped": {**says("two"), "handoff": "pump"},
                    "held": misbehave("--write lines"),
                    "living": misbehave("--serve hold", reuse=0, spares=2),
                    "listener": service("echo", handoff="listener"),
                    "workers": service("echo", handoff="listener", workers=2),
                    "udp": service("echo", protocol="udp")}
        supervisor = self.supervisor(sections)
        clients = {name: supervisor.connect(name) for name in ("line", "pumped")}
        holding = supervisor.connect("living")
        self.assertIn("holding", holding.line())
        own = {name: Client(supervisor.address(name)) for name in ("listener", "workers")}
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        datagrams.settimeout(DEADLINE_S)
        datagrams.connect(supervisor.address("udp"))

        def talk(text):
            self.assertEqual(clients["line"].ask(text), f"one {text}")
            self.assertEqual(clients["pumped"].ask(text), f"two {text}")
            for client in own.values():
                client.send(text)
                self.assertEqual(client.socket.recv(100), text.encode())
            datagrams.send(text.encode())
            self.assertEqual(datagrams.recv(100), text.encode())
            self.assertEqual(self.ask(supervisor, "line", text), f"one {text}")

        talk("before")
        self.restart(supervisor)
        talk("first")
        self.wait_until(lambda: len(supervisor.find("connection", service="line")) == 2)
        before = None
        handlers = pids(supervisor)
        for number in range(4):
            event = self.restart(supervisor)
            self.assertEqual(event["pid"], str(supervisor.pid))
            self.assertEqual(event["connections"], "7")  # the three, and activations
            talk(f"again {number}")
            supervisor.wait_events(3 + number, "connection", service="line")
            now = (descriptors(supervisor.pid), len(processes.marked(supervisor.mark)))
            if number > 1:
                self.wait_until(lambda: descriptors(supervisor.pid) == before[0])
                self.assertEqual(len(processes.marked(supervisor.mark)), before[1])
            before = now
        self.assertEqual(pids(supervisor), handlers)
        for client in (*clients.values(), holding, *own.values()):
            client.close()
        supervisor.wait_event("connection", service="living", outcome="served")
        self.assertEqual(supervisor.find("listener_lost"), [])
        self.assertEqual(supervisor.find("held_back"), [])
        self.stop(supervisor)

    def test_what_is_half_done_is_taken_over(self):
        """Half a PROXY header, half a line of output, a client in the queue, a first byte that is awaited."""
        supervisor = self.supervisor({
            "proxied": {**says("a"), "proxy_protocol": "on", "proxy_trusted": "127.0.0.0/8"},
            "silent": says("b", first_byte_timeout_ms=30000),
            "full": service("echo", max_handlers=1),
            "writer": service("/bin/sh -c 'printf half >&2; read line; echo done >&2; echo $line'",
                              handoff="stdio")})
        proxied, silent, first = (supervisor.connect(n) for n in ("proxied", "silent", "full"))
        proxied.socket.sendall(b"PROXY TCP4 192.0.2.7 192.0")
        self.assertEqual(first.ask("x"), "x")
        queued, writer = supervisor.connect("full"), supervisor.connect("writer")
        queued.send("y\n")
        self.wait_until(lambda: len(descriptors(supervisor.pid)) > 0)
        for _ in range(3):
            self.restart(supervisor)
        proxied.socket.sendall(b".2.1 4000 443\r\nz\n")
        self.assertEqual(proxied.line(), "a z")
        self.assertEqual(silent.ask("s"), "b s")
        self.assertEqual(first.ask("x"), "x")
        first.close()
        self.assertEqual(queued.line(), "y")
        self.assertEqual(writer.ask("w"), "w")
        for client in (proxied, silent, queued, writer):
            client.close()
        supervisor.wait_events(5, "connection")
        self.assertEqual(supervisor.wait_event("output", service="writer")["text"], "halfdone")
        record = supervisor.wait_event("connection", service="proxied")
        self.assertEqual(record["peer"], "192.0.2.7:4000")
        # The record is that of whom the proxy speaks for.
        supervisor.clients.pop((proxied.name, proxied.server), None)
        supervisor.clients[record["peer"], record["local"]] += 1
        self.stop(supervisor)

    def test_the_config_of_then(self):
        supervisor = self.supervisor({"same": says("one"), "changed": says("two"), "gone": says("three")})
        old = {name: supervisor.connect(name) for name in ("same", "changed", "gone")}
        for client in old.values():
            client.ask("x")
        place = supervisor.address("gone")
        supervisor.config.write_text(supervisor.rendered(
            {"supervisor": {"log_level": "debug"}, "same": says("one"), "changed": says("2"),
             "new": says("new")}), encoding="utf-8")
        self.restart(supervisor)
        self.assertEqual({(e["service"], e["change"]) for e in supervisor.find("service_changed")},
                         {("changed", "changed"), ("gone", "removed"), ("new", "added")})
        self.assertEqual(self.ask(supervisor, "changed", "y"), "2 y")
        self.assertEqual(self.ask(supervisor, "new", "y"), "new y")
        await_refusal(place)
        self.restart(supervisor)  # and who is of a config of before goes on once more
        self.assertEqual([old[n].ask("z") for n in ("same", "changed", "gone")],
                         ["one z", "two z", "three z"])
        for client in old.values():
            client.close()
        supervisor.wait_events(5, "connection", outcome="served")
        self.stop(supervisor)

    def test_a_handler_that_is_replaced_meanwhile(self):
        """Between the two programs: no event of the system tells of it, but those of before get no more clients."""
        folder, program = self.folder(), self.open_folder() / "echo"
        shutil.copy2(shared().handlers / "echo", program)
        (folder / "true").mkdir()
        true_one = copy_batond(folder / "true")
        wrapper = folder / "batond"
        # A shell would put the environment into another order.
        wrapper.write_text(f"""#!{sys.executable} -IS
import os, shutil, sys
if "BATON_RESTARTED" in os.environ:
    shutil.copy2("{program}", "{program}.new")
    os.rename("{program}.new", "{program}")
os.execv("{true_one}", ["batond", *sys.argv[1:]])
""")
        wrapper.chmod(0o755)
        supervisor = self.supervisor({"living": service(str(program), reuse=0, spares=1)}, program=true_one)
        self.serving(supervisor, "living")
        before = {str(pid) for pid in processes.marked(supervisor.mark)}
        wrapper.rename(true_one.with_name("wrapper"))
        true_one.rename(true_one.with_name("real"))
        wrapper = true_one.with_name("wrapper")
        wrapper.write_text(wrapper.read_text().replace(f"{true_one}", f"{true_one.with_name('real')}"))
        wrapper.rename(true_one)
        self.restart(supervisor)
        supervisor.wait_event("handler_changed")
        self.assertNotIn(self.serving(supervisor, "living"), before)
        self.stop(supervisor)

    def serving(self, supervisor, name):
        """The process that serves a client."""
        with supervisor.connect(name) as client:
            client.ask("x")
        return supervisor.wait_event("connection", peer=client.name)["pid"]

    def test_batonctl(self):
        supervisor = self.served({"line": says("one")}, log_level="debug")
        follower = self.follow(lambda: self.ask(supervisor, "line", "w"))
        with supervisor.connect("line") as client:
            client.ask("x")
            waiting = subprocess.Popen(self.command("drain", "line", "--wait"), stdout=subprocess.PIPE, text=True)
            self.addCleanup(waiting.stdout.close)
            self.assertIn("waiting", waiting.stdout.readline())
            for _ in range(2):
                self.assertEqual(self.told("restart", "--wait"), "")
            self.assertIn("1 live connection", self.told("status"))
            self.assertEqual(client.ask("y"), "one y")
            self.assertIsNone(waiting.poll())
        self.assertEqual(waiting.wait(DEADLINE_S), DONE)
        self.told("enable", "line")
        self.assertEqual(self.ask_anew(supervisor, "line", "z"), "one z")
        self.stop(supervisor)
        text = follower.stdout.read().decode()
        self.assertEqual(follower.wait(DEADLINE_S), DONE)
        self.assertEqual(text.count("restarted"), 2, text)

    def test_half_a_request(self):
        supervisor = self.served({"line": says("one")})
        with socket.socket(socket.AF_UNIX) as half:
            half.settimeout(DEADLINE_S)
            half.connect(self.control)
            half.sendall(b"1 sta")
            self.told("status")  # who has come before is there by then
            for _ in range(2):
                self.restart(supervisor)
            half.sendall(b"tus\n")
            self.assertIn(b"uptime_ms", half.recv(10000))
        self.stop(supervisor)

    def test_control_that_is_switched_off_and_on(self):
        supervisor = self.served({"line": says("one")})
        text = supervisor.config.read_text(encoding="utf-8")
        follower = subprocess.Popen(self.command("events"), stdout=subprocess.DEVNULL)
        self.addCleanup(follower.kill)
        self.told("status")
        for place in ("none", "none", self.control, self.place("other")):
            supervisor.config.write_text(text.replace(f"control = {self.control}", f"control = {place}"),
                                         encoding="utf-8")
            self.restart(supervisor)
            self.assertEqual(self.ask(supervisor, "line", "x"), "one x")
        self.control = place
        self.told("status")
        self.stop(supervisor)
        self.assertEqual(follower.wait(DEADLINE_S), DONE)

    def test_control_where_nobody_has_said_so(self):
        """What the environment says is the place still, through the second one and a reload."""
        self.control = self.place()
        supervisor = self.supervisor({"one": says("one")}, environment={"BATON_CONTROL": self.control})
        for _ in range(2):
            self.told("restart")
        supervisor.reload()
        self.told("status")
        self.stop(supervisor)

    def test_what_was_switched_off_stays_off(self):
        supervisor = self.served({"one": says("one"), "two": says("two")})
        self.told("drain", "one")
        self.told("restart")
        self.assertRegex(self.told("services"), r"one +drained|one +off")
        self.told("enable", "one")
        self.assertEqual(self.ask_anew(supervisor, "one", "x"), "one x")
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "POSIX")
class Fails(RestartCase):
    """Whatever goes wrong, the old one goes on, and says why."""

    def replace(self, folder, name, text):
        new = folder / "new"
        new.write_text(text)
        new.chmod(0o755)
        new.rename(folder / name)

    def begun(self, user=None):
        folder = self.folder()
        program = copy_batond(folder)
        self.control = self.place()
        supervisor = self.supervisor({"supervisor": {"control": self.control, "log_level": "debug"},
                                      "line": says("one"), "echo": service("echo", spares=1)},
                                     folder=folder, program=program, user=user)
        return folder, supervisor

    def check_refused(self, supervisor, *words, pid=None):
        count = len(supervisor.find("restart_failed"))
        with supervisor.connect("line") as client:
            self.assertEqual(client.ask("a"), "one a")
            done = subprocess.run(self.command("restart"), capture_output=True, timeout=DEADLINE_S,
                                  check=False, env=clean_environment())
            self.assertEqual(done.returncode, REFUSED)
            answer = (done.stdout + done.stderr).decode()
            for word in words:
                self.assertIn(word, answer)
            self.assertEqual(client.ask("b"), "one b")
            self.assertEqual(self.ask(supervisor, "line", "c"), "one c")
            self.assertEqual(self.ask(supervisor, "echo", "d"), "d")
        supervisor.wait_events(count + 1, "restart_failed")
        log = [(e.get("reason", "") + e.get("text", "")) for e in supervisor.events
               if e["event"] in ("restart_failed", "restart_problem")]
        for word in words:
            self.assertIn(word, " ".join(log))
        self.assertEqual(supervisor.process.poll(), None)

    def test_a_program_that_does_not_come_up(self):
        folder, supervisor = self.begun()
        for text, words in (("#!/bin/sh\nexit 3\n", ["cannot take over", "exit code 3"]),
                            ("#!/bin/sh\nkill -SEGV $$\n", ["cannot take over", "signal 11"]),
                            ("#!/bin/sh\necho ready >&3\n", ["no batond that can take over"]),
                            ("#!/nowhere/sh\n", ["posix_spawn", "No such file"]),
                            ("\x7fELF garbage", ["cannot take over"])):
            with self.subTest(text):
                self.replace(folder, "batond", text)
                self.check_refused(supervisor, *words)
        (folder / "batond").unlink()
        self.check_refused(supervisor, "No such file")
        copy_batond(folder)
        self.told("restart")
        self.assertEqual(self.ask(supervisor, "line", "z"), "one z")
        self.stop(supervisor)

    def test_another_version_of_the_snapshot(self):
        folder, supervisor = self.begun()
        other = os.environ["BATON_OTHER_BATOND"]
        self.replace(folder, "batond", f'#!/bin/sh\nexec {other} "$@"\n')
        self.check_refused(supervisor, "another version of the snapshot")
        self.stop(supervisor)

    def test_one_that_fails_after_the_exec(self):
        """Rehearsed was another: the old program is back, and takes over from itself."""
        folder, supervisor = self.begun()
        other = os.environ["BATON_OTHER_BATOND"]
        true_one = folder / "true"
        true_one.mkdir()
        true_one = copy_batond(true_one)
        self.replace(folder, "batond", f"""#!/bin/sh
if [ "$1" = --rehearse ]; then exec '{true_one}' "$@"; fi
exec '{other}' "$@"
""")
        with supervisor.connect("echo") as client:
            self.assertEqual(client.ask("x"), "x")
            for _ in range(2):
                self.check_refused(supervisor, "cannot take over", "another version")
            self.assertEqual(client.ask("y"), "y")
        copy_batond(folder)
        self.told("restart")
        self.assertEqual(self.ask(supervisor, "line", "z"), "one z")
        self.stop(supervisor)

    def test_no_process_is_left_to_be_had(self):
        """Others of the user have all: there is no thread, then, until there can be one again."""
        folder, supervisor = self.begun(OWN_USER if os.geteuid() == 0 else None)
        (folder / "true").mkdir()
        true_one = copy_batond(folder / "true")
        self.replace(folder, "batond", f"""#!/bin/bash
if [ "$1" != --rehearse ]; then ulimit -Su 1; fi
exec '{true_one}' "$@"
""")
        with supervisor.connect("line") as client:
            self.assertEqual(client.ask("a"), "one a")
            self.restart(supervisor)
            self.assertEqual(client.ask("b"), "one b")
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        limit_processes([supervisor.pid], most, most)
        self.assertEqual(self.ask(supervisor, "line", "c"), "one c")
        self.assertEqual(supervisor.find("restart_failed"), [])
        self.stop(supervisor)

    def test_not_even_the_old_one_can(self):
        """Then it begins as after a crash: who is with a handler goes on, and others are served anew."""
        folder, supervisor = self.begun()
        other = os.environ["BATON_OTHER_BATOND"]
        shutil.copy2(BIN_DIR / "baton-config", pathlib.Path(other).parent)
        (folder / "true").mkdir()
        true_one = copy_batond(folder / "true")
        self.replace(folder, "batond", f"""#!/bin/sh
if [ "$1" = --rehearse ]; then exec '{true_one}' "$@"; fi
BATON_RESTARTED="${{BATON_RESTARTED%% *}} -1 -1 {folder}/batond
that was the end" exec '{other}' "$@"
""")
        pid = supervisor.pid
        with supervisor.connect("line") as client:
            self.assertEqual(client.ask("a"), "one a")
            supervisor.signal(signal.SIGUSR2)
            self.assertEqual(supervisor.wait_events(2, "ready")[1]["pid"], str(pid))
            self.assertEqual(client.ask("b"), "one b")
            client.close()
        self.assertEqual(self.ask_anew(supervisor, "line", "c"), "one c")
        self.assertIn("another version", "".join(supervisor.strange_lines))
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait(), 0)

    def test_one_whose_answer_is_none(self):
        folder, supervisor = self.begun()
        for text in ("head -c 100 /dev/zero >&3", "head -c 100 /dev/urandom >&3", ":"):
            self.replace(folder, "batond", f"#!/bin/sh\n{text}\n")
            self.check_refused(supervisor, "no batond that can take over")
        # One that has answered, and does not end.
        true_one = folder / "true"
        true_one.mkdir()
        true_one = copy_batond(true_one)
        self.replace(folder, "batond", "#!/bin/sh\nexec 3>&-\nexec sleep 300\n")
        self.check_refused(supervisor, "cannot take over")
        self.replace(folder, "batond", f"""#!/bin/sh
[ "$1" = --rehearse ] || exec '{true_one}' "$@"
'{true_one}' "$@"
exec 3>&-
exec sleep 300
""")
        with supervisor.connect("line") as client:
            self.assertEqual(client.ask("a"), "one a")
            self.told("restart")
            self.assertEqual(client.ask("b"), "one b")
        self.stop(supervisor)

    def test_a_stop_while_it_hangs(self):
        folder, supervisor = self.begun()
        self.replace(folder, "batond", "#!/bin/sh\nsleep 300\n")
        with subprocess.Popen(self.command("restart"), stderr=subprocess.PIPE,
                              env=clean_environment()) as waiting:
            supervisor.wait_event("restarting")
            self.wait_until(
                lambda: any("sleep" in line for line in processes.marked(supervisor.mark).values()))
            supervisor.signal(signal.SIGTERM)
            self.assertIn(b"batond is being stopped", waiting.communicate(timeout=DEADLINE_S)[1])
            self.assertEqual(waiting.returncode, REFUSED)
        self.check_end(supervisor)

    def test_a_reload_that_is_asked_for_meanwhile(self):
        """It is of the config as it is then, not as it was rehearsed."""
        folder, supervisor = self.begun()
        true_one = folder / "true"
        true_one.mkdir()
        true_one = copy_batond(true_one)
        goes_on = folder / "goes_on"
        self.replace(folder, "batond", f"""#!/bin/sh
[ "$1" = --rehearse ] || exec '{true_one}' "$@"
answer=$('{true_one}' "$@" 3>'{folder}/answer')
until [ -e '{goes_on}' ]; do sleep 0.01; done
cat '{folder}/answer' >&3
""")
        supervisor.signal(signal.SIGUSR2)
        self.wait_until(lambda: (folder / "answer").exists() and (folder / "answer").stat().st_size > 0)
        supervisor.config.write_text(supervisor.rendered(
            {"supervisor": {"control": self.control, "log_level": "debug"}, "line": says("two"),
             "echo": service("echo", spares=1)}), encoding="utf-8")
        reload = subprocess.Popen(self.command("reload", "--timeout", "30"), stdout=subprocess.PIPE, text=True)
        self.addCleanup(reload.stdout.close)
        supervisor.wait_event("reloading")
        goes_on.touch()
        self.assertEqual(reload.wait(DEADLINE_S), DONE)
        self.assertIn("handler", reload.stdout.read())
        self.assertEqual(self.ask(supervisor, "line", "z"), "two z")
        self.stop(supervisor)

    def test_a_faulty_config(self):
        _, supervisor = self.begun()
        text = supervisor.config.read_text(encoding="utf-8")
        supervisor.config.write_text(text + "\n[bad]\nlisten = 7777\nhandlr = x\n", encoding="utf-8")
        self.check_refused(supervisor, "bad.handlr", "faults")
        supervisor.config.unlink()
        self.check_refused(supervisor, "cannot be read")
        supervisor.config.write_text(text, encoding="utf-8")
        self.told("restart")
        self.assertEqual(self.ask(supervisor, "line", "z"), "one z")
        self.stop(supervisor)

    def test_a_user_of_batonds_own_that_is_new(self):
        _, supervisor = self.begun()
        text = supervisor.config.read_text(encoding="utf-8")
        supervisor.config.write_text(text.replace("[supervisor]\n", "[supervisor]\nuser = nobody\n"),
                                     encoding="utf-8")
        self.check_refused(supervisor, "takes a stop and a start")
        self.stop(supervisor)

    def test_a_stop_meanwhile(self):
        _, supervisor = self.begun()
        supervisor.signal(signal.SIGUSR2)
        supervisor.signal(signal.SIGTERM)
        self.check_end(supervisor)

    def test_a_stop_that_is_read_with_what_it_waits_for(self):
        """In one look at the system: the signal, and the end of who kept the restart from going on."""
        supervisor = self.supervisor({"line": says("one"),
                                      "no": says("two", deny="127.0.0.0/8", refuse_message="no")})
        refused = supervisor.connect("no")
        supervisor.wait_event("connection", service="no")
        supervisor.signal(signal.SIGUSR2)
        supervisor.wait_event("restarting")
        time.sleep(0.2)  # rehearsed by then, or the test is of no use
        supervisor.signal(signal.SIGSTOP)
        supervisor.signal(signal.SIGTERM)
        refused.close()
        supervisor.signal(signal.SIGCONT)
        self.check_end(supervisor)


@unittest.skipIf(ON_WINE, "POSIX")
class UnderLoad(RestartCase):
    def test_nobody_notices(self):
        sections = {"supervisor": {"log_level": "debug"},
                    "short": says("a"),
                    "pumped": {**says("a"), "handoff": "pump"},
                    "fresh": misbehave(),
                    "living": misbehave("--write lines", reuse=0, capacity=4, spares=2),
                    "local": says("a"),
                    "listener": service("echo", handoff="listener"),
                    "workers": service("echo", handoff="listener", workers=2)}
        supervisor = self.supervisor(sections)
        loads = [Load(supervisor.address(name), lines) for name, lines in
                 [("short", 1), ("short", 20), ("pumped", 1), ("pumped", 20), ("fresh", 1),
                  ("fresh", 1), ("living", 1), ("living", 1), ("local", 3)]]
        strangers = [Load(supervisor.address(name), 2) for name in ("listener", "workers")]
        for load in (*loads, *strangers):
            load.start()
        for _ in range(ROUNDS):
            self.restart(supervisor)
            self.assertEqual(supervisor.find("restart_failed"), [])
        for load in (*loads, *strangers):
            load.goes_on = False
        for load in (*loads, *strangers):
            load.join(DEADLINE_S)
            self.assertIsNone(load.fault)
        for load in loads:  # whom their handlers accept has no record
            for name in load.names:
                supervisor.clients[name] += 1
        self.assertEqual(supervisor.find("attempt_failed"), [])
        self.stop(supervisor)
        self.assertEqual({r["outcome"] for r in supervisor.records()}, {"served"})

    def test_a_transfer_by_a_pump(self):
        """Byte for byte, in both directions, and slowly enough that its pipes are full most of the time."""
        supervisor = self.supervisor({"pumped": service("/bin/cat", handoff="pump")})
        data = random.Random(1).randbytes(8_000_000)
        got = hashlib.sha256()
        with supervisor.connect("pumped") as client:
            sender = threading.Thread(target=lambda: (client.socket.sendall(data), client.end()))
            sender.start()
            count = 0
            while count < len(data):
                piece = client.socket.recv(100_000)
                self.assertNotEqual(piece, b"", count)
                before, count = count, count + len(piece)
                got.update(piece)
                if before // 800_000 != count // 800_000:
                    self.restart(supervisor)
            self.assertEqual(client.socket.recv(1), b"")
            sender.join(DEADLINE_S)
        self.assertEqual(got.digest(), hashlib.sha256(data).digest())
        self.assertGreaterEqual(len(supervisor.find("restarted")), 9)
        record = supervisor.wait_event("connection")
        self.assertEqual((record["bytes_in"], record["bytes_out"]), (str(len(data)),) * 2)
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
