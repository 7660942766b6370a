"""Previous closes that follow from closes and corporate actions, against prices that the exchanges stated."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.market.adjust import TERMS, ex_right_price
from mystocks_dagster.market.ex_right import FUNDS, ex_right_prices, with_previous_closes
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

MON, TUE, WED, THU = (date(2024, 6, day) for day in (17, 18, 19, 20))


def bars(*rows: tuple[str, date, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["symbol", "date", "close"], orient="row")


def action(symbol: str, day: date, **terms: float) -> pl.DataFrame:
    row = {"symbol": symbol, "ex_date": day, "cash": 0.0, "bonus": 0.0, "source": "tdx"} | terms
    return CORPORATE_ACTIONS.typed(pl.DataFrame([row]))


NONE = CORPORATE_ACTIONS.empty()


def test_moutais_dividend_gives_the_exchanges_previous_close():
    # 600519 closed at 1521.50 on 2024-06-18; 30.876 CNY a share; the exchange stated 1490.62.
    frame = with_previous_closes(bars(("600519.SH", TUE, 1521.5), ("600519.SH", WED, 1500.0)),
                                 action("600519.SH", WED, cash=30.876))  # fmt: skip
    assert frame["prev_close"].to_list() == [None, 1490.62]
    assert frame["actions_known"].to_list() == [True, True]


def test_without_an_action_it_is_the_last_close_and_each_symbol_has_its_own():
    frame = with_previous_closes(bars(("a", MON, 1.0), ("a", WED, 2.0), ("b", TUE, 5.0), ("b", WED, 6.0)), NONE)
    assert frame["prev_close"].to_list() == [None, 1.0, None, 5.0]


def test_without_known_actions_the_rows_say_so():
    frame = with_previous_closes(bars(("a", MON, 1.0), ("a", WED, 2.0)), None)
    assert frame.select("prev_close", "actions_known").rows() == [(None, False), (1.0, False)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"cash": 0.5}, 9.5),
        ({"bonus": 0.4, "cash": 0.5}, 6.79),  # 9.50 / 1.4 = 6.7857
        ({"rights": 0.3, "rights_price": 3.33}, 8.46),  # (10 + 0.3 x 3.33) / 1.3 = 8.4608
        ({"cash": 0.005}, 10.0),  # 9.995: half a tick is rounded upwards
        ({"cash": 0.015}, 9.99),  # 9.985
    ],
    ids=["cash", "cash and bonus", "rights", "half a tick", "one and a half ticks"],
)
def test_the_price_is_rounded_as_the_exchange_rounds(terms: dict[str, float], expected: float):
    frame = with_previous_closes(bars(("a", MON, 10.0), ("a", TUE, 9.0)), action("a", TUE, **terms))
    assert frame["prev_close"].to_list() == [None, expected]


def test_actions_during_a_suspension_are_applied_one_after_the_other():
    happened = pl.concat([action("a", TUE, cash=0.5), action("a", WED, bonus=1.0), action("a", MON, cash=3.0)])
    frame = with_previous_closes(bars(("a", MON, 10.0), ("a", THU, 5.0)), happened)
    assert frame["prev_close"].to_list() == [None, 4.75]  # Monday's action is in Monday's close


def test_the_first_bar_follows_from_the_last_one_before():
    last = bars(("a", MON, 10.0), ("c", MON, 3.0))
    frame = with_previous_closes(bars(("a", WED, 9.0), ("b", WED, 5.0)), action("a", TUE, cash=0.5), last=last)
    assert frame.select("symbol", "prev_close").rows() == [("a", 9.5), ("b", None)]


def test_a_funds_price_has_three_decimals_and_splits():
    happened = action("a", TUE, split=2.0)
    assert with_previous_closes(bars(("a", MON, 3.901), ("a", TUE, 1.9)), happened, scale=FUNDS)[
        "prev_close"
    ].to_list() == [None, 1.951]


def test_the_vectorised_price_is_that_of_the_formula():
    generator = np.random.default_rng(5)
    rows = 200
    actions = pl.concat(
        [action(f"{n}", TUE, cash=generator.random(), bonus=generator.random(), rights=generator.random(),
                rights_price=9 * generator.random()) for n in range(rows)]
    )  # fmt: skip
    closes = generator.uniform(5, 50, rows)
    expected = [
        ex_right_price(close, [terms]) for close, terms in zip(closes, actions.select(TERMS).iter_rows(), strict=True)
    ]
    assert ex_right_prices(closes, actions).tolist() == pytest.approx(expected)
