"""Every function against an independent answer: tdxformula, MyTT, numpy and polars, or its definition in plain loops.

Real bars with pauses, listings and ex-days; and invented series with NaN, ties and conditions.
"""

from datetime import date, timedelta
from itertools import pairwise
from math import nan
from pathlib import Path

import MyTT
import numpy as np
import pandas as pd
import polars as pl
import pytest
import tdxformula
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import formulas as f

from mystocks_dagster.market.formulas.evaluation import Bars, empty_state, evaluate
from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.syntax import Call, walk
from mystocks_dagster.market.kernels.registry import PRIMITIVES

pytestmark = pytest.mark.slow
RAW = Path(__file__).parents[4] / "shared" / "data" / "baostock_raw_20200102_20250407.parquet"


def whole(array):
    return np.array(array, float)


#: Text of a formula, and its definition on C (values with NaN and ties), O (the same), V (conditions), H and L.
DEFINITIONS = {
    "REF(C,2)": lambda c, **_: np.concatenate(([nan, nan], c))[: len(c)],
    "REFV(C,0)": lambda c, **_: c,
    "REF(C,V)": lambda c, v, **_: [c[i - int(n)] if n == n and i >= n else nan for i, n in enumerate(v)],
    "HHV(C,3)": lambda c, **_: f.highest(c, 3),
    "LLV(C,3)": lambda c, **_: f.lowest(c, 3),
    "HHV(C,0)": lambda c, **_: f.highest(c, 0),
    "LLV(C,0)": lambda c, **_: f.lowest(c, 0),
    "HHV(C,V+1)": lambda c, v, **_: f.varying(f.highest, c, v + 1),
    "LLV(C,V)": lambda c, v, **_: f.varying(f.lowest, c, v),
    "HHVBARS(C,3)": lambda c, **_: f.bars_to(c, 3, max),
    "LLVBARS(C,4)": lambda c, **_: f.bars_to(c, 4, min),
    "HHVBARS(C,0)": lambda c, **_: f.bars_to(c, 0, max),
    "LLVBARS(C,0)": lambda c, **_: f.bars_to(c, 0, min),
    "HHVBARS(C,V)": lambda c, v, **_: f.varying(lambda x, n: f.bars_to(x, n, max), c, v),
    "HOD(C,4)": lambda c, **_: f.rank(c, 4, 1),
    "LOD(C,0)": lambda c, **_: f.rank(c, 0, -1),
    "SUM(C,3)": lambda c, **_: f.over(sum)(c, 3),
    "SUM(C,0)": lambda c, **_: f.so_far(sum)(c),
    "MULAR(C,3)": lambda c, **_: f.over(np.prod)(c, 3),
    "MULAR(C,0)": lambda c, **_: f.so_far(np.prod)(c),
    "SUMBARS(H,O)": lambda h, o, **_: f.sum_bars(h, o),
    "BARSLAST(V)": lambda v, **_: f.last_true(v),
    "BARSLASTS(V,3)": lambda v, **_: f.nth_true(v, 3),
    "BARSSINCE(V)": lambda v, **_: f.first_true(v),
    "BARSSINCEN(V,3)": lambda v, **_: f.first_true_within(v, 3),
    "BARSLASTCOUNT(V)": lambda v, **_: f.run_length(v),
    "BARSCOUNT(C)": lambda c, **_: f.first_true(~np.isnan(c)) + 1,
    "TOPRANGE(C)": lambda c, **_: f.top_range(c, 1),
    "LOWRANGE(C)": lambda c, **_: f.top_range(c, -1),
    "FINDHIGH(C,1,3,2)": lambda c, **_: f.found(c, 1, 3, 2, 1, False),
    "FINDLOW(C,0,3,1)": lambda c, **_: f.found(c, 0, 3, 1, -1, False),
    "FINDHIGHBARS(C,2,4,1)": lambda c, **_: f.found(c, 2, 4, 1, 1, True),
    "FINDLOWBARS(C,1,3,2)": lambda c, **_: f.found(c, 1, 3, 2, -1, True),
    "VALUEWHEN(V,C)": lambda v, c, **_: f.value_when(v, c),
    "MA(C,3)": lambda c, **_: f.over(np.mean)(c, 3),
    "MA(C,V)": lambda c, v, **_: f.varying(f.over(np.mean), c, np.where(v > 0, v, nan)),
    "EMA(C,3)": lambda c, **_: f.recursion(c, lambda _, y, x: (2 * x + 2 * y) / 4),
    "EMA(C,H)": lambda c, h, **_: f.recursion(c, lambda i, y, x: (2 * x + (int(h[i]) - 1) * y) / (int(h[i]) + 1)),
    "EXPMEMA(C,3)": lambda c, **_: f.seeded(c, 3),
    "SMA(C,5,2)": lambda c, **_: f.recursion(c, lambda _, y, x: (2 * x + 3 * y) / 5),
    "SMA(C,H+1,1)": lambda c, h, **_: f.recursion(c, lambda i, y, x: (x + int(h[i]) * y) / (int(h[i]) + 1)),
    "MEMA(C,4)": lambda c, **_: f.recursion(c, lambda _, y, x: (x + 3 * y) / 4),
    "WMA(C,3)": lambda c, **_: f.over(lambda w: (w[0] + 2 * w[1] + 3 * w[2]) / 6)(c, 3),
    "DMA(C,0.3)": lambda c, **_: f.recursion(c, lambda _, y, x: 0.3 * x + 0.7 * y),
    "AMA(C,1/H)": lambda c, h, **_: f.recursion(c, lambda i, y, x: x / h[i] + (1 - 1 / h[i]) * y),
    "TMA(C,0.9,0.1)": lambda c, **_: f.recursion(c, lambda _, y, x: 0.9 * y + 0.1 * x),
    "CROSS(C,O)": lambda c, o, **_: [i > 0 and c[i] > o[i] and c[i - 1] <= o[i - 1] for i in range(len(c))],
    "LONGCROSS(C,O,2)": lambda c, o, **_: f.crossing(c, o, 2),
    "COUNT(V,3)": lambda v, **_: f.over(sum)([f.true(x) for x in v], 3),
    "COUNT(V,0)": lambda v, **_: np.cumsum([f.true(x) for x in v]),
    "EVERY(V,2)": lambda v, **_: f.run_length(v) >= 2,
    "EVERY(V,H)": lambda v, h, **_: f.run_length(v) >= np.trunc(h),
    "EXIST(V,3)": lambda v, **_: f.last_true(v) < 3,
    "EXISTR(V,4,2)": lambda v, **_: f.any_between(v, 4, 2),
    "EXISTR(V,0,2)": lambda v, **_: f.any_between(v, 0, 2),
    "LAST(V,3,1)": lambda v, **_: f.all_between(v, 3, 1),
    "LAST(V,0,1)": lambda v, **_: f.all_between(v, 0, 1),
    "NDAY(C,O,2)": lambda c, o, **_: f.run_length(c > o) >= 2,
    "UPNDAY(C,2)": lambda c, **_: f.run_length(np.concatenate(([False], c[1:] > c[:-1]))) >= 2,
    "DOWNNDAY(C,2)": lambda c, **_: f.run_length(np.concatenate(([False], c[1:] < c[:-1]))) >= 2,
    "FILTER(V,2)": lambda v, **_: f.filtered(v, 2),
    "TFILTER(V,C>O,0)": lambda v, c, o, **_: f.alternating(v, c > o),
    "TFILTER(V,C>O,1)": lambda v, c, o, **_: f.alternating(v, c > o) == 1,
    "TFILTER(V,C>O,2)": lambda v, c, o, **_: f.alternating(v, c > o) == 2,
    "BETWEEN(C,O,2)": lambda c, o, **_: (c >= np.minimum(o, 2)) & (c <= np.maximum(o, 2)),
    "RANGE(C,O,2)": lambda c, o, **_: (c > o) & (c < 2),
    "IF(V,C,O)": lambda v, c, o, **_: [y if f.true(x) else z for x, y, z in zip(v, c, o, strict=True)],
    "IFF(C>O,1,2)": lambda c, o, **_: np.where(c > o, 1, 2),
    "IFN(V,C,O)": lambda v, c, o, **_: [z if f.true(x) else y for x, y, z in zip(v, c, o, strict=True)],
    "ISVALID(C)": lambda c, **_: ~np.isnan(c),
    "NOT(V)": lambda v, **_: [not f.true(x) for x in v],
    "ISUP+2*ISDOWN+3*ISEQUAL": lambda c, o, **_: np.where(c > o, 1, np.where(c < o, 2, np.where(c == o, 3, 0))),
    "MAX6(C,O,H,L,1,2)": lambda c, o, h, low, **_: np.max([c, o, h, low, c * 0 + 1, c * 0 + 2], axis=0),
    "MIN6(C,O,H,L,1,2)": lambda c, o, h, low, **_: np.min([c, o, h, low, c * 0 + 1, c * 0 + 2], axis=0),
    "POW(C,2)+SQRT(H)": lambda c, h, **_: c**2 + h**0.5,
    "LN(H)+LOG(L)+EXP(C)": lambda c, h, low, **_: np.log(h) + np.log10(low) + np.exp(c),
    "SQRT(C)": lambda c, **_: [x**0.5 if x >= 0 else nan for x in c],
    "SIN(C)+COS(C)+TAN(C)": lambda c, **_: np.sin(c) + np.cos(c) + np.tan(c),
    "ASIN(C/9)+ACOS(C/9)+ATAN(C)": lambda c, **_: np.pi / 2 + np.arctan(c),
    "MOD(C,3)": lambda c, **_: [nan if x != x else np.sign(x) * (abs(x) % 3) for x in c],
    "CEILING(C)+FLOOR(O)": lambda c, o, **_: np.ceil(c) + np.floor(o),
    "INTPART(C)": lambda c, **_: np.trunc(c),
    "FRACPART(C)": lambda c, **_: c - np.trunc(c),
    "ROUND(C)": lambda c, **_: np.sign(c) * np.floor(abs(c) + 0.5),
    "ROUND2(C/4,1)": lambda c, **_: np.sign(c) * np.floor(abs(c) * 2.5 + 0.5) / 10,
    "SIGN(C)+10*SGN(O)": lambda c, o, **_: np.sign(c) + 10 * np.sign(o),
    "REVERSE(C)+ABS(C)": lambda c, **_: abs(c) - c,
    "DRAWNULL+C": lambda c, **_: c * nan,
    "STD(C,3)": lambda c, **_: f.over(lambda w: np.std(w, ddof=1))(c, 3),
    "STD(C,V+1)": lambda c, v, **_: f.varying(f.over(lambda w: np.std(w, ddof=1)), c, np.where(v > 0, 2, nan)),
    "STDP(C,3)": lambda c, **_: f.over(np.std)(c, 3),
    "DATETODAY(901222+C)": lambda c, **_: [int(3 + x) if x >= -3 else nan for x in c],
    "DAYTODATE(C)": lambda c, **_: [901219 + int(x) if x >= 0 else nan for x in c],
    "VAR(C,3)": lambda c, **_: f.over(lambda w: np.var(w, ddof=1))(c, 3),
    "VARP(C,3)": lambda c, **_: f.over(np.var)(c, 3),
    "DEVSQ(C,3)": lambda c, **_: f.over(lambda w: sum((w - w.mean()) ** 2))(c, 3),
    "AVEDEV(C,3)": lambda c, **_: f.over(lambda w: np.mean(abs(w - w.mean())))(c, 3),
    "SLOPE(C,4)": lambda c, **_: f.over(lambda w: f.line(w)[0])(c, 4),
    "FORCAST(C,4)": lambda c, **_: f.over(lambda w: np.polyval(f.line(w), 3))(c, 4),
    "COVAR(C,O,3)": lambda c, o, **_: f.relation(c, o, 3, lambda a, b: np.cov(a, b, ddof=0)[0, 1]),
    "RELATE(C,O,3)": lambda c, o, **_: f.relation(c, o, 3, f.correlation),
    "TR": lambda h, low, c, **_: f.true_range(h, low, c),
    "REFX(C,2)": lambda c, **_: np.concatenate((c, [nan, nan]))[2:],
    "REFXV(C,1)": lambda c, **_: np.concatenate((c, [nan]))[1:],
    "BACKSET(V,2)": lambda v, **_: [any(map(f.true, v[i : i + 2])) for i in range(len(v))],
    "BACKSET(V,H)": lambda v, h, **_: f.marked(v, h),
    "REFX(C,V)": lambda c, v, **_: [c[i + int(n)] if n == n and i + n < len(c) else nan for i, n in enumerate(v)],
    "FILTERX(V,2)": lambda v, **_: f.filtered(v[::-1], 2)[::-1],
    "BARSNEXT(V)": lambda v, **_: f.last_true(v[::-1])[::-1],
    "XMA(C,4)": lambda c, **_: f.around(c, 4),
    "CONST(C)": lambda c, **_: np.full(len(c), c[-1]),
    "CURRBARSCOUNT": lambda c, **_: np.arange(len(c), 0, -1),
    "TOTALBARSCOUNT": lambda c, **_: np.full(len(c), len(c)),
    "ISLASTBAR": lambda c, **_: np.arange(len(c)) == len(c) - 1,
    "BARSTATUS": lambda c, **_: [2 if i == len(c) - 1 else int(i == 0) for i in range(len(c))],
}  # fmt: skip

