"""What scripts/bench --flood does; its head says what is measured and how it is judged."""

import argparse
import collections
import contextlib
import ctypes
import fcntl
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

import against
import guard
from against import EXIT_MET, EXIT_NOT_MET
from paired import paired_ratio
from rounds import Broken, Supervisor, tells_failures

HIT, OTHER = "hit", "other"
BARE, LAUNCHING = "bare", "bare, launching"
PER_SOURCE, TOTAL = 16, 24
# The hostile ones are those of 127.1.0.0 and above (flood.c). The client's own rate is never reached.
CONFIG = f"""\
[{HIT}]
listen = 127.0.0.1:0
handler = ok
backlog = 4096
allow = 127.0.0.0/16
hours = 00:00-23:59
max_connections = {TOTAL}
max_per_source = {PER_SOURCE}
rate = 100000/s burst 100000
rate_per_source = 50000/s burst 50000
when_full = refuse
[{OTHER}]
listen = 127.0.0.1:0
handler = ok
"""
SOURCES = {"few": 250, "many": 1 << 20}

BOUND = 3.0
RATE_MIN, RATE_ABOVE, RATE_MAX = 500, 20000, 1000000
ROUNDS_MIN, ROUNDS_MAX = 6, 1000
TRIAL_S, ABOVE_S, SEARCH_STEPS = 1.5, 5, 6
CLIENT_COUNT = 100
DEADLINE_S = 60
# What one page more in each of some tables would be; a leak of a byte a client is a megabyte.
MEMORY_MARGIN_KIB = 64

Turn = collections.namedtuple("Turn", "median_us tail_us rate overflows")
State = collections.namedtuple("State", "own_kib descriptors")


# ---- A network of its own: nobody else's overflows are counted ----

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def leave_network():
    """True if from here on this process has a loopback of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        now, = struct.unpack("16xH14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", now | _IFF_UP))
    return True


def overflows_count():
    """How often a backlog was full, in this network."""
    with open("/proc/self/net/netstat", encoding="ascii") as file:
        lines = [line.split() for line in file if line.startswith("TcpExt:")]
    values = dict(zip(lines[0], lines[1]))
    return max(int(values["ListenOverflows"]), int(values["ListenDrops"]))


# ---- The parties ----

class Flood:
    """Hostile clients at `port`, from its entry, when it has come up, to its exit."""

    def __init__(self, programs, port, rate, sources=SOURCES["few"]):
        self._command = [programs / "flood", str(port), str(rate), str(sources)]
        self.came = self.entered = self.span_us = 0

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline() != "begun\n":
            self._end()
            raise Broken("the flood has not begun")
        return self

    def _end(self):
        self._process.terminate()
        try:
            return self._process.communicate(timeout=DEADLINE_S)[0]
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def __exit__(self, kind, *_):
        last = self._end()
        if kind is None:
            if self._process.returncode != 0:
                raise Broken(f"the flood has ended with {self._process.returncode}")
            self.came, self.entered, self.span_us = map(int, last.split())

    @property
    def rate(self):
        return self.came * 1e6 / self.span_us


class Bare:
    """The loop that batond is compared with; with `program` it launches that for its clients."""

    def __init__(self, programs, *program):
        self._command = [programs / "bare", *program]

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         text=True)
        self.port = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.communicate(timeout=DEADLINE_S)


def converse(programs, who, port, count, *bare):
    """A well-behaved client's median and 99th percentile; each conversation was whole."""
    command = [programs / "client", str(port), str(count), *bare]
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise Broken(f"{who} has not served {count} clients within {DEADLINE_S} s") from error
    if result.returncode != 0:
        raise Broken(f"{who} has not served a client: {result.stderr.strip()}")
    return tuple(map(int, result.stdout.split()))


def take_turn(programs, who, port, rate, *bare, seconds=0.0):
    """A client under a flood of `rate` at the same port, once and for as long as `seconds`."""
    before = overflows_count()
    end_s = time.monotonic() + seconds
    with Flood(programs, port, rate) as flood:
        median_us, tail_us = converse(programs, who, port, CLIENT_COUNT, *bare)
        while time.monotonic() < end_s:
            converse(programs, who, port, CLIENT_COUNT, *bare)
        overflows = overflows_count() - before
    return Turn(median_us, tail_us, flood.rate, overflows)


