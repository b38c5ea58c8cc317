"""Shows that each check can fail, and that it does not fail for nothing."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bodies  # noqa: E402
import checks  # noqa: E402
import circles  # noqa: E402
import source  # noqa: E402
import snapshot  # noqa: E402
import walls  # noqa: E402


def lines(check, path, text):
    return [line for line, _ in check(path, text)]


class Walls(unittest.TestCase):
    def test_core_is_pure(self):
        bad = '#include "core/base/error.h"\n#include <sys/socket.h>\n#include "platform/platform.h"\n'
        self.assertEqual(lines(walls.check_walls, "supervisor/core/pool/x.c", bad), [2, 3])

    def test_a_room_sees_those_below_it(self):
        text = "".join(f'#include "core/{room}/x.h"\n' for room in walls.ROOMS)
        for index, room in enumerate(walls.ROOMS):
            above = list(range(1, index + 1))
            self.assertEqual(lines(walls.check_walls, f"supervisor/core/{room}/y.c", text), above)

    def test_what_is_private_to_a_room(self):
        text = '#include "core/pool/internal.h"\n#include "core/config/reader.h"\n'
        self.assertEqual(lines(walls.check_walls, "supervisor/core/pool/x.c", text), [2])
        self.assertEqual(lines(walls.check_walls, "supervisor/core/config/x.c", text), [1])
        self.assertEqual(lines(walls.check_walls, "supervisor/core/tell/x.c", text), [1, 2])
        self.assertEqual(lines(walls.check_walls, "supervisor/run/x.c", text), [1, 2])

    def test_nothing_stands_outside_the_rooms(self):
        text = '#include <stdint.h>\n#include "core/base/error.h"\n'
        self.assertEqual(lines(walls.check_walls, "supervisor/core/x.c", text), [1, 2])

    def test_each_library_of_a_format_is_seen_by_one_file(self):
        text = "#include <ini.h>\n#include <yaml.h>\n"
        self.assertEqual(lines(walls.check_walls, "supervisor/core/config/ini.c", text), [2])
        self.assertEqual(lines(walls.check_walls, "supervisor/core/config/yaml.c", text), [1])
        self.assertEqual(lines(walls.check_walls, "supervisor/core/config/x.c", text), [1, 2])

    def test_the_build_has_the_same_order(self):
        path = os.path.join(source.ROOT, "supervisor/core/CMakeLists.txt")
        with open(path, encoding="utf-8") as file:
            rooms = re.findall(r"(?m)^baton_room\((\w+)(?: BELOW ([a-z ]+?))?(?: LIBRARIES .*)?\)",
                               file.read())
        self.assertEqual([room for room, _ in rooms], walls.ROOMS)
        for index, (_, below) in enumerate(rooms):
            self.assertLessEqual(set(below.split()), set(walls.ROOMS[index + 1:]))

    def test_run_sees_the_platform_only_through_its_contract(self):
        bad = '#include "platform/platform.h"\n#include "posix/internal.h"\n#ifdef _WIN32\n#endif\n'
        self.assertEqual(lines(walls.check_walls, "supervisor/run/x.c", bad), [2, 3])

    def test_platform_does_not_see_the_service_table(self):
        bad = '#include <sys/epoll.h>\n#include "core/base/error.h"\n#include "core/service/service.h"\n'
        self.assertEqual(lines(walls.check_walls, "supervisor/platform/posix/x.c", bad), [3])

    def test_wire_sees_nobody(self):
        bad = '#include <stdint.h>\n#include "baton.h"\n#include <unistd.h>\n'
        self.assertEqual(lines(walls.check_walls, "handlers/sdk/wire.c", bad), [2, 3])

    def test_handlers_see_the_sdk_only(self):
        bad = '#include "baton.h"\n#include "wire.h"\n'
        self.assertEqual(lines(walls.check_walls, "handlers/ok/ok.c", bad), [2])

    def test_sockets_of_the_system_are_chosen_by_the_build(self):
        text = '#include "sockets.h"\n#include "wire.h"\n'
        self.assertEqual(lines(walls.check_walls, "handlers/conformance/x.c", text), [2])
        self.assertEqual(lines(walls.check_walls, "handlers/sdk/x.c", text), [])
        self.assertEqual(lines(walls.check_walls, "handlers/ok/x.c", text), [1, 2])
        self.assertEqual(lines(walls.check_walls, "handlers/sdk/wire.c", text), [1])

    def test_comments_do_not_count(self):
        good = '/*\n#include <windows.h>\n_WIN32 */\n// __linux__\n'
        self.assertEqual(lines(walls.check_walls, "supervisor/core/pool/x.c", good), [])


class Circles(unittest.TestCase):
    SYMBOLS = """lib/libx.a:a.c.o:0000000000000000 T one
