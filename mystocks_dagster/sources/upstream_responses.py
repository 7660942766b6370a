"""What an upstream's raw answer means: data, nothing, banned, broken or changed.

akshare shows "no data", "banned" and "format changed" as the same exceptions, so this is decided before akshare
sees the answer. Everything here is a pure function of the answer.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

#: Statuses with which hosts turn clients away; 456 is Sina's own.
_TURNED_AWAY = frozenset({401, 403, 407, 418, 429, 451, 456})
_TRADING_DAYS = re.compile(rb'var datelist="[A-Za-z0-9+/=]+"')
_KLC2 = re.compile(rb'var KLC_K2_(\w+)="([A-Za-z0-9+/=]*)"')

Meaning = Literal["banned", "broken", "changed", "empty"]


@dataclass(frozen=True)
class UpstreamFault:
    """An answer that holds no data.

    `banned` the host turned us away; `broken` a later try may mend it; `changed` a person must look; `empty` the
    host says that there is nothing.
    """

    meaning: Meaning
    text: str


@dataclass(frozen=True)
class UpstreamRequest:
    """What was asked: host and path as akshare meant them, whichever server answered."""

    host: str
    path: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, url: str) -> "UpstreamRequest":
        """Read a URL."""
        parts = urlsplit(url)
        return cls(
            parts.hostname or "", parts.path, {name: values[-1] for name, values in parse_qs(parts.query).items()}
        )

    @property
    def page(self) -> int:
        """The page asked for, from 1; 1 when there are no pages."""
        return int(self.query.get("pn") or self.query.get("pageNumber") or 1)


@dataclass(frozen=True)
class UpstreamResponse:
    """Data: its bytes, and for East Money's lists the rows and how many there are in all pages."""

    question: UpstreamRequest
    content: bytes
    rows: tuple[dict[str, Any], ...] = ()
    total: int | None = None


def read_response(question: UpstreamRequest, status: int, content: bytes) -> UpstreamResponse | UpstreamFault:
    """Tell what the answer to `question` means."""
    if status >= 500:
        return UpstreamFault("broken", f"answered HTTP {status}")
    if status in _TURNED_AWAY:
        return UpstreamFault("banned", f"turned us away with HTTP {status}")
    if status == 404 and "/hisdata_klc2/" in question.path:
        return UpstreamFault("empty", "knows no such symbol")
    if status >= 400:
        return UpstreamFault("changed", f"answered HTTP {status} to {question.path}")
    if status >= 300:
        return UpstreamResponse(question, content)
    if question.host.endswith("eastmoney.com"):
        return _eastmoney(question, content)
    return _exchange_or_sina(question, content)


def _eastmoney(question: UpstreamRequest, content: bytes) -> UpstreamResponse | UpstreamFault:
    body = _json(content)
    if isinstance(body, UpstreamFault):
        return body
    if question.path == "/api/data/v1/get":
        return _datacenter(question, content, body)
    data = body.get("data")
    if body.get("rc") == 102 or (data is None and question.path == "/api/qt/clist/get"):
        if question.page > 1:
            return UpstreamFault("broken", f"has no page {question.page} of a list that was longer when it was begun")
        return UpstreamFault(
            "banned", f"answered without data (rc {body.get('rc')}), as it does to clients that it throttles"
        )
    if question.path != "/api/qt/clist/get":
        return UpstreamResponse(question, content)
    if not isinstance(data, dict):
        return UpstreamFault("changed", f"answered {question.path} in another form: {_start(content)}")
    return _rows(question, content, data.get("diff"), data.get("total"))


def _datacenter(question: UpstreamRequest, content: bytes, body: dict[str, Any]) -> UpstreamResponse | UpstreamFault:
    if body.get("success") and isinstance(body.get("result"), dict):
        return _rows(question, content, body["result"].get("data"), body["result"].get("count"))
    code, message = body.get("code"), body.get("message")
    if code == 9201 and question.page == 1:
        return UpstreamFault("empty", f"has no rows ({message})")
    if code == 9201:
        return UpstreamFault("broken", f"has no page {question.page} of a report that was longer when it was begun")
    return UpstreamFault("changed", f"refused the report {question.query.get('reportName')}: {message} (code {code})")


def _rows(question: UpstreamRequest, content: bytes, rows: object, total: object) -> UpstreamResponse | UpstreamFault:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(total, int):
        return UpstreamFault("changed", f"answered {question.path} in another form: {_start(content)}")
    return UpstreamResponse(question, content, tuple(rows), total)


def _exchange_or_sina(question: UpstreamRequest, content: bytes) -> UpstreamResponse | UpstreamFault:
    fault: UpstreamFault | None = None
    if question.host == "query.sse.com.cn":
        fault = _sse(content)
    elif question.host == "www.szse.cn":
        fault = (
            None if content.startswith(b"PK") else UpstreamFault("broken", f"sent no spreadsheet: {_start(content)}")
        )
    elif question.host == "www.bse.cn":
        fault = None if content.startswith(b"null([") else UpstreamFault("broken", f"sent no list: {_start(content)}")
    elif question.path.endswith("/klc_td_sh.txt"):
        fault = (
            None
            if _TRADING_DAYS.match(content.strip())
            else UpstreamFault("broken", f"sent no trading days: {_start(content)}")
        )
    elif "/hisdata_klc2/" in question.path:
        found = _KLC2.search(content)
        fault = UpstreamFault("broken", f"sent no price history: {_start(content)}") if not found else None
        fault = UpstreamFault("empty", "has no history of that symbol") if found and not found[2] else fault
    return fault or UpstreamResponse(question, content)


def _sse(content: bytes) -> UpstreamFault | None:
    body = _json(content)
    if isinstance(body, UpstreamFault):
        return body
    rows, total = body.get("result"), (body.get("pageHelp") or {}).get("total")
    if not isinstance(rows, list):
        return UpstreamFault("changed", f"answered in another form: {_start(content)}")
    if isinstance(total, int) and total != len(rows):
        return UpstreamFault("changed", f"sent {len(rows)} of {total} rows, so the list no longer fits one page")
    return None


def _json(content: bytes) -> dict[str, Any] | UpstreamFault:
    if not content.strip():
        return UpstreamFault("banned", "sent an empty answer")
    if content.lstrip().startswith(b"<"):
        return UpstreamFault("banned", "sent a web page (a captcha or a block notice) in place of data")
    try:
        body = json.loads(content)
    except ValueError:
        return UpstreamFault("broken", f"sent an answer that is cut off or garbled: {_start(content)}")
    return body if isinstance(body, dict) else UpstreamFault("changed", f"answered in another form: {_start(content)}")


def _start(content: bytes) -> str:
    return repr(content[:60].decode("utf-8", "replace"))


def sina_payload(content: bytes) -> str:
    """Return the encoded prices of a Sina history file that `read_answer` has accepted."""
    found = _KLC2.search(content)
    return found[2].decode("ascii") if found else ""
