"""Every indicator of the catalogue on real symbols, against MyTT, TA-Lib and an interpreter of 通达信's formulas.

The symbols: one with 23 days of suspension, one with a listing, and one that began with 27 days of one price each; all
have ex-dividend days.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import MyTT
import numpy as np
import polars as pl
import pytest
import talib
import tdxformula

from mystocks_dagster.market.catalogue.calculation import Calculation, of_catalogue
from mystocks_dagster.market.catalogue.registry import CATALOGUE, NAMES, STANDARD
from mystocks_dagster.market.formulas.evaluation import Bars, evaluate
from mystocks_dagster.market.formulas.plan import plan
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY

pytestmark = pytest.mark.slow

RAW = Path(__file__).parents[4] / "shared" / "data" / "baostock_raw_20200102_20250407.parquet"
real = pytest.mark.skipif(not RAW.exists(), reason="no real archive beside the project")
SYMBOLS = ("sz.000425", "sh.688472", "sh.603392")

Series = Mapping[str, np.ndarray]


def adjusted(rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return the traded bars by hand: the stated previous close against the last close adjusts."""
    close, before = rows["close"].to_numpy(), rows["preclose"].to_numpy()
    factor = np.concatenate([[1.0], np.cumprod(close[:-1] / before[1:])])
    assert (factor[1:] != factor[:-1]).any()
    traded = rows["tradestatus"].to_numpy() == 1
    bars = {name.upper(): (rows[name].to_numpy() * factor)[traded] for name in ("open", "high", "low", "close")}
    others = {"VOL": "volume", "AMOUNT": "amount", "TURNOVER": "turn"}
    return bars | {name: rows[column].cast(pl.Float64).to_numpy()[traded] for name, column in others.items()}


@pytest.fixture(scope="module")
def market() -> dict[str, tuple[Series, Series]]:
    """Symbol to its bars and all columns of the catalogue."""
    rows = pl.read_parquet(RAW).filter(pl.col("code").is_in(SYMBOLS)).sort("code", "date")
    listed = [calculation for name in CATALOGUE for calculation in of_catalogue(name)]
    everything = plan(*((item.formula, (), tuple(item.columns.items())) for item in listed))
    results = {}
    for symbol in SYMBOLS:
        bars = adjusted(rows.filter(code=symbol))
        results[symbol] = bars, evaluate(everything, Bars(np.array([0, len(bars["CLOSE"])]), bars))
    return results


def agree(ours: np.ndarray, theirs: Any, atol: float, rtol: float = 1e-9, least: float = 0.6) -> None:
    """Compare where both have a value, which must be most of the bars."""
    theirs = np.asarray(theirs, dtype=float)
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.mean() >= least
    np.testing.assert_allclose(ours[both], theirs[both], rtol=rtol, atol=atol)


def mytt(function: Callable[..., Any], *names: str, **parameters: float) -> Callable[[Series], Any]:
    return lambda bars: function(*(bars[name] for name in names), **parameters)


