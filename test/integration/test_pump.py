"""The pump: programs that have pipes and know nothing of sockets. No byte is lost, neither side is
read faster than the other takes, and the supervisor's memory stays as it is."""

import concurrent.futures
import hashlib
import os
import random
import socket
import threading
import time
import unittest

import harness
import processes
from harness import SupervisorCase, service
from peers import raise_descriptor_limit, tool
from settings import DEADLINE_S, ON_WINE, SANITIZED, size

MIB = 1 << 20
# How much goes each way through one program; the figure is 1024.
PUMP_MIB = int(os.environ.get("BATON_PUMP_MIB") or (16 if ON_WINE or SANITIZED else size(64, 16)))
AT_ONCE = 24 if ON_WINE else size(500, 100)
GROWTH_MAX_BYTES = 4 * MIB
CROWD = 64
# Of some 8 MiB that it takes two chunks may stay (trim() of run/pump.c), of four pumps with two buffers each of 64 KiB,
# and something besides.
CROWD_LEFT_MAX_BYTES = 2 * 4 * 2 * MIB // 16 + MIB // 8
IDLE_SHARE = 0.2
STALL_S = 0.7  # how long nothing moves while the processor time is watched

# A program of the system is not slowed down by sanitizers.
COPY = "console copy" if ON_WINE else tool("cat")


def pump(handler, **keys):
    return service(handler, handoff="pump", **keys)


def shell(script, **keys):
    return pump(f"{tool('sh')} -c '{script}'", **keys)


class Sender(threading.Thread):
    """Sends so many MiB, not all the same, and then the end of sending."""

    def __init__(self, client, mib, ends=True):
        super().__init__(daemon=True)
        self.client, self.mib, self.ends = client, mib, ends
        self.sum = hashlib.sha256()
        self.sent_bytes = 0

    def run(self):
        block = random.randbytes(MIB)
        for number in range(self.mib):
            piece = number.to_bytes(8, "big") + block[8:]
            self.sum.update(piece)
            self.client.send(piece)
            self.sent_bytes += len(piece)
        if self.ends:
            self.client.end()


