"""Shortages at launches: what is refused to batond, or to one service alone. Clients wait, nobody is
lost or served twice, nothing spins, and it goes on by itself. All of it with a door that refuses."""

import collections
import concurrent.futures
import contextlib
import errno
import os
import resource
import select
import socket
import time
import unittest

import harness
import peers
import processes
from harness import SupervisorCase, misbehave, service
from settings import DEADLINE_S, copy_batond

SHIM = os.environ.get("BATON_FAILS_CALLS")
# For so long the supervisor has nothing to do but to wait.
QUIET_S = 2.0
# So often each service has its turn while there are more clients than descriptors.
TURNS_COUNT = 5
# Of the processor, at most.
IDLE_SHARE = 0.02
CLIENTS = 5
OWN_USER = processes.own_number()

MODES = ("channel", "stdio", "pump")
DOOR = {"max_per_source": 40, "rate": "100000/s burst 1000", "rate_per_source": "100000/s burst 900",
        "when_full": "refuse", "refuse_message": "not you\\r\\n"}


def services():
    """One of each mode, and one that lets nobody in."""
    return {**{mode: service("echo", handoff=mode, max_connections=40, **DOOR) if mode == "channel"
               else service("/bin/cat", handoff=mode, max_connections=40, **DOOR)
               for mode in MODES},
            "closed": service("echo", deny="127.0.0.0/8", **DOOR)}


def limit_processes(pids, count, most):
    """As the processes' own user, who may do that without privileges."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            if os.geteuid() == 0:
                os.setgid(OWN_USER)
                os.setuid(OWN_USER)
            for pid in pids:
                resource.prlimit(pid, resource.RLIMIT_NPROC, (count, most))
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, "the limit of processes could not be set"


class Shortage(SupervisorCase):
    def come(self, supervisor):
        clients = [supervisor.connect(name) for name in (*MODES, "closed") for _ in range(CLIENTS)]
        for client in clients:
            client.send("hello")
            client.end()
        return clients

    def quiet(self, supervisor, *clients):
        """Nobody hears anything, and no work is done."""
        before_s = processes.cpu_s(supervisor.pid)
        self.assertEqual(select.select(clients, [], [], QUIET_S)[0], [])
        self.assertLessEqual(processes.cpu_s(supervisor.pid) - before_s, QUIET_S * IDLE_SHARE,
                             "it spins")

    def check_service(self, supervisor, *names):
        for name in names or MODES:
            with supervisor.connect(name) as client:
                client.send("hello")
                client.end()
                self.assertEqual(client.rest(), "hello")

    def check_shortage(self, supervisor, begin, end, reason):
        self.check_service(supervisor)
        begin()
        with supervisor.connect("channel") as first:
            first.send("hello")
            first.end()
            supervisor.wait_event("accept_paused")
            clients = self.come(supervisor)
            self.quiet(supervisor, first, *clients)
            end()
            self.assertEqual(first.rest(), "hello")
        self.assertIn(reason, supervisor.find("accept_paused")[0]["reason"])
        for number, client in enumerate(clients):
            with client:
                self.assertEqual(client.rest(),
                                 "hello" if number < 3 * CLIENTS else "not you\r\n")
        supervisor.wait_events(4 + 3 * CLIENTS, "connection", outcome="served")
        supervisor.wait_events(CLIENTS, "connection", outcome="refused_access")
        supervisor.wait_event("accept_resumed")
        # As before, without a hand.
        self.check_service(supervisor)
        self.stop(supervisor)


@unittest.skipUnless(SHIM, "a library for LD_PRELOAD, which a sanitizer's own would have to come "
                           "before")
class Injected(Shortage):
    def fail_at(self, call, code):
        file = self.folder() / "fails"

        def begin():
            other = file.with_suffix(".new")
            other.write_text(f"{call} {code}\n", encoding="ascii")
            other.rename(file)

        supervisor = self.supervisor(
            services(), environment={"LD_PRELOAD": SHIM, "FAILS_CALLS": str(file)})
        self.check_shortage(supervisor, begin, file.unlink, call)

    def test_no_memory_for_a_process(self):
        self.fail_at("clone", errno.ENOMEM)

    def test_no_process(self):
        self.fail_at("clone", errno.EAGAIN)

    def test_no_memory_for_a_program(self):
        self.fail_at("execve", errno.ENOMEM)

    def test_no_memory_for_a_channel(self):
        self.fail_at("socketpair", errno.ENOMEM)

    def test_no_room_for_pipes(self):
        self.fail_at("pipe2", errno.ENFILE)


class Processes(Shortage):
    def test_the_limit_of_batonds_user(self):
        # The limit does not bind root. Where the build is need not be a place for others.
        folder = self.folder()
        program = copy_batond(folder)
        supervisor = self.supervisor(services(), folder=folder, program=program,
                                     user=OWN_USER if os.geteuid() == 0 else None)
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)

        def limit(count):
            # Who launches has limits of its own.
            pids = [supervisor.pid, *processes.launchers(supervisor.pid)]
            limit_processes(pids, count, most)

        self.check_shortage(supervisor, lambda: limit(1), lambda: limit(most), "clone")

    @unittest.skipUnless(os.geteuid() == 0, "a user of whom nobody else is takes root")
    def test_launchers_make_room(self):
        """They have the last processes that batond's user may have, and do nothing with them."""
        folder = self.folder()
        program = copy_batond(folder)
        for count in (1, 3):
            with self.subTest(launchers=count):
                supervisor = self.supervisor({"supervisor": {"launchers": count}, **services()},
                                             folder=folder, program=program, user=OWN_USER)
                launchers = processes.await_launchers(supervisor.pid, count, DEADLINE_S)
                self.assertEqual(len(launchers), count)
                _, most = resource.getrlimit(resource.RLIMIT_NPROC)
                limit_processes([supervisor.pid, *launchers], processes.tasks_count(OWN_USER), most)
                for _ in range(CLIENTS):
                    self.check_service(supervisor, "channel", "stdio")
                self.assertIn("clone", supervisor.wait_event("accept_paused")["reason"])
                limit_processes([supervisor.pid], most, most)
                self.stop(supervisor)

    @unittest.skipUnless(os.geteuid() == 0, "handlers of another user are launched by root")
    def test_the_limit_of_one_service(self):
        hold = {"stop_timeout_ms": 1000, "directory": "/", **DOOR}
        supervisor = self.supervisor({
            "few": misbehave("--serve hold", user=processes.own_account(), limit_processes=1, **hold),
            "others": service("echo", **DOOR)})
        clients = [supervisor.connect("few") for _ in range(CLIENTS)]
        for _ in range(CLIENTS):
            self.check_service(supervisor, "others")
        # Told once a second. Whether the process that is about to run is one of those that the limit
        # counts is the kernel's choice.
        supervisor.wait_events(2, "launch_waits", service="few")
        held = select.select(clients, [], [], 0)[0]
        waiting = [client for client in clients if client not in held]
        self.assertTrue(1 <= len(held) <= 2, held)
        self.quiet(supervisor, *waiting)
        self.assertEqual(supervisor.find("accept_paused"), [])
        for client in held + waiting:
            self.assertIn("holding", client.line())
            client.close()
        supervisor.wait_events(2 * CLIENTS, "connection", outcome="served")
        self.stop(supervisor)


