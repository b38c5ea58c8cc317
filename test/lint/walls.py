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

# The rooms of supervisor/core, the highest first: each sees itself and those behind it in this list.
# (A test of the walls makes the same list into the libraries' order, supervisor/core/CMakeLists.txt.)
ROOMS = ["control", "tell", "pool", "door", "service", "config", "base"]
# Headers for the files of one room alone.
PRIVATE = {"pool": {"internal"}, "service": {"build", "key_guide"}, "config": {"reader"}}


def rooms_from(highest):
    """What may be included of the room `highest` and of those below it, by who is in none of them."""
    names = []
    for room in ROOMS[ROOMS.index(highest):]:
        private = "|".join(sorted(PRIVATE.get(room, {"-"})))
        names.append(rf"{room}/(?!({private})\.h)\w+")
    return rf"core/({'|'.join(names)})\.h"


def room_wall(room):
    """The row of a room: its own headers, and the public ones of the rooms below."""
    below = ROOMS[ROOMS.index(room) + 1:]
    quoted = rf"core/{room}/\w+\.h" + (rf"|{rooms_from(below[0])}" if below else "")
    return (rf"supervisor/core/{room}/", PURE, quoted, False)


CORE = rooms_from(ROOMS[0])
CTL = rf"{rooms_from('service')}|ctl/\w+\.h"

# The first row that matches a path holds. A file may always include those of its own folder, which
# for the body of one system (posix/, win32/) means that of what it is a body of as well. A sockets.h
# stands in both bodies, and the build chooses one.
# (path, system headers, quoted headers, may it ask which system it is on)
WALLS = [
    (r"handlers/sdk/wire\.[ch]", PURE, r"wire\.h", False),
    (r"handlers/sdk/limit\.[ch]", PURE, r"limit\.h", False),
    (r"handlers/sdk/", ANY, r"(wire|baton|body|sockets)\.h|\w+/\w+\.h", True),
    (r"handlers/conformance/", ANY, r"(baton|sockets)\.h", True),
    (r"handlers/", ANY, r"baton\.h", True),
    # Each library for one format is seen by one file.
    (r"supervisor/core/config/ini\.c", PURE | {"ini.h"}, room_wall("config")[2], False),
    (r"supervisor/core/config/yaml\.c", PURE | {"yaml.h"}, room_wall("config")[2], False),
    *[room_wall(room) for room in ROOMS],
    (r"supervisor/core/", set(), r"-", False),  # nothing stands outside the rooms
    (r"supervisor/import/", PURE, rf"{rooms_from('service')}|import/\w+\.h", False),
    (r"supervisor/platform/fake/", PURE, r"core/base/(error|address|identity|must)\.h|platform/platform\.h|"
                                         r"wire\.h|platform/fake/\w+\.h", False),
    (r"supervisor/platform/(platform|channel|control|event_log|file_watch|held|listener|log|machine|manager|restart|sized|windows_service|work)\.h", PURE,
     r"core/base/(error|address|identity|snapshot|socket_options|waiting)\.h|"
     r"platform/(platform|channel|control|event_log|file_watch|held|listener|log|machine|manager|restart|work)\.h", False),
    (r"supervisor/platform/", ANY, r"core/base/\w+\.h|platform/(platform|control|sized|windows_service)\.h|wire\.h|"
                                   r"platform/(posix|win32)/\w+\.h", True),
    (r"supervisor/keeper/", ANY, r"-", False),  # sees nothing of the house
    (r"supervisor/run/", PURE, rf"{CORE}|run/\w+\.h|platform/platform\.h|wire\.h", False),
    # The client of the control channel: one file knows JSON, one reads arguments, two bodies dial.
    (r"supervisor/ctl/reply\.c", PURE | {"jansson.h"}, CTL, False),
    (r"supervisor/ctl/options\.c", PURE | {"getopt.h"}, CTL, False),
    (r"supervisor/ctl/(posix|win32)/", ANY, CTL, True),
    (r"supervisor/ctl/", PURE, CTL, False),
    # The mains, and what they share.
    (r"supervisor/[^/]+$", PURE | {"getopt.h"}, rf"{rooms_from('service')}|core/tell/explain\.h|ctl/(?!show_internal)\w+\.h|(run/supervisor|import/import|"
                                 r"platform/(platform|windows_service))\.h", False),
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
