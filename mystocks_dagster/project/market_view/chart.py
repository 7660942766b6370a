"""What a chart of one security shows: bars, indicators, and marks at days."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.catalogue.calculation import LOOKS_AHEAD, Calculation, of_catalogue, of_formula
from mystocks_dagster.market.catalogue.registry import NAMES
from mystocks_dagster.market.formulas.bars import BARS
from mystocks_dagster.market.indicators import bars_of as formula_bars
from mystocks_dagster.market.indicators import planned
from mystocks_dagster.project.market_view.bars import bars_of
from mystocks_dagster.project.market_view.options import USUAL, Adjustment, Period
from mystocks_dagster.project.market_view.securities import Security

#: Indicators that are drawn over the candles, because they are prices.
OVERLAYS = frozenset(("MA", "EXPMA", "BBI", "SAR", "BOLL", "KELTNER", "TAQ", "XSII", "MIKE", "BBIBOLL"))
#: The name of the pane of a formula that a user typed.
OWN = "公式"
#: Most indicators of one chart.
MOST_INDICATORS = 12
#: Decimals of prices and indicators in the answer: more than a screen shows.
_DECIMALS = 4


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A mark at the bar of a day: an ex-dividend day, a signal, a trade.

    Attributes:
        day: The day.
        kind: `ex`, `buy`, `sell`, `bought` or `sold`.
        text: What it says, for example a strategy's name.
    """

    day: date
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The bars of a security with what is drawn on them.

    Attributes:
        ahead: By indicator the columns whose value on a day depends on later days.
    """

    security: Security
    period: Period
    adjustment: Adjustment
    bars: pl.DataFrame
    indicators: Mapping[str, pl.DataFrame]
    ahead: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Sequence[Mark] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return it by column, as a chart library reads it; a missing value is null."""
        return {
            "symbol": self.security.symbol,
            "name": self.security.name,
            "period": self.period,
            "adjustment": self.adjustment,
            "dates": [day.isoformat() for day in self.bars["date"]],
            **{name: _numbers(self.bars[name]) for name in ("open", "high", "low", "close")},
            "volume": self.bars["volume"].to_list(),
            "amount": self.bars["amount"].to_list(),
            "indicators": {
                name: {
                    "overlay": name in OVERLAYS,
                    "looks_ahead": list(self.ahead.get(name, ())),
                    "columns": {column: _numbers(frame[column]) for column in frame.columns},
                }
                for name, frame in self.indicators.items()
            },
            "marks": [{"date": mark.day.isoformat(), "kind": mark.kind, "text": mark.text} for mark in self.marks],
        }


def chart_of(
    lake: Lake,
    security: Security,
    *,
    period: Period = "daily",
    adjustment: Adjustment = "qfq",
    indicators: Sequence[str] = USUAL,
    formula: str = "",
    backtest: str | None = None,
) -> Chart:
    """Return the chart of a security over its whole history.

    Indicators are computed from the bars that are drawn, as charting software does: those of qfq bars differ from the
    stored ones, which are of hfq bars, by the factor of the newest day.

    Args:
        lake: The lake.
        security: The security.
        period: Length of a bar.
        adjustment: How prices are adjusted.
        indicators: Names of indicators in the catalogue, with their default parameters.
        formula: A 通达信 formula whose outputs are drawn too; empty means none. It may look ahead.
        backtest: Id of a backtest whose trades are marked.

    Raises:
        UnknownName: There is no such indicator.
        FormulaError: The formula is wrong; the message has line and column.
        InvalidParams: There are too many indicators, or one needs a column that these bars do not have.
    """
    calculations = _calculations(indicators, formula)
    bars = bars_of(lake, security, period=period, adjustment=adjustment)
    tables = {name: _computed(bars, name, items) for name, items in calculations.items()} if bars.height else {}
    marks = sorted(_marks(lake, security.symbol, backtest), key=lambda mark: mark.day) if bars.height else []
    return Chart(
        security=security,
        period=period,
        adjustment=adjustment,
        bars=bars,
        indicators=tables,
        ahead={name: _ahead(items) for name, items in calculations.items()},
        marks=_on_bars(marks, bars["date"]),
    )


