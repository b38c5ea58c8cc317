"""A program in a file system of ours that answers when it is told to: each execve waits until then.

FUSE, without a library; needs root. For the bench and for test/integration, so it takes nothing from
either.
"""

import contextlib
import ctypes
import os
import struct
import threading

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_FORCE, _MNT_DETACH = 1, 2
_HEADER = struct.Struct("<IIQQIIII")
_LOOKUP, _GETATTR, _OPEN, _READ, _INIT = 1, 3, 14, 15, 26
_FORGET, _RELEASE, _FLUSH, _ACCESS = 2, 18, 25, 34
_ENOENT, _ENOSYS = 2, 38
_ROOT, _FILE = 1, 2


class HeldFolder:
    """A folder with the one program `held`, from entry to exit. Nothing ends a wait for it, be it SIGKILL."""

    def __init__(self, folder, program, wait):
        """`wait`: what is read of the program comes when this, called for each request, returns."""
        self._folder = folder
        self._bytes = program.read_bytes()
        self._wait = wait
        self.path = folder / "held"
        self.is_asked = threading.Event()
        self.is_gone = False

    def __enter__(self):
        self._folder.mkdir()
        self._fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self._fuse},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"held", os.fsencode(self._folder), b"fuse", 0, options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self._fuse)
            raise OSError(error, f"no file system of our own: {os.strerror(error)}")
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        """The file system is gone, and who waits for it is told so."""
        if not self.is_gone:
            self.is_gone = True
            _libc.umount2(os.fsencode(self._folder), _MNT_FORCE | _MNT_DETACH)
            os.close(self._fuse)

    def _attributes(self, inode):
        is_root = inode == _ROOT
        size = 0 if is_root else len(self._bytes)
        mode = 0o40755 if is_root else 0o100755
        return struct.pack("<QQQQQQIIIIIIIIII", inode, size, 8, 0, 0, 0, 0, 0, 0, mode,
                           2 if is_root else 1, 0, 0, 0, 4096, 0)

    def _reply(self, unique, body=b"", error=0):
        with contextlib.suppress(OSError):
            os.write(self._fuse, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)

    def _read(self, unique, offset, size):
        self.is_asked.set()
        self._wait()
        self._reply(unique, self._bytes[offset:offset + size])

    def _answer(self, operation, unique, inode, body):
        if operation == _INIT:
            self._reply(unique, struct.pack("<IIIIHHIIHHI", 7, 31, 65536, 0, 16, 12, 65536, 1, 16, 0, 0)
                        + bytes(28))
        elif operation == _LOOKUP:
            if body.rstrip(b"\0") != b"held":
                self._reply(unique, error=_ENOENT)
            else:
                self._reply(unique, struct.pack("<QQQQII", _FILE, 0, 1000, 1000, 0, 0)
                            + self._attributes(_FILE))
        elif operation == _GETATTR:
            self._reply(unique, struct.pack("<QII", 1000, 0, 0) + self._attributes(inode))
        elif operation == _OPEN:
            # Without FOPEN_KEEP_CACHE each open forgets what was read before.
            self._reply(unique, struct.pack("<QII", 1, 0, 0))
        elif operation == _READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            threading.Thread(target=self._read, args=(unique, offset, size), daemon=True).start()
        elif operation in (_RELEASE, _FLUSH, _ACCESS):
            self._reply(unique)
        elif operation != _FORGET:
            self._reply(unique, error=_ENOSYS)

    def _serve(self):
        while True:
            try:
                request = os.read(self._fuse, 1 << 17)
            except OSError:
                return
            _, operation, unique, inode, *_ = _HEADER.unpack_from(request)
            self._answer(operation, unique, inode, request[_HEADER.size:])
