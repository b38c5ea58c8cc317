"""`cmake --install`: what is installed and how, that it runs from there, and that handlers are made with it."""

import os
import pathlib
import shutil
import stat
import tempfile
import unittest

from running import BUILD_DIR, CMAKE, ON_WINE, SOURCE_DIR, Server, edit, example, run

GOLDEN = pathlib.Path(__file__).with_name("installed-windows.txt" if ON_WINE else "installed-linux.txt")
# Another machine has another Python.
PYTHON_DIR = "lib/pythonX/dist-packages"
PROJECT = """\
cmake_minimum_required(VERSION 3.22)
project(greet LANGUAGES C)
find_package(Baton 0.1 REQUIRED)
add_executable(greet greet.c)
target_link_libraries(greet Baton::baton)
"""


def installed(root):
    """A line for each file and folder: its mode, and its name below the root."""
    lines = []
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        for folder in root.glob("**/lib/python3*/*-packages"):
            inside = name.startswith(folder.relative_to(root).as_posix())
            name = name.replace("/".join(folder.parts[-3:]), PYTHON_DIR) if inside else name
        if path.is_dir() and any(path.iterdir()):
            continue
        lines.append(f"{stat.S_IMODE(path.lstat().st_mode):04o} {name}{'/' if path.is_dir() else ''}\n")
    return "".join(sorted(lines, key=lambda line: line.split()[1]))


