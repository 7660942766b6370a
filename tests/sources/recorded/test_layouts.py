"""Archives as people have them on disk: read with their units, or left out with a note that says why."""

import gzip
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mystocks_dagster.errors import NotOffered, SettingsError, SourceChanged
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.recorded.source import RecordedSource

Read = Callable[[], pl.DataFrame]
MONDAY = date(2024, 3, 4)
OWN = (
    "symbol,date,open,high,low,close,prev_close,volume,amount,turnover,is_st,suspended\n"
    "600001.SH,2024-03-04,10,10.2,9.9,10.1,10,1234567,12469126.7,0.5,false,false\n"
)
BAOSTOCK = (
    "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg,isST\n"
    "2024-03-04,sh.600001,10,10.2,9.9,10.1,10,1234567,12469126.7,3,0.5,1,1.0,0\n"
)
TUSHARE = (
    "ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n"
    "600001.SH,20240304,10,10.2,9.9,10.1,10,0.1,1.0,12345.67,12469.1267\n"
)
EAST_MONEY = (
    "日期,股票代码,开盘,收盘,最高,最低,成交量,成交额,振幅,涨跌幅,涨跌额,换手率\n"
    "2024-03-04,600001,10,10.1,10.2,9.9,12346,12469126.7,3,1,0.1,0.5\n"
)
SINA = (
    "date,open,high,low,close,volume,amount,outstanding_share,turnover\n"
    "2024-03-04,10,10.2,9.9,10.1,1234567,12469126.7,246913400,0.005\n"
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def source(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], RecordedSource]:
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(archive))
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-03-08T16:30:00+08:00")
    return lambda: RecordedSource(Settings.from_env())


@pytest.fixture
def read(source: Callable[[], RecordedSource]) -> Read:
    return lambda: pl.concat([TABLES["daily_bars"].empty(), *source().daily_bars([MONDAY, date(2024, 3, 5)])])


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def without(text: str, *columns: str) -> str:
    return pl.read_csv(text.encode(), infer_schema=False).drop(columns).write_csv()


def numbers(frame: pl.DataFrame) -> tuple:
    return frame.select("symbol", "date", "open", "high", "low", "close", "volume").row(0)