#: None is nearer to an integer than decimals are written, where ROUND and FLOOR see the integer.
HALVES, THOUSANDTHS = st.integers(-6, 6).map(lambda x: x / 2), st.integers(-9000, 9000).map(lambda x: x / 1000)
VALUES = st.one_of(st.just(nan), HALVES, THOUSANDTHS)


@st.composite
def symbols(draw):
    """Columns of one to three symbols, end to end, and their offsets."""
    lengths = draw(st.lists(st.integers(1, 14), min_size=1, max_size=3))
    rows = sum(lengths)

    def column(values):
        return np.array(draw(st.lists(values, min_size=rows, max_size=rows)), float)

    low = column(st.integers(1, 8))
    columns = {
        "CLOSE": column(VALUES),
        "OPEN": column(VALUES),
        "VOL": column(st.sampled_from([0.0, 1.0, 1.0, nan])),
        "LOW": low,
        "HIGH": low + column(st.integers(0, 3)),
    }
    return columns, np.concatenate(([0], np.cumsum(lengths)))


NAMES = {"c": "CLOSE", "o": "OPEN", "v": "VOL", "h": "HIGH", "low": "LOW"}


def expected(text, columns, offsets):
    parts = []
    for start, end in pairwise(offsets):
        names = {"c": "CLOSE", "o": "OPEN", "v": "VOL", "h": "HIGH", "low": "LOW"}
        with np.errstate(all="ignore"):
            parts.append(
                whole(DEFINITIONS[text](**{name: columns[column][start:end] for name, column in names.items()}))
            )
    return np.concatenate(parts)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(symbols())
