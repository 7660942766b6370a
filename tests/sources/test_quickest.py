"""The choice of the source of a market's past."""

import dataclasses
from pathlib import Path

import pytest
from support.tdx_archive import day_file, record, write_client, write_zip

from mystocks_dagster.errors import InvalidParams, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import Offer, SourceDeclaration
from mystocks_dagster.sources.quickest import by_speed, from_files, quickest

pytestmark = pytest.mark.slow

ONE_DAY = day_file([record(20240102, 1000)])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an upstream that does not answer."""
    return dataclasses.replace(Settings.from_env(tmp_path), upstream="http://127.0.0.1:9", root=tmp_path)


def declared(name: str, *offers: Offer, world: str = "real", implementation: str | None = "x:X") -> SourceDeclaration:
    return SourceDeclaration(
        name=name,
        about="",
        world=world,
        needs="",
        offers=offers,
        implementation=implementation,  # ty: ignore
    )


def test_one_file_of_all_days_is_quicker_than_a_request_a_day(settings: Settings):
    sources = [
        declared("days", Offer(table="daily_bars", past="all", unit="day", requests=1)),
        declared("file", Offer(table="daily_bars", past="all", unit="history", requests=2)),
        declared("slow_days", Offer(table="daily_bars", past="all", unit="day", requests=70)),
        declared("symbols", Offer(table="daily_bars", past="all", unit="symbol", requests=2)),
        declared("present", Offer(table="daily_bars", past="latest", requests=1)),
        declared("invented", Offer(table="daily_bars", past="all"), world="simulated"),
        declared("absent", Offer(table="daily_bars", past="all"), implementation=None),
    ]
    assert by_speed(sources, settings) == ["file", "days", "slow_days"]


def test_files_of_ones_own_come_first_and_need_no_network(settings: Settings, tmp_path: Path):
    path = write_zip(tmp_path / "hsjday.zip", {"sh600000.day": ONE_DAY})
    chosen = quickest(dataclasses.replace(settings, source_options={"tdx": str(path)}))
    assert (chosen.name, chosen.others, chosen.note) == ("tdx", {}, "")


def test_files_that_cannot_be_read_are_passed_over_with_the_reason(settings: Settings, tmp_path: Path):
    (tmp_path / "archive").mkdir()
    path = write_zip(tmp_path / "hsjday.zip", {"sh600000.day": ONE_DAY})
    options = {"recorded": str(tmp_path / "hsjday.zip"), "tdx": str(path)}
    chosen = quickest(dataclasses.replace(settings, source_options=options))
    assert chosen.name == "tdx"
    assert "not a folder" in chosen.others["recorded"]
    assert chosen.note.startswith("tdx is the quickest source that answers (recorded: ")


def test_when_none_answers_the_message_has_every_reason(settings: Settings):
    with pytest.raises(SourceUnavailable, match=r"tdx: .*cannot be reached.*baostock: .*--from FOLDER"):
        quickest(settings)


@pytest.mark.parametrize("place", [".", "new_tdx", "new_tdx/vipdoc", "new_tdx/vipdoc/sh"])
def test_files_of_tongdaxin_are_recognised_at_any_level(place: str, settings: Settings, tmp_path: Path):
    write_client(tmp_path / "new_tdx", {"sh600000.day": ONE_DAY})
    chosen = from_files(tmp_path / place, settings)
    assert chosen.name == "tdx"
    assert chosen.settings.source_option("tdx") == str((tmp_path / place).resolve())


def test_a_named_folder_counts_more_than_the_source_of_the_settings(settings: Settings, tmp_path: Path):
    write_client(tmp_path / "new_tdx", {"sh600000.day": ONE_DAY})
    chosen = from_files(tmp_path / "new_tdx", dataclasses.replace(settings, source="akshare"))
    assert chosen.settings.source is None


def test_a_folder_of_parquet_or_csv_is_an_archive_of_ones_own(settings: Settings, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "daily_bars.csv.gz").write_bytes(b"")
    assert from_files(tmp_path / "mine", settings).name == "recorded"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing", None, "does not exist"),
        ("notes.txt", b"text", "is not a zip of .day files"),
        ("empty.zip", b"PK\x05\x06" + bytes(18), "is not a zip of .day files"),
        ("cut.zip", b"PK\x03\x04", "is not a zip of .day files"),
    ],
)
def test_what_is_no_archive_is_refused(
    name: str, content: bytes | None, reason: str, settings: Settings, tmp_path: Path
):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidParams, match=reason):
        from_files(path, settings)
