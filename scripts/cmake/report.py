"""report.py FOLDER: what ctest's last run there says about time.

FOLDER/tests.json is what `ctest --show-only=json-v1` printed before that run, FOLDER/test-results.xml
is the run's JUnit file. Writes FOLDER/test-times.tsv: each test, how long it took and how long it may
take. Prints the ten slowest, and a warning for each test that needed more than a third of its
deadline: on a busier machine it may not be enough. Exit status 1, and a line for each, if a test of
some preset is in the gate of none.
"""

import collections
import json
import os
import sys
import xml.etree.ElementTree

SLOWEST_COUNT = 10
DEADLINE_FACTOR = 3  # a deadline has to be so many times what the test needs

Test = collections.namedtuple("Test", "name took_s may_take_s")


def registered(path):
    """What ctest knows of every test: {name: {property: value}}."""
    with open(path, encoding="utf-8") as file:
        listing = json.load(file)
    return {test["name"]: {each["name"]: each["value"] for each in test.get("properties", ())}
            for test in listing["tests"]}


def took_s(path):
    """{name: seconds} of the tests that ran."""
    cases = xml.etree.ElementTree.parse(path).getroot().iter("testcase")
    return {case.get("name"): float(case.get("time")) for case in cases
            if case.get("status") not in ("notrun", "disabled")}


def join(tests, times):
    """The tests that ran, the slowest first."""
    ran = [Test(name, time, float(tests[name].get("TIMEOUT", 0))) for name, time in times.items()]
    return sorted(ran, key=lambda test: (-test.took_s, test.name))


def near_their_deadline(ran):
    return [test for test in ran if test.took_s * DEADLINE_FACTOR > test.may_take_s > 0]


def in_no_gate(tests):
    """Names, without their presets, of tests that the gate runs under no build."""
    gated = collections.defaultdict(bool)
    for name, properties in tests.items():
        if not {"FIXTURES_SETUP", "FIXTURES_CLEANUP"} & properties.keys():
            gated[name.partition(".")[2]] |= "gate" in properties.get("LABELS", ())
    return sorted(name for name, inside in gated.items() if not inside)


def write(path, ran):
    with open(path, "w", encoding="utf-8") as file:
        file.write("test\ttook_s\tmay_take_s\n")
        file.writelines(f"{test.name}\t{test.took_s:.2f}\t{test.may_take_s:.0f}\n" for test in ran)


def main(folder):
    tests = registered(os.path.join(folder, "tests.json"))
    ran = join(tests, took_s(os.path.join(folder, "test-results.xml")))
    write(os.path.join(folder, "test-times.tsv"), ran)
    print(f"The {min(SLOWEST_COUNT, len(ran))} slowest:")
    for test in ran[:SLOWEST_COUNT]:
        print(f"{test.took_s:8.1f} s of {test.may_take_s:.0f} s  {test.name}")
    for test in near_their_deadline(ran):
        print(f"warning: {test.name} needed {test.took_s:.1f} s, more than a third of its deadline of "
              f"{test.may_take_s:.0f} s")
    missing = in_no_gate(tests)
    for name in missing:
        print(f"{name}: in no preset a test of the gate; see the kinds in scripts/cmake/BatonTest.cmake")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