def test_each_function_is_its_definition_on_series_with_gaps(case):
    columns, offsets = case
    ours = f.computed(list(DEFINITIONS), columns, offsets)
    for text in DEFINITIONS:
        np.testing.assert_allclose(
            ours[text], expected(text, columns, offsets), rtol=1e-9, atol=1e-9, equal_nan=True, err_msg=text
        )


def halves(columns, offsets, part):
    """The first rows of each symbol, and the rest."""
    middles = offsets[:-1] + np.floor((offsets[1:] - offsets[:-1]) * part).astype(int)
    for begins, ends in ((offsets[:-1], middles), (middles, offsets[1:])):
        rows = np.concatenate([np.arange(begin, end) for begin, end in zip(begins, ends, strict=True)]).astype(int)
        yield (
            Bars(np.concatenate(([0], np.cumsum(ends - begins))), {name: x[rows] for name, x in columns.items()}),
            rows,
        )


CARRIED = [text for text in (*DEFINITIONS, "SAR(3,2,20)", "SARTURN(2,5,20)") if f.planned([text]).carried]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(symbols(), st.floats(0, 1))
def test_two_halves_with_carried_state_are_one_pass_bit_for_bit(case, part):
    columns, offsets = case
    planned = f.planned(CARRIED)
    whole_history = evaluate(planned, Bars(offsets, columns))
    state = empty_state(planned, len(offsets) - 1)
    for bars, rows in halves(columns, offsets, part):
        for text, values in evaluate(planned, bars, state).items():
            np.testing.assert_array_equal(values, whole_history[text][rows], err_msg=text)


