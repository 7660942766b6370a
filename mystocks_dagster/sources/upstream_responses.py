"""Classify an upstream's raw response: data, empty, banned, broken or changed.

akshare raises the same exceptions for "no data", "banned" and "format changed", so the response is classified before
akshare reads it. All functions here are pure functions of the response.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from mystocks_dagster.sources.zips import DamagedZip, opened_zip

#: HTTP statuses that refuse a client; 456 is Sina's own.
_REFUSED = frozenset({401, 403, 407, 418, 429, 451, 456})
_TRADING_DAYS = re.compile(rb'var datelist="[A-Za-z0-9+/=]+"')
_NO_ROWS = "没有找到符合条件的数据"
_KLC2 = re.compile(rb'var KLC_K2_(\w+)="([A-Za-z0-9+/=]*)"')

Meaning = Literal["banned", "broken", "changed", "empty"]


@dataclass(frozen=True)
class UpstreamFault:
    """A response without data.

    `banned`: the host refuses this client. `broken`: a retry may help. `changed`: the format has changed, which a
    person must fix. `empty`: the host has no rows.
    """

    meaning: Meaning
    text: str


@dataclass(frozen=True)
class UpstreamRequest:
    """A request: the host and path that akshare asked for, whichever server responded."""

    host: str
    path: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, url: str) -> "UpstreamRequest":
        """Parse a URL."""
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return cls(parts.hostname or "", parts.path, query)

    @property
    def page(self) -> int:
        """The requested page, from 1; 1 without paging."""
        return int(self.query.get("pn") or self.query.get("pageNumber") or 1)


@dataclass(frozen=True)
class UpstreamResponse:
    """A response with data: its bytes, and for East Money's lists the rows and the total number on all pages."""

    request: UpstreamRequest
    content: bytes
    rows: tuple[dict[str, Any], ...] = ()
    total: int | None = None


def read_response(request: UpstreamRequest, status: int, content: bytes) -> UpstreamResponse | UpstreamFault:
    """Classify the response to `request`."""
    if status >= 500:
        return UpstreamFault("broken", f"answered HTTP {status}")
    if status in _REFUSED:
        return UpstreamFault("banned", f"refused the request with HTTP {status}")
    if status == 404 and "/hisdata_klc2/" in request.path:
        return UpstreamFault("empty", "does not have this symbol")
    if status >= 400:
        return UpstreamFault("changed", f"answered HTTP {status} to {request.path}")
    if status >= 300:
        return UpstreamResponse(request, content)
    if request.host.endswith("eastmoney.com"):
        return _eastmoney(request, content)
    return _exchange_or_sina(request, content)


def _eastmoney(request: UpstreamRequest, content: bytes) -> UpstreamResponse | UpstreamFault:
    body = _json(content)
    if isinstance(body, UpstreamFault):
        return body
    if request.path.endswith("/api/data/v1/get"):
        return _datacenter(request, content, body)
    data = body.get("data")
    if body.get("rc") == 102 or (data is None and request.path == "/api/qt/clist/get"):
        if request.page > 1:
            return UpstreamFault(
                "broken", f"has no page {request.page} of a list that became shorter while it was read"
            )
        return UpstreamFault(
            "banned", f"answered without data (rc {body.get('rc')}), as it does when it throttles a client"
        )
    if request.path.startswith("/getTopic") and not (data or {}).get("pool"):
        return UpstreamFault("empty", "has no stocks in this pool")
    if request.path != "/api/qt/clist/get":
        return UpstreamResponse(request, content)
    if not isinstance(data, dict):
        return UpstreamFault("changed", f"answered {request.path} in another format: {_start(content)}")
    return _rows(request, content, data.get("diff"), data.get("total"))


def _datacenter(request: UpstreamRequest, content: bytes, body: dict[str, Any]) -> UpstreamResponse | UpstreamFault:
    if body.get("success") and isinstance(body.get("result"), dict):
        return _rows(request, content, body["result"].get("data"), body["result"].get("count"))
    code, message = body.get("code"), body.get("message")
    if code == 9201 and request.page == 1:
        return UpstreamFault("empty", f"has no rows ({message})")
    if code == 9201:
        return UpstreamFault("broken", f"has no page {request.page} of a report that became shorter while it was read")
    return UpstreamFault("changed", f"refused the report {request.query.get('reportName')}: {message} (code {code})")


