"""The members of a 通达信 archive: which files are read, as which table, with which price scale."""

import zipfile
from pathlib import Path

import pytest
from support.tdx_archive import day_file, record, write_client, write_zip

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.sources.tdx.members import classify, folder_members, zip_members

ONE_DAY = day_file([record(20240102, 1000)])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sh600000.day", ("600000.SH", "daily_bars", 100)),
        ("sz000001.day", ("000001.SZ", "daily_bars", 100)),
        ("sz300750.day", ("300750.SZ", "daily_bars", 100)),
        ("bj920001.day", ("920001.BJ", "daily_bars", 100)),
        ("bj430047.day", ("430047.BJ", "daily_bars", 100)),
        ("sh000001.day", ("000001.SH", "index_bars", 100)),
        ("sz399001.day", ("399001.SZ", "index_bars", 100)),
        ("bj899050.day", ("899050.BJ", "index_bars", 100)),
        ("sh510300.day", ("510300.SH", "etf_bars", 1000)),
        ("sz159915.day", ("159915.SZ", "etf_bars", 1000)),
        ("sz161725.day", ("161725.SZ", "etf_bars", 1000)),
        ("sz184801.day", ("184801.SZ", "etf_bars", 1000)),
        ("sh900901.day", "B shares"),
        ("sz200002.day", "B shares"),
        ("sh880001.day", "boards of 通达信"),
        ("sh881101.day", "boards of 通达信"),
        ("sh010107.day", "bonds and others"),
        ("readme.txt", None),
        ("sh600000.lc5", None),
    ],
)
def test_a_file_is_what_its_name_says(name: str, expected: object):
    assert classify(name) == expected


def test_names_of_a_careless_unzip_tool_are_understood():
    assert classify("sh\\lday\\sh000001.day") == ("000001.SH", "index_bars", 100)
    assert classify("vipdoc/sz/lday/SZ000001.DAY") == ("000001.SZ", "daily_bars", 100)


def test_what_is_left_out_is_counted(tmp_path: Path):
    names = ("sh600000.day", "sh900901.day", "sz200002.day", "sh880001.day")
    members = zip_members(write_zip(tmp_path / "hsjday.zip", dict.fromkeys(names, ONE_DAY)))
    assert [member.symbol for member in members.members] == ["600000.SH"]
    assert members.left_out == {"B shares": 2, "boards of 通达信": 1}


def test_members_are_in_order_of_table_and_symbol(tmp_path: Path):
    names = ("sz159915.day", "sh600000.day", "sh000001.day", "sz000001.day")
    members = folder_members(write_client(tmp_path, dict.fromkeys(names, ONE_DAY)))
    assert [(member.table, member.symbol) for member in members.members] == [
        ("daily_bars", "000001.SZ"),
        ("daily_bars", "600000.SH"),
        ("etf_bars", "159915.SZ"),
        ("index_bars", "000001.SH"),
    ]


def test_a_truncated_zip_says_so_and_what_to_do(tmp_path: Path):
    path = write_zip(tmp_path / "hsjday.zip", {"sh600000.day": ONE_DAY})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceChanged, match=r"hsjday\.zip is not a complete zip .*load it again"):
        zip_members(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
def test_a_member_is_read_into_the_buffer(compression: int, tmp_path: Path):
    path = write_zip(tmp_path / "hsjday.zip", {"sh600000.day": ONE_DAY * 40}, compression=compression)
    (member,) = zip_members(path).members
    buffer = bytearray(member.size)
    member.read(memoryview(buffer))
    assert buffer == ONE_DAY * 40


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_damaged_member_is_named(compression: int, tmp_path: Path):
    path = write_zip(tmp_path / "hsjday.zip", {"sh600000.day": ONE_DAY * 40}, compression=compression)
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    (member,) = zip_members(path).members
    with pytest.raises(SourceChanged, match=r"sh600000\.day is damaged"):
        member.read(memoryview(bytearray(member.size)))


def test_an_archive_without_bars_is_refused(tmp_path: Path):
    with pytest.raises(SourceChanged, match=r"no files such as sh600000\.day"):
        zip_members(write_zip(tmp_path / "other.zip", {"readme.txt": b""}))


def test_a_symbol_in_two_files_is_refused(tmp_path: Path):
    path = write_zip(tmp_path / "hsjday.zip", {"sh600000.day": ONE_DAY, "old/sh600000.day": ONE_DAY})
    with pytest.raises(SourceChanged, match=r"600000\.SH twice: sh600000\.day and old/sh600000\.day"):
        zip_members(path)
