"""Corporate actions of several sources as one statement."""

from datetime import date

import polars as pl

from mystocks_dagster.market.actions import combined
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS

DAY = date(2024, 6, 19)


def action(source: str, day: date = DAY, **terms: float | date | None) -> pl.DataFrame:
    row = {"symbol": "600519.SH", "ex_date": day, "cash": 0.0, "bonus": 0.0, "source": source} | terms
    return CORPORATE_ACTIONS.typed(pl.DataFrame([row]))


def test_two_sources_that_state_the_same_action_are_one():
    one = combined(
        pl.concat(
            [action("tdx", cash=30.876, rights=0.0), action("akshare", cash=30.8764, record_date=date(2024, 6, 18))]
        )
    )
    assert one.select("symbol", "cash", "rights", "record_date", "source", "agreed").rows() == [
        ("600519.SH", 30.8764, 0.0, date(2024, 6, 18), "akshare, tdx", True)
    ]


def test_sources_that_differ_are_said_to_differ():
    for change in ({"cash": 30.9}, {"cash": 30.876, "bonus": 0.1}):
        rows = combined(pl.concat([action("tdx", cash=30.876), action("akshare", **change)]))
        assert rows["agreed"].to_list() == [False]


def test_what_only_one_source_states_is_that_sources():
    both = pl.concat([action("akshare", cash=0.5), action("tdx", cash=0.5, rights=0.3, rights_price=4.0)])
    row = combined(both).row(0, named=True)
    assert (row["rights"], row["rights_price"], row["agreed"]) == (0.3, 4.0, True)


def test_days_and_symbols_stay_apart_and_are_sorted():
    rows = combined(pl.concat([action("tdx", date(2025, 6, 26)), action("tdx"), action("akshare")]))
    assert rows["ex_date"].to_list() == [DAY, date(2025, 6, 26)]
    assert combined(rows.drop("agreed")).equals(rows)
