"""What others may change is refused by a supervisor that runs as root, with real files and owners."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import EXIT_CONFIG, SupervisorCase, render, service
from settings import BIN_DIR, DEADLINE_S, HANDLERS_DIR, clean_environment, copy_batond

NOBODY = 65534  # the user id that owns nothing, on every Linux
CURES = {"owner": "`chown root`", "mode": "`chmod go-w`"}


@unittest.skipIf(os.geteuid() != 0, "only root refuses, and only root can give files away")
class Strict(SupervisorCase):
    def tree(self):
        """A folder with the config a/b/x.ini, the handlers a/h/echo, a/h/time, and a script. Its path has
        no blank, which would end the name of an interpreter."""
        root = pathlib.Path(tempfile.mkdtemp(prefix="baton-strict-"))
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        root.chmod(0o755)
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "h").mkdir()
        for name in ("echo", "time"):
            shutil.copy2(HANDLERS_DIR / name, root / "a" / "h" / name)
        (root / "a" / "script").write_text("#!/bin/sh\nexit 0\n")
        (root / "a" / "script").chmod(0o755)
        self.configure(root)
        return root

    def configure(self, root, script="", **options):
        """`script`: further keys of the script's service."""
        (root / "a" / "b" / "x.ini").write_text(render(
            {"supervisor": {"handlers": "../h", "default_user": "root", **options},
             "echo": service("echo"), "time": service("time"),
             "script": service(f"{root}/a/script", handoff="stdio")}, "ini") + script)

    def check(self, root, *more, config="a/b/x.ini", **options):
        """(exit code, messages) of --check."""
        done = subprocess.run([BIN_DIR / "batond", "-c", root / config, "--check", *more], cwd="/",
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                              env=clean_environment(), **options)
        return done.returncode, done.stderr.decode()

    def check_found(self, folder, user):
        """(exit code, messages) of --check by `user`, who names no config, in the folder."""
        batond = copy_batond(folder)  # where anybody may go
        done = subprocess.run([batond, "--check"], cwd=folder, user=user, group=user,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=DEADLINE_S, env=clean_environment(), check=False)
        return done.returncode, done.stderr.decode()

    def expect(self, root, path, cure, code=EXIT_CONFIG, **options):
        """`path`, in `root`, is refused with its mode and owner and what helps."""
        status = os.lstat(root / path)
        seen, err = self.check(root, **options)
        self.assertEqual(seen, code, err)
        self.assertIn(f"others may change {root / path} (mode 0{status.st_mode & 0o7777:03o}, "
                      f"owner {status.st_uid}); run {CURES[cure]}", err)
        self.assertEqual(err.count("others may change"), 1, err)

    def expect_good(self, root, **options):
        code, err = self.check(root, **options)
        self.assertEqual(code, 0, err)
        self.assertTrue(all(": warning: " in line for line in err.splitlines()), err)

    def test_modes(self):
        root = self.tree()
        self.expect_good(root)
        for path in ("a/b/x.ini", "a/b", "a/h", "a/h/time", "a", "a/script", ""):
            for mode in (0o002, 0o020):
                with self.subTest(path, mode=oct(mode)):
                    before = os.stat(root / path).st_mode & 0o7777
                    (root / path).chmod(before | mode)
                    self.expect(root, path, "mode")
                    (root / path).chmod(before)
        self.expect_good(root)

    def test_owners(self):
        root = self.tree()
        for path in ("a/b/x.ini", "a/b", "a/h", "a/h/time", "a", "a/script"):
            with self.subTest(path):
                os.chown(root / path, NOBODY, 0)
                self.expect(root, path, "owner")
                os.chown(root / path, 0, NOBODY)  # a group that may not write does not matter
                self.expect_good(root)

    def test_a_file_of_rules(self):
        root = self.tree()
        (root / "rules").write_text("10.0.0.0/8\n")
        with open(root / "a" / "b" / "x.ini", "a") as config:
            config.write(f"deny = @{root}/rules\n")
        self.expect_good(root)
        (root / "rules").chmod(0o664)
        self.expect(root, "rules", "mode")

    def test_sticky_folders(self):
        root = self.tree()
        (root / "a").chmod(0o1777)
        self.expect_good(root)
        (root / "a" / "b").chmod(0o1777)
        self.expect_good(root)
        os.chown(root / "a" / "b" / "x.ini", NOBODY, NOBODY)
        self.expect(root, "a/b/x.ini", "owner")
        os.chown(root / "a" / "b" / "x.ini", 0, 0)
        os.chown(root / "a", NOBODY, NOBODY)
        self.expect(root, "a", "owner")

    def test_links(self):
        root = self.tree()
        (root / "open").mkdir()
        (root / "open").chmod(0o777)
        shutil.copy2(HANDLERS_DIR / "echo", root / "open" / "echo")
        (root / "a" / "h" / "echo").unlink()
        (root / "a" / "h" / "echo").symlink_to("../../open/echo")
        self.expect(root, "open", "mode")
        (root / "open").chmod(0o755)
        self.expect_good(root)
        # The config by a link of somebody's, in a sticky folder where he can replace it.
        (root / "sticky").mkdir()
        (root / "sticky").chmod(0o1777)
        link = root / "sticky" / "x.ini"
        link.symlink_to(root / "a" / "b" / "x.ini")
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        self.expect(root, "sticky/x.ini", "owner", config="sticky/x.ini")

    def test_who_runs_a_script(self):
        root = self.tree()
        script = root / "a" / "script"
        (root / "open").mkdir()
        shutil.copy2("/bin/sh", root / "open" / "shell")
        for line in (f"#!{root}/open/shell", "#!/usr/bin/env shell"):
            with self.subTest(line):
                script.write_text(f"{line}\nexit 0\n")
                self.configure(root, f"environment = PATH=/usr/bin:{root}/open\n")
                self.expect_good(root)
                (root / "open").chmod(0o777)
                self.expect(root, "open", "mode")
                (root / "open").chmod(0o755)

    def test_the_account_that_a_service_runs_as(self):
        root = self.tree()
        for path in ("a/script", "a"):
            os.chown(root / path, NOBODY, NOBODY)
        # Its own files may be its own; the config, and what runs as root, may not.
        shutil.move(root / "a" / "b", root / "b")
        shutil.move(root / "a" / "h", root / "h")
        config = root / "b" / "x.ini"
        config.write_text(config.read_text() + f"user = {NOBODY}\n")
        self.expect_good(root, config="b/x.ini")
        config.write_text(config.read_text().replace(f"user = {NOBODY}", "user = root"))
        self.expect(root, "a", "owner", config="b/x.ini")
        os.chown(root / "h", NOBODY, NOBODY)
        config.write_text(config.read_text().replace("user = root", f"user = {NOBODY}"))
        self.expect(root, "h", "owner", config="b/x.ini")

    def test_the_root_of_a_service(self):
        root = self.tree()
        jail = root / "jail"
        jail.mkdir()
        shutil.copy2(HANDLERS_DIR / "time", jail / "prog")
        for library in re.findall(r"(/\S+) \(0x", subprocess.check_output(
                ["ldd", HANDLERS_DIR / "time"], text=True)):
            (jail / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, jail / library[1:])
        (jail / "link").symlink_to("/prog")  # in there, not out here
        config = root / "a" / "b" / "x.ini"
        config.write_text(config.read_text().replace(f"{root}/a/script", "/link") +
                          f"chroot = {jail}\n")
        (jail / "prog").chmod(0o775)
        self.expect(root, "jail/prog", "mode")
        (jail / "prog").chmod(0o755)
        self.expect_good(root)
        # Nobody else adds anything to what is its root.
        jail.chmod(0o1777)
        self.expect(root, "jail", "mode")

    def test_not_where_it_is_switched_off(self):
        root = self.tree()
        (root / "a").chmod(0o777)
        self.configure(root, strict_modes="no")
        self.expect_good(root)

    def test_not_for_an_ordinary_user(self):
        root = self.tree()
        (root / "a").chmod(0o777)
        try:
            self.expect_good(root, user=NOBODY)
        except PermissionError:
            self.skipTest("batond is in a folder that only the superuser may enter")

    def test_one_service_waits_until_it_is_mended(self):
        root = self.tree()
        handler = root / "a" / "h" / "time"
        handler.chmod(0o775)
        supervisor = self.launch(
            {"supervisor": {}, "bad": service(f'"{handler}"'), "good": service("misbehave")})
        failed = supervisor.wait_event("service_failed", service="bad")
        self.assertEqual(failed["reason"], f"others may change {handler} (mode 0775, owner 0)")
        self.assertIn("`chmod go-w`", failed["hint"])
        supervisor.wait_event("listening", service="good")
        self.assertEqual(supervisor.find("listening", service="bad"), [])
        handler.chmod(0o755)
        supervisor.wait_event("listening", service="bad", deadline_s=DEADLINE_S)
        self.stop(supervisor)

    def test_nothing_starts_from_an_open_config(self):
        supervisor = self.launch({"good": service("misbehave")}, folder=self.opened())
        self.assertEqual(supervisor.wait(), EXIT_CONFIG)

    def opened(self):
        folder = self.folder()
        folder.chmod(0o777)
        return folder


    def test_a_config_that_nobody_named_speaks_for_nobody(self):
        root = self.tree()
        self.configure(root, strict_modes="no")
        config = root / "a" / "b" / "ports.ini"
        (root / "a" / "b" / "x.ini").rename(config)
        config.write_text("[x]\nlisten = 127.0.0.1:0\nhandler = /bin/sh\nhandoff = stdio\n"
                          "[supervisor]\nhandlers = ../h\n")
        refused = f"others may change {config}, and nobody has named"
        for user, owner, code in ((NOBODY, 0, 0), (NOBODY, NOBODY, 0), (NOBODY, 1, EXIT_CONFIG)):
            os.chown(config, owner, owner)
            seen, err = self.check_found(config.parent, user)
            self.assertEqual(seen, code, err)
        self.assertIn(refused, err)
        self.configure(root, strict_modes="no")
        (root / "a" / "b" / "x.ini").rename(config)
        for owner, code in ((0, 0), (NOBODY, EXIT_CONFIG)):
            os.chown(config, owner, owner)
            seen, err = self.check_found(config.parent, 0)
            self.assertEqual(seen, code, err)
        self.assertIn(refused, err)
        code, err = self.check(root, config="a/b/ports.ini")
        self.assertEqual(code, 0, err)


if __name__ == "__main__":
    harness.main()
