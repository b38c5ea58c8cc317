"""The zip for Windows: what is in it, that it is the same each time, and that it runs from any folder (Wine)."""

import os
import pathlib
import shutil
import tempfile
import unittest
import zipfile

from running import BUILD_DIR, EMULATOR, SOURCE_DIR, Server, edit, run

SCRIPT = os.path.join(SOURCE_DIR, "scripts/package.d/zip")
NEEDED = ("README.txt", "README.md", "LICENSE", "licences/inih.txt", "licences/yaml.txt", "licences/mingw-w64.txt",
          "bin/batond.exe", "bin/baton-import.exe", "bin/baton-demo.exe", "conf/ports.ini", "conf/ports.d/",
          "handlers/ok.exe", "handlers/baton.py", "handlers/hello.py", "include/baton.h", "lib/libbaton.a",
          "lib/cmake/Baton/BatonConfig.cmake", "lib/pkgconfig/baton.pc", "doc/KEYS.md", "doc/PROTOCOL.md")


class Zip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="baton-zip-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.archive = cls.pack("first", "1700000000")

    @classmethod
    def pack(cls, name, epoch):
        run(SCRIPT, cls.root / name, BUILD_DIR, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
        return next((cls.root / name).glob("baton-*-windows-x86_64.zip"))

    def test_what_is_in_it(self):
        with zipfile.ZipFile(self.archive) as file:
            entries = file.infolist()
        names = [entry.filename for entry in entries]
        self.assertEqual({name.split("/")[0] for name in names}, {self.archive.name.split("-windows")[0]})
        inside = {name.split("/", 1)[1] for name in names}
        self.assertEqual(set(NEEDED) - inside, set())
        self.assertEqual(names, sorted(names))
        self.assertEqual({entry.date_time for entry in entries}, {(2023, 11, 14, 22, 13, 20)})

    def test_the_same_each_time(self):
        self.assertEqual(self.pack("second", "1700000000").read_bytes(), self.archive.read_bytes())

    def test_it_runs_where_it_was_unpacked(self):
        place = self.root / "Bäton für Größe ✓"
        with zipfile.ZipFile(self.archive) as file:
            file.extractall(place)
        folder = next(place.iterdir())
        program = folder / "bin/batond.exe"
        # From another folder: it finds its own by itself.
        said = run(*EMULATOR, program, "--check", cwd=self.root)
        self.assertIn("ok  127.0.0.1:7777", said)
        self.assertIn("valid, 1 service", said)
        edit(folder / "conf/ports.ini", "7777 = ok", "0 = ok")
        with Server(program, cwd=self.root) as server:
            self.assertIn(place.name, server.event("listening", service="ok")["handler"])
            self.assertEqual(server.ask("ok", "well?\n"), "OK")
            self.assertEqual(server.event("connection", service="ok")["outcome"], "served")
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