def test_the_registry_says_which_functions_are_carried_on_and_which_look_ahead():
    for text in DEFINITIONS:
        (statement,) = parse_formula(text).statements
        used = [FUNCTIONS[part.function] for part in walk(statement.expression) if isinstance(part, Call)]
        # Without a bound on the rows that are compared, no state carries them on.
        varies = text.endswith((",V)", ",V+1)")) or text == "LOD(C,0)"
        assert f.planned([text]).carried == (all(function.carried for function in used) and not varies), text
        assert any(function.looks_ahead for function in used) == (
            any(FUNCTIONS[part].looks_ahead for part in used_names(text))
        )


def used_names(text):
    return [name for name in FUNCTIONS if name in set("".join(c if c.isalnum() else " " for c in text).split())]


def test_every_function_can_be_computed_and_has_its_row():
    shown = {name for text in (*DEFINITIONS, *TDXFORMULA, *MYTT, *OTHERS) for name in used_names(text)}
    assert FUNCTIONS.keys() - shown == set()
    assert all(FUNCTIONS[name].definition or name in PRIMITIVES for name in FUNCTIONS)


#: tdxformula computes the same text. The number is the first bar from which it agrees: at the start it has partial
#: windows, or 0 for a count that is not complete.
TDXFORMULA = {
    "MA(CLOSE,5)": 0, "EMA(CLOSE,12)": 0, "SMA(CLOSE,6,1)": 0, "DMA(CLOSE,0.2)": 0, "WMA(CLOSE,10)": 0,
    "REF(CLOSE,3)": 0, "HHV(HIGH,20)": 0, "LLV(LOW,20)": 0, "HHV(HIGH,0)": 0, "LLV(LOW,0)": 0,
    "SUM(VOL,10)": 9, "SUM(VOL,0)": 0, "STD(CLOSE,20)": 19, "VAR(CLOSE,20)": 19,
    "AVEDEV(CLOSE,14)": 13, "DEVSQ(CLOSE,10)": 9, "SLOPE(CLOSE,10)": 0, "FORCAST(CLOSE,10)": 0,
    "COUNT(CLOSE>OPEN,10)": 9, "EVERY(CLOSE>OPEN,3)": 0, "EXIST(CLOSE>OPEN,3)": 2,
    "CROSS(EMA(CLOSE,5),EMA(CLOSE,9))": 1,
    "BARSLAST(CLOSE>1.05*REF(CLOSE,1))": 0, "BARSCOUNT(MA(CLOSE,5))": 4, "FILTER(CLOSE>OPEN,5)": 0,
    "UPNDAY(CLOSE,3)": 0, "DOWNNDAY(CLOSE,3)": 0, "NDAY(CLOSE,OPEN,3)": 0, "BACKSET(CLOSE>OPEN,3)": 0,
    "REFX(CLOSE,3)": 0, "ISLASTBAR": 0, "TOTALBARSCOUNT": 0, "CURRBARSCOUNT": 0,
    "YEAR": 0, "MONTH": 0, "DAY": 0, "WEEKDAY": 0, "DATE-100*0": 0,
    "ABS(CLOSE-OPEN)": 0, "MAX(CLOSE,OPEN)": 0, "MIN(CLOSE,OPEN)": 0, "IF(CLOSE>OPEN,HIGH,LOW)": 0, "POW(CLOSE,2)": 0,
    "SQRT(CLOSE)": 0, "EXP(CLOSE/100)": 0, "LN(CLOSE)": 0, "LOG(CLOSE)": 0, "MOD(VOL,7)": 0, "SIGN(CLOSE-OPEN)": 0,
}  # fmt: skip

