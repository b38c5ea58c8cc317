"""batonctl restart on Windows: another process takes the place of the one that was asked."""

import collections
import hashlib
import os
import random
import select
import shutil
import socket
import subprocess
import threading
import time
import unittest

import harness
import processes
from asked import AskedCase, REFUSED
from client import Client, await_refusal
from harness import misbehave, service
from settings import BIN_DIR, DEADLINE_S, HANDLERS_DIR, ON_WINE, clean_environment, copy_batond, executable

ROUNDS = 10


class Load(threading.Thread):
    """Clients without a pause: each asks, and checks the answer."""

    def __init__(self, address, lines):
        super().__init__(daemon=True)
        self.address, self.lines = address, lines
        self.goes_on, self.names, self.fault = True, [], None

    def run(self):
        try:
            while self.goes_on:
                with Client(self.address) as client:
                    self.names.append((client.name, client.server))
                    for number in range(self.lines):
                        answer = client.ask(f"LINE{number}")
                        if f"LINE{number}" not in answer and "pid=" not in answer:
                            raise AssertionError(f"{self.address}: line {number}: {answer!r}")
                    client.end()
                    client.rest()
        except (OSError, AssertionError) as error:
            self.fault = error


@unittest.skipUnless(ON_WINE, "Windows")
class RestartCase(AskedCase):
    def successor(self, supervisor):
        """The pid here of the batond that is there now, the one before having ended."""
        give_up_s = time.monotonic() + DEADLINE_S
        while True:
            found = [pid for pid, line in processes.marked(supervisor.mark).items()
                     if "batond" in line and "rehearse" not in line]
            if len(found) == 1 and found[0] != supervisor.pid:
                return found[0]
            self.assertLess(time.monotonic(), give_up_s, found)
            time.sleep(0.01)

    def ask(self, supervisor, name, text):
        with supervisor.connect(name) as client:
            answer = client.ask(text)
            client.end()
            client.rest()
        return answer

    def restart(self, supervisor):
        """Asked and waited for; the harness follows. Returns the event."""
        count = len(supervisor.find("restarted"))
        self.assertEqual(self.told("restart", "--wait"), "")
        event = supervisor.wait_events(count + 1, "restarted")[count]
        self.assertNotEqual(event["pid"], supervisor.find("restarting")[-1]["pid"])
        supervisor.pid = self.successor(supervisor)
        return event


