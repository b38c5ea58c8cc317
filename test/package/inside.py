"""Runs as root in a Debian of its own, where /inside has the packages: installs, uses, removes and purges them.

With nothing but what is in such a system: the standard library of its Python, and what the packages depend on; for the
examples in C a compiler, CMake and pkg-config. Ends with 0, or with what was not as it has to be.
"""

import contextlib
import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading

DEADLINE_S = 60
CONFIG = pathlib.Path("/etc/baton/ports.ini")
PROJECT = """\
cmake_minimum_required(VERSION 3.22)
project(greet LANGUAGES C)
find_package(Baton 0.1 REQUIRED)
add_executable(greet greet.c)
target_link_libraries(greet Baton::baton)
"""


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S, check=False, **options)
    print(f"# {' '.join(map(str, command))}\n{result.stdout}", end="", flush=True)
    if result.returncode != 0:
        raise SystemExit(f"ended with {result.returncode}")
    return result.stdout


def expect(is_so, what):
    if not is_so:
        raise SystemExit(f"not so: {what}")


class Server:
    """batond as its unit starts it, until the block ends by an ordered stop."""

    def __enter__(self):
        self.process = subprocess.Popen(["/usr/sbin/batond"], cwd="/", stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            print(line, end="", flush=True)
            if "event=ready" in line:
                # Who writes to a pipe that nobody reads would wait some day.
                self.lines = []
                self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr))
                self.reader.start()
                return self
        raise SystemExit(f"batond ended with {self.process.wait()}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        self.reader.join()
        expect(code == 0, f"an ordered stop ends with 0, not {code}")

    def user(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return pwd.getpwuid(int(re.search(r"^Uid:\t(\d+)", status, re.M).group(1))).pw_name


def ask(port, text=""):
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.sendall(text.encode())
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(4096), b"")).decode()


def install():
    run("dpkg", "--install", *glob.glob("/inside/*.deb"))
    expect(pwd.getpwnam("batond").pw_uid < 1000, "sysusers.d has made the user")
    for folder in ("/run/baton", "/var/log/baton"):
        expect(os.path.isdir(folder), f"tmpfiles.d has made {folder}")
    names = [path.read_text(encoding="utf-8").strip() for path in pathlib.Path("/proc").glob("[0-9]*/comm")]
    expect("batond" not in names, "nothing is started where there is no systemd")
    run("systemd-analyze", "verify", "--man=no", "batond.service", "baton-inetd.service")
    # What invoke-rc.d restarts has to be enabled, or to have nothing that could be.
    expect(run("systemctl", "--root=/", "is-enabled", "baton-inetd.service") == "static\n", "update-inetd may start it")
    if shutil.which("logrotate"):
        run("logrotate", "--debug", "/etc/logrotate.d/baton")


def use_as_shipped():
    # With the file of inetd, which the package has made.
    said = run("/usr/sbin/batond", "--check", cwd="/")
    expect("valid, 1 service, 1 piece\n" in said, "the shipped config is valid")
    with Server() as server:
        expect(ask(7777, "well?\n") == "OK", "a client of ok gets OK")
        expect(server.user() == "root", "batond is who has started it")


@contextlib.contextmanager
def stand_in(path, text):
    """The program at `path` says this, and leaves nothing behind: over one that is there as a mount."""
    path = pathlib.Path(path)
    script = pathlib.Path("/tmp", path.name)
    script.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    script.chmod(0o755)
    is_there = path.exists()
    if is_there:
        run("mount", "--bind", script, path)
    else:
        shutil.copy(script, path)
    yield
    if is_there:
        run("umount", path)
    else:
        path.unlink()


def answers(port):
    try:
        return ask(port, "hello\n") == "hello\n"
    except ConnectionError:  # refused, or cut off: the listener may be a new launcher's for a moment more
        return False


def serve_what_packages_bring():
    """As their scripts do it, where an init of System V runs, which this world says and has not."""
    line = "7901\tstream\ttcp\tnowait\tnobody\t/bin/cat\tcat"
    # 104: whoever asks may.
    with stand_in("/sbin/runlevel", "echo N 2"), stand_in("/usr/sbin/policy-rc.d", "exit 104"):
        run("update-inetd", "--add", line)
        with Server():
            expect(answers(7901), "what a package has added before is served")
            for command, is_served in (("disable", False), ("enable", True), ("remove", False)):
                run("update-inetd", f"--{command}", "7901")
                expect(answers(7901) is is_served, f"update-inetd --{command} has it served, or not: {is_served}")
            run("update-inetd", "--add", line)
            expect(answers(7901), "what a package adds is served")
            run("update-inetd", "--remove", "7901")


def build_examples():
    """By each way into a folder of their own, since /usr/libexec is the package's."""
    mine = pathlib.Path("/opt/mine")
    mine.mkdir(parents=True)
    shutil.copy("/inside/greet.c", mine)
    (mine / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
    run("cmake", "-S", mine, "-B", mine / "build")
    run("cmake", "--build", mine / "build")
    flags = run("pkg-config", "--cflags", "--libs", "baton").split()
    run("cc", mine / "greet.c", *flags, "-o", mine / "greet2")
    shutil.copy("/inside/greet.py", mine)
    (mine / "greet.py").chmod(0o755)
    return mine / "build/greet", mine / "greet2", mine / "greet.py"


def use_with_own_handlers(programs):
    text = CONFIG.read_text(encoding="utf-8").replace("; user = batond", "user = batond")
    lines = "".join(f"{7801 + number} = {program}\n" for number, program in enumerate(programs))
    CONFIG.write_text(text.replace("7777 = ok\n", "7777 = ok\n" + lines), encoding="utf-8")
    with Server() as server:
        expect(server.user() == "batond", "batond is the user that its config names")
        for number, program in enumerate(programs):
            expect(ask(7801 + number) == "hello\n", f"a client of {program} is greeted")
        edited = CONFIG.read_bytes()
        run("dpkg", "--install", *glob.glob("/inside/baton_*.deb"))
        expect(CONFIG.read_bytes() == edited, "another installation leaves the config alone")
        expect(ask(7801) == "hello\n", "who comes behind an upgrade is greeted")
        run("batonctl", "status")  # its place is the usual one still
        expect(server.user() == "batond", "batond is that user still")
    expect(any("event=restarted" in line for line in server.lines), "an upgrade has the new batond take over")


def remove():
    files = run("dpkg", "--listfiles", "baton", "libbaton-dev", "python3-baton").split()
    run("dpkg", "--remove", "baton", "libbaton-dev", "python3-baton")
    left = {path for path in files if os.path.lexists(path) and not os.path.isdir(path)}
    expect(left == {str(CONFIG), "/etc/logrotate.d/baton", "/etc/init.d/baton-inetd"}, f"the config is all that is left: {left}")
    expect(not os.path.exists("/run/baton"), "/run/baton has gone")
    run("dpkg", "--purge", "baton", "libbaton-dev", "python3-baton")
    expect(not os.path.exists("/etc/baton"), "/etc/baton has gone")
    shutil.rmtree("/opt/mine")


install()
use_as_shipped()
serve_what_packages_bring()
use_with_own_handlers(build_examples())
remove()
