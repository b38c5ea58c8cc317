"""What tests of batonctl against batond itself have in common."""

import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import uuid

from harness import SupervisorCase, service
from settings import BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE, clean_environment, executable

DONE, REFUSED, USAGE, NOBODY, DENIED = 0, 1, 64, 69, 77


class AskedCase(SupervisorCase):
    def place(self, name="control"):
        """A path of a socket has 107 bytes, so not below the harness's folder."""
        if ON_WINE:
            return rf"\\.\pipe\baton-{uuid.uuid4()}"
        folder = pathlib.Path(tempfile.mkdtemp(prefix="bctl-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return str(folder / name)

    def served(self, sections=None, **options):
        """A supervisor that can be asked."""
        self.control = self.place()
        sections = sections or {"echo": service("echo", stop_timeout_ms=200), "ok": service("ok", deny="10.0.0.0/8")}
        options = {"control": self.control, **options}
        return self.supervisor({"supervisor": options, **sections})

    def command(self, *words):
        return [*EMULATOR, str(BIN_DIR / executable("batonctl")), "--control", self.control, *words]

    def told(self, *words, code=DONE):
        """What it prints, or, where it is refused, complains of."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False, env=clean_environment())
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return (done.stdout if code == DONE else done.stderr).decode().replace("\r\n", "\n")

    def follow(self, converse):
        """One who follows the events: batond has his request when he is told of a conversation."""
        follower = subprocess.Popen(self.command("events"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    bufsize=0, env=clean_environment())
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait, DEADLINE_S)
        self.addCleanup(follower.kill)
        self.until(converse, lambda _: select.select([follower.stdout], [], [], 0.05)[0])
        return follower

    def rows(self, *words):
        """The rows of a table, by their titles."""
        lines = self.told(*words).split("\n")
        at = next(i for i, line in enumerate(lines) if re.match(r" *[A-Z]+  ", line))
        titles = lines[at].split()
        end = next(i for i in range(at, len(lines)) if not lines[i])
        return [dict(zip(titles, re.split(r" {2,}", line.strip()))) for line in lines[at + 1:end]]

    def until(self, ask, is_so):
        """The answer, asked for until it is so: what a handler has said may be on its way to batond."""
        for _ in range(300):
            answer = ask()
            if is_so(answer):
                return answer
        self.fail(answer)
