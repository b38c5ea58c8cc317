"""Where services listen: ranges of ports, lists, names, local sockets; what their sockets are like;
and what handlers are told of it."""

import grp
import json
import os
import pwd
import random
import socket
import stat
import unittest

import harness
import peers
from client import Client
from harness import SupervisorCase, misbehave, service
from settings import DEADLINE_S, ON_WINE
from test_proxy import facts_of


class Ports(SupervisorCase):
    def listening(self, supervisor, name):
        return [event["address"] for event in supervisor.find("listening", service=name)]

    def test_a_range_and_a_list(self):
        first = peers.free_ports(6)
        supervisor = self.supervisor({"many": misbehave(
            listen=f"{first}-{first + 3}, 127.0.0.1:{first + 5}", bind="127.0.0.1")})
        expected = [f"127.0.0.1:{first + n}" for n in (0, 1, 2, 3, 5)]
        self.assertEqual(self.listening(supervisor, "many"), expected)
        for place in expected:
            with Client(harness.split_address(place)) as client:
                self.assertIn("served", client.ask("hello"))
                client.rest()
            record = supervisor.wait_event("connection", peer=client.name)
            self.assertEqual((record["outcome"], record["local"]), ("served", place))
            supervisor.expect_record(record)
        self.stop(supervisor)

    def test_a_range_in_the_short_form(self):
        first = peers.free_ports(3)
        supervisor = self.supervisor({"ports": {f"{first}-{first + 2}": "misbehave"},
                                      "defaults": {"bind": "127.0.0.1"}})
        self.assertEqual(self.listening(supervisor, "misbehave"),
                         [f"127.0.0.1:{first + n}" for n in range(3)])
        self.stop(supervisor)

    def test_one_port_of_a_range_is_taken(self):
        first = peers.free_ports(4)
        taken = f"127.0.0.1:{first + 2}"
        with socket.create_server(("127.0.0.1", first + 2)):
            supervisor = self.launch({"many": misbehave(listen=f"127.0.0.1:{first}-{first + 3}")})
            failed = supervisor.wait_event("listen_failed", service="many")
            self.assertEqual(failed["address"], taken)
            self.assertIn("in use", failed["reason"])
            for number in (0, 1, 3):
                with Client(("127.0.0.1", first + number)) as client:
                    self.assertIn("served", client.ask("the others serve"))
                    client.rest()
                supervisor.expect_records(1, peer=client.name, outcome="served")
        supervisor.wait_event("listening", service="many", address=taken)
        self.assertEqual(len(supervisor.find("listen_failed", address=taken)),
                         len(supervisor.find("listen_failed")), "no other port has failed")
        self.stop(supervisor)

    def test_both_families_for_one_service(self):
        supervisor = self.supervisor({"both": misbehave(listen="127.0.0.1:0, [::1]:0")})
        places = self.listening(supervisor, "both")
        self.assertEqual([harness.split_address(place)[0] for place in places],
                         ["127.0.0.1", "::1"])
        for place in places:
            with Client(harness.split_address(place)) as client:
                self.assertIn("served", client.ask("hello"))
                client.rest()
            supervisor.expect_records(1, peer=client.name, local=place, outcome="served")
        self.stop(supervisor)

    def test_one_socket_for_both_families(self):
        supervisor = self.supervisor({"dual": misbehave(listen="[::]:0", v6only="no")})
        _, port = supervisor.address("dual")
        for host, local in (("127.0.0.1", f"127.0.0.1:{port}"), ("::1", f"[::1]:{port}")):
            with Client((host, port)) as client:
                self.assertIn("served", client.ask("hello"))
                client.rest()
            supervisor.expect_records(1, peer=client.name, local=local, outcome="served")
        self.stop(supervisor)

    def test_one_socket_for_ipv6_alone(self):
        with socket.socket() as four:  # or another test's supervisor might get the port's other half
            four.bind(("127.0.0.1", 0))
            port = four.getsockname()[1]
            supervisor = self.supervisor({"six": misbehave(listen=f"[::]:{port}")})
            with self.assertRaises(ConnectionRefusedError):
                Client(("127.0.0.1", port))
            self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "ports below 1024 are asked for by name; what Wine's list has varies")
    def test_a_name_of_the_systems_list(self):
        """Names that have high ports, as nobody but root may have low ones."""
        def is_free(port):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return False
                return True

        named = {"postgresql": 5432, "mysql": 3306, "rsync": 873, "git": 9418, "svn": 3690}
        names = list(named.items())
        random.shuffle(names)  # another may look for one at the same time
        name, port = next((name, port) for name, port in names
                          if (port > 1023 or os.getuid() == 0) and is_free(port))
        supervisor = self.supervisor({"named": misbehave(listen=f"127.0.0.1:{name}")})
        self.assertEqual(self.listening(supervisor, "named"), [f"127.0.0.1:{port}"])
        self.stop(supervisor)


