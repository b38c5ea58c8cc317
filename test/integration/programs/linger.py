"""A handler that leaves a socket behind which takes an hour to close: it lingers, and what it has to
send finds no room, since the client does not read. Where the last copy shall be the supervisor's, that
is stopped until this process has ended."""

import ctypes
import fcntl
import mmap
import os
import pathlib
import select
import signal
import socket
import struct
import sys

AN_HOUR = struct.pack("ii", 1, 3600)
HELLO, ACK, NACK, DONE = 1, 2, 3, 4
REFUSE = 3
USERFAULTFD, UFFD_API, MISSING = 323, 0xAA, 1
UFFDIO_API, UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00


def fill(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AN_HOUR)
    try:
        while True:
            client.send(bytes(65536), socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass


def stop_supervisor(*own):
    """Until this process has ended, which a child sees that has no copy of what is this one's own."""
    supervisor = os.getppid()
    reader, writer = os.pipe()
    left, leaving = os.pipe()
    if os.fork() == 0:
        os.setsid()
        for each in (*own, writer, leaving):
            os.close(each)
        os.read(reader, 1)
        os.kill(supervisor, signal.SIGCONT)
        os._exit(0)
    os.close(reader)
    os.close(leaving)
    os.read(left, 1)  # it has left this group, which the supervisor kills
    os.kill(supervisor, signal.SIGSTOP)


def page_that_never_comes():
    """userfaultfd(2): the address of one that nobody fills."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    faults = libc.syscall(USERFAULTFD, os.O_CLOEXEC)
    if faults < 0:
        raise OSError(ctypes.get_errno(), "userfaultfd")
    fcntl.ioctl(faults, UFFDIO_API, struct.pack("QQQ", UFFD_API, 0, 0))
    page = libc.mmap(None, ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE,
                     mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    fcntl.ioctl(faults, UFFDIO_REGISTER, struct.pack("QQQQ", page, mmap.PAGESIZE, MISSING, 0))
    return libc, page


def hold_socket(client):
    """With its lock, which ending the connection takes."""
    libc, page = page_that_never_comes()
    return lambda: libc.send(client, ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), 0)


def hold_epoll(client):
    """With the lock of an epoll in which the socket is still, which closing the last copy takes."""
    libc, page = page_that_never_comes()
    epoll = select.epoll()
    epoll.register(client, select.EPOLLOUT)
    os.close(client)
    return lambda: libc.epoll_wait(epoll.fileno(), ctypes.c_void_p(page), 1, -1)


def stand(prepare, client):
    """A child stands in a call until it is killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        call = prepare(client)
        os.close(writer)
        call()
        os._exit(1)
    os.close(writer)
    os.read(reader, 1)
    while pathlib.Path(f"/proc/{child}/stat").read_text(encoding="ascii").rsplit(")")[-1].split()[0] == "R":
        pass


def frame(kind, number, body=b""):
    return struct.pack(">4sBBHII", b"BATN", 1, kind, 0, number, len(body)) + body


def field(tag, value):
    return struct.pack(">HH", tag, len(value)) + value


def speak(way):
    channel = socket.socket(fileno=int(os.environ["BATON_CHANNEL"].split(",")[0]))
    nonce = bytes.fromhex(os.environ["BATON_NONCE"])
    channel.send(frame(HELLO, 0, field(1, nonce) + field(2, struct.pack(">I", os.getpid())) +
                       field(3, struct.pack(">I", 1))))
    offer, descriptors, _, _ = socket.recv_fds(channel, 20000, 1)
    number = struct.unpack(">I", offer[8:12])[0]
    if way == "hold":
        stand(hold_socket, descriptors[0])
        channel.send(frame(NACK, number, field(5, bytes([REFUSE]))))
        return
    if way == "watch":
        stand(hold_epoll, descriptors[0])
        os.close(descriptors[0])
        channel.send(frame(ACK, number))
        channel.send(frame(DONE, number, field(6, b"\0")))
        return
    client = socket.socket(fileno=descriptors[0])
    fill(client)
    stop_supervisor(client.fileno(), channel.fileno())
    if way == "rights":
        try:
            socket.send_fds(channel, [frame(ACK, number)], [client.fileno()])
        except OSError:
            sys.exit(3)  # the system has refused it
    elif way == "nack":
        channel.send(frame(NACK, number, field(5, bytes([REFUSE]))))
    else:
        channel.send(frame(ACK, number))
        if way == "done":
            channel.send(frame(DONE, number, field(6, b"\0")))


if sys.argv[1] == "stdio":
    fill(socket.socket(fileno=os.dup(0)))
elif sys.argv[1] == "output":
    # What goes to the log is nothing that could carry a socket.
    mine = socket.socket(fileno=os.dup(0))
    fill(mine)
    try:
        socket.send_fds(socket.socket(socket.AF_UNIX, fileno=os.dup(2)), [b"x"], [mine.fileno()])
    except OSError:
        sys.exit(3)
elif sys.argv[1] == "listener":
    # The listener becomes a connection to its own client's server.
    listener = socket.socket(fileno=os.dup(3))
    client, _ = listener.accept()
    port = int(client.recv(100))
    listener.shutdown(socket.SHUT_RDWR)
    listener.connect(("127.0.0.1", port))
    fill(listener)
    client.sendall(b"filled\n")
else:
    speak(sys.argv[1])
