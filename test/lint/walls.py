"""Who may include what: the layers of the house as a table."""

import os
import re

import source

STANDARD_C = set(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal "
    "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath "
    "time uchar wchar wctype".split()
)
PURE = {name + ".h" for name in STANDARD_C}
ANY = None

# The first row that matches a path holds. A file may always include those of its own folder, which
# for the body of one system (posix/, win32/) means that of what it is a body of as well. A sockets.h
# stands in both bodies, and the build chooses one.
# (path, system headers, quoted headers, may it ask which system it is on)
WALLS = [
    (r"handlers/sdk/wire\.[ch]", PURE, r"wire\.h", False),
    (r"handlers/sdk/", ANY, r"(wire|baton|body|sockets)\.h|\w+/\w+\.h", True),
    (r"handlers/conformance/", ANY, r"(baton|sockets)\.h", True),
    (r"handlers/", ANY, r"baton\.h", True),
    (r"supervisor/core/", PURE | {"ini.h", "yaml.h"}, r"core/\w+\.h|ini\.h|yaml\.h", False),
    (r"supervisor/platform/fake/", PURE, r"core/(error|address)\.h|platform/platform\.h|wire\.h|"
                                         r"platform/fake/\w+\.h", False),
    (r"supervisor/platform/platform\.h", PURE, r"core/\w+\.h", False),
    (r"supervisor/platform/", ANY, r"core/(error|address)\.h|platform/platform\.h|wire\.h|"
                                   r"platform/(posix|win32)/\w+\.h", True),
    (r"supervisor/run/", PURE, r"core/\w+\.h|run/\w+\.h|platform/platform\.h|wire\.h", False),
    (r"supervisor/ctl/", PURE, r"core/\w+\.h|ctl/\w+\.h|platform/platform\.h|wire\.h", False),
    (r"supervisor/[^/]+$", PURE, r"(core|run)/\w+\.h|platform/platform\.h", False),
]

INCLUDE = re.compile(r'\s*#\s*include\s*(<([^>]*)>|"([^"]*)")')
SYSTEM_NAME = re.compile(r"\b(_WIN32|_WIN64|WIN32|__MINGW32__|__linux__|__unix__|__APPLE__|_MSC_VER)\b")


def wall_of(path):
    for row in WALLS:
        if re.match(row[0], path):
            return row
    return None


def own_folder(path, name):
    """Is it a header beside the file, or, for the body of one system, beside that body's folder?"""
    folder = os.path.dirname(path)
    folders = [folder]
    if os.path.basename(folder) in ("posix", "win32"):
        folders.append(os.path.dirname(folder))
        name = name.removeprefix("../")
    return "/" not in name and any(
        os.path.exists(os.path.join(source.ROOT, each, name)) for each in folders
    )


def check_walls(path, text):
    wall = wall_of(path)
    if wall is None:
        return
    _, system, quoted, may_ask = wall
    pure_sdk = path.startswith("handlers/sdk/wire.")
    for number, line in enumerate(source.code_only(text).split("\n"), 1):
        match = INCLUDE.match(line)
        if match and match.group(2) is not None:
            if system is not ANY and match.group(2) not in system:
                yield number, f"<{match.group(2)}> is beyond the wall of this layer"
        elif match:
            name = match.group(3)
            if not re.fullmatch(quoted, name) and (pure_sdk or not own_folder(path, name)):
                yield number, f'"{name}" is beyond the wall of this layer'
        elif not may_ask and SYSTEM_NAME.search(line):
            yield number, f"{SYSTEM_NAME.search(line).group(1)}: this layer knows no system"
