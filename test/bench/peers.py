"""What scripts/bench --peers, --syscalls and --quick do; its head says what is measured."""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import time

import against
import kinds
import machine
import plot
import rows
import slow
import syscalls
import telling
import wine
from against import EXIT_BUILD, EXIT_MET, EXIT_NOT_MET, ROOT
from kinds import DYNAMIC, PYTHON, TINY, Programs
from measuring import Clients, rate
from rounds import EXIT_BROKEN, Broken, Failure, tells_failures
from rows import EIGHT, LATENCY, MANY, ONE, PACED, RATE, Value
from servers import Server

EXIT_BUSY = 75

ROUNDS_MIN, ROUNDS = 7, 9
# Before a span of it counts, and that span, which Python has thrice.
WARM_UP_MS, SPAN_MS = 100, 500
PACE, PACE_COUNT = 200, 150
# Below so many a second the open loop would only grow longer and longer.
PACED_MIN = 2 * PACE
MEMORY_TIMES = 3
BUILD = ROOT / "build" / "bench"

# How the clients of a measure come, for clients.c.
MEASURES = {
    MANY: ("closed", 32, WARM_UP_MS, SPAN_MS),
    ONE: ("closed", 1, WARM_UP_MS, SPAN_MS),
    EIGHT: ("closed", 8, WARM_UP_MS, 3 * SPAN_MS),
    PACED: ("paced", PACE, PACE_COUNT),
}
# The same by number, however long that takes: so few that it is about whether it works.
QUICK_COUNTS = {MANY: 64, ONE: 16}
OF_HANDLER = {TINY: (MANY, ONE, PACED), DYNAMIC: (MANY, ONE), PYTHON: (EIGHT,)}


class Measured:
    """All results, by what they are of."""

    def __init__(self):
        self.values = {}
        self.lines = []
        self.memory = {}

    def add(self, number, value, result):
        lists = self.values.setdefault(value, {RATE: [], LATENCY: []})
        lists[RATE].append(rate(result))
        lists[LATENCY].append(result.median_us)
        self.lines.append((number, value, result))

    def medians(self, handler, measure, by):
        """{server: median}, the best first."""
        found = {value.server: statistics.median(lists[by])
                 for value, lists in self.values.items()
                 if (value.handler, value.measure) == (handler, measure) and lists[by]}
        return dict(sorted(found.items(), key=lambda item: item[1], reverse=by == RATE))


# ---- What is measured ----

def rotated(names, number):
    """Whose turn is when: another begins in each round, and every other round goes backwards, so that
    nobody is always behind the same."""
    names = list(names)
    at = number % len(names)
    names = names[at:] + names[:at]
    return names if number % 2 == 0 else names[::-1]


def too_slow(measured, handler, server):
    """Whether an open loop would outrun it, by what it did in this round with clients at once."""
    done = measured.values.get(Value(handler, MANY, server), {RATE: []})[RATE]
    return bool(done) and done[-1] < PACED_MIN


def way_of(measure, options):
    way = MEASURES[measure]
    return ("count", way[1], QUICK_COUNTS[measure]) if options.quick else way


def run_round(number, chosen, handler, clients, folder, options, measured):
    """One round with one handler: every server for every measure, each server anew."""
    with contextlib.ExitStack() as stack:
        running = {}
        for name in rotated(chosen.kinds, number):
            place = folder / f"{handler}-{number}-{len(running)}"
            running[name] = stack.enter_context(Server(chosen.kinds[name], place))
        for measure in options.measures[handler]:
            for name in rotated(chosen.kinds, number):
                if measure == PACED and too_slow(measured, handler, name):
                    continue
                result = clients(running[name], *way_of(measure, options))
                measured.add(number, Value(handler, measure, name), result)
    print(f"  round {number + 1}, {handler}", flush=True)


