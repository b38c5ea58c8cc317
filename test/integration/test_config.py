"""The command line and bad input, through the real program. The golden files test the wording."""

import datetime
import os
import re
import shutil
import subprocess
import unittest

import harness
from harness import EXIT_CONFIG, EXIT_OUTPUT, EXIT_USAGE, SupervisorCase, render, service, shared
from settings import (BIN_DIR, DEADLINE_S, EMULATOR, HANDLERS_DIR, ON_WINE, clean_environment, copy_batond,
                      executable, system_path)

NOBODY = 65534  # the user id that owns nothing, on every Linux

GOOD = harness.what_tests_need(
    {"a": service("misbehave"), "b": service('misbehave "two words"', max_connections=7)})

# (file's ending, text, line with the fault or 0 for the whole file, what the message must contain)
BAD = {
    "unknown section": ("ini", "[portz]\n7777 = misbehave\n", 1, "ports"),
    "unknown key": ("ini", "[a]\nlisten = 7777\nhandler = misbehave\nmax_conections = 5\n", 4,
                    "max_connections"),
    "unknown key in YAML": ("yaml", "a:\n  listen: 7777\n  handler: misbehave\n  attempt: 5\n", 4,
                            "attempts"),
    "wrong type": ("ini", "[a]\nlisten = 7777\nhandler = misbehave\nhandshake_timeout_ms = 5s\n",
                   4, "milliseconds"),
    "wrong range": ("ini", "[a]\nlisten = 7777\nhandler = misbehave\nattempts = 0\n", 4, "10"),
    "bad port": ("ini", "[a]\nlisten = 70000\nhandler = misbehave\n", 2, "65535"),
    "duplicate port": ("ini", "[ports]\n7777 = misbehave\n[a]\nlisten = 7777\n"
                              "handler = misbehave\n", 4, "7777"),
    "duplicate key": ("ini", "[a]\nlisten = 7777\nlisten = 7778\nhandler = misbehave\n", 3, "line 2"),
    "duplicate key in YAML": ("yaml", "a:\n  listen: 7777\n  listen: 7778\n"
                                      "  handler: misbehave\n", 3, "line 2"),
    "missing handler": ("ini", "[ports]\n7777 = nosuch\n", 2, "nosuch"),
    "no handler key": ("ini", "[a]\nlisten = 7777\nattempts = 2\n", 1, "handler"),
    "handler on no path": ("ini", "[ports]\n7777 = ../misbehave\n", 2, "misbehave"),
    "open quote": ("ini", '[ports]\n7777 = misbehave "open\n', 2, "quot"),
    "over-long line": ("ini", "[ports]\n7777 = misbehave " + "x" * 100000 + "\n", 2, "long"),
    "NUL": ("ini", "[ports]\n7777 = mis\0behave\n", 2, "NUL"),
    "bad UTF-8": ("ini", b"[ports]\n7777 = mis\xffbehave\n", 2, "UTF-8"),
    "bad UTF-8 in YAML": ("yaml", b"ports:\n  7777: mis\xffbehave\n", 2, "UTF-8"),
    "inline comment": ("ini", "[ports]\n7777 = misbehave ; the test\n", 2, "comment"),
    "indented line": ("ini", "[ports]\n7777 = misbehave\n  7778 = misbehave\n", 3, "indented"),
    "no section": ("ini", "7777 = misbehave\n", 1, "[ports]"),
    "YAML alias": ("yaml", "a: &x\n  listen: 7777\n  handler: misbehave\nb: *x\n", 1, "anchor"),
    "YAML depth": ("yaml", "a:\n  listen:\n    deep:\n      deeper: 1\n", 4, "nested"),
    "YAML tab": ("yaml", "a:\n\tlisten: 7777\n", 2, ""),
    "empty file": ("ini", "", 0, ""),
    "empty YAML file": ("yaml", "", 0, ""),
    "only comments": ("ini", "; nothing\n", 0, ""),
    "unknown ending": ("conf", "[ports]\n7777 = misbehave\n", 0, "baton-import FILE"),
}
if ON_WINE:
    BAD["a script without interpreter"] = ("ini", "[ports]\n7777 = script.py\n", 2, "interpreter.py")
    BAD["a folder that is too deep to start in"] = (
        "ini", "[a]\nlisten = 0\nhandler = misbehave\ndirectory = C:\\" + "d" * 256 + "\n", 4, "258")
    BAD["a batch file"] = ("ini", "[ports]\n7777 = script.bat\n", 2, ".bat")
