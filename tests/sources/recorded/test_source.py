"""The recorded source on the real archive, and on small archives in our own layout."""

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.errors import NotOffered, SettingsError, SourceChanged
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.recorded.source import RecordedSource
from mystocks_dagster.sources.registry import open_source

Open = Callable[[Path], RecordedSource]
RAW = "baostock_raw_20200102_20250407.parquet"
BARS_CSV = """symbol,date,open,high,low,close,prev_close,volume,amount,turnover,is_st,suspended
sh600519,2024-06-18,1510.0,1530.5,1505.0,1521.5,1500.0,2000000,3040000000.5,0.16,false,false
sh600519,2024-06-19,1500.0,1510.0,1485.0,1490.0,1490.62,2100000,3150000000,0.17,false,false
300750.SZ,20240619,190,191,189,190,190,0,0,,0,1
"""


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Open:
    def opened(folder: Path) -> RecordedSource:
        monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder))
        monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T16:00:00+08:00")
        source = open_source("recorded", Settings.from_env())
        assert isinstance(source, RecordedSource)
        return source

    return opened


def bars(source: RecordedSource, start: date, end: date, symbols: list[str] | None = None) -> pl.DataFrame:
    return pl.concat([TABLES["daily_bars"].empty(), *source.daily_bars(shanghai().sessions(start, end), symbols)])


@pytest.mark.parametrize("name", ["我的 档案 #1", "[x]", "a*b", "a?b", "100%20", "year=1999", "it's"])
def test_an_archive_is_read_from_a_folder_of_any_name_and_from_no_other(recorded: Open, tmp_path: Path, name: str):
    for folder in (tmp_path / name, tmp_path / "x", tmp_path / "aXb"):
        folder.mkdir()
        (folder / "daily_bars.csv").write_text(BARS_CSV, encoding="utf-8")
        pl.read_csv(folder / "daily_bars.csv", infer_schema=False, glob=False).write_parquet(
            (folder / "more.parquet").open("wb")
        )
    (tmp_path / name / "more.parquet").unlink()
    source = recorded(tmp_path / name)
    assert bars(source, date(2024, 6, 18), date(2024, 6, 19)).height == 3
    (tmp_path / name / "daily_bars.csv").unlink()
    (tmp_path / "x" / "more.parquet").rename(tmp_path / name / "daily_bars.parquet")
    assert bars(recorded(tmp_path / name), date(2024, 6, 18), date(2024, 6, 19)).height == 3


def test_every_row_of_the_real_archive_comes_out(recorded: Open, shared_data: Path):
    raw = pl.read_parquet(shared_data / RAW)
    source = recorded(shared_data)

    ours = bars(source, *source.bar_days())

    assert source.offers == {"daily_bars"}
    assert source.bar_days() == (date(2020, 1, 2), date(2025, 4, 7))
    assert ours.height == raw.height == 262_786
    assert ours["symbol"].n_unique() == 214
    theirs = raw.select(
        symbol=pl.col("code").str.slice(3) + "." + pl.col("code").str.slice(0, 2).str.to_uppercase(),
        date=pl.col("date").str.to_date(),
    )
    assert ours.select("symbol", "date").equals(theirs.sort("date", "symbol"))


def test_numbers_and_flags_of_the_real_archive_arrive_unchanged(recorded: Open, shared_data: Path):
    raw = pl.read_parquet(shared_data / RAW).sort("date", pl.col("code").str.slice(3))
    ours = bars(recorded(shared_data), date(2020, 1, 2), date(2025, 4, 7))

    assert ours.schema == pl.Schema(TABLES["daily_bars"].dtypes)
    for mine, theirs in {
        "open": "open",
        "high": "high",
        "low": "low",
        "close": "close",
        "prev_close": "preclose",
        "turnover": "turn",
    }.items():
        assert ours[mine].equals(raw[theirs]), mine
    assert ours["volume"].sum() == raw["volume"].sum()
    assert ours["amount"].sum() == pytest.approx(raw["amount"].sum())
    assert ours["suspended"].sum() == (raw["tradestatus"] == 0).sum() > 0
    assert ours["is_st"].sum() == raw["isST"].sum()
    still = ours.filter("suspended")
    assert still.select(pl.sum("volume", "amount")).row(0) == (0, 0.0)
    assert (still["close"] == still["prev_close"]).all()


