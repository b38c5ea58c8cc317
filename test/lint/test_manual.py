"""The manual pages: what makes some of them of Markdown, and that all of them are right and say everything."""

import os
import re
import shutil
import subprocess
import sys
import unittest

import source

sys.path.insert(0, os.path.join(source.ROOT, "scripts/cmake"))

import manual  # noqa: E402

BIN_DIR = os.environ["BATON_BIN_DIR"]
MAN_DIR = os.path.join(os.path.dirname(BIN_DIR), "man")
PAGES = ("batond.8", "batonctl.8", "baton-keeper.8", "baton-import.8", "ports.ini.5", "baton-protocol.7", "baton-control.7")


def made(text):
    """What stands between the heads of a page and its end."""
    page = manual.page("x", "5", "y", "*z*(8)", text)
    return page.split("# DESCRIPTION\n\n", 1)[1].rsplit("\n\n# SEE ALSO", 1)[0]


class Markdown(unittest.TestCase):
    def test_the_frame(self):
        self.assertEqual(manual.page("a.ini", "5", "what it is", manual.bold("b_c(8), d(7)"), "# Title\n\nText.\n"),
                         "a.ini(5)\n\n# NAME\n\na.ini - what it is\n\n# DESCRIPTION\n\nText.\n\n"
                         "# SEE ALSO\n\n*b\\_c*(8), *d*(7)\n")

    def test_what_stands_in_a_line(self):
        for text, wanted in (("a `b_c` d_e", "a *b\\_c* d\\_e"), ("**Changed**: x", "*Changed*: x"),
                             ("the *name* of 2 * 3", "the _name_ of 2 \\* 3"), ("`a * b` ~ `\\n`", "*a \\* b* \\~ *\\\\n*"),
                             ("[a](#x) [b](y/z.md)", "a b (y/z.md)"), ("*a* and `*b*`", "_a_ and *\\*b\\**")):
            self.assertEqual(manual.inline(text), wanted)

    def test_lines_that_begin_oddly(self):
        for text in ("; a", ".a", "[a]"):
            self.assertEqual(made(text), "\\" + text)

    def test_blocks(self):
        self.assertEqual(made("## A `b`\n\none\ntwo\n\n- i\n  j\n- k\n\n1. l\n   m\n\n    code_ \\n\n\n```ini\n[x]\n```\n"),
                         "# A B\n\none two\n\n- i j\n- k\n\n. l m\n\n```\ncode_ \\\\n\n```\n\n```\n[x]\n```")

    def test_tables(self):
        self.assertEqual(made("| | |\n|---|---|\n| `a` | b |\n| c d | |\n"), "*a*\n\tb\n\n*c d*")
        self.assertEqual(made("| h | i | TCP | UDP |\n|---|---|---|---|\n| `a` | `b` | yes | |\n| c | d | yes | yes |\n"),
                         "*a*\n\ti: *b*++\nYes for: TCP\n\n*c*\n\ti: d++\nYes for: TCP; UDP")


@unittest.skipUnless(shutil.which("scdoc"), "pages are made where scdoc is")
class Pages(unittest.TestCase):
    def text(self, page):
        """As people read it, in one line, without what would be shown as bold."""
        done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=200", os.path.join(MAN_DIR, page)], check=True,
                              stdout=subprocess.PIPE, text=True)
        return " ".join(re.sub(".\b", "", done.stdout).split())

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_pages_are_without_fault(self):
        """But for the paragraph that scdoc begins behind each heading, which does nothing."""
        for page in PAGES:
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(MAN_DIR, page)], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            faults = [line for line in done.stdout.splitlines() if "WARNING: skipping paragraph macro" not in line]
            self.assertEqual(faults, [], page)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_pages_say_all_that_help_says(self):
        for program in ("batond", "batonctl", "baton-import"):
            told = subprocess.run([os.path.join(BIN_DIR, program), "--help"], check=True, stdout=subprocess.PIPE,
                                  text=True).stdout
            page = self.text(program + ".8")
            words = set(re.findall(r"--[a-z-]+", told)) | set(re.findall(r"(?m)^  ([a-z-]+)(?: |$)", told))
            self.assertGreater(len(words), 3)
            self.assertEqual({word for word in words if word not in page}, set(), program)
            codes = re.findall(r"\d+", told.split("\nexit:", 1)[1])
            status = page.split("EXIT STATUS", 1)[1]
            self.assertEqual([code for code in codes if not re.search(rf"\b{code}\b", status)], [], program)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_each_outcome_is_told(self):
        with open(os.path.join(source.ROOT, "README.md"), encoding="utf-8") as file:
            table = file.read().split("| outcome | meaning |", 1)[1].split("\n\n", 1)[0]
        outcomes = [name for row in re.findall(r"(?m)^\| (`[^|]*) \|", table) for name in re.findall(r"`(\w+)`", row)]
        self.assertGreater(len(outcomes), 20)
        page = self.text("batond.8")
        self.assertEqual([name for name in outcomes if name not in page], [])

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_no_backslash_is_lost(self):
        self.assertIn(r"1 VERB [WORD...]\n", self.text("baton-control.7"))
        self.assertIn(r"\\.\pipe\baton", self.text("batonctl.8"))
        self.assertIn(r"'\\server\my share\x.exe'", self.text("ports.ini.5"))

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_the_page_of_the_config_has_each_key(self):
        with open(os.path.join(source.ROOT, "conf/KEYS.md"), encoding="utf-8") as file:
            text = file.read()
        page = self.text("ports.ini.5")
        keys = re.findall(r"(?m)^### (\S+)$", text)
        self.assertGreater(len(keys), 80)
        for key in keys:
            self.assertIn(f" {key} ", page)
        for row in re.findall(r"(?m)^\| `([A-Z_]+)` \|", text):
            self.assertIn(row, page)


if __name__ == "__main__":
    unittest.main()