@pytest.mark.parametrize(
    ("name", "text", "prev_close", "turnover", "is_st"),
    [
        ("daily_bars.csv", OWN, 10.0, 0.5, False),
        ("daily_bars/SH/600001.csv", without(OWN, "is_st"), 10.0, 0.5, None),
        ("daily_bars/2024-03-04.csv", without(OWN, "turnover"), 10.0, None, False),
        ("sh.600001.csv", BAOSTOCK, 10.0, 0.5, False),
        ("sh.600001.csv", without(BAOSTOCK, "isST"), 10.0, 0.5, None),
        ("sh.600001.csv", without(BAOSTOCK, "turn", "tradestatus"), 10.0, None, False),
        (
            "sh.600001.csv",
            BAOSTOCK.replace("date,", ",date,", 1).replace("2024-03-04", "0,2024-03-04"),
            10.0,
            0.5,
            False,
        ),
        ("daily_bars/600001.csv", BAOSTOCK, 10.0, 0.5, False),
        ("600001.SH.csv", TUSHARE, 10.0, None, None),
        ("daily_bars.csv", TUSHARE, 10.0, None, None),
        ("daily/20240304.csv", TUSHARE, 10.0, None, None),
        ("daily_bars/600001.csv", EAST_MONEY, None, 0.5, None),
        ("daily_bars/sh600001.csv", without(EAST_MONEY, "股票代码"), None, 0.5, None),
        ("daily_bars/sh600001.csv", SINA, None, 0.5, None),
    ],
)
def test_a_layout_is_read_in_its_own_units_and_what_it_lacks_is_unknown(
    archive, read, name, text, prev_close, turnover, is_st
):
    put(archive / name, text)
    frame = read()
    volume = 1_234_600 if text.startswith("日期") else 1_234_567
    assert numbers(frame) == ("600001.SH", MONDAY, 10.0, 10.2, 9.9, 10.1, volume)
    assert frame["amount"].item() == pytest.approx(12469126.7)
    assert frame.select("prev_close", "turnover", "is_st", "suspended").row(0) == (prev_close, turnover, is_st, False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("zipped", [False, True])
def test_excels_and_windows_encodings_are_read(archive, read, encoding, zipped):
    content = EAST_MONEY.encode(encoding)
    put(archive / f"daily_bars/600001.csv{'.gz' if zipped else ''}", gzip.compress(content) if zipped else content)
    assert numbers(read())[0] == "600001.SH"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize(
    ("name", "text"), [("daily_bars.csv", OWN), ("sh.600001.csv", BAOSTOCK), ("daily_bars/600001.csv", EAST_MONEY)]
)
def test_blanks_after_the_commas_are_read(archive, read, encoding, name, text):
    put(archive / name, text.replace(",", ", ").encode(encoding))
    assert numbers(read())[:3] == ("600001.SH", MONDAY, 10.0)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "daily_bars.csv",
            OWN.replace("\n", "\r").encode(),
            r"daily_bars\.csv:1 is not a valid header line .* with LF or CRLF line ends",
        ),
        (
            "daily_bars.csv",
            OWN.replace("open,", "open, open,", 1).encode(),
            r"daily_bars\.csv cannot be read as daily_bars: .*open",
        ),
        (
            "sh.600001.csv",
            BAOSTOCK.replace(",3,", ",raw,").encode(),
            r"sh\.600001\.csv cannot be read as daily_bars: .*raw",
        ),
        (
            "daily_bars.csv",
            OWN.replace(",10,", ',"1,010.00",', 1).encode(),
            r'cannot be read as daily_bars: 1 value\(s\) are not numbers: \["1,010.00"\]\. Write numbers like 1010\.00',
        ),
        ("daily_bars.csv.gz", b"\x1f\x8b" + b"abc" * 50, r"daily_bars\.csv\.gz cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_named_without_a_traceback(archive, read, name, content, says):
    put(archive / name, content)
    with pytest.raises(SourceChanged, match=says):
        read()


def test_suffixes_may_be_in_capitals(archive, read):
    put(archive / "daily_bars.CSV", OWN)
    assert read().height == 1


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "w/sh.600001.csv",
            without(BAOSTOCK, "preclose", "tradestatus", "isST"),
            "neither preclose nor tradestatus, as in weekly and monthly bars",
        ),
        ("weekly_600001.csv", BAOSTOCK, "its name contains 'weekly'"),
        ("600001_周线.csv", TUSHARE, "its name contains '周线'"),
        (
            "minute/sh.600001.csv",
            BAOSTOCK.replace("date,", "date,time,", 1).replace("2024-03-04", "2024-03-04,093500"),
            "it holds minute bars",
        ),
        ("qfq/sh.600001.csv", BAOSTOCK.replace(",3,", ",2,"), "adjusted prices"),
        ("600002.csv", EAST_MONEY, "does not state whether prices are adjusted"),
        ("daily_bars/merged.csv", without(EAST_MONEY, "股票代码"), "no column with the code"),
        ("notes.csv", "a,b\n1,2\n", "neither named after a table"),
    ],
)
def test_a_file_of_another_kind_beside_daily_bars_is_left_out_with_a_note(archive, source, read, name, text, says):
    put(archive / "sh.600001.csv", BAOSTOCK)
    put(archive / name, text)
    assert read().height == 1
    opened = source()
    assert opened.bar_days() == (MONDAY, MONDAY)
    [note] = opened.notes
    assert note.startswith(f"Not read from the archive: {name}: ")
    assert says in note


def test_alone_such_a_file_is_no_archive_and_the_reason_is_said(archive, read):
    put(archive / "sh.600001.csv", without(BAOSTOCK, "preclose", "tradestatus", "isST"))
    with pytest.raises(SettingsError, match="as in weekly and monthly bars of baostock"):
        read()


@pytest.mark.parametrize(("name", "text"), [("600001.SH.csv", TUSHARE), ("daily_bars/600001.csv", EAST_MONEY)])
def test_prices_that_are_adjusted_give_themselves_away(archive, read, name, text):
    put(
        archive / name,
        text.replace(",10,10.2,9.9,10.1,", ",5,5.1,4.95,5.05,").replace(",10,10.1,10.2,9.9,", ",5,5.05,5.1,4.95,"),
    )
    with pytest.raises(
        SourceChanged, match=r"amount / volume is outside low to high in 1 of 1 rows.*its prices are adjusted"
    ):
        read()


def test_codes_that_lost_their_zeros_get_them_back(archive, read):
    frame = pl.read_csv(OWN.encode()).with_columns(symbol=pl.Series([1], dtype=pl.Int64))
    frame.write_parquet(archive / "daily_bars.parquet")
    assert numbers(read())[0] == "000001.SZ"


@pytest.mark.parametrize(
    "dates",
    [
        pl.Series([datetime(2024, 3, 3, 16, tzinfo=ZoneInfo("UTC"))]),
        pl.Series([datetime(2024, 3, 4, tzinfo=ZoneInfo("Asia/Shanghai"))]),
        pl.Series([20240304]),
        pl.Series(["2024/3/4"]),
    ],
)
def test_dates_of_other_tools_are_the_right_day(archive, read, dates):
    pl.read_csv(OWN.encode()).with_columns(date=dates).write_parquet(archive / "daily_bars.parquet")
    assert numbers(read())[1] == MONDAY