class Told(SupervisorCase):
    def test_templates_in_arguments_and_environment(self):
        supervisor = self.supervisor({"given": service(
            "env {service} {id} {port} {peer_address}:{peer_port} {{literal}} x{port}y",
            environment='WHO="{peer_address} at {port}" PLAIN=yes')})
        with supervisor.connect("given") as client:
            text = client.rest()
        record = supervisor.record(client)
        _, port = supervisor.address("given")
        arguments = [line.split(" ", 1)[1] for line in text.splitlines()
                     if line.startswith("argument ")]
        self.assertEqual(arguments[1:], ["given", record["id"], str(port), client.name,
                                         "{literal}", f"x{port}y"])
        facts = facts_of(text)
        self.assertEqual(facts["WHO"], f"127.0.0.1 at {port}")
        self.assertEqual(facts["PLAIN"], "yes")
        self.stop(supervisor)

    def test_the_variables_in_every_mode_that_knows_its_client(self):
        supervisor = self.supervisor({"channel": service("env")})
        clients = [supervisor.connect("channel") for _ in range(2)]
        texts = [client.rest() for client in clients]
        port = str(supervisor.address("channel")[1])
        for client, text in zip(clients, texts):
            host, peer_port = client.name.split(":")
            expected = {"PROTO": "TCP", "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": port,
                        "TCPREMOTEIP": host, "TCPREMOTEPORT": peer_port, "REMOTE_ADDR": host,
                        "REMOTE_PORT": peer_port, "SERVER_ADDR": "127.0.0.1",
                        "SERVER_PORT": port, "BATON_SERVICE": "channel",
                        "BATON_ID": supervisor.record(client)["id"], "BATON_HANDOFF": "channel",
                        "BATON_REUSE": "1", "BATON_HANDSHAKE_MS": "5000",
                        "BATON_FACTS": "environment",
                        "BATON_STOP_MS": "5000"}
            facts = facts_of(text)
            self.assertEqual({name: facts.get(name) for name in expected}, expected)
            client.close()
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "it needs a program that prints its environment")
    def test_the_same_by_standard_streams_and_by_a_pump(self):
        supervisor = self.supervisor({mode: service(peers.tool("env"), handoff=mode)
                                      for mode in ("stdio", "pump")})
        for mode in ("stdio", "pump"):
            with self.subTest(mode), supervisor.connect(mode) as client:
                found = dict(line.split("=", 1) for line in client.rest().splitlines())
            record = supervisor.record(client)
            self.assertEqual(
                (found["PROTO"], f"{found['TCPREMOTEIP']}:{found['TCPREMOTEPORT']}",
                 found["BATON_SERVICE"], found["BATON_ID"], found["TCPCONNNUM"]),
                ("TCP", client.name, mode, record["id"], "1"))
            self.assertEqual((found["BATON_HANDOFF"], found["BATON_STOP_MS"]), (mode, "5000"))
            for name in ("BATON_CHANNEL", "BATON_REUSE", "BATON_HANDSHAKE_MS"):
                self.assertNotIn(name, found)
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "a handler in Python; test/platform asks Windows itself")
class Options(SupervisorCase):
    def options(self, **keys):
        supervisor = self.supervisor({"options": service(peers.program("options.py"),
                                                         handoff="stdio", **keys)})
        with supervisor.connect("options") as client:
            found = json.loads(client.rest())
        self.stop(supervisor)
        return found

    def test_as_the_system_has_them(self):
        found = self.options()
        self.assertEqual((found["nodelay"], found["keepalive"]), (0, 0))

    def test_as_the_config_has_them(self):
        wanted = {"keepalive_idle_s": 77, "keepalive_interval_s": 7, "keepalive_count": 3}
        found = self.options(nodelay="yes", keepalive="yes", receive_buffer_bytes=40000,
                             send_buffer_bytes=50000, **wanted)
        self.assertEqual((found["nodelay"], found["keepalive"]), (1, 1))
        self.assertEqual({name: found[name] for name in wanted}, wanted)
        # Linux doubles what is asked for, for its own book-keeping.
        self.assertEqual((found["receive_buffer_bytes"], found["send_buffer_bytes"]),
                         (80000, 100000))

    def test_a_client_that_only_connects_launches_nothing(self):
        supervisor = self.supervisor({"deferred": misbehave(defer_accept_s=600)})
        with supervisor.connect("deferred") as silent, supervisor.connect("deferred") as client:
            self.assertIn("served", client.ask("hello"))
            supervisor.record(client)
            self.assertEqual(len(supervisor.records()), 1)
            self.assertEqual(supervisor.left_over(DEADLINE_S), {}, "no handler for the silent one")
            self.assertIn("served", silent.ask("now"))
        self.stop(supervisor)