# ---- What is measured ----

def find_rate(programs, supervisor, most):
    """The highest rate at which nobody finds the backlog full, as far as bisecting finds it."""
    def holds(rate):
        turn = take_turn(programs, "batond", supervisor.ports[HIT], rate, seconds=TRIAL_S)
        print(f"  {rate:6} asked for, {turn.rate:6.0f} came: {turn.overflows} overflows", flush=True)
        return turn.overflows == 0

    if holds(most):
        return most
    low, high = RATE_MIN, most
    for _ in range(SEARCH_STEPS):
        middle = round((low * high) ** 0.5)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def measure(programs, parties, rate, rounds):
    """{who: [a Turn for each round]}, or None when somebody found batond's backlog full."""
    turns = {who: [] for who in parties}
    for number in range(rounds):
        order = list(parties)
        for who in order[number % len(order):] + order[:number % len(order)]:
            port, *bare = parties[who]
            turns[who].append(take_turn(programs, who, port, rate, *bare))
        last = {who: turns[who][-1] for who in parties}
        print(f"{number + 1:5}" + "".join(
            f"   {turn.median_us:7} {turn.tail_us:7}" for turn in last.values()), flush=True)
        if last["batond"].overflows:
            return None
    return turns


def measure_below(programs, supervisor, parties, rate, rounds):
    while rate >= RATE_MIN:
        print(f"\nThe client's median and 99th percentile, microseconds, at {rate} a second\nround"
              + "".join(f"   {who:>15}" for who in parties))
        turns = measure(programs, parties, rate, rounds)
        if turns is not None:
            return rate, turns
        rate = rate * 4 // 5
        print("      a backlog was full; again, with a lower rate")
    raise Broken(supervisor.explain("lets its backlog overflow at every rate"))


