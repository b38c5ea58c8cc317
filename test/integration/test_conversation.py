"""batond in the conversations that test supervisors: puppets play the handlers, this test the clients and
what the puppets do. Only those of shared sockets, which batond offers on Windows alone, are left to
the pool (test/run/test_conversation.c)."""

import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import unittest

import harness
from settings import REFUSES_RIGHTS

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "conversation"))
import language  # noqa: E402

LIMIT_MS = 250  # every time limit that a conversation waits for
LONG_MS = 30000
DEADLINE_S = 10


def can_be_expressed(conversation):
    """No shared socket: on POSIX batond hands these over without a channel."""
    is_shared = conversation.has("kind=2") or conversation.has("kind=3")
    return (conversation.tests in ("supervisor", "both") and conversation.system != "windows" and
            not is_shared)


CONVERSATIONS = language.read_conversations(ROOT / "golden" / "wire" / "conversations.txt")
ONLY = os.environ.get("BATON_CONVERSATION", "").split()  # for work on one of them; all if empty
ALL = [c for c in CONVERSATIONS
       if can_be_expressed(c) and not (REFUSES_RIGHTS and c.has("with=socket"))
       and c.name in (ONLY or c.name)]


def keys_of(conversation, path):
    def limit(step):
        waits = any(words == ["time", step] for _, words in conversation.steps)
        return LIMIT_MS if waits else LONG_MS

    # A client who comes when an answer is still under way would have another process launched.
    handlers = {words[0] for _, words in conversation.steps if words[0].startswith("handler")}
    return harness.service(f"puppet {path} {conversation.name}", max_handlers=len(handlers), handshake_timeout_ms=limit("handshake"),
                           stop_timeout_ms=limit("stop"), max_runtime_ms=limit("run"),
                           reuse=conversation.reuse)


class Puppet:
    """A process that batond has launched, and the handler's end of its channel."""

    def __init__(self, orders):
        self.orders = orders
        words, rights, _, _ = socket.recv_fds(orders, 256, 1)
        self.nonce, self.name = words.decode().split()
        self.channel = socket.socket(fileno=rights[0])
        self.channel.settimeout(DEADLINE_S)
        credentials = orders.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid = struct.unpack("3i", credentials)[0]
        self.may = []  # what batond may say to it, or not
        self.sockets = {}  # offered to it, by the client's number
        self.numbers = {}  # connection numbers on the channel, by the client's number

    def order(self, order, rights=()):
        """A frame is written when this returns, so that batond reads it before all that comes later: a
        client who comes when an answer is under way is offered elsewhere, and rightly."""
        try:
            socket.send_fds(self.orders, [order], list(rights))
            if order[:1] == b"S":
                self.orders.recv(1)
        except (BrokenPipeError, ConnectionResetError):
            pass  # killed, perhaps rightly; later steps say so

    def wait_for_end(self):
        """Until the process has ended."""
        self.channel.close()
        try:
            assert self.orders.recv(1) == b""
        except ConnectionResetError:
            pass  # it was killed before it had read all

    def close(self):
        for each in [self.orders, self.channel, *self.sockets.values()]:
            each.close()


