"""Reads the supervisor's log: one line, one event; logfmt or JSON."""

import json
import re

_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_.]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?:\s+|$)')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)")
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t"}


class Malformed(ValueError):
    """The line is not what the log format promises."""


def _unescape(match):
    text = match.group(1)
    if len(text) > 1:
        return chr(int(text[1:], 16))
    return _SIMPLE.get(text, text)


def parse_logfmt(line):
    """'a=1 b="two words"' -> {'a': '1', 'b': 'two words'}; every value is text."""
    fields = {}
    position = 0
    while position < len(line):
        match = _PAIR.match(line, position)
        if not match or match.group(1) in fields:
            raise Malformed(line)
        name, value = match.groups()
        if value.startswith('"'):
            value = _ESCAPE.sub(_unescape, value[1:-1])
        fields[name] = value
        position = match.end()
    return _checked(fields, line)


def parse_json(line):
    """The same from a JSON object; numbers become text, so that tests read both formats alike."""
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise Malformed(line) from error
    if not isinstance(fields, dict):
        raise Malformed(line)
    return _checked({name: str(value) for name, value in fields.items()}, line)


def _checked(fields, line):
    if list(fields)[:1] != ["time"] or "event" not in fields:
        raise Malformed(line)
    return fields
