"""Sockets that are handed over: inetd's `wait` for datagrams, systemd's Accept=no for listeners."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest

import harness
import peers
import processes
from harness import SupervisorCase, address_text, service
from settings import (ALL_WANTED, DEADLINE_S, EMULATOR, HANDLERS_DIR, ON_WINE, clean_environment, executable,
                      system_path)

IDLE_SHARE = 0.2  # of a processor; a loop that spins uses all of one
WATCH_S = 1
ROUNDS = 15
CROWD = 100 if ALL_WANTED else 40  # each of them a Python that starts


def datagram_client(supervisor, name, deadline_s=DEADLINE_S):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(deadline_s)
    client.connect(supervisor.address(name))
    return client


def wait_for_brake(supervisor, name):
    """Until a handler that leaves at once is held back: the log says so, or the machine is so slow
    that 20 free launches and 20 more at ten a second were none too many."""
    start_s = time.monotonic()
    while not supervisor.find("held_back", service=name):
        count = len(supervisor.find("activation", service=name))
        if count > 40 and time.monotonic() - start_s > 2:
            return
        supervisor.wait_events(count + 1, "activation", service=name)


@unittest.skipIf(ON_WINE, "a handler in Python; what Windows hands over is a test of its own below")
class Datagrams(SupervisorCase):
    def start(self, **keys):
        return self.supervisor({"udp": service(peers.program("datagram.py"), protocol="udp",
                                               **keys)})

    def test_one_launch_after_the_other(self):
        supervisor = self.start()
        with datagram_client(supervisor, "udp") as client:
            pids = set()
            for number in range(5):
                client.send(b"text %d" % number)
                pid, text = client.recv(1000).split(b":")
                self.assertEqual(text, b"text %d" % number)
                pids.add(pid.decode())
        records = supervisor.wait_events(5, "activation", service="udp", outcome="served")
        self.assertEqual({record["pid"] for record in records}, pids)
        self.assertEqual(len(pids), 5)
        self.assertEqual({record["local"] for record in records},
                         {harness.address_text(supervisor.address("udp"))})
        self.stop(supervisor)

    def test_what_waits_meanwhile_is_for_the_next_one(self):
        supervisor = self.start()
        with datagram_client(supervisor, "udp") as client:
            for number in range(6):
                client.send(b"%d" % number)
            heard = [client.recv(1000).split(b":")[1] for _ in range(6)]
        self.assertEqual(heard, [b"%d" % number for number in range(6)])
        self.stop(supervisor)

    def check_it_is_braked(self, code, launches_max):
        """A handler that leaves without reading what waits; then one that reads it. A shell leaves,
        as Python takes longer to start than any brake would hold it."""
        script = 'if code=$(cat broken 2>/dev/null); then exit $code; fi; exec "$0" "$@"'
        supervisor = self.supervisor({"udp": service(
            f"{peers.tool('sh')} -c '{script}' {peers.program('datagram.py')}", protocol="udp")})
        (supervisor.state / "broken").write_text(str(code))
        with datagram_client(supervisor, "udp") as client:
            client.send(b"still here")
            wait_for_brake(supervisor, "udp")
            for held in supervisor.find("held_back"):
                self.assertIn("its handler", held["reason"])
                self.assertTrue(held["retry_ms"].isdigit())
            watch = processes.BusyWatch(supervisor.pid)
            before = len(supervisor.find("activation"))
            self.assertLess(watch.share(WATCH_S), IDLE_SHARE)
            self.assertLessEqual(len(supervisor.find("activation")) - before, launches_max)
            (supervisor.state / "broken").unlink()
            self.assertEqual(client.recv(1000).split(b":")[1], b"still here", "it heals by itself")
        self.stop(supervisor)
        outcomes = {event["outcome"] for event in supervisor.find("activation")}
        # The last one may still be on its way out when it is told to stop.
        self.assertLessEqual(outcomes, {"served" if code == 0 else "failed", "served", "drained"})

    def test_a_handler_that_does_not_read(self):
        self.check_it_is_braked(0, 15 * WATCH_S)

    def test_a_handler_that_fails(self):
        self.check_it_is_braked(1, 10 * WATCH_S)

    def test_a_handler_that_keeps_the_socket_costs_nothing(self):
        """Datagrams that wait while it works are no reason to wake up."""
        supervisor = self.supervisor({"udp": service(f"{peers.tool('sleep')} 600",
                                                     protocol="udp", stop_timeout_ms=500)})
        with datagram_client(supervisor, "udp") as client:
            client.send(b"first")
            for _ in range(100):
                client.send(b"more")
            watch = processes.BusyWatch(supervisor.pid)
            self.assertLess(watch.share(WATCH_S), IDLE_SHARE)
        self.stop(supervisor)
        self.assertEqual(len(supervisor.find("activation", outcome="drained")), 1)


@unittest.skipIf(ON_WINE, "descriptors and LISTEN_FDS are POSIX; the SDK's test below is for both")
class Listeners(SupervisorCase):
    def ask(self, supervisor, address):
        with socket.create_connection(address, DEADLINE_S) as client:
            return json.loads(client.makefile().readline())

    def test_what_it_is_given(self):
        supervisor = self.supervisor({"given": service(peers.program("listener.py"),
                                                       handoff="listener")})
        pids = set()
        for _ in range(3):
            facts = self.ask(supervisor, supervisor.address("given"))
            pids.add(facts.pop("pid"))
            self.assertEqual(facts, {"ours": True, "names": ["given"], "blocking": [True],
                                     "input_is": [3], "channel": None, "listening": [True],
                                     "ready": 3})
        records = supervisor.wait_events(3, "activation", service="given", outcome="served")
        self.assertEqual({int(record["pid"]) for record in records}, pids)
        self.stop(supervisor)

    def test_several_places_are_handed_over_together(self):
        supervisor = self.supervisor({"both": service(
            peers.program("listener.py"), listen="127.0.0.1:0, [::1]:0", handoff="listener")})
        places = supervisor.wait_events(2, "listening", service="both")
        for number, place in enumerate(places):
            facts = self.ask(supervisor, harness.split_address(place["address"]))
            self.assertEqual(facts["names"], ["both", "both"])
            self.assertEqual(facts["listening"], [True, True])
            self.assertEqual(facts["ready"], 3 + number, "descriptors are in the config's order")
            self.assertEqual(facts["input_is"], [facts["ready"]],
                             "standard input is the one where somebody waits")
            record = supervisor.wait_event("activation", pid=facts["pid"])
            self.assertEqual(record["local"], place["address"])
        self.stop(supervisor)

    def test_order_and_names_are_as_under_systemd(self):
        """What a program sees whose client has come to the second of two places."""
        port = peers.free_ports(2)
        peers.Server(self, peers.server("systemd-socket-activate"), "-l", f"127.0.0.1:{port}",
                     "-l", f"127.0.0.1:{port + 1}", "--fdname=http:admin", sys.executable, "-I", "-S",
                     peers.PROGRAMS_DIR / "listener.py", port=port + 1)
        theirs = self.ask(None, ("127.0.0.1", port + 1))
        supervisor = self.supervisor({"two": service(
            peers.program("listener.py"), listen="127.0.0.1:0, 127.0.0.1:0", handoff="listener",
            listen_names="http, admin")})
        places = supervisor.wait_events(2, "listening", service="two")
        ours = self.ask(supervisor, harness.split_address(places[1]["address"]))
        for fact in ("ours", "names", "listening", "ready"):
            self.assertEqual(ours[fact], theirs[fact], fact)
        self.assertEqual(ours["names"], ["http", "admin"])
        self.stop(supervisor)

    def test_a_local_socket_is_handed_over(self):
        supervisor = self.supervisor({"local": {
            "listen": "local.sock", "protocol": "unix", "handoff": "listener",
            "handler": peers.program("listener.py")}})
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE_S)
            client.connect(str(supervisor.folder / "local.sock"))
            self.assertEqual(json.loads(client.makefile().readline())["names"], ["local"])
        supervisor.wait_event("activation", service="local", outcome="served")
        self.stop(supervisor)

    def check_none_is_braked(self, supervisor, count):
        records = supervisor.wait_events(count, "activation", service="one")
        self.stop(supervisor)
        self.assertEqual(len(records), count, "launches")
        self.assertEqual([record for record in records if "took" in record], [])
        self.assertEqual(supervisor.find("held_back"), [])

    def test_one_client_after_the_other(self):
        """Each for a process that ends a millisecond after it, a hundred of them."""
        supervisor = self.supervisor({"one": service("daytime", handoff="listener",
                                                     environment="LIBBATON_IDLE_MS=1")})
        address = supervisor.address("one")
        for number in range(100):
            with socket.create_connection(address, DEADLINE_S) as client:
                self.assertTrue(client.makefile().readline(), "who was not served")
            supervisor.wait_events(number + 1, "activation", service="one")
        self.check_none_is_braked(supervisor, 100)

    def test_a_crowd_at_once(self):
        """Each for a process that takes one and ends."""
        supervisor = self.supervisor({"one": service(peers.program("takes_one.py"),
                                                     handoff="listener", backlog=200)})
        address = supervisor.address("one")
        clients = [socket.create_connection(address, DEADLINE_S) for _ in range(CROWD)]
        for client in clients:
            with client:
                self.assertTrue(client.makefile().readline(), "who was not served")
        self.check_none_is_braked(supervisor, CROWD)

    def test_clients_that_have_gone_again(self):
        """Each launch takes one, and as many wait as before, of whom the system tells no number."""
        handler = f"{peers.program('leaves_one.py')} {ROUNDS}"
        for family, keys in ((socket.AF_INET, {}),
                             (socket.AF_UNIX, {"listen": "local.sock", "protocol": "unix"})):
            with self.subTest(family.name):
                supervisor = self.supervisor({"one": service(handler, handoff="listener", **keys)})
                with socket.socket(family) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.connect(str(supervisor.folder / "local.sock") if keys else
                                   supervisor.address("one"))
                self.check_none_is_braked(supervisor, ROUNDS)

    def test_a_handler_that_does_not_accept(self):
        supervisor = self.supervisor({"bad": service(peers.tool("true"), handoff="listener"),
                                      "other": harness.misbehave()})
        with socket.create_connection(supervisor.address("bad"), DEADLINE_S):
            held = supervisor.wait_events(4, "held_back", service="bad")
            watch = processes.BusyWatch(supervisor.pid)
            self.assertIn("served", supervisor.ask("other", "hello"))
            self.assertLess(watch.share(WATCH_S), IDLE_SHARE)
        self.stop(supervisor)
        pauses_ms = [int(event["retry_ms"]) for event in held]
        self.assertEqual(pauses_ms[1:4], [2 * pause for pause in pauses_ms[:3]])
        self.assertIn("takes nobody", held[0]["reason"])
        self.assertEqual(supervisor.find("activation", service="bad")[1]["took"], "nobody")


@unittest.skipIf(ON_WINE, "descriptors are POSIX")
class Spoiled(SupervisorCase):
    """What a handler leaves behind is looked at when it has ended."""

    def start(self, what, **keys):
        supervisor = self.supervisor({"spoil": service(
            peers.program("spoil.py", what), **{"handoff": "listener", **keys})})
        return supervisor, supervisor.address("spoil")

    def ask(self, address):
        with socket.create_connection(address, DEADLINE_S) as client:
            return client.makefile().readline()

    def test_one_that_was_shut_down_is_made_anew(self):
        for what in ("shut", "turn"):
            with self.subTest(what):
                supervisor, address = self.start(what)
                for count in range(1, 4):
                    self.assertTrue(self.ask(address))
                    supervisor.wait_events(count, "listener_lost", address=address_text(address))
                    supervisor.wait_events(count + 1, "listening", service="spoil")
                self.assertEqual(supervisor.find("held_back"), [])
                self.stop(supervisor)

    def test_a_udp_socket_that_was_shut_down(self):
        supervisor, address = self.start("shut", protocol="udp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE_S)
            for count in range(1, 4):
                client.sendto(b"text", address)
                self.assertEqual(client.recv(100), b"text")
                supervisor.wait_events(count + 1, "listening", service="spoil")
        self.assertEqual(len(supervisor.find("activation")), 3, "none in vain")
        self.stop(supervisor)

    def test_a_port_that_another_process_has_taken(self):
        supervisor, address = self.start("take", leave_children="no")
        self.assertTrue(self.ask(address))
        failed = supervisor.wait_event("listen_failed", service="spoil")
        self.assertIn("in use", failed["reason"])
        self.assertEqual(supervisor.find("held_back"), [])
        processes.end([pid for pid in processes.marked(supervisor.mark) if pid != supervisor.pid])
        supervisor.wait_events(2, "listening", service="spoil")
        self.assertTrue(self.ask(address))
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "descriptors are POSIX; the SDK's test below is for both")
class Workers(SupervisorCase):
    """Several processes that share a listener, kept at their number."""

    COUNT = 3

    def start(self, **keys):
        return self.supervisor({"share": service(peers.program("worker.py"), **{
            "handoff": "listener", "workers": self.COUNT, **keys})})

    def client(self, address):
        """A client, and what the worker says that has it."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        client = socket.socket(family)
        self.addCleanup(client.close)
        client.settimeout(DEADLINE_S)
        client.connect(address)
        return client, json.loads(client.makefile().readline())

    def meet_all(self, address, pids=()):
        """The facts of all workers, by pid, but for those of `pids`."""
        found = {}
        deadline_s = time.monotonic() + DEADLINE_S
        while len(found) < self.COUNT and time.monotonic() < deadline_s:
            facts = self.client(address)[1]
            if facts["pid"] not in pids:
                found[facts["pid"]] = facts
        self.assertEqual(len(found), self.COUNT)
        return found

    def test_they_share_and_each_is_replaced(self):
        for listen, keys in (("127.0.0.1:0", {}), ("local.sock", {"protocol": "unix"})):
            with self.subTest(listen):
                supervisor = self.start(listen=listen, **keys)
                address = (str(supervisor.folder / listen) if keys else
                           supervisor.address("share"))
                first = self.meet_all(address)
                for facts in first.values():
                    self.assertTrue(facts["ours"] and facts["blocking"])
                self.assertEqual(len({facts["BATON_ID"] for facts in first.values()}), self.COUNT)
                self.assertEqual(supervisor.find("activation"), [], "they live")
                kept, facts = self.client(address)
                victim = next(pid for pid in first if pid != facts["pid"])
                os.kill(victim, 9)
                record = supervisor.wait_event("activation", service="share", outcome="crashed")
                self.assertEqual((record["pid"], record["id"]),
                                 (str(victim), first[victim]["BATON_ID"]))
                others = set(first) - {victim}
                second = self.meet_all(address)
                self.assertLess(others, set(second), "the others are undisturbed")
                kept.sendall(b"bye\n")
                self.assertEqual(kept.recv(10), b"", "as is who was served")
                self.stop(supervisor)
                self.assertEqual(len(supervisor.find("activation")), self.COUNT + 1)

    def test_one_that_ends_well_is_replaced(self):
        supervisor = self.start()
        address = supervisor.address("share")
        first = self.meet_all(address)
        client, facts = self.client(address)
        client.sendall(b"exit\n")
        supervisor.wait_event("activation", outcome="served", pid=facts["pid"])
        self.assertEqual(len(set(self.meet_all(address)) & set(first)), self.COUNT - 1)
        self.assertEqual(supervisor.find("held_back"), [])
        self.stop(supervisor)

    def test_a_listener_that_one_has_shut_down(self):
        supervisor = self.start()
        address = supervisor.address("share")
        first = self.meet_all(address)
        client, _ = self.client(address)
        client.sendall(b"shut\n")
        supervisor.wait_event("listener_lost", address=address_text(address))
        supervisor.wait_events(2, "listening", service="share")
        supervisor.wait_events(self.COUNT, "activation", service="share", outcome="drained")
        self.assertEqual(set(self.meet_all(address)) & set(first), set())
        self.assertEqual(supervisor.find("held_back"), [])
        self.stop(supervisor)

    def test_what_they_have_made_of_it_is_left_to_them(self):
        """One that waits for events would hang in accept(2) if it were made to block again."""
        supervisor = self.start()
        address = supervisor.address("share")
        first = self.meet_all(address)
        self.assertTrue(all(facts["blocks"] for facts in first.values()))
        client, facts = self.client(address)
        client.sendall(b"wait not\n")
        self.assertEqual(client.recv(10), b"done")
        victim = next(pid for pid in first if pid != facts["pid"])
        os.kill(victim, 9)
        supervisor.wait_event("activation", outcome="crashed")
        second = self.meet_all(address)
        self.assertFalse(any(facts["blocks"] for facts in second.values()))
        self.stop(supervisor)

    def test_they_are_replaced_when_their_program_has_changed(self):
        path = self.folder() / "worker"
        text = (peers.PROGRAMS_DIR / "worker.py").read_text()
        path.write_text(f"#!{sys.executable} -IS\n{text}")
        path.chmod(0o755)
        supervisor = self.supervisor({"share": service(f'"{path}"', handoff="listener",
                                                       workers=self.COUNT)})
        address = supervisor.address("share")
        first = self.meet_all(address)
        shutil.copy2(path, path.with_name("new"))
        os.replace(path.with_name("new"), path)
        supervisor.wait_events(self.COUNT, "activation", service="share", outcome="drained")
        self.assertEqual(set(self.meet_all(address)) & set(first), set())
        self.stop(supervisor)
        self.assertEqual(len(supervisor.find("handler_changed")), 1)
        self.assertEqual(len(supervisor.find("activation")), 2 * self.COUNT)
        self.assertEqual(supervisor.find("held_back"), [])

    def test_several_places_and_none_to_tell(self):
        supervisor = self.start(listen="127.0.0.1:0, 127.0.0.1:0")
        places = supervisor.wait_events(2, "listening", service="share")
        facts = self.client(harness.split_address(places[0]["address"]))[1]
        self.assertEqual((facts["LISTEN_FDS"], facts["SERVER_PORT"]), ("2", None))
        self.stop(supervisor)
        self.assertEqual([event for event in supervisor.find("activation") if "local" in event], [])

    def test_who_ends_at_once_is_paused_as_one(self):
        supervisor = self.supervisor({
            "bad": service(peers.tool("false"), handoff="listener", workers=8),
            "other": harness.misbehave()})
        held = supervisor.wait_events(4, "held_back", service="bad")
        watch = processes.BusyWatch(supervisor.pid)
        self.assertIn("served", supervisor.ask("other", "hello"))
        self.assertLess(watch.share(WATCH_S), IDLE_SHARE)
        self.stop(supervisor)
        pauses_ms = [int(event["retry_ms"]) for event in held]
        self.assertEqual(pauses_ms[:4], [100, 200, 400, 800])

    def test_datagrams(self):
        supervisor = self.supervisor({"udp": service(
            f"{peers.program('datagram.py')} 2", protocol="udp", workers=2)})
        with datagram_client(supervisor, "udp") as client:
            pids = []
            for number in range(8):
                client.send(b"%d" % number)
                pid, text = client.recv(1000).split(b":")
                self.assertEqual(text, b"%d" % number)
                pids.append(pid)
        self.assertGreaterEqual(len(set(pids)), 4, "two for each")
        # The last two may have one each, and go on.
        ended = sum(pids.count(pid) == 2 for pid in set(pids))
        self.assertGreaterEqual(ended, 3)
        supervisor.wait_events(ended, "activation", service="udp", outcome="served")
        self.stop(supervisor)