MYTT = {
    "MA(CLOSE,5)": lambda d: MyTT.MA(d["CLOSE"], 5),
    "EMA(CLOSE,12)": lambda d: MyTT.EMA(d["CLOSE"], 12),
    "SMA(CLOSE,5,2)": lambda d: MyTT.SMA(d["CLOSE"], 5, 2),
    "WMA(CLOSE,10)": lambda d: MyTT.WMA(d["CLOSE"], 10),
    "DMA(CLOSE,0.1)": lambda d: MyTT.DMA(d["CLOSE"], 0.1),
    "STDP(CLOSE,20)": lambda d: MyTT.STD(d["CLOSE"], 20),
    "AVEDEV(CLOSE,14)": lambda d: MyTT.AVEDEV(d["CLOSE"], 14),
    "SLOPE(CLOSE,10)": lambda d: MyTT.SLOPE(d["CLOSE"], 10),
    "FORCAST(CLOSE,10)": lambda d: MyTT.FORCAST(d["CLOSE"], 10),
    "SUM(VOL,10)": lambda d: MyTT.SUM(d["VOL"], 10),
    "COUNT(CLOSE>OPEN,10)": lambda d: MyTT.COUNT(d["CLOSE"] > d["OPEN"], 10),
    "EVERY(CLOSE>OPEN,3)": lambda d: MyTT.EVERY(d["CLOSE"] > d["OPEN"], 3),
    "CROSS(EMA(CLOSE,5),EMA(CLOSE,20))": lambda d: MyTT.CROSS(MyTT.EMA(d["CLOSE"], 5), MyTT.EMA(d["CLOSE"], 20)),
    "CONST(CLOSE)": lambda d: MyTT.CONST(d["CLOSE"]),
    "FILTER(CLOSE>OPEN,5)": lambda d: MyTT.FILTER((d["CLOSE"] > d["OPEN"]).astype(int), 5),
    "VALUEWHEN(CLOSE>OPEN,HIGH)": lambda d: MyTT.VALUEWHEN(d["CLOSE"] > d["OPEN"], d["HIGH"]),
}
#: From the first full window: before it MyTT has no value, or takes what it does not know as true.
MYTT_LATER = {
    "LONGCROSS(CLOSE,EMA(CLOSE,9),3)": lambda d: MyTT.LONGCROSS(d["CLOSE"], MyTT.EMA(d["CLOSE"], 9), 3),
    "HHVBARS(HIGH,20)": lambda d: MyTT.HHVBARS(d["HIGH"], 20),
    "LLVBARS(LOW,20)": lambda d: MyTT.LLVBARS(d["LOW"], 20),
    "LAST(CLOSE>OPEN,19,17)": lambda d: MyTT.LAST(d["CLOSE"] > d["OPEN"], 19, 17),
    "BARSSINCEN(CLOSE>OPEN,20)": lambda d: MyTT.BARSSINCEN(d["CLOSE"] > d["OPEN"], 20),
}
#: Checked below by hand calculations.
OTHERS = ("SAR(3,2,20)", "SARTURN(2,5,20)", "ZIG(3,10)", "PEAK(C,10,1)", "PEAKBARS(3,10,1)", "TROUGH(C,10,1)",
          "TROUGHBARS(3,10,2)", "EXPMA(C,5)")  # fmt: skip


