"""Exports are read by the tools they are for: pandas, openpyxl, and a reader of qlib's documented binary format."""

import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pytest

from mystocks_dagster.errors import InvalidParams, LakeError, UnknownName
from mystocks_dagster.lake import export as module
from mystocks_dagster.lake.export import Export, export
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS, STOCKS

MON, TUE, WED = date(2024, 6, 17), date(2024, 6, 18), date(2024, 6, 19)


@pytest.fixture
def filled(lake: Lake, make_bars: Callable[..., pl.DataFrame]) -> Lake:
    """600000.SH trades on all three days and splits ten for twenty on Wednesday; 000001.SZ lacks Monday."""
    days = [
        make_bars(MON, ["600000.SH"], 20.0),
        make_bars(TUE, ["000001.SZ", "600000.SH"], 20.0),
        make_bars(WED, ["000001.SZ", "600000.SH"], 10.0),
    ]
    lake.replace_days("daily_bars", pl.concat(days), [MON, TUE, WED])
    lake.replace_all(
        "adjust_events", pl.DataFrame([("600000.SH", WED, 0.5)], schema=ADJUST_EVENTS.dtypes, orient="row")
    )
    return lake


@pytest.fixture
def named(lake: Lake) -> Lake:
    """A table with Chinese names, one of which looks like a formula, and moments."""
    rows = [{"symbol": "600000.SH", "name": "浦发银行"}, {"symbol": "600001.SH", "name": "=1+1"}]
    blank = {name: pl.lit(None, dtype=dtype) for name, dtype in STOCKS.dtypes.items()}
    frame = pl.DataFrame(rows)
    values = {pl.String: pl.lit("沪"), pl.Boolean: pl.lit(value=True), pl.Date: pl.lit(MON)}
    needed = {column.name: values.get(column.dtype, pl.lit(now())) for column in STOCKS.columns if not column.null}
    columns = blank | needed | {"symbol": pl.col("symbol"), "name": pl.col("name")}
    lake.replace_all("stocks", frame.select(value.alias(name) for name, value in columns.items()))
    return lake


def qlib_feature(folder: Path, code: str, field: str) -> dict[str, float]:
    """Read a field as qlib's FileFeatureStorage does: its first number is the position of the first day."""
    calendar = (folder / "calendars" / "day.txt").read_text().split()
    values = np.fromfile(folder / "features" / code / f"{field}.day.bin", dtype="<f")
    start = int(values[0])
    return dict(zip(calendar[start : start + len(values) - 1], values[1:].tolist(), strict=True))


def test_pandas_reads_parquet_and_csv_alike(filled: Lake, tmp_path: Path):
    for name, read in (("bars.parquet", pd.read_parquet), ("bars.csv", pd.read_csv)):
        assert export(filled, Export(table="daily_bars"), tmp_path / name) == 5
        frame = read(tmp_path / name)
        assert frame["symbol"].tolist() == ["000001.SZ"] * 2 + ["600000.SH"] * 3
        assert frame["close"].tolist() == [20.0, 10.0, 20.0, 20.0, 10.0]
        assert [f"{day}"[:10] for day in frame["date"]] == [f"{day}" for day in (TUE, WED, MON, TUE, WED)]
        assert frame["volume"].tolist() == [100] * 5


def test_prices_are_adjusted_and_rows_selected_as_asked(filled: Lake, tmp_path: Path):
    request = Export(table="daily_bars", adjust="hfq", symbols=("600000.SH",), start=TUE, end=WED)
    export(filled, request, tmp_path / "bars.csv")
    frame = pd.read_csv(tmp_path / "bars.csv")
    assert frame["close"].tolist() == [20.0, 20.0]
    assert frame["factor"].tolist() == [1.0, 2.0]


def test_days_that_are_exchanged_are_refused_and_not_said_to_have_no_rows(filled: Lake, tmp_path: Path):
    with pytest.raises(InvalidParams, match=f"The first day, {WED}, is after the last one, {TUE}"):
        export(filled, Export(table="daily_bars", start=WED, end=TUE), tmp_path / "bars.csv")


