"""manual.py PAGE(SECTION) DESCRIPTION SEE-ALSO FILE.md OUT: a manual page from a page of Markdown, as scdoc reads it.

So that ports.ini(5), baton-control(7) and baton-protocol(7) say what conf/KEYS.md, which is printed from the
table of keys, and the pages of the two protocols say, and nothing can drift. It knows the Markdown that these are
written in: headings, paragraphs, lists, tables, blocks of code, and in a line code, bold, emphasis and links.
Tables become lists, which fit any width: the first cell is what the others are about.
"""

import re
import sys

# What means something to scdoc within a line.
SPECIAL = re.compile(r"([\\_*~^])")
# A code, a bold, an emphasis, a link: what is left is text.
INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*(?!\w)|\[([^\]]+)\]\(([^)]+)\)")
ITEM = re.compile(r"(?:-|(\d+)\.) +(.*)")


def escape(text):
    return SPECIAL.sub(r"\\\1", text)


def inline(text):
    """A piece of Markdown as one of scdoc's. Bold of nothing but blanks would be none."""
    out, at = [], 0
    for match in INLINE.finditer(text):
        code, bold, emphasis, name, target = match.groups()
        out.append(escape(text[at:match.start()]))
        if code is not None or bold is not None:
            out.append(f"*{escape((code or bold).strip())}*")
        elif emphasis is not None:
            out.append(f"_{escape(emphasis)}_")
        else:
            out.append(escape(name.strip("`")) + ("" if target.startswith("#") else f" ({escape(target)})"))
        at = match.end()
    return "".join(out) + escape(text[at:])


def paragraph(text):
    """A line that scdoc takes for nothing else, whatever it begins with."""
    line = inline(" ".join(text.split()))
    if re.match(r"[#|\[\];\-.]", line):
        line = "\\" + line
    return line


def cells(row):
    """Of a row of a table; a `|` within it is not one of ours."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def table(rows):
    titles = cells(rows[0])
    for row in rows[2:]:
        values = cells(row)
        values[len(titles) - 1:] = [" | ".join(values[len(titles) - 1:])]
        told = []
        marked = [title for title, value in zip(titles[1:], values[1:]) if value == "yes"]
        for title, value in zip(titles[1:], values[1:]):
            if value and value != "yes":
                told.append(paragraph(f"{title}: {value}" if title and len(titles) > 2 else value))
        if marked:
            told.append(paragraph(f"Yes for: {'; '.join(marked)}"))
        head = values[0].replace("**", "")
        yield paragraph(head if head.startswith("`") else f"**{head.replace('`', '')}**")
        # One paragraph, further in, of lines that do not run into each other.
        yield from ("\t" + "++\n".join(told)).split("\n") if told else ()
        yield ""


def bold(others):
    """`batond(8), batonctl(8)` as scdoc writes names of pages."""
    return re.sub(r"([\w.-]+)(\(\d\))", lambda match: f"*{escape(match.group(1))}*{match.group(2)}", others)


class Reader:
    """Takes the lines of the page one block after the other."""

    def __init__(self, text):
        self.lines = text.split("\n")
        self.at = 0

    def peek(self):
        return self.lines[self.at] if self.at < len(self.lines) else None

    def take_while(self, wanted):
        start = self.at
        while self.peek() is not None and wanted(self.peek()):
            self.at += 1
        return self.lines[start:self.at]

    def heading(self):
        marks, title = self.lines[self.at].split(" ", 1)
        self.at += 1
        title = re.sub(r"[`*]", "", title)
        if len(marks) == 2:
            yield f"# {escape(title.upper())}"
        elif len(marks) > 2:
            yield f"## {escape(title)}"
        yield ""

    def code(self):
        fenced = self.peek().startswith("```")
        if fenced:
            self.at += 1
            lines = self.take_while(lambda line: not line.startswith("```"))
            self.at += 1
        else:
            lines = [line[4:] for line in self.take_while(lambda line: line.startswith("    "))]
        yield "```"
        yield from (line.replace("\\", "\\\\") for line in lines)
        yield "```"
        yield ""

    def list(self):
        """Items of one kind; what is further in, or comes behind a blank line, may be the same item's or list's."""
        kind = self.item_kind(self.at)
        while self.item_kind(self.at) == kind:
            text = ITEM.match(self.lines[self.at]).group(2)
            self.at += 1
            text += "".join(" " + line.strip() for line in self.take_while(lambda line: line.startswith(" ")))
            yield f"{kind} {inline(' '.join(text.split()))}"
            self.take_while(lambda line: not line and self.item_kind(self.at + 1) == kind)
        yield ""

    def item_kind(self, at):
        """scdoc's mark for the item that begins there; None if none does."""
        match = ITEM.match(self.lines[at]) if at < len(self.lines) else None
        return None if match is None else "." if match.group(1) else "-"

    def blocks(self):
        while (line := self.peek()) is not None:
            if not line.strip():
                self.at += 1
            elif line.startswith("#"):
                yield from self.heading()
            elif line.startswith(("```", "    ")):
                yield from self.code()
            elif line.startswith("|"):
                yield from table(self.take_while(lambda line: line.startswith("|")))
            elif self.item_kind(self.at):
                yield from self.list()
            else:
                text = self.take_while(
                    lambda line: line.strip() and not line.startswith(("#", "```", "|")) and not ITEM.match(line))
                yield paragraph(" ".join(text))
                yield ""


def page(name, section, description, others, text):
    lines = [f"{name}({section})", "", "# NAME", "", f"{name} - {description}", "", "# DESCRIPTION", ""]
    for line in Reader(text).blocks():
        # One blank line is all that scdoc takes.
        if line or lines[-1]:
            lines.append(line)
    while not lines[-1]:
        lines.pop()
    return "\n".join([*lines, "", "# SEE ALSO", "", others, ""])


if __name__ == "__main__":
    title = re.fullmatch(r"([\w.-]+)\((\d)\)", sys.argv[1])
    with open(sys.argv[4], encoding="utf-8") as file:
        made = page(*title.groups(), sys.argv[2], bold(sys.argv[3]), file.read())
    with open(sys.argv[5], "w", encoding="utf-8") as out:
        out.write(made)