@unittest.skipIf(ON_WINE, "Wine 8 has no local sockets: test_console.py")
class LocalSockets(SupervisorCase):
    def start(self, folder=None, **keys):
        return self.supervisor({"local": {"listen": "local.sock", "protocol": "unix",
                                          "handler": "env", **keys}},
                               folder=folder or self.folder())

    def path(self, supervisor):
        return supervisor.folder / "local.sock"

    def ask(self, supervisor):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE_S)
            client.connect(str(self.path(supervisor)))
            facts = facts_of(client.makefile(encoding="utf-8").read())
        record = supervisor.wait_event("connection", id=facts["BATON_ID"])
        supervisor.expect_record(record)
        return facts, record

    def test_the_peer_is_known(self):
        supervisor = self.start()
        facts, record = self.ask(supervisor)
        self.assertEqual((facts["UNIXREMOTEEUID"], facts["UNIXREMOTEPID"]),
                         (str(os.getuid()), str(os.getpid())))
        self.assertEqual(facts["PROTO"], "UNIX")
        self.assertEqual(facts["UNIXLOCALPATH"], str(self.path(supervisor)))
        self.assertEqual((record["outcome"], record["local"]),
                         ("served", str(self.path(supervisor))))
        self.assertEqual(record["peer"], f"uid:{os.getuid()},pid:{os.getpid()}")
        self.stop(supervisor)
        self.assertFalse(self.path(supervisor).exists(), "the file goes with its listener")

    def test_mode(self):
        for text, mode in ((None, 0o600), ("0660", 0o660), ("0666", 0o666)):
            supervisor = self.start(**({"mode": text} if text else {}))
            found = self.path(supervisor).stat()
            self.assertTrue(stat.S_ISSOCK(found.st_mode))
            self.assertEqual(stat.S_IMODE(found.st_mode), mode)
            self.assertEqual(found.st_uid, os.getuid())
            self.stop(supervisor)

    def test_owner(self):
        """To give a file away takes root; a group of one's own can be given by anybody."""
        if os.getuid() == 0:
            user, group = pwd.getpwnam("daemon"), grp.getgrnam("nogroup")
            owner, expected = "daemon:nogroup", (user.pw_uid, group.gr_gid)
        else:
            group = grp.getgrgid(os.getgroups()[-1])
            owner, expected = f":{group.gr_name}", (os.getuid(), group.gr_gid)
        supervisor = self.start(owner=owner, mode="0660")
        found = self.path(supervisor).stat()
        self.assertEqual((found.st_uid, found.st_gid), expected)
        self.stop(supervisor)

    def test_a_stale_file_is_replaced(self):
        first = self.start()
        first.process.kill()
        first.wait()
        self.assertTrue(self.path(first).exists(), "what a crash leaves behind")
        second = self.start(folder=first.folder)
        self.assertEqual(self.ask(second)[1]["outcome"], "served")
        self.stop(second)

    def test_a_socket_in_use_is_left_alone(self):
        first = self.start()
        second = self.launch({"local": {"listen": str(self.path(first)), "protocol": "unix",
                                        "handler": "env"}, "other": misbehave()})
        failed = second.wait_event("listen_failed", service="local")
        self.assertEqual(failed["address"], str(self.path(first)))
        self.assertIn("in use", failed["reason"])
        self.assertIn("served", second.ask("other", "goes on"))
        self.stop(second)
        self.assertEqual(self.ask(first)[1]["outcome"], "served")
        # The second one has looked whether somebody is there, now and then. What that comes to depends
        # on how far a handler was when it left again.
        first.signal()
        first.wait()
        looks = first.find("connection", peer=f"uid:{os.geteuid()},pid:{second.pid}")
        self.assertLessEqual({record["outcome"] for record in looks},
                             {"abandoned", "served", "failed"})
        self.assertGreater(len(looks), 0)
        for record in looks:
            first.expect_record(record)
        self.check_end(first)

    def test_an_owner_who_does_not_exist(self):
        supervisor = self.launch({"local": {"listen": "local.sock", "protocol": "unix",
                                            "handler": "env", "owner": "no-such-user"},
                                  "other": misbehave()}, folder=self.folder())
        self.assertEqual(supervisor.wait(), harness.EXIT_CONFIG)

    def test_a_file_in_the_way_is_left_alone(self):
        folder = self.folder()
        (folder / "local.sock").write_text("precious")
        supervisor = self.launch({"local": {"listen": "local.sock", "protocol": "unix",
                                            "handler": "env"}, "other": misbehave()},
                                 folder=folder)
        failed = supervisor.wait_event("listen_failed", service="local")
        self.assertEqual(failed["address"], str(folder / "local.sock"))
        self.assertIn("the file is no socket", failed["hint"])
        self.assertIn("served", supervisor.ask("other", "goes on"))
        self.stop(supervisor)
        self.assertEqual((folder / "local.sock").read_text(), "precious")


if __name__ == "__main__":
    harness.main()
