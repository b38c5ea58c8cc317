"""tidy.py [--shard NUMBER/COUNT] [PATTERN]: clang-tidy over the files that a preset compiles.

PATTERN is a regular expression for their paths; the second of four shards is 2/4. Variables:
BATON_COMPILE_COMMANDS, the folder of compile_commands.json; BATON_TIDY_ARGUMENTS, further arguments
of the compiler; BATON_TIDY_CACHE, a folder, build/tidy by default.

One process for each file, and one command for each file, however often it is compiled: clang 14
keeps names of the first command's in its tables, and from the second command on it takes every
va_list for uninitialised, or not, as memory happens to lie.

What passed is not judged again: the cache has an empty file named after the SHA-256 of all that the
verdict depends on. Not the preprocessed text, which lacks what clang-tidy looks at as well (comments
that silence it, definitions of macros, columns), but every file that the compiler reads, byte for byte.
What failed is not kept. Exit status: 0, 1 if anything was found, 77 if the pinned version is missing.
"""

import collections
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

import source

PINNED_VERSION = 14
SKIPPED = 77


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", check=False,
                          **options)


def pinned(name):
    """The command of the pinned version and what it says of itself; None if it is not there."""
    for candidate in (f"{name}-{PINNED_VERSION}", name):
        try:
            version = run(candidate, "--version").stdout
        except OSError:
            continue
        if f"version {PINNED_VERSION}." in version:
            return candidate, version
    return None


def commands(folder, pattern):
    """{path from the root: its first command} of what is compiled and matches."""
    with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        path = os.path.join(entry["directory"], entry["file"])
        name = os.path.relpath(path, source.ROOT).replace(os.sep, "/")
        if re.search(pattern, name):
            found.setdefault(name, {**entry, "file": path})
    return found


def shard(found, number, count):
    """An equal part: what is large comes first and is dealt out."""
    names = sorted(found, key=lambda name: (-os.path.getsize(found[name]["file"]), name))
    return names[number - 1::count]


def compiler_arguments(entry, more):
    """The command's own arguments without compiler, output and file."""
    words = entry.get("arguments") or shlex.split(entry["command"])
    kept = []
    words = iter(words[1:])
    for word in words:
        if word == "-o":
            next(words)
        elif word != "-c" and os.path.join(entry["directory"], word) != entry["file"]:
            kept.append(word)
    return kept + more


def read_files(entry, arguments, compiler):
    """The paths of all files that the compiler reads; None if it cannot tell."""
    rule = run(compiler, *arguments, "-w", "-M", entry["file"], cwd=entry["directory"])
    if rule.returncode != 0:
        return None
    words = re.split(r"(?<!\\)\s+", rule.stdout.replace("\\\n", " ").partition(": ")[2].strip())
    return [os.path.join(entry["directory"], re.sub(r"\\([ #])", r"\1", word).replace("$$", "$"))
            for word in words]


@functools.lru_cache(maxsize=None)
def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def configs(path):
    """The .clang-tidy files that hold for a path, the nearest first."""
    folder = os.path.dirname(path)
    while True:
        config = os.path.join(folder, ".clang-tidy")
        if os.path.exists(config):
            yield config
        if folder == os.path.dirname(folder):
            return
        folder = os.path.dirname(folder)


Tools = collections.namedtuple("Tools", "tidy version compiler cache more")


def find_tools():
    tidy, compiler = pinned("clang-tidy"), pinned("clang")
    if tidy is None:
        return None
    cache = os.environ.get("BATON_TIDY_CACHE") or os.path.join(source.ROOT, "build/tidy")
    return Tools(tidy[0], tidy[1], compiler and compiler[0], cache,
                 os.environ.get("BATON_TIDY_ARGUMENTS", "").split())


def cache_path(entry, tools):
    """Where it stands that this file passed; None if that cannot be known."""
    arguments = compiler_arguments(entry, tools.more)
    paths = tools.compiler and read_files(entry, arguments, tools.compiler)
    if not paths:
        return None
    key = hashlib.sha256()
    for part in (tools.version, json.dumps(arguments), digest(os.path.abspath(__file__)),
                 *(f"{path} {digest(path)}" for path in [*configs(entry["file"]), *paths])):
        key.update(part.encode("utf-8", "surrogateescape") + b"\0")
    name = key.hexdigest()
    return os.path.join(tools.cache, name[:2], name[2:])


def judge(entry, tools):
    """What clang-tidy says of a file: (it passed, the text)."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump([entry], file)
        more = [f"--extra-arg={word}" for word in ["-Wno-unknown-warning-option", *tools.more]]
        done = run(tools.tidy, "--quiet", "-p", folder, *more, entry["file"])
    if done.returncode == 0:
        return True, done.stdout
    return False, done.stdout + done.stderr


def check(entry, tools):
    """Whether a file passes, and whether that was known."""
    known = cache_path(entry, tools)
    if known and os.path.exists(known):
        return True, True
    passed, text = judge(entry, tools)
    if text.strip():
        print(text, flush=True)
    if passed and not text.strip() and known:
        os.makedirs(os.path.dirname(known), exist_ok=True)
        with open(known, "wb"):
            pass
    return passed, False


def main(arguments):
    number, count = 1, 1
    if arguments[:1] == ["--shard"]:
        number, count = map(int, arguments[1].split("/"))
        arguments = arguments[2:]
    pattern = arguments[0] if arguments else r"^(supervisor|handlers)/"
    tools = find_tools()
    if tools is None:
        print(f"skipped: clang-tidy is not version {PINNED_VERSION}")
        return SKIPPED
    found = commands(os.environ["BATON_COMPILE_COMMANDS"], pattern)
    names = shard(found, number, count)
    results = [check(found[name], tools) for name in names]
    failed = sum(not passed for passed, _ in results)
    print(f"{len(names)} of {len(found)} files: {failed} with faults, "
          f"{sum(known for _, known in results)} known to pass")
    return 1 if failed or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
