"""Console programs as handlers, by standard streams and by pumps; cmd.exe on Windows; and what
Windows, or Wine 8, has not got."""

import subprocess
import threading
import unittest

import harness
from harness import EXIT_CONFIG, SupervisorCase, service, shared
from settings import (BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE, clean_environment, executable,
                      system_path)

MODES = ("stdio", "pump")
CMD = r"C:\windows\system32\cmd.exe"


class Console(SupervisorCase):
    """A C program of standard input and output alone; Windows gives its lines \\r\\n."""

    def test_a_conversation(self):
        supervisor = self.supervisor(
            {mode: service("console upper", handoff=mode) for mode in MODES})
        for mode in MODES:
            with self.subTest(mode=mode), supervisor.connect(mode) as client:
                self.assertEqual(client.ask("hello").rstrip("\r"), "HELLO")
                self.assertEqual(client.ask("again").rstrip("\r"), "AGAIN")
                client.end()
                self.assertEqual(client.rest().rstrip("\r\n"), "2 lines")
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["exit"]), ("served", "0"), mode)
        self.stop(supervisor)

    def test_the_exit_code_and_both_streams(self):
        supervisor = self.supervisor({
            f"{mode}-{where}": service("console leave 3", handoff=mode, stderr=where)
            for mode in MODES for where in ("log", "socket")})
        for mode in MODES:
            for where in ("log", "socket"):
                name = f"{mode}-{where}"
                with self.subTest(name):
                    with supervisor.connect(name) as client:
                        heard = sorted(client.rest().splitlines())
                    record = supervisor.record(client)
                    self.assertEqual((record["outcome"], record["exit"]), ("failed", "3"))
                    if where == "log":
                        self.assertEqual(heard, ["to the output"])
                        line = supervisor.wait_event("output", service=name)
                        self.assertEqual((line["text"], line["pid"]),
                                         ("to the error stream", record["pid"]))
                    else:
                        self.assertEqual(heard, ["to the error stream", "to the output"])
                        self.assertEqual(supervisor.find("output", service=name), [])
        self.stop(supervisor)

    @unittest.skipUnless(ON_WINE, "a signal elsewhere")
    def test_a_stop_by_ctrl_break(self):
        """Wine 8 knows none, so its programs are ended, without a second wait; platform_win32_break has them told by
        Ctrl-C."""
        supervisor = self.supervisor(
            {mode: service("console upper", handoff=mode, stop_timeout_ms=600) for mode in MODES})
        clients = {mode: supervisor.connect(mode) for mode in MODES}
        for client in clients.values():
            self.assertEqual(client.ask("hello").rstrip("\r"), "HELLO")
        self.stop(supervisor)
        for mode, client in clients.items():
            client.close()
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["signal"]), ("drained", str(0xC000013A)), mode)
            self.assertEqual(supervisor.wait_event("terminate", service=mode)["pid"], record["pid"])
            failed = supervisor.wait_event("break_failed", service=mode)
            self.assertEqual(failed["pid"], record["pid"])
            self.assertRegex(failed["reason"], "^GenerateConsoleCtrlEvent: ")
            self.assertEqual(supervisor.find("kill", service=mode), [])

    def test_bytes_of_every_kind(self):
        supervisor = self.supervisor(
            {mode: service("console copy", handoff=mode) for mode in MODES})
        sent = bytes(range(256)) * 64
        for mode in MODES:
            with self.subTest(mode=mode), supervisor.connect(mode) as client:
                client.send(sent)
                client.end()
                heard = b""
                while piece := client.socket.recv(65536):
                    heard += piece
                self.assertEqual(heard, sent)
            self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)