def test_days_and_symbols_can_be_picked(recorded: Open, shared_data: Path):
    picked = bars(recorded(shared_data), date(2024, 6, 13), date(2024, 6, 14), ["000001.SZ"])

    # Its dividend of 2024: 10.80 the day before, ex-right 10.08.
    assert picked.select("symbol", "date").rows() == [
        ("000001.SZ", date(2024, 6, 13)),
        ("000001.SZ", date(2024, 6, 14)),
    ]
    assert (picked["close"][0], picked["prev_close"][1]) == (10.80, 10.08)


def test_days_that_the_archive_lacks_have_no_rows(recorded: Open, shared_data: Path):
    assert list(recorded(shared_data).daily_bars([date(2019, 12, 31), date(2025, 4, 8), date(2024, 2, 10)])) == []


def test_what_the_archive_lacks_is_not_offered(recorded: Open, shared_data: Path):
    source = recorded(shared_data)

    for ask in (
        lambda: source.stocks(include_delisted=True),
        lambda: source.statements("cash_flows", [date(2024, 3, 31)]),
        lambda: source.longhubang(date(2024, 1, 2), date(2024, 1, 3)),
        lambda: source.capital_flow("sector", date(2024, 1, 2)),
        lambda: source.quotes("stock_quotes"),
    ):
        with pytest.raises(NotOffered):
            ask()


def test_our_own_layout_is_read_from_csv(recorded: Open, tmp_path: Path):
    (tmp_path / "daily_bars.csv").write_text(BARS_CSV)

    frame = bars(recorded(tmp_path), date(2024, 6, 18), date(2024, 6, 19))

    assert frame.drop("actions_known").rows() == [
        (
            "600519.SH",
            date(2024, 6, 18),
            1510.0,
            1530.5,
            1505.0,
            1521.5,
            1500.0,
            2000000,
            3040000000.5,
            0.16,
            False,
            False,
        ),
        ("300750.SZ", date(2024, 6, 19), 190.0, 191.0, 189.0, 190.0, 190.0, 0, 0.0, None, False, True),
        (
            "600519.SH",
            date(2024, 6, 19),
            1500.0,
            1510.0,
            1485.0,
            1490.0,
            1490.62,
            2100000,
            3150000000.0,
            0.17,
            False,
            False,
        ),
    ]


def test_parquet_csv_and_zipped_csv_hold_the_same_and_may_be_mixed(recorded: Open, tmp_path: Path):
    folder = tmp_path / "daily_bars"
    folder.mkdir()
    (tmp_path / "one.csv").write_text(BARS_CSV)
    (folder / "2024.csv").write_text(BARS_CSV)
    from_csv = bars(recorded(tmp_path), date(2024, 6, 18), date(2024, 6, 19))

    (folder / "2024.csv").rename(folder / "again.csv")
    (folder / "same.csv.gz").write_bytes(gzip.compress(BARS_CSV.encode("utf-8-sig")))
    from_csv.write_parquet(folder / "same.parquet")

    assert bars(recorded(tmp_path), date(2024, 6, 18), date(2024, 6, 19)).equals(from_csv), (
        "the same row in three files is one row"
    )


def test_baostocks_own_csv_is_read_although_suspended_days_are_empty(recorded: Open, tmp_path: Path):
    (tmp_path / "sh.600000.csv").write_text(
        "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg,isST\n"
        "2024-07-18,sh.600000,8.1,8.2,8.0,8.15,8.1,1000,8150.5,3,0.01,1,0.6,0\n"
        "2024-07-19,sh.600000,8.15,8.15,8.15,8.15,8.15,,,3,,0,,0\n"
    )

    frame = bars(recorded(tmp_path), date(2024, 7, 18), date(2024, 7, 19))

    assert frame.select("volume", "amount", "turnover", "suspended").rows() == [
        (1000, 8150.5, 0.01, False),
        (0, 0.0, None, True),
    ]


