"""scripts/bench --against: its options, how it gets and builds a tree, and what it reports."""

import contextlib
import io
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest
from unittest import mock

import against
import rounds

BENCH = against.ROOT / "scripts" / "bench"
DEADLINE_S = 30


def bench(*arguments):
    return subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)


class Options(unittest.TestCase):
    USAGE = "       scripts/bench COUNT\n       scripts/bench --against COMMIT"

    def refused(self, *arguments, says):
        errors = io.StringIO()
        with self.assertRaises(SystemExit) as raised, contextlib.redirect_stderr(errors):
            against.parse(arguments)
        self.assertEqual(raised.exception.code, 64)
        self.assertIn(self.USAGE, errors.getvalue())
        self.assertIn(says, errors.getvalue())

    def test_bad_options_are_refused_with_what_is_right(self):
        for arguments in (("--against",), ("--bound", "0.98"), ("--rounds", "30"),
                          ("--agains", "x"), ("--against", "--bound", "0.98")):
            self.refused(*arguments, says="--against")
        for value in ("0", "-1", "98", "x", "nan", "inf", ""):
            self.refused("--against", "HEAD", f"--bound={value}",
                         says=f"'{value}' is no ratio of new to old; right is a number above 0 and "
                              "at most 10, such as 0.98")
        for value in ("0", "20", "1001", "-30", "x", "2_1", ""):
            self.refused("--against", "HEAD", f"--rounds={value}",
                         says=f"'{value}' is no number of rounds; right is 21 (the default) to "
                              "1000")
        for value in ("0", "10", "20001", "x", ""):
            self.refused("--living", value, says=f"'{value}' is no number of handlers; right is 11 to "
                                                 "20000")
        self.refused("--against", "HEAD", "--living", "4000", says="not allowed with")
        self.refused("--against", "HEAD", "--rules", "4000", says="not allowed with")
        for value in ("0", "10", "1001", "x", ""):
            self.refused("--services", value, says=f"'{value}' is no number of services; right is "
                                                   "11 to 1000")
        for value in ("0", "x", "1000001"):
            self.refused("--rules", value, says=f"'{value}' is no number of rules; right is 1 to ")
        self.refused("--against", "HEAD", "500", says="unrecognized arguments: 500")

    def test_good_options(self):
        options = against.parse(["--against", "HEAD~3"])
        self.assertEqual((options.against, options.bound, options.rounds), ("HEAD~3", None, 21))
        self.assertEqual((options.living, options.output, options.guard), (None, "log", False))
        options = against.parse(["--living", "4000"])
        self.assertEqual((options.living, options.against), (4000, None))
        options = against.parse(["--against", "HEAD", "--output", "null", "--guard"])
        self.assertEqual((options.output, options.guard), ("null", True))
        options = against.parse(["--rounds", "30", "--bound", "0.98", "--against", "HEAD"])
        self.assertEqual((options.against, options.bound, options.rounds), ("HEAD", 0.98, 30))

    def test_the_script_hands_them_on(self):
        result = bench("--against", "HEAD", "--rounds", "0")
        self.assertEqual((result.returncode, result.stdout), (64, ""))
        self.assertIn("'0' is no number of rounds", result.stderr)

    def test_bad_counts_are_refused(self):
        for arguments in (("0",), ("x",), ("100001",), ("10", "20"), ("10", "--against", "HEAD")):
            result = bench(*arguments)
            self.assertEqual((result.returncode, result.stdout), (64, ""), result.stderr)
            self.assertIn(self.USAGE, result.stderr)
            self.assertIn("right is a number of connections, 1 to 100000", result.stderr)

    def test_help(self):
        result = bench("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("scripts/bench --against COMMIT [--output null] [--guard] [--bound RATIO]",
                      result.stdout)
        self.assertIn("scripts/bench --living COUNT [--bound RATIO] [--rounds N]", result.stdout)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def failing(self, status):
        @contextlib.contextmanager
        def check():
            with self.assertRaises(rounds.Failure) as raised:
                yield raised
            self.assertEqual(raised.exception.status, status)
        return check()


