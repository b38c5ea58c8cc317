#!/usr/bin/env python3
"""A small supervisor that tests handlers: it holds the conversations of a file with any handler.

    supervisor.py [--capacity N] [--can WORD,...] [--only NAME] conversations.txt -- HANDLER ARGS

--capacity  what the handler's HELLO says; without it conversations that need one are skipped
--can       what else the handler does: again, nack, retire, cancel, listener, datagram, limits, strict,
            run, nonblock
--only      this conversation alone

The head of conversations.txt says what the handler must do, and how a conversation is written
(language.py reads it).
Prints TAP. Exit code 0: all that were held passed; 1: one did not, or none was held; 2: wrong arguments.
Linux, Python 3.9.
"""
import argparse
import os
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from language import CAN, Frame, Wrong, bytes_of, decode, read_conversations

DEADLINE_S = 5.0
LIMIT_MS = 5000  # told as the limits for the handshake and the stop
FILLER = Frame("FRAME", "type=0x90", "fill=512").encode({})  # may be skipped


class Process:
    """A handler process, and our end of its channel, which is there before the process is."""

    def __init__(self):
        self.channel, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE_S)
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.pid, self.nonce, self.is_halted = None, os.urandom(16), False
        self.may = []  # frames that it may write, or not

    def launch(self, command, facts, keeps_theirs):
        number = self.theirs.fileno()
        facts = {**facts, "PROTOCOL": 1, "CHANNEL": f"{number},{number}", "NONCE": self.nonce.hex()}
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("BATON_", "LISTEN_"))}
        environment.update(("BATON_" + name, str(value)) for name, value in facts.items())
        self.start(command, environment)
        if not keeps_theirs:
            self.theirs.close()

    def start(self, command, environment):
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment,
                                      pass_fds=[self.theirs.fileno()], start_new_session=True)
        self.pid = self.popen.pid

    def stall(self):
        """Fills the channel, so that what the handler writes waits until we read."""
        try:
            while True:
                self.theirs.send(FILLER, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.theirs.close()

    def halt(self):
        """Stops it when it has written something that we have not read."""
        select.select([self.channel], [], [], DEADLINE_S)
        os.killpg(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.is_halted = True

    def end(self):
        self.channel.close()
        if self.is_halted:
            os.killpg(self.pid, signal.SIGCONT)

    def wait(self, limit_s=None):
        """Its exit code; that of a signal is negative."""
        try:
            return self.popen.wait(limit_s or DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Wrong("it does not exit") from None

    def send(self, frame, sockets):
        rights = struct.pack(f"{len(sockets)}i", *(each.fileno() for each in sockets))
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if sockets else []
        try:
            self.channel.sendmsg([frame], control)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended the channel, perhaps rightly; later steps say so

    def receive(self):
        """What the next frame says; None if it may be skipped, "end" at the end of the channel."""
        try:
            frame, control, flags, _ = self.channel.recvmsg(65536, 256)
        except ConnectionResetError:
            return None  # said once, before the rest that there is to read
        except socket.timeout:
            raise Wrong("it says nothing") from None
        came = {kind: data for _, kind, data in control}
        if socket.SCM_RIGHTS in came or flags & socket.MSG_CTRUNC:
            raise Wrong("a descriptor came with a frame")
        said = decode(frame) if frame else "end"
        if said and said[0] == "HELLO":
            sender = struct.unpack("3i", came[socket.SCM_CREDENTIALS])[0]
            with open(f"/proc/{sender}/status", encoding="ascii") as status:
                pids = re.findall(r"^NSpid:.*\b(\d+)$", status.read(), re.M) + [sender]
            if said[2]["pid"] not in map(int, pids) or said[2]["nonce"] != self.nonce:
                raise Wrong(f"HELLO of process {sender} has another pid or nonce: {said[2]}")
        return said

    def expect(self, wanted):
        """Reads up to this frame ("end": the end), with what it may say before that."""
        while True:
            said = self.receive()
            if said is None:
                continue
            if said == wanted or (said != "end" and wanted != "end" and wanted.is_like(*said)):
                return said
            allowed = [may for may in self.may if said != "end" and may.is_like(*said)]
            if not allowed:
                raise Wrong("the channel has ended" if said == "end" else f"it says {said}")
            self.may.remove(allowed[0])


class Play:
    """One conversation. Numbers of clients are the connection numbers of the channel, too."""

    def __init__(self, conversation, options):
        self.conversation, self.options = conversation, options
        self.processes, self.clients = {}, {}
        self.copies = {}  # by number: what we have of the sockets that are offered
        self.names = {}  # by number: peer and local of a client
        self.listener = socket.create_server(("127.0.0.1", 0))

    def step(self, who, what, *words):
        if who == "client":
            getattr(self, "client_" + words[0])(int(what), *words[1:])
        elif who.startswith(("handler", "supervisor")):
            name = who.partition("-")[2]
            process = self.processes[name] = self.processes.get(name) or Process()
            method = self.watch if who.startswith("handler") else self.act
            method(process, what, *words)
        # time, operator and record are about supervisors that are tested

    def act(self, process, what, *words):
        """What the supervisor does: this program."""
        acts = {"ends": process.end, "halts": process.halt, "stalls": process.stall,
                "shuts": lambda: process.channel.shutdown(socket.SHUT_RD),
                "nonblocks": lambda: process.theirs.setblocking(False)}
        if what in acts:
            acts[what]()
            return
        frame, fields, usual = Frame(*(words if what == "may" else (what, *words))), {}, "nothing"
        if frame.name == "LIMITS":
            fields = {"capacity": self.options.capacity or 1, "handshake_ms": LIMIT_MS,
                      "stop_ms": LIMIT_MS, "reuse": self.conversation.reuse}
        if frame.name == "OFFER":
            kinds = {"2": "listener", "3": "datagram"}
            usual = kinds.get(frame.values.get("kind"), "socket")
            fields = {"service": "drill", "kind": 1, "accepted_us": time.time_ns() // 1000,
                      "id": frame.number}
        if usual == "socket":
            for name, (host, port) in zip(("peer", "local"), self.names[frame.number]):
                fields[name] = struct.pack("!BH", 4, port) + socket.inet_aton(host)
        words = [word.partition("*") for word in frame.values.get("with", usual).split(",")]
        sockets = [self.carried(word, frame.number) for word, _, often in words if word != "nothing"
                   for _ in range(int(often or 1))]
        process.send(frame.encode(fields), sockets)

    def carried(self, word, number):
        """What comes with a frame: the socket of a client, or another that there is."""
        if word == "pipe":
            return os.fdopen(os.pipe()[0])
        if word == "socket":
            return self.copies.get(number, self.listener)
        if number not in self.copies:
            kind = socket.SOCK_DGRAM if word == "datagram" else socket.SOCK_STREAM
            self.copies[number] = socket.socket(socket.AF_INET, kind)
            self.copies[number].bind(("127.0.0.1", 0))
            if word == "listener":
                self.copies[number].listen()
        return self.copies[number]

    def watch(self, process, what, *words):
        """What the handler has to do."""
        if process.pid is None:
            facts = {"SERVICE": "drill", "HANDOFF": "channel", "REUSE": self.conversation.reuse,
                     "HANDSHAKE_MS": LIMIT_MS, "STOP_MS": LIMIT_MS}
            process.launch(self.options.command, facts, self.conversation.has("stalls"))
        if what == "may":
            process.may.append(Frame(*words))
        elif what == "exits":
            code = process.wait()
            if process.channel.fileno() >= 0:
                process.expect("end")
            if code < 0 or str(code) not in (words or str(code)):
                raise Wrong(f"its exit code is {code}")
        elif what == "ends":
            process.expect("end")
        else:
            name, number, fields = process.expect(Frame(what, *words))
            if name == "HELLO" and self.options.capacity not in (None, fields["capacity"]):
                raise Wrong(f"its capacity is {fields['capacity']}, not {self.options.capacity}")
            if name == "ACK" and number in self.clients:
                self.forget(number)  # from here on the connection is the handler's

    def forget(self, number):
        if number in self.copies:
            self.copies.pop(number).close()

    def client_connects(self, number, _to="", place=None):
        word = "datagram" if self.conversation.has("kind=3") else "listener"
        there = self.carried(word, int(place)) if place else self.listener
        self.clients[number] = client = socket.socket(there.family, there.type)
        client.settimeout(DEADLINE_S)
        client.connect(there.getsockname())
        if not place:
            self.copies[number] = here = there.accept()[0]
            self.names[number] = here.getpeername(), here.getsockname()

    def client_sends(self, number, text):
        self.clients[number].sendall(bytes_of(text))

    def client_ends(self, number):
        self.clients[number].shutdown(socket.SHUT_WR)

    def client_resets(self, number):
        linger = struct.pack("ii", 1, 0)
        self.clients[number].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.clients[number].close()

    def client_receives(self, number, text):
        wanted, got = bytes_of(text), b""
        while len(got) < len(wanted):
            got += self.read(number, len(wanted) - len(got)) or b" and the end"
        if got != wanted:
            raise Wrong(f"it receives {got!r}")

    def client_unread(self, number, text):
        copy = self.copies[number]  # which shares O_NONBLOCK with the handler's
        got = b""
        if select.select([copy], [], [], DEADLINE_S)[0]:
            got = copy.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if got != bytes_of(text):
            raise Wrong(f"there is left {got!r}")

    def client_sees(self, number, _end):
        self.forget(number)  # as a supervisor closes its copy of who is not served
        got = self.read(number, 4096)
        if got:
            raise Wrong(f"it receives {got!r}")

    def read(self, number, size):
        try:
            return self.clients[number].recv(size)
        except ConnectionResetError:
            return b""
        except socket.timeout:
            raise Wrong("nothing comes, and no end") from None

    def close(self):
        for process in self.processes.values():
            try:
                if process.pid is not None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(60)  # whatever the machine is busy with
            except ProcessLookupError:
                pass  # it has ended, and all that it has started
            process.channel.close()
            process.theirs.close()
        for each in [self.listener, *self.clients.values(), *self.copies.values()]:
            each.close()


def hold(conversation, options):
    """What went wrong; "" if nothing did."""
    play, at = Play(conversation, options), ""
    try:
        for line, words in conversation.steps:
            at = f"line {line}: {shlex.join(words)}"
            play.step(*words)
    except Wrong as wrong:
        able = [f" (or --can {need[1:]} is missing)" for need in conversation.needs if need[0] == "!"]
        return f"{at}: {wrong}{''.join(able)}"
    finally:
        play.close()
    return ""


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--capacity", type=int)
    parser.add_argument("--can", type=lambda words: words.split(","), default=[])
    parser.add_argument("--only")
    parser.add_argument("file", help="conversations.txt")
    parser.add_argument("command", nargs="+", help="starts the handler: program and arguments")
    options = parser.parse_args(arguments)
    if shutil.which(options.command[0]) is None:
        parser.error(f"{options.command[0]}: no program that can be started")
    if set(options.can) - set(CAN):
        parser.error(f"--can takes {', '.join(CAN)}")
    count = held = failed = 0
    lacks = set()
    for conversation in read_conversations(options.file):
        if options.only in (None, conversation.name):
            skipped = conversation.why_not(options)
            wrong = "" if skipped else hold(conversation, options)
            lacks.update(skipped.split()[1:] if skipped.startswith("needs ") else [])
            count, held, failed = count + 1, held + (not skipped), failed + bool(wrong)
            note = f" # SKIP {skipped}" if skipped else f"\n# {wrong}" if wrong else ""
            print(f"{'not ok' if wrong else 'ok'} {count} - {conversation.name}{note}", flush=True)
    print(f"1..{count}\n# held {held}, failed {failed}, skipped {count - held}")
    if lacks:
        print(f"# skipped, as --capacity or --can does not say it: {' '.join(sorted(lacks))}")
    return 1 if failed or not held else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