class Restart(RestartCase):
    def test_idle(self):
        supervisor = self.served({"echo": service("echo"), "ok": service("ok")})
        self.assertEqual(self.ask(supervisor, "echo", "before"), "before")
        for number in range(3):
            self.restart(supervisor)
            self.assertEqual(supervisor.process.wait(DEADLINE_S), 0)
            self.assertEqual(self.ask(supervisor, "echo", f"behind {number}"), f"behind {number}")
        self.stop(supervisor)

    def test_who_is_served_goes_on(self):
        """In each mode that Windows has, through several restarts."""
        supervisor = self.served({
            "line": service("echo"), "pumped": service("console upper", handoff="pump"),
            "stdio": service("echo", handoff="stdio"),
            "holding": misbehave("--serve hold", reuse=0, spares=1),
            "listener": service("echo", handoff="listener"),
            "udp": service("echo", protocol="udp")})
        clients = {name: supervisor.connect(name) for name in ("line", "pumped", "stdio")}
        holding = supervisor.connect("holding")
        self.assertIn("holding", holding.line())
        lent = Client(supervisor.address("listener"))
        self.addCleanup(lent.close)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(datagrams.close)
        datagrams.settimeout(DEADLINE_S)
        datagrams.connect(supervisor.address("udp"))

        def talk(text):
            for name, client in clients.items():
                with self.subTest(name):
                    self.assertEqual(client.ask(text).rstrip("\r"), text)
            lent.send(text)
            self.assertEqual(lent.socket.recv(100), text.encode())
            datagrams.send(text.encode())
            self.assertEqual(datagrams.recv(100), text.encode())
            self.assertEqual(self.ask(supervisor, "line", text), text)

        talk("BEFORE")
        supervisor.wait_event("connection", service="line")
        for number in range(4):
            event = self.restart(supervisor)
            self.assertEqual(event["connections"], "6")  # with two activations
            talk(f"BEHIND {number}")
            supervisor.wait_events(2 + number, "connection", service="line")
        for client in (*clients.values(), holding, lent):
            client.close()
        for name in (*clients, "holding"):
            supervisor.wait_event("connection", service=name)
        self.assertEqual(supervisor.find("listener_lost"), [])
        self.stop(supervisor)

    def test_what_is_half_done_is_taken_over(self):
        """Half a PROXY header, a client in the queue, a first byte that is awaited, an idle connection; and
        those who wait for an answer, or follow the log."""
        supervisor = self.served({
            "proxied": service("echo", proxy_protocol="on", proxy_trusted="127.0.0.0/8"),
            "silent": service("echo", first_byte_timeout_ms=60000),
            "full": service("echo", max_handlers=1)})
        follower = self.follow(lambda: self.ask(supervisor, "full", "w"))
        proxied, silent, first = (supervisor.connect(n) for n in ("proxied", "silent", "full"))
        proxied.socket.sendall(b"PROXY TCP4 192.0.2.7 192.0")
        self.assertEqual(first.ask("x"), "x")
        queued = supervisor.connect("full")
        queued.send("y\n")
        waiting = subprocess.Popen(self.command("drain", "full", "--wait"), stdout=subprocess.PIPE,
                                   env=clean_environment())
        self.addCleanup(waiting.stdout.close)
        self.addCleanup(waiting.kill)
        self.assertIn(b"waiting", waiting.stdout.readline())
        for _ in range(3):
            self.restart(supervisor)
        self.assertIsNone(waiting.poll())
        proxied.socket.sendall(b".2.1 4000 443\r\nz\n")
        self.assertEqual(proxied.line(), "z")
        self.assertEqual(silent.ask("s"), "s")
        self.assertEqual(first.ask("x"), "x")
        first.close()
        self.assertEqual(queued.line(), "y")
        for client in (proxied, silent, queued):
            client.close()
        supervisor.wait_events(sum(supervisor.clients.values()), "connection")
        self.assertEqual(waiting.wait(DEADLINE_S), 0)
        record = supervisor.wait_event("connection", service="proxied")
        self.assertEqual(record["peer"], "192.0.2.7:4000")
        supervisor.clients.pop((proxied.name, proxied.server), None)  # the record is that of whom the proxy speaks for
        supervisor.clients[record["peer"], record["local"]] += 1
        self.stop(supervisor)
        text = follower.stdout.read().decode()
        self.assertEqual(follower.wait(DEADLINE_S), 0)
        self.assertEqual(text.count("restarted"), 3, text)

    def test_the_config_of_then(self):
        supervisor = self.served({"same": service("echo"), "gone": service("echo")})
        old = {name: supervisor.connect(name) for name in ("same", "gone")}
        for name, client in old.items():
            self.assertEqual(client.ask(name), name)
        place = supervisor.address("gone")
        supervisor.config.write_text(supervisor.rendered(
            {"supervisor": {"control": self.control}, "same": service("echo"), "new": service("echo")}),
            encoding="utf-8")
        self.restart(supervisor)
        self.assertEqual({(e["service"], e["change"]) for e in supervisor.find("service_changed")},
                         {("gone", "removed"), ("new", "added")})
        self.assertEqual(self.ask(supervisor, "new", "y"), "y")
        await_refusal(place)
        self.restart(supervisor)  # and who is of a config of before goes on once more
        for name, client in old.items():
            self.assertEqual(client.ask(name), name)
            client.close()
        supervisor.wait_events(3, "connection", outcome="served")
        self.stop(supervisor)


