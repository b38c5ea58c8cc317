"""archive.py FOLDER ZIP: packs what is in FOLDER, so that the same files give the same bytes: in the order of their
names, with the time of SOURCE_DATE_EPOCH and modes that depend on nothing but whether a file is a program."""

import os
import pathlib
import stat
import sys
import time
import zipfile

ZIP_BEGINS_S = 315532800  # 1980, before which a zip has no time


def entries(folder):
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        if "baton-" in path.relative_to(folder).parts[0]:
            yield path


def pack(folder, archive):
    moment = time.gmtime(max(int(os.environ["SOURCE_DATE_EPOCH"]), ZIP_BEGINS_S))[:6]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path in entries(folder):
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                entry, mode, data = zipfile.ZipInfo(name + "/", moment), stat.S_IFDIR | 0o755, b""
            else:
                mode = stat.S_IFREG | (0o755 if path.suffix == ".exe" else 0o644)
                entry, data = zipfile.ZipInfo(name, moment), path.read_bytes()
            entry.create_system = 3  # whose modes these are
            entry.external_attr = mode << 16 | (0x10 if path.is_dir() else 0)
            entry.compress_type = zipfile.ZIP_STORED if path.is_dir() else zipfile.ZIP_DEFLATED
            out.writestr(entry, data)


if __name__ == "__main__":
    pack(pathlib.Path(sys.argv[1]), sys.argv[2])