def test_adjusted_prices_are_never_taken_for_raw_ones(recorded: Open, tmp_path: Path, shared_data: Path):
    header = "date,code,open,high,low,close,preclose,volume,amount,adjustflag,turn,tradestatus,pctChg,isST\n"
    row = "2024-07-18,sh.600000,8.1,8.2,8.0,8.15,8.1,1000,8150.5,{},0.01,1,0.6,0\n"
    (tmp_path / "adjusted.csv").write_text(header + row.format(2))
    with pytest.raises(SettingsError, match="adjusted prices"):
        _ = recorded(tmp_path).offers

    (tmp_path / "both.csv").write_text(header + row.format(1) + row.format(3))
    assert bars(recorded(tmp_path), date(2024, 7, 18), date(2024, 7, 18)).height == 1


def test_stocks_statements_longhubang_and_flows_are_read_too(recorded: Open, tmp_path: Path):
    (tmp_path / "stocks.csv").write_text(
        "symbol,name,exchange,board,is_st,list_date,delist_date\n"
        "600519.SH,贵州茅台,SH,main,false,2001-08-27,\n600001.SH,邯郸钢铁,SH,main,false,1998-01-22,2009-12-29\n"
    )
    (tmp_path / "cash_flows.csv").write_text(
        "symbol,period,notice_date,operating,investing,financing,net_change\n"
        "600519.SH,2024-12-31,2025-04-03,1,2,3,6\n600519.SH,2025-03-31,2025-04-30,1,,3,4\n"
    )
    (tmp_path / "capital_flow_sector.csv").write_text(
        "date,sector,change_pct,main_net,super_large_net,large_net,medium_net,small_net\n2025-04-07,银行,-1.5,10,4,6,-4,-6\n"
    )
    source = recorded(tmp_path)

    assert source.offers == {"stocks", "cash_flows", "capital_flow_sector"}
    assert source.stocks(include_delisted=False)["name"].to_list() == ["贵州茅台"]
    assert source.stocks(include_delisted=True)["delist_date"].to_list() == [date(2009, 12, 29), None]
    assert source.stocks(include_delisted=True).schema == pl.Schema(TABLES["stocks"].dtypes)
    quarters = [date(2024, 12, 31), date(2025, 3, 31)]
    assert source.statements("cash_flows", quarters)["period"].to_list() == [date(2024, 12, 31)], (
        "the other is not published yet"
    )
    assert source.capital_flow("sector", date(2025, 4, 7))["main_net"].to_list() == [10.0]
    assert source.capital_flow("sector", date(2025, 4, 3)).height == 0
    with pytest.raises(NotOffered, match="it has capital_flow_sector, cash_flows, stocks"):
        source.bar_days()


def test_corporate_actions_are_read_once_they_are_published(recorded: Open, tmp_path: Path):
    head = "symbol,ex_date,cash,bonus,rights,rights_price,known_since,source\n"
    rows = [
        "sh600000,2024-06-14,0.50,0,0,,2024-06-07,exchange",
        "600036.SH,20240618,0,0.1,0.3,8.85,,exchange",
        "000001.SZ,2024-06-19,1,0,0,,2099-01-02,exchange",
    ]
    (tmp_path / "corporate_actions.csv").write_text(head + "\n".join(rows))
    source = recorded(tmp_path)
    assert source.offers == {"corporate_actions"}
    assert source.corporate_actions(date(2024, 6, 1), date(2024, 6, 30)).select(
        "symbol", "cash", "bonus", "rights", "rights_price"
    ).rows() == [
        ("600000.SH", 0.5, 0.0, 0.0, None),
        ("600036.SH", 0.0, 0.1, 0.3, 8.85),
    ]
    assert source.corporate_actions(date(2024, 6, 15), date(2024, 6, 30))["symbol"].to_list() == ["600036.SH"]