def measure_all(programs, folder, options):
    """(Measured, {handler: Chosen}, Clients, why what is not measured)."""
    measured, clients, apart = Measured(), Clients(programs.bench / "clients"), {}
    chosen = {handler: kinds.choose(handler, programs, folder, options.peers)
              for handler in options.measures}
    for handler in options.measures:
        try_alone(chosen[handler], folder / f"trial-{handler}", handler, measured)
        telling.tell_kinds(handler, chosen[handler], folder, programs.peers)
    for number in range(options.rounds):
        for handler in options.measures:
            run_round(number, chosen[handler], handler, clients, folder, options, measured)
    if "slow-exec" in options.rows:
        measure_apart(apart, "slow-exec", lambda: slow.measure(
            programs, folder, clients, options.rounds, measured.add))
    if "wine-spares" in options.rows:
        measure_apart(apart, "wine-spares", lambda: wine.measure(
            folder, clients, options.rounds, measured.add))
    return measured, chosen, clients, apart


def try_alone(chosen, folder, handler, measured):
    """Each by itself, since what several of one kind share would count as less for each: what it keeps in
    memory. A peer that does not serve here is left out with its reason; one of ours ends the bench."""
    for at, (name, kind) in enumerate(list(chosen.kinds.items())):
        try:
            for number in range(MEMORY_TIMES):
                with Server(kind, folder / f"{at}-{number}") as server:
                    measured.memory.setdefault((handler, name), []).append(server.memory_kib())
        except Broken as broken:
            if kind.family != "peer":
                raise
            del chosen.kinds[name]
            chosen.missing[name] = str(broken)


def measure_apart(apart, name, measure):
    print(f"  {name}", flush=True)
    try:
        measure()
    except (Broken, OSError) as error:
        apart[name] = str(error)


# ---- What comes of it ----

def missing_keys(chosen, apart):
    """The keys and calls that rows need and batond does not have."""
    missing = set()
    for of_handler in chosen.values():
        for name, kind in of_handler.kinds.items():
            if "launchers" in kind.note and name == kinds.IN_LOOP:
                missing.add("launchers")
        for name, key in ((kinds.SPARES, "spares"), (kinds.REUSE, "reuse"),
                          (kinds.FORKING, "serve_forking")):
            if name in of_handler.missing:
                missing.add(key)
    return missing


def peers(programs, folder, options, facts):
    """Returns the exit status."""
    telling.tell_facts(facts, options.rounds)
    measured, chosen, clients, apart = measure_all(programs, folder, options)
    telling.tell_measures(measured, options.rounds)
    telling.tell_memory(measured)
    names = {name for of in chosen.values() for name, kind in of.kinds.items()
             if kind.family == "peer"}
    verdicts = [rows.judge(row, measured.values, names) for row in rows.ROWS
                if row.name in options.rows]
    verdicts = [verdict._replace(text=f"not measured: {apart[verdict.row.name]}")
                if verdict.row.name in apart else verdict for verdict in verdicts]
    rows.report(verdicts, missing_keys(chosen, apart))
    is_clean = telling.tell_faults(clients)
    memory = telling.idle_memory(measured)
    if options.csv:
        telling.write_csv(options.csv, facts, measured, memory, verdicts)
        print(f"Written: {options.csv}")
    if options.svg:
        text = plot.draw(plot.panels(measured, memory, chosen), facts, options.rounds)
        pathlib.Path(options.svg).write_text(text, encoding="utf-8")
        print(f"Written: {options.svg}")
    if not is_clean:
        return EXIT_BROKEN
    return EXIT_MET if all(verdict.is_met for verdict in verdicts) else EXIT_NOT_MET


def count_syscalls(programs, folder, options):
    """Returns the exit status."""
    clients = Clients(programs.bench / "clients")
    chosen = kinds.choose(TINY, programs, folder, options.peers)
    print(f"System calls of {syscalls.COUNT} connections, by strace, handler `{TINY}`: of the server and "
          "its threads and helpers; `launchers`: of those apart; `to launch`: of the new process before its program runs")
    for name, kind in chosen.kinds.items():
        for at_once in (1, syscalls.AT_ONCE):
            with Server(kind, folder / f"{len(name)}-{name.replace(' ', '-')}-{at_once}") as server:
                syscalls.report(name, syscalls.count_calls(server, clients, at_once), at_once)
    for name, why in chosen.missing.items():
        print(f"left out: {name}: {why}")
    return EXIT_MET if telling.tell_faults(clients) else EXIT_BROKEN


# ---- From the command line ----

