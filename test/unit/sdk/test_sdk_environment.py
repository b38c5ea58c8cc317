"""What the environment may say: the same text, the same verdict, by libbaton and by baton.py (POSIX). And
what baton.py makes of standard input of Windows.

A number is decimal digits and nothing else. strtol(3) takes blanks and signs before them, int() of
Python also underscores between them and the digits of every script.
"""

import fcntl
import io
import mmap
import os
import pathlib
import select
import signal
import socket
import sys
import tempfile
import time
import unittest
from unittest import mock

SDK = pathlib.Path(__file__).resolve().parents[3] / "handlers" / "sdk"
HANDLERS = pathlib.Path(os.environ.get("BATON_HANDLERS_DIR", "build/dev/handlers"))
DEADLINE_S = 20

sys.path.insert(0, str(SDK))
import baton  # noqa: E402
import baton_forking  # noqa: E402
import baton_sources  # noqa: E402


def show(c):
    text = f"service {c.service}\npeer {c.peer}\nlocal {c.local}\nid {c.id}\n"
    if c.via:
        text += f"via {c.via}\n"
    if c.peer_count:
        text += f"peer_count {c.peer_count}\n"
    c.answer(text.encode())


# A program, or a function: what runs in a fork of this process, since an interpreter for each of these
# cases would take longer than all the rest.
PROGRAMS = {"libbaton": [str(HANDLERS / "env")], "baton.py": lambda: baton.serve(show)}
# LISTEN_PID is known in the child alone; $PID in the case stands for it.
WITH_PID = 'LISTEN_PID="${LISTEN_PID_BEFORE}$$${LISTEN_PID_AFTER}"; export LISTEN_PID; exec "$0" "$@"'

NO_NUMBERS = ("", "x", "-1", "+1", " 1", "1 ", "\t1", "1\n", "0x1", "1_0", "1.0", "1e0", "٣", "¹", "１")
NONCE = "00" * 16


def fork(function, environment, places):
    """The pid of a process that runs the function as a program of its own would run it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            for descriptor, place in places:
                os.dup2(descriptor, place)
            os.closerange(len(places), os.sysconf("SC_OPEN_MAX"))
            os.environ.clear()
            os.environ.update(environment)
            if "LISTEN_PID_BEFORE" in environment:
                os.environ["LISTEN_PID"] = (f"{environment['LISTEN_PID_BEFORE']}{os.getpid()}"
                                            f"{environment['LISTEN_PID_AFTER']}")
            code = function()
        except BaseException:  # as an interpreter does at its end
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid


class Run:
    """One program with descriptors 3, 4, ... as given, standard input too, and an environment."""

    def __init__(self, command, environment, descriptors=(), given=None, pid=None):
        if pid is not None:
            before, after = pid
            environment = {"LISTEN_PID_BEFORE": before, "LISTEN_PID_AFTER": after, **environment}
            if not callable(command):
                command = ["/bin/sh", "-c", WITH_PID, *command]
        read_end, write_end = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        # High numbers first: the places to fill may be in use.
        high = [os.dup(d.fileno()) for d in descriptors]
        moved = [_above(d) for d in high]
        actions = [(os.POSIX_SPAWN_DUP2, nothing if given is None else given.fileno(), 0),
                   (os.POSIX_SPAWN_DUP2, nothing if given is None else given.fileno(), 1),
                   (os.POSIX_SPAWN_DUP2, write_end, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, d, 3 + i) for i, d in enumerate(moved)]
        base = {k: v for k, v in os.environ.items() if not k.startswith(("BATON_", "LISTEN_"))}
        environment = {**base, **environment}
        if callable(command):
            self.pid = fork(command, environment, [action[1:] for action in actions])
        else:
            self.pid = os.posix_spawn(command[0], command, environment, file_actions=actions,
                                      setpgroup=0)
        for descriptor in (write_end, nothing, *high, *moved):
            os.close(descriptor)
        self.errors = read_end

    def end(self):
        """(exit code, standard error); the code is None if it had to be ended."""
        code, text = None, b""
        watch = os.pidfd_open(self.pid)
        if select.select([watch], [], [], DEADLINE_S)[0]:
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            while piece := os.read(self.errors, 65536):
                text += piece
        else:
            self.stop()
        os.close(watch)
        os.close(self.errors)
        return code, text.decode()

    def stop(self):
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _above(descriptor, least=50):
    """A copy with a number that is in nobody's way."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