class Fails(RestartCase):
    """Whatever goes wrong, the old one goes on, and says why."""

    def begun(self, **options):
        self.program = copy_batond(self.folder())
        self.control = self.place()
        return self.supervisor({"supervisor": {"control": self.control, "log_level": "debug"},
                                "line": service("echo"), "pumped": service("console upper", handoff="pump"),
                                "living": misbehave("--serve hold", reuse=0, spares=1),
                                "listener": service("echo", handoff="listener"),
                                "writer": misbehave("--write lines")}, program=self.program, **options)

    def replace(self, source):
        """As people do, since an executable that runs cannot be overwritten."""
        old = self.program.with_name(f"old {time.monotonic()}.exe")
        self.program.rename(old)
        if isinstance(source, bytes):
            self.program.write_bytes(source)
        elif source is not None:
            shutil.copy2(source, self.program)

    def check_refused(self, supervisor, *words):
        clients = {name: supervisor.connect(name) for name in ("line", "pumped")}
        holding = supervisor.connect("living")
        self.assertIn("holding", holding.line())
        for name, client in clients.items():
            self.assertEqual(client.ask("A").rstrip("\r"), "A", name)
        count = len(supervisor.find("restart_failed"))
        done = subprocess.run(self.command("restart"), capture_output=True, timeout=DEADLINE_S, check=False,
                              env=clean_environment())
        answer = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, REFUSED, answer)
        told = supervisor.wait_events(count + 1, "restart_failed")[-1]["reason"]
        told += "".join(e["text"] for e in supervisor.find("restart_problem"))
        for word in words:
            self.assertIn(word, answer)
            self.assertIn(word, told)
        for name, client in clients.items():
            self.assertEqual(client.ask("B").rstrip("\r"), "B", name)
            self.assertEqual(self.ask(supervisor, "line", "C"), "C")
            client.close()
        self.assertIn("pid=", self.ask(supervisor, "writer", "x"))
        with Client(supervisor.address("listener")) as lent:
            self.assertEqual(lent.ask("D"), "D")
        holding.close()
        self.assertEqual(supervisor.process.poll(), None)

    def test_a_program_that_does_not_come_up(self):
        supervisor = self.begun()
        for source, word in ((b"", "CreateProcessW"), (b"MZ garbage", "CreateProcessW"),
                             (None, "CreateProcessW"),
                             (HANDLERS_DIR / executable("ok"), "exit code"),
                             (os.environ["BATON_OTHER_BATOND"], "another version of the snapshot")):
            with self.subTest(word):
                self.replace(source)
                self.check_refused(supervisor, word)
                if source is None:
                    self.program.write_bytes(b"")
        self.replace(BIN_DIR / executable("batond"))
        self.restart(supervisor)
        self.assertEqual(self.ask(supervisor, "line", "z"), "z")
        self.stop(supervisor)

    def test_one_that_dies_when_it_has_taken_over(self):
        """It had all that there is, and had not said that it goes on."""
        supervisor = self.begun()
        self.replace(os.environ["BATON_DYING_BATOND"])
        for _ in range(3):
            self.check_refused(supervisor, "exit code 7")
        self.replace(BIN_DIR / executable("batond"))
        self.restart(supervisor)
        self.assertEqual(self.ask(supervisor, "line", "z"), "z")
        self.stop(supervisor)

    def test_one_that_hangs(self):
        supervisor = self.begun(environment={"BATON_DIES": "hangs"})
        self.replace(os.environ["BATON_DYING_BATOND"])
        self.check_refused(supervisor, "5000 ms")
        self.stop(supervisor)

    def test_a_faulty_config(self):
        supervisor = self.begun()
        text = supervisor.config.read_text(encoding="utf-8")
        supervisor.config.write_text(text + "\n[bad]\nlisten = 7777\nhandlr = x\n", encoding="utf-8")
        self.check_refused(supervisor, "bad.handlr", "faults")
        supervisor.config.write_text(text, encoding="utf-8")
        self.restart(supervisor)
        self.assertEqual(self.ask(supervisor, "line", "z"), "z")
        self.stop(supervisor)


