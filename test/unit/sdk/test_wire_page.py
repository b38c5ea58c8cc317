"""PROTOCOL.md shows no frame that is not a golden vector, and names every type and tag of wire.h."""

import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(os.environ.get("BATON_SOURCE_DIR", "."))
PAGE = (ROOT / "handlers" / "PROTOCOL.md").read_text(encoding="utf-8")
HEADER = (ROOT / "handlers" / "sdk" / "wire.h").read_text(encoding="utf-8")


def vectors():
    text = (ROOT / "test" / "golden" / "wire" / "vectors.txt").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if " | " in line and line[0] != "#"]
    return {row[0]: row[4] for row in rows}


class Page(unittest.TestCase):
    def test_frames_are_vectors(self):
        known = vectors()
        blocks = re.findall(r"^```hex (\S+)\n(.*?)^```", PAGE, re.M | re.S)
        self.assertGreaterEqual(len(blocks), 5)
        for name, block in blocks:
            lines = [re.split(r"  +", line)[0] for line in block.splitlines()]
            self.assertEqual("".join(lines).replace(" ", ""), known[name], name)

    def test_sections_that_are_named_are_there(self):
        text = re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S)
        there = set(re.findall(r"^#{2,3} (.+)$", text, re.M))
        contents = re.search(r"^Contents: (.*?)\n\n", text, re.M | re.S)
        assert contents is not None
        named = [" ".join(name.split()) for name in re.findall(r"\*([^*]+)\*", contents[1])]
        self.assertEqual(named, re.findall(r"^## (.+)$", text, re.M))
        named += re.findall(r"\(?[Ss]ee \*([^*]+)\*", " ".join(text.split()))
        self.assertEqual([name for name in named if name.split(":")[0] not in there], [])

    def test_vectors_have_distinct_names(self):
        path = ROOT / "test" / "golden" / "wire" / "vectors.txt"
        names = re.findall(r"^(\S+) \| ", path.read_text(encoding="utf-8"), re.M)
        self.assertEqual(len(names), len(set(names)))
        self.assertIn(f"vectors.txt`: {len(names)} frames,", PAGE)

    def test_registry_is_that_of_the_header(self):
        types = dict(re.findall(r"\bWIRE_([A-Z]+) = (0x[0-9a-f]{2})\b", HEADER))
        tags = dict(re.findall(r"\bWIRE_TAG_([A-Z_]+) = (0x[0-9a-f]{4})\b", HEADER))
        self.assertEqual((len(types), len(tags)), (9, 26))
        self.assertEqual(types, _rows(r"0x[0-9a-f]{2}"))
        self.assertEqual(tags, _rows(r"0x[0-9a-f]{4}"))


def _rows(number):
    return {name: value for value, name in re.findall(rf"^\| `({number})` \| (\w+) \|", PAGE, re.M)}


if __name__ == "__main__":
    unittest.main()