class Play:
    """One conversation with a service of batond's own for it."""

    def __init__(self, test, conversation, batond, puppets):
        self.test, self.conversation, self.batond = test, conversation, batond
        self.waiting = puppets  # where puppets come
        self.puppets, self.clients = {}, {}

    def play(self):
        before = ()
        for line, words in self.conversation.steps:
            try:
                if before[:1] == ("client",) and before[2:] == ("connects",) and words[1] == "DONE":
                    self.await_launch()
                self.step(*words)
                before = tuple(words)
            except (OSError, AssertionError) as error:
                raise AssertionError(f"line {line}: {' '.join(words)}: {error}") from error
        self.test.assertEqual(select.select([self.waiting], [], [], 0)[0], [], "another process")

    def await_launch(self):
        """For who comes while the process has a client another is launched, but only if the supervisor
        has seen him before that is done."""
        came = select.select([self.waiting], [], [], DEADLINE_S)[0]
        self.test.assertNotEqual(came, [], "no process was launched for the client")

    def step(self, who, what, *words):
        if who == "client":
            getattr(self, "client_" + words[0])(int(what), *words[1:])
        elif who.startswith("handler"):
            self.act(self.puppet(who), what, *words)
        elif who.startswith("supervisor"):
            self.watch(self.puppet(who), what, *words)
        elif who == "operator":
            self.batond.signal()
        elif who == "record":
            self.record(int(what), *words)
        # time passes by itself

    def puppet(self, who):
        name = who.partition("-")[2]
        while name not in self.puppets:
            orders, _ = self.waiting.accept()
            orders.settimeout(DEADLINE_S)
            puppet = Puppet(orders)
            if puppet.name == self.conversation.name:
                self.puppets[name] = puppet
            else:
                puppet.close()  # one that a conversation has left which failed
        return self.puppets[name]

    def act(self, puppet, what, *words):
        """What the handler does."""
        if what == "exits":
            puppet.order(bytes([ord("X"), int(words[0])]))
            puppet.wait_for_end()
        elif what == "dies":
            puppet.order(bytes([ord("K"), int(words[0])]))
            puppet.wait_for_end()
        elif what == "ends":
            puppet.order(b"C")
            puppet.channel.close()
        else:
            words = words if what == "may" else (what, *words)
            self.say(puppet, language.Frame(*words))

    def say(self, puppet, frame):
        fields = {"NACK": {"reason": 1}, "DONE": {"status": 0}}.get(frame.name, {})
        if frame.name == "HELLO":
            nonce = bytes.fromhex(puppet.nonce)
            fields = {"nonce": nonce, "pid": puppet.pid, "capacity": 1}
            if frame.values.pop("nonce", None):
                fields["nonce"] = nonce[::-1]
        if frame.name in ("NACK", "DONE") and frame.number in puppet.sockets:
            puppet.sockets.pop(frame.number).close()
        if frame.number:
            frame.number = puppet.numbers.get(frame.number, 4000000 + frame.number)
        with socket.socket() as some:
            rights = [some.fileno()] if frame.values.get("with") == "socket" else []
            puppet.order(b"S" + frame.encode(fields), rights)

    def watch(self, puppet, what, *words):
        """What batond has to do."""
        if what == "may":
            puppet.may.append(words[0])
        elif what == "ends":
            self.test.assertEqual(self.hear(puppet, "the end"), ("the end", 0))
        elif what == "terminates":
            self.batond.wait_event("terminate", pid=puppet.pid)
        elif what == "kills":
            self.batond.wait_event("kill", pid=puppet.pid)
            puppet.wait_for_end()
        else:
            frame = language.Frame(what, *words)
            name, number = self.hear(puppet, what)
            self.test.assertEqual(name, what)
            if name == "OFFER":
                puppet.numbers[frame.number] = number
                puppet.sockets[frame.number] = self.offered
            self.test.assertEqual(number, puppet.numbers.get(frame.number, 0))

    def hear(self, puppet, wanted):
        """The next message of batond's, and its number, behind what it may say before that."""
        while True:
            name, number = self.hear_one(puppet)
            if name is not None and (name == wanted or name not in puppet.may):
                return name, number
            if name is not None:
                puppet.may.remove(name)

    def hear_one(self, puppet):
        """None as a name: it may be skipped."""
        try:
            frame, rights, _, _ = socket.recv_fds(puppet.channel, 16400, 4)
        except ConnectionResetError:
            return None, 0  # said once, before what there is to read
        if not frame:
            return "the end", 0
        _, _, kind, _, number, _ = language.HEADER.unpack_from(frame)
        name = {kind: name for name, kind in language.TYPES.items()}.get(kind)
        self.test.assertEqual(len(rights), name == "OFFER")
        if name == "OFFER":
            self.offered = socket.socket(fileno=rights[0])
        return (None if kind & 0x80 else name), number

    def client_connects(self, number):
        self.clients[number] = self.batond.connect(self.conversation.name)

    def client_sends(self, number, text):
        pass  # see client_receives: nobody reads what the client of a puppet has to say

    def client_receives(self, number, text):
        """The socket that the handler got is the other end of the client's, both ways."""
        text = language.bytes_of(text)
        for puppet in self.puppets.values():
            if number in puppet.sockets:
                ours, theirs = self.clients[number].socket, puppet.sockets[number]
                for one, other in ((ours, theirs), (theirs, ours)):
                    one.sendall(text)
                    self.test.assertEqual(other.recv(len(text), socket.MSG_WAITALL), text)

    def client_ends(self, number):
        self.clients[number].end()

    def client_resets(self, number):
        linger = struct.pack("ii", 1, 0)
        self.clients[number].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.clients[number].close()

    def client_sees(self, number, _end):
        for puppet in self.puppets.values():
            if number in puppet.sockets:
                puppet.sockets.pop(number).close()
        self.test.assertEqual(self.clients[number].rest(), "")

    def record(self, number, outcome, *words):
        record = self.batond.record(self.clients[number])
        wanted = {"outcome": outcome, **dict(word.split("=", 1) for word in words)}
        self.test.assertEqual({key: record.get(key) for key in wanted}, wanted)

    def close(self):
        for puppet in self.puppets.values():
            puppet.close()


