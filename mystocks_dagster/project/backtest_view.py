"""Stored backtests for pages: a list to compare, and one with its curve, months and trades."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.project.state import ProjectState

if TYPE_CHECKING:  # polars takes 0.4 s to import
    import polars as pl

    from mystocks_dagster.lake.store import Lake

#: Trades that a page lists, the newest of a backtest.
MOST_TRADES = 200


@dataclass(frozen=True, kw_only=True)
class BacktestDetail:
    """One backtest.

    Attributes:
        summary: Its row of the table `backtests`.
        months: Year to the return of each month in percent, None where nothing was traded yet; the last is the year's.
        trades: Its newest trades, newest first.
        trade_count: Number of all its trades.
    """

    summary: dict[str, Any]
    months: dict[int, list[float | None]]
    trades: list[dict[str, Any]]
    trade_count: int


class BacktestView:
    """Read-only views of the stored backtests."""

    def __init__(self, state: ProjectState) -> None:
        self._state = state

    @cached_property
    def lake(self) -> "Lake":
        """The project's lake."""
        from mystocks_dagster.lake.store import Lake

        return Lake(self._state.settings.lake)

    def all(self) -> list[dict[str, Any]]:
        """Return the rows of the table `backtests`, the newest first."""
        if not self.lake.exists("backtests"):
            return []
        return self.lake.read("backtests").sort("run_at", descending=True).to_dicts()

    def detail(self, backtest_id: str) -> BacktestDetail:
        """Return one backtest.

        Raises:
            UnknownName: None of that id is stored.
        """
        summary = self._summary(backtest_id)
        trades = self._rows("backtest_trades", backtest_id).sort("sequence", descending=True)
        return BacktestDetail(
            summary=summary,
            months=monthly_returns(self._rows("backtest_equity", backtest_id).sort("date")),
            trades=trades.head(MOST_TRADES).to_dicts(),
            trade_count=trades.height,
        )

    def curve(self, backtest_id: str) -> dict[str, Any]:
        """Return dates, equity, drawdown (percent, 0 or below) and benchmark of a backtest by column, for a chart."""
        import polars as pl

        self._summary(backtest_id)
        rows = self._rows("backtest_equity", backtest_id).sort("date")
        fall = (rows["equity"] / rows["equity"].cum_max() - 1) * 100
        benchmark = rows["benchmark"] if "benchmark" in rows.columns else pl.Series([None] * rows.height)
        return {
            "dates": [day.isoformat() for day in rows["date"]],
            "equity": rows["equity"].round(2).to_list(),
            "drawdown": fall.round(3).to_list(),
            "benchmark": benchmark.to_list(),
        }

    def _summary(self, backtest_id: str) -> dict[str, Any]:
        for row in self.all():
            if row["backtest_id"] == backtest_id:
                return row
        raise UnknownName(f"There is no backtest {backtest_id}; /backtests and the table backtests list them.")

    def _rows(self, table: str, backtest_id: str) -> "pl.DataFrame":
        return self.lake.scan(table).filter(backtest_id=backtest_id).collect()


def monthly_returns(equity: "pl.DataFrame") -> dict[int, list[float | None]]:
    """Return the returns of each month in percent by year, the newest first; a thirteenth value is the year's.

    Args:
        equity: `date` and `equity` by trading day, ascending; the first is the capital before any trade.
    """
    ends: dict[tuple[int, int], float] = {}
    for day, value in equity.select("date", "equity").iter_rows():
        ends[(day.year, day.month)] = value
    if not ends:
        return {}
    before = equity["equity"][0]
    years: dict[int, list[float | None]] = {}
    start_of_year: dict[int, float] = {}
    for (year, month), value in ends.items():
        start_of_year.setdefault(year, before)
        row = years.setdefault(year, [None] * 13)
        row[month - 1] = (value / before - 1) * 100
        row[12] = (value / start_of_year[year] - 1) * 100
        before = value
    return dict(sorted(years.items(), reverse=True))
