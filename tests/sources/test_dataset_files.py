"""Files of a dataset: what is read, converted and refused."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.datasets.model import FilesSpec
from mystocks_dagster.datasets.reader import Dataset, read_dataset
from mystocks_dagster.errors import SourceChanged, SourceUnavailable
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.sources.dataset_files import read_files
from mystocks_dagster.sources.dataset_frames import ColumnError, without_bare_names
from mystocks_dagster.texts.catalogue import translate

TEXT = """\
title: 持仓
about: Holdings
about_zh: 持仓
domain: research
key: [symbol]
files: {pattern: "in/*.*"}
columns:
  symbol: {source: [代码, code], type: symbol}
  shares: {source: 股数, type: count, unit: shares, scale: 100, optional: true}
  price: {source: 价格, type: number, unit: CNY, optional: true}
  bought: {source: 日期, type: day, unit: day, optional: true}
  active: {source: 在持, type: flag, unit: yes or no, optional: true}
  seen: {source: 时间, type: moment, unit: moment, optional: true}
unused: [备注]
"""
HEAD = "代码,股数,价格,日期,在持,时间,备注\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    path = tmp_path / "holdings.yaml"
    path.write_text(TEXT.replace("in/*.*", "in/*.csv"), encoding="utf-8")
    (tmp_path / "in").mkdir()
    return read_dataset(path, BUILT_IN)


def read(dataset: Dataset, tmp_path: Path, text: str | bytes) -> pl.DataFrame:
    content = text if isinstance(text, bytes) else (HEAD + text).encode()
    (tmp_path / "in" / "a.csv").write_bytes(content)
    return read_files(dataset, tmp_path, {})


def test_values_have_our_units_and_types(dataset: Dataset, tmp_path: Path) -> None:
    frame = read(dataset, tmp_path, '1,"1,234.5",-,20240301,是,2024-03-01 09:30:00,x\nsh510300,,1.5,2024/3/1,N,,\n')
    first, second = frame.rows(named=True)
    assert first["seen"].isoformat() == "2024-03-01T09:30:00+08:00"
    assert first | {"seen": None} == {
        "symbol": None, "shares": 123450, "price": None, "bought": second["bought"], "active": True, "seen": None
    }  # fmt: skip
    assert second["symbol"] == "510300.SH"
    assert (second["shares"], second["price"], second["active"]) == (None, 1.5, False)
    assert str(second["bought"]) == "2024-03-01"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("600519,1.234,,,,,\n", "shares is '1.234', which is not a count"),
        ("600519,,abc,,,,\n", "price is 'abc', which is not a number"),
        ("600519,,inf,,,,\n", "price is 'inf', which is not a number"),
        ("600519,,1,2024-13-01,,,\n", "2024-13-01"),
        ("600519,,1,,perhaps,,\n", "active is 'perhaps', which is not a flag"),
        ("600519,,1,,,soon,\n", "seen is 'soon', which is not a moment"),
        ("600519,,1,,,,\n,,,,,,,,,,,,\n600519,,1,,,,,,\n", "a.csv:4 has 9 values, and the line with the names has 7."),
    ],
)
def test_a_wrong_value_is_named_with_its_file(row: str, message: str, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceChanged, match=r"in/a\.csv") as raised:
        read(dataset, tmp_path, row)
    assert message in str(raised.value)


def test_the_row_with_a_wrong_value_is_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceChanged, match=r"price is 'abc', which is not a number \(row 3\)"):
        read(dataset, tmp_path, "600519,,1,,,,\n600519,,-,,,,\n600519,,abc,,,,\n600519,,xyz,,,,\n")


def test_a_row_whose_numbers_are_all_empty_is_stored_with_unknown_numbers(dataset: Dataset, tmp_path: Path) -> None:
    frame = read(dataset, tmp_path, "600519,,1.5,,,,\n000001,,,2024-03-01,,,\n300750,-,--,,,,\n")
    assert frame["symbol"].to_list() == ["600519.SH", "000001.SZ", "300750.SZ"]
    assert frame["price"].to_list() == [1.5, None, None]
    assert read(dataset, tmp_path, "000001,,,,,,\n")["symbol"].to_list() == ["000001.SZ"]


def test_lines_in_which_nothing_stands_are_no_rows(dataset: Dataset, tmp_path: Path) -> None:
    assert read(dataset, tmp_path, "600519,,1.5,,,,\n\n,,,,,,\n , ,-,,,,\n  \n000001,,2,,,,\n\n").height == 2


def test_a_line_that_ends_early_is_named_with_its_number(dataset: Dataset, tmp_path: Path) -> None:
    text = '600519,,1.5,,,,"two\nlines"\n\n000001,,2\n'
    with pytest.raises(SourceChanged, match=r"in/a\.csv:5 has 3 values, and the line with the names has 7\.") as raised:
        read(dataset, tmp_path, text)
    assert "请补全该行" in translate(str(raised.value), "zh")


def test_a_list_from_a_call_leaves_out_what_it_only_names(tmp_path: Path) -> None:
    path = tmp_path / "quotes.yaml"
    text = TEXT.replace("active: {source: 在持, type: flag", "active: {source: 在持, type: name")
    path.write_text(text.replace("in/*.*", "in/*.csv"), encoding="utf-8")
    (tmp_path / "in").mkdir()
    dataset = read_dataset(path, BUILT_IN)
    frame = read(dataset, tmp_path, "600519,,1.5,,,,\n000001,,,,平安,,\n300750,,,2024-03-01,,,\n")
    assert without_bare_names(dataset, frame)["symbol"].to_list() == ["600519.SH", "300750.SZ"]
    with pytest.raises(ColumnError, match="every number is unknown in 1 rows"):
        without_bare_names(dataset, frame[1:2])


def test_a_column_that_vanished_or_appeared_is_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceChanged, match="no column 价格"):
        read(dataset, tmp_path, "代码,股数,日期,在持,时间\n600519,1,,,\n".encode())
    with pytest.raises(SourceChanged, match="unknown column 新列"):
        read(dataset, tmp_path, (HEAD.strip() + ",新列\n600519,1,1,,,,,x\n").encode())


def test_names_of_columns_may_have_blanks_around_them(dataset: Dataset, tmp_path: Path) -> None:
    head = HEAD.replace(",", " , ").replace("价格", "\u3000价格\u00a0")
    assert read(dataset, tmp_path, f"{head}600519,,1.5,,,,\n".encode())["price"].to_list() == [1.5]
    with pytest.raises(SourceChanged, match=r"in/a\.csv has more than one column 价格\."):
        read(dataset, tmp_path, (HEAD.strip() + ", 价格\n600519,,1,,,,,2\n").encode())


def test_a_file_with_the_line_ends_of_an_old_mac_is_read(dataset: Dataset, tmp_path: Path) -> None:
    frame = read(dataset, tmp_path, (HEAD + "600519,,1.5,,,,\n000001,,2,,,,茅台\n").replace("\n", "\r").encode())
    assert frame["price"].to_list() == [1.5, 2]


@pytest.mark.parametrize(
    ("head", "message", "chinese"),
    [
        (HEAD.replace(",", "，"), "has full-width '，' between the names of its columns. Write ,", "全角的 '，'"),
        (HEAD.replace("代码,", "代码，"), "no column 代码 or code; there are '代码，股数', '价格'", "现有的列"),
        (HEAD.replace("代码", "CＯＤＥ"), "no column 代码 or code; 'CＯＤＥ' looks like it, and has other", "字符不同"),
        (HEAD.replace("代码", "代\u200b码"), "no column 代码 or code; '代\\u200b码' looks like it", "字符不同"),
        (HEAD.replace("备注", "备注,"), "unknown column ''", "未知的列"),
    ],
    ids=["full-width commas", "one of them", "full-width letters", "an invisible character", "a comma at the end"],
)
def test_names_that_only_look_right_are_shown_as_they_stand(
    head: str, message: str, chinese: str, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(SourceChanged, match=r"in/a\.csv") as raised:
        read(dataset, tmp_path, (head + head).encode())
    assert message in str(raised.value)
    assert chinese in translate(str(raised.value), "zh")


def test_text_of_excel_in_chinese_windows_is_read(dataset: Dataset, tmp_path: Path) -> None:
    assert read(dataset, tmp_path, (HEAD + "600519,1,1,,,,茅台\n").encode("gb18030")).height == 1
    assert read(dataset, tmp_path, ("\ufeff" + HEAD + "600519,1,1,,,,\n").encode()).height == 1


def test_unicode_text_of_excel_is_read(dataset: Dataset, tmp_path: Path) -> None:
    text = HEAD.replace(",", "\t") + '600519\t"1,234.5"\t1.5\t20240301\t是\t\t茅台\n'
    for encoding in ("utf-16", "utf-16-be"):
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        row = read(dataset, tmp_path, (mark + text).replace("\n", "\r\n").encode(encoding)).row(0, named=True)
        assert (row["symbol"], row["shares"], row["price"], row["active"]) == ("600519.SH", 123450, 1.5, True)


def test_columns_between_semicolons_are_read_where_no_comma_may_be_a_decimal_point(
    dataset: Dataset, tmp_path: Path
) -> None:
    text = HEAD.replace(",", ";") + "600519;2;1.5;;;;茅台\n"
    assert read(dataset, tmp_path, text.encode()).row(0)[:3] == ("600519.SH", 200, 1.5)
    with pytest.raises(SourceChanged) as raised:
        read(dataset, tmp_path, text.replace("1.5", "1,5").encode())
    assert "in/a.csv has ; between its columns, and commas that may be decimal points" in str(raised.value)
    assert "Save it with commas between the columns" in str(raised.value)
    assert "用分号（;）分隔各列" in translate(str(raised.value), "zh")


@pytest.mark.parametrize("number", ["1,5", "1,23,456", "1234,567", ",5"])
def test_a_comma_that_is_not_between_thousands_is_no_number(number: str, dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceChanged, match="is not a number"):
        read(dataset, tmp_path, f'600519,,"{number}",,,,\n')


@pytest.mark.parametrize(
    ("content", "message", "chinese"),
    [
        (b"PK\x03\x04 xl/workbook.xml", "is a workbook of a spreadsheet, not text. Save it as `CSV UTF-8`.", "工作簿"),
        (HEAD.encode("utf-16-le"), "nor UTF-16 with its mark. Save it as `CSV UTF-8`.", "另存为"),
        (b"\xff\xff\xff", "is neither UTF-8 nor GB 18030 text", "另存为"),
        (b"", "is empty: not even a line with the names of the columns is in it.", "是空的"),
        ("\ufeff\n".encode(), "is empty", "是空的"),
    ],
    ids=["workbook", "utf-16 without a mark", "bytes", "nothing", "a blank line"],
)
def test_a_file_that_is_not_csv_is_told_what_it_is_and_what_to_do(
    content: bytes, message: str, chinese: str, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(SourceChanged, match=r"in/a\.csv") as raised:
        read(dataset, tmp_path, content)
    assert message in str(raised.value)
    assert chinese in translate(str(raised.value), "zh")


def test_a_column_of_another_kind_in_a_parquet_file_is_named(dataset: Dataset, tmp_path: Path) -> None:
    spec = dataset.spec.model_copy(update={"files": FilesSpec(pattern="in/*.parquet")})
    columns = {name: [None] for name in HEAD.strip().split(",")} | {"代码": ["600519"], "价格": [[1.0]]}
    pl.DataFrame(columns).write_parquet(tmp_path / "in" / "a.parquet")
    with pytest.raises(SourceChanged, match=r"price is of type List\(Float64\), which is not a number"):
        read_files(replace(dataset, spec=spec), tmp_path, {})


def test_a_file_without_rows_is_not_an_error(dataset: Dataset, tmp_path: Path) -> None:
    assert read(dataset, tmp_path, "").is_empty()


def test_no_file_and_a_link_out_of_the_project_are_errors(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"There is no file in/\*\.csv in"):
        read_files(dataset, tmp_path, {})
    outside = tmp_path.parent / f"{tmp_path.name}-outside.csv"
    outside.write_text(HEAD + "600519,1,1,,,,\n", encoding="utf-8")
    (tmp_path / "in" / "link.csv").symlink_to(outside)
    with pytest.raises(SourceChanged, match="lies outside"):
        read_files(dataset, tmp_path, {})