class Conversations(harness.SupervisorCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="baton-puppet-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        self.path = os.path.join(folder, "test")
        self.puppets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.puppets.close)
        self.puppets.settimeout(DEADLINE_S)
        self.puppets.bind(self.path)
        self.puppets.listen(8)

    def start(self, conversations):
        services = {c.name: keys_of(c, self.path) for c in conversations}
        return self.supervisor({"supervisor": {"log_level": "debug"}, **services})

    def hold(self, conversation, batond):
        play = Play(self, conversation, batond, self.puppets)
        with self.subTest(conversation.name):
            try:
                play.play()
            finally:
                play.close()

    def test_nobody_is_left_out(self):
        left = [c.name for c in CONVERSATIONS if c.tests != "handler" and c.system != "windows"
                and not can_be_expressed(c)]
        self.assertEqual([name for name in left if "listener" not in name and "datagrams" not in name], [])

    def test_with_one_supervisor(self):
        conversations = [c for c in ALL if not c.has("operator")]
        self.assertGreater(len(conversations), 0 if ONLY else 70)
        batond = self.start(conversations)
        for conversation in conversations:
            self.hold(conversation, batond)
        self.stop(batond)

    def test_those_with_an_ordered_stop(self):
        conversations = [c for c in ALL if c.has("operator")]
        self.assertTrue(conversations or ONLY)
        for conversation in conversations:
            batond = self.start([conversation])
            self.hold(conversation, batond)
            self.check_end(batond)


class Strangers(harness.SupervisorCase):
    """Handlers that were written from the page alone serve several at a time, as they said they can."""

    CAPACITY = 4

    def start(self, handler, **keys):
        return self.supervisor({"drill": harness.service(
            f"{handler} {self.CAPACITY}", reuse=0, capacity=self.CAPACITY, stop_timeout_ms=20000,
            **keys)})

    def outcomes(self, batond, clients):
        return [(record["outcome"], record["pid"]) for record in map(batond.record, clients)]

    def hold(self, handler):
        batond = self.start(handler, max_handlers=2)
        clients = []
        for number in range(self.CAPACITY):
            clients.append(batond.connect("drill"))
            self.assertEqual(clients[-1].ask(f"client {number}"), f"client {number}")
        # One that is busy keeps who it has, and the next goes to another; so does one that retires.
        self.assertEqual(clients[0].ask("fail 3"), "")
        batond.record(clients[0])
        self.assertEqual(clients[1].ask("nack busy"), "nack busy")
        other = batond.connect("drill")
        self.assertEqual(other.ask("who"), "who")
        self.assertEqual(clients[1].ask("retire"), "retire")
        for client in [*clients[1:], other]:
            self.assertEqual(client.ask("still here"), "still here")
            client.end()
            self.assertEqual(client.rest(), "")
        (failed, pid), *rest, (outcome, elsewhere) = self.outcomes(batond, [*clients, other])
        self.assertEqual((failed, outcome), ("failed", "served"))
        self.assertEqual(rest, [("served", pid)] * 3)
        self.assertNotEqual(elsewhere, pid)
        self.stop(batond)

    def test_stranger_py(self):
        path = ROOT / "conversation" / "strangers" / "stranger.py"
        self.hold(f"{sys.executable} -IS {path}")

    def test_in_c(self):
        self.hold("stranger")

    def test_one_of_several_runs_too_long(self):
        batond = self.start("stranger", max_handlers=1, max_runtime_ms=400)
        first, second = batond.connect("drill"), batond.connect("drill")
        self.assertEqual(first.ask("a"), "a")
        self.assertEqual(second.ask("b"), "b")
        second.end()
        self.assertEqual(first.rest(), "")
        (outcome, pid), other = self.outcomes(batond, [first, second])
        self.assertEqual((outcome, other), ("timed_out", ("served", pid)))
        third = batond.connect("drill")
        self.assertEqual(third.ask("c"), "c")
        third.end()
        self.assertEqual(self.outcomes(batond, [third]), [("served", pid)])
        self.stop(batond)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    unittest.main(verbosity=2)
