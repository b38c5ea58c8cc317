"""What handlers/PROTOCOL.md says in the hands of others: a handler in Go and one for node.exe, which were
written from the page alone, and the page's own recipes, which run here as they stand there."""

import concurrent.futures
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import threading
import unittest

import harness
import peers
from harness import SupervisorCase, service, shared
from peers import quoted
from settings import DEADLINE_S, EMULATOR, ON_WINE, clean_environment, executable, system_path

SOURCE_DIR = pathlib.Path(os.environ["BATON_SOURCE_DIR"])
PAGE = (SOURCE_DIR / "handlers" / "PROTOCOL.md").read_text(encoding="utf-8")
FOREIGN_DIR = pathlib.Path(__file__).parent / "foreign"
BUILD_DEADLINE_S = 240  # the library for Windows is compiled anew, while other tests run
SIZE_BYTES = 300000


def lines_of_all_bytes(seed):
    """Lines as the drill wants them: it sends back what ends with a line feed."""
    return random.Random(seed).randbytes(SIZE_BYTES) + b"\n"


class Foreign(SupervisorCase):
    def exchange(self, client, data):
        """What comes back, byte for byte, until the other side ends; `data` is sent meanwhile."""
        def send():
            client.send(data)
            client.end()

        sender = threading.Thread(target=send)
        sender.start()
        parts = []
        while not parts or parts[-1]:
            parts.append(client.socket.recv(65536))
        sender.join(DEADLINE_S)
        return b"".join(parts)

    def check_bytes(self, supervisor, name):
        data = lines_of_all_bytes(name)
        with supervisor.connect(name) as client:
            self.assertTrue(self.exchange(client, data) == data, f"{name}: other bytes came back")
        record = supervisor.record(client)
        self.assertEqual({key: record.get(key) for key in (
            "outcome", "status", "attempts", "bytes_in", "bytes_out")}, {
                "outcome": "served", "status": "0", "attempts": "1",
                "bytes_in": str(len(data)), "bytes_out": str(len(data))}, name)


# ---- Go ----

# Beside the other handlers.
GO_TARGETS = ({"go-drill.exe": ("windows", "amd64"), "go-drill-32.exe": ("windows", "386")}
              if ON_WINE else {"go-drill": ("linux", "amd64")})

# Windows' library is compiled for this alone; Debian's for Linux would be thrown away with such a flag.
BUILT_FAST = ("-gcflags=all=-l", "-ldflags=-s -w") if ON_WINE else ()


def run_go(*arguments, target=()):
    """Nothing is fetched for it. Cgo stays as it is: so what Debian has compiled for Linux will do."""
    variables = dict(zip(("GOOS", "GOARCH"), target))
    peers.run(peers.server("go"), *arguments, ".", deadline_s=BUILD_DEADLINE_S, cwd=FOREIGN_DIR / "go",
              env=clean_environment(GOENV="off", GOFLAGS="-buildvcs=false", GOPROXY="off",
                                    GOTOOLCHAIN="local", GOCACHE=str(peers.PEERS_DIR / "go-cache"),
                                    **variables))