@pytest.fixture(scope="module")
def market():
    """Adjusted bars of six real symbols on the days on which they traded: listings, pauses and ex-days among them."""
    if not RAW.exists():
        pytest.skip("no real archive beside the project")
    raw = pl.read_parquet(RAW).with_columns(pl.col("date").str.to_date()).sort("code", "date")
    pauses = raw.group_by("code").agg(pl.col("tradestatus").eq(0).sum().alias("pauses"), pl.len().alias("days"))
    chosen = [
        *pauses.sort("pauses", "code", descending=True)["code"][:2],
        *pauses.sort("days", "code")["code"][:2],
        "sh.600519",
        "sz.000001",
    ]
    bars = (
        raw.filter(pl.col("tradestatus") == 1, pl.col("code").is_in(chosen))
        .with_columns(ratio=(pl.col("close").shift(1) / pl.col("preclose")).fill_null(1).over("code"))
        .with_columns(factor=pl.col("ratio").cum_prod().over("code"))
        .group_by("code", maintain_order=True)
        .tail(600)
    )
    assert pauses["pauses"].max() > 10
    assert (bars["ratio"] > 1.001).sum() >= 6
    return [
        {
            **{name.upper(): (part[name] * part["factor"]).to_numpy() for name in ("open", "high", "low", "close")},
            "VOL": part["volume"].cast(float).to_numpy(),
            "#DAY": part["date"].to_physical().cast(float).to_numpy(),
            "dates": part["date"].to_list(),
        }
        for part in bars.partition_by("code", maintain_order=True)
    ]


