"""The plot of scripts/bench --peers: a table whose figures are bars, one row for each server.

An SVG of its own making, that carries its colours for light and for dark pages.
"""

import collections
import statistics
from xml.sax.saxutils import escape

from kinds import IN_LOOP, NULL, TINY
from rows import LATENCY, MANY, ONE, RATE, Value

# `low` and `high` are the quartiles of the rounds, or None.
Cell = collections.namedtuple("Cell", "value low high", defaults=(None, None))
Line = collections.namedtuple("Line", "name cells")
Group = collections.namedtuple("Group", "title family lines")
Column = collections.namedtuple("Column", "title hint form")

COLUMNS = (
    Column("connections a second", "32 clients at once; longer is better", "{:,.0f}"),
    Column("milliseconds to the answer", "one client at a time; shorter is better", "{:.2f}"),
    Column("KiB of memory, idle", "after one client (PSS); shorter is better", "{:,.0f}"),
)
# What is told apart to find out why, and not for the reader of a plot.
HIDDEN = (IN_LOOP, NULL)
TITLES = (("batond", "Baton"), ("peer", "Others, a fresh process for each client"),
          ("loop", "Limits: loops of ours that do nothing else"))

# In some round nobody was served in time, or it was not measured.
NOTHING = "\u2013"

WIDTH, MARGIN = 920, 20
NAMES_WIDTH, GAP, VALUE_WIDTH = 218, 18, 50
TOP, LINE_HEIGHT, BAR_HEIGHT, GROUP_HEIGHT = 104, 21, 11, 30
FOOT_LINE_HEIGHT, FOOT_MAX_CHARACTERS = 16, 138
# A bar that would make all others too short to tell apart is cut, and marked.
CUT, STEP = 6.0, 2.5

STYLE = """
  .page { fill: #ffffff; stroke: #d0d7de; }
  text { font: 12.5px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .head { font-weight: 600; }
  .group { font-weight: 600; font-size: 12px; }
  .hint, .foot { fill: #59636e; font-size: 11px; }
  .value { fill: #59636e; font-size: 11.5px; font-variant-numeric: tabular-nums; }
  .batond { fill: #0969da; }
  .peer { fill: #9a6b1c; }
  .loop { fill: #afb8c1; }
  text.batond { fill: #0969da; } text.peer { fill: #7d5510; } text.loop { fill: #59636e; }
  .spread { stroke: #1f2328; stroke-opacity: 0.55; stroke-width: 1; }
  .rule { stroke: #d0d7de; stroke-width: 1; }
  .cut { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d; }
    text { fill: #e6edf3; }
    .hint, .foot, .value { fill: #9198a1; }
    .batond { fill: #4493f8; }
    .peer { fill: #c69026; }
    .loop { fill: #545d68; }
    text.batond { fill: #6cb0ff; } text.peer { fill: #d8a648; } text.loop { fill: #9198a1; }
    .spread { stroke: #e6edf3; }
    .rule { stroke: #30363d; }
    .cut { fill: #0d1117; }
  }"""


def _spread(numbers, scale=1.0):
    """A cell of what the rounds gave."""
    if not numbers or not all(numbers):
        return None
    numbers = [number * scale for number in numbers]
    if len(numbers) < 2:
        return Cell(numbers[0])
    low, middle, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Cell(middle, low, high)


def _line(measured, memory, name):
    def of(measure):
        return measured.values.get(Value(TINY, measure, name), {RATE: [], LATENCY: []})
    return Line(name, (_spread(of(MANY)[RATE]), _spread(of(ONE)[LATENCY], 1e-3),
                       Cell(memory[name][0]) if name in memory else None))


def panels(measured, memory, chosen):
    """The groups of what was measured with the tiny handler."""
    groups = []
    for family, title in TITLES:
        lines = [_line(measured, memory, name) for name, kind in chosen[TINY].kinds.items()
                 if kind.family == family and name not in HIDDEN] if TINY in chosen else []
        lines = [line for line in lines if line.cells[0] is not None]
        lines.sort(key=lambda line: -line.cells[0].value)
        if lines:
            groups.append(Group(title, family, lines))
    return groups


