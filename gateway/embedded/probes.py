"""Ask a server over its unix socket whether it really answers. No client library, no retries."""

import socket
import struct
from pathlib import Path

from gateway.embedded.layout import DATABASE_NAME, DATABASE_USER

_TIMEOUT_S = 2.0
_PROTOCOL_3_0 = 196608
_TERMINATE = b"X" + struct.pack("!i", 4)


def redis_answers(path: Path) -> bool:
    """True once PING is answered by PONG; False while Redis is absent or still loads its AOF."""
    try:
        with _connected(path) as peer:
            peer.sendall(b"PING\r\n")
            return peer.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def postgres_answers(path: Path) -> bool:
    """True once a session on our database is ready for a query, so the database exists as well.

    Message flow: https://www.postgresql.org/docs/current/protocol-flow.html
    """
    fields = ("user", DATABASE_USER, "database", DATABASE_NAME, "")
    body = struct.pack("!i", _PROTOCOL_3_0) + b"".join(f.encode() + b"\0" for f in fields)
    try:
        with _connected(path) as peer:
            peer.sendall(struct.pack("!i", len(body) + 4) + body)
            ready = _reads_until_ready(peer)
            if ready:
                peer.sendall(_TERMINATE)
            return ready
    except (OSError, struct.error):
        return False


def _connected(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(_TIMEOUT_S)
    try:
        peer.connect(str(path))
    except OSError:
        peer.close()
        raise
    return peer


def _reads_until_ready(peer: socket.socket) -> bool:
    with peer.makefile("rb") as stream:
        while kind := stream.read(1):
            (length,) = struct.unpack("!i", stream.read(4))
            stream.read(length - 4)
            if kind in b"ZE":
                return kind == b"Z"
    return False