class Case(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)

    def assert_refused(self, case, word, *arguments, **options):
        """Each SDK ends at once, with the word in what it says."""
        runs = {name: Run(command, *arguments, **options) for name, command in PROGRAMS.items()}
        for name, run in runs.items():
            with self.subTest(case, sdk=name):
                code, said = run.end()
                self.assertEqual(code, 1, said)
                self.assertIn(word if isinstance(word, str) else word[name], said)

    def connect(self):
        client = socket.create_connection(self.listener.getsockname(), DEADLINE_S)
        client.settimeout(DEADLINE_S)
        self.addCleanup(client.close)
        return client

    def facts(self, client):
        client.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        lines = [line.split(" ", 1) for line in said.splitlines() if " " in line]
        return dict(reversed(lines))  # the first of a name: behind it the environment is shown


NOTHING = {"libbaton": "nothing to serve", "baton.py": "NoSource: No channel, and no socket"}


def named(variable):
    """The line names the variable that is wrong: libbaton at its end."""
    return {"libbaton": f": {variable}\n", "baton.py": variable}


class ListenFds(Case):
    def refused(self, text, descriptors, pid=("", "")):
        name = "LISTEN_FDS" if pid == ("", "") else "LISTEN_PID"
        self.assert_refused((text, pid), named(name), {"LISTEN_FDS": text}, descriptors, pid=pid)

    def test_texts_that_are_no_number_of_descriptors(self):
        for text in (*NO_NUMBERS, "0", "33", "4294967295", "4294967297", "18446744073709551617"):
            self.refused(text, [self.listener])

    def test_more_than_were_passed(self):
        self.refused("3", [self.listener])
        self.refused("32", [self.listener, self.listener])

    def test_process_ids_that_are_none(self):
        for before, after in (("", "x"), (" ", ""), ("+", ""), ("-", ""), ("", " "), ("0x", ""),
                              ("", "_0"), ("", "٣")):
            self.refused("1", [self.listener], (before, after))

    def test_what_is_for_another_process_is_not_read(self):
        self.assert_refused("another's", NOTHING, {"LISTEN_FDS": "lots", "LISTEN_PID": "1"},
                            [self.listener])

    def served(self, count, descriptors):
        for name, command in PROGRAMS.items():
            with self.subTest(count, sdk=name):
                client = self.connect()
                run = Run(command, {"LISTEN_FDS": count, "LIBBATON_IDLE_MS": "50",
                                    "LISTEN_FDNAMES": "web:other"}, descriptors, pid=("", ""))
                self.assertEqual(self.facts(client)["service"], "web")
                self.assertEqual(run.end()[0], 0)

    def test_what_is_of_another_kind_is_left_alone(self):
        """Named pipes and files are passed by systemd too; a handler takes the sockets."""
        ends = os.pipe()
        with open(ends[0], "rb"), open(ends[1], "wb") as pipe, tempfile.TemporaryFile() as file:
            self.served("1", [self.listener])
            self.served("3", [self.listener, file, pipe])
            self.assert_refused("a file alone", NOTHING, {"LISTEN_FDS": "1"}, [file], pid=("", ""))


class Idle(Case):
    def test_texts_that_are_no_time(self):
        for text in (*NO_NUMBERS[1:], "10s", "4294967296", "99999999999999999999"):
            self.assert_refused(text, "LIBBATON_IDLE_MS", {"LIBBATON_IDLE_MS": text},
                                given=self.listener)

    def test_never(self):
        for name, command in PROGRAMS.items():
            with self.subTest(sdk=name):
                run = Run(command, {"LIBBATON_IDLE_MS": "4294967295"}, given=self.listener)
                self.assertIn("peer", self.facts(self.connect()))
                os.kill(run.pid, signal.SIGTERM)
                self.assertEqual(run.end()[0], 0)


    def test_workers_that_are_kept(self):
        for workers, idle_ms, idle_s in (("4", None, None), ("4", "300", 0.3), (None, None, 10),
                                         ("0", None, 10), ("all", None, 10)):
            words = {"BATON_WORKERS": workers, "LIBBATON_IDLE_MS": idle_ms}
            words = {name: word for name, word in words.items() if word is not None}
            with self.subTest(words), mock.patch.dict(os.environ, words, clear=True):
                self.assertEqual(baton._idle_s(None), idle_s)
                self.assertEqual(baton._idle_s(2.5), 2.5)