class Sdk(SupervisorCase):
    """A handler of ours that was not made for it takes listeners as well, on both systems."""

    def test_ok_with_a_listener(self):
        supervisor = self.supervisor({"ok": service("ok", handoff="listener",
                                                    stop_timeout_ms=5000)})
        for _ in range(3):
            with socket.create_connection(supervisor.address("ok"), DEADLINE_S) as client:
                client.sendall(b"Hello")
                self.assertEqual(client.recv(100).strip(), b"OK")
        self.assertEqual(supervisor.records(), [], "the handler accepts by itself")
        self.stop(supervisor)
        activations = supervisor.find("activation", service="ok")
        self.assertEqual(len(activations), 1, "one process for all")
        self.assertIn(activations[0]["outcome"], ("served", "drained"))

    def end_handlers(self, supervisor, count):
        """Ends the handler, by the system's own means: Wine was seen to miss the end of a process that
        Linux killed (the supervisor of before as well; its EXIT packet never came)."""
        if ON_WINE:
            said = supervisor.wait_events(count, "output", service="ok")
            subprocess.run([*EMULATOR, "taskkill.exe", "/f", "/pid", said[-1]["pid"]], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=DEADLINE_S,
                           env=clean_environment())
        else:
            processes.end([pid for pid in processes.marked(supervisor.mark) if pid != supervisor.pid])

    def test_a_handler_that_is_killed_is_launched_again(self):
        supervisor = self.supervisor({"ok": service("ok", handoff="listener")})
        pids = set()
        for count in (1, 2):
            with socket.create_connection(supervisor.address("ok"), DEADLINE_S) as client:
                client.sendall(b"Hello")
                self.assertEqual(client.recv(100).strip(), b"OK")
                self.end_handlers(supervisor, count)
            records = supervisor.wait_events(count, "activation", service="ok")
            if not ON_WINE:  # to which a process that Linux kills has exited with 0
                self.assertEqual(records[-1]["outcome"], "crashed")
            pids.add(records[-1]["pid"])
        self.assertEqual(len(pids), 2)
        self.stop(supervisor)

    def test_workers(self):
        """On Windows each gets the listener by its channel."""
        supervisor = self.supervisor({"supervisor": {"log_level": "debug"},
                                      "ok": service("ok", handoff="listener", workers=2)})
        if ON_WINE:  # who has said nothing yet is drained without an activation's pid
            supervisor.wait_events(2, "hello", service="ok")
        for count in (1, 2):
            clients = [socket.create_connection(supervisor.address("ok"), DEADLINE_S)
                       for _ in range(4)]
            for client in clients:
                with client:
                    client.sendall(b"Hello")
                    self.assertEqual(client.recv(100).strip(), b"OK")
            if count == 1 and ON_WINE:
                victim = supervisor.find("hello")[0]["pid"]
                subprocess.run([*EMULATOR, "taskkill.exe", "/f", "/pid", victim], check=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               timeout=DEADLINE_S, env=clean_environment())
                record = supervisor.wait_event("activation", service="ok")
                self.assertEqual(record["pid"], victim)
                supervisor.wait_events(3, "hello", service="ok")
        self.stop(supervisor)
        self.assertEqual(supervisor.find("terminate"), [], "none waits for a client of another's")
        records = supervisor.find("activation", service="ok")
        self.assertEqual(len({record["pid"] for record in records}), 3 if ON_WINE else 2)
        self.assertEqual(len(records), 3 if ON_WINE else 2)

    @unittest.skipUnless(ON_WINE, "where they tell when they are ready; the others are above")
    def test_workers_whose_program_has_changed(self):
        path = self.folder() / executable("program")
        shutil.copy2(HANDLERS_DIR / executable("ok"), path)
        supervisor = self.supervisor({
            "supervisor": {"log_level": "debug"},
            "ok": service(f'"{system_path(path)}"', handoff="listener", workers=2)})
        supervisor.wait_events(2, "hello")
        shutil.copy2(path, path.with_name("new"))
        os.replace(path.with_name("new"), path)
        supervisor.wait_event("handler_changed", service="ok")
        supervisor.wait_events(4, "hello")
        old = supervisor.wait_events(2, "activation", service="ok")
        self.assertEqual([record["id"] for record in old], ["1", "2"])
        with socket.create_connection(supervisor.address("ok"), DEADLINE_S) as client:
            client.sendall(b"Hello")
            self.assertEqual(client.recv(100).strip(), b"OK")
        self.stop(supervisor)
        self.assertEqual(len(supervisor.find("activation")), 4)
        self.assertEqual(supervisor.find("held_back"), [])

    def test_a_program_that_does_not_know_what_it_is_given(self):
        """It leaves at once, and what waits there still waits: it is braked, nothing spins."""
        good, bad = ("console leave 0", "console leave 1") if ON_WINE else (
            peers.tool("true"), peers.tool("false"))
        supervisor = self.supervisor({
            "udp": service(good, protocol="udp"), "tcp": service(bad, handoff="listener"),
            "other": harness.misbehave()})
        with datagram_client(supervisor, "udp") as client, \
                socket.create_connection(supervisor.address("tcp"), DEADLINE_S):
            client.send(b"still here")
            supervisor.wait_event("held_back", service="tcp")
            wait_for_brake(supervisor, "udp")
            watch = processes.BusyWatch(supervisor.pid)
            self.assertIn("served", supervisor.ask("other", "hello"))
            self.assertLess(watch.share(WATCH_S), IDLE_SHARE)
        self.stop(supervisor)

    def test_time_by_datagrams(self):
        supervisor = self.supervisor({"time": service("time", protocol="udp")})
        for _ in range(2):
            with datagram_client(supervisor, "time") as client:
                client.send(b"")
                self.assertEqual(len(client.recv(100)), 4, "RFC 868: 32 bits")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