class Commits(Case):
    """On a repository of the test's own."""

    def setUp(self):
        super().setUp()
        self.repository = self.folder / "repository"
        patch = mock.patch.object(against, "ROOT", self.repository)
        patch.start()
        self.addCleanup(patch.stop)
        # No git of the outside may be mistaken for ours.
        environment = mock.patch.dict(os.environ, {"GIT_CEILING_DIRECTORIES": str(self.folder)})
        environment.start()
        self.addCleanup(environment.stop)
        self.repository.mkdir()

    def git(self, *arguments):
        subprocess.run(["git", "-C", self.repository, "-c", "user.name=x", "-c", "user.email=x@x",
                        "-c", "commit.gpgsign=false", *arguments],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def commit(self, text):
        (self.repository / "file").write_text(text, encoding="utf-8")
        self.git("add", "file")
        self.git("commit", "-q", "-m", f"file: say {text}")

    def test_a_commit_is_found_and_exported(self):
        self.git("init", "-q")
        self.commit("old")
        self.commit("new")
        (self.repository / "file").write_text("changed", encoding="utf-8")
        commit = against.find_commit("HEAD~1")
        self.assertRegex(commit, "^[0-9a-f]{40,64}$")
        trees = against.describe_trees(commit)
        self.assertRegex(trees["old"], "^[0-9a-f]+ file: say old$")
        self.assertRegex(trees["new"], "^the working tree, changed from [0-9a-f]+ file: say new$")
        against.export(commit, self.folder / "source")
        self.assertEqual((self.folder / "source" / "file").read_text(encoding="utf-8"), "old")
        self.assertEqual((self.repository / "file").read_text(encoding="utf-8"), "changed")
        self.assertEqual(sorted(path.name for path in self.repository.iterdir()), [".git", "file"])

    def test_an_unknown_one_is_a_mistake_of_usage(self):
        self.git("init", "-q")
        self.commit("old")
        for name in ("nosuch", "", "--all", "HEAD:file", "HEAD^{tree}"):
            with self.failing(64) as raised:
                against.find_commit(name)
            self.assertIn(f"'{name}' names no commit here", str(raised.exception))
            self.assertIn("right is an id that `git log` shows", str(raised.exception))

    def test_without_a_repository_there_is_no_other_tree(self):
        with self.failing(69) as raised:
            against.find_commit("HEAD")
        self.assertIn("git finds no repository here", str(raised.exception))


class Builds(Case):
    def project(self, text):
        source = self.folder / "source"
        source.mkdir()
        (source / "CMakePresets.json").write_text(
            '{"version": 3, "configurePresets": [{"name": "release", "generator": "Ninja", '
            '"binaryDir": "${sourceDir}/build"}]}', encoding="utf-8")
        (source / "CMakeLists.txt").write_text(
            f"cmake_minimum_required(VERSION 3.22)\nproject(x LANGUAGES NONE)\n{text}\n",
            encoding="utf-8")
        return source

    def build(self, source):
        with contextlib.redirect_stdout(io.StringIO()):
            return against.build("old", source, self.folder / "old")

    def test_what_cannot_be_configured(self):
        source = self.project('message(FATAL_ERROR "no such library")')
        with self.failing(69) as raised:
            self.build(source)
        self.assertIn("configuring the old tree failed with 1:", str(raised.exception))
        self.assertIn("no such library", str(raised.exception))

    def test_what_cannot_be_built(self):
        source = self.project('add_custom_target(x ALL COMMAND sh -c "echo it is broken; exit 3")')
        with self.failing(69) as raised:
            self.build(source)
        self.assertIn("building the old tree failed with ", str(raised.exception))
        self.assertIn("it is broken", str(raised.exception))

    def test_what_makes_no_batond(self):
        source = self.project("")
        with self.failing(69) as raised:
            self.build(source)
        self.assertEqual(str(raised.exception), "the build of the old tree has made no bin/batond")

    def test_what_serves_is_put_aside(self):
        source = self.project("file(WRITE ${CMAKE_BINARY_DIR}/bin/batond x)\n"
                              "file(WRITE ${CMAKE_BINARY_DIR}/handlers/ok x)\n"
                              "file(CHMOD ${CMAKE_BINARY_DIR}/bin/batond "
                              "${CMAKE_BINARY_DIR}/handlers/ok "
                              "PERMISSIONS OWNER_READ OWNER_EXECUTE)")
        self.assertEqual(self.build(source), self.folder / "build-old")
        for name in ("bin/batond", "handlers/ok"):
            self.assertTrue(os.access(self.folder / "old" / name, os.X_OK))
        self.assertFalse((source / "build").exists())

    def test_a_missing_tool_is_named(self):
        with self.failing(69) as raised:
            against.run_quietly("getting it", self.folder / "log", "no-such-tool", cwd=self.folder)
        self.assertRegex(str(raised.exception), "^getting it: .*no-such-tool")

    def test_an_interrupted_build_leaves_no_process(self):
        class Interrupted(Exception):
            pass

        def interrupt(*_):
            raise Interrupted

        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        before = signal.signal(signal.SIGUSR1, interrupt)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        # The grandchild outlives its parent unless the whole group is ended; then the pipe ends.
        script = f"(exec 3>{fifo}; echo there >&3; kill -USR1 {os.getpid()}; sleep 600) & wait"
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        with self.assertRaises(Interrupted):
            against.run_quietly("x", self.folder / "log", "sh", "-c", script, cwd=self.folder)
        self.assertEqual(os.read(reader, 64), b"there\n")
        self.assertEqual(os.read(reader, 64), b"")


class Report(unittest.TestCase):
    def report(self, stdio, channel, bound):
        """`stdio` and `channel` are the ratios of each round."""
        rates = {}
        for mode, ratios in (("stdio", stdio), ("channel", channel)):
            rates[mode, "old"] = [1000.0] * len(ratios)
            rates[mode, "new"] = [1000 * ratio for ratio in ratios]
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            met = against.report(rates, bound)
        return met, output.getvalue().splitlines()[2:]

    def test_medians_ratio_and_interval(self):
        met, lines = self.report([1.0] * 21, [0.9] * 20 + [0.2], None)
        self.assertTrue(met)
        self.assertEqual([line.split() for line in lines],
                         [["stdio", "1000", "1000", "1.000", "1.000", "to", "1.000"],
                          ["channel", "1000", "900", "0.900", "0.900", "to", "0.900"]])

    def test_every_mode_must_meet_the_bound(self):
        met, lines = self.report([0.97] * 21, [1.0] * 21, 0.98)
        self.assertFalse(met)
        self.assertTrue(lines[0].endswith("bound 0.98 not met"), lines)
        self.assertTrue(lines[1].endswith("bound 0.98 met"), lines)
        self.assertTrue(self.report([0.98] * 21, [1.0] * 21, 0.98)[0])

    def test_a_wide_interval_is_told_from_a_good_one(self):
        met, lines = self.report([0.5 + i / 21 for i in range(21)], [1.0] * 21, 0.98)
        self.assertTrue(met)
        self.assertTrue(lines[0].endswith("bound 0.98 met, by the interval's upper end"), lines)


class Main(unittest.TestCase):
    def status_of(self, **compare):
        errors = io.StringIO()
        handlers = [(each, signal.getsignal(each))
                    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        try:
            with mock.patch.object(against, "find_commit", return_value="0" * 40), \
                    mock.patch.object(against, "install_packages"), \
                    mock.patch.object(against, "compare", **compare), \
                    contextlib.redirect_stderr(errors):
                return against.main(["--against", "x"]), errors.getvalue()
        finally:
            for each, handler in handlers:
                signal.signal(each, handler)

    def test_each_fault_has_its_status(self):
        self.assertEqual(self.status_of(return_value=1), (1, ""))
        self.assertEqual(self.status_of(side_effect=rounds.Failure(69, "no build")),
                         (69, "bench: no build\n"))
        self.assertEqual(self.status_of(side_effect=rounds.Broken("lost")), (70, "bench: lost\n"))

    def test_a_signal_ends_it_and_its_folder(self):
        folders = []

        def compare(_commit, _options, folder):
            folders.append(folder)
            (folder / "file").touch()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(DEADLINE_S)

        with self.assertRaises(SystemExit) as raised:
            self.status_of(side_effect=compare)
        self.assertEqual(raised.exception.code, 128 + signal.SIGTERM)
        self.assertFalse(folders[0].exists())


if __name__ == "__main__":
    unittest.main()