class Sigterm(unittest.TestCase):
    """baton.py's; libbaton's is in test_sdk_fallback.c."""

    @unittest.skipUnless(os.name == "posix", "signals")
    def test_a_supervisor_that_was_killed_asks_more_than_once(self):
        sources = baton_sources.Sources(False)
        self.addCleanup(sources.close)
        sources.watch_sigterm()
        signal.raise_signal(signal.SIGTERM)
        self.assertTrue(sources.stopped)
        signal.raise_signal(signal.SIGTERM)
        later_s = time.monotonic() + baton_sources.SAME_ORDER_S
        with mock.patch("time.monotonic", return_value=later_s), mock.patch("os.kill") as kill:
            signal.raise_signal(signal.SIGTERM)
        kill.assert_called_once_with(os.getpid(), signal.SIGTERM)
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)


class Channel(Case):
    def refused(self, descriptor, **words):
        word = named(next(iter(words), "BATON_CHANNEL"))
        words = {"BATON_PROTOCOL": "1", "BATON_CHANNEL": "3,3", "BATON_NONCE": NONCE, **words}
        if words["BATON_PROTOCOL"] == "2":
            word["libbaton"] = "version 1"
        self.assert_refused(words, word, words, [descriptor], given=self.listener)

    def test_texts(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            for text in ("", "x", "3", "3,", ",3", "3,4", "3,3,3", "3,3 ", " 3,3", "3, 3", "+3,3",
                         "3;3", "0x3,0x3", "٣,٣", "３,３", "-1,-1", "999,999",
                         "4294967295,4294967295", "4294967299,4294967299", "18446744073709551619,3"):
                self.refused(theirs, BATON_CHANNEL=text)
            for text in ("", "00", NONCE + "0", NONCE[1:], " " + NONCE, NONCE[:-1] + " ",
                         "0x" + NONCE[2:], "00 " * 10 + "00", " ".join([NONCE[:16], NONCE[16:]]),
                         "٠" * 32, "zz" * 16):
                self.refused(theirs, BATON_NONCE=text)
            for text in ("", "x", "2", "+1", " 1", "1 ", "1,", ",1", "1,x", "1_0,1", "١", "1;2"):
                self.refused(theirs, BATON_PROTOCOL=text)
            ours.setblocking(False)
            self.assertRaises(BlockingIOError, ours.recv, 1)  # not one HELLO

    def test_descriptors_that_are_no_channel(self):
        stream, other = socket.socketpair()
        with stream, other, tempfile.TemporaryFile() as file:
            for descriptor in (file, stream, self.listener):
                self.refused(descriptor)


class Facts(Case):
    """Of the one connection on standard input. What cannot be read is as if it were not told."""

    TOLD = {"BATON_ID": "17", "BATON_SERVICE": "web", "REMOTE_ADDR": "192.0.2.1",
            "REMOTE_PORT": "5000", "SERVER_ADDR": "2001:db8::1", "SERVER_PORT": "443",
            "TCPCONNNUM": "3"}

    def assert_told(self, told, expected):
        """`expected` of what the handler knows; "own" is the client's own address, None nothing."""
        for name, command in PROGRAMS.items():
            with self.subTest(told, sdk=name):
                client = self.connect()
                given, _ = self.listener.accept()
                run = Run(command, told, given=given)
                given.close()
                facts = self.facts(client)
                self.assertEqual(run.end(), (0, ""))
                own = "%s:%d" % client.getsockname()
                self.assertEqual({key: facts.get(key) for key in expected},
                                 {key: own if value == "own" else value
                                  for key, value in expected.items()})

    def test_all_of_them(self):
        self.assert_told(self.TOLD, {"service": "web", "peer": "192.0.2.1:5000", "id": "17",
                                     "local": "[2001:db8::1]:443", "via": "own", "peer_count": "3"})

    def test_numbers(self):
        for text in (*NO_NUMBERS, "99999999999999999999"):
            self.assert_told({**self.TOLD, "TCPCONNNUM": text}, {"peer_count": None, "id": "17"})
            self.assert_told({**self.TOLD, "BATON_ID": text}, {"peer_count": "3", "id": "0"})

    def test_addresses(self):
        for changed in ({"REMOTE_PORT": "65536"}, {"REMOTE_PORT": "+80"}, {"REMOTE_PORT": "80\nx"},
                        {"REMOTE_PORT": "٨٠"}, {"REMOTE_ADDR": "localhost"}, {"REMOTE_ADDR": "127.1"},
                        {"REMOTE_ADDR": "010.0.0.1"}, {"REMOTE_ADDR": "1.2.3.4\npeer forged:1"},
                        {"REMOTE_ADDR": "::zz"}, {"REMOTE_ADDR": ""}):
            self.assert_told({**self.TOLD, **changed}, {"peer": "own", "via": None})

    def test_a_name_alone_says_nothing(self):
        """Without BATON_ID none of it is batond's word about this connection."""
        told = {key: value for key, value in self.TOLD.items() if key != "BATON_ID"}
        self.assert_told(told, {"service": "", "peer": "own", "peer_count": None, "id": "0"})


class WindowsInput(unittest.TestCase):
    """Standard input of Windows, played by names that it has and this system has not: what is called,
    with what, and what becomes of the streams. Real ones are told nothing by this."""

    def test_a_socket_is_duplicated_for_ourselves(self):
        ours, client = socket.socketpair()
        calls = []

        def duplicate(handle, pid, info):
            calls.append((handle.value, pid, len(info)))
            info[:4] = b"info"
            return 0 if handle.value == 100 else -1

        steps = []

        def flag(handle, mask, flags):
            steps.append((handle.value, mask, flags))

        windows = mock.Mock(**{"ws2_32.WSADuplicateSocketW": duplicate,
                               "kernel32.SetHandleInformation": flag,
                               "kernel32.CloseHandle": lambda handle: steps.append(handle.value)})
        streams = mock.Mock(get_osfhandle=lambda descriptor: 100 + descriptor // 2)
        with mock.patch.dict(sys.modules, msvcrt=streams), \
                mock.patch("ctypes.windll", windows, create=True), \
                mock.patch("socket.fromshare", lambda info: ours, create=True), \
                mock.patch("os.set_handle_inheritable", create=True), \
                mock.patch("os.dup2", lambda _, stream: steps.append(f"dup2 {stream}")):
            found = baton_sources._windows_input([baton.KIND_CONNECTION])
        self.assertEqual(calls, [(100, os.getpid(), 628)])
        self.assertEqual([(item.socket, item.kind) for item in found],
                         [(ours, baton.KIND_CONNECTION)])
        # Both are this handle, and neither may close it: the number would be anybody's next.
        self.assertEqual(steps, [(100, 2, 2), "dup2 0", "dup2 1", (100, 2, 0), 100])
        ours.close()
        client.close()

    def test_what_is_no_socket_is_left_alone(self):
        windows = mock.Mock(**{"ws2_32.WSADuplicateSocketW": lambda *_: -1})
        streams = mock.Mock(get_osfhandle=lambda _: 100)
        with mock.patch.dict(sys.modules, msvcrt=streams), \
                mock.patch("ctypes.windll", windows, create=True), mock.patch("os.dup2") as replaced:
            self.assertEqual(baton_sources._windows_input([baton.KIND_CONNECTION]), [])
        replaced.assert_not_called()


class Channel(unittest.TestCase):
    def test_malformed(self):
        right = "00" * 16
        for protocol, channel, nonce in (
            ("1", "999,999", right),
            ("1", "x", right),
            ("1", "0,1", right),
            ("2", "0,0", right),
            ("1", "0,0", "00"),
            ("1", "0,0", "zz" * 16),
        ):
            told = {"BATON_PROTOCOL": protocol, "BATON_CHANNEL": channel, "BATON_NONCE": nonce}
            with mock.patch.dict(os.environ, told):
                self.assertRaises(baton.EnvironmentFault, baton.open)
                self.assertNotIn("BATON_CHANNEL", os.environ)


    def test_the_end_before_hello(self):
        """The supervisor stops while a spare starts."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.detach()
        ours.close()
        told = {"BATON_PROTOCOL": "1", "BATON_CHANNEL": f"{number},{number}", "BATON_NONCE": "00" * 16}
        said = io.StringIO()
        with mock.patch.dict(os.environ, told), mock.patch.object(baton, "log", said.write):
            self.assertEqual(baton.serve(lambda _: None), 1)
        self.assertRegex(said.getvalue(), "^cannot start: BrokenPipeError: ")


class Words(unittest.TestCase):
    def test_capacity(self):
        for wrong in ("4", None, 1.5, 0, 65536):
            said = io.StringIO()
            with mock.patch.object(baton_forking, "log", said.write):
                self.assertEqual(baton.serve_forking(lambda _: None, wrong), 1)
            self.assertEqual(said.getvalue(), "cannot start: ValueError: capacity is 1 to 65535")
            self.assertRaises(ValueError, baton.open, wrong)

    def in_child(self, function):
        server = object.__new__(baton_forking.Server)
        server.function, server._reports = function, mmap.mmap(-1, baton_forking.REPORT.size)
        with mock.patch("sys.stderr", io.StringIO()) as errors, server._reports:
            status = server._serve_in_child(baton.Connection(None, number=1), 0)
            *_, length, said = baton_forking.REPORT.unpack(server._reports[:])
            return status, said[:length].decode(), errors.getvalue()

    def test_exit(self):
        for code, status, told in (("words", 1, "words\n"), (7, 7, ""), (None, 0, ""),
                                   (b"x", 1, "b'x'\n")):
            self.assertEqual(self.in_child(lambda _, code=code: sys.exit(code)), (status, "", told))

    def test_text(self):
        def tell(connection):
            connection.text = "why"
            return 2

        def tell_and_exit(connection):
            sys.exit(tell(connection))

        self.assertEqual(self.in_child(tell), (2, "why", ""))
        self.assertEqual(self.in_child(tell_and_exit), (2, "why", ""))
        connection = baton.Connection(None)
        self.assertEqual(baton.serve_one(tell, connection), (2, "why"))


class Attributes(unittest.TestCase):
    def test_a_name_that_is_mistyped(self):
        connection = baton.Connection(None)
        connection.bytes_in, connection.text = 5, "why"
        with self.assertRaisesRegex(AttributeError, "'Connection' object has no attribute 'bytes_inn'"):
            connection.bytes_inn = 6
        self.assertEqual((connection.bytes_in, connection.text), (5, "why"))


class NoFork(unittest.TestCase):
    def test_a_system_without_it(self):
        said = io.StringIO()
        with mock.patch.object(os, "name", "nt"), mock.patch.object(baton_forking, "log", said.write):
            self.assertEqual(baton.serve_forking(lambda _: None, 1), 1)
        self.assertIn("has no fork(2)", said.getvalue())


class Facts(unittest.TestCase):
    """As in test_sdk_facts.c."""

    def assert_facts(self, connection, **expected):
        environment = {"PROTO": "of before", "TCPREMOTEIP": "the same", "KEPT": "yes"}
        connection.export_facts(environment)
        self.assertEqual(environment, {"KEPT": "yes", **expected})

    def test_who_the_client_is(self):
        tcp = baton.Connection(None, id=2**64 - 1, service="web", peer="[2001:db8::1]:5000",
                               local="198.51.100.7:80", peer_count=3)
        of_tcp = {
            "PROTO": "TCP", "SERVER_ADDR": "198.51.100.7", "SERVER_PORT": "80",
            "TCPLOCALIP": "198.51.100.7", "TCPLOCALPORT": "80", "REMOTE_ADDR": "2001:db8::1",
            "REMOTE_PORT": "5000", "TCPREMOTEIP": "2001:db8::1", "TCPREMOTEPORT": "5000",
            "TCPCONNNUM": "3"}
        self.assert_facts(tcp, BATON_SERVICE="web", BATON_ID="18446744073709551615", **of_tcp)
        local = baton.Connection(None, id=7, service="local", path="/run/a b", peer_count=3,
                                 peer_uid=0, peer_pid=77)
        of_local = {"BATON_SERVICE": "local", "BATON_ID": "7", "UNIXLOCALPATH": "/run/a b",
                    "UNIXREMOTEEUID": "0", "UNIXREMOTEPID": "77"}
        self.assert_facts(local, PROTO="UNIX", **of_local)
        local.peer, local.local = tcp.peer, tcp.local
        self.assert_facts(local, **{**of_local, **of_tcp})
        self.assert_facts(baton.Connection(None))


if __name__ == "__main__":
    unittest.main()