def scale_of(cells):
    """The value whose bar is as long as there is room."""
    values = sorted(cell.value for cell in cells if cell is not None)
    if not values:
        return 1.0
    scale = statistics.median(values)
    for value in values:
        if value <= max(CUT * statistics.median(values), STEP * scale):
            scale = max(value, scale)
    return max(scale, 1e-9)


def _bar(cell, column, x, y, width, scale, family):
    """The elements of one cell."""
    if cell is None:
        return [f'<text class="value" x="{x}" y="{y + 4}">{NOTHING}</text>']
    length = max(min(cell.value / scale, 1.0) * width, 1.0)
    top = y - BAR_HEIGHT / 2
    parts = [f'<rect class="{family}" x="{x}" y="{top:.1f}" width="{length:.1f}" '
             f'height="{BAR_HEIGHT}" rx="2"/>']
    end = x + length
    if cell.value > scale:
        parts += [f'<rect class="cut" x="{x + width - at}" y="{top - 1:.1f}" width="3" '
                  f'height="{BAR_HEIGHT + 2}"/>' for at in (16, 22)]
    elif cell.low is not None:
        low, high = (x + min(max(each / scale, 0), 1.0) * width for each in (cell.low, cell.high))
        parts.append(f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        end = max(end, high)
    parts.append(f'<text class="value" x="{end + 6:.1f}" y="{y + 4}">'
                 f'{column.form.format(cell.value)}</text>')
    return parts


def _wrap(words, most):
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 3 > most:
            lines.append("")
        lines[-1] += (" · " if lines[-1] else "") + word
    return lines


def _head(columns, lefts):
    parts = [f'<text class="title" x="{MARGIN}" y="36">What a connection costs</text>',
             f'<text class="hint" x="{MARGIN}" y="56">the same tiny static handler for all; medians of '
             'rounds in turns, with their quartiles</text>']
    for column, left in zip(columns, lefts):
        parts.append(f'<text class="head" x="{left}" y="{TOP - 22}">{escape(column.title)}</text>')
        parts.append(f'<text class="hint" x="{left}" y="{TOP - 7}">{escape(column.hint)}</text>')
    return parts


def draw(groups, facts, rounds, columns=COLUMNS):
    """The SVG as text. `facts` is what the machine is, for the foot."""
    room = (WIDTH - 2 * MARGIN - NAMES_WIDTH) / len(columns)
    lefts = [MARGIN + NAMES_WIDTH + round(at * room) for at in range(len(columns))]
    width = room - VALUE_WIDTH - GAP
    scales = [scale_of([line.cells[at] for group in groups for line in group.lines])
              for at in range(len(columns))]
    parts, y = _head(columns, lefts), TOP
    for group in groups:
        parts.append(f'<line class="rule" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y + 5}" y2="{y + 5}"/>')
        parts.append(f'<text class="group {group.family}" x="{MARGIN}" y="{y + 24}">'
                     f'{escape(group.title)}</text>')
        y += GROUP_HEIGHT
        for line in group.lines:
            y += LINE_HEIGHT
            parts.append(f'<text x="{MARGIN + 10}" y="{y - 2}">{escape(line.name)}</text>')
            for column, cell, left, scale in zip(columns, line.cells, lefts, scales):
                parts += _bar(cell, column, left, y - 6, width, scale, group.family)
        y += 6
    foot = _wrap([f"{rounds} rounds", *facts.values()], FOOT_MAX_CHARACTERS)
    parts.append(f'<line class="rule" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y + 5}" y2="{y + 5}"/>')
    y += 10
    for text in foot:
        y += FOOT_LINE_HEIGHT
        parts.append(f'<text class="foot" x="{MARGIN}" y="{y}">{escape(text)}</text>')
    height = y + MARGIN
    body = "\n".join(f"  {part}" for part in parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-label="What a connection costs with Baton and with '
            f'others">\n  <style>{STYLE}\n  </style>\n'
            f'  <rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>\n'
            f"{body}\n</svg>\n")