def state_of(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        sizes = dict(re.findall(r"^(\w+): +(\d+) kB$", file.read(), re.MULTILINE))
    # What is a page of a file's may come and go as the system likes.
    return State(int(sizes["Anonymous"]), len(os.listdir(f"/proc/{pid}/fd")))


def is_same(before, after):
    return (after.descriptors == before.descriptors
            and after.own_kib <= before.own_kib + MEMORY_MARGIN_KIB)


def settled_state(supervisor):
    """Once nobody is served any more."""
    pid = supervisor.process.pid
    deadline_s = time.monotonic() + DEADLINE_S
    state = state_of(pid)
    while time.monotonic() < deadline_s:
        time.sleep(0.2)
        last, state = state, state_of(pid)
        if state == last:
            return state
    raise Broken(supervisor.explain("does not come to rest"))


def come_from(source, port):
    client = socket.create_connection(("127.0.0.1", int(port)), DEADLINE_S, (source, 0))
    client.sendall(b"hello")
    return client


def fill(supervisor):
    """As many as may come at once, of one source and of all, and not one more: then nobody else is
    counted. Until the handlers of those before have ended, they are."""
    with contextlib.ExitStack() as stack:
        def stays(source):
            client = come_from(source, supervisor.ports[HIT])
            stack.callback(client.close)
            try:
                return client.recv(16) == b"OK"
            except ConnectionError:
                return False

        counts = {source: sum(stays(source) for _ in range(PER_SOURCE + 1))
                  for source in ("127.0.0.1", "127.0.0.2")}
        return counts == {"127.0.0.1": PER_SOURCE, "127.0.0.2": TOTAL - PER_SOURCE}


def await_zero(supervisor):
    deadline_s = time.monotonic() + DEADLINE_S
    while not fill(supervisor):
        if time.monotonic() > deadline_s:
            raise Broken(supervisor.explain("still counts somebody who has gone"))
    return settled_state(supervisor)


def judge_log(text):
    """Whether every connection has its record, or is counted among those suppressed."""
    told = len(re.findall(r" event=connection ", text))
    suppressed = sum(
        int(number) for line in re.findall(r" event=refusals_suppressed (.*)", text)
        for number in re.findall(r"\brefused_\w+=(\d+)", line))
    taken, = map(int, re.findall(r" event=stopped connections=(\d+)", text))
    print(f"Log: {taken} connections, {told} recorded, {suppressed} counted")
    return told + suppressed == taken


def report(turns, bound):
    """Prints the ratios; whether the bound is met against the loop that serves its client, too."""
    met = True
    for who in [who for who in turns if who != "batond"]:
        ratio = paired_ratio([turn.median_us for turn in turns[who]],
                             [turn.median_us for turn in turns["batond"]])
        is_met = ratio.low <= bound
        met = met and (is_met or who != LAUNCHING)
        medians = [statistics.median(turn.median_us for turn in turns[each])
                   for each in ("batond", who)]
        print(f"batond / {who}: {medians[0]:.0f} / {medians[1]:.0f} us, ratio {ratio.estimate:.2f}, "
              f"95 % {ratio.low:.2f} to {ratio.high:.2f}"
              f"   {'at most' if is_met else 'above'} {bound:g}")
    return met


def flood(folder, options):
    """Returns the exit status."""
    side = folder / "new"
    programs = against.build("new", against.ROOT, side, "-DBATON_BENCH=ON") / "bench"
    print("" if leave_network() else "No network of its own may be had: others' overflows count\n",
          end="")
    with Supervisor(side, "new", config=CONFIG, defaults=guard.account(side),
                    services=(HIT, OTHER)) as supervisor:
        is_right = flood_supervisor(programs, side, supervisor, options)
        log = supervisor.log
    complete = judge_log(log.read_text(encoding="utf-8", errors="replace"))
    print("Every connection has its record" if complete else "Records are lost, or there twice")
    return EXIT_MET if is_right and complete else EXIT_NOT_MET


def flood_supervisor(programs, side, supervisor, options):
    converse(programs, "batond", supervisor.ports[HIT], CLIENT_COUNT)
    with Flood(programs, supervisor.ports[HIT], RATE_MIN):
        converse(programs, "batond", supervisor.ports[OTHER], CLIENT_COUNT)
    before = await_zero(supervisor)
    print(f"Rates that batond's backlog holds; load average {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} cores", flush=True)
    rate = find_rate(programs, supervisor, options.rate)
    with Bare(programs) as bare, Bare(programs, side / "handlers" / "ok") as launching:
        parties = {"batond": (supervisor.ports[HIT],), BARE: (bare.port, "bare"),
                   LAUNCHING: (launching.port,)}
        rate, turns = measure_below(programs, supervisor, parties, rate, options.rounds)
    came = statistics.median(turn.rate for turn in turns["batond"])
    print(f"\nHighest rate without an overflow: {rate} asked for, {came:.0f} a second came")
    met = report(turns, options.bound)
    counted = overflows_count()
    served = 0
    end_s = time.monotonic() + ABOVE_S
    with Flood(programs, supervisor.ports[HIT], RATE_MAX, SOURCES["many"]) as above:
        while served == 0 or time.monotonic() < end_s:
            median_us, tail_us = converse(programs, OTHER, supervisor.ports[OTHER], CLIENT_COUNT)
            served += CLIENT_COUNT
    print(f"Above: {above.rate:.0f} a second came ({overflows_count() - counted} overflows), and "
          f"another service served all its {served}: {median_us} {tail_us} us")
    converse(programs, "batond", supervisor.ports[HIT], CLIENT_COUNT)
    after = await_zero(supervisor)
    print(f"Before: {before}\nAfter:  {after}\nEvery count is zero")
    return met and is_same(before, after)


def parse(arguments):
    parser = against.Parser(prog="bench", allow_abbrev=False)
    parser.add_argument("--flood", action="store_true", required=True)
    parser.add_argument("--bound", metavar="RATIO", type=against.bound_value, default=BOUND)
    parser.add_argument("--rounds", metavar="N", type=rounds_value, default=ROUNDS_MIN)
    parser.add_argument("--rate", metavar="RATE", type=rate_value, default=RATE_ABOVE)
    return parser.parse_args(arguments)


def whole_value(text, what, least, most):
    if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is no {what}; right is {least} to {most}")
    return int(text)


def rounds_value(text):
    return whole_value(text, "number of rounds", ROUNDS_MIN, ROUNDS_MAX)


def rate_value(text):
    return whole_value(text, "rate a second", RATE_MIN, RATE_MAX)


@tells_failures
def main(arguments):
    options = parse(arguments)
    against.install_packages()
    with against.ending_in_order() as folder:
        return flood(folder, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