else:
    BAD["not executable"] = ("ini", "[ports]\n7777 = script.py\n", 2, "executable")


class Program(SupervisorCase):
    def batond(self, *arguments, **options):
        return self.run_program("batond", *arguments, **options)

    def run_program(self, name, *arguments, cwd=None, user=None):
        """(exit code, standard output, standard error) of a run that ends by itself."""
        done = subprocess.run([*EMULATOR, str(BIN_DIR / executable(name)), *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S, cwd=cwd, user=user,
                              env=clean_environment())
        return (done.returncode, done.stdout.decode().replace("\r\n", "\n"),
                done.stderr.decode(errors="replace").replace("\r\n", "\n"))

    def check(self, config, *more):
        return self.batond("-c", system_path(config), "--handlers",
                           system_path(shared().handlers), "--check", *more)

    def write(self, name, text):
        path = self.folder() / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


class Usage(Program):
    def test_import_is_another_program(self):
        for arguments in ["--import", "inetd.conf"], ["--import"], ["--import=inetd.conf"]:
            code, text, complaint = self.batond(*arguments)
            self.assertEqual((code, text), (EXIT_USAGE, ""), arguments)
            self.assertIn("run `baton-import FILE`", complaint)

    def test_import_on_both_systems(self):
        path = self.folder() / "two words.conf"
        path.write_text("7 stream tcp nowait root internal\n")
        code, text, complaint = self.run_program("baton-import", system_path(path))
        self.assertEqual((code, complaint), (0, ""))
        self.assertIn("handler = echo", text)
        path.write_text("7 stream\n")
        code, text, complaint = self.run_program("baton-import", system_path(path))
        self.assertEqual((code, text), (EXIT_CONFIG, ""))
        self.assertIn("two words.conf:1: ", complaint)

    def test_version(self):
        code, out, err = self.batond("--version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^batond \d+\.\d+\.\d+\n$")

    def test_help(self):
        code, out, err = self.batond("--help")
        self.assertEqual((code, err), (0, ""))
        for option in ("--config", "--handlers", "--check", "--version", "--help"):
            self.assertIn(option, out)

    @unittest.skipIf(ON_WINE, "there is no /dev/full in it")
    def test_standard_output_that_takes_nothing(self):
        config = self.write("good.ini", render(GOOD, "ini"))
        imported = self.write("inetd.conf", "7 stream tcp nowait root internal\n")
        supervisor = self.supervisor({"ok": service("ok")})
        address = "%s:%d" % supervisor.address("ok")
        commands = (["batond", "--version"], ["batond", "--help"],
                    ["batond", "--check", "-c", config, "--handlers", shared().handlers],
                    ["baton-import", "--version"], ["baton-import", "--help"],
                    ["baton-import", imported], ["baton-demo", "--help"], ["baton-demo", address])
        for program, *arguments in commands:
            with self.subTest([program, *arguments]), open("/dev/full", "wb") as full:
                done = subprocess.run([BIN_DIR / program, *arguments], stdin=subprocess.DEVNULL,
                                      stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                                      check=False, env=clean_environment())
                self.assertEqual(done.returncode, EXIT_OUTPUT)
                self.assertIn(b"standard output", done.stderr)

    @unittest.skipIf(ON_WINE, "test_windows_service.py")
    def test_a_service_of_windows_is_for_windows(self):
        code, out, err = self.batond("service", "install")
        self.assertEqual((code, out), (EXIT_USAGE, ""))
        self.assertIn("systemd", err)

    def test_usage_faults(self):
        for arguments in (["--nonsense"], ["extra"], ["-c"], ["--handlers"]):
            with self.subTest(arguments):
                code, out, err = self.batond(*arguments)
                self.assertEqual((code, out), (EXIT_USAGE, ""))
                self.assertIn(arguments[0], err)


class Check(Program):
    def faults(self, err):
        """The lines that tell of more than that tests run as root."""
        return [line for line in err.splitlines() if not re.search(": warning: .* runs as root", line)]

    def test_defaults_only_when_asked(self):
        path = self.write("a.ini", render(GOOD, "ini") + "[rights]\nlisten = 127.0.0.1:7999\n"
                          "handler = misbehave\nhandoff = pump\n" + harness.AS_US)
        code, out, err = self.check(path)
        self.assertEqual(code, 0, err)
        self.assertNotIn("set-user-ID", out)
        code, out, _ = self.check(path, "--defaults")
        self.assertEqual(code, 0)
        self.assertIn("handshake_timeout_ms", out)
        self.assertIn("`no_new_privileges = yes` would keep set-user-ID programs from giving "
                      "further rights to: rights\n", out)
        self.assertRegex(out, "\nvalid, 3 services(, 1 warning)?\n$")
        code, out, err = self.batond("--defaults")
        self.assertEqual((code, out), (EXIT_USAGE, ""))
        self.assertIn("--check", err)

    def test_a_warning_is_no_fault(self):
        path = self.write("a.ini", "[misbehave]\nlisten = 7777\nhandler = misbehave | sort\n" + harness.AS_US)
        code, out, err = self.check(path)
        self.assertEqual(code, 0, err)
        warnings = self.faults(err)
        self.assertEqual(len(warnings), 2, err)
        for line, number, wanted in zip(warnings, (2, 3), ("0.0.0.0 where", "no shell")):
            self.assertTrue(line.startswith(f"{system_path(path)}:{number}: warning: misbehave: "), line)
            self.assertIn(wanted, line)
        self.assertIn("\nvalid, 1 service, ", out)

    def test_a_good_config_in_both_formats(self):
        printed = []
        for config_format in ("ini", "yaml"):
            code, out, err = self.check(self.write(f"ö.{config_format}",
                                                   render(GOOD, config_format)))
            self.assertEqual((code, self.faults(err)), (0, []), config_format)
            self.assertTrue(out.endswith("\nvalid, 2 services\n") or "2 services, 1 warning" in out, out)
            self.assertNotIn("handshake_timeout_ms", out)
            for wanted in ("a", "b", "127.0.0.1:0", "misbehave", "two words", "max_connections"):
                self.assertIn(wanted, out)
            printed.append(out)
        self.assertEqual(printed[0], printed[1])

    def test_the_ending_may_be_yml_or_in_capitals(self):
        for name in ("a.yml", "a.YAML"):
            self.assertEqual(self.check(self.write(name, render(GOOD, "yaml")))[0], 0, name)

    def test_utf16_in_a_deep_folder(self):
        """As PowerShell's `>` writes it, and below more letters than old programs of Windows take."""
        folder = self.folder().joinpath(*(f"{number} tëef {'x' * 50}" for number in range(5)))
        folder.mkdir(parents=True)
        for config_format in ("ini", "yaml"):
            path = folder / f"ö.{config_format}"
            path.write_bytes(render(GOOD, config_format).replace("\n", "\r\n").encode("utf-16"))
            self.assertGreater(len(system_path(path)), 260)
            code, out, err = self.check(path)
            self.assertEqual(code, 0, err)
            self.assertIn("two words", out)

    def test_check_listens_nowhere(self):
        """--check of a config whose port is in use is no fault, and ends."""
        supervisor = self.supervisor({"line": service("misbehave")})
        host, port = supervisor.address("line")
        code, _, err = self.check(self.write("a.ini", render(harness.what_tests_need(
            {"line": service("misbehave", listen=f"{host}:{port}")}), "ini")))
        self.assertEqual((code, self.faults(err)), (0, []))
        self.stop(supervisor)

    def test_paths_beside_the_config(self):
        path = self.write("a.ini", render({"a": service("misbehave", directory="work dir")}, "ini"))
        code, _, err = self.check(path)
        self.assertEqual(code, EXIT_CONFIG)
        self.assertIn("directory", err)


class Found(Program):
    """Where no config is named."""
    TEXT = render(GOOD, "ini")

    def took(self, folder, **options):
        code, out, err = self.batond("--check", "--handlers", system_path(shared().handlers), cwd=folder, **options)
        self.assertEqual(code, 0, err)
        return re.match("batond: the config is (.*)\n", err)[1].replace("\\", "/")

    def test_the_first_that_is_there(self):
        folder = self.folder()
        code, out, err = self.batond("--check", cwd=folder)
        self.assertEqual((code, out), (EXIT_CONFIG, ""))
        self.assertRegex(err.replace("\\", "/"), r"-c FILE.*: conf/ports.ini, ports.ini, \S.*/conf/ports.ini, "
                         r"\S.*/baton/ports.ini\n")
        (folder / "ports.ini").write_text(self.TEXT)
        self.assertEqual(self.took(folder), "ports.ini")
        (folder / "conf").mkdir()
        (folder / "conf" / "ports.ini").write_text(self.TEXT)
        self.assertEqual(self.took(folder), "conf/ports.ini")
        # What is there and cannot be read is not passed over.
        (folder / "conf" / "ports.ini").unlink()
        (folder / "conf" / "ports.ini").mkdir()
        code, _, err = self.batond("--check", cwd=folder)
        self.assertEqual(code, EXIT_CONFIG)
        self.assertIn("conf/ports.ini: ", err)

    def test_one_that_came_with_the_program(self):
        folder = self.folder()
        for name in ("bin", "conf", "elsewhere"):
            (folder / name).mkdir()
        copy_batond(folder / "bin")
        (folder / "conf" / "ports.ini").write_text(self.TEXT)
        done = subprocess.run([*EMULATOR, folder / "bin" / executable("batond"), "--check", "--handlers",
                               system_path(shared().handlers)], cwd=folder / "elsewhere", timeout=DEADLINE_S,
                              capture_output=True, check=False, env=clean_environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(os.path.join(system_path(folder), "conf").encode().replace(b"/", b"\\" if ON_WINE else b"/"),
                      done.stderr)

    @unittest.skipIf(ON_WINE or os.geteuid() != 0, "takes another user")
    def test_a_working_directory_that_is_not_his(self):
        folder = self.open_folder()
        for name in ("bin", "conf", "handlers", "elsewhere"):
            (folder / name).mkdir()
        copy_batond(folder / "bin")
        (folder / "conf" / "ports.ini").write_text("[a]\nlisten = 127.0.0.1:0\nhandler = /bin/true\n")
        (folder / "elsewhere").chmod(0o700)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                               folder / "bin" / "batond", "--check"], cwd=folder / "elsewhere", timeout=DEADLINE_S,
                              capture_output=True, check=False, env=clean_environment())
        self.assertEqual(done.stderr.decode(), f"batond: the config is {folder}/conf/ports.ini\n")
        self.assertEqual(done.returncode, 0)


