"""Calls that go round in a circle between the files of a library. Run as `circles.py LIBRARY...`; exit
status 1 and a line for each circle. A circle says that its files are one file in several pieces, which
nobody can understand or replace alone."""

import re
import subprocess
import sys


def edges_of(symbols):
    """{file: files that it calls}, from the output of `nm --print-file-name` of an archive."""
    defined, wanted = {}, {}
    for line in symbols.splitlines():
        match = re.match(r"(?:.*[:\[])?(\w[\w.-]*)\.c\.(?:o|obj)\]?:\s*[0-9a-f]* ([A-Za-z]) (\S+)$", line)
        if match:
            name, kind, symbol = match.groups()
            wanted.setdefault(name, set())
            if kind == "U":
                wanted[name].add(symbol)
            elif kind.isupper():
                defined[symbol] = name
    return {name: {defined[symbol] for symbol in symbols if symbol in defined} - {name}
            for name, symbols in wanted.items()}


def reach(edges, start):
    """All that can be reached from a file by one call or more."""
    seen, to_do = set(), list(edges[start])
    while to_do:
        name = to_do.pop()
        if name not in seen:
            seen.add(name)
            to_do.extend(edges[name])
    return seen


def circles(edges):
    """The sets of files that all reach each other, in the order of their names."""
    reached = {name: reach(edges, name) for name in edges}
    found = {frozenset(other for other in edges if other in reached[name] and name in reached[other])
             for name in edges}
    return sorted(sorted(circle) for circle in found if len(circle) > 1)


def main(libraries):
    count = 0
    for library in libraries:
        symbols = subprocess.run(["nm", "--print-file-name", library], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        edges = edges_of(symbols)
        if not edges:
            print(f"{library}: no object files")
            count += 1
        for circle in circles(edges):
            print(f"{library}: calls go round: {', '.join(circle)}")
            count += 1
    print(f"circles: {len(libraries)} libraries, {count} faults")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