class Descriptors(Shortage):
    """RLIMIT_NOFILE is reached, also by clients who are told why and stay."""

    def test_who_is_told_why_and_stays_takes_no_more_than_his_time(self):
        supervisor = self.supervisor(
            {"hold": misbehave("--serve hold", max_connections=500, stop_timeout_ms=1000,
                               handshake_timeout_ms=60000, **{**DOOR, "max_per_source": 400}),
             "closed": service("echo", deny="127.0.0.0/8", **DOOR)}, descriptor_limit=60)
        clients = [supervisor.connect("hold") for _ in range(60)]
        self.assertIn("holding", clients[0].line())
        supervisor.wait_event("accept_paused")
        refused = [supervisor.connect("closed") for _ in range(60)]
        self.quiet(supervisor, clients[0])
        for client in clients:
            if client is not clients[0]:
                self.assertIn("holding", client.line())
            client.close()
        for client in refused:
            self.assertIn(client.rest(), ("not you\r\n", ""))
            client.close()
        supervisor.wait_events(60, "connection", outcome="served")
        supervisor.wait_events(60, "connection", outcome="refused_access")
        with supervisor.connect("hold") as client:
            self.assertIn("holding", client.line())
        self.stop(supervisor)

    def test_each_service_has_its_turns(self):
        """Nobody is ever without clients who wait, and each that leaves makes room for one more."""
        names = ("crowd", "first", "second", "lent")
        supervisor = self.supervisor(
            {"crowd": service("/bin/cat", handoff="stdio"),
             "first": service("/bin/cat", handoff="stdio"), "second": service("echo"),
             "lent": service(peers.program("listener.py"), handoff="listener")},
            descriptor_limit=50)
        ends_s = time.monotonic() + DEADLINE_S
        counts = collections.Counter()

        def all_had_turns():
            return time.monotonic() > ends_s or min(counts[name] for name in names) >= TURNS_COUNT

        def come_again(name):
            while not all_had_turns():
                with supervisor.connect(name) as client:
                    client.send("x")
                    client.end()
                    self.assertEqual(client.rest(), "x")
                counts[name] += 1

        def take_the_loan():
            while not all_had_turns():  # an activation has no record of its client
                with socket.create_connection(supervisor.address("lent"), DEADLINE_S) as client:
                    self.assertEqual(client.recv(1), b"{")
                counts["lent"] += 1

        with concurrent.futures.ThreadPoolExecutor(50) as crowd:
            threads = [crowd.submit(come_again, name) for name in ("crowd",) * 40 + names[1:3]]
            threads.append(crowd.submit(take_the_loan))
            for thread in threads:
                thread.result()
        supervisor.wait_event("accept_paused")
        self.assertGreaterEqual(min(counts[name] for name in names), TURNS_COUNT, counts)
        # By turns 7 to 30 of the crowd come to one of the same kind; without them 500 do.
        self.assertLess(counts["crowd"], 100 * counts["first"], counts)
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
