"""What scripts/bench --against does; its head says what is measured and how it is judged."""

import argparse
import contextlib
import math
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import guard
from paired import is_met, paired_ratio
from rounds import AT_ONCE, LEGS, MODES, SIDES, Failure, Supervisor, run_round, tells_failures

ROOT = pathlib.Path(__file__).resolve().parents[2]

EXIT_MET, EXIT_NOT_MET, EXIT_USAGE, EXIT_BUILD = 0, 1, 64, 69

# With fewer rounds the interval is wider, and a wide one reaches a bound all too easily.
ROUNDS_MIN, ROUNDS_MAX = 21, 1000
BOUND_MAX = 10
LEG_COUNT = 250
# Handlers that live beside those that are measured.
FEW_COUNT, LIVING_MAX = 10, 20000
# Services that nobody comes to; batond takes 1024 in all.
SERVICES_MAX = 1000
STARTS = 7
# Rules about who may come; batond takes no more.
RULES_MAX = 1000000
LOG_LINES_SHOWN = 20
GROUP_DEADLINE_S = 10

USAGE = """\
usage: scripts/bench [--peers [--row NAME]... [--rounds N] [--csv FILE] [--svg FILE] [--busy]]
       scripts/bench --syscalls | --quick
       scripts/bench COUNT
       scripts/bench --against COMMIT [--output null] [--guard] [--bound RATIO] [--rounds N]
       scripts/bench --living COUNT [--bound RATIO] [--rounds N]
       scripts/bench --services COUNT [--bound RATIO] [--rounds N]
       scripts/bench --rules COUNT [--bound RATIO] [--rounds N]
       scripts/bench --flood [--rate RATE] [--bound RATIO] [--rounds N]
"""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(EXIT_USAGE, f"bench: {message}\n{USAGE}")

    def format_help(self):
        return USAGE + "The head of scripts/bench says what each measures.\n"


def bound_value(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= BOUND_MAX:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no ratio of new to old; right is a number above 0 and at most "
            f"{BOUND_MAX}, such as 0.98")
    return value


def rounds_value(text):
    if not re.fullmatch("[0-9]{1,9}", text) or not ROUNDS_MIN <= int(text) <= ROUNDS_MAX:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of rounds; right is {ROUNDS_MIN} (the default) to {ROUNDS_MAX}")
    return int(text)


def living_value(text):
    if not re.fullmatch("[0-9]{1,9}", text) or not FEW_COUNT < int(text) <= LIVING_MAX:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of handlers; right is {FEW_COUNT + 1} to {LIVING_MAX}")
    return int(text)


def services_value(text):
    if not re.fullmatch("[0-9]{1,9}", text) or not FEW_COUNT < int(text) <= SERVICES_MAX:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of services; right is {FEW_COUNT + 1} to {SERVICES_MAX}")
    return int(text)


def rules_value(text):
    if not re.fullmatch("[0-9]{1,9}", text) or not 0 < int(text) <= RULES_MAX:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no number of rules; right is 1 to {RULES_MAX}")
    return int(text)


