"""A local server that stands in for 同花顺's market dumps: the question for an address, and the storage behind it."""

import io
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl

API = "/api/dump/market-dumps/"
STORAGE_HOST = "storage.example.com"
#: code: the answer has this code; expired: the storage refuses the address; cut: the connection ends after some bytes;
#: busy: the storage answers 503; text: the answer is no JSON.
KINDS = {"code", "expired", "cut", "busy", "text"}


@dataclass
class DumpServer:
    """The server: `address` to reach it, `asked` with (host, path, range) of each request, `files` by name of the dump.

    Attributes:
        key: The only key that it accepts.
        version: Part of the files' ETag.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    key: str = "k-secret-1"
    version: int = 1
    faults: list[list[Any]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"standin": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.issued = 0

    def fault(self, kind: str, value: Any = None, times: int = -1) -> None:
        """Switch a fault on."""
        assert kind in KINDS, kind
        self.faults.append([kind, value, times])

    def befalls(self, *kinds: str) -> tuple[str, Any]:
        """Return the fault of one of these kinds that befalls a request, and count it."""
        for fault in self.faults:
            if fault[0] in kinds and fault[2]:
                fault[2] -= 1
                return fault[0], fault[1]
        return "", None

    def serve(self, name: str, frame: pl.DataFrame) -> None:
        """Serve a frame as the file of a dump."""
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        self.files[name] = buffer.getvalue()

    def paths(self) -> list[str]:
        """Return the last parts of the requested paths, in order."""
        return [path.removesuffix("/download-url").rpartition("/")[2] for _, path, _ in self.asked]

    def reset(self) -> None:
        """Forget faults and requests."""
        self.faults.clear()
        self.asked.clear()
        self.version = 1

    def __enter__(self) -> "DumpServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    standin: DumpServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        host = self.headers.get("X-Orig-Host") or ""
        self.standin.asked.append((host, parts.path, self.headers.get("Range") or ""))
        if parts.path.startswith(API):
            self._answer_address(parts.path.removeprefix(API).removesuffix("/download-url"))
        elif host != STORAGE_HOST:
            self._send(b"", 404)
        else:
            self._answer_file(parts.path.removeprefix("/"), parse_qs(parts.query)["signature"][0])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer_address(self, name: str) -> None:
        kind, value = self.standin.befalls("code", "text")
        if kind == "text":
            self._send(b"<html>maintenance</html>", 502)
        elif self.headers.get("X-api-key") != self.standin.key:
            self._send(json.dumps({"code": 2002, "message": "invalid key"}).encode(), 401)
        elif kind == "code":
            self._send(json.dumps({"code": value, "message": "…"}).encode())
        else:
            self.standin.issued += 1
            url = f"http://{STORAGE_HOST}/{name}?signature=s{self.standin.issued}"
            data = {"presigned_url": url, "presigned_url_expires_at": int(time.time()) + 300}
            self._send(json.dumps({"code": 0, "data": data}).encode())

    def _answer_file(self, name: str, signature: str) -> None:
        kind, value = self.standin.befalls("expired", "cut", "busy")
        content, tag = self.standin.files[name], f'"{name}-{self.standin.version}"'
        if kind == "expired" or signature != f"s{self.standin.issued}":
            self._send(b"<Error>AccessDenied</Error>", 403)
            return
        if kind == "busy":
            self._send(b"", 503)
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if start and self.headers.get("If-Range") != tag:
            start = 0
        status, headers = 200, {"ETag": tag}
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(content[start:], status, headers, cut=value if kind == "cut" else None)

    def _send(
        self, content: bytes, status: int = 200, headers: dict[str, str] | None = None, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if cut is None else content[:cut])
        self.close_connection = cut is not None
