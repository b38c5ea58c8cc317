"""What the lint checks share: which files there are, and C source without comments and strings."""

import os
import re

ROOT = os.environ.get("BATON_SOURCE_DIR") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", "..")
)

# Inputs of tests and fuzzers may be as odd as they need to be.
DATA = ("test/golden/", "test/fuzz/corpus/")


def is_data(path):
    return path.startswith(DATA) and not path.endswith((".c", ".h", ".py", ".txt", ".cmake"))


def files(*suffixes):
    """Paths of all source files, relative to the root, with '/'; all suffixes when none is given."""
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        relative = os.path.relpath(folder, ROOT).replace(os.sep, "/")
        prefix = "" if relative == "." else relative + "/"
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in (".git", "__pycache__") and not (prefix == "" and name == "build")
        )
        for name in sorted(names):
            if not suffixes or name.endswith(suffixes):
                found.append(prefix + name)
    return [path for path in found if not is_data(path)]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


TOKEN = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.VERBOSE | re.DOTALL,
)


def code_only(text):
    """The same lines with comments blanked and strings emptied. An #include keeps its name."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return "\n" * token.count("\n") or " "
        line_start = text.rfind("\n", 0, match.start()) + 1
        if re.match(r"\s*#\s*include\b", text[line_start : match.start()]):
            return token
        return token[0] * 2

    return TOKEN.sub(blank, text)