def rounds_value(text):
    if not text.isascii() or not text.isdecimal() or not ROUNDS_MIN <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of rounds; right is {ROUNDS_MIN} to 1000")
    return int(text)


def parse(arguments):
    parser = against.Parser(prog="bench", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group()
    for mode in ("peers", "syscalls", "quick"):
        what.add_argument(f"--{mode}", action="store_true")
    parser.add_argument("--rounds", metavar="N", type=rounds_value, default=ROUNDS)
    parser.add_argument("--row", action="append", choices=rows.NAMES, dest="rows", metavar="NAME")
    parser.add_argument("--csv", metavar="FILE")
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("--busy", action="store_true")
    options = parser.parse_args(arguments)
    options.peers = None
    options.measures = needed_measures(options.rows)
    options.rows = options.rows or list(rows.NAMES)
    if options.quick:
        make_quick(options)
    return options


def needed_measures(names):
    """{handler: measures}: all, or those that the rows named need."""
    if names is None:
        return dict(OF_HANDLER)
    wanted = {(value.handler, value.measure) for row in rows.ROWS if row.name in names
              for value in (row.new, row.old)}
    # With clients at once it is seen who is too slow for the open loop.
    if (TINY, PACED) in wanted:
        wanted.add((TINY, MANY))
    found = {handler: tuple(measure for measure in measures if (handler, measure) in wanted)
             for handler, measures in OF_HANDLER.items()}
    return {handler: measures for handler, measures in found.items() if measures}


def make_quick(options):
    """One peer, few clients, the least of rounds."""
    options.rounds = ROUNDS_MIN
    options.peers = ("tcpserver",)
    options.measures = {TINY: (MANY, ONE)}
    options.rows = [row.name for row in rows.ROWS
                    if all(value.measure in options.measures.get(value.handler, ())
                           for value in (row.new, row.old))]
    options.busy = True


def build():
    print("Building ...", flush=True)
    BUILD.parent.mkdir(exist_ok=True)
    log = BUILD.with_suffix(".log")
    log.unlink(missing_ok=True)
    against.run_quietly("configuring", log, "cmake", "--preset", "release", "-B", BUILD,
                        "-DBATON_BENCH=ON")
    against.run_quietly("building", log, "cmake", "--build", BUILD)


def fetch_peers(folder):
    """What cannot be had is told by name later, and left out."""
    subprocess.run([ROOT / "scripts" / "cmake" / "fetch-peers", folder, "bench"], check=False,
                   stdin=subprocess.DEVNULL)


def compiler_of_build():
    with contextlib.suppress(OSError):
        for line in (BUILD / "CMakeCache.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith("CMAKE_C_COMPILER:"):
                return line.partition("=")[2]
    return "cc"


def see_that_it_is_idle(options):
    """What others take of the machine, for the reader; ends the bench where it is too much."""
    share = machine.busy_share()
    text = f"others took {share:.0%} of the cores' time"
    if share > machine.BUSY_MAX and not options.busy:
        raise Failure(EXIT_BUSY, f"{text}: figures would be worth nothing. Try again when it is idle; "
                                 "--busy goes on all the same, and says so")
    return text + (": NOT AN IDLE MACHINE" if share > machine.BUSY_MAX else "")


def commit():
    changed = against.git("status", "--porcelain").stdout.strip() != ""
    return against.git("rev-parse", "--short", "HEAD").stdout.strip() + (", changed" if changed else "")


def describe(options):
    facts = {"measured": time.strftime("%Y-%m-%d", time.gmtime()) + " at "
             + commit()}
    facts.update(machine.describe(compiler_of_build()))
    facts["others"] = see_that_it_is_idle(options)
    return facts


@tells_failures
def main(arguments):
    options = parse(arguments)
    against.install_packages()
    peers_folder = pathlib.Path(os.environ.get("BATON_PEERS") or ROOT / "build" / "peers")
    if not options.quick:
        fetch_peers(peers_folder)
    build()
    built = Programs(BUILD / "bin", BUILD / "bench", peers_folder)
    with against.ending_in_order() as folder:
        programs = kinds.copy_programs(built, folder)
        if options.syscalls:
            return count_syscalls(programs, folder, options)
        return peers(programs, folder, options, describe(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
