"""The scripts' own promises that can be checked without a network or a build."""

import os
import shutil
import subprocess
import tempfile
import unittest

import source

FETCH = os.path.join(source.ROOT, "scripts/cmake/fetch-sources")
PEERS = os.path.join(source.ROOT, "scripts/cmake/fetch-peers")
PINS = os.path.join(source.ROOT, "scripts/cmake/sources.txt")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          **options)


def pinned_rows():
    with open(PINS, encoding="utf-8") as file:
        return [line.split() for line in file if line.strip() and not line.startswith("#")]


class Sources(unittest.TestCase):
    def test_rows_are_complete(self):
        rows = pinned_rows()
        self.assertEqual({row[0] for row in rows}, {"inih", "yaml", "cmocka"})
        for row in rows:
            self.assertRegex(" ".join(row), r"^\w+ \w+ [\w.]+\.orig\.tar\.[gx]z [0-9a-f]{64}$")

    def test_wrong_sum_is_refused_and_named(self):
        library, _, name, expected = pinned_rows()[0]
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("something else")
            result = run(FETCH, folder, library)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, "")
            self.assertIn(name, result.stderr)
            self.assertIn(expected, result.stderr)

    def test_without_apt_it_says_what_to_put_where(self):
        tools = "bash awk sha256sum cut mkdir dirname cat grep rm env".split()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "path")
            os.mkdir(path)
            for tool in tools:
                os.symlink(shutil.which(tool), os.path.join(path, tool))
            wanted = os.path.join(folder, "sources")
            result = run(FETCH, wanted, "yaml", env={"PATH": path})
            self.assertEqual(result.returncode, 1)
            self.assertIn(wanted, result.stderr)
            for row in pinned_rows():
                self.assertEqual(row[0] == "yaml", row[2] in result.stderr)

    def test_usage(self):
        self.assertEqual(run(FETCH).returncode, 64)
        self.assertEqual(run(FETCH, "x", "unknown-library").returncode, 64)
        self.assertEqual(run(os.path.join(source.ROOT, "scripts/packages")).returncode, 64)


class Peers(unittest.TestCase):
    """What it says where there is no apt-get, and that it leaves alone what is there."""

    TOOLS = ("bash", "cat", "chmod", "dirname", "flock", "mkdir", "paste", "rm", "sort")

    def fetch(self, folder):
        tools = os.path.join(folder, "tools")
        os.mkdir(tools)
        for name in self.TOOLS:
            os.symlink(shutil.which(name), os.path.join(tools, name))
        return run(shutil.which("bash"), PEERS, os.path.join(folder, "peers"),
                   env={**os.environ, "PATH": tools})

    def test_usage(self):
        self.assertEqual(run(PEERS).returncode, 64)

    def test_what_is_missing_is_named_with_the_cure(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "peers/bin"))
            os.symlink("/bin/sh", os.path.join(folder, "peers/bin/haproxy"))
            result = self.fetch(folder)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertRegex(result.stderr, r"not there: in\.tftpd .*xinetd\n")
            self.assertIn(os.path.join(folder, "peers/bin"), result.stderr)
            self.assertNotIn("haproxy", result.stderr)

    def test_nothing_is_done_when_all_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "peers/bin"))
            for name in ("haproxy", "in.tftpd", "inetutils-inetd", "lighttpd", "openbsd-inetd",
                         "systemd-socket-activate", "systemd-socket-proxyd", "xinetd"):
                os.symlink("/bin/sh", os.path.join(folder, "peers/bin", name))
            result = self.fetch(folder)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
