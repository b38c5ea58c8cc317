"""Another batond takes over, and has no memory for one thing or another: no client is lost."""

import os
import signal
import time
import unittest

import harness
from harness import misbehave, service
from settings import DEADLINE_S, size
from test_reload import says
from test_restart import RestartCase

SHIM = os.environ.get("BATON_FAILS_MEMORY")


@unittest.skipUnless(SHIM, "needs its library")
class Memory(RestartCase):
    def outcome(self, supervisor, count):
        """Of the restart with that number, from 0."""
        supervisor.signal(signal.SIGUSR2)
        give_up_s = time.monotonic() + DEADLINE_S
        while True:
            ends = [e for e in list(supervisor.events) if e["event"] in ("restarted", "restart_failed")]
            if len(ends) > count:
                return ends[count]["event"]
            self.assertLess(time.monotonic(), give_up_s, f"nothing came of restart {count}")
            time.sleep(0.002)

    def test_one_call_after_the_other(self):
        """Whatever was taken by then, the old one takes it over again."""
        number = self.folder() / "number"
        sections = {"line": says("one"), "pumped": {**says("two"), "handoff": "pump"},
                    "echo": service("echo", spares=1), "held": misbehave("--write lines"),
                    "workers": service("echo", handoff="listener", workers=1),
                    "udp": service("echo", protocol="udp"),
                    "proxied": {**says("a"), "proxy_protocol": "on", "proxy_trusted": "127.0.0.0/8"}}
        supervisor = self.supervisor({"supervisor": {"control": self.place()}, **sections},
                                     environment={"LD_PRELOAD": SHIM, "FAILS_MEMORY": str(number)})
        clients = {"one": supervisor.connect("line"), "two": supervisor.connect("pumped")}
        outcomes = []
        while not number.exists():
            number.write_text(str(size(1, 4) * len(outcomes)), encoding="ascii")
            outcomes.append(self.outcome(supervisor, len(outcomes)))
            for name, client in clients.items():
                self.assertEqual(client.ask("x"), f"{name} x")
            self.assertEqual(self.ask(supervisor, "echo", "x"), "x")
        self.assertEqual(outcomes[-1], "restarted")
        self.assertGreater(outcomes.count("restart_failed"), 10)
        self.assertEqual(len(supervisor.find("ready")), 1)
        for client in clients.values():
            client.close()
        supervisor.signal()
        self.assertEqual(supervisor.wait(), 0)  # what has failed has said so beside the log
        self.check_records(supervisor)


if __name__ == "__main__":
    harness.main()
