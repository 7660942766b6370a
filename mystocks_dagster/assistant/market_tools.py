"""Tools about the lake: search, bars, indicators, gaps, SQL."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mystocks_dagster.days import day_or_none
from mystocks_dagster.project.market_view.options import Adjustment, Period
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.screening import WAITING_SECONDS

#: Most rows of an answer: an assistant reads every one of them.
MOST_ROWS = 500
Rows = Annotated[int, Field(ge=1, le=MOST_ROWS, description="Most rows of the answer, the newest.")]
Day = Annotated[date | None, BeforeValidator(day_or_none), Field(description="The newest stored day by default.")]
Symbol = Annotated[str, Field(description="A symbol in any spelling: 600519, sh600519, 600519.SH.")]


def market_tools(project: Callable[[], Project]) -> list[Callable[..., Any]]:
    """Return the tools; each opens the current project, so that it knows the newest task file and lake."""

    def search_symbol(text: Annotated[str, Field(description="A code, a name, or pinyin initials.")]) -> list[dict]:
        """Find stocks, indices and funds by code (600519), name (茅台) or pinyin initials (gzmt)."""
        return [
            {"symbol": match.symbol, "name": match.name, "kind": match.kind} for match in project().market.search(text)
        ]

    def bars(
        symbol: Symbol,
        period: Period = "daily",
        adjustment: Adjustment = "qfq",
        end: Annotated[
            date | None, BeforeValidator(day_or_none), Field(description="Last day; the newest by default.")
        ] = None,
        rows: Rows = 60,
    ) -> dict[str, Any]:
        """Get bars of a stock, index or fund: prices in CNY (index: points), volume in shares, amount in CNY.

        qfq keeps the newest day's price raw, hfq the first day's, none is raw.
        """
        chart = project().market.chart(symbol, period=period, adjustment=adjustment, indicators=())
        frame = chart.bars if end is None else chart.bars.filter(chart.bars["date"] <= end)
        return _described(chart, frame.tail(rows))

    def indicators(
        symbol: Symbol,
        names: Annotated[
            list[str],
            Field(min_length=1, description="Names such as MA, MACD, KDJ, RSI, BOLL; docs/indicators.md lists them."),
        ],
        period: Period = "daily",
        adjustment: Adjustment = "qfq",
        rows: Rows = 60,
    ) -> dict[str, Any]:
        """Get technical indicators of a symbol as 通达信 defines them, computed from the bars of that adjustment."""
        chart = project().market.chart(
            symbol, period=period, adjustment=adjustment, indicators=[name.upper() for name in names]
        )
        frame = chart.bars.select("date", "close")
        for values in chart.indicators.values():
            frame = frame.hstack(values.get_columns())
        return _described(chart, frame.tail(rows))

    def screen(
        formula: Annotated[str, Field(description="A 通达信 formula: CROSS(MA(C,5),MA(C,20)) AND V>2*MA(V,5)")],
        day: Day = None,
        period: Period = "daily",
        limit: Rows = 50,
    ) -> dict[str, Any]:
        """List the symbols that pass a 通达信 formula on a day, with the values that made them pass."""
        return project().screening.run(formula, day=day, period=period, limit=limit, seconds=WAITING_SECONDS).to_json()

    def market_day(day: Day = None) -> Any:
        """Get a day's market: breadth by board, indices, industries, leaders, capital flow, 龙虎榜, signals."""
        market = project().market.day(day)
        if market is None:
            return "The lake has no bars yet. Load the market's past with: mystocks bootstrap"
        lists = {name: value[:MOST_ROWS] if isinstance(value, list) else value for name, value in vars(market).items()}
        return lists | {"breadth": [vars(row) for row in market.breadth]}

    def data_gaps(
        tables: Annotated[list[str] | None, Field(description="Names of tables; all by default.")] = None,
    ) -> dict[str, Any]:
        """List the trading days that are missing, partial or quarantined, and how each is filled."""
        coverage = project().coverage
        return {
            "gaps": coverage.report(tables or ()).to_json()["gaps"][:MOST_ROWS],
            "plan": coverage.plan(tables or ()).to_json(),
        }

    def query(sql: Annotated[str, Field(description="One SELECT in DuckDB's SQL.")]) -> dict[str, Any]:
        """Run one read-only SELECT over the lake's tables; `SHOW TABLES`, `DESCRIBE daily_bars` list what is there."""
        frame = project().tables.query(sql)
        return {"rows": _rows(frame.head(MOST_ROWS)), "row_count": frame.height}

    return [search_symbol, bars, indicators, screen, market_day, data_gaps, query]


def _described(chart: Any, frame: Any) -> dict[str, Any]:
    security = chart.security
    facts = {"symbol": security.symbol, "name": security.name, "period": chart.period, "adjustment": chart.adjustment}
    return facts | {"rows": _rows(frame)}


def _rows(frame: Any) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in frame.to_dicts()]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return value.isoformat() if hasattr(value, "isoformat") else value
