"""Handlers in the conversations that test handlers: libbaton (drill.c), baton.py (drill.py), and what
PROTOCOL.md's recipe alone comes to (recipe.py). Nobody is left out: see Coverage."""

import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading
import types
import unittest
from unittest import mock

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "strangers")]
import drill  # noqa: E402
import forker  # noqa: E402
import language  # noqa: E402
import recipe  # noqa: E402
import stranger  # noqa: E402
import supervisor  # noqa: E402

supervisor.DEADLINE_S = 30  # machines that run tests are slow
FILE = HERE.parent / "golden" / "wire" / "conversations.txt"
ALL = [each for each in language.read_conversations(FILE)]
TO_HOLD = [c for c in ALL if c.tests in ("handler", "both") and c.system != "windows"]
DRILL_CAN = language.CAN
RECIPE_CAN = "again nack retire strict run nonblock".split()


class Forked(supervisor.Process):
    """A handler in Python without what it takes to start one: a fork of this process. `command` is
    its main function."""

    def start(self, command, environment):
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                code = self.live(command, environment, self.theirs.fileno())
            finally:
                os._exit(code)

    @staticmethod
    def live(command, environment, number):
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        os.closerange(3, number)
        os.closerange(number + 1, 1024)
        os.environ.clear()
        os.environ.update(environment)
        code = command()
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join()
        return code

    def wait(self, limit_s=None):
        watch = os.pidfd_open(self.pid)
        ended, _, _ = select.select([watch], [], [], limit_s or supervisor.DEADLINE_S)
        os.close(watch)
        if not ended:
            raise language.Wrong("it does not exit")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Case(unittest.TestCase):
    def hold(self, process, command, capacity, can):
        """Holds all that such a handler can; returns the names."""
        options = types.SimpleNamespace(command=command, capacity=capacity, can=can)
        before, supervisor.Process = supervisor.Process, process
        names = []
        try:
            for conversation in TO_HOLD:
                if not conversation.why_not(options):
                    names.append(conversation.name)
                    with self.subTest(conversation.name):
                        self.assertEqual(supervisor.hold(conversation, options), "")
        finally:
            supervisor.Process = before
        return names


class Handlers(Case):
    def test_baton_py_and_the_recipe(self):
        names = self.hold(Forked, drill.main, drill.CAPACITY, DRILL_CAN)
        names += self.hold(Forked, recipe.main, 1, RECIPE_CAN)
        self.assertEqual({c.name for c in TO_HOLD} - set(names), set(), "nobody has held these")


class Libbaton(Case):
    def test_libbaton(self):
        program = os.environ.get("BATON_DRILL")
        if program is None:
            self.skipTest("BATON_DRILL is the program")
        names = self.hold(supervisor.Process, [program], 4, DRILL_CAN)
        left = {c.name for c in TO_HOLD if not any(need[0] == "!" for need in c.needs)} - set(names)
        self.assertEqual(left, set(), "nobody has held these")


class Forkers(Case):
    """Servers that fork for each client. What the drill wants of the process itself their children
    cannot do; the end that CANCEL asks for is that of a signal."""

    CAN = "again cancel listener limits strict run nonblock".split()

    def check(self, process, command):
        def for_children(conversation):
            steps = [(line, [word.replace("status=1", "status=143") if "DONE" in words else word
                             for word in words]) for line, words in conversation.steps]
            return types.SimpleNamespace(**{**vars(conversation), "steps": steps,
                                            "has": conversation.has, "why_not": conversation.why_not})

        mine = [c for c in TO_HOLD if not any("exit " in word for _, words in c.steps for word in words)]
        cancels = [for_children(c) if "cancel" in c.needs else c for c in mine]
        with mock.patch(f"{__name__}.TO_HOLD", cancels):
            names = self.hold(process, command, 4, self.CAN)
        self.assertGreater(len(names), 90)

    def test_in_c(self):
        program = os.environ.get("BATON_FORKER")
        if program is None:
            self.skipTest("BATON_FORKER is the program")
        self.check(supervisor.Process, [program])

    def test_in_python(self):
        with mock.patch("baton_forking.warm_heap"):  # of this whole test, again and again
            self.check(Forked, forker.main)


class Strangers(Case):
    """Handlers that were written from the page alone, with nothing else of Baton known."""

    def check(self, program, process, command):
        vectors = str(FILE.with_name("vectors.txt"))
        result = subprocess.run([*program, "--vectors", vectors], stdout=subprocess.PIPE,
                                timeout=60, check=False, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)
        for capacity in (1, 4):
            names = self.hold(process, command(str(capacity)), capacity, DRILL_CAN)
            self.assertGreater(len(names), 70)

    def test_in_c(self):
        program = os.environ.get("BATON_STRANGER")
        if program is None:
            self.skipTest("BATON_STRANGER is the program")
        self.check([program], supervisor.Process, lambda capacity: [program, capacity])

    def test_in_python(self):
        program = [sys.executable, "-IS", str(HERE / "strangers" / "stranger.py")]
        self.check(program, Forked, lambda capacity: lambda: stranger.main([capacity]))