class Resident(threading.Thread):
    """The most memory that the process had while this was watching."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.before = self.most = processes.resident_bytes(pid)
        self._done = threading.Event()

    def run(self):
        while not self._done.wait(0.01):
            self.most = max(self.most, processes.resident_bytes(self.pid))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self._done.set()
        self.join()


class Much(SupervisorCase):
    def test_both_ways_at_the_same_time(self):
        supervisor = self.supervisor({"copy": pump(COPY)})
        received = hashlib.sha256()
        count = 0
        with Resident(supervisor.pid) as resident, \
                supervisor.connect("copy", deadline_s=120) as client:
            sender = Sender(client, PUMP_MIB)
            sender.start()
            while piece := client.socket.recv(MIB):
                received.update(piece)
                count += len(piece)
            sender.join(DEADLINE_S)
        self.assertEqual(count, PUMP_MIB * MIB)
        self.assertEqual(received.hexdigest(), sender.sum.hexdigest())
        record = supervisor.record(client)
        self.assertEqual(record["outcome"], "served")
        self.assertEqual((record["bytes_in"], record["bytes_out"]), (str(count), str(count)))
        print(f"{PUMP_MIB} MiB each way: {record['duration_ms']} ms, resident memory "
              f"{resident.before} -> at most {resident.most} bytes", flush=True)
        if not SANITIZED and not ON_WINE:
            self.assertLess(resident.most - resident.before, GROWTH_MAX_BYTES)
        self.stop(supervisor)

    def test_urgent_bytes_in_their_place(self):
        supervisor = self.supervisor({"copy": pump(COPY)})
        with supervisor.connect("copy") as client:
            for part, flags in ((b"ab", 0), (b"cD", socket.MSG_OOB), (b"ef", 0), (b"G", socket.MSG_OOB)):
                client.socket.send(part, flags)
            client.end()
            self.assertEqual(client.rest(), "abcDefG")
        self.assertEqual(supervisor.record(client)["bytes_in"], "7")
        self.stop(supervisor)

    def test_a_client_that_does_not_read_holds_back_the_program(self):
        """And a program that is held back holds back its client; nothing piles up, nothing spins,
        and in the end all of it comes."""
        mib = 16 if ON_WINE else 32
        supervisor = self.supervisor({"copy": pump(COPY)})
        with Resident(supervisor.pid) as resident, \
                supervisor.connect("copy", receive_bytes=65536) as client:
            sender = Sender(client, mib)
            sender.start()
            watch, seen = processes.BusyWatch(supervisor.pid), -1
            while seen != sender.sent_bytes:  # until nothing moves any more
                seen = sender.sent_bytes
                watch = processes.BusyWatch(supervisor.pid)
                share = watch.share(STALL_S)
            self.assertLess(sender.sent_bytes, mib * MIB, "the sender is held back")
            self.assertLess(share, IDLE_SHARE)
            received = hashlib.sha256()
            while piece := client.socket.recv(MIB):
                received.update(piece)
            sender.join(DEADLINE_S)
        self.assertEqual(received.hexdigest(), sender.sum.hexdigest())
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        if not SANITIZED and not ON_WINE:
            self.assertLess(resident.most - resident.before, GROWTH_MAX_BYTES)
        self.stop(supervisor)


def hear(client, count_bytes):
    heard = b""
    while len(heard) < count_bytes:
        piece = client.socket.recv(count_bytes - len(heard))
        if not piece:
            raise AssertionError(f"the pump ended after {len(heard)} bytes")
        heard += piece
    return heard


class Many(SupervisorCase):
    def test_at_once(self):
        raise_descriptor_limit(AT_ONCE + 500)
        supervisor = self.supervisor({"copy": pump(COPY, max_connections=AT_ONCE)})
        clients = [supervisor.connect("copy", deadline_s=120) for _ in range(AT_ONCE)]

        def use(client):
            """Says something and hears it; all of them live until the last has been heard."""
            said = random.randbytes(3000)
            client.send(said)
            return hear(client, len(said)) == said

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(use, clients)), [True] * AT_ONCE)
        self.assertEqual(supervisor.records(), [], "all live at the same time")
        for client in clients:
            client.send("last")
            client.end()
        for client in clients:
            self.assertEqual(client.rest(), "last")
            client.close()
        records = supervisor.wait_events(AT_ONCE, "connection", outcome="served")
        self.assertEqual(len({record["pid"] for record in records}), AT_ONCE)
        self.assertEqual({record["bytes_in"] for record in records}, {"3004"})
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE or SANITIZED, "their own memory hides it")
    def test_the_memory_of_a_crowd_comes_back(self):
        supervisor = self.supervisor({"copy": pump(COPY, max_connections=CROWD)})
        piece = random.randbytes(64 * 1024)

        def copy_through(count, piece=piece):
            clients = [supervisor.connect("copy") for _ in range(count)]
            for client in clients:
                client.send(piece)
            for client in clients:
                self.assertEqual(hear(client, len(piece)), piece)
            if count > 1:
                self.most_bytes = processes.private_bytes(supervisor.pid)
            for client in clients:
                client.end()
                self.assertEqual(client.rest(), "")
                client.close()

        copy_through(CROWD, b"a")  # what is touched of tables by so many stays
        before_bytes = processes.private_bytes(supervisor.pid)
        copy_through(CROWD)
        self.assertGreater(self.most_bytes - before_bytes, 2 * CROWD_LEFT_MAX_BYTES)
        copy_through(1)
        give_up_s = time.monotonic() + DEADLINE_S
        while processes.private_bytes(supervisor.pid) - before_bytes > CROWD_LEFT_MAX_BYTES:
            self.assertLess(time.monotonic(), give_up_s,
                            (before_bytes, self.most_bytes, processes.private_bytes(supervisor.pid)))
            copy_through(1)
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "Windows has no sort and no shell of this kind; test_console.py is there")
class Ends(SupervisorCase):
    """What either side's end does to the other."""

    def test_a_program_that_answers_at_the_end_of_its_input(self):
        supervisor = self.supervisor({"sort": pump(tool("sort"))})
        with supervisor.connect("sort") as client:
            client.send("pear\napple\nfig\n")
            client.end()
            self.assertEqual(client.rest(), "apple\nfig\npear\n")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["exit"]), ("served", "0"))
        self.stop(supervisor)

    def test_a_program_that_ends_without_reading(self):
        """What it has written comes whole although the client still sends: no reset destroys it."""
        supervisor = self.supervisor({"gone": shell("seq 100000; exit 3")})
        expected = "".join(f"{number}\n" for number in range(1, 100001))
        with supervisor.connect("gone") as client:
            client.send(bytes(65536))
            self.assertEqual(client.rest(), expected)
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["exit"]), ("failed", "3"))
        self.assertEqual(record["bytes_out"], str(len(expected)))
        self.stop(supervisor)

    def test_a_program_that_closes_its_output_first(self):
        supervisor = self.supervisor({"half": shell("echo bye; exec >&-; cat >taken")})
        with supervisor.connect("half") as client:
            self.assertEqual(client.rest(), "bye\n", "the end of sending arrives on its own")
            client.send("still heard")
            client.end()
            self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.assertEqual((supervisor.state / "taken").read_text(), "still heard")
        self.stop(supervisor)

    def test_a_program_that_closes_its_input_first(self):
        supervisor = self.supervisor({"deaf": shell("exec <&-; sleep 0.1; echo still speaking")})
        with supervisor.connect("deaf") as client:
            client.send(bytes(1 << 20))
            client.end()
            self.assertEqual(client.rest(), "still speaking\n")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_a_client_that_goes_ends_the_program(self):
        supervisor = self.supervisor({"cat": pump(tool("cat")), "yes": pump(tool("yes"))})
        with supervisor.connect("cat") as quiet, supervisor.connect("yes") as loud:
            loud.line()
        self.assertEqual(supervisor.record(quiet)["outcome"], "served")
        # Its output broke, as it does in a shell: that is how `yes` ends.
        record = supervisor.record(loud)
        self.assertEqual((record["outcome"], record["signal"]), ("broken_pipe", "13"))
        self.stop(supervisor)

    def test_what_a_child_keeps_open_does_not_keep_the_client(self):
        supervisor = self.supervisor({"parent": shell("sleep 600 & echo alone",
                                                      leave_children="no")})
        with supervisor.connect("parent") as client:
            self.assertEqual(client.rest(), "alone\n")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_stop_ends_a_pump(self):
        supervisor = self.supervisor({"cat": pump(tool("cat"), stop_timeout_ms=1000)})
        with supervisor.connect("cat") as client:
            self.assertEqual(client.ask("hello"), "hello")
            self.stop(supervisor)
            self.assertEqual(client.rest(), "")


if __name__ == "__main__":
    harness.main()
