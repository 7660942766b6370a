"""Formulas of 通达信 in strategies: texts as parameters, checked at load, and their values as columns."""

from typing import Annotated, Any

import polars as pl
from pydantic import AfterValidator

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.formulas.bars import BARS, DAY
from mystocks_dagster.market.formulas.foresight import problems_of_foresight
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.problems import FormulaError
from mystocks_dagster.market.formulas.syntax import Formula as Tree
from mystocks_dagster.strategies.formula_files import read_formula
from mystocks_dagster.taskfile.schedule import fault

#: The columns of a strategy's rows that formulas read: adjusted prices, and what `BARS` names otherwise.
READS = ("open_hfq", "high_hfq", "low_hfq", "close_hfq", "volume", "amount", "turnover")


def parse(text: str) -> Tree:
    """Return the tree of a formula that a strategy may use.

    Raises:
        FormulaError: The text is not a formula, or it looks ahead.
    """
    tree = parse_formula(text)
    if problems := list(problems_of_foresight(tree, "A strategy knows no later day.")):
        raise FormulaError("formula", problems, text)
    return tree


def _check(text: str) -> str:
    """Check a text at load, and return the formula; the first problem is marked in it.

    What ends with .txt is a file in `formulas/`, whose text is the formula from then on.
    """
    if text.strip().lower().endswith(".txt"):
        return _read(text.strip())
    try:
        parse(text)
    except FormulaError as error:
        first = error.problems[0]
        line, column = first.position.line, first.position.column
        start = sum(len(earlier) + 1 for earlier in text.splitlines()[: line - 1]) + column - 1
        raise fault(f"{first.message} ({first.position} of the formula)", first.hint, (start, first.width)) from None
    return text


def _read(file: str) -> str:
    try:
        text = read_formula(file)
        parse(text)
    except InvalidParams as error:
        raise fault(str(error)) from None
    except FormulaError as error:
        first = error.problems[0]
        place = f"{file}:{first.position.line}:{first.position.column}"
        raise fault(f"{place}: {first.message}", first.hint) from None
    return text


#: The text of a formula, or its file, as the type of a parameter.
Formula = Annotated[str, AfterValidator(_check)]


def formula_values(market: pl.DataFrame, text: str) -> dict[str, pl.Series]:
    """Return the outputs of a formula for each row, in their order; null is 无效值.

    Args:
        market: The columns of `READS`, with `symbol` and `date`, sorted by both. Volume is in shares, amount in CNY.
        text: The formula. An output without a name is called after its place: `OUT1`.
    """
    import numpy as np

    from mystocks_dagster.market.formulas.evaluation import Bars, evaluate
    from mystocks_dagster.market.formulas.plan import output_names, plan

    tree = parse(text)
    names = output_names(tree)
    steps = plan((tree, (), tuple((name, name) for name in names)))
    starts = market["symbol"].rle_id().to_numpy()
    offsets = np.append(np.flatnonzero(np.diff(starts, prepend=-1)), market.height)
    columns = {name: _values(market, name) for name in steps.bars}
    results = evaluate(steps, Bars(offsets.astype(np.int64), columns))
    return {name: pl.Series(name, results[name]).fill_nan(None) for name in names}


def _values(market: pl.DataFrame, name: str) -> Any:
    """Return a column of the bars by the name that formulas give it."""
    if name == DAY:
        return market["date"].to_physical().cast(pl.Float64).to_numpy()
    column = BARS[name].column
    adjusted = f"{column}_hfq"
    series = market[adjusted if adjusted in market.columns else column]
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