class Libbaton(SupervisorCase):
    """The SDK with the connection on standard input. To Winsock an inherited socket may be unknown, as it
    is under Wine 8; it must serve all the same, and what the client is told must not be lost."""

    def test_the_shipped_handlers(self):
        names = ("ok", "echo", "daytime", "time", "discard", "env")
        supervisor = self.supervisor({name: service(name, handoff="stdio") for name in names})
        with supervisor.connect("ok") as client:
            for _ in range(2):
                client.send("Hello")
                self.assertEqual(client.socket.recv(100), b"OK")
            client.end()
            self.assertEqual(client.rest(), "")
        sent, heard = bytes(range(256)) * 2048, b""
        with supervisor.connect("echo") as echo:
            thread = threading.Thread(target=lambda: (echo.send(sent), echo.end()))
            thread.start()
            while piece := echo.socket.recv(65536):
                heard += piece
            thread.join(DEADLINE_S)
        self.assertEqual(heard, sent)
        with supervisor.connect("daytime") as daytime:
            daytime.send("not read before the answer is sent")
            self.assertIn("-UTC", daytime.rest())
        with supervisor.connect("env") as env:
            facts = dict(line.split(" ", 1) for line in env.rest().splitlines())
        with supervisor.connect("time") as seconds:
            self.assertEqual(len(seconds.socket.recv(100)), 4)
            self.assertEqual(seconds.rest(), "")
        with supervisor.connect("discard") as discard:
            discard.send(sent)
            discard.end()
            self.assertEqual(discard.rest(), "")
        for client in (client, echo, daytime, seconds, discard, env):
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["exit"]), ("served", "0"))
        self.assertEqual(record["peer"], facts["peer"])
        self.stop(supervisor)


@unittest.skipUnless(ON_WINE, "cmd.exe is a program of Windows")
class Cmd(SupervisorCase):
    def test_one_command(self):
        supervisor = self.supervisor(
            {mode: service(f"{CMD} /d /c echo one two", handoff=mode) for mode in MODES})
        for mode in MODES:
            with self.subTest(mode=mode), supervisor.connect(mode) as client:
                self.assertEqual(client.rest().strip(), "one two")
            self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_a_conversation(self):
        supervisor = self.supervisor(
            {mode: service(f"{CMD} /d /q", handoff=mode) for mode in MODES})
        for mode in MODES:
            with self.subTest(mode=mode):
                with supervisor.connect(mode) as client:
                    # One line at a time: Wine's cmd.exe takes what is there and uses the first line.
                    client.send("echo first-answer\r\n")
                    self.assertTrue(any("first-answer" in client.line() for _ in range(10)))
                    client.send("exit 5\r\n")
                    client.rest()
                record = supervisor.record(client)
                self.assertEqual((record["outcome"], record["exit"]), ("failed", "5"))
        self.stop(supervisor)


@unittest.skipUnless(ON_WINE, "what Windows, or Wine 8, has not got")
class NotHere(SupervisorCase):
    def check(self, text):
        folder = self.folder()
        (folder / "services.ini").write_text(text)
        (folder / "script.bat").write_text("@echo off\r\necho hello\r\n")
        return subprocess.run(
            [*EMULATOR, str(BIN_DIR / executable("batond")), "-c",
             system_path(folder / "services.ini"), "--handlers", system_path(shared().handlers),
             "--check"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=DEADLINE_S, env=clean_environment(), check=False)

    def test_a_batch_file_is_refused_in_every_mode(self):
        for mode in ("channel", "listener", *MODES):
            path = "script.bat" if mode == "channel" else r"C:\script.bat"
            done = self.check(f"[a]\nlisten = 0\nhandler = {path}\nhandoff = {mode}\n")
            with self.subTest(mode=mode):
                self.assertEqual(done.returncode, EXIT_CONFIG)
                self.assertIn(b":3:", done.stderr)
                self.assertIn(b".bat", done.stderr)
                self.assertIn(b"interpreter", done.stderr, "the cure")

    def test_a_local_socket_fails_with_words(self):
        supervisor = self.launch({"local": {"listen": "local.sock", "protocol": "unix",
                                            "handler": "ok"}, "other": service("ok")})
        failed = supervisor.wait_event("listen_failed", service="local")
        self.assertIn("local.sock", failed["address"])
        self.assertIn("local sockets", failed["reason"])
        with supervisor.connect("other") as client:
            client.send("Hello")
            self.assertEqual(client.socket.recv(100).strip(), b"OK")
            client.end()
            client.rest()
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
