"""The upstreams behind the shipped datasets: invented rows in the keys and the order that akshare relies on."""

import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Query = dict[str, str]

_CONDITION = re.compile(r"\(\s*(\w+)\s*(>=|<=|=)\s*[\"']([^\"']*)[\"']\s*\)")


def _row(keys: str, **values: object) -> Row:
    """Return a row with these keys in order; those without a value are null."""
    return {key: values.get(key) for key in keys.split()}


_BLOCK = (
    "TRADE_DATE SECURITY_CODE SECUCODE SECURITY_NAME_ABBR CHANGE_RATE CLOSE_PRICE DEAL_PRICE PREMIUM_RATIO DEAL_VOLUME"
    " DEAL_AMT TURNOVER_RATE BUYER_NAME SELLER_NAME CHANGE_RATE_1DAYS CHANGE_RATE_5DAYS CHANGE_RATE_10DAYS"
    " CHANGE_RATE_20DAYS BUYER_CODE SELLER_CODE"
)
#: The thirteen keys of a row of the Shanghai exchange; the names of four are not known and not used.
_SSE = "creditType opDate rqchl rqmcl rqyl rqylje rqyebl rzche rzmre rzmrebl rzye securityAbbr stockCode"


def invented() -> dict[str, list[Row]]:
    """Return the rows of each report by its name, of Monday 2025-04-07 and the days before."""
    return {
        "RPT_DATA_BLOCKTRADE": [
            _row(
                _BLOCK,
                TRADE_DATE=f"{day} 00:00:00", SECURITY_CODE="600519", SECURITY_NAME_ABBR="贵州茅台", CHANGE_RATE=-3.1,
                CLOSE_PRICE=1500.0, DEAL_PRICE=1470.0, PREMIUM_RATIO=-0.02, DEAL_VOLUME=20000.0, DEAL_AMT=29400000.0,
                TURNOVER_RATE=0.0016, BUYER_NAME="机构专用", SELLER_NAME="某证券上海分公司",
            )
            for day in ("2025-04-03", "2025-04-07")
        ],
        "sse_margin": [
            _row(
                _SSE,
                opDate="20250407", rqchl=300, rqmcl=1200, rqyl=51000, rzche=2500000, rzmre=4000000, rzye=910000000,
                securityAbbr="贵州茅台", stockCode="600519",
            ),
            _row(
                _SSE,
                opDate="20250407", rqchl=0, rqmcl=0, rqyl=700, rzche=100, rzmre=200, rzye=30000,
                securityAbbr="300ETF", stockCode="510300",
            ),
        ],
        "szse_margin": [
            {
                "证券代码": "000001", "证券简称": "平安银行", "融资买入额(元)": "12,345", "融资余额(元)": "5,000,000",
                "融券卖出量(股/份)": "100", "融券余量(股/份)": "2,000", "融券余额(元)": "22,000",
                "融资融券余额(元)": "5,022,000",
            }
        ],
    }  # fmt: skip


class DatasetAnswers:
    """Answers questions about the reports behind the shipped datasets.

    Attributes:
        rows: Report to its rows; tests change them.
    """

    def __init__(self) -> None:
        self.rows = invented()

    def answer(self, path: str, query: Query) -> bytes | None:
        """Return the body of the answer; None if another part of the stand-in knows the address."""
        routes: dict[str, Callable[[], bytes | None]] = {
            "/marketdata/tradedata/queryMargin.do": lambda: self._sse(query["detailsDate"]),
            "/api/report/ShowReport": lambda: self._szse(query),
        }
        if path in routes:
            return routes[path]()
        if path.endswith("/api/data/v1/get") and query["reportName"] in self.rows:
            return self._report(query)
        return None

    def _report(self, query: Query) -> bytes:
        conditions = _CONDITION.findall(query.get("filter", ""))
        rows = [row for row in self.rows[query["reportName"]] if all(_obeys(row, *part) for part in conditions)]
        size, page = int(query["pageSize"]), int(query["pageNumber"])
        shown = rows[(page - 1) * size : page * size]
        if not shown:
            return _json({"version": None, "result": None, "success": False, "message": "返回数据为空", "code": 9201})
        result = {"pages": math.ceil(len(rows) / size), "data": shown, "count": len(rows)}
        return _json({"version": "1", "result": result, "success": True, "message": "ok", "code": 0})

    def _sse(self, day: str) -> bytes:
        rows = [row for row in self.rows["sse_margin"] if row["opDate"] == day]
        return _json({"pageHelp": {"total": len(rows)}, "result": rows})

    def _szse(self, query: Query) -> bytes | None:
        if query["CATALOGID"] != "1837_xxpl":
            return None
        return _xlsx(self.rows["szse_margin"])


def _obeys(row: Row, key: str, operator: str, value: str) -> bool:
    """Say whether a row obeys a condition; one about a key that it does not have holds."""
    if key not in row:
        return True
    own, wanted = str(row[key])[:10], value[:10]
    return {">=": own >= wanted, "<=": own <= wanted, "=": own == wanted}[operator]


def _xlsx(rows: list[Row]) -> bytes:
    import pandas as pd

    out = io.BytesIO()
    pd.DataFrame(rows).to_excel(out, index=False)
    return out.getvalue()


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
