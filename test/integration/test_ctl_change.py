"""What batonctl changes: reload, drain, disable, enable. On Windows it is what a reload is asked by."""

import threading

import peers
from asked import DONE, REFUSED, AskedCase
from client import Client, await_refusal
from harness import STOP_SIGNAL, main, misbehave, service
from settings import DEADLINE_S, ON_WINE, size

ROUNDS = size(10, 3)
SWITCHES = 4 if ON_WINE else 60


class Change(AskedCase):
    def rewrite(self, supervisor, sections, **options):
        text = supervisor.rendered({"supervisor": {"control": self.control, **options}, **sections})
        supervisor.config.write_text(text, encoding="utf-8")

    def reload(self, supervisor, sections, code=DONE, **options):
        self.rewrite(supervisor, sections, **options)
        return self.told("reload", code=code)

    def states(self):
        return {row["SERVICE"]: row["STATE"] for row in self.rows("services")}

    def test_reload_tells_what_is_different(self):
        one, two = service("echo"), misbehave("--serve hold", reuse=0)
        supervisor = self.served({"one": one, "two": two, "gone": service("echo")})
        with supervisor.connect("two") as client:
            self.assertIn("holding", client.line())
            told = self.reload(supervisor, {"one": one, "two": {**two, "stop_timeout_ms": 100},
                                            "new": service("echo")})
            self.assertEqual(sorted(told.splitlines()), [
                "added new", "changed two: stop_timeout_ms", "removed gone", "unchanged one"])
            with supervisor.connect("two") as second:
                self.assertIn("holding", second.line())
            with supervisor.connect("new") as second:
                self.assertEqual(second.ask("x"), "x")
            await_refusal(supervisor.address("gone"))
        supervisor.wait_events(3, "connection", outcome="served")
        self.stop(supervisor)

    def test_a_fault_changes_nothing_and_is_told(self):
        supervisor = self.served({"one": service("echo")})
        complaint = self.reload(supervisor, {"one": service("echo", max_connections="many")}, REFUSED)
        self.assertIn("config has faults", complaint)
        with supervisor.connect("one") as client:
            self.assertEqual(client.ask("x"), "x")
        self.assertIn("one.max_connections", supervisor.wait_event("config_problem")["text"])
        self.stop(supervisor)

    def test_who_drains_may_stay_and_who_is_disabled_may_not(self):
        hold = misbehave("--serve drain", reuse=0, stop_timeout_ms=200)
        supervisor = self.served({"one": hold, "two": hold, "three": service("echo")})
        clients = {name: supervisor.connect(name) for name in ("one", "two")}
        for client in clients.values():
            self.assertIn("holding", client.line())
        self.told("drain", "one")
        self.assertEqual(self.states(), {"one": "draining", "two": "serving", "three": "serving"})
        await_refusal(supervisor.address("one"))
        # A reload leaves it off, and the config may say something else of it.
        told = self.reload(supervisor, {"one": {**hold, "stop_timeout_ms": 100}, "two": hold,
                                        "three": service("echo")})
        self.assertIn("changed one: stop_timeout_ms", told)
        await_refusal(supervisor.address("one"))
        for line in self.told("disable", "two", "--wait").splitlines():
            self.assertRegex(line, r"^two: waiting for [01] connections? and 1 process$")
        self.assertIn(supervisor.record(clients["two"])["outcome"], ("served", "drained"))
        self.assertEqual(self.states()["two"], "off")
        self.told("enable", "two")
        self.told("enable", "one")
        for name in ("one", "two"):
            supervisor.wait_events(2, "listening", service=name)
            address = supervisor.find("listening", service=name)[-1]["address"].rsplit(":", 1)
            with Client((address[0], int(address[1]))) as client:
                supervisor.clients[client.name, client.server] += 1
                self.assertIn("holding", client.line())
        self.told("disable", "four", code=REFUSED)
        for client in clients.values():
            client.close()
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)

    def test_disable_is_about_former_versions_too(self):
        hold = misbehave("--serve hold", reuse=0, stop_timeout_ms=200)
        supervisor = self.served({"one": hold, "two": service("echo")})
        with supervisor.connect("one") as client:
            self.assertIn("holding", client.line())
            self.reload(supervisor, {"one": {**hold, "environment": "A=1"}, "two": service("echo")})
            self.told("disable", "one", "--wait")
            self.assertEqual(client.rest(), "")
        self.assertEqual(self.states(), {"one": "off", "two": "serving"})
        supervisor.wait_event("connection", service="one")
        supervisor.signal(STOP_SIGNAL)
        self.assertEqual(supervisor.wait(), 0)

    def test_off_and_on_under_load(self):
        """What its handlers have told meanwhile is of nobody."""
        section = service("echo") if ON_WINE else service("/bin/cat", handoff="stdio")
        port = peers.free_ports()
        supervisor = self.served({"one": {**section, "listen": f"127.0.0.1:{port}"}})
        place, ends = supervisor.address("one"), threading.Event()

        def load():
            while not ends.is_set():
                try:
                    with Client(place) as client:
                        client.ask("line")
                        client.end()
                        client.rest()
                except OSError:
                    pass  # that it is off is what this is about

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(SWITCHES):
                self.told("drain" if number % 2 == 0 else "disable", "one")
                self.told("enable", "one")
        finally:
            ends.set()
        for thread in threads:
            thread.join(DEADLINE_S)
        with Client(place) as client:
            self.assertEqual(client.ask("line"), "line")
        supervisor.signal(STOP_SIGNAL)
        self.assertEqual(supervisor.wait(), 0)

    def test_under_load(self):
        """Short connections and a long one, without a pause, through one reload after the other."""
        sections = {"short": service("echo"), "living": misbehave("--write lines", reuse=0, spares=1)}
        supervisor = self.served(sections)
        places = {name: supervisor.address(name) for name in sections}
        faults, names, goes_on = [], [], [True]

        def load(name):
            try:
                while goes_on[0]:
                    with Client(places[name]) as client:
                        names.append((client.name, client.server))
                        answer = client.ask("line")
                        if "line" not in answer:
                            raise AssertionError(f"{name}: {answer!r}")
                        client.end()
                        client.rest()
            except (OSError, AssertionError) as error:
                faults.append(error)

        threads = [threading.Thread(target=load, args=(name,)) for name in list(sections) * 2]
        for thread in threads:
            thread.start()
        with supervisor.connect("short") as client:
            for number in range(ROUNDS):
                told = self.reload(supervisor, {
                    name: {**keys, "environment": f"ROUND={number}"} for name, keys in sections.items()})
                self.assertIn("changed short: environment", told)
                self.assertEqual(client.ask(f"round {number}"), f"round {number}")
        goes_on[0] = False
        for thread in threads:
            thread.join(DEADLINE_S)
        self.assertEqual(faults, [])
        for name in names:
            supervisor.clients[name] += 1
        self.stop(supervisor)
        self.assertEqual({record["outcome"] for record in supervisor.records()}, {"served"})


if __name__ == "__main__":
    main()
