"""scripts/bench --flood: that its parties do what they are for, and that it judges right."""

import collections
import contextlib
import io
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import unittest
from unittest import mock

import flood
import guard
from flood import State, Turn
from rounds import Broken, Supervisor

PROGRAMS = pathlib.Path(os.environ["BATON_BENCH_LOAD"]).parent
HANDLERS = pathlib.Path(os.environ["BATON_HANDLERS_DIR"])
DEADLINE_S = 30


class Door:
    """Accepts whoever comes; notes from where, and says `answer` to them."""

    def __init__(self, answer=b""):
        self._answer = answer
        self.sources = collections.Counter()
        self._came = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        self._listener.close()

    def await_count(self, count):
        with self._came:
            return self._came.wait_for(lambda: sum(self.sources.values()) >= count, DEADLINE_S)

    def _run(self):
        while True:
            try:
                client, peer = self._listener.accept()
            except OSError:
                return
            with self._came:
                self.sources[peer[0]] += 1
                self._came.notify()
            with client, contextlib.suppress(ConnectionError):
                if self._answer:
                    client.recv(64)
                    client.sendall(self._answer)


class Parties(unittest.TestCase):
    def test_a_flood_comes_from_its_sources_by_turns(self):
        with Door() as door:
            with flood.Flood(PROGRAMS, door.port, 5000, 3) as hostile:
                self.assertTrue(door.await_count(600))
            self.assertTrue(door.await_count(hostile.came))
        self.assertEqual(set(door.sources), {"127.1.0.0", "127.1.0.1", "127.1.0.2"})
        self.assertLessEqual(max(door.sources.values()) - min(door.sources.values()), 1)
        self.assertEqual(hostile.came, sum(door.sources.values()))
        self.assertEqual(hostile.entered, hostile.came)
        self.assertGreater(hostile.rate, 0)

    def test_who_finds_the_door_full_is_not_waited_for(self):
        with socket.create_server(("127.0.0.1", 0), backlog=1) as full:
            before = flood.overflows_count()
            with flood.Flood(PROGRAMS, full.getsockname()[1], 5000, 250) as hostile:
                pass
            self.assertGreater(flood.overflows_count(), before)
        self.assertGreaterEqual(hostile.came, 256)
        self.assertLess(hostile.entered, hostile.came)

    def test_a_flood_at_nobody_enters_nowhere(self):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            with flood.Flood(PROGRAMS, deaf.getsockname()[1], 5000, 3) as hostile:
                pass
        self.assertGreaterEqual(hostile.came, 256)
        self.assertEqual(hostile.entered, 0)

    def test_a_bare_loop_closes_or_launches(self):
        with flood.Bare(PROGRAMS) as bare:
            self.assertEqual(len(flood.converse(PROGRAMS, "x", bare.port, 5, "bare")), 2)
            with self.assertRaisesRegex(Broken, "x has not served a client: .*no OK"):
                flood.converse(PROGRAMS, "x", bare.port, 5)
        with flood.Bare(PROGRAMS, HANDLERS / "ok") as bare:
            flood.converse(PROGRAMS, "x", bare.port, 5)
            with socket.create_connection(("127.0.0.1", int(bare.port)), DEADLINE_S,
                                          ("127.1.0.1", 0)) as hostile:
                self.assertEqual(hostile.recv(1), b"")

    def test_the_client_notices_what_is_wrong(self):
        for answer, bare in ((b"NO", ()), (b"OK!", ()), (b"OK", ("bare",))):
            with Door(answer) as door, self.assertRaisesRegex(Broken, "has not served a client"):
                flood.converse(PROGRAMS, "x", door.port, 2, *bare)
        for arguments in (("1", "1", "x"), ("0", "1"), ("1", "1", "bare", "x")):
            result = subprocess.run([PROGRAMS / "client", *arguments], capture_output=True,
                                    check=False)
            self.assertEqual(result.returncode, 64)
        for program in ("flood", "bare"):
            result = subprocess.run([PROGRAMS / program, "0", "1", "1"], capture_output=True,
                                    text=True, check=False)
            self.assertEqual(result.returncode, 64)
            self.assertIn(f"usage: {program}", result.stderr)


