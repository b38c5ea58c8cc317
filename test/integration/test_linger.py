"""Sockets that take an hour to close. Whatever a handler leaves behind, another service answers, and the
stop ends batond: a close that waited would keep both from it until the test's deadline."""

import os
import pathlib
import signal
import socket
import time
import unittest

import harness
import peers
import processes
from harness import SupervisorCase, misbehave, service
from settings import DEADLINE_S, REFUSES_RIGHTS, SANITIZED

CROWD = 115
FEW = 6
FAILURES = 5  # in a row: who comes after them is refused
MORE_THAN_THREADS = 40
SMALL_BYTES = 4096
SHIM = os.environ.get("BATON_TAKES_RIGHTS", "")


class Lingering(SupervisorCase):
    def serve(self, way, count, handoff="channel", environment=None, **keys):
        """`count` slow clients one after the other; the neighbour answers all the time.

        The next one comes when the last one's handler has ended: each has the supervisor stopped until
        then, and by the child that lets it go on another one, which stands in the close of a copy
        that is the last one, would be left there.
        """
        supervisor = self.supervisor(
            {"slow": service(peers.program("linger.py", way), handoff=handoff, attempts=1,
                             max_connections=CROWD + 10, **keys),
             "line": misbehave()}, environment=environment)
        clients = []
        for i in range(count):
            clients.append(supervisor.connect("slow", receive_bytes=SMALL_BYTES))
            self.assertIn("served", supervisor.ask("line", "hello"))
            supervisor.wait_events(i + 1, "connection", service="slow")
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)
        for client in clients:
            client.close()
        return supervisor

    def test_one_after_the_other(self):
        for way in ("ack", "done", "nack"):
            with self.subTest(way):
                self.serve(way, FEW)
        self.serve("stdio", FEW, handoff="stdio")

    def test_a_crowd(self):
        supervisor = self.supervisor(
            {"slow": service(peers.program("linger.py", "stdio"), handoff="stdio",
                             max_connections=CROWD),
             "line": misbehave()})
        clients = [supervisor.connect("slow", receive_bytes=SMALL_BYTES) for _ in range(CROWD)]
        self.assertIn("served", supervisor.ask("line", "hello"))
        supervisor.wait_events(CROWD, "connection", service="slow")
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)
        for client in clients:
            client.close()

    def hold_threads(self, way, outcome):
        supervisor = self.supervisor(
            {"slow": service(peers.program("linger.py", way), attempts=1, max_connections=CROWD),
             "line": misbehave()})
        for _ in range(MORE_THAN_THREADS):
            supervisor.connect("slow")
        supervisor.wait_events(MORE_THAN_THREADS, "connection", service="slow", outcome=outcome)
        for _ in range(FEW):
            self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)

    @unittest.skipUnless(os.uname().machine == "x86_64" and os.geteuid() == 0, "userfaultfd(2)")
    def test_ends_that_nothing_ends(self):
        """Who stands in a call on the socket keeps its end from the client, and nobody else's."""
        self.hold_threads("hold", "rejected")

    @unittest.skipUnless(os.uname().machine == "x86_64" and os.geteuid() == 0, "userfaultfd(2)")
    def test_closes_that_nothing_ends(self):
        """The same of who stands in a call on an epoll that has the socket."""
        self.hold_threads("watch", "served")

    @unittest.skipUnless(os.uname().machine == "x86_64" and os.geteuid() == 0, "userfaultfd(2)")
    def test_a_restart(self):
        """It waits for who is in such a call, of which execve(2) would else wait for the end, while others are served."""
        supervisor = self.supervisor(
            {"slow": service(peers.program("linger.py", "hold"), attempts=1), "line": misbehave()})
        supervisor.connect("slow")
        supervisor.wait_event("connection", service="slow", outcome="rejected")
        supervisor.signal(signal.SIGUSR2)
        give_up_s = time.monotonic() + DEADLINE_S
        while not supervisor.find("restart_failed") and time.monotonic() < give_up_s:
            self.assertIn("served", supervisor.ask("line", "hello"))
        supervisor.wait_event("restart_failed")
        supervisor.signal(signal.SIGUSR2)
        supervisor.wait_events(2, "restarting")
        for pid in processes.marked(supervisor.mark):
            if "linger.py" in processes.command_line(pid):
                os.kill(pid, signal.SIGKILL)
        supervisor.wait_event("restarted")
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)

    def test_by_its_output(self):
        supervisor = self.serve("output", FEW, handoff="stdio")
        self.assertEqual({r["exit"] for r in supervisor.find("connection", service="slow")}, {"3"})

    @unittest.skipUnless(REFUSES_RIGHTS, "Linux 6.16 and later")
    def test_by_the_channel(self):
        supervisor = self.serve("rights", FAILURES)
        self.assertEqual({r["exit"] for r in supervisor.find("connection", service="slow")}, {"3"})

    @unittest.skipUnless(pathlib.Path(SHIM).is_file() and not SANITIZED, "needs its library")
    def test_by_the_channel_of_an_older_system(self):
        supervisor = self.serve("rights", FAILURES, environment={"LD_PRELOAD": SHIM})
        reasons = {e["reason"] for e in supervisor.find("protocol_error", service="slow")}
        self.assertEqual(reasons, {"a descriptor or other control data came with it"})

    def test_a_listener_that_became_a_connection(self):
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
            server.bind(("127.0.0.1", 0))
            server.listen()
            supervisor = self.supervisor(
                {"slow": service(peers.program("linger.py", "listener"), handoff="listener"),
                 "line": misbehave()})
            with harness.Client(supervisor.address("slow")) as client:
                client.send(f"{server.getsockname()[1]}\n".encode())
                self.assertEqual(client.line(), "filled")
                supervisor.wait_event("activation", service="slow")
                self.assertIn("served", supervisor.ask("line", "hello"))
                self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