def parse(arguments):
    parser = Parser(prog="bench", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--against", metavar="COMMIT")
    what.add_argument("--living", metavar="COUNT", type=living_value)
    what.add_argument("--services", metavar="COUNT", type=services_value)
    what.add_argument("--rules", metavar="COUNT", type=rules_value)
    parser.add_argument("--output", choices=("log", "null"), default="log")
    parser.add_argument("--guard", action="store_true")
    parser.add_argument("--bound", metavar="RATIO", type=bound_value)
    parser.add_argument("--rounds", metavar="N", type=rounds_value, default=ROUNDS_MIN)
    return parser.parse_args(arguments)


def install_packages():
    # It tells its own faults.
    if subprocess.run([ROOT / "scripts" / "packages", "run"], check=False).returncode != 0:
        raise Failure(EXIT_BUILD, "not everything is there that a build needs")


def git(*arguments):
    try:
        return subprocess.run(["git", "-C", ROOT, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise Failure(EXIT_BUILD, f"git is needed to get at the other tree: {error}") from error


def find_commit(name):
    """The full id of a commit."""
    there = git("rev-parse", "--git-dir")
    if there.returncode != 0:
        raise Failure(EXIT_BUILD,
                      f"git finds no repository here to take it from: {there.stderr.strip()}")
    found = git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode != 0:
        raise Failure(
            EXIT_USAGE,
            f"'{name}' names no commit here, or several; right is an id that `git log` shows, a "
            "branch or a tag. `git fetch --unshallow` completes a shallow clone")
    return found.stdout.strip()


def describe_trees(commit):
    """{side: what it is}, for the reader."""
    changed = git("status", "--porcelain").stdout.strip() != ""
    line = ("show", "-s", "--format=%h %s")
    return {"old": git(*line, commit).stdout.strip(),
            "new": "the working tree, " + ("changed from " if changed else "")
                   + git(*line, "HEAD").stdout.strip()}


def end_group(process):
    """Ends a build that was interrupted, and waits until nothing of it writes into its folder."""
    deadline_s = time.monotonic() + GROUP_DEADLINE_S
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        # The number may be another's by now, but signal 0 hurts nobody.
        while time.monotonic() < deadline_s:
            os.killpg(process.pid, 0)
            time.sleep(0.01)


@contextlib.contextmanager
def signals_held_back():
    """No signal between the start of a process and the moment from which we can end it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def run_quietly(what, log, *command, cwd=None):
    """Runs a step of a build; its output is only shown when it fails."""
    process = None
    try:
        with open(log, "ab") as output, signals_held_back() as let_signals_in:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output, cwd=cwd or ROOT, start_new_session=True,
                                       preexec_fn=let_signals_in)
        status = process.wait()
    except OSError as error:
        raise Failure(EXIT_BUILD, f"{what}: {error}") from error
    except BaseException:
        if process is not None:
            end_group(process)
        raise
    if status != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        raise Failure(EXIT_BUILD, "\n".join([f"{what} failed with {status}:",
                                             *(f"  {line}" for line in lines)]))


def export(commit, folder):
    """Puts the tree of a commit into a new folder."""
    folder.mkdir()
    archive, log = folder.with_suffix(".tar"), folder.with_suffix(".log")
    run_quietly("getting the old tree", log,
                "git", "archive", "--format=tar", "-o", archive, commit)
    run_quietly("unpacking the old tree", log, "tar", "-xf", archive, "-C", folder)
    archive.unlink()


def build(side, source, folder, *options):
    """Builds a tree afresh, with no setting of an earlier build; what serves goes into `folder`.

    Both end up side by side: the way to a program is part of what launching it costs.
    """
    print(f"Building the {side} tree ...", flush=True)
    built = folder.with_name(f"build-{side}")
    log = folder.with_suffix(".log")
    run_quietly(f"configuring the {side} tree", log,
                "cmake", "--preset", "release", "-B", built, *options, cwd=source)
    run_quietly(f"building the {side} tree", log, "cmake", "--build", built)
    for name in ("bin/batond", "handlers/ok"):
        if not os.access(built / name, os.X_OK):
            raise Failure(EXIT_BUILD, f"the build of the {side} tree has made no {name}")
    for name in ("bin", "handlers"):
        shutil.copytree(built / name, folder / name)
    return built


def measure(load, folders, rounds, count, settings=None):
    """{(mode, side): [connections per second of each round]}; prints the rounds as they come."""
    rates = {(mode, side): [] for mode in MODES for side in SIDES}
    print("round" + "".join(f"   {mode:>7} old/s   new/s  ratio" for mode in MODES))
    for number in range(rounds):
        line = f"{number + 1:5}"
        of_round = run_round(load, folders, number, count, settings)
        for mode in MODES:
            old, new = (of_round[mode, side] for side in SIDES)
            line += f"   {old:13.0f} {new:7.0f}  {new / old:5.3f}"
        for key, rate in of_round.items():
            rates[key].append(rate)
        print(line, flush=True)
    return rates


def verdict(ratio, bound):
    if bound is None:
        return ""
    if not is_met(ratio, bound):
        return f"   bound {bound:g} not met"
    if ratio.low < bound:
        return f"   bound {bound:g} met, by the interval's upper end"
    return f"   bound {bound:g} met"


def report(rates, bound):
    """Prints what the rounds come to; whether the bound is met in every mode."""
    print("\nmode      median old/s   new/s   new/old   95 % interval")
    met = True
    for mode in MODES:
        old, new = (rates[mode, side] for side in SIDES)
        ratio = paired_ratio(old, new)
        met = met and (bound is None or is_met(ratio, bound))
        print(f"{mode:8} {statistics.median(old):13.0f} {statistics.median(new):7.0f}"
              f"   {ratio.estimate:7.3f}   {ratio.low:.3f} to {ratio.high:.3f}"
              f"{verdict(ratio, bound)}")
    return met


def judge(built, sides, rounds, bound, settings, *words):
    """Measures and prints it all, `words` about the sides first; the exit status."""
    print(*words, f"{rounds} rounds of {LEGS * LEG_COUNT} connections a side and mode, {AT_ONCE} at once; "
          f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", sep="\n")
    rates = measure(built / "bench" / "load", sides, rounds, LEG_COUNT, settings)
    return EXIT_MET if report(rates, bound) else EXIT_NOT_MET


def compare(commit, options, folder):
    trees = describe_trees(commit)
    sides = {side: folder / side for side in SIDES}
    source = folder / "source"
    export(commit, source)
    build("old", source, sides["old"])
    built = build("new", ROOT, sides["new"], "-DBATON_BENCH=ON")
    defaults = "" if options.output == "log" else "output = null\n"
    settings = {"old": {"defaults": guard.account(sides["old"])},
                "new": guard.settings(sides["new"], defaults) if options.guard
                else {"defaults": guard.account(sides["new"]) + defaults}}
    return judge(built, sides, options.rounds, options.bound, settings,
                 *(f"{side}: {trees[side]}" for side in SIDES))


def build_twice(folder):
    """This tree on both sides: where its programs are, the sides, and the keys that both have."""
    sides = {side: folder / side for side in SIDES}
    built = build("new", ROOT, sides["new"], "-DBATON_BENCH=ON")
    shutil.copytree(sides["new"], sides["old"])
    return built, sides, guard.account(sides["new"])


def compare_living(count, rounds, bound, folder):
    """This tree with few living handlers (old) and with many (new)."""
    built, sides, defaults = build_twice(folder)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    settings = {"old": {"living_count": FEW_COUNT, "defaults": defaults},
                "new": {"living_count": count, "defaults": defaults}}
    try:
        return judge(built, sides, rounds, bound, settings,
                     f"old: {FEW_COUNT} living handlers; new: {count}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def time_starts(folder, name, settings):
    """Prints how long a supervisor takes until it says that it is ready."""
    times_s = []
    for _ in range(STARTS):
        with Supervisor(folder, name, **settings) as supervisor:
            times_s.append(supervisor.start_s)
    print(f"start with {settings['idle_count']} services: median "
          f"{statistics.median(times_s):.3f} s of {STARTS}, "
          f"{min(times_s):.3f} to {max(times_s):.3f}", flush=True)


def compare_services(count, rounds, bound, folder):
    """This tree with few services beside those that are measured (old) and with many (new)."""
    built, sides, defaults = build_twice(folder)
    settings = {"old": {"idle_count": FEW_COUNT, "defaults": defaults},
                "new": {"idle_count": count, "defaults": defaults}}
    for side in SIDES:
        time_starts(sides[side], side, settings[side])
    return judge(built, sides, rounds, bound, settings,
                 f"old: {FEW_COUNT} services that nobody comes to; new: {count}")


def compare_rules(count, rounds, bound, folder):
    """This tree without a rule about who may come (old) and with many, none about us (new)."""
    built, sides, defaults = build_twice(folder)
    # Other addresses follow each other in no order, as in a list that has grown.
    (sides["new"] / "rules").write_text("".join(
        f"{10 + (number >> 24)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\n"
        for number in (n * 2654435761 % 2**26 for n in range(count))), encoding="utf-8")
    settings = {"old": {"defaults": defaults}, "new": {"defaults": defaults + "deny = @rules\n"}}
    return judge(built, sides, rounds, bound, settings, f"old: no rules; new: {count}")


@contextlib.contextmanager
def ending_in_order():
    """A signal ends the bench as an exception does: supervisors stop, and the folder goes.

    A second one ends it at once; then the folder stays.
    """

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number, _):
        for each in signals:
            signal.signal(each, signal.SIG_DFL)
        sys.exit(128 + number)

    for each in signals:
        signal.signal(each, end)
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as folder:
        yield pathlib.Path(folder)


@tells_failures
def main(arguments):
    options = parse(arguments)
    commit = options.against and find_commit(options.against)
    install_packages()
    with ending_in_order() as folder:
        if options.living:
            return compare_living(options.living, options.rounds, options.bound, folder)
        if options.services:
            return compare_services(options.services, options.rounds, options.bound, folder)
        if options.rules:
            return compare_rules(options.rules, options.rounds, options.bound, folder)
        return compare(commit, options, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