class Explain(Program):
    CONFIG = ("[web]\nlisten = 127.0.0.1:8080\nhandler = echo {peer_address}\nhandoff = stdio\n"
              "allow = 10.0.0.0/8, 2001:db8::/32\ndeny = 10.66.0.0/16\nmax_per_source = 5\n"
              "environment = WHO={peer_address}\n")

    def explain(self, *words):
        path = self.write("web.ini", self.CONFIG + harness.AS_US)
        return self.batond("-c", system_path(path), "--handlers", system_path(shared().handlers),
                           "--explain", *words)

    def test_who_is_let_in_by_what_and_what_runs(self):
        code, out, err = self.explain("web", "10.1.2.3")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^let in by allow 10\.0\.0\.0/8 \(.*web\.ini:5\)\n")
        self.assertIn("its source in the limits of the service: 10.1.2.3/32\n", out)
        self.assertIn("arguments: echo 10.1.2.3\n", out)
        self.assertIn("    WHO=10.1.2.3\n", out)
        self.assertIn("    REMOTE_ADDR=10.1.2.3\n", out)
        code, out, _ = self.explain("web", "2001:db8::7:1")
        self.assertIn("2001:db8::/64\n", out)

    def test_in_whose_limits(self):
        for handoff, is_counted in (("stdio", True), ("listener", False)):
            path = self.write("all.ini", "[supervisor]\nmax_per_source = 5\n[web]\nlisten = 127.0.0.1:8080\n"
                              f"handler = echo\nhandoff = {handoff}\n{harness.AS_US}")
            code, out, err = self.batond("-c", system_path(path), "--handlers", system_path(shared().handlers),
                                         "--explain", "web", "10.1.2.3")
            self.assertEqual((code, err), (0, ""))
            self.assertEqual("limits of all services: 10.1.2.3/32\n" in out, is_counted)

    def test_who_is_not(self):
        code, out, err = self.explain("web", "10.66.0.1")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"^refused by deny 10\.66\.0\.0/16 \(.*:6\) \(refused_access\)\n")
        self.assertNotIn("arguments", out)
        for address in ("192.0.2.1", "::ffff:192.0.2.1"):
            code, out, err = self.explain("web", address)
            self.assertRegex(out, "^refused by `allow`, which has no rule about it")

    def test_who_waits(self):
        hour = datetime.datetime.now().hour
        other = f"{(hour + 12) % 24:02}:00-{(hour + 12) % 24:02}:59"
        path = self.write("late.ini", "[late]\nlisten = 127.0.0.1:8080\nhandler = echo\nhandoff = listener\n"
                          f"hours = {other}\n" + harness.AS_US)
        code, out, err = self.batond("-c", system_path(path), "--handlers", system_path(shared().handlers),
                                     "--explain", "late", "10.1.2.3")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, "^not accepted by `hours`, at this time of the day\n")

    def test_what_is_no_question(self):
        for words in (("web",), ("nosuch", "10.1.2.3"), ("web", "10.1"), ("web", "uid:5")):
            code, out, err = self.explain(*words)
            self.assertEqual((code, out), (EXIT_USAGE, ""))
            self.assertEqual(len(err.splitlines()), 1)


