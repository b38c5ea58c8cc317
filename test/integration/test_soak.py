"""Many connections: none is lost, and nothing is left of them but their records."""

import os
import time

import harness
import processes
from harness import SupervisorCase, misbehave, service
from settings import ON_WINE, SANITIZED, SOAK_COUNT, size

AT_ONCE = size(200, 50 if ON_WINE else 100)
WARM_UP = size(100, 50)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
POOL_IDLE_S = 60
BURSTS_COUNT = 6


class Soak(SupervisorCase):
    def start(self):
        return self.supervisor({
            "ok": service("ok", max_connections=AT_ONCE, handshake_timeout_ms=60000),
            "hold": misbehave("--serve hold", max_connections=AT_ONCE,
                              handshake_timeout_ms=120000),
            "facts": misbehave("--serve parent")})

    def ask_ok(self, supervisor):
        with supervisor.connect("ok", deadline_s=120) as client:
            client.send("Hello")
            self.assertEqual(client.socket.recv(100).strip(), b"OK")
            client.end()
            self.assertEqual(client.rest().strip(), "")

    def measure(self, supervisor):
        """What the supervisor holds when it has nothing to do: handles, children, memory."""
        served = sum(supervisor.clients.values())
        supervisor.wait_events(served, "connection")
        for pid in supervisor.left_over():
            # The record comes with DONE; the process itself ends a moment later.
            self.assertTrue(processes.wait_for_end(pid, 60), processes.command_line(pid))
        if ON_WINE:
            # Asked of Windows itself, by a handler; its own process is part of every count.
            with supervisor.connect("facts") as client:
                facts = dict(word.split("=") for word in client.line().split())
            supervisor.record(client)
            for pid in supervisor.left_over():
                processes.wait_for_end(pid, 60)
            return int(facts["handles"]), processes.private_bytes(supervisor.pid)
        return (len(processes.descriptors(supervisor.pid)),
                processes.private_bytes(supervisor.pid))

    def rest(self, supervisor):
        """What it has when nothing is under way any more: the least of some looks."""
        return min(self.measure(supervisor) for _ in range(1 if ON_WINE else 50))

    def check(self, supervisor, before, when):
        handles, private = self.measure(supervisor)
        # What handlers have had is closed soon, by another thread; and the threads of Windows' thread
        # pool outlive a burst by some seconds of idleness, and they have handles. What is lost never comes back, so waiting hides no leak.
        give_up_s = time.monotonic() + POOL_IDLE_S
        while handles > before[0] and time.monotonic() < give_up_s:
            handles, private = self.measure(supervisor)
        print(f"{when}: handles {before[0]} -> {handles}, private bytes {before[1]} -> {private}",
              flush=True)
        self.assertGreater(handles, 5, "the count itself works")
        self.assertEqual(handles, before[0], f"handles {when}")
        self.assertEqual(supervisor.left_over(), {}, f"processes {when}")
        if not SANITIZED and not ON_WINE:
            # Wine's own memory, which it has beside the program's, comes and goes by a megabyte.
            self.assertLessEqual(private - before[1], PAGE_BYTES, f"private memory {when}")

    def test_in_a_row_then_at_once(self):
        supervisor = self.start()
        for _ in range(WARM_UP):
            self.ask_ok(supervisor)
        if not ON_WINE:
            self.all_at_once(supervisor)  # tables keep the pages that the most at once have touched
        before = self.rest(supervisor)
        for _ in range(SOAK_COUNT):
            self.ask_ok(supervisor)
        self.check(supervisor, before, f"after {SOAK_COUNT} in a row")
        self.check_bursts(supervisor, before)
        self.stop(supervisor)
        outcomes = {record["outcome"] for record in supervisor.records()}
        self.assertEqual(outcomes, {"served"})

    def check_bursts(self, supervisor, before):
        """A burst may have more of something at once than those before it, and its page stays. What is
        lost at each comes again with the next, so memory has to come to rest."""
        handles, private = before
        for _ in range(BURSTS_COUNT):
            self.all_at_once(supervisor)
            least = self.rest(supervisor)[1]
            if SANITIZED or ON_WINE or least <= private + PAGE_BYTES:
                self.check(supervisor, (handles, private), f"after {AT_ONCE} at once")
                return
            private = least
        self.fail(f"private memory grows with each burst, from {before[1]} to {private}")

    def all_at_once(self, supervisor):
        clients = [supervisor.connect("hold", deadline_s=120) for _ in range(AT_ONCE)]
        pids = {client.line().split()[1] for client in clients}
        self.assertEqual(len(pids), AT_ONCE, "all live at the same time")
        for client in clients:
            client.end()
        for client in clients:
            self.assertEqual(client.rest(), "")
            client.close()


if __name__ == "__main__":
    harness.main()
