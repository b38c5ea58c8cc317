"""The house rules that a program can check. Each check takes (path, text) of one file and yields
(line, message); CHECKS says which files it wants. Run as `checks.py NAME...`; exit status 1 and one
`PATH:LINE: MESSAGE` per fault."""

import ast
import os
import re
import sys

import source
from bodies import check_bodies
from snapshot import check_snapshot
from walls import check_walls

FUNCTION_MAX_LINES = 100
FILE_MAX_LINES = 600

BANNED = (
    "strcpy strcat sprintf vsprintf gets strtok atoi atol strncpy alloca "
    "wcscpy wcscat wcsncpy wcstok lstrcpyW lstrcatW wsprintfW _alloca"
).split()
BANNED_CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))


def check_banned(path, text):
    for number, line in enumerate(source.code_only(text).split("\n"), 1):
        for match in BANNED_CALL.finditer(line):
            yield number, f"{match.group(1)}() is banned"


# batond's texts are made by text_format(), which knows these alone (core/base/text.h); what follows a `=` may be of
# run_tell(), whose fields have signs of their own (run/tell.h). What has no such sign is none: "%ProgramData%".
PRINTF = re.compile(r"(?<![\w.>])(v?(?:f|d|sn|as)?printf)\s*\(")
FORMAT = re.compile(r"%(?:[-+ #0-9.*]*(?:hh|h|ll?|j|z|t|L|q)?[a-z]|%)")
TEXT_FORMAT = re.compile(r"%(?:(?:\.(?:\d+|\*))?s|c|(?:0\d|01\d)?l?[duox])")
TELL_FORMAT = re.compile(r"=%(?:i|p|llu)")


def check_formats(path, text):
    if not path.startswith("supervisor/") or path.startswith(("supervisor/platform/fake/", "supervisor/keeper/")):
        return
    for number, line in enumerate(source.code_only(text).split("\n"), 1):
        for match in PRINTF.finditer(line):
            if "__attribute__" not in line:
                yield number, f"{match.group(1)}() is not for batond: text_format() (core/base/text.h)"
    for token in source.TOKEN.finditer(text):
        if token.group(0)[0] != '"' or text[:token.start()].endswith("L"):
            continue
        for match in FORMAT.finditer(token.group(0)):
            at = match.start()
            if not TEXT_FORMAT.fullmatch(match.group(0)) and not TELL_FORMAT.match(token.group(0), max(at - 1, 0)):
                yield text.count("\n", 0, token.start()) + 1, f"text_format() does not know {match.group(0)}"


# What a new process may call before it executes its program (plan.h says why). signal-safety(7) lists
# the first group; the second is system calls and no more on Linux.
CHILD_CALLS = set(
    "chdir dup2 execve fcntl getpid setpgid sigaction sigemptyset sigprocmask umask write "
    "prlimit prctl getppid open close ioctl syscall chroot memcpy recvmsg sendmsg "
    # Macros, and what is under the same check itself.
    "CMSG_DATA CMSG_FIRSTHDR CMSG_LEN CMSG_SPACE "
    "posix_handover_find posix_handover_return posix_handover_take".split()
)
NO_CALLS = set("assert for if int return sizeof switch while".split())
CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
DEFINITION = re.compile(r"^\w[\w *]*\b(\w+)\(", re.MULTILINE)


def check_child_calls(path, text):
    if not re.fullmatch(r"supervisor/platform/posix/plan\w*\.c", path):
        return
    code = source.code_only(text)
    known = CHILD_CALLS | NO_CALLS | set(DEFINITION.findall(code))
    for number, line in enumerate(code.split("\n"), 1):
        for name in CALL.findall(line):
            if name not in known:
                yield number, f"{name}() is nothing that a child may call before execve"


def check_file_size(path, text):
    count = text.count("\n")
    if count > FILE_MAX_LINES:
        yield FILE_MAX_LINES + 1, f"file of {count} lines, at most {FILE_MAX_LINES}"


def c_functions(text):
    """(first line, last line) of every function body at file level."""
    code = re.sub(r"#ifdef __cplusplus.*?#endif", lambda m: "\n" * m.group(0).count("\n"),
                  source.code_only(text), flags=re.DOTALL)
    depth = 0
    head, head_line, in_function = "", 0, False
    continued = False
    for number, line in enumerate(code.split("\n"), 1):
        directive = continued or line.lstrip().startswith("#")
        continued = directive and line.rstrip().endswith("\\")
        if directive:
            continue
        for character in line:
            if depth == 0 and not head and not character.isspace():
                head_line = number
            if character == "{":
                if depth == 0:
                    in_function = head.rstrip().endswith(")")
                depth += 1
            elif character == "}":
                depth -= 1
                if depth == 0:
                    if in_function:
                        yield head_line, number
                    head, in_function = "", False
                    continue
            if depth == 0:
                head = "" if character == ";" else (head + character).lstrip()
        if depth == 0 and head:
            head += " "


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno


def check_function_size(path, text):
    functions = python_functions if path.endswith(".py") else c_functions
    for first, last in functions(text):
        count = last - first + 1
        if count > FUNCTION_MAX_LINES:
            yield first, f"function of {count} lines, at most {FUNCTION_MAX_LINES}"


def check_python(path, text):
    try:
        compile(text, path, "exec")
    except SyntaxError as error:
        yield error.lineno or 1, f"Python: {error.msg}"


# Written apart, so that this file passes its own check.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def check_finished(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        match = UNFINISHED.search(line)
        if match:
            yield number, f"{match.group(1)}: finish it or open an issue"


COMMON_FOLDERS = {"/", "/home", "/opt", "/root", "/src", "/srv", "/tmp", "/usr", "/usr/local",
                  "/usr/src", "/var"}


def machine_paths():
    """Folders that exist only where this copy happens to live."""
    own = {source.ROOT, os.path.dirname(source.ROOT)} - COMMON_FOLDERS
    named = "|".join(re.escape(path) for path in sorted(own, key=len, reverse=True))
    homes = r"/home/(?!NAME\b)\w+/|/Users/(?!NAME\b)\w+/|/ro" r"ot/|/tmp/bui" r"ld-"
    return re.compile(rf"(?<![\w.$}}-])(?:{homes}|(?:{named or homes})(?![\w-]))")


def check_machine_paths(path, text):
    pattern = machine_paths()
    for number, line in enumerate(text.split("\n"), 1):
        match = pattern.search(line)
        if match:
            yield number, f"path of one machine: {match.group(0)}"


def check_blanks(path, text):
    if "\r" in text and not path.endswith((".bat", ".ini", ".yaml")):
        yield 1, "carriage return"
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith((" ", "\t")):
            yield number, "blank at the end of the line"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end of the file"


C = (".c", ".h")
CHECKS = {
    "walls": (C, [check_walls, check_bodies]),
    "sizes": ((*C, ".py"), [check_file_size, check_function_size]),
    "banned": (C, [check_banned, check_formats, check_child_calls]),
    "python": ((".py",), [check_python]),
    "snapshot": ((".sum",), [check_snapshot]),
    "text": ((), [check_finished, check_machine_paths, check_blanks]),
}


def run(name):
    suffixes, checks = CHECKS[name]
    paths = source.files(*suffixes)
    faults = 0
    for path in paths:
        text = source.read(path)
        if "\0" in text:
            continue
        for check in checks:
            for line, message in check(path, text):
                print(f"{path}:{line}: {message}")
                faults += 1
    print(f"{name}: {len(paths)} files, {faults} faults")
    return faults


if __name__ == "__main__":
    sys.exit(1 if sum(run(name) for name in sys.argv[1:]) else 0)