def _calculations(indicators: Sequence[str], formula: str) -> dict[str, tuple[Calculation, ...]]:
    names = list(dict.fromkeys(indicators))
    if len(names) > MOST_INDICATORS:
        raise InvalidParams(f"A chart has at most {MOST_INDICATORS} indicators; this one asks for {len(names)}.")
    if unknown := [name for name in names if name not in NAMES]:
        raise UnknownName(f"There is no indicator {unknown[0]!r}. {suggest(unknown[0], list(NAMES))}")
    own = {OWN: (of_formula("f", formula),)} if formula.strip() else {}
    return {name: of_catalogue(name) for name in names} | own


def _computed(bars: pl.DataFrame, name: str, calculations: Sequence[Calculation]) -> pl.DataFrame:
    from mystocks_dagster.market.formulas.evaluation import evaluate

    steps = planned(calculations)
    lacking = [BARS[item].column for item in steps.bars if item in BARS and BARS[item].column not in bars.columns]
    if lacking:
        raise InvalidParams(f"{name} needs {', '.join(lacking)}, which these bars do not have.")
    results = evaluate(steps, formula_bars(bars, steps.bars))
    return pl.DataFrame([pl.Series(_shown(column), values) for column, values in results.items()])


def _ahead(calculations: Sequence[Calculation]) -> list[str]:
    about = {column: text for item in calculations for column, text in item.about.items()}
    return [_shown(column) for column, text in about.items() if text.startswith(LOOKS_AHEAD)]


def _shown(column: str) -> str:
    """Return the name of an output: without the one that a formula which a user typed has here."""
    return column.removeprefix("f_")


def _numbers(values: pl.Series) -> list[float | None]:
    return values.cast(pl.Float64).fill_nan(None).round(_DECIMALS).to_list()


def _marks(lake: Lake, symbol: str, backtest: str | None) -> Iterator[Mark]:
    if lake.exists("corporate_actions"):
        columns = ["ex_date", "cash", "bonus", "rights", "split"]
        rows = lake.read("corporate_actions", columns=columns, symbols=[symbol]).unique("ex_date", keep="first")
        for ex_date, cash, bonus, rights, split in rows.iter_rows():
            yield Mark(day=ex_date, kind="ex", text=_distribution(cash, bonus, rights, split))
    elif lake.exists("adjust_events"):
        for day in lake.read("adjust_events", columns=["date"], symbols=[symbol])["date"]:
            yield Mark(day=day, kind="ex", text="")
    if lake.exists("signals"):
        for day, side, strategy in lake.read(
            "signals", columns=["date", "side", "strategy"], symbols=[symbol]
        ).iter_rows():
            yield Mark(day=day, kind=side, text=strategy)
    if backtest and lake.exists("backtest_trades"):
        trades = lake.read(
            "backtest_trades", columns=["date", "side", "shares", "price", "backtest_id"], symbols=[symbol]
        )
        for row in trades.filter(backtest_id=backtest).iter_rows(named=True):
            kind = "bought" if row["side"] == "buy" else "sold"
            yield Mark(day=row["date"], kind=kind, text=f"{row['shares']:,} × {row['price']:.2f}")


def _distribution(cash: float | None, bonus: float | None, rights: float | None, split: float | None) -> str:
    """Return a distribution for ten shares, as it is announced: 10 派 5 送 3."""
    parts = (("派", cash), ("送转", bonus), ("配", rights))
    words = [f"{word}{value * 10:.4g}" for word, value in parts if value]
    text = f"10{''.join(words)}" if words else ""
    return f"{text} 拆{split:g}".strip() if split and split != 1 else text


def _on_bars(marks: Sequence[Mark], days: pl.Series) -> list[Mark]:
    """Return the marks at the dates of the bars in which their days are; those outside are left out."""
    ends = days.to_list()
    placed, position = [], 0
    for mark in marks:
        while position < len(ends) and ends[position] < mark.day:
            position += 1
        if position == len(ends):
            break
        placed.append(Mark(day=ends[position], kind=mark.kind, text=mark.text))
    return placed