class Staged(unittest.TestCase):
    """Installed once for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="baton-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.root.chmod(0o755)  # `nobody` runs handlers
        if ON_WINE:
            cls.staged = cls.prefix = cls.root / "baton"
            cls.install = (CMAKE, "--install", BUILD_DIR, "--prefix", cls.prefix)
            cls.environment = os.environ
            cls.config = cls.prefix / "conf/ports.ini"
        else:
            cls.staged, cls.prefix = cls.root / "staged", cls.root / "staged/usr/local"
            cls.install = (CMAKE, "--install", BUILD_DIR)
            cls.environment = {**os.environ, "DESTDIR": str(cls.staged)}
            cls.config = cls.staged / "etc/baton/ports.ini"
        cls.addClassCleanup(os.umask, os.umask(0o022))
        run(*cls.install, env=cls.environment)
        cls.found = installed(cls.staged)


class Installed(Staged):
    def test_files_and_modes(self):
        if os.environ.get("BATON_REGENERATE"):
            GOLDEN.write_text(self.found, encoding="utf-8")
        self.assertEqual(self.found, GOLDEN.read_text(encoding="utf-8"))

    def test_what_was_edited_is_kept(self):
        edited = self.config.read_text(encoding="utf-8") + "; ours\n"
        self.config.write_text(edited, encoding="utf-8")
        self.assertIn(f"Kept: {self.config}", run(*self.install, env=self.environment))
        self.assertEqual(self.config.read_text(encoding="utf-8"), edited)
        # Nor is what somebody has switched off put back.
        self.config.unlink()
        self.config.symlink_to("nowhere")
        run(*self.install, env=self.environment)
        self.assertTrue(self.config.is_symlink())

    def test_any_prefix(self):
        where = self.root / "elsewhere"
        where.mkdir()
        said = run(CMAKE, "--install", BUILD_DIR, "--prefix", "here there", cwd=where)
        expected = self.found.replace(" usr/local/", " ")
        self.assertEqual(sorted(installed(where / "here there").splitlines()), sorted(expected.splitlines()))
        self.assertEqual([path.name for path in where.iterdir()], ["here there"])
        # Where batond looks for them itself is another place, and that is said.
        self.assertIs("--handlers" in said, not ON_WINE)
        if not ON_WINE:
            there = where / "here there"
            run(there / "sbin/batond", "-c", there / "etc/baton/ports.ini", "--handlers",
                there / "libexec/baton/handlers", "--check")


class Handlers(Staged):
    """What users make with it, and run with it."""

    @property
    def handlers(self):
        return self.prefix / ("handlers" if ON_WINE else "libexec/baton/handlers")

    def serve(self, handler, **keys):
        """batond of the installation, with its config and the service `mine` as well."""
        config = self.root / "mine.ini"
        shutil.copy(self.config, config)
        edit(config, "7777 = ok", "0 = ok")
        keys = {"listen": "127.0.0.1:0", "handler": handler, **keys}
        with open(config, "a", encoding="utf-8") as file:
            file.write("[mine]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items()))
        if ON_WINE:
            return Server(self.prefix / "bin/batond.exe", "-c", f"Z:{config}")
        return Server(self.prefix / "sbin/batond", "-c", config, "--handlers", self.handlers)

    def check_greets(self, handler, **keys):
        with self.serve(handler, **keys) as server:
            self.assertEqual(server.ask("ok", "well?\n"), "OK")
            self.assertEqual(server.ask("mine"), "hello\n")
            self.assertEqual(server.event("connection", service="mine")["outcome"], "served")
            self.assertEqual(server.stop(), 0)

    def greet(self, name):
        """The README's example as a source file in a folder of its own."""
        folder = self.root / name
        folder.mkdir()
        (folder / "greet.c").write_text(example("c"), encoding="utf-8")
        return folder

    def test_cmake_package(self):
        folder = self.greet("cmake")
        (folder / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
        # A cross build searches the packages of its target alone, so there it is named.
        place = f"-DBaton_DIR={self.prefix}/lib/cmake/Baton" if ON_WINE else f"-DCMAKE_PREFIX_PATH={self.prefix}"
        tools = [f"-DCMAKE_TOOLCHAIN_FILE={SOURCE_DIR}/scripts/cmake/mingw-w64-x86_64.cmake"] if ON_WINE else []
        run(CMAKE, "-G", "Ninja", "-S", folder, "-B", folder / "build", place, *tools)
        run(CMAKE, "--build", folder / "build")
        program = "greet.exe" if ON_WINE else "greet"
        shutil.copy(folder / "build" / program, self.handlers)
        self.check_greets(program)

    def test_pkg_config(self):
        folder = self.greet("pkg-config")
        folders = self.prefix / "lib/pkgconfig"
        # Moved, too: it names no place but its own.
        flags = run("pkg-config", "--cflags", "--libs", "baton",
                    env={**os.environ, "PKG_CONFIG_PATH": str(folders), "PKG_CONFIG_LIBDIR": ""}).split()
        compiler = "x86_64-w64-mingw32-gcc" if ON_WINE else "cc"
        program = "greet2.exe" if ON_WINE else "greet2"
        run(compiler, folder / "greet.c", *flags, *(["-static"] if ON_WINE else []), "-o", self.handlers / program)
        self.check_greets(program)

    @unittest.skipIf(ON_WINE, "no Python for Windows here")
    def test_python(self):
        python = next(self.prefix.glob("lib/python3*/*-packages"), self.prefix / "share/baton/python")
        # For the reader's `import baton` no module may lie beside the handler.
        self.assertEqual(list(self.handlers.glob("*.py")), [])
        text = example("python")
        for name, text in (("greet.py", text), ("fork.py", text.replace("serve(greet)", "serve_forking(greet, 2)"))):
            with self.subTest(name):
                script = self.handlers / name
                script.write_text(text, encoding="utf-8")
                script.chmod(0o755)
                self.check_greets(name, environment=f"PYTHONPATH={python} PYTHONDONTWRITEBYTECODE=1")
                script.unlink()

    @unittest.skipIf(ON_WINE or os.geteuid() != 0, "only root can put it where it was configured for")
    def test_where_it_was_configured_for(self):
        """Without --handlers: in a view of the file system in which it lies there."""
        bind = 'mount --bind "$1" /usr/local && shift && exec "$@"'
        prefix = ("unshare", "--mount", "sh", "-c", bind, "sh", str(self.prefix))
        config = self.root / "there.ini"
        shutil.copy(self.config, config)
        edit(config, "7777 = ok", "0 = ok")
        with Server("/usr/local/sbin/batond", "-c", config, prefix=prefix) as server:
            found = server.event("listening", service="ok")["handler"]
            self.assertEqual(found, "/usr/local/libexec/baton/handlers/ok")
            self.assertEqual(server.ask("ok", "well?\n"), "OK")
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
