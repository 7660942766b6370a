"""Download a large file so that an interrupted download continues where it ended.

What was received is in `NAME.part` beside the target, with the version that the server stated in `NAME.part.json`. The
target appears when the last byte is there, never before.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mystocks_dagster.errors import LakeUnavailable, SourceError, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.host_notes import HostNotes, host_notes
from mystocks_dagster.sources.hosts import HostLimiter
from mystocks_dagster.sources.transport import ORIGINAL_HOST, RetrySettings

if TYPE_CHECKING:
    from requests import Response

_CHUNK = 1 << 20
#: Statuses after which a later attempt may succeed.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_PARTIAL, _RANGE_REFUSED = 206, 416


class Refused(SourceError):
    """The server answered with a status that no retry changes, such as 403 or 404.

    Attributes:
        http_status: The HTTP status.
    """

    remedy = "Check the key or address of the source; `mystocks doctor` asks each source."

    def __init__(self, message: str, http_status: int) -> None:
        super().__init__(message)
        self.http_status = http_status


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file to download.

    Attributes:
        url: Where it is. Messages name its host and path, never its query, which may hold a signature.
        target: Where it is stored.
        headers: Headers of the request.
        progress: Called with the received and the total bytes (0: unknown) and a text.
        retry: Timeouts and attempts; an attempt that received something is not counted.
    """

    url: str
    target: Path
    settings: Settings
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    progress: Callable[[int, int, str], None] = lambda *_: None
    retry: RetrySettings | None = None

    @property
    def part(self) -> Path:
        """The file of what was received so far."""
        return self.target.with_name(f"{self.target.name}.part")

    def run(self) -> Path:
        """Download what is missing, and return the target.

        Raises:
            Refused: The server refuses the request; what was received before is kept.
            SourceUnavailable: The server does not answer or breaks off again and again; likewise.
            LakeUnavailable: The file cannot be written.
        """
        retry = self.retry or RetrySettings.from_settings(self.settings)
        failures = 0
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            while True:
                before = self._received()
                fault = self._receive(retry)
                if fault is None:
                    return self._finish()
                failures = 1 if self._received() > before else failures + 1
                if failures >= retry.attempts:
                    raise SourceUnavailable(
                        f"{self.place} {fault} ({failures} attempts). {self._received():,} bytes are kept; the next "
                        "attempt continues with them."
                    )
                time.sleep(retry.backoff * 2 ** (failures - 1) * random.uniform(0.5, 1.5))
        except OSError as error:
            raise LakeUnavailable(
                f"{self.part} cannot be written ({error.strerror or error}). Free some space, or make it writable."
            ) from error

    @property
    def place(self) -> str:
        """Host and path, for messages."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}{parts.path}"

    def _receive(self, retry: RetrySettings) -> str | None:
        """Send one request and append its content; return why the file is not complete, None if it is."""
        import requests
        from urllib3.exceptions import HTTPError

        limiter = HostLimiter(notes_of(self.settings), gaps=retry.gaps)
        with limiter.turn(urlsplit(self.url).hostname or ""):
            try:
                with self._get(retry) as response:
                    return self._take(response)
            except (requests.RequestException, HTTPError) as error:
                # not its text, which has the address with its signature
                return f"broke off or did not answer ({type(error).__name__})"

    def _get(self, retry: RetrySettings) -> "Response":
        import requests

        url, headers = self.url, dict(self.headers)
        # Compressed content would count other bytes than the file has.
        headers["Accept-Encoding"] = "identity"
        received, version = self._received(), self._version()
        if received and version:
            headers |= {"Range": f"bytes={received}-", "If-Range": version}
        url, headers = redirected(url, headers, self.settings)
        return requests.get(url, headers=headers, stream=True, timeout=retry.timeout)

    def _take(self, response: "Response") -> str | None:
        status = response.status_code
        if status == _RANGE_REFUSED:  # the file on the server is shorter now: from the beginning
            self._forget()
            return "has another version of the file now"
        if status in _BUSY:
            return f"answered HTTP {status}"
        if status >= 400:
            raise Refused(f"{self.place} answered HTTP {status}.", status)
        start = self._received() if status == _PARTIAL else 0
        total = _total(response, start)
        self._remember(response)
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            # Not `iter_content`, which loses what it has of a chunk when the connection breaks.
            while chunk := response.raw.read1(_CHUNK):
                file.write(chunk)
                self.progress(file.tell(), total, f"download of {self.target.name}")
            received = file.tell()
        if total and received > total:
            self._forget()
            return f"sent {received:,} bytes of {total:,}"
        return f"sent {received:,} of {total:,} bytes" if received < total else None

    def _finish(self) -> Path:
        self.part.replace(self.target)
        self._notes.unlink(missing_ok=True)
        return self.target

    @property
    def _notes(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _version(self) -> str:
        """Return the version of the received part; empty if it cannot be continued."""
        with suppress(OSError, ValueError, AttributeError):
            return str(json.loads(self._notes.read_text(encoding="utf-8")).get("version") or "")
        return ""

    def _remember(self, response: "Response") -> None:
        etag = response.headers.get("ETag", "")
        # A weak tag does not say that the bytes are the same.
        version = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        self._notes.write_text(json.dumps({"version": version}), encoding="utf-8")

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)


def redirected(url: str, headers: Mapping[str, str], settings: Settings) -> tuple[str, dict[str, str]]:
    """Return the URL and headers of a request to the upstream, or to the stand-in of the settings."""
    if not settings.upstream:
        return url, dict(headers)
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return settings.upstream.rstrip("/") + path, {**headers, ORIGINAL_HOST: parts.hostname or ""}


def notes_of(settings: Settings) -> HostNotes:
    """Return the notes of the hosts' limits; a stand-in has its own."""
    return host_notes(settings, urlsplit(settings.upstream).netloc.replace(":", "_") if settings.upstream else "")


def _total(response: "Response", start: int) -> int:
    """Return the size of the whole file; 0 if the server does not state it."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    if whole.isdecimal():
        return int(whole)
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else 0
