"""Ranking by hand: three stocks over three months."""

from datetime import date

import polars as pl

from mystocks_dagster.strategies.ranking import best_of_each_period

#: The last session of a month, and two of each of the next ones.
DAYS = [date(2024, 1, 31), date(2024, 2, 1), date(2024, 2, 2), date(2024, 3, 1), date(2024, 3, 4), date(2024, 4, 1)]
SCORES = {
    "a": [9.0, 3.0, 1.0, 3.0, 1.0, 3.0],
    "b": [9.0, 2.0, 9.0, 1.0, 1.0, 2.0],
    "c": [9.0, 1.0, 9.0, 2.0, 1.0, 2.0],
}


def market(**scores):
    rows = [(name, day, score) for name, values in scores.items() for day, score in zip(DAYS, values, strict=True)]
    frame = pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date, "value": pl.Float64}, orient="row")
    return frame.drop_nulls().with_columns(pl.col("symbol").cast(pl.Enum(sorted(scores))))


def signals(frame, top=2, every="month", **options):
    best = best_of_each_period(frame, pl.col("value"), top=top, every=every, **options)
    return sorted((day, str(symbol), side) for symbol, day, side in best.select("symbol", "date", "side").iter_rows())


def test_the_best_are_bought_as_they_enter_and_sold_as_they_leave():
    # The first stored day may be any day of its month. In April b and c are equal: b comes first by its name.
    assert signals(market(**SCORES)) == [
        (date(2024, 2, 1), "a", "buy"),
        (date(2024, 2, 1), "b", "buy"),
        (date(2024, 3, 1), "b", "sell"),
        (date(2024, 3, 1), "c", "buy"),
        (date(2024, 4, 1), "b", "buy"),
        (date(2024, 4, 1), "c", "sell"),
    ]


def test_score_and_rank_are_those_of_the_day():
    best = best_of_each_period(market(**SCORES), pl.col("value"), top=2, every="month")
    (row,) = best.filter(symbol="c", side="buy").to_dicts()
    assert (row["score"], row["rank"]) == (2.0, 2)


def test_a_stock_without_a_row_on_the_day_leaves():
    gone = {**SCORES, "a": [9.0, 3.0, 1.0, None, 1.0, 3.0]}
    assert (date(2024, 3, 1), "a", "sell") in signals(market(**gone))
    assert (date(2024, 4, 1), "a", "buy") in signals(market(**gone))


def test_why_a_stock_is_sold_is_its_rank_of_the_day_or_why_it_has_none():
    def why(scores, **options):
        best = best_of_each_period(market(**scores), pl.col("value"), top=2, every="month", **options)
        (row,) = best.filter(symbol="b", date=date(2024, 3, 1), side="sell").to_dicts()
        return row["score"], row["rank"], row["ranked"], row["not_ranked"]

    assert why(SCORES) == (None, 3, 3, None)
    assert why({**SCORES, "b": [9.0, 2.0, 9.0, None, 1.0, 2.0]}) == (None, None, None, "no_trade")
    assert why({**SCORES, "b": [9.0, 2.0, 9.0, float("nan"), 1.0, 2.0]}) == (None, None, None, "no_score")
    assert why(SCORES, eligible=pl.col("value") != 1.0) == (None, None, None, "not_eligible")


def test_what_is_not_eligible_or_has_no_score_is_not_ranked():
    unknown = {**SCORES, "a": [float("nan")] * 6}
    assert "a" not in {symbol for _, symbol, _ in signals(market(**unknown))}
    assert "a" not in {symbol for _, symbol, _ in signals(market(**SCORES), eligible=pl.col("symbol") != "a")}


def test_each_day_and_each_week_are_periods_too():
    assert {day for day, _, _ in signals(market(**SCORES), top=1, every="day")} == set(DAYS[1:4])
    # 31 January to 2 February 2024 are one week, and 1 March is a Friday.
    assert {day for day, _, _ in signals(market(**SCORES), top=3, every="week")} == {date(2024, 3, 1)}