def test_a_missing_column_is_named_with_its_file(recorded: Open, tmp_path: Path, shared_data: Path):
    (tmp_path / "daily_bars.csv").write_text(BARS_CSV.replace("prev_close", "yesterday"))
    with pytest.raises(SourceChanged, match=r"daily_bars\.csv has no column 'prev_close'"):
        _ = recorded(tmp_path).offers

    (tmp_path / "daily_bars.csv").unlink()
    pl.read_parquet(shared_data / RAW).head(5).drop("preclose").write_parquet(tmp_path / "bao.parquet")
    with pytest.raises(SourceChanged, match=r"bao\.parquet has no column 'preclose'"):
        _ = recorded(tmp_path).offers


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (BARS_CSV.replace(",", ";").encode(), r"daily_bars\.csv has ';' between its columns\. Save it as CSV"),
        (BARS_CSV.replace(",", "\t").encode(), r"daily_bars\.csv has '\\t' between its columns"),
        (BARS_CSV.replace(",", "，").encode(), r"daily_bars\.csv has '，' between .* half-width commas"),
        (BARS_CSV.encode("utf-16"), r"daily_bars\.csv is UTF-16 text\. Save it as `CSV UTF-8`"),
    ],
)
def test_a_file_that_a_spreadsheet_saved_otherwise_is_told_what_it_is(
    recorded: Open, tmp_path: Path, content: bytes, says: str
):
    (tmp_path / "daily_bars.csv").write_bytes(content)
    with pytest.raises(SourceChanged, match=says):
        _ = recorded(tmp_path).offers


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ("1521.5,", "1521,5x", r"daily_bars\.csv"),
        ("2024-06-18", "18.06.2024", r"daily_bars\.csv cannot be read"),
        ("sh600519,2024-06-18", "MOUTAI,2024-06-18", r"column 'symbol' is empty, or not six digits"),
        ("2000000,", ",", r"column 'volume' is empty"),
        ("sh600519,2024-06-18,", "sh600519,,", r"column 'date' is empty"),
        (",false,false\nsh", ",maybe,false\nsh", r"daily_bars\.csv cannot be read"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_the_file(
    recorded: Open, tmp_path: Path, wrong: str, right: str, says: str
):
    (tmp_path / "daily_bars.csv").write_text(BARS_CSV.replace(wrong, right, 1))
    with pytest.raises(SourceChanged, match=says):
        bars(recorded(tmp_path), date(2024, 6, 18), date(2024, 6, 19))


def test_a_row_without_a_symbol_is_seen_even_when_others_are_asked_for(recorded: Open, tmp_path: Path):
    (tmp_path / "daily_bars.csv").write_text(BARS_CSV.replace("sh600519", "MOUTAI", 1))
    with pytest.raises(SourceChanged, match="column 'symbol' is empty, or not six digits"):
        bars(recorded(tmp_path), date(2024, 6, 18), date(2024, 6, 19), ["300750.SZ"])


def test_files_that_disagree_are_refused(recorded: Open, tmp_path: Path):
    (tmp_path / "daily_bars.csv").write_text(BARS_CSV)
    (tmp_path / "daily_bars").mkdir()
    (tmp_path / "daily_bars" / "other.csv").write_text(BARS_CSV.replace("1521.5", "1521.6"))
    with pytest.raises(SourceChanged, match=r"different daily_bars rows for symbol 600519\.SH, date 2024-06-18"):
        bars(recorded(tmp_path), date(2024, 6, 18), date(2024, 6, 19))


def test_a_damaged_file_is_named(recorded: Open, tmp_path: Path):
    (tmp_path / "bars.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceChanged, match=r"bars\.parquet cannot be read"):
        _ = recorded(tmp_path).offers


def test_a_folder_without_market_data_says_what_it_saw(recorded: Open, tmp_path: Path):
    with pytest.raises(SettingsError, match=r"MYSTOCKS_RECORDED.*known layout"):
        _ = recorded(tmp_path).offers
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SettingsError, match=r"files checked: 1; .*notes\.csv"):
        _ = recorded(tmp_path).offers


def test_without_a_folder_it_does_not_open(recorded: Open, tmp_path: Path):
    with pytest.raises(SettingsError, match="set MYSTOCKS_RECORDED"):
        open_source("recorded", Settings.from_env())
    with pytest.raises(SettingsError, match="nowhere, which is not a folder"):
        recorded(tmp_path / "nowhere")
