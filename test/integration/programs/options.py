"""A handler of inetd's kind (`nowait`): tells its client which options its socket has, as a line of
JSON."""

import json
import socket

OPTIONS = {
    "nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "keepalive_idle_s": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    "keepalive_interval_s": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    "keepalive_count": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    "receive_buffer_bytes": (socket.SOL_SOCKET, socket.SO_RCVBUF),
    "send_buffer_bytes": (socket.SOL_SOCKET, socket.SO_SNDBUF),
}
with socket.socket(fileno=0) as connection:
    found = {name: connection.getsockopt(*where) for name, where in OPTIONS.items()}
    connection.sendall(json.dumps(found).encode() + b"\n")