class Go(Foreign):
    @classmethod
    def setUpClass(cls):
        folder = shared().handlers
        with concurrent.futures.ThreadPoolExecutor() as pool:
            running = [pool.submit(run_go, "build", *BUILT_FAST, "-o", folder / name, target=target)
                       for name, target in GO_TARGETS.items()]
        for each in running:
            each.result()

    def test_under_batond(self):
        """On Windows its sockets are at a completion port of its own."""
        drill = executable("go-drill")
        # However long the machine takes, nobody is to be ended who ends by itself.
        supervisor = self.supervisor({"defaults": {"stop_timeout_ms": 1000 * DEADLINE_S},
                                      "go": service(drill),
                                      "short": service(drill, max_runtime_ms=1)})
        self.check_bytes(supervisor, "go")
        self.check_bytes(supervisor, "go")
        with supervisor.connect("go") as client:
            client.send("fail 7\n")
            self.assertEqual(client.rest(), "")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["status"]), ("failed", "7"))
        # CANCEL comes; that there is a DONE after it says that the handler has obeyed.
        with supervisor.connect("short") as client:
            self.assertEqual(client.rest(), "")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["status"]), ("timed_out", "1"))
        # DRAIN comes, and ends nothing.
        with supervisor.connect("go") as client:
            self.assertEqual(client.ask("before"), "before")
            supervisor.signal()
            supervisor.wait_event("stopping")
            self.assertEqual(client.ask("after"), "after")
            client.end()
            self.assertEqual(client.rest(), "")
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["status"]), ("served", "0"))
        self.check_end(supervisor)

    @unittest.skipUnless(ON_WINE, "elsewhere no listener comes by a channel")
    def test_a_kind_that_it_does_not_serve(self):
        supervisor = self.supervisor({"go": service(executable("go-drill"), handoff="listener")})
        with supervisor.connect("go") as client:
            first = supervisor.wait_event("activation")
            supervisor.clients[client.name, client.server] -= 1  # nobody records it
        self.assertEqual(first["outcome"], "rejected")
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "for the machine that compiles")
    def test_vectors(self):
        run_go("test", "-vet=off", "-count=1")

    @unittest.skipIf(ON_WINE, "the small supervisor is for Linux")
    def test_every_conversation(self):
        text = peers.run(sys.executable, SOURCE_DIR / "test" / "conversation" / "supervisor.py",
                         "--capacity", "4", "--can", "again,nack,retire,cancel,strict",
                         SOURCE_DIR / "test" / "golden" / "wire" / "conversations.txt",
                         "--", shared().handlers / "go-drill").decode()
        held = [line for line in text.splitlines() if line.startswith("ok ") and "# SKIP" not in line]
        self.assertGreater(len(held), 80, text)

    @unittest.skipUnless(ON_WINE, "a program for Windows")
    def test_32_bits(self):
        """It runs where Wine has its half for 32 bits; everywhere else it is at least built."""
        program = shared().handlers / "go-drill-32.exe"
        start = program.read_bytes()[:1024]
        header, = struct.unpack_from("<I", start, 0x3C)
        self.assertEqual(start[header:header + 6], b"PE\0\0\x4c\x01", "IMAGE_FILE_MACHINE_I386")
        alone = subprocess.run([*EMULATOR, str(program)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               timeout=DEADLINE_S, check=False, env=clean_environment())
        if alone.returncode != 1:  # what a handler ends with that nobody has started
            self.skipTest("no Wine for 32 bits")
        supervisor = self.supervisor({"go": service(program.name)})
        self.check_bytes(supervisor, "go")
        self.stop(supervisor)


# ---- Node ----

@unittest.skipUnless(ON_WINE, "node.exe")
class NodeOnWindows(Foreign):
    def test_the_socket_becomes_one_of_nodes_own(self):
        node = peers.PEERS_DIR / "node"
        supervisor = self.supervisor({"node": service(
            f"{quoted(system_path(node / 'node.exe'))} "
            f"{quoted(system_path(FOREIGN_DIR / 'node' / 'handler.js'))}",
            environment=f"NODE_PATH={quoted(system_path(node / 'node_modules'))}")})
        self.check_bytes(supervisor, "node")
        with supervisor.connect("node") as client:
            self.assertEqual(client.ask("hello"), "hello")
            client.end()
            self.assertEqual(client.rest(), "")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)


# ---- The page's recipes ----

RECIPES = {name: code for _, name, code in
           re.findall(r"^```(js|java) (\S+)\n(.*?)^```", PAGE, re.M | re.S)}


@unittest.skipIf(ON_WINE, "for Linux")
class Recipes(SupervisorCase):
    def test_each_is_run(self):
        self.assertEqual(set(RECIPES), {"node-listener", "node-stdio", "Serve"})

    def write(self, name, suffix):
        path = self.folder() / f"{name}{suffix}"
        path.write_text(RECIPES[name], encoding="utf-8")
        return path

    def check_greeting(self, supervisor, name, address):
        with supervisor.connect(name) as client:
            self.assertEqual(client.line(), f"hello {address}")
            client.end()
            self.assertEqual(client.rest(), "")
        return client

    def check_listener(self, supervisor, name, address, **ends):
        """Two clients of one process, which then is told to end."""
        for _ in range(2):
            client = self.check_greeting(supervisor, name, address)
            supervisor.clients[client.name, client.server] -= 1  # nobody records it
        self.assertEqual(supervisor.find("activation"), [])
        self.stop(supervisor)
        activation, = supervisor.find("activation", service=name)
        self.assertEqual({key: activation.get(key) for key in ends}, ends)

    def check_stdio(self, supervisor, name, address):
        for _ in range(2):
            client = self.check_greeting(supervisor, name, address)
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["exit"]), ("served", "0"))

    def test_node(self):
        node = quoted(peers.tool("node"))
        supervisor = self.supervisor({
            "listener": service(f"{node} {quoted(self.write('node-listener', '.js'))}",
                                handoff="listener"),
            "stdio": service(f"{node} {quoted(self.write('node-stdio', '.js'))}", handoff="stdio")})
        self.check_stdio(supervisor, "stdio", "127.0.0.1")
        self.check_listener(supervisor, "listener", "127.0.0.1", outcome="served", exit="0")

    def test_java(self):
        java = peers.tool("java")
        source = self.write("Serve", ".java")
        # The runtime of Debian has the compiler's module, and no javac.
        peers.run(java, "-XX:TieredStopAtLevel=1", "-m", "jdk.compiler/com.sun.tools.javac.Main",
                  "-d", source.parent, source)
        command = f"{quoted(java)} -cp {quoted(source.parent)} Serve"
        supervisor = self.supervisor({"listener": service(command, handoff="listener"),
                                      "stdio": service(command, handoff="stdio")})
        self.check_stdio(supervisor, "stdio", "/127.0.0.1")
        self.check_listener(supervisor, "listener", "/127.0.0.1", outcome="drained", exit="143")


if __name__ == "__main__":
    harness.main()