def on_market(texts, market):
    """Our values of each text for each symbol, computed end to end."""
    columns = {name: np.concatenate([d[name] for d in market]) for name in market[0] if name != "dates"}
    offsets = np.concatenate(([0], np.cumsum([len(d["CLOSE"]) for d in market])))
    values = f.computed(texts, columns, offsets)
    for number, bars in enumerate(market):
        yield bars, {text: values[text][offsets[number] : offsets[number + 1]] for text in texts}


def test_functions_are_tdxformulas_on_real_bars(market):
    for bars, ours in on_market(list(TDXFORMULA), market):
        days = bars["dates"]
        env = {name: bars[name] for name in ("OPEN", "HIGH", "LOW", "CLOSE", "VOL")}
        for text, first in TDXFORMULA.items():
            # It divides nothing, so a bare condition is given as a number.
            theirs = tdxformula.eval_formula(f"OUT:{text};", {**env, "__dates__": days, "__len__": len(days)})["OUT"]
            theirs = np.broadcast_to(whole(theirs), len(days)) - (19_000_000 if text.startswith("DATE") else 0)
            np.testing.assert_allclose(ours[text][first:], theirs[first:], rtol=1e-9, atol=1e-9, err_msg=text)


def test_functions_are_mytts_on_real_bars(market):
    for bars, ours in on_market([*MYTT, *MYTT_LATER], market):
        for text, theirs in MYTT.items():
            np.testing.assert_allclose(ours[text], whole(theirs(bars)), rtol=1e-9, atol=1e-9, err_msg=text)
        for text, theirs in MYTT_LATER.items():
            np.testing.assert_allclose(ours[text][19:], whole(theirs(bars))[19:], rtol=1e-9, err_msg=text)


def test_statistics_are_pandas_on_real_bars(market):
    texts = ["COVAR(C,V,20)", "RELATE(C,V,20)", "MULAR(C/O,5)", "XMA(C,7)"]
    texts += ["MA(C,BARSCOUNT(C))", "SUM(V,BARSCOUNT(C))", "HHV(C,BARSCOUNT(C))", "STD(C,BARSCOUNT(C))"]
    for bars, ours in on_market(texts, market):
        close, volume, opened = (pd.Series(bars[name]) for name in ("CLOSE", "VOL", "OPEN"))
        theirs = {
            "COVAR(C,V,20)": close.rolling(20).cov(volume, ddof=0),
            "RELATE(C,V,20)": close.rolling(20).corr(volume),
            "MULAR(C/O,5)": (close / opened).rolling(5).apply(np.prod),
            "XMA(C,7)": close.rolling(7, center=True, min_periods=1).mean(),
            "MA(C,BARSCOUNT(C))": close.expanding().mean(),
            "SUM(V,BARSCOUNT(C))": volume.expanding().sum(),
            "HHV(C,BARSCOUNT(C))": close.expanding().max(),
            "STD(C,BARSCOUNT(C))": close.expanding().std(),
        }
        for text, values in theirs.items():
            np.testing.assert_allclose(ours[text], values, rtol=1e-7, atol=1e-9, err_msg=text)


def test_sar_is_its_definition_on_real_bars(market):
    texts = ["SAR(10,2,20)", "SARTURN(4,2,20)"]
    for bars, ours in on_market(texts, market):
        np.testing.assert_allclose(ours[texts[0]], f.parabolic(bars["HIGH"], bars["LOW"], 10, 2, 20)[0], rtol=1e-12)
        np.testing.assert_array_equal(ours[texts[1]], f.parabolic(bars["HIGH"], bars["LOW"], 4, 2, 20)[1])


def column(*values):
    return {"CLOSE": whole(values)}


def test_zig_turns_where_the_price_has_turned_by_ten_percent():
    prices = column(100, 105, 112, 108, 100, 95, 99, 106, 104, 120)
    values = f.computed(
        ["ZIG(3,10)", "PEAK(3,10,1)", "PEAKBARS(C,10,1)", "TROUGH(C,10,1)", "TROUGHBARS(3,10,1)"], prices
    )
    # Turns: 112 (100 is more than ten percent below), 95 (106 is more than ten percent above), and the end.
    np.testing.assert_allclose(
        values["ZIG(3,10)"],
        [100, 106, 112, 112 - 17 / 3, 112 - 34 / 3, 95, 101.25, 107.5, 113.75, 120],
    )
    np.testing.assert_array_equal(values["PEAK(3,10,1)"], [nan] * 2 + [112] * 8)
    np.testing.assert_array_equal(values["PEAKBARS(C,10,1)"], [nan] * 2 + list(range(8)))
    np.testing.assert_array_equal(values["TROUGH(C,10,1)"], [nan] * 5 + [95] * 5)
    np.testing.assert_array_equal(values["TROUGHBARS(3,10,1)"], [nan] * 5 + list(range(5)))


