"""A local server that speaks baostock's protocol, with faults to switch on.

A request is a head of 21 bytes (version, type and length of the body, separated by \\1), a body of fields separated by
\\1, and a CRC. An answer has the same head, and ends with `<![CDATA[]]>` and a line feed; the bodies of some types are
compressed. Every value is text. `MYSTOCKS_BAOSTOCK=<address>` sends the source there.
"""

import json
import socketserver
import threading
import zlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl
from standin.market import Market

SPLIT, END = "\1", b"<![CDATA[]]>\n"
ANSWER_TYPES = {
    "login": "01", "logout": "03", "query_trade_dates": "34", "query_stock_basic": "46",
    "query_history_k_data_plus": "96", "query_daily_history_k_AStock": "99", "query_daily_history_k_ETF": "9B",
    "query_daily_adjust_factor": "9D",
}  # fmt: skip
COMPRESSED = {"96", "99", "9B", "9D"}
PAGE = 2000
#: close: the connection ends in the middle of an answer; hang: no answer; blacklist: 10001011; short: half the rows are
#: gone; holiday: a day without rows that the calendar calls closed; garbled: the JSON is cut; narrow: a row has a value
#: less; adjusted: the prices are not raw; refused: a code of the client's errors; text: a price is no number.
KINDS = {
    "close", "hang", "blacklist", "short", "holiday", "garbled", "narrow", "adjusted", "refused", "text", "lost_page",
    "older",
}  # fmt: skip
FIELDS = (
    "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg,"
    "peTTM,pbMRQ,psTTM,pcfNcfTTM,isST"
)


@dataclass
class Fault:
    """Something wrong with the answers to a call.

    Attributes:
        kind: One of `KINDS`.
        call: The name of the client's function; empty is each of them.
        times: How often; a negative number is for ever.
        day: Only in answers for this day.
    """

    kind: str
    call: str = ""
    times: int = -1
    day: str = ""


