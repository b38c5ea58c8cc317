"""Serving: from a config to answered clients."""

import concurrent.futures
import select
import subprocess
import unittest

import harness
import peers
import processes
from harness import SupervisorCase, misbehave, service, shared
from settings import (BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE,
                      clean_environment, executable)

LATER_S = 0.5  # how long something that must not happen is waited for


def run_demo(address):
    """The demo client's exit code and output. It is built for the same system as the supervisor;
    everywhere else in these tests the clients are Linux sockets."""
    program = BIN_DIR / executable("baton-demo")
    done = subprocess.run([*EMULATOR, str(program), harness.address_text(address)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=DEADLINE_S, env=clean_environment())
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", errors="replace")


class Demo(SupervisorCase):
    def serve_demo(self, config_format):
        supervisor = self.supervisor({"ok": service("ok")}, config_format=config_format)
        code, text = run_demo(supervisor.address("ok"))
        self.assertEqual(code, 0, text)
        for number in range(1, 6):
            self.assertIn(f"Hello, I am thread-{number}", text)
        self.assertGreaterEqual(text.count("OK"), 10, text)
        records = supervisor.wait_events(5, "connection", service="ok", outcome="served")
        for record in records:
            supervisor.expect_record(record)
        self.stop(supervisor)
        self.assertEqual(len(supervisor.records()), 5)

    def test_five_greetings_ini(self):
        self.serve_demo("ini")

    def test_five_greetings_yaml(self):
        self.serve_demo("yaml")

    def test_the_demo_fails_where_nobody_answers(self):
        supervisor = self.supervisor({"ok": service("ok")})
        address = supervisor.address("ok")
        self.stop(supervisor)
        code, text = run_demo(address)
        self.assertNotEqual(code, 0, text)


    def test_its_command_line(self):
        program = [*EMULATOR, str(BIN_DIR / executable("baton-demo"))]
        for words, wanted in (["-n", "0"], "`0`"), (["--clients=many"], "`many`"), (["-n"], "must follow `-n`"), \
                (["--nonsense"], "unknown argument `--nonsense`"), (["-x"], "unknown argument `-x`"), \
                (["nowhere"], "`nowhere`"), (["a:1", "b:2"], "`b:2`"):
            done = subprocess.run([*program, *words], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=DEADLINE_S, env=clean_environment(), check=False)
            self.assertEqual((done.returncode, done.stdout), (harness.EXIT_USAGE, b""), words)
            self.assertIn(wanted, done.stderr.decode())
            self.assertIn("--help", done.stderr.decode())


class Handlers(SupervisorCase):
    def test_ok_answers_each_message(self):
        supervisor = self.supervisor({"ok": service("ok")})
        with supervisor.connect("ok") as client:
            for message in (b"Hello", b"Goodbye"):
                client.send(message)
                self.assertEqual(client.socket.recv(100).strip(), b"OK")
            client.end()
            self.assertEqual(client.rest().strip(), "")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_echo_gives_back_every_byte(self):
        supervisor = self.supervisor({"echo": service("echo")})
        sent = bytes(range(256)) * 1024
        with supervisor.connect("echo") as client, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            sending = pool.submit(lambda: (client.send(sent), client.end()))
            received = b""
            while len(received) < len(sent):
                part = client.socket.recv(65536)
                self.assertTrue(part, "the echo ended early")
                received += part
            sending.result()
            self.assertEqual(client.rest(), "")
        self.assertEqual(received, sent)
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_env_shows_what_the_config_gives(self):
        supervisor = self.supervisor({"given": service(
            'env "two words" grüße', environment='COLOUR=blue "NAME2=a b"')})
        with supervisor.connect("given") as client:
            client.end()
            text = client.rest()
        for wanted in ("given", client.name, "two words", "grüße", "COLOUR=blue", "NAME2=a b"):
            self.assertIn(wanted, text)
        self.stop(supervisor)

    def test_the_clients_end_of_sending_is_not_the_end(self):
        supervisor = self.supervisor({"line": misbehave()})
        with supervisor.connect("line") as client:
            client.send("half closed\n")
            client.end()
            self.assertIn("half closed", client.rest())
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)


class Addresses(SupervisorCase):
    def test_ipv6(self):
        supervisor = self.supervisor({"six": misbehave(listen="[::1]:0")})
        with supervisor.connect("six") as client:
            self.assertIn("served", client.ask("hello"))
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_bind_gives_the_host(self):
        supervisor = self.supervisor({"a": {"listen": "0", "handler": "misbehave",
                                            "bind": "127.0.0.1"},
                                      "b": {"listen": "0", "handler": "misbehave", "bind": "::1"}})
        self.assertEqual(supervisor.address("a")[0], "127.0.0.1")
        self.assertEqual(supervisor.address("b")[0], "::1")
        self.stop(supervisor)

    def test_ports_are_named_by_their_handler(self):
        supervisor = self.supervisor({"ports": {"0": "misbehave"},
                                      "defaults": {"bind": "127.0.0.1"}})
        self.assertIn("served", supervisor.ask("misbehave", "hello"))
        self.stop(supervisor)

    def test_a_disabled_service_does_not_listen(self):
        supervisor = self.supervisor({"on": misbehave(), "off": misbehave(enabled="no")})
        self.stop(supervisor)
        self.assertEqual([e["service"] for e in supervisor.find("listening")], ["on"])

    def test_a_port_in_use(self):
        first = self.supervisor({"line": misbehave()})
        taken = harness.address_text(first.address("line"))
        second = self.launch({"late": misbehave(listen=taken), "other": misbehave()})
        failed = second.wait_event("listen_failed", service="late", address=taken)
        self.assertIn("in use", failed["reason"])
        self.assertIn("served", second.ask("other", "the other services go on"))
        self.assertEqual(second.find("ready"), [])
        self.assertIn("served", first.ask("line", "still mine"))
        self.stop(first)
        second.wait_event("listening", service="late")
        second.wait_event("ready")
        self.assertIn("served", second.ask("late", "mine now"))
        self.stop(second)


