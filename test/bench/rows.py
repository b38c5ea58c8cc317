"""The table of ratios: what is wanted of each, and what the rounds say of it."""

import collections
import statistics

from kinds import (BARE, CHANNEL, DYNAMIC, FITTED, FORKING, IN_LOOP, NULL, PYTHON, REUSE,
                   SOCKETS_FITTED, SPARES, STDIO, TINY)
from paired import paired_ratio

# Measures: how the clients come.
MANY, ONE, PACED, EIGHT = "32 at once", "one at a time", "200 a second", "8 at once"
# The best of others, by the median of the measure.
BEST_PEER = "best peer"
# Measured apart (slow.py, wine.py).
SLOW, ALONE = "beside a slow exec", "alone"
WINE_FRESH, WINE_SPARES, WINE_REUSE = "wine, fresh", "wine, spares", "wine, reuse"
SLOW_NEIGHBOUR, WINE = "neighbour", "wine"

# A value is of a (handler, measure, server). `at_most` turns the row's demand around.
Value = collections.namedtuple("Value", "handler measure server")
Row = collections.namedtuple("Row", "name text new old by wanted at_most needs",
                             defaults=(False, ()))
# What a ratio is of: connections a second, new to old; or medians of latencies, old to new; or the same,
# new to old.
RATE, LATENCY, DELAY = "rate", "latency", "delay"


def _row(name, text, handler, measure, new, old, by, wanted, needs=()):
    return Row(name, text, Value(handler, measure, new), Value(handler, measure, old), by, wanted,
               needs=needs)


# `needs` are the keys without which a row is measured with what there is, and is marked.
ROWS = (
    _row("stdio-bare", "fresh process, stdio, 32 at once: to the bare loop", TINY, MANY,
         STDIO, BARE, RATE, 1.1, ("launchers",)),
    _row("null-bare", "without launchers, output = null: to the bare loop", TINY, MANY,
         NULL, BARE, RATE, 0.92),
    _row("log-fitted", "without launchers, with a log: to the fitted loop", TINY, MANY,
         IN_LOOP, FITTED, RATE, 0.97),
    _row("stdio-peer", "fresh process, stdio, 32 at once: to the best peer", TINY, MANY,
         STDIO, BEST_PEER, RATE, 1.4, ("launchers",)),
    Row("slow-exec", "median latency beside an exec of 3 s with 32 clients, to that without",
        Value(TINY, SLOW, SLOW_NEIGHBOUR), Value(TINY, ALONE, SLOW_NEIGHBOUR), DELAY, 1.2, True,
        ("launchers",)),
    _row("channel-stdio", "fresh process through the channel: to stdio", TINY, MANY,
         CHANNEL, STDIO, RATE, 0.85),
    _row("channel-stdio-dynamic", "the same with a dynamic handler in C", DYNAMIC, MANY,
         CHANNEL, STDIO, RATE, 0.85),
    _row("one-peer", "one at a time, median latency, stdio: best peer's to ours", TINY, ONE,
         STDIO, BEST_PEER, LATENCY, 1.25),
    _row("spares-peer", "200 a second, median latency: best peer's fresh to our spares", TINY, PACED,
         SPARES, BEST_PEER, LATENCY, 2.0, ("spares",)),
    _row("reuse-fitted", "reuse, 32 at once: to the fitted SCM_RIGHTS loop", TINY, MANY,
         REUSE, SOCKETS_FITTED, RATE, 0.85, ("reuse",)),
    _row("reuse-peer", "reuse, 32 at once: to the best peer's fresh", TINY, MANY,
         REUSE, BEST_PEER, RATE, 3.0, ("reuse",)),
    _row("python-fork-server", "Python, fork server, 8 at once: to a fresh interpreter", PYTHON, EIGHT,
         FORKING, CHANNEL, RATE, 15, ("serve_forking",)),
    Row("wine-spares", "Wine, median latency: fresh to spares",
        Value(WINE, ONE, WINE_SPARES), Value(WINE, ONE, WINE_FRESH), LATENCY, 10, False,
        ("spares",)),
)
NAMES = tuple(row.name for row in ROWS)

Verdict = collections.namedtuple("Verdict", "row ratio old text is_met")


def best_peer(values, row, peers):
    """The peer with the best median of the row's measure, or None; one that in some round has served
    nobody, or was too slow to be measured, is not it."""
    medians = {}
    rounds = len(values.get(row.new, {}).get(row.by, []))
    for name in peers:
        found = values.get(row.old._replace(server=name), {}).get(row.by, [])
        if found and all(found) and len(found) == rounds:
            medians[name] = statistics.median(found)
    if not medians:
        return None
    return (max if row.by == RATE else min)(medians, key=medians.get)


def judge(row, values, peers):
    """`values`: {Value: {"rate": [of each round], "latency": [...]}}."""
    old = row.old
    if old.server == BEST_PEER:
        name = best_peer(values, row, peers)
        if name is None:
            return Verdict(row, None, "", "no peer was measured", None)
        old = old._replace(server=name)
    of = RATE if row.by == RATE else LATENCY
    news = values.get(row.new, {}).get(of, [])
    olds = values.get(old, {}).get(of, [])
    if not news or len(news) != len(olds):
        lacking = row.new.server if not news else old.server
        return Verdict(row, None, old.server, f"not measured: {lacking}", None)
    if not all(news) or not all(olds):
        return Verdict(row, None, old.server, "not measured: in a round nobody was served", None)
    first, second = (news, olds) if row.by == LATENCY else (olds, news)
    try:
        ratio = paired_ratio(first, second)
    except ValueError as error:
        return Verdict(row, None, old.server, str(error), None)
    is_met = ratio.estimate <= row.wanted if row.at_most else ratio.estimate >= row.wanted
    return Verdict(row, ratio, old.server, "met" if is_met else "not met", is_met)


def report(verdicts, missing):
    """Prints the table; `missing` are the keys that batond does not have."""
    print(f"\n{'row':22} {'ratio':>7}   {'95 % interval':16} {'wanted':>8}   verdict")
    for verdict in verdicts:
        row, ratio = verdict.row, verdict.ratio
        wanted = f"{'<=' if row.at_most else '>='} {row.wanted:g}"
        figures = (f"{ratio.estimate:7.3f}   {f'{ratio.low:.3f} to {ratio.high:.3f}':16}"
                   if ratio else f"{'-':>7}   {'-':16}")
        lacking = [need for need in row.needs if need in missing]
        said = verdict.text
        if verdict.is_met is not None and row.old.server == BEST_PEER:
            said += f" (best peer: {verdict.old})"
        if lacking:
            said += f"; batond has no {', '.join(lacking)} yet"
        print(f"{row.name:22} {figures} {wanted:>8}   {said}")
        print(f"    {row.text}")
