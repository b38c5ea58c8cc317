"""Handlers that live on: launched ahead, used again, for several at once, and retired."""

import collections
import os
import re
import select
import shutil
import signal
import socket
import tempfile
import time
import unittest

import harness
import processes
import test_conversation
from harness import SupervisorCase, misbehave, service
from settings import DEADLINE_S, ON_WINE, TEST_HANDLERS_DIR, executable, system_path

HELLOS = {"supervisor": {"log_level": "debug"}}


def pid_of(answer):
    return re.search(r"pid=(\d+)", answer).group(1)


def linux_pids(supervisor, folder_of_handler="misbehave"):
    return {pid for pid, line in processes.marked(supervisor.mark).items()
            if pid != supervisor.pid and folder_of_handler in line}


class Living(SupervisorCase):
    def ends(self, supervisor, count, **fields):
        """The lines of processes that have ended."""
        return supervisor.wait_events(count, "process", **fields)

    def test_spares_wait_and_are_used(self):
        supervisor = self.supervisor({**HELLOS, "line": misbehave(spares=2)})
        spares = {e["pid"] for e in supervisor.wait_events(2, "hello")}
        pids = [pid_of(supervisor.ask("line", "x")) for _ in range(4)]
        self.assertEqual(len(set(pids)), 4, "a process for each client")
        self.assertIn(pids[0], spares)
        records = supervisor.wait_events(4, "connection", outcome="served")
        self.assertNotIn("launch_us", records[0])
        supervisor.wait_events(6, "hello")  # there are two again
        self.stop(supervisor)
        self.assertEqual(supervisor.find("process"), [])

    def test_a_process_serves_as_many_as_it_may(self):
        supervisor = self.supervisor({"line": misbehave("--write lines", reuse=3)})
        pids = []
        for i in range(7):
            pids.append(pid_of(supervisor.ask("line", "x")))
            supervisor.wait_events(i + 1, "connection")  # who comes before DONE has another
        self.assertEqual([pids.count(pid) for pid in dict.fromkeys(pids)], [3, 3, 1])
        ended = self.ends(supervisor, 2, reason="reuse", taken=3, exit=0)
        self.assertEqual({e["pid"] for e in ended}, set(list(dict.fromkeys(pids))[:2]))
        for record in supervisor.wait_events(7, "connection", outcome="served"):
            self.assertNotIn("cpu_us", record)
        for line in supervisor.wait_events(21, "output"):
            self.assertNotIn("id", line)
        self.stop(supervisor)
        self.assertEqual(len(self.ends(supervisor, 1, reason="stop", taken=1)), 1)

    @unittest.skipIf(ON_WINE, "Wine tells no times of others")
    def test_what_a_connection_has_cost(self):
        """Told if its process exits soon enough, as one of many will do however busy all is."""
        supervisor = self.supervisor({"line": misbehave()})
        costs = []
        while not any(costs) and len(costs) < 20:
            supervisor.ask("line", "x")
            record = supervisor.wait_events(len(costs) + 1, "connection", outcome="served")[-1]
            costs.append(int(record.get("cpu_us", "0")))
        self.assertTrue(any(costs))
        self.stop(supervisor)

    def test_as_many_processes_as_may_be(self):
        supervisor = self.supervisor({"hold": misbehave("--serve hold", reuse=0, max_handlers=1)})
        first = supervisor.connect("hold")
        pid = pid_of(first.line())
        second = supervisor.connect("hold")
        second.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            second.socket.recv(1)
        second.socket.settimeout(DEADLINE_S)
        first.end()
        first.rest()
        self.assertEqual(pid_of(second.line()), pid)
        second.end()
        second.rest()
        supervisor.wait_events(2, "connection", outcome="served", pid=pid)
        self.stop(supervisor)

    def test_none_is_left_when_nobody_comes(self):
        supervisor = self.supervisor({"line": misbehave(reuse=0, idle_exit_s=1)})
        pids = []
        for count in range(1, 3):
            pids.append(pid_of(supervisor.ask("line", "x")))
            supervisor.wait_events(count, "connection")  # it is idle again
        self.assertEqual(pids[0], pids[1])
        self.ends(supervisor, 1, reason="idle", taken=2, pid=pids[0])
        self.assertNotEqual(pid_of(supervisor.ask("line", "x")), pids[0])
        self.stop(supervisor)

    def test_age_and_memory(self):
        supervisor = self.supervisor({"old": misbehave(reuse=0, retire_after_s=1),
                                      "big": misbehave(reuse=0, retire_memory_mib=1)})
        pids = {name: pid_of(supervisor.ask(name, "x")) for name in ("old", "big")}
        self.ends(supervisor, 1, service="big", reason="memory", taken=1, pid=pids["big"])
        self.ends(supervisor, 1, service="old", reason="age", taken=1, pid=pids["old"])
        for name in pids:
            self.assertNotEqual(pid_of(supervisor.ask(name, "x")), pids[name])
        self.stop(supervisor)

    def own_handler(self):
        """A copy of the handler in a folder of its own."""
        path = self.folder() / executable("program")
        shutil.copy2(TEST_HANDLERS_DIR / executable("misbehave"), path)
        return path

    def replace(self, path, source=TEST_HANDLERS_DIR / executable("misbehave")):
        new = path.with_name("new")
        shutil.copyfile(source, new)
        os.chmod(new, 0o755)
        os.replace(new, path)

    def test_another_file(self):
        path = self.own_handler()
        supervisor = self.supervisor(
            {**HELLOS, "line": {"listen": "127.0.0.1:0", "handler": f'"{system_path(path)}"',
                                "reuse": 0, "spares": 1}})
        spare = supervisor.wait_event("hello")["pid"]
        self.assertEqual(pid_of(supervisor.ask("line", "x")), spare)
        self.replace(path)
        self.ends(supervisor, 1, reason="changed", pid=spare)
        supervisor.wait_event("handler_changed", service="line")
        supervisor.wait_events(2, "hello")
        self.assertNotEqual(pid_of(supervisor.ask("line", "x")), spare)
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "signals")
    def test_a_spare_that_is_killed(self):
        supervisor = self.supervisor({**HELLOS, "line": misbehave(reuse=5, spares=1)})
        for count in range(1, 3):
            spare = supervisor.wait_events(count, "hello")[-1]["pid"]
            os.kill(int(spare), signal.SIGKILL)
            self.ends(supervisor, 1, pid=spare, signal=9, taken=0)
        supervisor.wait_events(3, "hello")
        self.assertNotEqual(supervisor.find("spares_held_back"), [])
        self.assertEqual(supervisor.find("attempt_failed"), [])
        self.assertIn("served", supervisor.ask("line", "x"))
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "signals")
    def test_a_program_that_is_broken_for_a_while(self):
        path = self.own_handler()
        supervisor = self.supervisor(
            {**HELLOS, "line": {"listen": "127.0.0.1:0", "handler": f'"{path}"', "spares": 2}})
        supervisor.wait_events(2, "hello")
        self.replace(path, "/bin/false")
        held_back = supervisor.wait_events(3, "spares_held_back")
        self.assertEqual([e["retry_ms"] for e in held_back[:3]], ["100", "200", "400"])
        self.assertEqual(supervisor.find("attempt_failed"), [])
        before = len(supervisor.find("hello"))
        self.replace(path)
        supervisor.wait_events(before + 2, "hello")
        self.assertIn("served", supervisor.ask("line", "x"))
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "Wine ends them")
    def test_they_end_with_a_supervisor_that_is_killed(self):
        supervisor = self.supervisor({**HELLOS, "line": misbehave(reuse=0, spares=3)})
        supervisor.wait_events(3, "hello")
        pids = linux_pids(supervisor)
        self.assertEqual(len(pids), 3)
        supervisor.process.send_signal(signal.SIGKILL)
        for pid in pids:
            self.assertTrue(processes.wait_for_end(pid, DEADLINE_S))

    @unittest.skipIf(ON_WINE, "/proc")
    def test_nothing_is_left_open(self):
        supervisor = self.supervisor({**HELLOS, "line": misbehave(reuse=4, spares=2)})
        deadline = time.monotonic() + DEADLINE_S

        def at_rest(asked):
            """The processes that wait, if there are no others. One that has served all that it may lets
            go of its descriptors by and by until it has ended."""
            served = collections.Counter(record["pid"] for record in supervisor.find("connection"))
            waiting = {str(pid) for pid in linux_pids(supervisor)}
            told = ({event["pid"] for event in supervisor.find("hello")} -
                    {event["pid"] for event in supervisor.find("process")})
            is_rest = (served.total() == asked and waiting == told and len(waiting) >= 2 and
                       all(served[pid] < 4 for pid in waiting))
            return waiting if is_rest else set()

        def open_count(asked):
            """Descriptors but those for the processes that wait, while nobody comes or goes."""
            while True:
                waiting = at_rest(asked)
                count = len(os.listdir(f"/proc/{supervisor.pid}/fd")) - 3 * len(waiting)
                if waiting and waiting == at_rest(asked):
                    return count
                self.assertLess(time.monotonic(), deadline, f"{linux_pids(supervisor)} live")
                time.sleep(0.01)

        for _ in range(12):
            supervisor.ask("line", "x")
        before = open_count(12)
        for _ in range(40):
            supervisor.ask("line", "x")
        self.ends(supervisor, 10, reason="reuse", taken=4)
        while open_count(52) > before and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertLessEqual(open_count(52), before)
        self.stop(supervisor)

    def test_a_stop_ends_all_of_them(self):
        supervisor = self.supervisor({
            **HELLOS, "spare": misbehave(spares=2), "hold": misbehave("--serve drain", reuse=9)})
        supervisor.wait_events(2, "hello", service="spare")
        clients = [supervisor.connect("hold") for _ in range(2)]
        for client in clients:
            self.assertIn("holding", client.line())
        self.stop(supervisor)
        for client in clients:
            self.assertEqual(client.line(), "drained")
        self.assertEqual(len(self.ends(supervisor, 2, service="hold", reason="stop", taken=1)), 2)