@dataclass
class BaostockServer:
    """The server: `address` to reach it, `asked` with the fields of each request, `faults` to fill.

    Attributes:
        most: The largest number of connections at the same time.
    """

    market: Market
    faults: list[Fault] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    most: int = 0

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"standin": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._open = 0
        self._lock = threading.Lock()

    def fault(self, kind: str, call: str = "", *, times: int = -1, day: date | None = None) -> None:
        """Switch a fault on."""
        assert kind in KINDS, kind
        self.faults.append(Fault(kind, call, times, f"{day or ''}"))

    def calls(self) -> list[str]:
        """Return the names of the calls so far, in order."""
        return [asked[0] for asked in self.asked]

    def reset(self, market: Market | None = None) -> None:
        """Forget faults and requests, and serve another market."""
        self.faults.clear()
        self.asked.clear()
        self.most = 0
        if market is not None:
            self.market = market

    def count(self, step: int) -> None:
        """Count an opened or closed connection."""
        with self._lock:
            self._open += step
            self.most = max(self.most, self._open)

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return self._open

    def befalls(self, request: list[str]) -> str:
        """Return the kind of fault that befalls a request, and count it."""
        for fault in self.faults:
            if fault.times and fault.call in ("", request[0]) and (not fault.day or fault.day in request):
                fault.times -= 1
                return fault.kind
        return ""

    def __enter__(self) -> "BaostockServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(socketserver.StreamRequestHandler):
    standin: BaostockServer

    def handle(self) -> None:
        self.standin.count(1)
        try:
            while line := self.rfile.readline():
                request = line.decode().rstrip("\n")
                head, rest = request[:21], request[21:]
                body = rest[: int(head.split(SPLIT)[2])]
                assert rest[len(body) + 1 :] == f"{zlib.crc32((head + body).encode())}", "the CRC is wrong"
                if not self._answer(body.split(SPLIT)):
                    return
        except ConnectionError:
            pass
        finally:
            self.standin.count(-1)

    def _answer(self, request: list[str]) -> bool:
        """Send the answer to a request; return whether the connection goes on."""
        self.standin.asked.append(request)
        kind = self.standin.befalls(request)
        if kind == "hang":
            self.connection.recv(1)  # until the client gives up
            return False
        code, text = {"blacklist": ("10001011", "黑名单用户"), "refused": ("10004013", "超出日期支持范围")}.get(
            kind, ("0", "success")
        )
        fields = [code, text]
        if code == "0":
            fields += [request[0], request[1]]
            fields += [] if request[0] in ("login", "logout") else _payload(self.standin.market, request, kind)
        data = _encode(request[0], fields)
        if kind == "close":
            self.wfile.write(data[: len(data) // 2])
            return False
        self.wfile.write(data)
        return request[0] != "logout"


def _encode(call: str, fields: list[str]) -> bytes:
    answer = ANSWER_TYPES[call]
    body = SPLIT.join(fields)
    if answer in COMPRESSED:
        # the client cuts the last character of some of these bodies off, which is a separator
        content = zlib.compress((body + ("\n" if answer == "96" else "")).encode())
    else:
        content = (body + SPLIT + str(zlib.crc32(body.encode()))).encode()
    head = SPLIT.join(["00.9.40", answer, f"{len(content):010d}"])
    return head.encode() + content + END


def _payload(market: Market, request: list[str], kind: str) -> list[str]:
    """Return the fields of an answer after code, message, name and user."""
    call = request[0]
    if call == "query_daily_history_k_ETF":
        return [_record(_funds(market, date.fromisoformat(request[2])), kind), FIELDS]
    if call in ("query_daily_history_k_AStock", "query_daily_adjust_factor"):
        day = date.fromisoformat(request[2])
        day = day - timedelta(days=1) if kind == "older" else day
        names, rows = (FIELDS, _bars(market, day)) if call.endswith("AStock") else _factors(market, day)
        return [_record(_spoilt(rows, kind), kind), names]
    page, size = int(request[2]), int(request[3])
    if call == "query_history_k_data_plus":
        code, names, start, end, frequency, adjusted = request[4:10]
        bars = market.bars.filter(pl.col("date").is_between(date.fromisoformat(start), date.fromisoformat(end)))
        bars = _of_code(bars, code) if names == FIELDS else _index(bars, code)
        rows = [_bar(row, names.split(",")) for row in bars.iter_rows(named=True)]
        tail = [code, names, start, end, frequency, adjusted]
    elif call == "query_trade_dates":
        rows = _calendar(market, request[4], request[5], closed=kind == "holiday")
        tail = [request[4], request[5], "calendar_date,is_trading_day"]
    elif call == "query_stock_basic":
        rows, tail = _basic(market), ["", "", "code,code_name,ipoDate,outDate,type,status"]
    else:
        raise AssertionError(f"the stand-in does not know {call}")
    if kind == "lost_page" and page > 1:
        raise ConnectionError
    rows = _spoilt(rows, kind)[(page - 1) * size : page * size]
    return [f"{page}", f"{size}", _record(rows, kind) if rows else "", *tail]


def _record(rows: list[list[str]], kind: str) -> str:
    text = json.dumps({"record": rows}, ensure_ascii=False)
    return text[:-20] if kind == "garbled" else text


def _spoilt(rows: list[list[str]], kind: str) -> list[list[str]]:
    if kind == "short":
        return rows[: len(rows) // 2]
    if kind == "holiday":
        return rows if len(rows[0]) == 2 else []
    if kind == "narrow":
        return [*rows[:-1], rows[-1][:-1]]
    if kind == "adjusted":
        return [[*row[:9], "2", *row[10:]] for row in rows]
    if kind == "text":
        return [[*rows[0][:2], "n/a", *rows[0][3:]], *rows[1:]]
    return rows


def _bars(market: Market, day: date) -> list[list[str]]:
    """Return the rows of one day: A shares of Shanghai and Shenzhen, and an index, as the server has them."""
    rows = [
        _bar(row, FIELDS.split(","))
        for row in market.bars.filter(pl.col("date") == day).sort("symbol").iter_rows(named=True)
        if not row["symbol"].endswith("BJ")
    ]
    index = dict(zip(FIELDS.split(","), rows[0], strict=True)) | {"code": "sh.000300"} if rows else {}
    return [*rows, list(index.values())] if index else []


def _bar(row: dict[str, Any], names: list[str]) -> list[str]:
    still = row["suspended"]
    number = int(row["symbol"][:6])
    values = {
        "date": f"{row['date']}",
        "code": f"{row['symbol'][-2:].lower()}.{row['symbol'][:6]}",
        **{name: f"{row[name]:.10f}" for name in ("open", "high", "low", "close")},
        "preclose": f"{row['prev_close']:.10f}",
        "volume": "" if still else f"{row['volume']}",
        "amount": "" if still else f"{row['amount']:.4f}",
        "adjustflag": "3",
        "turn": "" if still else f"{row['turnover']:.6f}",
        "tradestatus": "0" if still else "1",
        "pctChg": f"{(row['close'] / row['prev_close'] - 1) * 100:.6f}",
        "peTTM": f"{number % 40 + 5.5:.6f}",
        "pbMRQ": f"{number % 7 + 0.25:.6f}",
        "psTTM": "0.000000",
        "pcfNcfTTM": f"{-(number % 11) - 1.5:.6f}",
        "isST": "1" if row["is_st"] else "0",
    }
    return [values[name] for name in names]


def _of_code(bars: pl.DataFrame, code: str) -> pl.DataFrame:
    return bars.filter(symbol=f"{code[3:]}.{code[:2].upper()}").sort("date")


def _index(bars: pl.DataFrame, code: str) -> pl.DataFrame:
    """Return the bars of an index: those of the market's first stock, with its code."""
    symbol = f"{code[3:]}.{code[:2].upper()}"
    return bars.filter(symbol=bars["symbol"].min()).with_columns(symbol=pl.lit(symbol)).sort("date")


def _funds(market: Market, day: date) -> list[list[str]]:
    bars = market.etfs.filter(date=day).select(
        "symbol", "date", "open", "high", "low", "prev_close", "volume", "amount", close="price",
        turnover=pl.lit(0.0), suspended=pl.lit(value=False), is_st=pl.lit(value=False),
    )  # fmt: skip
    return [_bar(row, FIELDS.split(",")) for row in bars.sort("symbol").iter_rows(named=True)]


def _factors(market: Market, day: date) -> tuple[str, list[list[str]]]:
    """Return the factors of the stocks whose previous close is not the close of the day before."""
    rows = []
    ordered = market.bars.sort("symbol", "date").with_columns(before=pl.col("close").shift(1).over("symbol"))
    for row in ordered.filter(pl.col("date") == day, pl.col("before") != pl.col("prev_close")).iter_rows(named=True):
        factor = row["before"] / row["prev_close"]
        code = f"{row['symbol'][-2:].lower()}.{row['symbol'][:6]}"
        rows.append([code, f"{day}", "1.000000", f"{factor:.6f}", f"{factor:.6f}"])
    return "code,dividOperateDate,foreAdjustFactor,backAdjustFactor,adjustFactor", rows


def _calendar(market: Market, start: str, end: str, *, closed: bool) -> list[list[str]]:
    trading = set(market.trading_days) - ({market.day} if closed else set())
    first, last = date.fromisoformat(start), min(date.fromisoformat(end), max(market.trading_days))
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [[f"{day}", "1" if day in trading else "0"] for day in days]


def _basic(market: Market) -> list[list[str]]:
    rows = [
        [
            f"{row['exchange'].lower()}.{row['symbol'][:6]}",
            row["name"],
            f"{row['list_date']}",
            f"{row['delist_date'] or ''}",
            "1",
            "0" if row["delist_date"] else "1",
        ]
        for row in market.stocks.iter_rows(named=True)
        if row["exchange"] != "BJ"
    ]
    return [*rows, ["sh.000300", "沪深300", "2005-04-08", "", "2", "1"]]
