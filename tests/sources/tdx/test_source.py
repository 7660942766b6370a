"""The source tdx through its real client code: the archive, each later day, actions, holidays, and faults."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from standin.tdx import ACTIONS, ARCHIVE, TdxServer, actions_zip, day_path, day_zip, zipped
from support.tdx_archive import day_file, record, write_client, write_zip

from mystocks_dagster.errors import NotOffered, SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.tdx.source import TdxSource

THU, MON, TUE = date(2025, 4, 3), date(2025, 4, 7), date(2025, 4, 8)  # 2025-04-04 is a holiday
#: Files of the archive; 600000 pays 0.50 CNY on Monday, 000001 rests on Thursday, the fund is split in two on Tuesday.
FILES = {
    "sh\\lday\\sh600000.day": [record(20250402, 1000), record(20250403, 1010)],
    "sz\\lday\\sz000001.day": [record(20250402, 1100)],
    "bj\\lday\\bj920001.day": [record(20250402, 2000), record(20250403, 2010)],
    "sh\\lday\\sh000001.day": [record(20250402, 330000), record(20250403, 331000)],
    "sh\\lday\\sh510300.day": [record(20250402, 3900, scale=1000), record(20250403, 4000, scale=1000)],
    "sh\\lday\\sh880001.day": [record(20250402, 100)],
    "sh\\lday\\sh900901.day": [record(20250402, 500, scale=1000)],
}
RECORDS = [(1, "600000", 20250407, 1, 5.0, 0.0, 0.0, 0.0), (1, "510300", 20250408, 11, 0.0, 0.0, 2.0, 0.0)]
HOLIDAYS = "Y35=2025,0101,0128,0129,0130,0131,0203,0204,0404,0501,0502,0505,0602,1001,1002,1003,1006,1007,1008,"


def bar(close: float, volume: int = 1000) -> tuple[float, float, float, float, int, float]:
    return close, close, close, close, volume, close * volume


DAYS = {
    MON: {"sh600000": bar(9.4), "sz000001": bar(11.2), "bj920001": bar(19.9), "sh000001": bar(3200.0),
          "sh510300": bar(3.8), "sh880001": bar(100.0), "sh600001": bar(0.0, 0)},
    TUE: {"sh600000": bar(9.5), "sz000001": bar(11.3), "bj920001": bar(20.0), "sh000001": bar(3210.0),
          "sh510300": bar(1.95)},
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[TdxServer]:
    with TdxServer() as server:
        yield server


@pytest.fixture
def server(running: TdxServer) -> TdxServer:
    running.reset()
    running.files[ARCHIVE] = zipped({name: day_file(rows) for name, rows in FILES.items()})
    running.files[ACTIONS] = actions_zip(RECORDS, HOLIDAYS)
    running.files |= {day_path(day): day_zip(day, bars) for day, bars in DAYS.items()}
    return running


@pytest.fixture
def opened(server: TdxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CheckedSource]:
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-08T17:00:00+08:00")
    settings = replace(Settings.from_env(tmp_path), upstream=server.address)

    def of(path: Path | None = None) -> CheckedSource:
        options = {"tdx": str(path)} if path else {}
        return CheckedSource(TdxSource(replace(settings, source_options=options)))

    return of


def write_archive(folder: Path, files: dict[str, bytes], *, packed: bool) -> Path:
    return write_zip(folder / "hsjday.zip", files) if packed else write_client(folder / "client", files)


def read(source: CheckedSource, *days: date, column: str = "prev_close") -> dict[tuple[str, date], float]:
    rows = pl.concat(list(source.daily_bars(days)))
    return {(symbol, day): value for symbol, day, value in rows.select("symbol", "date", column).iter_rows()}


def past(source: CheckedSource, table: str, actions: pl.DataFrame | None = None) -> pl.DataFrame:
    parts = source.history([table], date(2025, 4, 1), TUE, actions=actions, progress=lambda *_: None)
    return pl.concat([frame for _, frame in parts])


def test_the_newest_days_cost_one_request_each_and_no_archive(opened: Callable, server: TdxServer):
    closes = read(opened(), TUE, column="close")
    assert closes == {("600000.SH", TUE): 9.5, ("000001.SZ", TUE): 11.3, ("920001.BJ", TUE): 20.0}
    assert "hsjday.zip" not in server.paths()
    server.asked.clear()
    read(opened(), TUE)
    assert not {"20250408.zip", "20250407.zip", "gbbq.zip"} & set(server.paths())


def test_a_previous_close_is_the_last_close_or_the_ex_right_price_and_says_so(opened: Callable, server: TdxServer):
    source = opened()
    assert past(source, "daily_bars", source.corporate_actions(MON, TUE)).height == 11
    stated = read(source, MON, TUE)
    assert stated[("600000.SH", MON)] == 9.6  # 10.10 less 0.50
    assert stated[("600000.SH", TUE)] == 9.4
    assert stated[("000001.SZ", MON)] == 11.0  # it rested on Thursday
    assert stated[("920001.BJ", TUE)] == 19.9
    assert set(read(source, MON, TUE, column="actions_known").values()) == {True}
    unknown = past(opened(), "daily_bars").filter(date=MON, symbol="600000.SH")
    assert unknown.select("prev_close", "actions_known").row(0) == (10.1, False)


def test_the_past_is_the_archive_and_the_days_after_it(opened: Callable, server: TdxServer):
    frame = past(opened(), "index_bars")
    assert frame.select("symbol", "date", "close", "prev_close").rows() == [
        ("000001.SH", date(2025, 4, 2), 3300.0, None),
        ("000001.SH", THU, 3310.0, 3300.0),
        ("000001.SH", MON, 3200.0, 3310.0),
        ("000001.SH", TUE, 3210.0, 3200.0),
    ]
    assert {host for host, _, _ in server.asked} == {"data.tdx.com.cn", "www.tdx.com.cn"}


def test_funds_have_three_decimals_and_their_splits(opened: Callable):
    source = opened()
    frame = past(source, "etf_bars", source.corporate_actions(MON, TUE))
    assert frame["close"].to_list() == [3.9, 4.0, 3.8, 1.95]
    assert frame["prev_close"].to_list() == [None, 3.9, 4.0, 1.9]  # halved on Tuesday
    assert source.rows("etf_bars", MON, TUE)["close"].to_list() == [3.8, 1.95]
    assert source.findings("etf_bars").faults == []


def test_a_day_that_is_not_there_yet_has_no_frame_and_a_sentence(opened: Callable, server: TdxServer):
    del server.files[day_path(TUE)]
    source = opened()
    assert list(source.daily_bars([TUE])) == []
    assert "no file of" in source.notes[0]
    assert "2025-04-08" in source.notes[0]


def test_trading_days_are_the_weekdays_without_holidays(opened: Callable):
    days = opened().trading_days()
    assert (days[0], days[-1], len(days)) == (date(2025, 1, 2), date(2025, 12, 31), 243)
    assert date(2025, 4, 4) not in days


def test_a_broken_download_continues_where_it_ended(opened: Callable, server: TdxServer):
    server.fault("cut", ARCHIVE, 300, times=1)
    assert past(opened(), "index_bars").height == 4
    assert [span for _, path, span in server.asked if path == ARCHIVE] == ["", "bytes=300-"]


def test_a_truncated_archive_is_named_deleted_and_downloaded_again(opened: Callable, server: TdxServer, tmp_path: Path):
    server.fault("short", ARCHIVE, 700, times=1)
    with pytest.raises(SourceChanged, match=r"hsjday.zip is not a complete zip.*It was deleted; run the task again"):
        past(opened(), "index_bars")
    assert past(opened(), "index_bars").height == 4


def test_an_archive_that_ends_long_ago_is_downloaded_once_more(
    opened: Callable, server: TdxServer, monkeypatch: pytest.MonkeyPatch
):
    past(opened(), "index_bars")
    past(opened(), "index_bars")
    assert server.paths().count("hsjday.zip") == 1
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-08-08T17:00:00+08:00")
    past(opened(), "index_bars")
    assert server.paths().count("hsjday.zip") == 2


def test_a_file_of_another_size_is_named_and_the_others_are_read(opened: Callable, server: TdxServer):
    files = {name: day_file(rows) for name, rows in FILES.items()}
    server.files[ARCHIVE] = zipped(files | {"sh\\lday\\sh600000.day": files["sh\\lday\\sh600000.day"][:-1]})
    source = opened()
    assert past(source, "daily_bars").filter(symbol="920001.BJ").height == 4
    assert "sh600000.day: its size, 63 bytes" in source.faults["600000.SH"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files.pop("bj250408.md1"), r"20250408.zip has no bj250408.md1"),
        (lambda files: files.update({"sh250408.cod": files["sh250408.cod"][:-1]}), r"are not multiples of 150 and 512"),
        (
            lambda files: files.update({"sh250408.md1": files["sh250408.md1"][:512]}),
            r"has 1 blocks, but its codes name",
        ),
    ],
    ids=["an exchange is missing", "codes cut off", "blocks cut off"],
)
def test_a_day_of_another_form_is_an_error_that_names_the_file(
    opened: Callable, server: TdxServer, change: Callable, message: str
):
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(server.files[day_path(TUE)])) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    server.files[day_path(TUE)] = zipped(files)
    with pytest.raises(SourceChanged, match=message):
        list(opened().daily_bars([TUE]))


def test_a_host_that_is_down_is_unavailable_and_not_an_empty_day(opened: Callable, server: TdxServer):
    server.fault("status", day_path(TUE), 503)
    with pytest.raises(SourceUnavailable, match="answered HTTP 503"):
        list(opened().daily_bars([TUE]))


def test_an_installed_clients_folder_is_read_without_a_request(opened: Callable, server: TdxServer, tmp_path: Path):
    files = {name.rpartition("\\")[2]: day_file(rows) for name, rows in FILES.items()}
    vipdoc = write_client(tmp_path / "client", files)
    assert opened(vipdoc).offers == {"daily_bars", "index_bars", "etf_bars"}
    with pytest.raises(NotOffered, match="has no corporate actions; put gbbq"):
        opened(vipdoc).corporate_actions(MON, TUE)
    cache = tmp_path / "client" / "T0002" / "hq_cache"
    cache.mkdir(parents=True)
    (cache.parent.parent / "gbbq.zip").write_bytes(server.files[ACTIONS])
    (vipdoc / "gbbq.zip").write_bytes(server.files[ACTIONS])
    source = opened(vipdoc)
    assert source.corporate_actions(MON, MON)["cash"].to_list() == [0.5]
    assert source.bar_days() == (date(2025, 4, 2), THU)
    assert source.trading_days()[-1] == date(2025, 12, 31)
    assert read(source, THU, column="close") == {("600000.SH", THU): 10.1, ("920001.BJ", THU): 20.1}
    assert server.asked == []


DAMAGED = {"sh000001.day": b"garbage " * 20, "sh600003.day": bytes(40_000 * 32), "sz000002.day": bytes(41_000 * 32)}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_the_trading_days_are_those_of_a_file_that_is_not_damaged(opened: Callable, packed: bool, tmp_path: Path):
    files = {"sh600000.day": day_file(FILES["sh\\lday\\sh600000.day"]), **DAMAGED}
    source = opened(write_archive(tmp_path, files, packed=packed))
    assert source.bar_days()[0] == date(2025, 4, 2)
    parts = source.history(
        ["index_bars", "daily_bars"], date(2025, 4, 1), THU, actions=CORPORATE_ACTIONS.empty(), progress=lambda *_: None
    )
    assert [(table, frame["symbol"].unique().to_list()) for table, frame in parts] == [("daily_bars", ["600000.SH"])]
    assert sorted(source.faults) == ["000001.SH", "000002.SZ", "600003.SH"]
    assert all(fault.endswith("; the file is left out") for fault in source.faults.values())
    assert "it has 41,000 records, more than there are days" in source.faults["000002.SZ"]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_an_archive_of_damaged_files_is_one_error(opened: Callable, packed: bool, tmp_path: Path):
    path = write_archive(tmp_path, DAMAGED, packed=packed)
    with pytest.raises(SourceChanged, match=r"all of its files \(3\) are damaged, .*sh000001") as told:
        opened(path).bar_days()
    assert "left out" not in f"{told.value}"


def test_a_path_that_does_not_exist_is_named(opened: Callable, tmp_path: Path):
    with pytest.raises(SettingsError, match=r"MYSTOCKS_TDX is .*nowhere.zip, which does not exist"):
        opened(tmp_path / "nowhere.zip")


def test_names_are_not_offered(opened: Callable):
    source = opened()
    assert "stocks" not in source.offers
    with pytest.raises(NotOffered, match="tdx has no stocks"):
        source.stocks(include_delisted=True)