class Several(SupervisorCase):
    """A handler by itself with several sockets, as it is on Windows too."""

    def hold(self, supervisor, count):
        """That many clients, all with one process, and its pid."""
        clients = [supervisor.connect("it") for _ in range(count)]
        (pid,) = {pid_of(client.line()) for client in clients}
        return clients, pid

    def test_each_has_its_socket(self):
        supervisor = self.supervisor({**HELLOS, "it": misbehave(
            "--capacity 3 --serve several", reuse=6, max_handlers=1, spares=1)})
        supervisor.wait_event("hello", capacity=3)
        for _ in range(2):
            clients, pid = self.hold(supervisor, 3)
            for number, client in enumerate(clients):
                client.send(f"{number}\n")
            for number, client in enumerate(clients):
                self.assertTrue(client.line().endswith(f" {number}"))
                self.assertEqual(client.rest(), "")
        records = supervisor.wait_events(6, "connection", outcome="served", pid=pid, attempts=1)
        self.assertEqual(len({record["id"] for record in records}), 6)
        supervisor.wait_event("process", pid=pid, taken=6, reason="reuse", exit=0)
        self.stop(supervisor)

    def end_with_two(self, act, **fields):
        supervisor = self.supervisor({**HELLOS, "it": misbehave(
            f"--capacity 3 --serve several --at done --do {act}", reuse=0, max_handlers=1, spares=1)})
        supervisor.wait_event("hello")
        clients, pid = self.hold(supervisor, 3)
        clients[2].send("x\n")
        self.assertIn("served", clients[2].line())
        supervisor.wait_events(2, "connection", pid=pid, attempts=1, **fields)
        supervisor.wait_event("connection", pid=pid, outcome="served")
        supervisor.wait_event("process", pid=pid, taken=3)
        for client in clients[:2]:
            client.end()
        supervisor.wait_events(2, "hello")  # another one in its place
        self.stop(supervisor)
        self.assertEqual(len(supervisor.find("connection")), 3)

    def test_one_that_crashes_with_two(self):
        self.end_with_two("crash", outcome="crashed")

    def test_one_that_breaks_the_rules_with_two(self):
        self.end_with_two("done-unknown-on", outcome="failed", reason="breach")


