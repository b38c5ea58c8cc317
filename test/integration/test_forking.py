"""Servers that fork for each client, in C and in Python, under batond: a child for each connection, and
records, limits and ends that are as right as those of a process of its own."""

import errno
import os
import pathlib
import signal
import sys

import harness
import processes
from harness import DEADLINE_S, SupervisorCase, service

FORKER_PY = pathlib.Path(__file__).resolve().parents[1] / "conversation" / "forker.py"
CAPACITY = 8


class Who:
    """What a child says of itself."""

    def __init__(self, client):
        words = client.ask("pid").split()
        self.pid, self.server, self.group = map(int, words[:3])
        self.service, self.peer, self.local, self.id = words[3:]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Forking:
    """What both SDKs have to do. `handler` is the server."""

    def start(self, **keys):
        keys = {"reuse": 0, "capacity": CAPACITY, "max_handlers": 1, "stop_timeout_ms": 20000, **keys}
        return self.supervisor({"fork": service(f"{self.handler} {CAPACITY}", **keys)})

    def connect(self, supervisor, count):
        """Clients that are served."""
        clients, whos = [], []
        for _ in range(count):
            clients.append(supervisor.connect("fork"))
            whos.append(Who(clients[-1]))
        return clients, whos

    def test_eight_at_once(self):
        supervisor = self.start()
        clients, whos = self.connect(supervisor, CAPACITY)
        server = whos[0].server
        self.assertEqual({who.server for who in whos}, {server})
        self.assertEqual({who.group for who in whos}, {server})
        self.assertEqual(len({who.pid for who in whos}), CAPACITY)
        for client, who in zip(clients, whos):
            self.assertEqual((who.service, who.peer, who.local), ("fork", client.name, client.server))
            self.assertEqual(client.ask("open").strip(), f"0 1 2 {self.client_is}=client")
        count = 0
        for client, who in zip(clients, whos):
            client.end()
            self.assertEqual(client.rest(), "")
            record = supervisor.record(client)
            wanted = {"outcome": "served", "pid": str(who.pid), "id": who.id, "status": "0"}
            self.assertEqual({key: record[key] for key in wanted}, wanted)
            # A child may answer before the server has let go of what it had for the fork, and none that has ended.
            count = count or descriptors(server)
        with supervisor.connect("fork") as another:
            self.assertEqual(Who(another).server, server)
        supervisor.record(another)
        self.assertEqual(processes.descendants(server), [], "zombies too")
        self.assertEqual(descriptors(server), count)
        self.stop(supervisor)
        self.assertEqual([event["text"] for event in supervisor.find("output")], self.said_at_the_end)

    def test_how_a_child_ends(self):
        supervisor = self.start()
        clients, whos = self.connect(supervisor, 5)
        bystander = clients.pop()
        for line, wanted in (
            ("exit 9", {"outcome": "failed", "status": "9"}),
            ("fail 7", {"outcome": "failed", "status": "7"}),
            ("signal 9", {"outcome": "failed", "status": "137", "text": "ended by signal 9"}),
            ("text it is so", {"outcome": self.outcome_of_text, "text": self.text_of("it is so")}),
        ):
            client = clients.pop()
            client.send(line + "\n")
            client.end()
            client.rest()
            record = supervisor.record(client)
            self.assertEqual({key: record.get(key) for key in wanted}, wanted, line)
        self.assertEqual(bystander.ask("here"), "here")
        bystander.close()
        self.stop(supervisor)

    def test_who_was_left_behind_counts_for_nobody(self):
        """It returns when its place is another client's, whose record is not its affair."""
        supervisor = self.start()
        clients, _ = self.connect(supervisor, 1)
        clients[0].send("leave\n")
        supervisor.record(clients[0])
        self.assertEqual(clients[0].ask("still here"), "still here")
        others, whos = self.connect(supervisor, 1)
        clients[0].end()
        self.assertEqual(clients[0].rest(), "")
        others[0].send("signal 9\n")
        others[0].rest()
        record = supervisor.record(others[0])
        self.assertEqual((record["pid"], record["status"]), (str(whos[0].pid), "137"))
        self.assertNotIn("bytes_in", record)
        self.stop(supervisor)

    def test_who_runs_too_long(self):
        supervisor = self.start(max_runtime_ms=300, stop_timeout_ms=400)
        obeys, whos = self.connect(supervisor, 1)
        self.assertEqual(obeys[0].rest(), "")
        wanted = {"outcome": "timed_out", "status": "143", "text": "cancelled: ended by signal 15"}
        record = supervisor.record(obeys[0])
        self.assertEqual({key: record.get(key) for key in wanted}, wanted)
        ignores, others = self.connect(supervisor, 1)
        ignores[0].ask("ignore")
        self.assertEqual(ignores[0].rest(), "")
        wanted.update(status="137", text="cancelled: ended by signal 9")
        record = supervisor.record(ignores[0])
        self.assertEqual({key: record.get(key) for key in wanted}, wanted)
        _, after = self.connect(supervisor, 1)
        self.assertEqual({who.server for who in others + after}, {whos[0].server})
        self.stop(supervisor)

    def test_a_stop_that_does_not_wait(self):
        supervisor = self.start(stop_timeout_ms=300)
        clients, _ = self.connect(supervisor, 3)
        clients[0].ask("ignore")
        supervisor.signal()
        clients[1].send("last words\n")
        self.assertEqual(clients[1].line(), "last words")
        self.check_end(supervisor)
        self.assertEqual({record["outcome"] for record in supervisor.records()}, {"drained"})

    def test_a_stop_that_waits(self):
        supervisor = self.start()
        clients, _ = self.connect(supervisor, 2)
        supervisor.signal()
        supervisor.wait_event("stopping")
        for client in clients:
            self.assertEqual(client.ask("still here"), "still here")
            client.end()
            self.assertEqual(client.rest(), "")
        self.check_end(supervisor)
        self.assertEqual({record["outcome"] for record in supervisor.records()}, {"served"})

    def test_the_server_is_killed(self):
        """What it leaves is ended, and recorded as the end of the process that was launched."""
        supervisor = self.start()
        clients, whos = self.connect(supervisor, 3)
        clients[0].send("kill\n")
        for client in clients:
            client.rest()
            record = supervisor.record(client)
            self.assertEqual((record["outcome"], record["signal"]), ("crashed", "9"))
        for who in whos:
            self.assertTrue(processes.wait_for_end(who.pid, DEADLINE_S))
        others, after = self.connect(supervisor, 1)
        self.assertNotEqual(after[0].server, whos[0].server)
        others[0].close()
        self.stop(supervisor)

    def test_sigterm_to_the_server(self):
        """It takes nobody more, and its children live on until they have ended."""
        supervisor = self.start()
        clients, whos = self.connect(supervisor, 2)
        os.kill(whos[0].server, signal.SIGTERM)
        others, after = self.connect(supervisor, 1)
        while after[0].server == whos[0].server:  # an offer that has crossed the signal
            others[0].close()
            others, after = self.connect(supervisor, 1)
        others[0].close()
        for client in clients:
            self.assertEqual(client.ask("still here"), "still here")
            client.end()
            self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.assertTrue(processes.wait_for_end(whos[0].server, DEADLINE_S))
        self.stop(supervisor)

    def test_so_many_in_its_life(self):
        supervisor = self.start(reuse=3, capacity=2)
        clients, whos = [], []
        for _ in range(4):
            some, who = self.connect(supervisor, 1)
            some[0].end()
            some[0].rest()
            supervisor.record(some[0])
            clients, whos = clients + some, whos + who
        servers = [who.server for who in whos]
        self.assertEqual(servers[:3], [servers[0]] * 3)
        self.assertNotEqual(servers[3], servers[0])
        self.stop(supervisor)

    def test_one_that_waits_for_clients(self):
        """It is ready before the first one comes."""
        supervisor = self.supervisor({"supervisor": {"log_level": "debug"}, "fork": service(
            f"{self.handler} {CAPACITY}", reuse=0, capacity=CAPACITY, max_handlers=1, spares=1)})
        server = supervisor.wait_event("hello")["pid"]
        clients, whos = self.connect(supervisor, 2)
        self.assertEqual([str(who.server) for who in whos], [server] * 2)
        for client in clients:
            client.end()
            self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_no_room_for_a_process(self):
        """The client goes to another process, with nothing lost."""
        supervisor = self.start(max_handlers=2)
        clients, whos = self.connect(supervisor, 1)
        clients[0].ask("scarce")
        others, elsewhere = self.connect(supervisor, 1)
        self.assertNotEqual(elsewhere[0].server, whos[0].server)
        clients[0].end()
        self.assertEqual(supervisor.record(clients[0])["outcome"], "served")
        for client in others:
            client.end()
            self.assertEqual(supervisor.record(client)["outcome"], "served")
        why = f"cannot fork: {os.strerror(errno.EAGAIN)}"
        supervisor.wait_event("output", text=why)
        self.stop(supervisor)

    def test_a_listener(self):
        """Without a channel: it accepts by itself, and who finds no room waits."""
        supervisor = self.supervisor({"fork": service(
            f"{self.handler} {CAPACITY}", handoff="listener", stop_timeout_ms=20000)})
        address = supervisor.address("fork")
        clients = [harness.Client(address) for _ in range(3)]
        whos = [Who(client) for client in clients]
        self.assertEqual(len({who.server for who in whos}), 1)
        self.assertEqual(clients[0].ask("open").strip(), f"0 1 2 {self.client_is}=client")
        clients[0].ask("scarce")
        clients.append(harness.Client(address))
        self.assertEqual(Who(clients[-1]).server, whos[0].server)
        supervisor.signal()
        supervisor.wait_event("stopping")
        for client in clients:
            self.assertEqual(client.ask("still here"), "still here")
            client.end()
            self.assertEqual(client.rest(), "")
        self.check_end(supervisor)

    def test_a_socket_on_standard_input(self):
        supervisor = self.supervisor({"fork": service(f"{self.handler} {CAPACITY}", handoff="stdio")})
        client = supervisor.connect("fork")
        who = Who(client)
        client.send("fail 5\n")
        client.rest()
        record = supervisor.record(client)
        self.assertEqual((record["pid"], record["exit"]), (str(who.pid), "5"))
        self.stop(supervisor)


class InC(Forking, SupervisorCase):
    handler = "forker"
    client_is = 6
    said_at_the_end = ["the server ends"]
    outcome_of_text = "served"

    @staticmethod
    def text_of(words):
        return words

    def test_another_process_keeps_the_client(self):
        """The child's end is the connection's; what it has started is of the server's group."""
        supervisor = self.start()
        clients, _ = self.connect(supervisor, 1)
        clients[0].send("leave\n")
        self.assertEqual(supervisor.record(clients[0])["outcome"], "served")
        self.assertEqual(clients[0].ask("still here"), "still here")
        self.stop(supervisor)
        self.assertEqual(clients[0].rest(), "")


class InPython(Forking, SupervisorCase):
    handler = f"{sys.executable} {FORKER_PY}"
    client_is = 6
    said_at_the_end = []
    outcome_of_text = "failed"

    @staticmethod
    def text_of(words):
        return f"ValueError: {words}"


if __name__ == "__main__":
    harness.main()
