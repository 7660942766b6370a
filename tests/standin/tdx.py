"""A local server that stands in for 通达信's two hosts: the archive, a zip a day, corporate actions and holidays."""

import io
import struct
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARCHIVE = "/vipdoc/hsjday.zip"
ACTIONS = "/products/data/data/dbf/gbbq.zip"
#: cut: the connection ends after some bytes; status: the answer has this status; short: the file itself is cut off;
#: slow: the answer begins after some seconds.
KINDS = {"cut", "status", "short", "slow"}


def day_path(day: date) -> str:
    """Return the path of a day's zip."""
    return f"/products/data/data/g4day/{day:%Y%m%d}.zip"


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of those files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def day_zip(day: date, bars: Mapping[str, tuple[float, float, float, float, int, float]]) -> bytes:
    """Return a day's zip of bars by name (`sh600000`): open, high, low, close, volume in shares, amount in CNY."""
    files = {}
    for exchange in ("sh", "sz", "bj"):
        names = [name for name in bars if name.startswith(exchange)]
        codes, blocks = bytearray(), bytearray(512 * len(names))
        # The blocks stand in the opposite order: `.cod` says where.
        for at, name in enumerate(names):
            place = len(names) - 1 - at
            codes += struct.pack("<6s26xH116x", name[2:].encode(), place)
            *prices, volume, amount = bars[name]
            struct.pack_into("<4d", blocks, 512 * place + 12, *prices)
            struct.pack_into("<I", blocks, 512 * place + 56, volume)
            struct.pack_into("<d", blocks, 512 * place + 72, amount)
        files |= {f"{exchange}{day:%y%m%d}.cod": bytes(codes), f"{exchange}{day:%y%m%d}.md1": bytes(blocks)}
    return zipped(files)


def gbbq(records: Iterable[tuple[int, str, int, int, float, float, float, float]]) -> bytes:
    """Return an encrypted file of records: market, code, day, category, four numbers."""
    rows = [struct.pack("<B7sIBffff", market, code.encode(), *rest) for market, code, *rest in records]
    return struct.pack("<I", len(rows)) + b"".join(_encrypted(row) for row in rows)


def _encrypted(row: bytes) -> bytes:
    words = struct.unpack("<6I", row[:24])
    return struct.pack("<6I", *(word for at in (0, 2, 4) for word in _block(words[at], words[at + 1]))) + row[24:]


def _block(left: int, right: int) -> tuple[int, int]:
    """Encrypt two words: the inverse of the steps in pytdx's reader, from its last to its first."""
    from pytdx.reader.gbbq_reader import GbbqReader

    keys = struct.unpack("<1044I", bytes.fromhex(GbbqReader.hexdump_keys))

    def entry(table: int, place: int) -> int:
        return keys[18 + 256 * table + place]

    old, number = left ^ keys[0], right
    for at in range(1, 17):
        before = old
        mixed = (entry(1, before >> 16 & 255) + entry(0, before >> 24)) & 0xFFFFFFFF
        mixed = ((mixed ^ entry(2, before >> 8 & 255)) + entry(3, before & 255)) & 0xFFFFFFFF
        old, number = number ^ mixed ^ keys[at], before
    return number ^ keys[17], old


def actions_zip(records: Iterable[tuple[int, str, int, int, float, float, float, float]], holidays: str) -> bytes:
    """Return `gbbq.zip`: corporate actions, and the lines of `needini.dat` in a zip within it."""
    lines = f"[Holiday]\r\n{holidays}\r\n".encode("gbk")
    return zipped({"gbbq": gbbq(records), "zhb.zip": zipped({"needini.dat": lines})})


@dataclass
class TdxServer:
    """The server: `address` to reach it, `files` by path, `asked` with (host, path, range) of each request."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[list[Any]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"standin": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def fault(self, kind: str, path: str, value: Any = None, times: int = -1) -> None:
        """Switch a fault on for a path."""
        assert kind in KINDS, kind
        self.faults.append([kind, path, value, times])

    def befalls(self, path: str) -> tuple[str, Any]:
        """Return the fault that befalls a request, and count it."""
        for fault in self.faults:
            if fault[1] == path and fault[3]:
                fault[3] -= 1
                return fault[0], fault[2]
        return "", None

    def paths(self) -> list[str]:
        """Return the last parts of the requested paths, in order."""
        return [path.rpartition("/")[2] for _, path, _ in self.asked]

    def reset(self) -> None:
        """Forget files, faults and requests."""
        self.files.clear()
        self.faults.clear()
        self.asked.clear()

    def __enter__(self) -> "TdxServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    standin: TdxServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host, span = self.headers.get("X-Orig-Host") or "", self.headers.get("Range") or ""
        self.standin.asked.append((host, self.path, span))
        kind, value = self.standin.befalls(self.path)
        content = self.standin.files.get(self.path)
        if kind == "slow":
            time.sleep(value)
        if kind == "status" or content is None:
            self._send(b"", value if kind == "status" else 404, {})
            return
        if kind == "short":
            content = content[:value]
        tag = f'"{len(content)}"'
        start = int(span[6:-1]) if span and self.headers.get("If-Range") == tag else 0
        headers = {"ETag": tag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(content[start:], 206 if start else 200, headers, cut=value if kind == "cut" else None)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _send(self, content: bytes, status: int, headers: Mapping[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if cut is None else content[:cut])
        self.close_connection = cut is not None
