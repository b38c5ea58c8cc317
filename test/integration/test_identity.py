"""As whom a handler runs, and with what: real accounts, real limits. Most of it takes root."""

import os
import pathlib
import pwd
import shutil
import subprocess
import unittest

import harness
import processes
from harness import EXIT_CONFIG, SupervisorCase, render, service
from settings import BIN_DIR, DEADLINE_S, HANDLERS_DIR, SANITIZED, clean_environment, copy_batond

IS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
STRANGER = 61234  # a user id without a name
PYTHON = "/usr/bin/python3"

as_root = unittest.skipUnless(IS_ROOT, "takes root")


def shell(script, **keys):
    return service(f"/bin/sh -c '{script}'", handoff="stdio", **keys)


@as_root
class AsAnother(SupervisorCase):
    def test_user_and_groups(self):
        supervisor = self.supervisor({
            "supervisor": {"default_user": "nobody"},
            "defaults": {"directory": "/"},
            "default": shell("id -u; id -g; id -G"),
            "written": shell("id -u; id -g; id -G", user="root"),
            "other": shell("id -u; id -g; id -G", user="nobody", group="daemon",
                           groups="adm, 3"),
            "bare": shell("id -u; id -g; id -G", user="nobody", groups="none")})
        nobody = f"{NOBODY.pw_uid}\n{NOBODY.pw_gid}\n"
        groups = os.getgrouplist("nobody", NOBODY.pw_gid)
        uid, gid, seen = self.answer(supervisor, "default").splitlines()
        self.assertEqual(f"{uid}\n{gid}\n", nobody)
        self.assertEqual({int(group) for group in seen.split()}, set(groups))
        self.assertTrue(self.answer(supervisor, "written").startswith("0\n0\n"))
        self.assertEqual(self.answer(supervisor, "other"), f"{NOBODY.pw_uid}\n1\n1 3 4\n")
        self.assertEqual(self.answer(supervisor, "bare"), nobody + f"{NOBODY.pw_gid}\n")
        self.stop(supervisor)

    def test_it_is_a_prisoner(self):
        """It reads no file of root's, gains nothing back, and has only what it was given."""
        folder = self.open_folder()
        secret = folder / "secret"
        secret.write_text("of root\n")
        secret.chmod(0o600)
        program = folder / "probe"
        program.write_text(f"""#!{PYTHON}
import ctypes, os, sys
def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.__class__.__name__
    return "done"
print("file", refused(open, {str(secret)!r}))
print("setuid", refused(os.setuid, 0), "setgid", refused(os.setgid, 0),
      "setgroups", refused(os.setgroups, [0]))
print("kill", refused(os.kill, os.getppid(), 0))
print("terminal", refused(os.open, "/dev/tty", os.O_RDWR))
print("root", refused(os.chroot, "/"))
print("descriptors", sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1])
lines = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
    print(name, int(lines[name], 16))
print("environment", "PLANTED" in os.environ, "NOTIFY_SOCKET" in os.environ,
      os.environ["HOME"], os.environ["USER"])
open("/dev/stderr", "w").write("still heard\\n")
""")
        program.chmod(0o755)
        keys = {"user": "nobody", "handoff": "stdio", "environment_from": "none"}
        supervisor = self.supervisor(
            {"probe": service(str(program), **keys),
             "all": service(str(program), **{**keys, "environment_from": "all"})},
            environment={"PLANTED": "a secret", "NOTIFY_SOCKET": "/run/none"})
        lines = self.answer(supervisor, "probe").splitlines()
        wanted = ["file PermissionError",
                  "setuid PermissionError setgid PermissionError setgroups PermissionError",
                  "kill PermissionError", "terminal OSError", "root PermissionError",
                  "descriptors [0, 1, 2]", "CapInh 0", "CapPrm 0", "CapEff 0", "CapAmb 0",
                  f"environment False False {NOBODY.pw_dir} nobody"]
        self.assertEqual(lines, wanted)
        supervisor.wait_event("output", text="still heard")
        lines = self.answer(supervisor, "all").splitlines()
        self.assertEqual(lines[-1], f"environment True False {NOBODY.pw_dir} nobody")
        self.stop(supervisor)

    def test_what_set_user_id_programs_give(self):
        folder = self.open_folder()
        shutil.copy("/usr/bin/id", folder / "id")
        (folder / "id").chmod(0o4755)
        supervisor = self.supervisor({
            "supervisor": {"default_user": "nobody"},
            "gains": service(f"{folder}/id -u", handoff="stdio"),
            "forbidden": service(f"{folder}/id -u", handoff="stdio", no_new_privileges="yes")})
        self.assertEqual(self.answer(supervisor, "gains"), "0\n")
        self.assertEqual(self.answer(supervisor, "forbidden"), f"{NOBODY.pw_uid}\n")
        self.stop(supervisor)

    def test_capabilities(self):
        see = f"""grep Cap /proc/self/status"""
        supervisor = self.supervisor({
            "kept": shell(see, user="nobody", capabilities="net_bind_service"),
            "root-none": shell(see, user="root", capabilities="none"),
            "root-one": shell(see, user="root", capabilities="CAP_NET_RAW")})

        def sets(name):
            return {line.split()[0]: int(line.split()[1], 16)
                    for line in self.answer(supervisor, name).splitlines()}
        kept = sets("kept")
        self.assertEqual([kept[name] for name in ("CapInh:", "CapPrm:", "CapEff:", "CapAmb:")],
                         [1 << 10] * 4)
        none = sets("root-none")
        self.assertEqual([none[name] for name in ("CapPrm:", "CapEff:", "CapBnd:")], [0] * 3)
        one = sets("root-one")
        self.assertEqual([one[name] for name in ("CapPrm:", "CapEff:", "CapBnd:")], [1 << 13] * 3)
        self.stop(supervisor)

    def test_another_root(self):
        folder = self.open_folder()
        for name in ("bin", "sub"):
            (folder / name).mkdir()
        program = folder / "bin" / "prog"
        made = subprocess.run(["cc", "-static", "-x", "c", "-o", program, "-"], text=True, input="""
            #include <stdio.h>
            #include <unistd.h>
            int main(void) { char at[99]; return puts(getcwd(at, 99)) < 0 ||
                                                 puts(access("/etc/passwd", F_OK) ? "no" : "yes") < 0; }
            """, check=False)
        if made.returncode != 0:
            self.skipTest("no static C library")
        supervisor = self.supervisor({
            "defaults": {},
            "in": service("/bin/prog", handoff="stdio", chroot=str(folder), user="nobody"),
            "sub": service("/bin/prog", handoff="stdio", chroot=str(folder), directory="/sub",
                           user="nobody")})
        self.assertEqual(self.answer(supervisor, "in"), "/\nno\n")
        self.assertEqual(self.answer(supervisor, "sub"), "/sub\nno\n")
        self.stop(supervisor)

    def test_with_a_channel_and_as_a_pump(self):
        folder = self.open_folder()
        for name in ("echo", "libbaton.so"):
            if (HANDLERS_DIR / name).exists():
                shutil.copy2(HANDLERS_DIR / name, folder / name)
        supervisor = self.supervisor({
            "supervisor": {"default_user": "nobody"},
            "channel": service(str(folder / "echo")),
            "listener": service(str(folder / "echo"), handoff="listener",
                                environment="LIBBATON_IDLE_MS=100"),
            "pump": service("/bin/cat", handoff="pump")})
        for name in ("channel", "pump"):
            with supervisor.connect(name) as client:
                self.assertEqual(client.ask("hello"), "hello")
        with harness.Client(supervisor.address("listener")) as client:
            self.assertEqual(client.ask("hello"), "hello")
        supervisor.wait_event("activation")
        self.stop(supervisor)

    def test_who_cannot_reach_it(self):
        folder = self.open_folder()
        (folder / "closed").mkdir(mode=0o700)
        shutil.copy2("/bin/true", folder / "closed" / "true")
        sections = {"a": service(str(folder / "closed" / "true"), handoff="stdio", user="nobody"),
                    "b": service("/bin/true", handoff="stdio", user="nobody",
                                 directory=str(folder / "closed")),
                    "c": service(str(folder / "closed" / "true"), handoff="stdio", user="root")}
        supervisor = self.launch(sections)
        supervisor.wait_event("listening", service="c")
        for name in "ab":
            failed = supervisor.wait_event("service_failed", service=name)
            self.assertIn(f"{folder}/closed keeps out the account", failed["reason"])
            self.assertIn("`nobody`", failed["reason"])
        self.answer(supervisor, "c")
        self.stop(supervisor)

    def test_nobody_said(self):
        config = self.folder() / "a.ini"
        config.write_text(render({"a": service("/bin/true", handoff="stdio")}, "ini"))
        done = subprocess.run([BIN_DIR / "batond", "-c", config], stderr=subprocess.PIPE,
                              timeout=DEADLINE_S, env=clean_environment(), check=False)
        self.assertEqual(done.returncode, EXIT_CONFIG)
        self.assertIn(b"default_user = nobody", done.stderr)