class UnderLoad(RestartCase):
    def test_nobody_notices(self):
        sections = {"short": service("echo"),
                    "pumped": service("console upper", handoff="pump"),
                    "stdio": service("echo", handoff="stdio"),
                    "living": misbehave("--write lines", reuse=0, capacity=4, spares=2),
                    "listener": service("echo", handoff="listener")}
        supervisor = self.served(sections)
        loads = [Load(supervisor.address(name), lines) for name, lines in
                 [("short", 1), ("short", 20), ("pumped", 1), ("pumped", 20), ("stdio", 1),
                  ("stdio", 20), ("living", 1), ("listener", 3)]]
        for load in loads:
            load.start()
        for _ in range(ROUNDS):
            self.restart(supervisor)
        for load in loads:
            load.goes_on = False
        for load in loads:
            load.join(DEADLINE_S)
            self.assertIsNone(load.fault)
            self.assertGreater(len(load.names), 0)
            if load.address != supervisor.address("listener"):
                for name in load.names:
                    supervisor.clients[name] += 1
        self.assertEqual(supervisor.find("restart_failed"), [])
        self.assertEqual(supervisor.find("attempt_failed"), [])
        self.stop(supervisor)
        self.assertEqual({r["outcome"] for r in supervisor.records()}, {"served"})
        # Each line of output is logged once, wherever it was when its handler was handed over.
        lines = collections.Counter(e["text"] for e in supervisor.find("output", service="living"))
        self.assertEqual(set(lines.values()), {len(supervisor.find("connection", service="living"))}, lines)


BUFFERS = {"handoff": "pump", "receive_buffer_bytes": 65536, "send_buffer_bytes": 65536}


class Pumps(RestartCase):
    """A write that a program has not taken yet ends in the batond that began it, which lives on for that long."""

    def begin(self, supervisor, data):
        client = supervisor.connect("pumped")
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            client.socket.setsockopt(socket.SOL_SOCKET, option, 65536)
        sender = threading.Thread(target=lambda: (client.socket.sendall(data), client.end()), daemon=True)
        sender.start()
        return client, sender

    def await_full(self, clients):
        """Until nothing more can be sent to them: then all that is between is full."""
        for client, _ in clients:
            while select.select([], [client.socket], [], 0.3)[1]:
                time.sleep(0.01)

    def batonds(self, supervisor):
        return [pid for pid, line in processes.marked(supervisor.mark).items() if "batond" in line]

    def successor(self, supervisor):
        """The youngest: those before may have something to write still."""
        return max(self.batonds(supervisor))

    def finish(self, client, data):
        got = bytearray()
        while piece := client.socket.recv(1 << 16):
            got += piece
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest(), len(got))

    def test_a_transfer(self):
        """Slowly enough that its pipes are full most of the time."""
        supervisor = self.served({"pumped": service("console copy", **BUFFERS)})
        data = random.Random(1).randbytes(4_000_000)
        got, count = hashlib.sha256(), 0
        client, sender = self.begin(supervisor, data)
        while count < len(data):
            piece = client.socket.recv(50_000)
            self.assertNotEqual(piece, b"", count)
            before, count = count, count + len(piece)
            got.update(piece)
            if before // 800_000 != count // 800_000:
                self.restart(supervisor)
        self.assertEqual(client.socket.recv(1), b"")
        sender.join(DEADLINE_S)
        self.assertEqual(got.digest(), hashlib.sha256(data).digest())
        record = supervisor.wait_event("connection")
        self.assertEqual((record["bytes_in"], record["bytes_out"]), (str(len(data)),) * 2)
        self.assertGreaterEqual(len(supervisor.find("restarted")), 4)
        self.stop(supervisor)

    def test_clients_who_take_nothing(self):
        """Nobody else waits for them, nor does a restart; and not a byte of theirs is lost."""
        supervisor = self.served({"pumped": service("console copy", **BUFFERS), "echo": service("echo")})
        data = random.Random(2).randbytes(4_000_000)
        clients = [self.begin(supervisor, data) for _ in range(3)]
        self.await_full(clients)
        for number in range(3):
            self.restart(supervisor)
            self.assertEqual(self.ask(supervisor, "echo", str(number)), str(number))
        self.assertGreater(len(self.batonds(supervisor)), 1)
        for client, sender in clients:
            self.finish(client, data)
            sender.join(DEADLINE_S)
        supervisor.wait_events(3, "connection", service="pumped", outcome="served")
        self.until(lambda: self.batonds(supervisor), lambda left: len(left) == 1)
        self.stop(supervisor)

    def test_a_stop_meanwhile(self):
        supervisor = self.served({"pumped": service("console copy", **BUFFERS, stop_timeout_ms=100)})
        data = random.Random(3).randbytes(4_000_000)
        client, sender = self.begin(supervisor, data)
        self.await_full([(client, sender)])
        self.restart(supervisor)
        self.stop(supervisor)
        client.close()


if __name__ == "__main__":
    harness.main()