class Deaf(recipe.Recipe):
    """Wrong: goes on after a breach."""

    def read(self):
        try:
            return super().read()
        except recipe.Breach:
            return recipe.CANCEL, 0, {}, None


class Hoarder(recipe.Recipe):
    """Wrong: keeps a copy of each socket."""

    def serve(self, client):
        self.kept = client.dup()
        return super().serve(client)


class Twice(recipe.Recipe):
    """Wrong: says DONE twice."""

    def say(self, kind, number, body=b""):
        super().say(kind, number, body)
        return super().say(kind, number, body) if kind == recipe.DONE else True


class Eager(recipe.Recipe):
    """Wrong: acknowledges what it declines."""

    def say(self, kind, number, body=b""):
        return super().say(recipe.ACK if kind == recipe.NACK else kind, number, body)


class Split(recipe.Recipe):
    """Wrong: writes header and body one after the other."""

    def say(self, kind, number, body=b""):
        if body:
            self.channel.send(recipe.HEADER.pack(b"BATN", 1, kind, 0, number, len(body)))
            return self.channel.send(body)
        return super().say(kind, number)


class Hasty(recipe.Recipe):
    """Wrong: reads a byte before it answers."""

    def read(self):
        said = super().read()
        if said is not None and said[3] is not None:
            try:
                said[3].recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
        return said


class Late(recipe.Recipe):
    """Wrong: says DONE or NACK, and closes at once after that."""

    kept = None

    def read(self):
        said = super().read()
        if said is not None and said[3] is not None:
            self.kept = said[3].dup()
        return said

    def say(self, kind, number, body=b""):
        could = super().say(kind, number, body)
        if kind in (recipe.NACK, recipe.DONE):
            self.kept.close()
        return could


class Open(recipe.Recipe):
    """Wrong: what it starts has the channel, too."""

    def __init__(self):
        super().__init__()
        self.channel.set_inheritable(True)


class OpenSocket(recipe.Recipe):
    """Wrong: what it starts has the client, too."""

    def serve(self, client):
        client.set_inheritable(True)
        return super().serve(client)


class Blab(recipe.Recipe):
    """Wrong: what it starts is told the nonce."""

    def __init__(self):
        nonce = os.environ["BATON_NONCE"]
        super().__init__()
        os.environ["BATON_NONCE"] = nonce


class Cut(recipe.Recipe):
    """Wrong: does not look at what is cut off (MSG_TRUNC, MSG_CTRUNC)."""

    def take_apart(self, frame, descriptors, _flags):
        return super().take_apart(frame, descriptors[:1], 0)


class Drops(recipe.Recipe):
    """Wrong: takes ECONNRESET for the end."""

    def read(self):
        real = socket.recv_fds

        def receive(*arguments):
            try:
                return real(*arguments)
            except ConnectionResetError:
                return b"", [], 0, None

        with mock.patch("socket.recv_fds", receive):
            return super().read()


class Impatient(recipe.Recipe):
    """Wrong: leaves O_NONBLOCK as it is, and does not wait."""

    def __init__(self):
        with mock.patch("socket.socket.setblocking"):
            super().__init__()


class Mortal(recipe.Recipe):
    """Wrong: dies of SIGPIPE."""

    def __init__(self):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        super().__init__()


class Wrongly(drill.baton.Baton):
    """Wrong as `fault` says, in what a handler for several has to know."""

    fault = ""

    def _act_on_frame(self, frame, attached):
        kind = frame[5] if frame else 0
        if self.fault == "DRAIN twice is a breach" and kind == 0x13 and self._draining:
            raise drill.baton.ProtocolFault("again")
        if self.fault == "DRAIN is the last that it reads" and kind == 0x13:
            self._ended = True
        if self.fault == "LIMITS is skipped" and kind == 0x81:
            return None
        return super()._act_on_frame(frame, attached)

    def _cancel(self, number):
        is_shared = any(source.number == number for source in self._sources.items)
        if not is_shared or self.fault != "CANCEL of KIND 2 and 3 is ignored":
            super()._cancel(number)

    def _is_over(self):
        keeps = self.fault == "the end leaves the listener" and self._sources.items
        self._ended = self._ended and not keeps
        return super()._is_over()