class Limits(SupervisorCase):
    def test_limits_umask_and_niceness(self):
        see = ("umask; nice; cat /proc/self/oom_score_adj; ulimit -v; ulimit -c; ulimit -t; ulimit -n; "
               "ulimit -u")
        supervisor = self.supervisor({
            "set": shell(see, umask="0077", nice=3, oom_score_adj=700, limit_memory="2G",
                         limit_core=0, limit_cpu_s=100, limit_files=50),
            "not": shell(see)})
        self.assertEqual(self.answer(supervisor, "set").splitlines()[:7],
                         ["0077", str(os.nice(0) + 3), "700", "2097152", "0", "100", "50"])
        own = pathlib.Path("/proc/self/oom_score_adj").read_text()
        self.assertEqual(pathlib.Path(f"/proc/{supervisor.pid}/oom_score_adj").read_text(), own)
        self.assertEqual(self.answer(supervisor, "not").splitlines()[:3],
                         ["0022", str(os.nice(0)), "0"])
        self.stop(supervisor)

    def test_a_limit_that_nobody_may_have_fails_the_launch(self):
        supervisor = self.supervisor({"files": shell("id", limit_files=4000000000)})
        self.assertEqual(self.answer(supervisor, "files"), "")
        failed = supervisor.wait_event("launch_failed", service="files")
        self.assertTrue(failed["reason"].startswith("setrlimit RLIMIT_NOFILE: "), failed)
        self.stop(supervisor)


