"""What a built batond has to be: small, hardened, and without libraries that users lack.

Usage: binary.py FILE... Exit status 1 and one line per fault. ELF files are read with binutils'
readelf and strip, PE files with those of mingw-w64.
"""

import os
import re
import subprocess
import sys
import tempfile

# 150 KiB until it had a closing thread and a log that counts its losses, 168 until carriers, 184 until a guard at
# the door, 190 until it had a log for people, hints for those who come from elsewhere, and a word for each breach,
# 208 until handlers lived on, 240 since launchers; with the control channel and reload it would have been 280, so what
# reads the config became a program of its own.
ELF_MAX_BYTES = 240 * 1024
# What contains its C library, and inih and libyaml.
STATIC_MAX_BYTES = 310 * 1024
ELF_LIBRARIES = r"libc\.so\.\d+|ld-linux[\w.-]*|linux-vdso.*"
# What the programs have beside these: whatever reads a config.
CONFIG_LIBRARIES = r"libinih\.so\.\d+|libyaml-0\.so\.\d+"
ELF_LIBRARIES_OF = {"baton-config": CONFIG_LIBRARIES, "baton-import": CONFIG_LIBRARIES,
                    "batonctl": CONFIG_LIBRARIES + r"|libjansson\.so\.\d+"}
# Every Windows 10 has these; a mingw runtime would have to be shipped.
# Not shell32 nor user32, which keep Windows from telling a shut-down (console.c).
PE_LIBRARIES = r"(?i)(kernel32|advapi32|ws2_32|mswsock|bcrypt|msvcrt|ntdll)\.dll"
PE_MAX_BYTES = 544 * 1024
PE_MANIFEST = ("longPathAware", "activeCodePage", "supportedOS", "asInvoker")
PE_VERSION = ("CompanyName", "FileDescription", "FileVersion", "LegalCopyright", "ProductVersion")
MINGW = "x86_64-w64-mingw32-"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def stripped_bytes(tool, path):
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped")
        subprocess.run([tool, "-o", copy, path], check=True)
        return os.path.getsize(copy)


def size_fault(path, size_bytes, max_bytes):
    print(f"{os.path.basename(path)}: {size_bytes} bytes stripped, at most {max_bytes}")
    if size_bytes > max_bytes:
        yield f"has {size_bytes} bytes stripped, at most {max_bytes}"


def static_faults(path, dynamic):
    """Of a program without an interpreter: it relocates itself, and needs nothing of the system's."""
    if "TEXTREL" in dynamic:
        yield "has relocations in its code"
    if "(NEEDED)" in dynamic:
        yield "is static and needs a library"
    # Another machine's is not ours to strip; scripts/build-static has done it.
    size_bytes = os.path.getsize(path) if "ARM" in output("readelf", "-h", path) else stripped_bytes("strip", path)
    yield from size_fault(path, size_bytes, STATIC_MAX_BYTES)


def elf_faults(path):
    header, segments, dynamic = (output("readelf", "-W", flag, path) for flag in ("-h", "-l", "-d"))
    if not re.search(r"Type:\s+DYN", header):
        yield "is not position independent"
    if "GNU_RELRO" not in segments:
        yield "has no read-only relocations"
    if not re.search(r"BIND_NOW|FLAGS_1\).*NOW", dynamic):
        yield "binds lazily"
    if re.search(r"GNU_STACK.*RWE", segments):
        yield "has an executable stack"
    if "INTERP" not in segments:
        yield from static_faults(path, dynamic)
        return
    if "__stack_chk_fail" not in output("readelf", "-W", "--dyn-syms", path):
        yield "has no stack protector"
    for name in re.findall(r"NEEDED.*\[(.*)\]", dynamic):
        if not re.fullmatch(ELF_LIBRARIES, name) and not re.fullmatch(
                ELF_LIBRARIES_OF.get(os.path.basename(path), "-"), name):
            yield f"needs {name}"
    yield from size_fault(path, stripped_bytes("strip", path), ELF_MAX_BYTES)


def pe_faults(path):
    headers = output(MINGW + "objdump", "-p", path)
    for flag in ("HIGH_ENTROPY_VA", "DYNAMIC_BASE", "NX_COMPAT"):
        if flag not in headers:
            yield f"lacks {flag}"
    for name in re.findall(r"DLL Name: (\S+)", headers):
        if not re.fullmatch(PE_LIBRARIES, name):
            yield f"needs {name}"
    sections = output(MINGW + "objdump", "-h", path)
    if ".debug_" in sections:
        yield "has its debug information in it"
    if ".gnu_debuglink" not in sections:
        yield "does not name the file of its debug information"
    with open(path, "rb") as file:
        content = file.read()
    for name in (*PE_MANIFEST, *PE_VERSION):
        encoding = "utf-8" if name in PE_MANIFEST else "utf-16-le"
        if name.encode(encoding) not in content:
            yield f"lacks {name} in its resources"
    print(f"{os.path.basename(path)}: {len(content)} bytes, at most {PE_MAX_BYTES}")
    if len(content) > PE_MAX_BYTES:
        yield f"has {len(content)} bytes, at most {PE_MAX_BYTES}"


def faults(path):
    with open(path, "rb") as file:
        start = file.read(4)
    return elf_faults(path) if start == b"\x7fELF" else pe_faults(path)


if __name__ == "__main__":
    absent = [path for path in sys.argv[1:] if not os.path.exists(path)]
    if absent:
        print("skipped: not built:", *absent)
        sys.exit(77)
    found = [f"{path} {fault}" for path in sys.argv[1:] for fault in faults(path)]
    print("\n".join(found))
    sys.exit(1 if found else 0)