lib/libx.a:a.c.o:                 U two
lib/libx.a:b.c.o:0000000000000010 T two
lib/libx.a:b.c.o:                 U three
lib/libx.a:c.c.o:0000000000000010 T three
lib/libx.a:c.c.o:0000000000000010 t one
lib/libx.a:c.c.o:                 U printf
"""

    def test_a_line_is_no_circle(self):
        edges = circles.edges_of(self.SYMBOLS)
        self.assertEqual(edges, {"a": {"b"}, "b": {"c"}, "c": set()})
        self.assertEqual(circles.circles(edges), [])

    def test_a_circle_is_found(self):
        edges = circles.edges_of(self.SYMBOLS + "lib/libx.a:c.c.o:                 U one\n")
        self.assertEqual(circles.circles(edges), [["a", "b", "c"]])


class Sizes(unittest.TestCase):
    def function(self, body_lines):
        return "struct a {\n    int b;\n};\n\nstatic int f(int a,\n             int b)\n{\n" + \
            "    a++;\n" * body_lines + "}\n"

    def test_function(self):
        self.assertEqual(lines(checks.check_function_size, "x.c", self.function(96)), [])
        self.assertEqual(lines(checks.check_function_size, "x.c", self.function(97)), [5])

    def test_second_function_and_table(self):
        text = "int g(void) {\n}\nint t[] = {\n" + "1,\n" * 200 + "};\n" + self.function(98)
        self.assertEqual(lines(checks.check_function_size, "x.c", text), [209])

    def test_python_function(self):
        text = "def f():\n" + "    a = 1\n" * 100
        self.assertEqual(lines(checks.check_function_size, "x.py", text), [1])

    def test_file(self):
        self.assertEqual(lines(checks.check_file_size, "x.c", "\n" * 600), [])
        self.assertEqual(lines(checks.check_file_size, "x.c", "\n" * 601), [601])


class Bodies(unittest.TestCase):
    HEADERS = (("/* platform_a() is\n * told of */\nint platform_a(int x);\n", True),
               ("\nextern const bool platform_b;\n", False))

    def compare(self, **texts):
        found = {body: {} for body in bodies.BODIES}
        for name, text in texts.items():
            body, file = name.split("_")
            found[body][file] = text
        return [line for header, by_all in self.HEADERS
                for line, _ in bodies.compare(header, found, by_all)]

    def test_equal_names(self):
        a = "static void f(void) {\n    if (platform_a(1)) {\n    }\n}\n\nint platform_a(int x) {\n}\n"
        b = "const bool platform_b = true;\n"
        self.assertEqual(
            self.compare(posix_x=a, posix_y=b, win32_x=a, win32_y=b, fake_x=a), [])
        self.assertEqual(
            self.compare(posix_x=a, posix_y=b, win32_y=a + b, fake_x=a), [3])
        self.assertEqual(self.compare(posix_x=a + b, win32_x=a + b), [3])
        self.assertEqual(
            self.compare(posix_x=a + b, win32_x=a, win32_y=b, fake_x=a, fake_y=b), [2])
        self.assertEqual(self.compare(posix_x=a + b, win32_x=a + b, fake_x=a, fake_y=a), [3])

    def test_the_header_is_read(self):
        header = "".join(source.read(path) for path in bodies.HEADERS)
        self.assertGreater(len(set(bodies.names(bodies.DECLARED, header))), 70)
        self.assertEqual(list(bodies.check_bodies("supervisor/platform/sized.h", header)), [])


class Texts(unittest.TestCase):
    def test_banned(self):
        bad = 'x;\nstrcpy(a, b);\n/* strcpy(a, b) */\n"strcpy(";\nmy_strcpy(a);\natoi (a);\n'
        self.assertEqual(lines(checks.check_banned, "x.c", bad), [2, 6])

    def test_formats(self):
        good = 'f("%s%.60s%.*s%c%d%ld%u%lu%03lo%02x%016lx");\nrun_tell("pid=%i at=%p n=%llu");\n' + \
            '"%ProgramData%\\\\x";\n/* %f */ L"%ls" __attribute__((format(printf, 1, 2)))\n'
        bad = 'f("%zu");\nf("%5d");\nf("%-5s");\nf("%f");\nf("%i");\nf("%%");\nsnprintf(a, b, "%s");\nf("%hhu");\n'
        self.assertEqual(lines(checks.check_formats, "supervisor/x.c", good), [])
        self.assertEqual(sorted(lines(checks.check_formats, "supervisor/x.c", bad)), [1, 2, 3, 4, 5, 6, 7, 8])
        self.assertEqual(lines(checks.check_formats, "handlers/x.c", bad), [])

    def test_child_calls(self):
        text = "static int f(const char *a) {\n    return chdir(a);\n}\nint g(void) {\n" + \
            "    if (x[0].take(y) != f(b)) {\n        setuid (1);\n    }\n    puts(a);\n}\n"
        self.assertEqual(
            lines(checks.check_child_calls, "supervisor/platform/posix/plan.c", text), [6, 8])
        self.assertEqual(
            lines(checks.check_child_calls, "supervisor/platform/posix/spawn.c", text), [])
        self.assertTrue(os.path.exists(
            os.path.join(source.ROOT, "supervisor/platform/posix/plan.c")))

    def test_unfinished(self):
        self.assertEqual(lines(checks.check_finished, "x.c", "a\n/* TO" "DO b */\n"), [2])

    def test_machine_paths(self):
        bad = f"a\n{source.ROOT}/x\n/home/" "jane/x\nC:/Users/" "jane/x\n/home/NAME/x\n/usr/lib\n"
        self.assertEqual(lines(checks.check_machine_paths, "x.md", bad), [2, 3, 4])

    def test_blanks(self):
        self.assertEqual(lines(checks.check_blanks, "x.c", "a \nb\t\nc"), [1, 2, 3])
        self.assertEqual(lines(checks.check_blanks, "x.c", "a\r\n"), [1])

    def test_python(self):
        self.assertEqual(lines(checks.check_python, "x.py", "a = 1\ndef f(:\n"), [2])

    def test_every_check_finds_files(self):
        for name, (suffixes, _) in checks.CHECKS.items():
            self.assertTrue(source.files(*suffixes), name)


class Snapshot(unittest.TestCase):
    def test_declarations(self):
        text = ("enum e { A, B };\nstruct one {\n    int a; /* it */\n    struct two {\n        int c;\n    } b;\n};\n"
                "struct three {\n    int d;\n};\n")
        one = "struct one { int a; struct two { int c; } b; }"
        self.assertEqual(snapshot.declarations(text, ["one"]), [one])
        self.assertEqual(snapshot.declarations(text.replace("it", "that  "), ["one"]), [one])
        self.assertNotEqual(snapshot.declarations(text.replace("int a", "long a"), ["one"]), [one])
        self.assertEqual(len(snapshot.declarations(text, [])), 3)
        with self.assertRaises(ValueError):
            snapshot.declarations(text, ["four"])

    def test_sums(self):
        self.assertIsNone(snapshot.compare("1 abc", "1", "abc"))
        self.assertIn("raise", snapshot.compare("1 abc", "1", "abd"))
        self.assertEqual(snapshot.compare("1 abc", "2", "abd"), "put `2 abd` here")


if __name__ == "__main__":
    unittest.main()