class Records(SupervisorCase):
    def test_the_fields(self):
        supervisor = self.supervisor({"line": misbehave()})
        with supervisor.connect("line") as client:
            answer = client.ask("hello")
            client.rest()
        record = supervisor.record(client)
        self.assertEqual(record["service"], "line")
        self.assertEqual(record["local"], harness.address_text(supervisor.address("line")))
        self.assertEqual(record["outcome"], "served")
        self.assertIn(f"pid={record['pid']} ", answer)
        self.assertEqual(record["attempts"], "1")
        self.assertEqual(record.get("status", record.get("exit")), "0")
        for name in ("id", "wait_us", "launch_us", "handoff_us", "duration_ms"):
            self.assertTrue(record[name].isdigit(), name)
        self.stop(supervisor)

    def test_many_at_once(self):
        count = 16 if ON_WINE else 64
        supervisor = self.supervisor({"hold": misbehave("--serve hold", max_connections=count)})
        clients = [supervisor.connect("hold") for _ in range(count)]
        pids = set()
        for client in clients:
            pids.add(client.line().split()[1])
        self.assertEqual(len(pids), count, "a process for each connection")
        for client in clients:
            client.end()
            client.rest()
            client.close()
        supervisor.wait_events(count, "connection", outcome="served")
        self.stop(supervisor)


class Full(SupervisorCase):
    def test_clients_wait_while_a_service_is_full(self):
        supervisor = self.supervisor({"hold": misbehave("--serve hold", max_connections=2),
                                      "other": misbehave()})
        first, second = supervisor.connect("hold"), supervisor.connect("hold")
        for client in (first, second):
            self.assertIn("holding", client.line())
        third = supervisor.connect("hold")
        self.assertEqual(select.select([third.socket], [], [], LATER_S)[0], [])
        self.assertIn("served", supervisor.ask("other", "not full"))
        first.close()
        self.assertIn("holding", third.line())
        for client in (second, third):
            client.close()
        supervisor.wait_events(3, "connection", service="hold", outcome="served")
        self.stop(supervisor)


class Inheritance(SupervisorCase):
    def test_a_handler_has_only_what_it_was_given(self):
        supervisor = self.supervisor({"handles": misbehave("--serve handles"),
                                      "hold": misbehave("--serve hold")})
        with supervisor.connect("hold") as other:
            self.assertIn("holding", other.line())
            with supervisor.connect("handles") as client:
                *handles, channel = client.line().split()
        numbers = {text.split("=")[0] for text in handles}
        given = set(channel.split("=")[1].split(","))
        self.assertTrue(given <= numbers, (given, handles))
        # POSIX: the standard streams, the channel and the socket. Windows: whatever could be
        # inherited once more, so the streams and the channel's two ends.
        self.assertLessEqual(len(numbers), 5, handles)
        if not ON_WINE:
            self.assertEqual(len(numbers), 5, handles)
            self.assertIn("0=/dev/null", handles)
        self.stop(supervisor)

    def test_a_grandchild_does_not_keep_the_client(self):
        supervisor = self.supervisor({"parent": misbehave("--child --escape")})
        with supervisor.connect("parent") as client:
            self.assertIn("served", client.ask("hello"))
            self.assertEqual(client.rest(), "", "the client sees the end")
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)

    def test_the_group_ends_with_its_leader(self):
        supervisor = self.supervisor({"parent": misbehave("--child")})
        with supervisor.connect("parent") as client:
            client.send("hello\n")
            client.rest()
        supervisor.record(client)
        waiting = [pid for pid, line in processes.marked(supervisor.mark).items()
                   if pid != supervisor.pid]
        for pid in waiting:
            self.assertTrue(processes.wait_for_end(pid, DEADLINE_S), processes.command_line(pid))
        self.stop(supervisor)


class Shim(SupervisorCase):
    def test_a_grandchild_may_speak(self):
        supervisor = self.supervisor({"shim": misbehave("shim --serve line")})
        with supervisor.connect("shim") as client:
            answer = client.ask("hello")
            client.rest()
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["attempts"]), ("served", "1"))
        self.assertIn("served", answer)
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "Linux has pid namespaces")
    def test_a_handler_in_a_pid_namespace_of_its_own(self):
        """As containers are. It names itself by the number that it has there; the record has the
        supervisor's. Its launcher stays and returns its exit code."""
        launcher = next((words for words in ("unshare -pf --kill-child",
                                             "unshare -Urpf --kill-child") if
                         subprocess.run([*words.split(), "true"], stderr=subprocess.DEVNULL,
                                        timeout=DEADLINE_S).returncode == 0), None)
        if launcher is None:
            self.skipTest("unshare(1) may not make a pid namespace here")
        program = shared().handlers / "misbehave"
        supervisor = self.supervisor(
            {name: service(f"{peers.tool('unshare')} {launcher.split(' ', 1)[1]} '{program}' {how}")
             for name, how in {"contained": "--serve line", "ends": "--at ack --do exit-3"}.items()})
        with supervisor.connect("contained") as client:
            answer = client.ask("hello")
            client.rest()
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["attempts"]), ("served", "1"))
        self.assertIn("served pid=1 ", answer)
        self.assertNotEqual(record["pid"], "1")
        with supervisor.connect("ends") as client:
            client.rest()
        record = supervisor.record(client)
        self.assertEqual((record["outcome"], record["exit"]), ("failed", "3"))
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