def test_dates_that_could_be_two_days_are_refused_with_the_file(archive, read):
    pl.read_csv(OWN.encode()).with_columns(date=pl.Series([1709481600000])).write_parquet(
        archive / "daily_bars.parquet"
    )
    with pytest.raises(
        SourceChanged,
        match=r"daily_bars\.parquet cannot be read as daily_bars: 1709481600000 is not a day .*milliseconds",
    ):
        read()


def test_a_row_that_stands_twice_in_one_file_counts_once_and_two_versions_are_shown(archive, read):
    row = OWN.splitlines()[1]
    put(archive / "daily_bars.csv", f"{OWN}{row}\n")
    assert read().height == 1
    put(archive / "daily_bars.csv", f"{OWN}{row.replace('10.1,', '10.0,')}\n")
    with pytest.raises(
        SourceChanged,
        match=r"different daily_bars rows for symbol 600001\.SH, date 2024-03-04: close 10\.\d / close 10\.\d; keep",
    ):
        read()


def test_a_restated_statement_comes_with_every_version_that_is_published_by_now(archive, source):
    head = "symbol,period,notice_date,revenue,operating_cost,operating_profit,total_profit,net_profit\n"
    first, second = "600001.SH,2023-06-30,2023-08-20,100,80,20,20,15\n", "600001.SH,2023-06-30,2024-03-01,90,85,5,5,3\n"
    later = "600001.SH,2023-06-30,2024-09-01,70,85,5,5,3\n"
    put(archive / "income_statements.csv", head + second + first + first + later)
    rows = source().statements("income_statements", [date(2023, 6, 30)])
    assert rows.select("notice_date", "known_since", "revenue").rows() == [
        (date(2023, 8, 20), date(2023, 8, 20), 100.0),
        (date(2024, 3, 1), date(2024, 3, 1), 90.0),
    ]


def test_bars_of_days_that_have_not_come_are_named(archive, source):
    put(archive / "daily_bars.csv", OWN + OWN.splitlines()[1].replace("2024-03-04", "2031-03-04") + "\n")
    opened = source()
    opened.bar_days()
    assert opened.notes == ("Bars of future days are not read: daily_bars.csv up to 2031-03-04.",)


def test_a_stray_date_does_not_stretch_the_archive_and_is_named(archive, source):
    row = OWN.splitlines()[1]
    put(
        archive / "daily_bars.csv",
        OWN + "".join(row.replace("2024-03-04", day) + "\n" for day in ("1900-01-01", "9999-12-31")),
    )
    opened = source()
    assert opened.bar_days() == (MONDAY, MONDAY)
    assert opened.notes == (
        "Bars of future days are not read: daily_bars.csv up to 9999-12-31.",
        "Bars of days before 1990-12-19, when trading began, are not read: daily_bars.csv from 1900-01-01.",
    )


def test_an_archive_of_stray_dates_alone_holds_no_bars(archive, source):
    put(archive / "daily_bars.csv", OWN.replace("2024-03-04", "1900-01-01"))
    with pytest.raises(NotOffered, match="without rows of 1990-12-19 to 2024-03-08"):
        source().bar_days()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("daily_bars.csv", OWN, "utf-8-sig"),
        ("sh.600001.csv", BAOSTOCK, "utf-8"),
        ("600001.SH.csv", TUSHARE, "utf-8"),
        ("daily_bars/600001.csv", EAST_MONEY, "gb18030"),
    ],
)
def test_a_line_of_my_archive_ends_early_and_i_am_told_its_number(archive, read, name, text, encoding):
    header, row = text.splitlines()
    for at in [at for at, mark in enumerate(row) if mark == ","]:
        for cut in (row[:at], row[: at - 1]):
            later = row.replace("03-04", "03-05").replace("0304", "0305")
            put(archive / name, "\n".join([header, row, cut, later, ""]).encode(encoding))
            with pytest.raises(SourceChanged) as raised:
                read()
            number = len(cut.split(","))
            names = len(header.split(","))
            assert f"{name}:3 has {number} values, and the line with the names has {names}." in str(raised.value), cut


def test_a_complete_line_may_have_an_empty_last_value(archive, read):
    header, row = (line.rsplit(",", 1) for line in without(OWN, "turnover").splitlines())
    put(archive / "daily_bars.csv", f"{','.join(header)},turnover\n{','.join(row)},\n")
    assert read()["turnover"].to_list() == [None]


def test_an_archive_that_is_cut_off_within_a_character_is_told_without_a_traceback(archive, read):
    put(archive / "daily_bars" / "600001.csv", EAST_MONEY.encode("gbk") + b"C\x95&\xab")
    with pytest.raises(SourceChanged, match=r"600001\.csv cannot be read as daily_bars: .*position"):
        read()