class Lacking(Program):
    """What one service lacks at start is its own trouble."""

    def test_the_others_start_and_it_comes_when_it_can(self):
        late = self.folder() / executable("late")
        meant = late.with_name(executable("lat"))
        meant.write_bytes(b"")
        supervisor = self.launch({
            "late": service(f'"{system_path(late)}"', handoff="stdio" if not ON_WINE else "channel"),
            "other": harness.misbehave()})
        failed = supervisor.wait_event("service_failed", service="late")
        self.assertIn(f"{system_path(late)}, but there is `{meant.name}`", failed["reason"])
        self.assertTrue(failed["retry_ms"].isdigit())
        self.assertIn("served", supervisor.ask("other", "hello"))
        self.assertEqual(supervisor.find("ready"), [])
        shutil.copy(HANDLERS_DIR / executable("ok"), late)
        late.chmod(0o755)
        supervisor.wait_event("listening", service="late")
        supervisor.wait_event("ready")
        self.stop(supervisor)

    def test_nothing_starts_with_strict_or_when_all_lack_something(self):
        for text in ("[supervisor]\nstrict = yes\n[a]\nlisten = 127.0.0.1:0\nhandler = misbehave\n"
                     "[b]\nlisten = 127.0.0.1:0\nhandler = nosuch\n",
                     "[b]\nlisten = 127.0.0.1:0\nhandler = nosuch\n"):
            path = self.write("a.ini", text.replace("\n[b]", f"\n{harness.AS_US}[b]") + harness.AS_US)
            code, out, err = self.batond("-c", system_path(path), "--handlers",
                                         system_path(shared().handlers))
            self.assertEqual((code, out), (EXIT_CONFIG, ""), err)
            self.assertIn("nosuch", err)

    def test_check_tells_it_all_the_same(self):
        code, _, err = self.check(self.write("a.ini", render(
            harness.what_tests_need({"a": service("misbehave"), "b": service("nosuch")}), "ini")))
        self.assertEqual(code, EXIT_CONFIG)
        self.assertIn("nosuch", err)

    @unittest.skipIf(ON_WINE, "a shell's script")
    def test_the_log_says_where_and_what_would_be_right_as_the_check_does(self):
        folder = self.folder()
        (folder / "plain").write_text("#!/bin/sh\n")
        (folder / "script").write_text("#!/bin/nosuch\n")
        (folder / "script").chmod(0o755)
        supervisor = self.launch({
            "absent": service(f'"{folder / "absent"}"'), "plain": service(f'"{folder / "plain"}"'),
            "script": service(f'"{folder / "script"}"'), "bare": service("nosuch"),
            "folder": service("misbehave", directory=f'"{folder / "x"}"'),
            "local": {"listen": f'"{folder / "y" / "z"}"', "protocol": "unix",
                      "handler": "misbehave"},
            "other": harness.misbehave()})
        supervisor.wait_event("listening", service="other")
        code, _, err = self.check(supervisor.config)
        self.assertEqual(code, EXIT_CONFIG)
        for name, key in (("absent", "handler"), ("plain", "handler"), ("script", "handler"),
                          ("bare", None), ("folder", "directory"), ("local", "listen")):
            with self.subTest(name):
                failed = supervisor.wait_event("service_failed", service=name)
                fault = f'{failed["reason"]}; {failed["hint"]}\n'
                if key is None:
                    self.assertIn("put it there", fault)
                    self.assertIn(f'{failed["at"]}: bare.handler: ', err)
                else:
                    self.assertIn(f'{failed["at"]}: {name}.{key}: {fault}', err)
        self.stop(supervisor)

    @unittest.skipIf(ON_WINE, "interpreters and loaders of POSIX")
    def test_who_runs_a_program(self):
        folder = self.folder()
        for name, head, wanted in (("crlf", b"#!/bin/sh\r\nexit 0\r\n", "carriage return"),
                                   ("env", b"#!/usr/bin/env python3\r\n", "carriage return"),
                                   ("empty", b"#! \n", "no script with `#!`"),
                                   ("cut", b"\177ELF\2\1\1" + bytes(23), "is no program"),
                                   ("none", b"#!/bin/nosuch\n", "`/bin/nosuch`"),
                                   ("text", b"exit 0\n", "no script with `#!`"),
                                   ("absent", b"#!/usr/bin/env nosuchprog\n", "`nosuchprog`"),
                                   ("words", b"#!/usr/bin/env sh -e\n", "`sh -e`"),
                                   ("split", b"#!/usr/bin/env -S A=b nosuchprog -x\n",
                                    "`nosuchprog`")):
            with self.subTest(name):
                program = folder / name
                program.write_bytes(head)
                program.chmod(0o755)
                code, _, err = self.check(self.write("a.ini", render(
                    {"a": service(f'"{program}"')}, "ini")))
                self.assertEqual(code, EXIT_CONFIG)
                self.assertIn(wanted, err)
                self.assertIn(str(program), err)

    @unittest.skipIf(ON_WINE, "a shell's script")
    def test_env_looks_where_the_handler_would(self):
        folder = self.folder()
        for name, text in (("prog", "#!/bin/sh\nexit 0\n"), ("script", "#!/usr/bin/env prog\n")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        handler = f'"{folder / "script"}"'
        for environment, wanted in ((None, EXIT_CONFIG), (f'"PATH={folder}:/bin"', 0),
                                    (f'"PATH=/bin:{folder}"', 0), ("PATH=/bin", EXIT_CONFIG)):
            with self.subTest(environment):
                keys = {} if environment is None else {"environment": environment}
                code, _, err = self.check(self.write("a.ini", render(
                    harness.what_tests_need({"a": service(handler, **keys)}), "ini")))
                self.assertEqual(code, wanted, err)

    @unittest.skipIf(ON_WINE, "a shell's script")
    def test_a_launch_that_fails_names_the_file(self):
        program = self.folder() / "script"
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        supervisor = self.supervisor({"a": service(f'"{program}"', handoff="stdio")})
        program.write_text("#!/bin/nosuch\n")
        supervisor.connect("a")
        failed = supervisor.wait_event("launch_failed", service="a")
        self.assertIn("`/bin/nosuch`", failed["hint"])
        self.assertIn(str(program), failed["hint"])
        self.stop(supervisor)


class Bad(Program):
    def setUp(self):
        for name in ("script.py", "script.bat"):
            path = shared().handlers / name
            path.write_text("")
            path.chmod(0o644)

    def message_lines(self, path, err):
        """The lines as (line number or 0, text); each names the file first."""
        found = []
        for line in err.splitlines():
            match = re.fullmatch(re.escape(system_path(path)) + r"(?::(\d+))?: (.+)", line)
            self.assertTrue(match, f"not FILE:LINE: ...: {line!r}")
            found.append((int(match.group(1) or 0), match.group(2)))
        return found

    def test_each_fault(self):
        for name, (ending, text, number, wanted) in BAD.items():
            with self.subTest(name):
                path = self.write(f"bäd.{ending}", text)
                code, out, err = self.check(path)
                self.assertEqual((code, out), (EXIT_CONFIG, ""), err)
                lines = self.message_lines(path, err)
                hits = [text for line, text in lines if line == number and
                        wanted.lower() in text.lower()]
                self.assertTrue(hits, f"line {number} with {wanted!r} is not in:\n{err}")

    def test_the_same_without_check(self):
        """A supervisor with a bad config does not start."""
        path = self.write("bad.ini", BAD["wrong type"][1] + harness.AS_US)
        code, out, err = self.batond("-c", system_path(path), "--handlers",
                                     system_path(shared().handlers))
        self.assertEqual((code, out), (EXIT_CONFIG, ""))
        self.assertEqual(self.message_lines(path, err)[0][0], 4)

    def test_all_faults_in_one_run(self):
        path = self.write("bad.ini", "[supervisor]\nlog_format = xml\n[a]\nlisten = 99999\n"
                                     "handler = nosuch\nattempts = many\nbogus = 1\n" + harness.AS_US)
        code, _, err = self.check(path)
        self.assertEqual(code, EXIT_CONFIG)
        self.assertEqual([line for line, _ in self.message_lines(path, err)], [2, 4, 5, 6, 7])

    def test_files_that_are_none(self):
        folder = self.folder()
        (folder / "folder.ini").mkdir()
        for path in (folder / "folder.ini", folder / "missing.ini"):
            with self.subTest(path.name):
                code, out, err = self.check(path)
                self.assertEqual((code, out), (EXIT_CONFIG, ""))
                self.assertEqual(len(self.message_lines(path, err)), 1)

    @unittest.skipIf(ON_WINE, "Windows has no such modes")
    def test_a_file_that_may_not_be_read(self):
        # The superuser may read every file, so it becomes somebody else for this.
        user = NOBODY if os.geteuid() == 0 else None
        path = self.write("secret.ini", render(GOOD, "ini"))
        path.chmod(0)
        try:
            code, _, err = self.batond("-c", system_path(path), "--check", cwd="/", user=user)
        except PermissionError:
            self.skipTest("batond is in a folder that only the superuser may enter")
        self.assertEqual(code, EXIT_CONFIG)
        self.assertIn("ermission", err)

    def test_a_handlers_folder_that_is_not_there(self):
        path = self.write("a.ini", render(GOOD, "ini"))
        code, _, err = self.batond("-c", system_path(path), "--handlers",
                                   system_path(path.parent / "nowhere"), "--check")
        self.assertEqual(code, EXIT_CONFIG)
        self.assertIn("nowhere", err)


if __name__ == "__main__":
    harness.main()
