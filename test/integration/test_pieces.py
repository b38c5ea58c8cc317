"""A config of several files, with real folders, owners and links; and one from standard input."""

import os
import pathlib
import re
import subprocess
import unittest

import harness
from harness import EXIT_CONFIG, EXIT_USAGE, STOP_SIGNAL, SupervisorCase, render, service, shared
from settings import BIN_DIR, DEADLINE_S, EMULATOR, ON_WINE, clean_environment, executable, system_path

PIECES_MAX_COUNT = 1024
NOBODY = 65534

posix_only = unittest.skipIf(ON_WINE, "made of POSIX's kinds of files")
root_only = unittest.skipIf(ON_WINE or os.geteuid() != 0, "only root refuses, and gives files away")


class Pieces(SupervisorCase):
    def write(self, folder, name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def main(self, folder, include="ports.d/*.ini", **more):
        """The main config, which has no service; its name."""
        self.write(folder, "ports.ini", render(harness.what_tests_need(
            {"supervisor": {"include": include, **more}}), "ini"))
        return "ports.ini"

    def piece(self, folder, name, handler="misbehave", **keys):
        """A piece with one service, which is called as the file."""
        file = pathlib.PurePath(name)
        return self.write(folder, name, render({file.stem: service(handler, **keys)},
                                               "ini" if file.suffix == ".ini" else "yaml"))

    def run_batond(self, *arguments, cwd, text=None, around=()):
        done = subprocess.run([*around, *EMULATOR, str(BIN_DIR / executable("batond")), *arguments],
                              input=text or b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=DEADLINE_S, cwd=cwd, env=clean_environment(), check=False)
        return (done.returncode, done.stdout.decode().replace("\r\n", "\n"),
                done.stderr.decode(errors="replace").replace("\r\n", "\n"))

    def check(self, folder, config="ports.ini", **options):
        return self.run_batond("-c", config, "--handlers", system_path(shared().handlers), "--check",
                               cwd=folder, **options)

    def expect_services(self, folder, names, **options):
        """In this order."""
        code, out, err = self.check(folder, **options)
        self.assertEqual(code, 0, err)
        self.assertEqual(re.findall(r"^(\S+) +127", out, re.MULTILINE), names)

    def expect_faults(self, folder, *faults, **options):
        """As regular expressions, and no others."""
        code, _, err = self.check(folder, **options)
        lines = [line for line in err.splitlines() if ": warning: " not in line]
        self.assertEqual((code, len(lines)), (EXIT_CONFIG, len(faults)), err)
        for line, fault in zip(lines, faults):
            self.assertRegex(line, fault)


class Found(Pieces):
    def test_both_formats_in_the_order_of_names(self):
        folder = self.folder()
        self.main(folder, "ports.d/*.ini, ports.d/*, more.yaml")
        for name in ("b.ini", "a.ini", "B.ini", "c.yaml", ".hidden.ini", "old.ini~", "README"):
            self.piece(folder / "ports.d", name)
        self.piece(folder, "more.yaml")
        self.expect_services(folder, ["B", "a", "b", "c", "more"])

    def test_the_main_config_is_none_of_its_pieces(self):
        folder = self.folder()
        self.main(folder, "*.ini")
        self.piece(folder, "a.ini")
        self.expect_services(folder, ["a"])

    def test_an_absolute_pattern(self):
        folder, other = self.folder(), self.folder()
        self.main(folder, system_path(other / "*.ini"))
        self.piece(other, "a.ini")
        self.expect_services(folder, ["a"])
        self.piece(other, "a.ini", nonsense=1)
        self.expect_faults(folder, f"^{re.escape(system_path(other / 'a.ini'))}:4: a.nonsense: ")

    def test_what_is_not_there(self):
        folder = self.folder()
        self.main(folder, "nowhere/*.ini, ports.d/a.ini")
        self.expect_faults(folder, r"^ports\.ini:\d+: supervisor\.include: ports\.d/a\.ini is not there")
        self.piece(folder / "ports.d", "a.ini")
        self.expect_services(folder, ["a"])
        self.main(folder, "ports.ini/*.ini, ports.d/a.ini")
        self.expect_faults(folder, r"^ports\.ini:\d+: supervisor\.include: .*ports\.ini.* it is no folder")

    def test_what_is_no_pattern(self):
        folder = self.folder()
        self.main(folder, "*/a.ini, ports.d/*.conf")
        self.expect_faults(folder, r"supervisor\.include: \*/a\.ini only the last part",
                           r"supervisor\.include: ports\.d/\*\.conf is no config")

    def test_names_are_those_of_the_main_config(self):
        folder = self.folder()
        self.main(folder / "etc")
        self.piece(folder / "etc" / "ports.d", "a.ini", nonsense=1)
        self.expect_faults(folder, r"^etc/ports\.d/a\.ini:4: a\.nonsense: ", config="etc/ports.ini")
        self.expect_faults(folder, rf"^{re.escape(system_path(folder / 'etc'))}[/\\]ports\.d/a\.ini:4: ",
                           config=system_path(folder / "etc" / "ports.ini"))

    def test_an_empty_piece_is_switched_off(self):
        folder = self.folder()
        self.main(folder)
        self.piece(folder / "ports.d", "a.ini")
        self.write(folder / "ports.d", "b.ini", "")
        self.expect_services(folder, ["a"])

    def test_there_are_bounds(self):
        folder = self.folder()
        self.main(folder)
        self.piece(folder / "ports.d", "a.ini")
        for number in range(PIECES_MAX_COUNT - 1):
            self.write(folder / "ports.d", f"z{number}.ini", "; nothing\n")
        self.expect_services(folder, ["a"])
        self.write(folder / "ports.d", "zz.ini", "; nothing\n")
        self.expect_faults(folder, "supervisor.include: this takes more than 1024 files, which no config needs")

    def test_there_are_bounds_of_bytes(self):
        folder = self.folder()
        self.main(folder)
        comment = ";" + "x" * 1022 + "\n"
        self.write(folder / "ports.d", "a.ini", comment * 1025)
        self.expect_faults(folder, r"^ports\.d/a\.ini: cannot be read: it is longer than 1 MiB")
        for number in range(4):
            self.write(folder / "ports.d", f"b{number}.ini", comment * 1024)
        self.write(folder / "ports.d", "a.ini", "")
        self.piece(folder, "ports.d/a.ini")
        self.expect_faults(folder, "supervisor.include: this takes more than 4 MiB")

    @posix_only
    def test_what_is_no_file(self):
        folder = self.folder()
        self.main(folder)
        pieces = folder / "ports.d"
        self.piece(pieces, "a.ini")
        (pieces / "b.ini").symlink_to("/dev/null")
        (pieces / "c.ini").symlink_to("a.txt")
        self.piece(folder, "ports.d/c.yaml").rename(pieces / "a.txt")
        self.write(pieces, "a.txt", render({"linked": service("misbehave")}, "ini"))
        self.expect_services(folder, ["a", "linked"])
        (pieces / "d.ini").symlink_to("gone.txt")
        (pieces / "e.ini").mkdir()
        os.mkfifo(pieces / "f.ini")
        (pieces / "g.ini").symlink_to("/dev/zero")
        (pieces / "h.ini").symlink_to("h.ini")
        os.close(os.open(os.path.join(os.fsencode(pieces), b"\xff.ini"), os.O_CREAT | os.O_WRONLY))
        self.expect_faults(folder, r"ports\.d/ has a file whose name is not UTF-8",
                           r"^ports\.d/d\.ini: is a link to gone\.txt, which is not there",
                           r"^ports\.d/e\.ini: cannot be read: it is a folder or no regular file",
                           r"^ports\.d/f\.ini: cannot be read: it is a folder or no regular file",
                           r"^ports\.d/g\.ini: cannot be read: it is a folder or no regular file",
                           r"^ports\.d/h\.ini: cannot be read: Too many levels of symbolic links")


class OfTheSystem(Pieces):
    """/usr/lib, /run and /etc, of a mount namespace of its own."""

    SCRIPT = """set -e; cd "$1"; shift
mkdir -p etc run lib whole/lib etc/baton
cp -a /etc/passwd /etc/group /etc/nsswitch.conf etc
for name in ld.so.cache services; do [ ! -e /etc/$name ] || cp -a /etc/$name etc; done
mount --bind /usr/lib whole/lib
for entry in whole/lib/*; do [ -e "lib/${entry##*/}" ] || ln -s "$PWD/$entry" lib; done
mount --bind lib /usr/lib; mount --bind etc /etc; mount --bind run /run
exec "$@"
"""

    def setUp(self):
        self.root = self.open_folder()
        self.around = ["unshare", "-m", "/bin/sh", "-c", self.SCRIPT, "sh", str(self.root)]

    @root_only
    def test_the_later_folder_holds(self):
        for folder in ("etc", "run", "lib"):
            (self.root / folder).mkdir()
        if subprocess.run([*self.around, "/bin/true"], stderr=subprocess.DEVNULL, timeout=DEADLINE_S,
                          check=False).returncode != 0:
            self.skipTest("no mounts may be made here")
        pieces = {name: self.root / name / "baton" / "ports.d" for name in ("lib", "run", "etc")}
        self.main(self.root / "etc" / "baton", "ports.d/*.ini, ports.d/*.yaml")
        for name, folders in {"all.ini": "lib run etc", "early.ini": "lib run", "first.ini": "lib", "off.ini": "lib",
                              "void.ini": "lib", "z.yaml": "lib etc"}.items():
            for folder in folders.split():
                self.piece(pieces[folder], name, max_connections={"lib": 5, "run": 6, "etc": 7}[folder])
        (pieces["etc"] / "off.ini").symlink_to("/dev/null")
        (pieces["run"] / "void.ini").write_text("")
        for config in ("/etc/baton/ports.ini", "./ports.ini", "ports.ini"):
            with self.subTest(config):
                code, out, err = self.check(self.root / "etc" / "baton", config, around=self.around +
                                            (["/bin/sh", "-c", 'cd /etc/baton && exec "$@"', "sh"]))
                self.assertEqual(code, 0, err)
                self.assertEqual(re.findall(r"^(\w+) .*\n(?:  .*\n)*?  . max_connections = (\d)", out, re.MULTILINE),
                                 [("all", "7"), ("early", "6"), ("first", "5"), ("z", "7")], out)
        # Elsewhere only the folder of the main config is looked in.
        self.main(self.root / "etc" / "other")
        self.piece(self.root / "etc" / "other" / "ports.d", "own.ini")
        self.expect_services(self.root, ["own"], config="/etc/other/ports.ini", around=self.around)
        # Whose fault it is, is told by the whole path.
        self.piece(pieces["run"], "early.ini", nonsense=1)
        self.expect_faults(self.root, r"^/run/baton/ports\.d/early\.ini:4: early\.nonsense: ",
                           config="/etc/baton/ports.ini", around=self.around)


@root_only
class Strict(Pieces):
    def test_who_may_change_a_piece(self):
        folder = self.open_folder()
        self.main(folder)
        piece = self.piece(folder / "ports.d", "a.ini")
        self.expect_services(folder, ["a"])
        piece.chmod(0o666)
        self.expect_faults(folder, rf"^ports\.d/a\.ini: others may change {piece} \(mode 0666")
        piece.chmod(0o644)
        os.chown(piece, NOBODY, 0)
        self.expect_faults(folder, rf"^ports\.d/a\.ini: others may change {piece} .*owner {NOBODY}")
        os.chown(piece, 0, 0)
        (folder / "ports.d").chmod(0o777)
        self.expect_faults(folder, rf"^ports\.ini:\d+: supervisor\.include: others may change {folder}/ports\.d \(mode")
        self.main(folder, strict_modes="no")
        self.expect_services(folder, ["a"])
        (folder / "ports.d").chmod(0o755)
        self.main(folder)
        # Nor where it leads.
        target = folder / "target"
        piece.rename(target)
        piece.symlink_to(target)
        self.expect_services(folder, ["a"])
        target.chmod(0o646)
        self.expect_faults(folder, rf"^ports\.d/a\.ini: others may change {target} ")

    def test_a_config_that_was_found(self):
        folder = self.open_folder()
        self.main(folder)
        piece = self.piece(folder / "ports.d", "a.ini")
        piece.chmod(0o666)
        self.main(folder, strict_modes="no")
        code, _, err = self.run_batond("--handlers", shared().handlers, "--check", cwd=folder)
        self.assertEqual(code, EXIT_CONFIG)
        self.assertRegex(err, rf"\nports\.d/a\.ini: others may change {piece}, and nobody has named")


class Served(Pieces):
    def test_services_of_pieces(self):
        folder = self.folder()
        self.piece(folder / "ports.d", "a.yaml")
        self.piece(folder / "ports.d", "b.ini", handler="nix")
        supervisor = self.launch({"supervisor": {"include": "ports.d/*"}, "own": service("misbehave")}, folder=folder)
        self.assertEqual(supervisor.wait_event("starting")["pieces"], "2")
        # b lacks its program, and is told so where it stands.
        failed = supervisor.wait_event("service_failed", service="b")
        self.assertRegex(failed["at"].replace("\\", "/"), r"/ports\.d/b\.ini:3$")
        for name in ("a", "own"):
            self.assertRegex(supervisor.ask(name, "x"), "^served .* x$")
        self.stop(supervisor)

    def test_a_port_that_is_taken(self):
        folder = self.folder()
        first = self.supervisor({"a": service("misbehave")})
        host, port = first.address("a")
        self.piece(folder / "ports.d", "b.ini", listen=f"{host}:{port}")
        second = self.launch({"supervisor": {"include": "ports.d/*.ini"}, "own": service("misbehave")}, folder=folder)
        self.assertRegex(second.wait_event("listen_failed", service="b")["at"].replace("\\", "/"),
                         r"/ports\.d/b\.ini:2$")
        self.stop(second)
        self.stop(first)


class StandardInput(Pieces):
    def text(self, config_format="ini", **sections):
        return render(harness.what_tests_need({"a": service("misbehave"), **sections}), config_format).encode()

    def test_both_formats(self):
        folder = self.folder()
        for config_format in ("ini", "yaml"):
            for text in (self.text(config_format), self.text(config_format).decode().encode("utf-16")):
                code, out, err = self.check(folder, "-", text=text) if config_format == "ini" else self.run_batond(
                    "-c", "-", "--format", "yaml", "--handlers", system_path(shared().handlers), "--check",
                    cwd=folder, text=text)
                self.assertEqual(code, 0, err)
                self.assertRegex(out, r"^a  127\.0\.0\.1:0")

    def test_faults(self):
        folder = self.folder()
        self.expect_faults(folder, r"^-:2: a\.handler: `nix` is not in", config="-",
                           text=b"[a]\nhandler = nix\nlisten = 7001\n" + harness.AS_US.encode())
        self.expect_faults(folder, "^-: the file has no service", config="-", text=b"")
        self.expect_faults(folder, "^-: cannot be read: it is longer than 1 MiB", config="-", text=b";\n" * 524289)
        code, _, err = self.run_batond("-c", "x.ini", "--format", "yaml", cwd=folder)
        self.assertEqual(code, EXIT_USAGE)
        self.assertIn("`-c -` must stand beside `--format`", err)

    def test_paths_start_at_the_working_directory(self):
        folder = self.folder()
        self.piece(folder / "ports.d", "b.ini")
        text = self.text(supervisor={"include": "ports.d/*.ini"})
        self.expect_services(folder, ["a", "b"], config="-", text=text)
        self.piece(folder / "ports.d", "b.ini", nonsense=1)
        self.expect_faults(folder, r"^ports\.d/b\.ini:4: b\.nonsense: ", config="-", text=text)

    @posix_only
    def test_it_is_served(self):
        process = subprocess.Popen([BIN_DIR / "batond", "-c", "-", "--handlers", shared().handlers],
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder(),
                                   env=clean_environment())
        self.addCleanup(process.wait, DEADLINE_S)
        self.addCleanup(process.kill)
        process.stdin.write(self.text())
        process.stdin.close()
        with process.stderr:
            lines = [process.stderr.readline().decode() for _ in range(3)]
            self.assertRegex(lines[0], r"event=starting config=- pid=\d+\n$")
            self.assertRegex(lines[2], "event=ready services=1 ")
            process.send_signal(STOP_SIGNAL)
            self.assertEqual(process.wait(DEADLINE_S), 0)


if __name__ == "__main__":
    harness.main()
