"""`[supervisor] inetd_conf`: an inetd.conf is served as it is, beside the config, and read anew by each reload.

Against the real inetds the same is compared with their imports in test_import_shapes.py.
"""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

import harness
import peers
from asked import DONE, AskedCase
from client import Client, await_refusal
from harness import service
from settings import BIN_DIR, DEADLINE_S, clean_environment, executable

OFF = "#<off># "  # as update-inetd switches a line off


class InetdConf(AskedCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="baton-")  # its lines know no quotes
        self.addCleanup(folder.cleanup)
        self.place_of_it = pathlib.Path(folder.name)
        self.place_of_it.chmod(0o755)
        self.path = self.place_of_it / "inetd.conf"
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.ports = iter(range(first := peers.free_ports(6), first + 6))

    def line(self, program, user=None, kind="stream tcp nowait"):
        """A line at a port of its own, and the port."""
        port = next(self.ports)
        return f"{port} {kind} {user or self.user} {program}\n", port

    def beside(self, **options):
        return self.served({"echo": service("echo")}, inetd_conf=self.path, default_user=self.user, **options)

    def ask(self, supervisor, port, text=b"hello\n"):
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
            supervisor.clients[harness.address_text(client.getsockname()), f"127.0.0.1:{port}"] += 1
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(100), b""))

    def check(self, supervisor):
        """What a check of its config says: services, warnings."""
        done = subprocess.run([str(BIN_DIR / executable("batonctl")), "check", str(supervisor.config)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=DEADLINE_S, check=False, env=clean_environment())
        self.assertEqual(done.returncode, DONE, done.stderr)
        return done.stdout.decode(), done.stderr.decode()

    def test_served_beside_the_config(self):
        upper, at = self.line("/usr/bin/tr tr a-z A-Z")
        off, port_off = self.line("/bin/cat cat")
        datagram, udp = self.line(f"{peers.PROGRAMS_DIR}/../programs/x", kind="dgram udp wait")
        launcher = self.place_of_it / "datagram"
        launcher.write_text(f"#!/bin/sh\nexec {peers.program('datagram.py')}\n")
        launcher.chmod(0o755)
        datagram = datagram.replace(f"{peers.PROGRAMS_DIR}/../programs/x", f"{launcher} datagram")
        self.path.write_text(f"# a comment\n#:OTHER: Other services\n{upper}{OFF}{off}{datagram}")
        supervisor = self.beside()
        self.assertEqual(self.ask(supervisor, at), b"HELLO\n")
        with self.assertRaises(ConnectionRefusedError):
            Client(("127.0.0.1", port_off))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(("127.0.0.1", udp))
            client.send(b"hello")
            self.assertIn(b"hello", client.recv(1000))
        self.assertEqual({row["SERVICE"] for row in self.rows("services")}, {"echo", str(at), str(udp)})
        self.assertEqual(supervisor.find("config_problem"), [])
        self.stop(supervisor)

    def test_a_line_that_is_wrong_is_told_and_alone(self):
        fine, at = self.line("/usr/bin/tr tr a-z A-Z")
        nobody, _ = self.line("/bin/cat cat", user="nobody-at-all")
        echo, _ = self.line("/bin/cat cat")
        taken = echo.replace(echo.split()[0], "echo", 1)
        self.path.write_text(f"{nobody}this is none\n{fine}{taken}")
        supervisor = self.beside()
        told = [event["text"] for event in supervisor.find("config_problem", level="warning")]
        self.assertEqual(len(told), 3)
        for line, words in zip(told, (":1: warning: there is no user `nobody-at-all`", ":2: warning: this line is no service",
                                      ":4: warning: echo: the config has a service of this name in ")):
            self.assertTrue(line.startswith(f"{self.path}{words}"), line)
        self.assertEqual(self.ask(supervisor, at), b"HELLO\n")
        out, err = self.check(supervisor)
        self.assertRegex(out, "valid, 2 services, 1 piece, [34] warnings")
        self.assertEqual(err.splitlines()[:3], told)  # perhaps one more: that root runs handlers
        # A reload tells who asked, and the log; what is served is served.
        answer = self.told("reload").splitlines()
        self.assertEqual(answer, ["unchanged echo", f"unchanged {at}", *told])
        self.assertEqual(len(supervisor.wait_events(6, "config_problem", level="warning")), 6)
        self.stop(supervisor)

    def test_each_reload_reads_it(self):
        one, first = self.line("/bin/cat cat")
        two, second = self.line("/usr/bin/tr tr a-z A-Z")
        supervisor = self.beside()
        missing = supervisor.wait_event("config_problem")["text"]
        self.assertIn(f"{self.path}: warning: is not there, ", missing)
        self.path.write_text(one)
        self.assertEqual(sorted(self.told("reload").splitlines()), [f"added {first}", "unchanged echo"])
        with Client(("127.0.0.1", first)) as client:
            supervisor.clients[client.name, client.server] += 1
            self.assertEqual(client.ask("a"), "a")
            self.path.write_text(OFF + one + two)
            self.assertEqual(sorted(self.told("reload").splitlines()),
                             [f"added {second}", f"removed {first}", "unchanged echo"])
            self.assertEqual(client.ask("b"), "b")
        await_refusal(("127.0.0.1", first))
        self.assertEqual(self.ask(supervisor, second), b"HELLO\n")
        # One that cannot be read takes nothing away.
        self.path.unlink()
        self.path.mkdir()
        self.told("reload", code=1)
        self.assertIn("supervisor.inetd_conf: ", supervisor.wait_event("config_problem", level="error")["text"])
        self.assertEqual(self.ask(supervisor, second), b"HELLO\n")
        self.path.rmdir()
        self.assertIn(f"removed {second}", self.told("reload"))
        supervisor.wait_events(3, "connection")
        self.stop(supervisor)

    def test_who_batond_was_judges_a_reload(self):
        """A batond that has become another user may not run what it serves."""
        if os.geteuid() != 0:
            self.skipTest("only root becomes another user")
        program = self.place_of_it / "own"
        shutil.copy("/bin/cat", program)
        program.chmod(0o700)
        line, at = self.line(f"{program} own")
        plain, never = self.line(f"{self.path} plain")
        self.path.write_text(line)
        supervisor = self.beside(user="nobody")
        self.assertEqual(self.ask(supervisor, at), b"hello\n")
        supervisor.reload()
        self.assertEqual(self.ask(supervisor, at), b"hello\n")
        self.path.write_text(line + plain)
        self.assertEqual(supervisor.reload()["unchanged"], "2")
        self.assertIn("there is no program", supervisor.find("config_problem")[-1]["text"])
        with self.assertRaises(ConnectionRefusedError):
            Client(("127.0.0.1", never))
        self.stop(supervisor)

    def test_what_inetd_does_itself(self):
        """At ports of root's."""
        if os.geteuid() != 0:
            self.skipTest("only root may listen there")
        self.path.write_text("127.0.0.3:time stream tcp nowait root internal\n"
                             "127.0.0.3:daytime dgram udp wait root internal\n")
        supervisor = self.beside()
        with socket.create_connection(("127.0.0.3", 37), DEADLINE_S) as client:
            supervisor.clients[harness.address_text(client.getsockname()), "127.0.0.3:37"] += 1
            self.assertEqual(len(b"".join(iter(lambda: client.recv(10), b""))), 4)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            client.connect(("127.0.0.3", 13))
            client.send(b"x")
            self.assertRegex(client.recv(100), rb"20\d\d")
        self.stop(supervisor)



if __name__ == "__main__":
    harness.main()
