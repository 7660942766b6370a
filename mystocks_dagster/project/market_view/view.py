"""The lake's market data for pages, REST and assistants."""

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.market.symbols import normalise
from mystocks_dagster.project.market_view.options import USUAL, Adjustment, Period
from mystocks_dagster.project.state import ProjectState

if TYPE_CHECKING:  # polars takes 0.4 s to import
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.project.market_view.chart import Chart
    from mystocks_dagster.project.market_view.day import MarketDay
    from mystocks_dagster.project.market_view.securities import Security


class MarketView:
    """Read-only views of the lake's market data."""

    def __init__(self, state: ProjectState) -> None:
        self._state = state

    @cached_property
    def lake(self) -> "Lake":
        """The project's lake."""
        from mystocks_dagster.lake.store import Lake

        return Lake(self._state.settings.lake)

    def day(self, day: date | None = None) -> "MarketDay | None":
        """Return the market on a stored day, the newest by default; errors as in `day.market_day`."""
        from mystocks_dagster.project.market_view.day import market_day

        return market_day(self.lake, day)

    def search(self, text: str, limit: int = 20) -> "list[Security]":
        """Return the securities that match a code, a name or pinyin initials, the best first."""
        from mystocks_dagster.project.market_view.securities import search

        return search(self.lake, text, limit)

    def has_names(self) -> bool:
        """Return whether the lake has a list of stocks to search in."""
        return bool(self.lake.exists("stocks"))

    def security(self, symbol: str) -> "Security":
        """Return a security by any spelling of its symbol.

        Raises:
            InvalidParams: It is not a symbol.
            UnknownName: The lake does not know it.
        """
        from mystocks_dagster.project.market_view.securities import find

        return find(self.lake, normalise(symbol))

    def chart(
        self,
        symbol: str,
        *,
        period: Period = "daily",
        adjustment: Adjustment = "qfq",
        indicators: Sequence[str] = USUAL,
        formula: str = "",
        backtest: str | None = None,
    ) -> "Chart":
        """Return bars, indicators and marks of a security; see `chart.chart_of`."""
        from mystocks_dagster.project.market_view.chart import chart_of

        return chart_of(
            self.lake,
            self.security(symbol),
            period=period,
            adjustment=adjustment,
            indicators=indicators,
            formula=formula,
            backtest=backtest,
        )

    def last_bars(self, security: "Security") -> list[dict[str, Any]]:
        """Return the newest daily bars of a security, newest first; see `records.last_bars`."""
        from mystocks_dagster.project.market_view import records

        return records.last_bars(self.lake, security)

    def bars_table(self, security: "Security") -> str:
        """Return the table with the daily bars of a security's kind."""
        from mystocks_dagster.project.market_view.securities import BARS

        return BARS[security.kind]

    def stored(self, tables: Sequence[str]) -> list[str]:
        """Return those of the named tables that the lake has."""
        return [name for name in tables if self.lake.exists(name)]

    def records(self, symbol: str) -> dict[str, Any]:
        """Return statements, corporate actions, 龙虎榜 appearances, flows and valuation of a stock."""
        from mystocks_dagster.project.market_view import records

        return {
            "statements": records.statements(self.lake, symbol),
            "actions": records.actions(self.lake, symbol),
            "longhubang": records.longhubang(self.lake, symbol),
            "flows": records.flows(self.lake, symbol),
            "valuation": records.valuation(self.lake, symbol),
        }
