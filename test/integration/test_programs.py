"""Programs that know nothing of us, as handlers, used by their own clients."""

import concurrent.futures
import contextlib
import hashlib
import http.server
import os
import pwd
import random
import signal
import subprocess
import threading
import unittest

import harness
import peers
import processes
from harness import SupervisorCase
from peers import quoted, server, tool
from settings import DEADLINE_S, one_more_of_a_kind, size

TREE_FILES = size(1000, 300)
AT_ONCE = 50
RELOADS = 10
RESTARTS = 10
SLOW_KIB_S = 1500  # so that a transfer takes seconds
IDLE_SHARE = 0.2  # of a processor; a loop that spins uses all of one


def fill_tree(root, seed):
    """Many files: empty ones, small ones, a few large ones, and names of all kinds."""
    chance = random.Random(seed)
    for number in range(TREE_FILES):
        folder = root / f"dïr {number % 20}" / f"{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        length = chance.choice((0, 1, 700, 4096, 5000)) if number % 250 else 1 << 20
        (folder / f"file-✓ {number}").write_bytes(chance.randbytes(length))


def digest_tree(root):
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*") if path.is_file()}


def restart(supervisor, count):
    for number in range(count):
        supervisor.signal(signal.SIGUSR2)
        supervisor.wait_events(number + 1, "restarted")


class Rsync(SupervisorCase):
    def start(self, command, **keys):
        self.root = self.folder()
        self.source, self.copy = self.root / "source", self.root / "copy"
        self.source.mkdir()
        fill_tree(self.source, self.id())
        config = self.root / "rsyncd.conf"
        config.write_text(
            f"use chroot = no\nlog file = {self.root}/log\nreverse lookup = no\n"
            + (f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else "")
            + f"[tree]\npath = {self.source}\nread only = no\n"
            f"[upload]\npath = {self.root}/upload\nread only = no\n")
        handler = f"{tool('rsync')} {command.format(quoted(f'--config={config}'))}"
        self.service = harness.service(handler, **keys)
        return self.supervisor({"rsync": self.service})

    def copy_both_ways(self, supervisor):
        url = "rsync://{}:{}".format(*supervisor.address("rsync"))
        expected = digest_tree(self.source)
        self.assertEqual(len(expected), TREE_FILES)
        peers.run(tool("rsync"), "-a", f"{url}/tree/", self.copy)
        self.assertEqual(digest_tree(self.copy), expected)
        (self.root / "upload").mkdir()
        peers.run(tool("rsync"), "-a", f"{self.copy}/", f"{url}/upload/")
        self.assertEqual(digest_tree(self.root / "upload"), expected)
        supervisor.expect_records(2, service="rsync", outcome="served", exit=0)
        self.stop(supervisor)

    @one_more_of_a_kind
    def test_a_tree_by_its_socket(self):
        self.copy_both_ways(self.start("--daemon {}", handoff="stdio"))

    def test_a_tree_by_a_pump(self):
        """Called as over a remote shell, where rsync has pipes: started with --daemon alone and
        without a socket it would listen by itself."""
        supervisor = self.start("--server --daemon {} .", handoff="pump")
        self.copy_both_ways(supervisor)
        sent = sum(int(record["bytes_out"]) for record in supervisor.records())
        self.assertGreater(sent, sum(path.stat().st_size for path in self.source.rglob("*")
                                     if path.is_file()))


    def test_transfers_outlast_reloads_and_restarts(self):
        """By a socket and by a pump, while their service becomes another one again and again, and batond does."""
        for mode, command in (("stdio", "--daemon {}"), ("pump", "--server --daemon {} .")):
            with self.subTest(mode):
                supervisor = self.start(command, handoff=mode)
                url = "rsync://{}:{}/tree/".format(*supervisor.address("rsync"))
                with subprocess.Popen([tool("rsync"), "-a", f"--bwlimit={SLOW_KIB_S}", url, self.copy]) as rsync:
                    while not self.copy.exists():
                        self.assertIsNone(rsync.poll())
                    for number in range(RELOADS):
                        other = {**self.service, "environment": f"ROUND={number}"}
                        self.assertEqual(supervisor.reload({"rsync": other})["changed"], "1")
                    restart(supervisor, RESTARTS)
                    self.assertIsNone(rsync.poll(), "it goes on still")
                self.assertEqual(rsync.returncode, 0)
                self.assertEqual(digest_tree(self.copy), digest_tree(self.source))
                supervisor.expect_records(1, service="rsync", outcome="served", exit=0)
                self.stop(supervisor)


