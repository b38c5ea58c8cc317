"""batond is killed, and a handler that has a client logs on: the client must not notice."""

import signal

import harness
import peers
import processes
from harness import SupervisorCase, service
from settings import DEADLINE_S, HANDLERS_DIR


class Outlive(SupervisorCase):
    def check(self, name, keys):
        """Returns the pids of the handler, leader first, that its end may be waited for."""
        supervisor = self.supervisor({name: keys})
        client = supervisor.connect(name)
        self.addCleanup(client.close)
        self.assert_answered(client, "first")
        supervisor.wait_event("output", service=name)
        pids = processes.descendants(supervisor.pid)
        supervisor.process.send_signal(signal.SIGKILL)
        supervisor.process.wait(DEADLINE_S)
        for number in range(20):
            self.assert_answered(client, f"line {number}")
        client.close()
        for pid in pids:
            self.assertTrue(processes.wait_for_end(pid, DEADLINE_S), "it ends with its client")

    def assert_answered(self, client, line):
        client.send(line + "\n")
        self.assertIn(client.socket.recv(1000), (b"OK", b"answer to " + line.encode() + b"\n"))

    def test_libbaton(self):
        self.check("ok", service("ok"))

    def test_python(self):
        ended = self.folder() / "ended"
        self.check("last", service(peers.program(
            "outlive.py", f"{peers.quoted(str(HANDLERS_DIR))} {peers.quoted(str(ended))}")))
        self.assertEqual(ended.read_text(), "0")


if __name__ == "__main__":
    harness.main()