def test_symbols_may_be_spelt_as_users_do_and_none_is_left_out_without_a_word(filled: Lake, tmp_path: Path):
    both = Export(table="daily_bars", symbols=("sh600000", "000001"))
    assert export(filled, both, tmp_path / "both.csv") == 5
    for symbols, error, words in (
        (("600000", "000002"), UnknownName, "no rows of 000002.SZ"),
        (("600000", "NOSUCH"), InvalidParams, "NOSUCH"),
    ):
        with pytest.raises(error, match=words):
            export(filled, Export(table="daily_bars", symbols=symbols), tmp_path / "some.csv")
        assert not (tmp_path / "some.csv").exists()


def test_chinese_names_are_intact_in_every_format_and_excel_recognises_them_in_csv(named: Lake, tmp_path: Path):
    for form in ("parquet", "csv", "xlsx"):
        export(named, Export(table="stocks"), tmp_path / f"stocks.{form}")
    assert (tmp_path / "stocks.csv").read_bytes().startswith("\ufeff".encode())
    assert pd.read_csv(tmp_path / "stocks.csv")["name"].tolist() == ["浦发银行", "=1+1"]
    assert pd.read_csv(tmp_path / "stocks.csv").columns[0] == STOCKS.columns[0].name
    assert pd.read_parquet(tmp_path / "stocks.parquet")["name"].tolist() == ["浦发银行", "=1+1"]
    sheet = openpyxl.load_workbook(tmp_path / "stocks.xlsx").active
    names = [cell.value for cell in next(sheet.iter_rows(max_row=1))]
    assert names == list(STOCKS.dtypes)
    cells = [row[names.index("name")] for row in sheet.iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type) for cell in cells] == [("浦发银行", "s"), ("=1+1", "s")]


def test_excel_holds_numbers_days_and_flags_as_such(filled: Lake, tmp_path: Path):
    export(filled, Export(table="daily_bars"), tmp_path / "bars.xlsx")
    frame = pd.read_excel(tmp_path / "bars.xlsx")
    assert frame["close"].tolist() == [20.0, 10.0, 20.0, 20.0, 10.0]
    assert [stamp.date() for stamp in frame["date"]] == [TUE, WED, MON, TUE, WED]
    assert frame["suspended"].tolist() == [False] * 5


def test_too_many_rows_for_excel_are_refused_with_a_remedy(
    filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "EXCEL_ROWS", 4)
    with pytest.raises(LakeError, match=r"at most 4 rows, and these are 5\. Select fewer with --symbols"):
        export(filled, Export(table="daily_bars"), tmp_path / "bars.xlsx")
    assert list(tmp_path.iterdir()) == [Path(filled.location)]


def test_qlib_reads_calendar_instruments_and_features(filled: Lake, tmp_path: Path):
    folder = tmp_path / "qlib"
    export(filled, Export(table="daily_bars", adjust="hfq"), folder, "qlib")
    assert (folder / "calendars/day.txt").read_text() == "2024-06-17\n2024-06-18\n2024-06-19\n"
    lines = (folder / "instruments/all.txt").read_text().splitlines()
    assert lines == ["SZ000001\t2024-06-18\t2024-06-19", "SH600000\t2024-06-17\t2024-06-19"]
    assert qlib_feature(folder, "sh600000", "close") == {f"{MON}": 20.0, f"{TUE}": 20.0, f"{WED}": 20.0}
    assert qlib_feature(folder, "sh600000", "factor") == {f"{MON}": 1.0, f"{TUE}": 1.0, f"{WED}": 2.0}
    assert qlib_feature(folder, "sh600000", "volume") == {f"{MON}": 100.0, f"{TUE}": 100.0, f"{WED}": 50.0}
    assert qlib_feature(folder, "sz000001", "close") == {f"{TUE}": 20.0, f"{WED}": 10.0}
    # The bytes, as numpy's `np.hstack([1, [20, 10]]).astype("<f").tofile(...)` in qlib's dumper writes them.
    assert (folder / "features/sz000001/close.day.bin").read_bytes().hex() == "0000803f0000a04100002041"