def test_sar_follows_a_rise_and_turns_by_hand_calculation():
    high = whole([10, 11, 12, 13, 14, 13, 9, 10])
    columns = {"HIGH": high, "LOW": high - 1, "CLOSE": high, "OPEN": high}
    values = f.computed(["SAR(2,10,20)", "SARTURN(2,10,20)"], columns)
    # Bar 3 begins at the lowest low of two bars; then 10 % of the way to the highest high of the two bars before,
    # 10 % more at each new high up to 20 %. On bar 7 the low 8 is below, so bar 8 begins at the higher high of two.
    sar = [nan, nan, 9]
    sar.append(sar[-1] + 0.2 * (12 - sar[-1]))
    sar.append(sar[-1] + 0.2 * (13 - sar[-1]))
    sar.append(sar[-1] + 0.2 * (14 - sar[-1]))
    sar.append(sar[-1] + 0.2 * (14 - sar[-1]))
    sar.append(13)
    np.testing.assert_allclose(values["SAR(2,10,20)"], sar)
    np.testing.assert_array_equal(values["SARTURN(2,10,20)"], [nan, nan, 0, 0, 0, 0, -1, 0])


def test_decimals_that_binary_cannot_hold_are_rounded_as_written():
    constants = ["ROUND2(2.675,2)", "INTPART(0.29*100)", "ROUND(0-2.5)", "FLOOR(1.1*10)", "CEILING(1.1*10)"]
    values = f.computed(constants, column(1.0))
    assert [float(values[text][0]) for text in constants] == [2.68, 29, -3, 11, 11]


def test_days_are_counted_from_the_first_day_of_shanghai():
    # The manual: DATETODAY(901219) is 0, DAYTODATE(0) is 901219.
    first = date(1990, 12, 19)
    days = [first + timedelta(days=number) for number in range(0, 16_000, 7)]
    written = whole([(day.year - 1900) * 10_000 + day.month * 100 + day.day for day in days])
    counted = whole([(day - first).days for day in days])
    np.testing.assert_array_equal(f.computed(["DATETODAY(C)"], {"CLOSE": written})["DATETODAY(C)"], counted)
    np.testing.assert_array_equal(f.computed(["DAYTODATE(C)"], {"CLOSE": counted})["DAYTODATE(C)"], written)
    columns = {"#DAY": whole([(date(2026, 11, 27) - date(1970, 1, 1)).days])}
    assert f.computed(["DATETODAY(DATE)"], columns)["DATETODAY(DATE)"].tolist() == [(date(2026, 11, 27) - first).days]


@pytest.mark.parametrize("no_day", ["901218", "1260231", "1261301", "1260100", "1250229", "0", "DRAWNULL", "1E9"])
def test_what_is_no_day_has_no_value(no_day):
    text = f"DATETODAY({no_day.replace('1E9', '1000000000')})"
    assert np.isnan(f.computed([text], column(1.0))[text]).all()
    assert np.isnan(f.computed(["DAYTODATE(0-1)"], column(1.0))["DAYTODATE(0-1)"]).all()


def test_dates_are_those_of_the_bar():
    days = [date(1990, 12, 19), date(2000, 2, 29), date(2026, 11, 27), date(1969, 12, 31)]
    columns = {"#DAY": whole([(day - date(1970, 1, 1)) / timedelta(days=1) for day in days])}
    values = f.computed(["DATE", "YEAR", "MONTH", "DAY", "WEEKDAY"], columns)
    assert values["DATE"].tolist() == [901219, 1000229, 1261127, 691231]
    assert values["YEAR"].tolist() == [day.year for day in days]
    assert values["MONTH"].tolist() == [day.month for day in days]
    assert values["DAY"].tolist() == [day.day for day in days]
    assert values["WEEKDAY"].tolist() == [day.isoweekday() for day in days]
