"""What scripts/bench --peers tells of its results, on the terminal and in a table for programs."""

import csv
import statistics

from kinds import TINY
from measuring import rate
from rows import EIGHT, LATENCY, MANY, RATE, Value


def tell_facts(facts, rounds):
    for name, text in facts.items():
        print(f"{name}: {text}")
    print(f"{rounds} rounds; in each every server anew and by turns. Clients and servers share the "
          "machine; clients come from 64 addresses of 127.0.0.0/8, and reset the connection when the "
          "server has ended it, so that no side has it in TIME_WAIT")


def tell_kinds(handler, chosen, folder, peers_folder):
    """Each server's command and config, and what is left out."""
    print(f"\nHandler `{handler}`:")
    place = folder / "told"
    place.mkdir(exist_ok=True)
    for kind in chosen.kinds.values():
        command, config, _ = kind.launch(place)
        words = " ".join(map(str, command)).replace(str(folder), "$FOLDER").replace(
            str(peers_folder), "$PEERS")
        print(f"  {kind.name}: {words}" + (f"\n      ({kind.note})" if kind.note else ""))
        for line in config.splitlines():
            print(f"      {line}".replace(str(folder), "$FOLDER"))
    for name, why in chosen.missing.items():
        print(f"  left out: {name}: {why}")


def tell_measures(measured, rounds):
    for handler in dict.fromkeys(value.handler for value in measured.values):
        for measure in dict.fromkeys(value.measure for value in measured.values
                                     if value.handler == handler):
            by = RATE if measure in (MANY, EIGHT) else LATENCY
            print(f"\nHandler `{handler}`, {measure}, medians of {rounds} rounds")
            print(f"  {'server':32} {'per second':>11} {'median us':>10} {'p99 us':>9}")
            for name in measured.medians(handler, measure, by):
                value = Value(handler, measure, name)
                lists = measured.values[value]
                tail = statistics.median(result.p99_us for _, each, result in measured.lines
                                         if each == value)
                print(f"  {name:32} {statistics.median(lists[RATE]):11.0f} "
                      f"{statistics.median(lists[LATENCY]):10.0f} {tail:9.0f}")


def idle_memory(measured, handler=TINY):
    """{server: (PSS, RSS, private, processes)} in KiB, medians."""
    return {name: tuple(statistics.median(column) for column in zip(*seen))
            for (each, name), seen in measured.memory.items() if each == handler}


def tell_memory(measured):
    memory = idle_memory(measured)
    print("\nIdle, after one client; helpers and living handlers included (KiB)\n"
          f"  {'server':32} {'PSS':>7} {'RSS':>7} {'private':>8} {'processes':>10}")
    for name, sizes in sorted(memory.items(), key=lambda item: item[1][0]):
        print(f"  {name:32} {sizes[0]:7.0f} {sizes[1]:7.0f} {sizes[2]:8.0f} {sizes[3]:10.0f}")


def tell_faults(clients):
    """Whether every client was served."""
    bad = {name: dict(counts) for name, counts in clients.faults.items() if counts}
    print("\nErrors: " + ("none" if not bad else ""))
    for name, counts in bad.items():
        print(f"  {name}: " + ", ".join(f"{fault} {count}" for fault, count in counts.items()))
    return not bad


def write_csv(path, facts, measured, memory, verdicts):
    """Facts, results and ratios in one table, for whoever wants to plot it otherwise."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "round", "handler", "measure", "server", "per_second", "served",
                         "refused", "reset", "short", "wrong", "silent", "span_us", "median_us",
                         "p90_us", "p99_us", "max_us"))
        for number, value, result in measured.lines:
            writer.writerow(("result", number + 1, *value, f"{rate(result):.1f}", *result))
        writer.writerow(())
        writer.writerow(("what", "server", "pss_kib", "rss_kib", "private_kib", "processes"))
        for name, sizes in memory.items():
            writer.writerow(("memory", name, *(f"{size:.0f}" for size in sizes)))
        writer.writerow(())
        writer.writerow(("what", "row", "old", "low", "ratio", "high", "wanted", "verdict"))
        for verdict in verdicts:
            figures = [f"{x:.4f}" for x in verdict.ratio] if verdict.ratio else ["", "", ""]
            writer.writerow(("ratio", verdict.row.name, verdict.old, *figures, verdict.row.wanted,
                             verdict.text))
        writer.writerow(())
        writer.writerow(("what", "name", "text"))
        for name, text in facts.items():
            writer.writerow(("machine", name, text))