def test_a_day_without_trading_is_nan_for_qlib(filled: Lake, make_bars: Callable[..., pl.DataFrame], tmp_path: Path):
    paused = make_bars(TUE, ["600000.SH"], 20.0).with_columns(suspended=pl.lit(value=True))
    filled.replace_days("daily_bars", paused, [TUE])
    export(filled, Export(table="daily_bars", symbols=("600000.SH",)), tmp_path / "qlib", "qlib")
    close = qlib_feature(tmp_path / "qlib", "sh600000", "close")
    assert np.isnan(close[f"{TUE}"])
    assert (close[f"{MON}"], close[f"{WED}"]) == (20.0, 10.0)


def test_nothing_is_replaced_without_force(filled: Lake, tmp_path: Path):
    for name in ("bars.csv", "qlib"):
        target, form = tmp_path / name, "qlib" if name == "qlib" else None
        export(filled, Export(table="daily_bars"), target, form)
        with pytest.raises(LakeError, match=r"exists already\. Choose another name, or pass --force"):
            export(filled, Export(table="daily_bars", start=WED), target, form)
        export(filled, Export(table="daily_bars", start=WED), target, form, force=True)
    assert len(pd.read_csv(tmp_path / "bars.csv")) == 2
    assert (tmp_path / "qlib/calendars/day.txt").read_text() == "2024-06-19\n"
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "bars.csv", "qlib"}


def test_a_folder_that_is_not_an_export_is_never_replaced(filled: Lake, tmp_path: Path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for form in ("qlib", "csv"):
        with pytest.raises(LakeError, match="so it is not replaced"):
            export(filled, Export(table="daily_bars"), folder, form, force=True)
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_interrupted_export_leaves_the_earlier_file(filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "bars.csv"
    target.write_text("earlier")

    def full(frame: pl.DataFrame, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(module._WRITERS, "csv", full)
    with pytest.raises(LakeError, match=r"cannot be written: No space left on device\. Nothing was exported"):
        export(filled, Export(table="daily_bars"), target, force=True)
    assert target.read_text() == "earlier"
    assert {path.name for path in tmp_path.iterdir()} == {"lake", "bars.csv"}


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_full_disk_is_said_with_the_free_space(
    filled: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
):
    name = uuid.uuid4()
    monkeypatch.setattr(uuid, "uuid4", lambda: name)
    target = tmp_path / f"bars.{form}"
    (tmp_path / f".{target.name}.{name.hex[:8]}.partial").symlink_to("/dev/full")  # writes fail as on a full disk
    free = r"Nothing was exported\. Of [\d,.]+ MB [\d,.]+ are free: free some space\."
    with pytest.raises(LakeError, match=rf"bars\.{form} cannot be written: No space left on device\. {free}"):
        export(filled, Export(table="daily_bars"), target)
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}


@pytest.mark.parametrize(
    ("table", "name", "form", "message"),
    [
        ("daily_bars", "bars.txt", None, "does not say the format"),
        ("daily_bars", "missing/bars.csv", None, "does not exist; create it first"),
        ("bars", "bars.csv", None, "no table 'bars'"),
        ("loaded_days", "days", "qlib", "no table loaded_days"),
    ],
)
def test_what_cannot_be_exported_is_said(
    filled: Lake, tmp_path: Path, table: str, name: str, form: module.Format | None, message: str
):
    with pytest.raises((LakeError, UnknownName), match=message):
        export(filled, Export(table=table), tmp_path / name, form)
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}


def test_a_table_without_symbol_and_day_does_not_fit_qlib(named: Lake, tmp_path: Path):
    with pytest.raises(LakeError, match="one row per symbol and date"):
        export(named, Export(table="stocks"), tmp_path / "qlib", "qlib")
    with pytest.raises(UnknownName, match="Only the prices of daily_bars can be adjusted"):
        export(named, Export(table="stocks", adjust="hfq"), tmp_path / "stocks.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}
