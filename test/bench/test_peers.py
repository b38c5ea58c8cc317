"""scripts/bench --peers in small: that it starts and drives what it compares, counts, and writes."""

import contextlib
import csv
import io
import os
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree

import kinds
import peers
import plot
import rows
import syscalls
from kinds import Programs
from paired import paired_ratio
from rows import BEST_PEER, LATENCY, RATE, Row, Value
from servers import Peer, Server, peer_rows, xinetd_text

BENCH = pathlib.Path(os.environ["BATON_BENCH_PROGRAMS"])
BIN = pathlib.Path(os.environ["BATON_BIN_DIR"])
FACTS = {"processor": "one <of> these & those", "load": "load average 0.00"}


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="baton-bench-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def programs(self):
        return kinds.copy_programs(Programs(BIN, BENCH, self.folder / "nothing"), self.folder)


class Quick(Case):
    def test_two_rounds(self):
        options = peers.parse(["--quick", "--csv", str(self.folder / "peers.csv"),
                               "--svg", str(self.folder / "peers.svg")])
        options.rounds = 2
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = peers.peers(self.programs(), self.folder, options, FACTS)
        # Two rounds have no interval, so that nothing is met; 70 would say that clients were lost.
        self.assertEqual(status, peers.EXIT_NOT_MET, said.getvalue())
        self.assertIn("Errors: none", said.getvalue())
        self.assertIn("tcpserver", said.getvalue())
        with open(self.folder / "peers.csv", encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
        header = lines[0]
        results = [dict(zip(header, line)) for line in lines if line[:1] == ["result"]]
        servers = {result["server"] for result in results}
        for name in (kinds.BARE, kinds.FITTED, kinds.SOCKETS, kinds.SOCKETS_FITTED, kinds.STDIO,
                     kinds.CHANNEL, kinds.SPARES, kinds.REUSE, "tcpserver"):
            self.assertIn(name, servers)
        self.assertEqual(len(results), 2 * 2 * len(servers))
        for result in results:
            self.assertEqual(int(result["served"]), peers.QUICK_COUNTS[result["measure"]], result)
        self.assertEqual({line[1] for line in lines if line[0:1] == ["memory"]} - {"server"}, servers)
        root = xml.etree.ElementTree.parse(self.folder / "peers.svg").getroot()
        texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
        self.assertLessEqual(servers - set(plot.HIDDEN), texts)

    def test_syscalls(self):
        programs = self.programs()
        kind = kinds.loops(str(programs.bench / "tiny"), programs.bench)[0]
        with Server(kind, self.folder / "bare") as server:
            try:
                counts = syscalls.count_calls(server, peers.Clients(programs.bench / "clients"), 1, 5)
            except syscalls.Broken as error:
                self.skipTest(str(error))  # no strace, or no right to use it
        self.assertEqual(dict(counts.server), {"accept4": 5, "vfork": 5, "close": 5})
        self.assertEqual(dict(counts.launch), {"dup2": 10, "execve": 5})


class Syscalls(unittest.TestCase):
    TRACE = """\
10 accept4(3, {sa_family=AF_INET}, [16], SOCK_CLOEXEC) = 5
10 clone(child_stack=0x1, flags=CLONE_VM|SIGCHLD <unfinished ...>
11 dup2(5, 0 <unfinished ...>
10 <... clone resumed>) = 11
11 <... dup2 resumed>) = 0
11 execve("/x/tiny", [...], 0x1 /* 3 vars */ <unfinished ...>
10 close(5) = 0
11 <... execve resumed>) = 0
11 read(0, ""..., 64) = 5
11 +++ exited with 0 +++
10 --- SIGCHLD {si_signo=SIGCHLD} ---
12 write(1, ""..., 2) = 2
14 futex(0x1, FUTEX_WAIT, 1, NULL) = 0
14 clone(child_stack=0x1, flags=CLONE_VM|CLONE_PARENT|SIGCHLD <unfinished ...>
15 recvmsg(4, {...}, MSG_DONTWAIT) = 8
15 execve("/x/tiny", [...], 0x1 /* 3 vars */) = 0
14 <... clone resumed>) = 15
15 read(0, ""..., 64) = 5
""".splitlines()

    def test_what_counts(self):
        counts = syscalls.count_lines(self.TRACE, own={10}, launchers={14}, others={12})
        self.assertEqual(dict(counts.server), {"accept4": 1, "clone": 1, "close": 1})
        self.assertEqual(dict(counts.launchers), {"futex": 1, "clone": 1})
        self.assertEqual(dict(counts.launch), {"dup2": 1, "execve": 2, "recvmsg": 1})


class Judging(unittest.TestCase):
    NEW, OLD = Value("tiny", "many", "ours"), Value("tiny", "many", BEST_PEER)

    def judge(self, wanted, by=RATE, at_most=False, new=None):
        values = {self.NEW: {RATE: new or [30.0] * 7, LATENCY: [1.0] * 7}}
        for name, rate, latency in (("a", 10.0, 3.0), ("b", 20.0, 4.0)):
            values[self.OLD._replace(server=name)] = {RATE: [rate] * 7, LATENCY: [latency] * 7}
        # One that has served nobody in a round, and one that was not measured in each.
        values[self.OLD._replace(server="d")] = {RATE: [90.0] * 6 + [0.0], LATENCY: [0.1] * 6 + [0.0]}
        values[self.OLD._replace(server="e")] = {RATE: [90.0] * 6, LATENCY: [0.1] * 6}
        row = Row("row", "text", self.NEW, self.OLD, by, wanted, at_most)
        return rows.judge(row, values, ("a", "b", "c", "d", "e"))

    def test_the_best_peer_is_the_fastest(self):
        verdict = self.judge(1.4)
        self.assertEqual((verdict.old, verdict.is_met), ("b", True))
        self.assertAlmostEqual(verdict.ratio.estimate, 1.5)
        self.assertFalse(self.judge(1.6).is_met)

    def test_a_latency_is_the_better_the_shorter(self):
        verdict = self.judge(2.9, by=LATENCY)
        self.assertEqual((verdict.old, verdict.is_met), ("a", True))
        self.assertAlmostEqual(verdict.ratio.estimate, 3.0)

    def test_at_most(self):
        self.assertTrue(self.judge(1.6, at_most=True).is_met)
        self.assertFalse(self.judge(1.4, at_most=True).is_met)

    def test_what_was_not_measured_is_not_met(self):
        self.assertIsNone(self.judge(1.4, new=[30.0] * 5).is_met)
        self.assertIsNone(self.judge(1.4, new=[30.0] * 6 + [0.0]).is_met)
        row = Row("row", "text", self.NEW, self.OLD, RATE, 1.0)
        self.assertIsNone(rows.judge(row, {}, ("a",)).is_met)
        self.assertEqual(paired_ratio([1.0] * 7, [2.0] * 7).low, 2.0)

    def test_rows_can_be_measured(self):
        for row in rows.ROWS:
            measures = peers.needed_measures([row.name])
            apart = row.name in ("slow-exec", "wine-spares")
            self.assertEqual(bool(measures), not apart, row.name)
            if not apart:
                self.assertIn(row.new.measure, measures[row.new.handler])


class Turns(unittest.TestCase):
    def test_all_come_in_each_round_and_begin_by_turns(self):
        names = ["a", "b", "c"]
        orders = [peers.rotated(names, number) for number in range(6)]
        for order in orders:
            self.assertEqual(sorted(order), names)
        self.assertEqual({order[0] for order in orders}, set(names))
        self.assertEqual({order[-1] for order in orders}, set(names))


class Peers(unittest.TestCase):
    def test_a_handler_with_arguments(self):
        text = xinetd_text("/usr/bin/python3 /x/script.py")
        self.assertIn("server = /usr/bin/python3\n", text)
        self.assertIn("server_args = /x/script.py\n", text)
        self.assertNotIn("server_args", xinetd_text("/x/tiny"))
        inetd, = (text for name, _, _, text, _ in peer_rows("/x/tiny") if name == "openbsd-inetd")
        self.assertRegex(inetd, r"nowait\.\d+ \{user\} /x/tiny tiny")


class Broken(Case):
    def test_a_peer_that_does_not_serve_is_left_out(self):
        kind = Peer("false", ["/bin/false"], "/x/tiny", [])
        chosen = kinds.Chosen({"false": kind}, {})
        peers.try_alone(chosen, self.folder, "tiny", peers.Measured())
        self.assertEqual(chosen.kinds, {})
        self.assertRegex(chosen.missing["false"], "false has not served .* and has ended with 1")


class Plot(unittest.TestCase):
    def test_a_bar_that_dwarfs_the_others_is_cut(self):
        cells = [plot.Cell(value) for value in (1, 2, 3, 1000)]
        self.assertEqual(plot.scale_of(cells + [None]), 3)

    def test_what_stands_there_is_escaped(self):
        line = plot.Line("a < b & c", (plot.Cell(1.0, 0.5, 2.0), None, plot.Cell(5)))
        text = plot.draw([plot.Group("Title", "peer", [line])], FACTS, 7)
        root = xml.etree.ElementTree.fromstring(text)
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("a < b & c", texts)
        self.assertIn(plot.NOTHING, texts)
        self.assertTrue(any("one <of> these & those" in each for each in texts))


if __name__ == "__main__":
    unittest.main()
