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
clang-tidy itself tells which those were. Whoever asks the compiler beforehand pays a tenth of what the
judging takes, so it is asked only about a file that has passed before. What failed is not kept. Exit status: 0, 1 if anything was found, 77 if the pinned version is missing.
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


def files_of_rule(rule, folder):
    """The paths of all files that a compiler's rule for make names as read."""
    words = re.split(r"(?<!\\)\s+", rule.replace("\\\n", " ").partition(": ")[2].strip())
    return [os.path.join(folder, re.sub(r"\\([ #])", r"\1", word).replace("$$", "$")) for word in words]


def read_files(entry, arguments, compiler):
    """The paths of all files that the compiler reads; None if it cannot tell."""
    rule = run(compiler, *arguments, "-w", "-M", entry["file"], cwd=entry["directory"])
    return files_of_rule(rule.stdout, entry["directory"]) if rule.returncode == 0 else None


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


def hashed(*parts):
    key = hashlib.sha256()
    for part in parts:
        key.update(part.encode("utf-8", "surrogateescape") + b"\0")
    return key.hexdigest()


def shelf(entry, tools):
    """The folder in which it stands with which contents this file, compiled like this, passed."""
    return os.path.join(tools.cache, hashed(
        tools.version, json.dumps(compiler_arguments(entry, tools.more)), entry["file"],
        digest(os.path.abspath(__file__))))


def mark(entry, paths):
    """The name of the file that says that it passed with what stands in these files now."""
    return hashed(*(f"{path} {digest(path)}" for path in [*configs(entry["file"]), *paths]))


def is_known(entry, tools):
    """Whether it passed with what it reads now."""
    folder = shelf(entry, tools)
    if not tools.compiler or not os.path.isdir(folder):
        return False
    paths = read_files(entry, compiler_arguments(entry, tools.more), tools.compiler)
    return bool(paths) and os.path.exists(os.path.join(folder, mark(entry, paths)))


def keep(entry, tools, paths):
    folder = shelf(entry, tools)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, mark(entry, paths)), "wb"):
        pass


def judge(entry, tools):
    """What clang-tidy says of a file: (it passed, the text, the files that it read).

    None are named if one has changed meanwhile, so that nobody knows what was read."""
    with tempfile.TemporaryDirectory() as folder:
        command = os.path.join(folder, "compile_commands.json")
        with open(command, "w", encoding="utf-8") as file:
            json.dump([entry], file)
        rule = os.path.join(folder, "rule")
        # Passed on as it stands: clang-tidy takes away whatever else asks for a rule.
        more = [f"--extra-arg={word}"
                for word in ["-Wno-unknown-warning-option", *tools.more, f"-Wp,-MD,{rule}"]]
        done = run(tools.tidy, "--quiet", "-p", folder, *more, entry["file"])
        paths = []
        if os.path.exists(rule):
            with open(rule, encoding="utf-8", errors="surrogateescape") as file:
                paths = files_of_rule(file.read(), entry["directory"])
        if any(os.stat(path).st_mtime_ns >= os.stat(command).st_mtime_ns for path in paths):
            paths = []
    if done.returncode == 0:
        return True, done.stdout, paths
    return False, done.stdout + done.stderr, paths


def check(entry, tools):
    """Whether a file passes, and whether that was known."""
    if is_known(entry, tools):
        return True, True
    passed, text, paths = judge(entry, tools)
    if text.strip():
        print(text, flush=True)
    if passed and not text.strip() and paths:
        keep(entry, tools, paths)
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