class Ssh(SupervisorCase):
    """`sshd -i`, as inetd has it; not as root, so that it needs no folder of its own in /run."""

    def start(self):
        self.root = self.open_folder()
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        for name in ("host", "own"):
            peers.run(tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.root / name)
        (self.root / "own.pub").rename(self.root / "allowed")
        (self.root / "config").write_text(
            f"HostKey {self.root}/host\nAuthorizedKeysFile {self.root}/allowed\nStrictModes no\nUsePAM yes\n"
            "PasswordAuthentication no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n")
        (self.root / "files").mkdir()
        for path in (self.root / "host", self.root / "files"):
            os.chown(path, user.pw_uid, user.pw_gid)
        handler = f"{server('sshd')} -i -e -f {self.root}/config"
        keys = {"user": user.pw_name} if os.getuid() == 0 else {}
        self.login = f"{user.pw_name}@127.0.0.1"
        self.service = harness.service(handler, handoff="stdio", **keys)
        return self.supervisor({"ssh": self.service})

    def test_a_session_outlasts_reloads_and_restarts(self):
        supervisor = self.start()
        mine, back = self.root / "mine", self.root / "back"
        mine.write_bytes(random.randbytes(2_000_000))
        command = [tool("sftp"), "-q", "-b", "-", "-l", str(8 * SLOW_KIB_S), "-P", str(supervisor.address("ssh")[1]),
                   "-i", str(self.root / "own"), "-o", "StrictHostKeyChecking=no", "-o",
                   f"UserKnownHostsFile={self.root}/known", "-o", "IdentitiesOnly=yes", self.login]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as sftp:
            sftp.stdin.write(f"put {mine} {self.root}/files/copy\nget {self.root}/files/copy {back}\n".encode())
            sftp.stdin.close()
            while not (self.root / "files/copy").exists():
                self.assertIsNone(sftp.poll())
            for number in range(RELOADS):
                other = {**self.service, "environment": f"ROUND={number}"}
                self.assertEqual(supervisor.reload({"ssh": other})["changed"], "1")
            restart(supervisor, RESTARTS)
            self.assertIsNone(sftp.poll(), "it goes on still")
            self.assertEqual(sftp.wait(DEADLINE_S), 0)
        self.assertEqual(back.read_bytes(), mine.read_bytes())
        supervisor.expect_records(1, service="ssh")  # sshd has an exit code of its own
        self.stop(supervisor)


class Httpd(SupervisorCase):
    def start(self, **keys):
        self.root = self.folder()
        for number in range(AT_ONCE):
            (self.root / f"{number}.bin").write_bytes(random.randbytes(1 + 997 * number))
        handler = f"{tool('busybox')} httpd -i -h {quoted(self.root)}"
        return self.supervisor({"web": harness.service(handler, max_connections=AT_ONCE, **keys)})

    def fetch_at_once(self, supervisor):
        host, port = supervisor.address("web")
        copies = self.folder()
        peers.run(tool("curl"), "--silent", "--show-error", "--fail", "--parallel",
                  "--parallel-immediate", "--parallel-max", AT_ONCE,
                  "--output", copies / "#1.bin", f"http://{host}:{port}/[0-{AT_ONCE - 1}].bin")
        self.assertEqual(digest_tree(copies), digest_tree(self.root))
        supervisor.expect_records(AT_ONCE, service="web", outcome="served")

    def test_files_at_once_by_sockets(self):
        supervisor = self.start(handoff="stdio")
        self.fetch_at_once(supervisor)
        self.stop(supervisor)

    @one_more_of_a_kind
    def test_files_at_once_by_pumps(self):
        supervisor = self.start(handoff="pump")
        self.fetch_at_once(supervisor)
        self.stop(supervisor)

    def test_a_file_that_is_not_there(self):
        supervisor = self.start(handoff="stdio")
        host, port = supervisor.address("web")
        code = peers.run(tool("curl"), "--silent", "--output", os.devnull, "--write-out",
                         "%{http_code}", f"http://{host}:{port}/nothing")
        self.assertEqual(code, b"404")
        supervisor.expect_records(1, service="web")
        self.stop(supervisor)


