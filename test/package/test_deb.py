"""Debian's packages: built, looked at by lintian, and in a system of their own installed, used, removed and purged.

That system is this machine's files under an overlay, with name spaces of its own for mounts, the network and processes:
dpkg, systemd's tools and the compilers are real, nothing outside is changed, and what is left behind is what the
overlay has. With scripts/test --all it is a bare Debian 12 as well, made by debootstrap from the mirror of this machine.
What happens inside is inside.py.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from running import SOURCE_DIR, example, run
from settings import one_more_of_a_kind

SCRIPT = os.path.join(SOURCE_DIR, "scripts/package.d/deb")
PACKAGES = ("baton", "libbaton-dev", "python3-baton")
# lintian looks at the address as well, and that of the last commit may be of a machine.
SAME = {"SOURCE_DATE_EPOCH": "1700000000", "DEBFULLNAME": "R&D | Baton", "DEBEMAIL": "maintainers@baton.example"}
# Of lintian's tags those that are not mended, and why.
KNOWN_TAGS = {
    "hardening-no-fortify-functions",  # nothing in them could overflow that the compiler does not know the size of
    "package-supports-alternative-init-but-no-init.d-script",  # systemd alone is supported
}
# What a package may leave behind when it is purged: dpkg's own books, folders of its helper for systemd, the index that
# man-db makes of all pages where it is installed, and the user of sysusers.d, as users stay.
LEFT = re.compile(r"""^(
    var/lib/dpkg/.* | var/log/dpkg\.log | var/lib/systemd/deb-systemd-helper-enabled(/multi-user\.target\.wants)? |
    var/cache/man(/.*)? | etc/(passwd|group|shadow|gshadow)-? | etc/\.pwd\.lock | inside(/.*)?)$""", re.X)

IS_ROOT = os.geteuid() == 0
# In the name spaces: the overlay over / or over the tree $2, and inside.py in it. $1 is the folder for all of it.
ENTER = """
set -e
mount -t tmpfs none "$1/layers"
mkdir "$1/layers/changed" "$1/layers/work" "$1/layers/root"
mount -t overlay none -o "lowerdir=$2,upperdir=$1/layers/changed,workdir=$1/layers/work" "$1/layers/root"
cd "$1/layers/root"
mount -t proc none proc
mount --rbind /dev dev
mount -t tmpfs none run
mount -t tmpfs none tmp
cp -r "$1/inside" inside
ip link set lo up
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
    chroot . /usr/bin/python3 /inside/inside.py >&2
cd "$1/layers/changed"
find . -mindepth 1 -printf '%y %P\\n'
"""


class Deb(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="baton-deb-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.debs = cls.build("first")

    @classmethod
    def build(cls, name):
        run(SCRIPT, cls.root / name, env={**os.environ, **SAME})
        return cls.root / name

    def files(self, package):
        lines = run("dpkg-deb", "-c", next(self.debs.glob(f"{package}_*.deb"))).splitlines()
        return {line.split(None, 5)[5].removeprefix("./"): line.split()[0] for line in lines}

    def test_three_packages_and_their_modes(self):
        self.assertEqual(sorted(path.name.split("_")[0] for path in self.debs.glob("*.deb")), sorted(PACKAGES))
        files = self.files("baton")
        self.assertEqual(files["usr/sbin/batond"], "-rwxr-xr-x")
        self.assertEqual(files["usr/libexec/baton/handlers/ok"], "-rwxr-xr-x")
        self.assertEqual(files["etc/baton/ports.ini"], "-rw-r--r--")
        self.assertEqual(files["lib/systemd/system/batond.service"], "-rw-r--r--")
        self.assertIn("usr/lib/python3/dist-packages/baton/__init__.py", self.files("python3-baton"))
        conffiles = run("dpkg-deb", "-I", next(self.debs.glob("baton_*.deb")), "conffiles").split()
        self.assertEqual(sorted(conffiles), ["/etc/baton/ports.ini", "/etc/init.d/baton-inetd", "/etc/logrotate.d/baton"])
        maintainer = run("dpkg-deb", "-f", next(self.debs.glob("baton_*.deb")), "Maintainer")
        self.assertEqual(maintainer.strip(), "R&D | Baton <maintainers@baton.example>")

    def test_it_provides_what_its_config_serves(self):
        deb = next(self.debs.glob("baton_*.deb"))
        for field in ("Provides", "Conflicts"):
            self.assertEqual(run("dpkg-deb", "-f", deb, field).strip(), "inet-superserver")
        config = subprocess.run(f"dpkg-deb --fsys-tarfile {deb} | tar -xO ./etc/baton/ports.ini", shell=True,
                                capture_output=True, text=True, check=True).stdout
        self.assertIn("\ninetd_conf = /etc/inetd.conf\n", config)

    def test_lintian(self):
        """Of errors there are none, or there would be no packages."""
        tags = re.findall(r"^([EWI]): [\w-]+: ([\w.-]+)", (self.debs / "lintian.log").read_text("utf-8"), re.M)
        self.assertEqual({tag for _, tag in tags} - KNOWN_TAGS, set())

    def inside(self, lower):
        """What is left of the packages in that tree when they are purged."""
        folder = self.root / f"chroot{len(list(self.root.iterdir()))}"
        (folder / "layers").mkdir(parents=True)
        (folder / "inside").mkdir()
        for deb in self.debs.glob("*.deb"):
            shutil.copy(deb, folder / "inside")
        shutil.copy(pathlib.Path(__file__).with_name("inside.py"), folder / "inside")
        (folder / "inside/greet.c").write_text(example("c"), encoding="utf-8")
        (folder / "inside/greet.py").write_text(example("python"), encoding="utf-8")
        result = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh", folder, lower],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = (line.split(" ", 1) for line in result.stdout.splitlines())
        # A folder of the overlay says only that something below it was there.
        return sorted(name for kind, name in lines if not LEFT.match(name) and
                      (kind != "d" or not (pathlib.Path(lower) / name).is_dir()))

    @unittest.skipUnless(IS_ROOT, "only root can give it a system of its own")
    def test_installed_used_and_removed(self):
        self.assertEqual(self.inside("/"), [])

    @one_more_of_a_kind
    @unittest.skipUnless(IS_ROOT, "only root can give it a system of its own")
    def test_a_bare_debian(self):
        tree = self.root / "bookworm"
        run("debootstrap", "--variant=minbase", "bookworm", tree)
        # All that the packages and the use of them need; their own dependencies by apt, from the packages themselves.
        shutil.copytree(self.debs, tree / "debs")
        shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
        apt = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends"
        run("chroot", tree, "sh", "-ec", f"{apt} install /debs/*.deb && apt-get -q -y purge baton libbaton-dev "
            f"python3-baton && {apt} install gcc libc6-dev cmake make pkg-config && rm -r /debs")
        self.assertEqual(self.inside(str(tree)), [])

    @one_more_of_a_kind
    def test_the_same_each_time(self):
        again = self.build("second")
        for deb in self.debs.glob("*.deb"):
            self.assertEqual((again / deb.name).read_bytes(), deb.read_bytes(), deb.name)


if __name__ == "__main__":
    unittest.main()
