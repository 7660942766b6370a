"""Stored backtests for pages: a list to compare, and one with its curve, months and trades."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.excerpts import abbreviate
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

    def report(self, backtest_id: str) -> str:
        """Return the report of a backtest as one HTML file.

        Args:
            backtest_id: Its id, the beginning of it, or `latest`.

        Raises:
            UnknownName: None of that id is stored, or several begin like this.
        """
        from mystocks_dagster.project.backtest_report.contents import read_contents
        from mystocks_dagster.project.backtest_report.page import page

        contents = read_contents(self.lake, self.find(backtest_id))
        return page(contents, monthly_returns(contents.equity))

    def find(self, backtest_id: str) -> dict[str, Any]:
        """Return the row of the table `backtests` by its id, the beginning of it, or `latest`.

        Raises:
            UnknownName: None of that id is stored, or several begin like this.
        """
        rows = self.all()
        matching = [row for row in rows if row["backtest_id"].startswith(backtest_id)]
        if backtest_id == "latest":
            matching = rows[:1]
        if not matching or not backtest_id:
            stored = f"`mystocks backtest list` has the {len(rows)} stored" if rows else "none is stored"
            raise UnknownName(f"There is no backtest {backtest_id!r}; {stored}.")
        if len(matching) > 1:
            names = abbreviate([row["backtest_id"] for row in matching], 5)
            raise UnknownName(f"{len(matching)} backtests begin with {backtest_id}: {names}. Give more of the id.")
        return matching[0]

    def grids(self) -> list[dict[str, Any]]:
        """Return the best combination of each stored grid, and the test windows of a walk-forward, the newest first."""
        if not self.lake.exists("backtest_grids"):
            return []
        rows = self.lake.read("backtest_grids").filter("chosen").sort("start_date", "number")
        return rows.sort("run_at", descending=True, maintain_order=True).to_dicts()

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