class Tftp(SupervisorCase):
    IDLE_S = 1  # how long in.tftpd waits for more before it exits

    def start(self):
        self.root = self.folder() / "served"
        self.root.mkdir()
        os.chmod(self.root, 0o777)  # in.tftpd becomes the user nobody
        handler = (f"{server('in.tftpd')} --timeout {self.IDLE_S} --create --secure "
                   f"{quoted(self.root)}")
        return self.supervisor({"tftp": harness.service(handler, protocol="udp")})

    def transfer(self, supervisor, *command):
        host, port = supervisor.address("tftp")
        peers.run(tool("tftp"), host, port, "-m", "binary", "-c", *command, cwd=self.folder_here)

    @unittest.skipIf(os.getuid() != 0, "in.tftpd changes its root and its user, as root alone can")
    def test_get_and_put_and_again(self):
        supervisor = self.start()
        self.folder_here = self.folder()
        content = random.randbytes(300000)
        (self.root / "file").write_bytes(content)
        (self.folder_here / "mine").write_bytes(content[::-1])
        watch = processes.BusyWatch(supervisor.pid)
        self.transfer(supervisor, "get", "file", "copy")
        self.transfer(supervisor, "put", "mine", "yours")
        self.assertEqual((self.folder_here / "copy").read_bytes(), content)
        self.assertEqual((self.root / "yours").read_bytes(), content[::-1])
        # All the while the datagrams are for the server, which has the socket.
        first = supervisor.wait_event("activation", service="tftp")
        self.assertLess(watch.share(self.IDLE_S), IDLE_SHARE)
        self.assertEqual(first["outcome"], "served")
        self.transfer(supervisor, "get", "file", "again")
        self.assertEqual((self.folder_here / "again").read_bytes(), content)
        second = supervisor.wait_events(2, "activation", service="tftp")[1]
        self.assertEqual(second["outcome"], "served")
        self.assertNotEqual(second["pid"], first["pid"])
        self.stop(supervisor)


@contextlib.contextmanager
def web_server(folder):
    """A web server in this process; gives its port."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *unused):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield web.server_port
        finally:
            web.shutdown()
            thread.join()


class SocketActivation(SupervisorCase):
    """Programs written for systemd's Accept=no: they find the listener in LISTEN_FDS, accept by
    themselves, and exit when there is nothing more to do."""

    def fetch_twice(self, supervisor, folder):
        (folder / "file.bin").write_bytes(random.randbytes(100000))
        host, port = supervisor.address("web")
        for count in (1, 2):
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for content in pool.map(lambda _: self.fetch(host, port), range(8)):
                    self.assertEqual(content, (folder / "file.bin").read_bytes())
            activations = supervisor.wait_events(count, "activation", service="web")
            self.assertEqual({event["outcome"] for event in activations}, {"served"})
        self.assertGreaterEqual(len({event["pid"] for event in activations}), 2, "launched twice")
        self.assertEqual(supervisor.records(), [], "nobody accepts but the handler")
        self.stop(supervisor)

    def fetch(self, host, port):
        return peers.run(tool("curl"), "--silent", "--show-error", "--fail",
                         f"http://{host}:{port}/file.bin")

    @one_more_of_a_kind
    def test_systemd_socket_proxyd(self):
        folder = self.folder()
        with web_server(folder) as port:
            supervisor = self.supervisor({"web": harness.service(
                f"{server('systemd-socket-proxyd')} --exit-idle-time=500ms 127.0.0.1:{port}",
                handoff="listener")})
            self.fetch_twice(supervisor, folder)

    def test_lighttpd(self):
        folder = self.folder()
        config = folder / "lighttpd.conf"
        config.write_text(f'server.document-root = "{folder}"\nserver.bind = "127.0.0.1"\n'
                          'server.port = env.PORT\n'
                          'server.systemd-socket-activation = "enable"\n')
        modules = peers.PEERS_DIR / "root/usr/lib/lighttpd"
        port = peers.free_ports()
        supervisor = self.supervisor({"web": {
            "listen": f"127.0.0.1:{port}", "handoff": "listener", "environment": "PORT={port}",
            "handler": f"{server('lighttpd')} -D -i 1 -f {quoted(config)} -m {quoted(modules)}"}})
        self.fetch_twice(supervisor, folder)


class LocalSocket(SupervisorCase):
    def test_busybox_httpd_by_a_local_socket(self):
        folder = self.folder()
        (folder / "file.bin").write_bytes(random.randbytes(50000))
        supervisor = self.supervisor({"web": {
            "listen": "web.sock", "protocol": "unix", "handoff": "stdio",
            "handler": f"{tool('busybox')} httpd -i -h {quoted(folder)}"}})
        content = peers.run(tool("curl"), "--silent", "--fail", "--unix-socket",
                            supervisor.folder / "web.sock", "http://localhost/file.bin")
        self.assertEqual(content, (folder / "file.bin").read_bytes())
        supervisor.expect_records(1, service="web", outcome="served")
        self.stop(supervisor)


if __name__ == "__main__":
    harness.main()
