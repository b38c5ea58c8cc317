"""The container: the tree that an image is built of, from the static programs, is run as a container's is.

That is with name spaces of its own for mounts, the network, processes and the rest, the tree as its root, the capabilities
that podman leaves a container, and batond as its first process. Buildah then builds the image, without a registry, and
umoci unpacks it, and what is in there is run so, too.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import tempfile
import time
import unittest

from running import SOURCE_DIR, Server, run
from settings import DEADLINE_S

SCRIPT = os.path.join(SOURCE_DIR, "scripts/package.d/container")
OWN = {"PATH": os.environ["PATH"]}  # a container has nothing of who starts it
SAME = {"SOURCE_DATE_EPOCH": "1700000000"}
MOST_BYTES = 3 * 512 * 1024  # of the tree
# What podman leaves, by default.
CAPABILITIES = "chown,dac_override,fowner,fsetid,kill,net_bind_service,setfcap,setgid,setpcap,setuid,sys_chroot"
# In the name spaces: $1 is the tree, and what follows the command in it.
ENTER = """
set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc none proc
mount -t tmpfs -o mode=755 none dev
for device in null zero full random urandom; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ip link set lo up
shift
exec setpriv --bounding-set=-all,+""" + CAPABILITIES.replace(",", ",+") + """ \
    "$(command -v chroot)" . "$@"
"""


@contextlib.contextmanager
def network_of(pid):
    """For sockets that this thread makes."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as own, open(f"/proc/{pid}/ns/net", "rb") as other:
        if libc.setns(other.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            if libc.setns(own.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")


class Contained(Server):
    """batond in a tree of its own."""

    def __init__(self, tree, *command):
        super().__init__("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c",
                         ENTER, "sh", tree, *(command or ("/bin/batond",)), env=OWN)

    def __enter__(self):
        super().__enter__()
        pid = self._process.pid
        self.batond, = map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return self

    def connect(self, port):
        with network_of(self.batond):
            return socket.create_connection(("127.0.0.1", port), DEADLINE_S)

    def ask(self, port, text=""):
        with self.connect(port) as client:
            client.sendall(text.encode())
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(4096), b"")).decode()

    def execute(self, *command):
        """As `podman exec`."""
        return run("nsenter", "--target", self.batond, "--all", "--root", "--wd", *command, env=OWN)

    def children(self):
        return [int(child) for child in
                pathlib.Path(f"/proc/{self.batond}/task/{self.batond}/children").read_text().split()]

    def terminate(self):
        """As `podman stop`."""
        os.kill(self.batond, signal.SIGTERM)

    def wait(self):
        return self._process.wait(DEADLINE_S)