@unittest.skipIf(ON_WINE, "puppets are for POSIX")
class SeveralAtOnce(SupervisorCase):
    """The test speaks for the handler."""

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="baton-living-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        self.path = os.path.join(folder, "test")
        self.waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.waiting.close)
        self.waiting.settimeout(DEADLINE_S)
        self.waiting.bind(self.path)
        self.waiting.listen(8)

    def puppet(self, capacity):
        orders, _ = self.waiting.accept()
        orders.settimeout(DEADLINE_S)
        puppet = test_conversation.Puppet(orders)
        self.addCleanup(puppet.close)
        self.say(puppet, "HELLO", 0, nonce=bytes.fromhex(puppet.nonce), pid=puppet.pid,
                 capacity=capacity)
        return puppet

    def say(self, puppet, name, number, **fields):
        frame = test_conversation.language.Frame(name)
        frame.number = number
        puppet.order(b"S" + frame.encode(fields))

    def take(self, puppet):
        """Acknowledges the next offer. Its number on the channel, and its socket."""
        while True:
            frame, rights, _, _ = socket.recv_fds(puppet.channel, 16400, 4)
            _, _, kind, _, number, _ = test_conversation.language.HEADER.unpack_from(frame)
            if rights:
                self.say(puppet, "ACK", number)
                puppet.sockets[number] = socket.socket(fileno=rights[0])
                return number
            self.assertTrue(kind & 0x80, "LIMITS alone may come before")

    def done(self, puppet, number):
        puppet.sockets.pop(number).close()
        self.say(puppet, "DONE", number, status=0)

    def start(self, **keys):
        """One more may be launched for a client that waits for long: nobody speaks for that one."""
        return self.supervisor({"it": service(f"puppet {self.path} it", stop_timeout_ms=1000,
                                              **keys)})

    def test_a_process_takes_several(self):
        supervisor = self.start(reuse=0, capacity=3, max_handlers=2)
        clients = [supervisor.connect("it")]
        puppet = self.puppet(capacity=9)
        numbers = [self.take(puppet)]  # from here on it is known what a process takes
        clients += [supervisor.connect("it") for _ in range(3)]
        numbers += [self.take(puppet) for _ in range(2)]
        other = self.puppet(capacity=9)  # for the fourth
        self.take(other)
        self.done(puppet, numbers[1])
        clients.append(supervisor.connect("it"))
        (channel,), _, _ = select.select([puppet.channel, other.channel], [], [], DEADLINE_S)
        self.take(puppet if channel == puppet.channel else other)
        supervisor.wait_events(1, "connection", outcome="served", pid=puppet.pid)
        for one in (puppet, other):
            for number in list(one.sockets):
                self.done(one, number)
        records = supervisor.wait_events(5, "connection", outcome="served")
        self.assertEqual({int(r["pid"]) for r in records}, {puppet.pid, other.pid})
        supervisor.signal()
        for one in (puppet, other):
            while one.channel.recv(100):
                pass
            one.order(b"X\0")
        self.check_end(supervisor)
        supervisor.wait_event("process", pid=puppet.pid, exit=0, reason="stop")

    def test_one_that_holds_several_crashes(self):
        supervisor = self.start(reuse=0, max_handlers=2)
        clients = [supervisor.connect("it")]
        puppet = self.puppet(capacity=3)
        self.take(puppet)
        clients += [supervisor.connect("it") for _ in range(3)]
        for _ in range(2):
            self.take(puppet)
        other = self.puppet(capacity=3)
        number = self.take(other)
        puppet.order(bytes([ord("K"), signal.SIGSEGV]))
        for one in puppet.sockets.values():
            one.close()
        records = supervisor.wait_events(3, "connection", outcome="crashed", pid=puppet.pid,
                                         signal=11, attempts=1)
        self.assertEqual(len({r["id"] for r in records}), 3)
        supervisor.wait_event("process", level="warning", pid=puppet.pid, taken=3, signal=11,
                              reason="exited")
        self.done(other, number)
        supervisor.wait_event("connection", outcome="served", pid=other.pid)
        clients.append(supervisor.connect("it"))
        self.done(other, self.take(other))
        supervisor.wait_events(2, "connection", outcome="served", pid=other.pid)
        other.order(b"X\0")
        supervisor.wait_event("process", pid=other.pid, taken=2, exit=0, reason="exited")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
