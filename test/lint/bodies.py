"""One contract, bodies alike: what its headers declare stands in the file of the same name in each."""

import re

import source

FOLDER = "supervisor/platform/"
# The fake body has none of what the second one declares unless it likes: only the mains call that.
HEADERS = {FOLDER + "platform.h": True, FOLDER + "channel.h": True, FOLDER + "file_watch.h": True,
           FOLDER + "held.h": True, FOLDER + "listener.h": True, FOLDER + "log.h": True,
           FOLDER + "machine.h": False, FOLDER + "manager.h": True, FOLDER + "restart.h": True,
           FOLDER + "work.h": True}
BODIES = ("posix", "win32", "fake")
DECLARED = re.compile(r"\b(platform_\w+)\s*\(|^extern const \w+ (platform_\w+)", re.MULTILINE)
DEFINED = re.compile(r"^\w[\w *]*?\b(platform_\w+)\([^;{]*\)\s*\{|^const \w+ (platform_\w+)",
                     re.MULTILINE)


def names(pattern, text):
    return [match.group(1) or match.group(2) for match in pattern.finditer(source.code_only(text))]


def compare(header, bodies, needed_by_all=True):
    """Faults as (line, message); `bodies` has, by body, its files' texts by their names."""
    places = {body: {} for body in BODIES}
    for body, files in bodies.items():
        for file, text in files.items():
            for name in names(DEFINED, text):
                places[body].setdefault(name, []).append(file)
    code = source.code_only(header)
    for name in dict.fromkeys(names(DECLARED, header)):
        found = {body: places[body].get(name, []) for body in BODIES}
        if not needed_by_all and not found["fake"]:
            del found["fake"]
        files = {tuple(where) for where in found.values()}
        if len(files) != 1 or len(files.pop()) != 1:
            told = ", ".join(f"{body}/{'+'.join(where) or '-'}" for body, where in found.items())
            line = code[:re.search(rf"\b{name}\b[(;\[]", code).start()].count("\n") + 1
            yield line, f"{name} is not in files of one name: {told}"


def check_bodies(path, text):
    if path not in HEADERS:
        return
    bodies = {body: {} for body in BODIES}
    for file in source.files(".c"):
        parts = file.removeprefix(FOLDER).split("/")
        if file.startswith(FOLDER) and len(parts) == 2 and parts[0] in bodies:
            bodies[parts[0]][parts[1]] = source.read(file)
    yield from compare(text, bodies, HEADERS[path])