OHLC = ("OPEN", "CLOSE", "HIGH", "LOW")
#: Column(s) to MyTT's function, and the tolerance: MyTT rounds some to three decimals.
MYTT: list[tuple[tuple[str, ...], Callable[[Series], Any], float]] = [
    (("ma20",), mytt(MyTT.MA, "CLOSE", N=20), 1e-9),
    (("ema12", "ema50"), mytt(MyTT.EXPMA, "CLOSE"), 1e-9),
    (("macd_dif", "macd_dea", "macd"), mytt(MyTT.MACD, "CLOSE"), 0.00051),
    (("dma_dif", "dma_ma"), mytt(MyTT.DFMA, "CLOSE"), 1e-9),
    (("bbi",), mytt(MyTT.BBI, "CLOSE", M4=24), 1e-9),
    (("trix", "trix_ma"), mytt(MyTT.TRIX, "CLOSE", M2=9), 1e-9),
    (("dmi_pdi", "dmi_mdi", "dmi_adx", "dmi_adxr"), mytt(MyTT.DMI, "CLOSE", "HIGH", "LOW"), 1e-8),
    (("asi", "asi_t"), mytt(MyTT.ASI, *OHLC), 1e-8),
    (("dpo", "dpo_ma"), mytt(MyTT.DPO, "CLOSE"), 1e-9),
    (("boll_mid",), lambda bars: (MyTT.BOLL(bars["CLOSE"])[1],), 0.00051),
    (
        ("keltner_upper", "keltner_mid", "keltner_lower"),
        mytt(MyTT.KTN, "CLOSE", "HIGH", "LOW"),
        1e-9,
    ),
    (("atr14",), mytt(MyTT.ATR, "CLOSE", "HIGH", "LOW", N=14), 1e-9),
    (("taq20_upper", "taq20_mid", "taq20_lower"), mytt(MyTT.TAQ, "HIGH", "LOW", N=20), 1e-9),
    (("mass", "mass_ma"), mytt(MyTT.MASS, "HIGH", "LOW"), 1e-9),
    (("kdj_k", "kdj_d", "kdj_j"), mytt(MyTT.KDJ, "CLOSE", "HIGH", "LOW"), 1e-6),
    (("rsi12",), mytt(MyTT.RSI, "CLOSE", N=12), 0.00051),
    (("wr10", "wr6"), mytt(MyTT.WR, "CLOSE", "HIGH", "LOW"), 0.00051),
    (("cci14",), mytt(MyTT.CCI, "CLOSE", "HIGH", "LOW"), 1e-8),
    (("bias6", "bias12", "bias24"), mytt(MyTT.BIAS, "CLOSE"), 0.00051),
    (("roc", "roc_ma"), mytt(MyTT.ROC, "CLOSE"), 1e-9),
    (("mtm", "mtm_ma"), mytt(MyTT.MTM, "CLOSE"), 1e-9),
    (("psy", "psy_ma"), mytt(MyTT.PSY, "CLOSE"), 0.00051),
    (("arbr_ar", "arbr_br"), mytt(MyTT.BRAR, *OHLC), 1e-7),
    (("obv",), mytt(MyTT.OBV, "CLOSE", "VOL"), 1e-6),
    (("mfi14",), mytt(MyTT.MFI, "CLOSE", "HIGH", "LOW", "VOL"), 1e-8),
    (("emv", "emv_ma"), mytt(MyTT.EMV, "HIGH", "LOW", "VOL"), 1e-9),
]


@real
@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize(("columns", "reference", "atol"), MYTT, ids=[row[0][0] for row in MYTT])
def test_mytt_has_the_same_values(market, columns, reference, atol, symbol):
    bars, computed = market[symbol]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = reference(bars)
    for column, theirs in zip(columns, expected if isinstance(expected, tuple) else (expected,), strict=True):
        agree(computed[column], theirs, atol)


def settled(function: Callable[..., Any], *arguments: Any, **parameters: Any) -> Callable[[], np.ndarray]:
    """TA-Lib starts its recursions with a mean: leave out the bars on which that is felt."""

    def values() -> np.ndarray:
        result = np.array(function(*arguments, **parameters))
        result[:800] = np.nan
        return result

    return values


#: Column to TA-Lib's function, and a scale. Others differ by convention, which the notes of the catalogue say.
TALIB: Mapping[str, Callable[[Series], Any]] = {
    "ma60": lambda bars: talib.SMA(bars["CLOSE"], 60),
    "vol_ma5": lambda bars: talib.SMA(bars["VOL"], 5),
    "ema12": lambda bars: settled(talib.EMA, bars["CLOSE"], 12)(),
    "macd_dif": lambda bars: settled(lambda x: talib.MACD(x)[0], bars["CLOSE"])(),
    "macd": lambda bars: settled(lambda x: 2 * talib.MACD(x)[2], bars["CLOSE"])(),
    "rsi6": lambda bars: settled(talib.RSI, bars["CLOSE"], 6)(),
    "trix": lambda bars: settled(talib.TRIX, bars["CLOSE"], 12)(),
    "wr10": lambda bars: -talib.WILLR(bars["HIGH"], bars["LOW"], bars["CLOSE"], 10),
    "cci14": lambda bars: talib.CCI(bars["HIGH"], bars["LOW"], bars["CLOSE"], 14),
    "roc": lambda bars: talib.ROC(bars["CLOSE"], 12),
    "mtm": lambda bars: talib.MOM(bars["CLOSE"], 12),
    "obv": lambda bars: (talib.OBV(bars["CLOSE"], bars["VOL"]) - bars["VOL"][0]) / 10_000,
    "boll_upper": lambda bars: talib.SMA(bars["CLOSE"], 20) + 2 * np.sqrt(20 / 19) * talib.STDDEV(bars["CLOSE"], 20),
    "taq20_upper": lambda bars: talib.MAX(bars["HIGH"], 20),
    "atr14_mtr": lambda bars: talib.TRANGE(bars["HIGH"], bars["LOW"], bars["CLOSE"]),
}


