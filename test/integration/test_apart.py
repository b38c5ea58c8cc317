"""batond and the program that reads its config, baton-config."""

import shutil
import signal
import subprocess
import time
import unittest

import harness
import processes
from harness import EXIT_SYSTEM, SupervisorCase, misbehave
from settings import BIN_DIR, DEADLINE_S, ON_WINE, clean_environment, copy_batond


@unittest.skipIf(ON_WINE, "batond reads its config itself there")
class Apart(SupervisorCase):
    def batond(self, folder, *arguments):
        done = subprocess.run([folder / "batond", *arguments], cwd="/", stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                              env=clean_environment())
        return done.returncode, done.stdout, done.stderr

    def wait_until(self, condition):
        give_up_s = time.monotonic() + DEADLINE_S
        while not condition():
            self.assertLess(time.monotonic(), give_up_s)
            time.sleep(0.01)

    def replace(self, folder, text):
        """Another program in the place of baton-config, as an upgrade would put it there."""
        new = folder / "new"
        new.write_text("#!/bin/sh\n" + text + "\n")
        new.chmod(0o755)
        new.rename(folder / "baton-config")

    def test_it_is_not_there(self):
        folder = self.folder()
        copy_batond(folder)
        (folder / "baton-config").unlink()
        code, out, err = self.batond(folder, "--version")
        self.assertEqual((code, out), (EXIT_SYSTEM, ""))
        self.assertIn(f"{folder}/baton-config: ", err)
        self.assertIn("No such file", err)

    def test_what_it_answers_is_looked_at(self):
        folder = self.folder()
        copy_batond(folder)
        for text, words in (("head -c 4096 /dev/zero >&3", "another version"),
                            ("echo >&3", "another version"),
                            ("echo OK >&3; kill -9 $$", "ended by signal 9"),
                            ("kill -SEGV $$", "ended by signal 11")):
            with self.subTest(text):
                self.replace(folder, text)
                code, out, err = self.batond(folder)
                self.assertEqual((code, out), (EXIT_SYSTEM, ""))
                self.assertEqual(err.count("\n"), 1, err)
                self.assertIn(f"{folder}/baton-config: ", err)
                self.assertIn(words, err)

    def test_a_reload_that_it_does_not_answer(self):
        folder = self.folder()
        supervisor = self.supervisor({"line": misbehave()}, program=copy_batond(folder))
        count = 0
        for text, words in (("head -c 4096 /dev/zero >&3", "another version"), ("exit 3", "exit code 3"),
                            ("kill -9 $$", "signal 9"), (None, "posix_spawn")):
            with self.subTest(text):
                if text is None:
                    (folder / "baton-config").unlink()
                else:
                    self.replace(folder, text)
                count += 1
                supervisor.signal(signal.SIGHUP)
                problem = supervisor.wait_events(count, "config_problem")[-1]
                self.assertIn(words, problem["text"])
                failed = supervisor.wait_events(count, "reload_failed")[-1]
                self.assertEqual(failed["reason"], "the config could not be read")
                self.assertIn("served", supervisor.ask("line", "hello"))
        shutil.copy2(BIN_DIR / "baton-config", folder)
        supervisor.reload()
        self.stop(supervisor)

    def test_a_reload_that_it_never_answers(self):
        folder = self.folder()
        supervisor = self.supervisor({"line": misbehave()}, program=copy_batond(folder))
        self.replace(folder, f"echo > '{folder}/asked'; exec setpriv --pdeathsig KILL tail -f /dev/null")
        supervisor.signal(signal.SIGHUP)
        self.wait_until((folder / "asked").exists)
        self.assertIn("served", supervisor.ask("line", "hello"))
        self.stop(supervisor)

    def test_it_ends_with_who_asks(self):
        folder = self.folder()
        copy_batond(folder)
        batond = subprocess.Popen([folder / "batond", "-c", "-"], stdin=subprocess.PIPE,
                                  env=clean_environment())
        self.addCleanup(batond.stdin.close)
        self.addCleanup(batond.wait)
        self.addCleanup(batond.kill)

        def readers():
            return [pid for pid in processes.descendants(batond.pid)
                    if "baton-config" in processes.command_line(pid)]

        self.wait_until(readers)
        reader = readers()[0]
        batond.kill()
        processes.wait_for_end(reader, DEADLINE_S)


if __name__ == "__main__":
    harness.main()