@unittest.skipUnless(os.geteuid() == 0, "only root can give it a root of its own")
class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="baton-container-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.root.chmod(0o755)
        cls.folder = cls.make("first")
        run("musl-gcc", "-static", "-Os", "-o", cls.root / "orphan",
            pathlib.Path(__file__).with_name("orphan.c"))

    @classmethod
    def make(cls, name):
        run(SCRIPT, cls.root / name, env={**os.environ, **SAME})
        return next((cls.root / name).glob("baton-*-container"))

    def copy(self, tree=None):
        """Of the tree, for a test to write into."""
        copy = pathlib.Path(tempfile.mkdtemp(dir=self.root)) / "root"
        shutil.copytree(tree or self.folder / "root", copy, symlinks=True)
        return copy

    def listing(self, folder):
        return {str(path.relative_to(folder)): (stat.S_IMODE(path.lstat().st_mode), path.lstat().st_mtime,
                                                path.read_bytes() if path.is_file() else None)
                for path in folder.rglob("*")}

    def test_small_and_the_same_each_time(self):
        files = self.listing(self.folder / "root")
        size_bytes = sum(len(content) for _, _, content in files.values() if content is not None)
        print(f"the tree has {size_bytes} bytes")
        self.assertLess(size_bytes, MOST_BYTES)
        self.assertEqual({name for name in files if name.startswith("bin/")},
                         {"bin/batond", "bin/baton-config", "bin/batonctl"})
        self.assertEqual(files["tmp"][0], 0o1777)
        self.assertEqual(files["etc/baton/ports.ini"][0], 0o644)
        self.assertEqual(self.listing(self.make("second") / "root"), files)

    def check_serves(self, tree, *command):
        """What came with it, with nothing added."""
        with Contained(tree, *command) as server:
            self.assertEqual(server.event("starting")["pid"], "1")
            self.assertEqual(server.ask(7777, "well?\n"), "OK")
            self.assertEqual(server.event("connection", service="ok")["outcome"], "served")
            self.assertRegex(server.execute("/bin/batonctl", "status"), r"(?m)^ok +serving ")
            self.assertIn("valid, 1 service\n", server.execute("/bin/batonctl", "check"))
            server.terminate()
            self.assertEqual(server.event("stopped")["event"], "stopped")
            self.assertEqual(server.wait(), 0)

    def test_it_serves(self):
        self.check_serves(self.copy())

    def test_orphans_are_reaped_and_reloads_are_heard(self):
        tree = self.copy()
        (tree / "own").mkdir()
        shutil.copy(self.root / "orphan", tree / "own")
        os.mkfifo(tree / "own/fifo", 0o644)
        with Contained(tree) as server:
            before = set(server.children())
            (tree / "etc/baton/ports.d/own.ini").write_text(
                "[leaves]\nlisten = 0.0.0.0:7801\nhandler = /own/orphan /own/fifo\nhandoff = stdio\n")
            os.kill(server.batond, signal.SIGHUP)
            server.event("service_changed", service="leaves")
            server.event("reloaded")
            self.assertEqual(server.ask(7801), "left\n")
            server.event("connection", service="leaves")
            orphan, = self.until(lambda: [child for child in set(server.children()) - before
                                          if b"orphan" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes()])
            with open(tree / "own/fifo", "wb", buffering=0) as fifo:
                fifo.write(b"x")
            self.until(lambda: not pathlib.Path(f"/proc/{orphan}").exists())
            self.assertIn("unchanged leaves\n", server.execute("/bin/batonctl", "reload"))
            server.terminate()
            self.assertEqual(server.wait(), 0)

    def until(self, ask):
        give_up_s = time.monotonic() + DEADLINE_S
        while not (answer := ask()):
            self.assertLess(time.monotonic(), give_up_s)
            time.sleep(0.005)
        return answer

    def test_a_stop_waits_for_clients_and_a_second_does_not(self):
        tree = self.copy()
        (tree / "etc/baton/ports.d/own.ini").write_text(
            "[echo]\nlisten = 0.0.0.0:7802\nhandler = echo\nstop_timeout_ms = 600000\n")
        for stops_count in (1, 2):
            with Contained(tree) as server, server.connect(7802) as client:
                client.sendall(b"a")
                self.assertEqual(client.recv(10), b"a")
                server.terminate()
                server.event("stopping")
                if stops_count == 1:
                    client.sendall(b"b")
                    self.assertEqual(client.recv(10), b"b")
                    client.close()
                else:
                    server.terminate()
                self.assertEqual(server.wait(), 0)

    def test_the_image(self):
        """Built by what Debian has, in storage of its own and without a registry."""
        image, store = self.root / "image", self.root / "store"
        command = ("buildah", "--storage-driver", "vfs", "--root", store / "root", "--runroot", store / "run")
        run(*command, "build", "--isolation", "chroot", "--timestamp", SAME["SOURCE_DATE_EPOCH"],
            "--tag", "baton", self.folder)
        run(*command, "push", "baton", f"oci:{image}:baton")
        size_bytes = sum(path.stat().st_size for path in image.rglob("*") if path.is_file())
        print(f"the image has {size_bytes} bytes")
        self.assertLess(size_bytes, MOST_BYTES)
        bundle = self.root / "bundle"
        run("umoci", "unpack", "--image", f"{image}:baton", bundle)
        process = json.loads((bundle / "config.json").read_text(encoding="utf-8"))["process"]
        self.assertEqual(process["args"], ["/bin/batond"])
        self.assertIn("PATH=/bin", process["env"])
        self.check_serves(bundle / "rootfs", *process["args"])


if __name__ == "__main__":
    unittest.main()
