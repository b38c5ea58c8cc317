"""The tests' own tools: a tool that cannot fail would make every other test worthless."""

import os
import subprocess
import sys
import unittest
import uuid

import logfmt
import processes
from client import address_text, split_address


class Logfmt(unittest.TestCase):
    def test_values(self):
        line = r'time=1 event=a plain=x/1:2 empty= quoted="two words" odd="a\"b\\c\n\x1b"'
        self.assertEqual(logfmt.parse_logfmt(line), {
            "time": "1", "event": "a", "plain": "x/1:2", "empty": "", "quoted": "two words",
            "odd": 'a"b\\c\n\x1b'})

    def test_what_is_not_logfmt(self):
        for line in ("", "plain words", "event=a time=1", "time=1", "time=1 event=a event=b",
                     'time=1 event="open', 'time=1 event=a b=c"d', "time=1 event=a =b"):
            with self.subTest(line), self.assertRaises(logfmt.Malformed):
                logfmt.parse_logfmt(line)

    def test_json(self):
        self.assertEqual(logfmt.parse_json('{"time":"t","event":"a","pid":5}'),
                         {"time": "t", "event": "a", "pid": "5"})
        for line in ('{"event":"a","time":"t"}', "[]", "{", '{"time":"t"}'):
            with self.subTest(line), self.assertRaises(logfmt.Malformed):
                logfmt.parse_json(line)


class Addresses(unittest.TestCase):
    def test_both_ways(self):
        for host, port in (("127.0.0.1", 80), ("::1", 7777)):
            self.assertEqual(split_address(address_text((host, port))), (host, port))


class Processes(unittest.TestCase):
    def test_a_marked_process_is_found_until_it_ends(self):
        mark = uuid.uuid4().hex
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL,
                                 env={**os.environ, processes.MARK_NAME: mark})
        try:
            self.assertIn(child.pid, processes.marked(mark))
            self.assertFalse(processes.wait_for_end(child.pid, 0))
        finally:
            child.stdin.close()
        self.assertTrue(processes.wait_for_end(child.pid, 30))
        self.assertEqual(processes.marked(mark), {})
        child.wait()

    def test_an_open_file_is_counted(self):
        before = processes.descriptors(os.getpid())
        with open(os.devnull) as file:
            more = processes.descriptors(os.getpid())
            self.assertEqual(set(more) - set(before), {file.fileno()})

    def test_memory_is_counted(self):
        before = processes.private_bytes(os.getpid())
        ballast = bytearray(os.urandom(1 << 20) * 8)
        self.assertGreater(processes.private_bytes(os.getpid()), before + len(ballast) // 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
