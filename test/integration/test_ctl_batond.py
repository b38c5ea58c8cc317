"""batonctl against batond itself."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from asked import DENIED, DONE, NOBODY, REFUSED, USAGE, AskedCase
from harness import main, service
from settings import BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE, clean_environment, executable, system_path


class Asked(AskedCase):
    def converse(self, supervisor):
        """A whole connection."""
        with supervisor.connect("echo") as client:
            client.ask("x")
            client.end()
            client.rest()

    def test_it_is_asked_and_told(self):
        supervisor = self.served()
        with supervisor.connect("echo") as client:
            self.assertEqual(client.ask("hello"), "hello")
            (row,) = self.until(lambda: self.rows("connections"), lambda rows: rows[0]["STATE"] == "held")
            self.assertEqual((row["SERVICE"], row["PEER"]), ("echo", client.name))
            self.assertEqual(self.rows("connections", "echo")[0]["ID"], row["ID"])
            self.assertEqual(self.told("connections", "ok"), "")
            echo, ok = self.rows("status")
            self.assertEqual((echo["SERVICE"], echo["STATE"], echo["LIVE"], echo["PROCS"], echo["ACCEPTED"]),
                             ("echo", "serving", "1/256", "1", "1"))
            self.assertEqual((ok["SERVICE"], ok["LIVE"]), ("ok", "0/256"))
            places = {row["SERVICE"]: row["PLACES"] for row in self.rows("services")}
            self.assertEqual(places, {name: "%s:%d" % supervisor.address(name) for name in ("echo", "ok")})
            self.assertEqual(self.told("kill", row["ID"]), "")
            client.rest()
        self.assertEqual(supervisor.record(client)["outcome"], "killed")
        self.assertIn("killed 1", self.told("status"))
        self.stop(supervisor)
        self.told("status", code=NOBODY)

    def test_json_is_what_the_page_says(self):
        supervisor = self.served()
        lines = [json.loads(line) for line in self.told("--json", "status").splitlines()]
        self.assertEqual({line["v"] for line in lines}, {1})
        self.assertEqual([line["type"] for line in lines],
                         ["supervisor", "outcomes", "service", "place", "service", "place", "end"])
        self.assertEqual(lines[0]["services"], 2)
        self.stop(supervisor)

    def test_refusals_say_why(self):
        supervisor = self.served()
        for words, why in ((["connections", "none"], "service"), (["kill", "99"], "connection"), (["kill", "x"], "word"),
                           (["log-level", "loud"], "error, warning, info or debug"),
                           (["log-reopen"], "standard error")):
            complaint = self.told(*words, code=REFUSED)
            self.assertTrue(complaint.startswith("batonctl: error: batond: "), complaint)
            self.assertIn(why, complaint)
        self.stop(supervisor)

    def test_events_are_followed(self):
        supervisor = self.served()
        follower = self.follow(lambda: self.converse(supervisor))
        lines = []
        while not lines or " connection service=echo " not in lines[-1]:
            lines.append(follower.stdout.readline().decode())
            self.assertTrue(lines[-1], lines)
        self.assertRegex(lines[-1], r"^\S+ info connection service=echo id=\d+ .*outcome=served")
        self.assertEqual(self.told("log-level", "warning"), "")
        self.assertEqual(self.told("log-level", "info"), "")
        self.stop(supervisor)
        self.assertIn(b" stopping reason=", follower.stdout.read())
        self.assertEqual(follower.wait(DEADLINE_S), DONE)

    def test_explain_and_stop(self):
        supervisor = self.served()
        ours = self.told("explain", "ok", "10.9.9.9")
        self.assertIn("10.0.0.0/8", ours)
        theirs = subprocess.run([*EMULATOR, str(BIN_DIR / executable("batond")), "-c", system_path(supervisor.config),
                                 "--explain", "ok", "10.9.9.9"], stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True,
                                env=clean_environment()).stdout.decode().replace("\r\n", "\n")
        self.assertEqual(ours, theirs)
        self.told("explain", "none", "10.9.9.9", code=USAGE)
        self.assertEqual(self.told("stop"), "")
        self.check_end(supervisor)

    @unittest.skipIf(ON_WINE, "POSIX")
    def test_the_status_endpoint_is_asked_as_well(self):
        status = self.place("status")
        supervisor = self.served(status=status)
        self.control, control = status, self.control
        self.assertIn("batond ", self.told("status"))
        self.assertEqual(len(self.rows("status")), 2)
        # It has no ear for that, and what it says all the same must not look like success.
        self.assertIn("the status is all", self.told("stop", code=REFUSED))
        self.control = control
        self.assertIn(", serving, up ", self.told("status"))
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE or os.geteuid() != 0, "there are no other users that we may be")
    def test_others_are_not_let_in(self):
        supervisor = self.served()
        program = self.open_folder() / "batonctl"
        shutil.copy2(BIN_DIR / "batonctl", program)
        pathlib.Path(self.control).parent.chmod(0o755)
        done = subprocess.run([str(program), "--control", self.control, "stop"], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, user=65534, group=65534,
                              env=clean_environment(), cwd="/")
        self.assertEqual((done.returncode, done.stdout), (DENIED, b""), done.stderr)
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "Wine tells no Ctrl-C to one process alone")
    def test_one_who_is_stopped_follows_on(self):
        """A follower that sleeps holds up nobody, and reads on from where it was."""
        supervisor = self.served()
        follower = self.follow(lambda: self.converse(supervisor))
        follower.send_signal(signal.SIGSTOP)
        before_count = sum(supervisor.clients.values())
        for _ in range(20):
            self.converse(supervisor)
        logged = [event["id"] for event in supervisor.wait_events(before_count + 20, "connection")]
        follower.send_signal(signal.SIGCONT)
        ids = []
        while not ids or ids[-1] != logged[-1]:
            line = follower.stdout.readline().decode()
            self.assertTrue(line)
            ids += re.findall(r" connection service=echo id=(\d+) ", line)
        self.assertEqual(ids, logged[logged.index(ids[0]):])
        self.assertGreater(len(ids), 20)
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(DEADLINE_S), -signal.SIGINT)
        self.stop(supervisor)


if __name__ == "__main__":
    main()
