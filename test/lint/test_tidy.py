"""Shows that tidy.py finds what is wrong, and when it takes a file's pass for known."""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import source  # noqa: E402
import tidy  # noqa: E402

GOOD = '#include "it.h"\nint first(const int *p) { return p != 0 ? IT(*p) : 0; }\n'
HEADER = "#define IT(x) ((x) + 1)\n"
NULL = "int f(int *p) { if (!p) return *p; return 0; }\n"
SILENCED = "/* NOLINTNEXTLINE */\n"
ARGUMENTS = """\
#include <stdarg.h>
#include <stdio.h>
int say(char *out, const char *format, ...);
int say(char *out, const char *format, ...) {
    va_list arguments;
    int length;
    %s(arguments, format);
    length = vsnprintf(out, 10, format, arguments);
    va_end(arguments);
    return length;
}
int twice(char *out);
int twice(char *out) { return say(out, "%%d", 1) + say(out, "%%d", 2); }
"""


@unittest.skipIf(tidy.find_tools() is None, "another version of clang-tidy, or none")
class Tidy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="baton tidy ")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        shutil.copy(os.path.join(source.ROOT, ".clang-tidy"), self.folder)
        os.environ["BATON_TIDY_CACHE"] = os.path.join(self.folder, "cache")
        os.environ["BATON_COMPILE_COMMANDS"] = self.folder
        os.environ.pop("BATON_TIDY_ARGUMENTS", None)
        self.write("it.h", HEADER)
        self.compiled("it.c")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def compiled(self, *names, arguments="-c"):
        self.write("compile_commands.json", json.dumps(
            [{"directory": self.folder, "file": name, "command": f"cc {arguments} {name}"}
             for name in names]))

    def judged(self, text=None, status=0):
        """What it says of it.c; the status must be that."""
        if text is not None:
            self.write("it.c", text)
        tidy.digest.cache_clear()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            found = tidy.main([r"it\.c$"])
        self.assertEqual(found, status, said.getvalue())
        return said.getvalue()

    def test_a_fault_is_found_each_time(self):
        for _ in range(2):
            self.assertIn("core.NullDereference", self.judged(NULL, status=1))

    def test_an_uninitialised_va_list_is_found(self):
        self.assertIn("valist.Uninitialized", self.judged(ARGUMENTS % "(void)", status=1))

    def test_a_va_list_is_initialised_however_often_the_file_is_compiled(self):
        self.compiled("it.c", "it.c", "it.c")
        self.judged(ARGUMENTS % "va_start")

    def test_what_passed_is_known(self):
        self.assertIn("0 known", self.judged(GOOD))
        self.assertIn("1 known", self.judged())

    def test_what_never_passed_costs_no_question(self):
        with unittest.mock.patch.object(tidy, "read_files") as asked:
            self.judged(GOOD)
        asked.assert_not_called()

    def test_all_that_can_change_the_verdict_makes_it_unknown(self):
        def changes():
            yield self.write("it.c", GOOD + "\n")
            yield self.write("it.h", "/* another remark */\n" + HEADER)
            yield self.compiled("it.c", arguments="-DANOTHER -c")
            with open(os.path.join(self.folder, ".clang-tidy"), encoding="utf-8") as file:
                yield self.write(".clang-tidy", file.read().replace("portability-*,", ""))
            yield os.environ.update(BATON_TIDY_ARGUMENTS="-DMORE")
        self.judged(GOOD)
        for _ in changes():
            self.assertIn("0 known", self.judged())
            self.assertIn("1 known", self.judged())

    def test_a_fault_that_is_no_longer_silenced_is_found(self):
        self.judged(SILENCED + NULL)
        self.judged(NULL, status=1)

    def test_a_file_that_does_not_compile_is_a_fault(self):
        self.judged("#include \"nowhere.h\"\n", status=1)

    def test_a_pattern_that_matches_nothing_is_a_fault(self):
        self.compiled("another.c")
        self.judged(status=1)

    def test_shards_have_everything_once(self):
        names = [f"it{number}.c" for number in range(7)]
        for number, name in enumerate(names):
            self.write(name, " " * number)
        self.compiled(*names)
        found = tidy.commands(self.folder, "it")
        parts = [tidy.shard(found, number, 3) for number in (1, 2, 3)]
        self.assertEqual(sorted(sum(parts, [])), sorted(found))
        self.assertEqual(sorted(map(len, parts)), [2, 2, 3])


if __name__ == "__main__":
    unittest.main()