def _rows(request: UpstreamRequest, content: bytes, rows: object, total: object) -> UpstreamResponse | UpstreamFault:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(total, int):
        return UpstreamFault("changed", f"answered {request.path} in another format: {_start(content)}")
    return UpstreamResponse(request, content, tuple(rows), total)


def _exchange_or_sina(request: UpstreamRequest, content: bytes) -> UpstreamResponse | UpstreamFault:
    fault: UpstreamFault | None = None
    if request.host == "query.sse.com.cn":
        fault = _sse(content)
        if fault is None and request.path.endswith("/queryMargin.do") and b'"stockCode"' not in content:
            fault = UpstreamFault("empty", "has no rows of that day")
    elif request.host == "www.szse.cn":
        fault = _broken_unless(content.startswith(b"PK"), "spreadsheet", content) or _szse(content)
    elif request.host == "www.bse.cn":
        fault = _broken_unless(content.startswith(b"null(["), "list", content)
    elif request.path.endswith("/klc_td_sh.txt"):
        fault = _broken_unless(_TRADING_DAYS.match(content.strip()), "list of trading days", content)
    elif request.path.endswith("/kind/lhb/index.phtml"):
        fault = _broken_unless(b'class="list"' in content, "list of unusual trading", content)
        if fault is None and b"list_table" not in content:
            fault = UpstreamFault("empty", "has no unusual trading of that day")
    elif "/hisdata_klc2/" in request.path:
        history = _KLC2.search(content)
        fault = _broken_unless(history, "price history", content)
        if history and not history[2]:
            fault = UpstreamFault("empty", "has no history of this symbol")
    return fault or UpstreamResponse(request, content)


def _broken_unless(valid: object, expected: str, content: bytes) -> UpstreamFault | None:
    return None if valid else UpstreamFault("broken", f"did not send a {expected}: {_start(content)}")


def _szse(content: bytes) -> UpstreamFault | None:
    """Return the fault of a spreadsheet whose only row says that there are none."""
    try:
        with opened_zip(BytesIO(content)) as sheet:
            texts = b"".join(sheet.read(name) for name in sheet.namelist() if name.endswith(".xml"))
    except DamagedZip:
        return UpstreamFault("broken", f"sent a truncated spreadsheet: {_start(content)}")
    return (
        UpstreamFault("empty", "has no rows of that day")
        if _NO_ROWS in unescape(texts.decode("utf-8", "replace"))
        else None
    )


def _sse(content: bytes) -> UpstreamFault | None:
    body = _json(content)
    if isinstance(body, UpstreamFault):
        return body
    rows, total = body.get("result"), (body.get("pageHelp") or {}).get("total")
    if not isinstance(rows, list):
        return UpstreamFault("changed", f"answered in another format: {_start(content)}")
    if isinstance(total, int) and total != len(rows):
        return UpstreamFault("changed", f"sent {len(rows)} of {total} rows, so the list no longer fits on one page")
    return None


def _json(content: bytes) -> dict[str, Any] | UpstreamFault:
    if not content.strip():
        return UpstreamFault("banned", "sent an empty response")
    if content.lstrip().startswith(b"<"):
        return UpstreamFault("banned", "sent a web page (a captcha or a block notice) instead of data")
    try:
        body = json.loads(content)
    except ValueError:
        return UpstreamFault("broken", f"sent a truncated or invalid response: {_start(content)}")
    return (
        body if isinstance(body, dict) else UpstreamFault("changed", f"answered in another format: {_start(content)}")
    )


def _start(content: bytes) -> str:
    return repr(content[:60].decode("utf-8", "replace"))


def sina_payload(content: bytes) -> str:
    """Return the encoded prices of a Sina history file that `read_response` has accepted."""
    match = _KLC2.search(content)
    return match[2].decode("ascii") if match else ""
