"""JSON values over a socket between two processes of this machine."""

import json
import socket
from typing import Any


def send(line: socket.socket, message: Any) -> None:
    """Send a JSON value, preceded by its length."""
    content = json.dumps(message).encode()
    line.sendall(len(content).to_bytes(8) + content)


def receive(line: socket.socket) -> Any:
    """Return the next JSON value; None when the other side has ended."""
    size = _read(line, 8)
    content = _read(line, int.from_bytes(size)) if size else None
    return json.loads(content) if content else None


def _read(line: socket.socket, size: int) -> bytes | None:
    content = b""
    while len(content) < size:
        try:
            chunk = line.recv(size - len(content))
        except ConnectionError:  # it ended before it had read all that was sent to it
            return None
        if not chunk:
            return None
        content += chunk
    return content