class Batond(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "new"
        self.folder.mkdir()
        (self.folder / "handlers").symlink_to(HANDLERS)
        (self.folder / "bin").symlink_to(os.environ["BATON_BIN_DIR"])

    def test_a_turn_and_what_is_left_of_it(self):
        with Supervisor(self.folder, "new", config=flood.CONFIG, defaults=guard.account(self.folder),
                        services=(flood.HIT, flood.OTHER)) as supervisor, \
                mock.patch.object(flood, "CLIENT_COUNT", 5):
            turn = flood.take_turn(PROGRAMS, "batond", supervisor.ports[flood.HIT], 2000)
            self.assertGreater(turn.median_us, 0)
            state = flood.await_zero(supervisor)
            self.assertGreater(min(state), 0)
            held = [flood.come_from("127.0.0.1", supervisor.ports[flood.HIT])]
            self.assertEqual(held[0].recv(16), b"OK")
            self.assertFalse(flood.fill(supervisor), "somebody who is there is not counted")
            held[0].close()
            flood.await_zero(supervisor)
        log = (self.folder / "log").read_text(encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertTrue(flood.judge_log(log))
            self.assertFalse(flood.judge_log(log.replace("event=connection ", "event=x ", 1)))
        self.assertIn("outcome=refused_access", log)

    def test_the_keys_of_guard_are_known_and_refuse_nobody(self):
        with Supervisor(self.folder, "new", **guard.settings(self.folder)) as supervisor:
            for port in supervisor.ports.values():
                flood.converse(PROGRAMS, "batond", port, 5)

    def test_a_key_that_is_not_taken_is_told(self):
        with mock.patch.object(guard, "KEYS", ("rate = x",)), \
                self.assertRaisesRegex(Broken, "does not take the keys of --guard: .*`x` is no"):
            guard.settings(self.folder)


class Search(unittest.TestCase):
    def find(self, most, capacity):
        def take_turn(_programs, _who, _port, rate, seconds):
            self.assertGreater(seconds, 0)
            return Turn(1, 1, rate, max(0, rate - capacity))

        supervisor = mock.Mock(ports={flood.HIT: "1"})
        with mock.patch.object(flood, "take_turn", take_turn), \
                contextlib.redirect_stdout(io.StringIO()):
            return flood.find_rate(PROGRAMS, supervisor, most)

    def test_it_comes_close_from_below(self):
        self.assertEqual(self.find(20000, 50000), 20000)
        found = self.find(20000, 7000)
        self.assertLessEqual(found, 7000)
        self.assertGreater(found, 6000)
        self.assertEqual(self.find(20000, 0), flood.RATE_MIN)


class Verdict(unittest.TestCase):
    def test_the_loop_that_serves_is_the_measure(self):
        def met(batond, bare, launching):
            turns = {who: [Turn(us, us, 1, 0)] * 6 for who, us in
                     (("batond", batond), (flood.BARE, bare), (flood.LAUNCHING, launching))}
            with contextlib.redirect_stdout(io.StringIO()) as output:
                return flood.report(turns, 3.0), output.getvalue()

        self.assertTrue(met(290, 10, 100)[0])
        self.assertFalse(met(310, 1000, 100)[0])
        self.assertIn("batond / bare: 300 / 10 us, ratio 30.00, 95 % 30.00 to 30.00   above 3",
                      met(300, 10, 100)[1])

    def test_memory_and_descriptors(self):
        before = State(1000, 20)
        self.assertTrue(flood.is_same(before, State(1000 + flood.MEMORY_MARGIN_KIB, 20)))
        self.assertFalse(flood.is_same(before, State(1001 + flood.MEMORY_MARGIN_KIB, 20)))
        self.assertFalse(flood.is_same(before, State(1000, 21)))

    def test_options(self):
        options = flood.parse(["--flood"])
        self.assertEqual((options.bound, options.rounds, options.rate), (3.0, 6, 20000))
        for arguments in (["--flood", "--rate", "1"], ["--flood", "--rounds", "5"], [],
                          ["--flood", "--bound", "0"], ["--flood", "x"]):
            with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as raised:
                flood.parse(arguments)
            self.assertEqual(raised.exception.code, 64)


if __name__ == "__main__":
    unittest.main()