@as_root
class Crowd(SupervisorCase):
    @unittest.skipIf(SANITIZED, "a sanitizer needs its own address space")
    def test_a_limit_of_processes_or_memory_is_the_services_own_trouble(self):
        folder = self.open_folder()
        own = processes.own_account()  # all that it runs counts
        supervisor = self.supervisor({
            "full": shell("exec sleep 60", user=own, limit_processes=1, stop_timeout_ms=1000),
            "small": shell("id", user=own, limit_memory="64K"),
            "other": shell("echo here", user=own),
            "self": shell("echo me")})
        first = supervisor.connect("full")
        second = supervisor.connect("full")
        third = supervisor.connect("full")
        supervisor.wait_event("launch_waits", service="full")
        self.assertEqual(self.answer(supervisor, "other"), "here\n")
        self.assertEqual(self.answer(supervisor, "self"), "me\n")
        self.assertEqual(supervisor.find("accept_paused"), [])
        del first, second, third, folder
        supervisor.signal()
        supervisor.signal()
        supervisor.wait()


class AsAnOrdinaryUser(SupervisorCase):
    """The same program without privileges, be the test root or not."""

    def copy(self):
        """batond in a folder that everybody can enter."""
        folder = self.open_folder()
        copy_batond(folder)
        return folder

    def check(self, sections):
        folder = self.copy()
        (folder / "a.ini").write_text(render(sections, "ini"))
        options = {"user": STRANGER, "group": STRANGER, "extra_groups": []} if IS_ROOT else {}
        done = subprocess.run([folder / "batond", "-c", folder / "a.ini", "--handlers", folder,
                               "--check"], capture_output=True, text=True, cwd="/",
                              timeout=DEADLINE_S, env=clean_environment(), check=False, **options)
        return done.returncode, done.stdout, done.stderr

    def serve(self, sections, **options):
        user = STRANGER if IS_ROOT else None
        folder = self.copy()
        return self.launch({"supervisor": {}, "defaults": {"directory": "/"}, **sections}, user=user,
                           folder=folder, program=folder / "batond", **options)

    def test_check_warns(self):
        code, out, err = self.check({
            "supervisor": {"default_user": "nobody"},
            "a": service("/bin/true", handoff="stdio"),
            "b": service("/bin/true", handoff="stdio", user="root")})
        self.assertEqual(code, 0, err)
        self.assertIn("warning: this config takes privileges", err)
        self.assertIn("user = root", out)

    def test_default_user_is_without_effect(self):
        code, out, err = self.check({"supervisor": {"default_user": "nobody"},
                                     "a": service("/bin/true", handoff="stdio")})
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("user = ", out.split("Where nothing else")[0])

    def test_a_user_that_is_not_there(self):
        code, _, err = self.check({"a": service("/bin/true", handoff="stdio", user="nosuchuser")})
        self.assertEqual(code, EXIT_CONFIG)
        self.assertIn("no user `nosuchuser`", err)

    def test_another_user_is_a_fault(self):
        supervisor = self.serve({"a": service("/bin/true", handoff="stdio", user="root")})
        self.assertEqual(supervisor.wait(), EXIT_CONFIG)
        self.assertIn("takes privileges", supervisor.log_text())
        self.assertIn("this says `root`", supervisor.log_text())

    def test_it_serves_as_itself(self):
        supervisor = self.serve({
            "supervisor": {"default_user": "nobody"},
            "id": shell("id -u; umask; grep CapEff /proc/self/status", umask="027")})
        supervisor.wait_ready()
        uid, umask, effective = self.answer(supervisor, "id").splitlines()
        self.assertEqual((int(uid), umask), (STRANGER if IS_ROOT else os.geteuid(), "0027"))
        self.assertEqual(int(effective.split()[1], 16), 0)
        self.stop(supervisor)

    def test_what_is_written_and_refused_fails_the_launch(self):
        supervisor = self.serve({"oom": shell("id", oom_score_adj=-1000),
                                 "nice": shell("id", nice=-20),
                                 "kept": shell("id", capabilities="net_bind_service")})
        supervisor.wait_ready()
        for name, call in ("oom", "oom_score_adj"), ("nice", "setpriority"), ("kept", "capset"):
            self.assertEqual(self.answer(supervisor, name), "")
            failed = supervisor.wait_event("launch_failed", service=name)
            self.assertTrue(failed["reason"].startswith(f"{call}: "), failed)
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
