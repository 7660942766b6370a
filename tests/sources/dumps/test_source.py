"""同花顺's market dumps out of a stand-in: bars by year, previous closes out of corporate actions, faults by name."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from standin.dumps import DumpServer

from mystocks_dagster.errors import NotOffered, SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.dumps import SOURCE
from mystocks_dagster.sources.dumps.source import ACTIONS, BARS, RECENT_BARS, DumpsSource

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: 600519 pays 2 CNY a share on 2025-01-02; 000001 gives 3 shares for 10, and 1 for 10 at 5 CNY, after a suspension.
CLOSES = {
    "600519.SH": {"2024-12-30": 100.0, "2024-12-31": 101.0, "2025-01-02": 99.5, "2025-01-03": 100.5},
    "000001.SZ": {"2024-12-30": 14.0, "2025-01-03": 10.5},
    "920001.BJ": {"2024-12-31": 20.0, "2025-01-02": 20.2, "2025-01-03": 19.9},
    "510300.SH": {"2024-12-31": 4.0, "2025-01-02": 4.01},
}
PREVIOUS = {
    ("600519.SH", "2024-12-30"): None,
    ("600519.SH", "2024-12-31"): 100.0,
    ("600519.SH", "2025-01-02"): 99.0,
    ("600519.SH", "2025-01-03"): 99.5,
    ("000001.SZ", "2024-12-30"): None,
    ("000001.SZ", "2025-01-03"): 10.36,  # (14 + 5 x 0.1) / (1 + 0.3 + 0.1) = 10.357…
    ("920001.BJ", "2024-12-31"): None,
    ("920001.BJ", "2025-01-02"): 20.0,
    ("920001.BJ", "2025-01-03"): 20.2,
}


def milliseconds(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def bar(code: str, day: str, close: float, **other: Any) -> dict[str, Any]:
    prices = {"open_price": close, "high_price": close + 0.1, "low_price": close - 0.1, "close_price": close}
    row = {"thscode": code, "currency": "CNY", "interval": "1d", "adjusted": "none", "date_ms": milliseconds(day)}
    return row | prices | {"volume": 1000, "turnover": close * 1000} | other


def action(code: str, day: str, **terms: float) -> dict[str, Any]:
    zero = {"dividend_per_share": 0.0, "per_share_bonus": 0.0, "allotment_ratio": 0.0, "allotment_price": 0.0}
    return {"thscode": code, "ticker": code[:6], "ex_date_ms": milliseconds(day), "currency": "CNY"} | zero | terms


BAR_ROWS = [bar(code, day, close) for code, closes in CLOSES.items() for day, close in closes.items()]
ACTION_ROWS = [
    action("600519.SH", "2025-01-02", dividend_per_share=2.0),
    action("000001.SZ", "2025-01-02", per_share_bonus=0.3, allotment_ratio=0.1, allotment_price=5.0),
    action("510300.SH", "2025-01-02", dividend_per_share=0.1),
]


@pytest.fixture(scope="module")
def running() -> Iterator[DumpServer]:
    with DumpServer() as server:
        yield server


@pytest.fixture
def server(running: DumpServer) -> DumpServer:
    running.reset()
    running.serve(BARS, pl.DataFrame(BAR_ROWS))
    running.serve(RECENT_BARS, pl.DataFrame([row for row in BAR_ROWS if row["date_ms"] > milliseconds("2024-12-30")]))
    running.serve(ACTIONS, pl.DataFrame(ACTION_ROWS))
    return running


@pytest.fixture
def settings(server: DumpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-01-03T18:00:00+08:00")
    monkeypatch.setenv("MYSTOCKS_DUMPS_KEY", server.key)
    return replace(Settings.from_env(tmp_path), upstream=server.address)


@pytest.fixture
def source(settings: Settings) -> CheckedSource:
    return CheckedSource(DumpsSource(settings))


def previous_closes(frame: pl.DataFrame) -> dict[tuple[str, str], float | None]:
    rows = frame.select("symbol", "date", "prev_close").iter_rows()
    return {(symbol, f"{day}"): price for symbol, day, price in rows}


def history(source: CheckedSource, actions: pl.DataFrame | None) -> list[tuple[str, pl.DataFrame]]:
    dumps: DumpsSource = source._source  # ty: ignore[invalid-assignment]
    return list(
        dumps.history(["daily_bars"], date(2016, 1, 1), date(2025, 1, 3), actions=actions, progress=lambda *_: None)
    )


def test_the_past_comes_by_year_with_previous_closes_over_its_turn(source: CheckedSource, server: DumpServer):
    actions = source.corporate_actions(date(2015, 1, 1), date(2025, 1, 3))
    frames = history(source, actions)
    assert [(table, frame["date"].dt.year().unique().to_list()) for table, frame in frames] == [
        ("daily_bars", [2024]), ("daily_bars", [2025]),
    ]  # fmt: skip
    assert previous_closes(pl.concat([frame for _, frame in frames])) == PREVIOUS
    assert all(frame.equals(frame.sort("symbol", "date")) for _, frame in frames)
    assert server.paths() == [ACTIONS, ACTIONS, BARS, BARS]


def test_without_known_actions_a_previous_close_is_the_last_close_and_says_so(source: CheckedSource):
    frame = pl.concat([frame for _, frame in history(source, None)])
    assert previous_closes(frame) == PREVIOUS | {("600519.SH", "2025-01-02"): 101.0, ("000001.SZ", "2025-01-03"): 14.0}
    assert not frame["actions_known"].any()


def test_a_bar_has_the_units_of_its_table(source: CheckedSource):
    frame = pl.concat(list(source.daily_bars([date(2025, 1, 3)])))
    assert frame.filter(symbol="600519.SH").drop("source", "loaded_at").row(0, named=True) == {
        "symbol": "600519.SH", "date": date(2025, 1, 3), "open": 100.5, "high": 100.6, "low": 100.4, "close": 100.5,
        "prev_close": 99.5, "volume": 1000, "amount": 100_500.0, "turnover": None, "is_st": None, "suspended": False,
        "actions_known": True,
    }  # fmt: skip
    assert set(frame["symbol"]) == {"600519.SH", "000001.SZ", "920001.BJ"}


def test_the_newest_days_come_out_of_the_small_file_and_once_a_day(
    settings: Settings, source: CheckedSource, server: DumpServer
):
    days = [date(2025, 1, 2), date(2025, 1, 3)]
    (frame,) = source.daily_bars(days)
    expected = {key: price for key, price in PREVIOUS.items() if key[1] in ("2025-01-02", "2025-01-03")}
    # The small file has no bar of 000001 before its suspension.
    assert previous_closes(frame) == expected | {("000001.SZ", "2025-01-03"): None}
    assert server.paths() == [ACTIONS, ACTIONS, RECENT_BARS, RECENT_BARS]
    list(DumpsSource(settings).daily_bars(days))
    assert len(server.asked) == 4
    assert {offer.requests for offer in SOURCE.offers_of("daily_bars")} == {len(server.asked)}, "the declared cost"


def test_symbols_are_a_selection(source: CheckedSource):
    (frame,) = source.daily_bars([date(2025, 1, 2), date(2025, 1, 3)], ["600519.SH"])
    assert frame["symbol"].unique().to_list() == ["600519.SH"]


def test_corporate_actions_have_the_terms_of_a_share(source: CheckedSource):
    rows = source.corporate_actions(date(2025, 1, 1), date(2025, 1, 3))
    assert rows.select("symbol", "cash", "bonus", "rights", "rights_price", "known_since", "source").rows() == [
        ("000001.SZ", 0.0, 0.3, 0.1, 5.0, None, "dumps"),
        ("600519.SH", 2.0, 0.0, 0.0, None, None, "dumps"),
    ]


def test_an_expired_address_is_asked_for_again_once(source: CheckedSource, server: DumpServer):
    server.fault("expired", times=1)
    assert source.corporate_actions(date(2025, 1, 1), date(2025, 1, 3)).height == 2
    assert server.paths() == [ACTIONS] * 4
    assert source.requests == {"fuyao.aicubes.cn": {"here": 4}}


def test_a_second_refusal_ends_it(source: CheckedSource, server: DumpServer):
    server.fault("expired")
    with pytest.raises(SourceUnavailable, match="A new address of the dump adjustment-factors was refused too"):
        source.corporate_actions(date(2025, 1, 1), date(2025, 1, 3))
    assert len(server.asked) == 4


def test_a_refused_key_is_named_by_its_variable_and_never_shown(
    settings: Settings, server: DumpServer, monkeypatch: pytest.MonkeyPatch
):
    wrong = replace(settings, source_keys={"dumps": "k-of-somebody"})
    with pytest.raises(SettingsError, match=r"refuses the key in MYSTOCKS_DUMPS_KEY \(code 2002\)") as refusal:
        DumpsSource(wrong).corporate_actions(date(2025, 1, 1), date(2025, 1, 3))
    server.fault("code", 2004)
    with pytest.raises(SettingsError, match=r"\(code 2004\)"):
        DumpsSource(settings).corporate_actions(date(2025, 1, 1), date(2025, 1, 3))
    assert "k-of-somebody" not in f"{refusal.value} {wrong!r}"
    monkeypatch.delenv("MYSTOCKS_DUMPS_KEY")
    with pytest.raises(SettingsError, match="set MYSTOCKS_DUMPS_KEY"):
        DumpsSource(Settings.from_env(settings.root))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [("code", 4040, "is not ready yet"), ("code", 9999, "code 9999"), ("text", None, "HTTP 502")],
)
def test_a_dump_that_is_not_there_yet_can_be_tried_later(
    kind: str, value: int | None, message: str, source: CheckedSource, server: DumpServer
):
    server.fault(kind, value)
    with pytest.raises(SourceUnavailable, match=message):
        source.corporate_actions(date(2025, 1, 1), date(2025, 1, 3))


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([bar("600519.SH", "2025-01-03", 100.5, adjusted="forward")], "adjusted 'forward'"),
        ([bar("600519.SH", "2025-01-03", 100.5, interval="1w")], "interval '1w'"),
        ([bar("MOUTAI", "2025-01-03", 100.5)], "unknown code"),
        ([{"thscode": "600519.SH", "day": 1}], "cannot be read as a market dump"),
    ],
)
def test_a_file_of_another_form_is_named(
    rows: list[dict[str, Any]], fault: str, source: CheckedSource, server: DumpServer
):
    server.serve(BARS, pl.DataFrame(rows))
    with pytest.raises(SourceChanged, match=fault):
        history(source, None)


def test_a_damaged_file_is_named_with_the_remedy(source: CheckedSource, server: DumpServer):
    server.files[ACTIONS] = server.files[ACTIONS][:200]
    with pytest.raises(SourceChanged, match=r"adjustment-factors-20250103\.parquet cannot be read .*Delete it"):
        source.corporate_actions(date(2025, 1, 1), date(2025, 1, 3))


def test_files_of_earlier_days_are_deleted(settings: Settings, source: CheckedSource, monkeypatch: pytest.MonkeyPatch):
    source.corporate_actions(date(2025, 1, 1), date(2025, 1, 3))
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-01-06T18:00:00+08:00")
    DumpsSource(settings).corporate_actions(date(2025, 1, 1), date(2025, 1, 3))
    folder = settings.dagster_home / "downloads" / "dumps"
    assert [path.name for path in folder.iterdir()] == ["adjustment-factors-20250106.parquet"]


def test_what_it_does_not_have_is_not_offered(source: CheckedSource):
    for call in (source.trading_days, lambda: source.stocks(include_delisted=True)):
        with pytest.raises(NotOffered, match="dumps has no"):
            call()