@real
@pytest.mark.parametrize("column", TALIB)
def test_ta_lib_has_the_same_values_where_conventions_agree(market, column):
    bars, computed = market["sz.000425"]
    agree(computed[column], TALIB[column](bars), atol=1e-6, rtol=1e-7, least=0.15)


#: Outputs that tdxformula 0.5.1 does not compute: a mean or a recursion over a series that begins without values.
UNABLE = {"mike_midr", "mike_wekr", "mike_weks", "mike_mids", "osc_ma", "cr_ma1", "cr_ma2", "cr_ma3", "cr_ma4", "vr_ma"}
#: It has no SAR, DRAWNULL and EXPMEMA, and another DMA.
UNKNOWN = {"SAR", "XSII", "KDJ", "OSC"}


def as_written(calculation: Calculation) -> str:
    """Return the formula with its parameters' values."""
    text = calculation.text.replace(",COLORSTICK", "").replace("HSL,", "TURNOVER,")
    for name, value in calculation.values.items():
        text = re.sub(rf"\b{name}\b", f"{value:g}", text)
    return text


@real
@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in UNKNOWN])
def test_an_interpreter_of_formulas_has_the_same_values(market, name, symbol):
    bars, computed = market[symbol]
    for calculation in of_catalogue(name)[:1]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            expected = tdxformula.eval_formula(as_written(calculation), dict(bars))
        for output, column in calculation.columns.items():
            if column not in UNABLE:
                scale = np.nanmax(np.abs(computed[column]))
                agree(computed[column], expected[output], atol=1e-9 * max(1.0, scale))


@real
def test_vr_counts_unchanged_bars_half_as_the_manual_says(market):
    bars, computed = market["sh.603392"]
    moves, volume = np.sign(np.diff(bars["CLOSE"])), bars["VOL"][1:]
    at = 500
    rising, falling, same = (volume[at - 26 : at][moves[at - 26 : at] == sign].sum() for sign in (1, -1, 0))
    assert computed["vr"][at] == pytest.approx(100 * (2 * rising + same) / (2 * falling + same))


@real
def test_the_adaptive_average_of_xsii_follows_its_definition(market):
    bars, computed = market["sh.688472"]
    typical, close = (2 * bars["CLOSE"] + bars["HIGH"] + bars["LOW"]) / 4, bars["CLOSE"]
    mean = MyTT.MA(close, 20)
    weight, line = np.abs(typical - mean) / mean, np.nan
    for at in range(19, 200):
        line = close[at] if np.isnan(line) else weight[at] * close[at] + (1 - weight[at]) * line
    assert computed["xsii_td3"][199] == pytest.approx(1.07 * line)
    assert computed["xsii_td1"][199] == pytest.approx(1.02 * typical[195:200].mean())


def test_the_five_have_the_columns_of_their_tables():
    columns = [column for name in STANDARD for item in of_catalogue(name) for column in item.columns.values()]
    assert columns == [name for name in INDICATORS_DAILY.dtypes if name not in ("symbol", "date", "close_hfq")]


def test_no_two_indicators_share_a_column_or_a_name():
    columns = [column for name in CATALOGUE for item in of_catalogue(name) for column in item.columns.values()]
    assert len(columns) == len(set(columns))
    assert len(NAMES) == len(set(NAMES))
    assert len(CATALOGUE) >= 40