class Findings(unittest.TestCase):
    """That supervisor.py finds what is wrong with a handler, and says so."""

    def assert_found(self, command, name, capacity=1, can=RECIPE_CAN):
        conversation = next(c for c in TO_HOLD if c.name == name)
        options = types.SimpleNamespace(command=command, capacity=capacity, can=list(can))
        before, supervisor.Process = supervisor.Process, Forked
        deadline_s, supervisor.DEADLINE_S = supervisor.DEADLINE_S, 0.2
        try:
            self.assertEqual(conversation.why_not(options), "")
            self.assertIn("line ", supervisor.hold(conversation, options))
        finally:
            supervisor.Process, supervisor.DEADLINE_S = before, deadline_s

    def test_wrong_handlers(self):
        for handler, name in (
            (Deaf, "wrong-version"),
            (Hoarder, "serve-one"),
            (Twice, "two-in-turn"),
            (Eager, "nack-refuse"),
            (Split, "serve-one"),
            (Hasty, "end-before-the-ack-is-written"),
            (Hasty, "unread-after-nack"),
            (Late, "closed-before-done"),
            (Late, "closed-before-nack"),
            (Open, "run"),
            (OpenSocket, "run"),
            (Blab, "run"),
            (Cut, "wrong-packet-too-long"),
            (Cut, "wrong-many-descriptors"),
            (Drops, "reset-then-a-breach"),
            (Impatient, "nonblocking-channel"),
            (Mortal, "client-gone-before-the-answer"),
        ):
            with self.subTest(handler.__name__, name=name):
                self.assert_found(lambda handler=handler: recipe.main(handler), name)

    def test_wrong_handlers_for_several(self):
        for fault, name in (
            ("DRAIN twice is a breach", "cancel-after-drain"),
            ("DRAIN is the last that it reads", "cancel-after-drain"),
            ("CANCEL of KIND 2 and 3 is ignored", "listener-cancelled-beside-a-client"),
            ("CANCEL of KIND 2 and 3 is ignored", "cancel-of-datagrams"),
            ("the end leaves the listener", "listener-and-the-end"),
            ("the end leaves the listener", "datagrams-and-the-end"),
            ("LIMITS is skipped", "wrong-limits-number"),
            ("LIMITS is skipped", "wrong-limits-capacity-0"),
            ("LIMITS is skipped", "wrong-limits-no-reuse"),
        ):
            with self.subTest(fault, name=name), mock.patch.object(Wrongly, "fault", fault), \
                    mock.patch.object(drill.baton, "Baton", Wrongly):
                self.assert_found(drill.main, name, drill.CAPACITY, DRILL_CAN)

    def test_another_capacity(self):
        self.assert_found(recipe.main, "serve-one", 2)

    def run_program(self, *arguments):
        command = [sys.executable, str(HERE / "supervisor.py"), *arguments]
        result = subprocess.run(command, stdout=subprocess.PIPE, timeout=60, check=False, text=True)
        return result.returncode, result.stdout

    def test_the_program(self):
        handler = [str(FILE), "--", sys.executable, str(HERE / "recipe.py")]
        self.assertEqual(
            self.run_program("--capacity", "1", "--only", "serve-one", *handler),
            (0, "ok 1 - serve-one\n1..1\n# held 1, failed 0, skipped 0\n"),
        )
        code, said = self.run_program("--only", "serve-one", str(FILE), "--", "true")
        self.assertEqual((code, said.splitlines()[0]), (1, "not ok 1 - serve-one"))
        self.assertIn("handler HELLO: the channel has ended", said)
        code, said = self.run_program("--only", "cancel", *handler)
        self.assertEqual((code, said.splitlines()[0]), (1, "ok 1 - cancel # SKIP needs cancel"))
        self.assertEqual(self.run_program("--can", "fly", *handler), (2, ""))
        self.assertEqual(self.run_program(str(FILE), "--", str(FILE)), (2, ""))

    def test_the_language(self):
        """Each conversation has a name of its own and says whom it tests; each word is known."""
        names = [each.name for each in ALL]
        self.assertEqual(len(names), len(set(names)))
        actors = {"handler", "supervisor", "client", "time", "operator", "record"}
        for each in ALL:
            self.assertIn(each.tests, ("handler", "supervisor", "both"), each.name)
            self.assertIn(each.system, ("", "posix", "windows"), each.name)
            for need in each.needs:
                self.assertIn(need.lstrip("!"), [*language.CAN, "capacity=4"], each.name)
            if each.system == "windows":
                self.assertEqual(each.tests, "handler", f"{each.name}: nobody would hold it")
            for line, words in each.steps:
                self.assertIn(words[0].partition("-")[0], actors, line)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main()
