"""What a snapshot is made of, and its version: a struct that is written as it stands, and is another now, needs
another SNAPSHOT_VERSION (supervisor/core/base/snapshot.h), or the next batond would read the last one's wrongly."""

import hashlib
import os
import re

import source

VERSION_FILE = "supervisor/core/base/snapshot.h"
SUM_FILE = "test/lint/snapshot.sum"  # "VERSION SUM"
# Where what is written is declared: each of these files, and of it the structs and enums named; none = all.
WRITTEN = {
    VERSION_FILE: ["snapshot_kind"],
    "supervisor/core/base/address.h": [],
    "supervisor/core/base/rate.h": ["rate"],
    "supervisor/core/base/shortage.h": [],
    "supervisor/core/base/slots.h": ["slot"],
    "supervisor/core/base/timers.h": ["timer"],
    "supervisor/core/base/waiting.h": [],
    "supervisor/core/door/proxy.h": ["proxy_reader"],
    "supervisor/core/door/sources.h": ["source_entry"],
    "supervisor/core/pool/breaker.h": [],
    "supervisor/core/pool/circuit.h": ["circuit", "circuit_state"],
    "supervisor/core/pool/connection.h": ["outcome", "connection_state", "connection"],
    "supervisor/core/pool/pool.h": ["pool_queue", "pool_trial", "pool_service"],
    "supervisor/core/pool/process.h": ["process_state", "pool_exit", "process_credits", "process_sums", "process"],
    "supervisor/core/pool/progress.h": ["progress"],
    "supervisor/core/pool/relay.h": ["relay_direction"],
    "supervisor/core/pool/snapshot.c": [],
    "supervisor/core/pool/target.h": [],
    "supervisor/core/service/service.h": ["service", "supervisor_options"],
    "supervisor/platform/posix/held.c": [],
    "supervisor/platform/posix/manager.h": ["posix_passed"],
    "supervisor/platform/win32/held.c": [],
    "supervisor/platform/win32/successor.h": ["passed_handle", "passed_page", "passed_state"],
    "supervisor/run/control.h": ["run_control_client", "run_control_counts"],
    "supervisor/run/launch.h": ["run_process"],
    "supervisor/run/listen.h": ["run_listener"],
    "supervisor/run/manager.h": ["run_manager"],
    "supervisor/run/output.h": ["run_output_line", "run_output_piece"],
    "supervisor/run/pump.h": ["run_pump"],
    "supervisor/run/refuse.h": ["run_refused"],
    "supervisor/run/snapshot.h": [],
    "supervisor/run/waits.h": ["run_waits", "run_waiting", "run_wait"],
}
DECLARED = re.compile(r"^(?:struct|enum) (\w+) \{(?:[^}\n]*\}|.*?^\})", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^#define \w+_TABLE\(X\).*?[^\\]$", re.MULTILINE | re.DOTALL)


def declarations(text, names):
    """The declarations, without comments and spaces that say nothing; lists that enums are made of, too."""
    found = {}
    for match in DECLARED.finditer(source.code_only(text)):
        if not names or match.group(1) in names:
            found[match.group(1)] = " ".join(match.group(0).split())
    missing = set(names) - set(found)
    if missing:
        raise ValueError(f"no declaration of {', '.join(sorted(missing))}")
    if names and "outcome" in names:
        found["table"] = " ".join(TABLE.search(source.code_only(text)).group(0).split())
    return [found[name] for name in sorted(found)]


def sum_of(read):
    whole = hashlib.sha256()
    for path in sorted(WRITTEN):
        for declaration in declarations(read(path), WRITTEN[path]):
            whole.update(declaration.encode() + b"\n")
    return whole.hexdigest()[:32]


def version_of(text):
    return re.search(r"^#define SNAPSHOT_VERSION (\d+)u", text, re.MULTILINE).group(1)


def compare(told, version, now):
    """What is wrong with the file of the sum; None = nothing."""
    if told == f"{version} {now}":
        return None
    if told.split(" ")[0] == version:
        return (f"what a restart hands on has changed: raise SNAPSHOT_VERSION in {VERSION_FILE}, unless no release "
                f"has this one, and put `VERSION {now}` here")
    return f"put `{version} {now}` here"


def check_snapshot(path, text):
    if path != SUM_FILE:
        return
    try:
        now = sum_of(source.read)
    except ValueError as error:
        yield 1, str(error)
        return
    fault = compare(text.strip(), version_of(source.read(VERSION_FILE)), now)
    if fault:
        yield 1, fault


if __name__ == "__main__":
    LINE = f"{version_of(source.read(VERSION_FILE))} {sum_of(source.read)}\n"
    with open(os.path.join(source.ROOT, SUM_FILE), "w", encoding="utf-8") as file:
        file.write(LINE)
