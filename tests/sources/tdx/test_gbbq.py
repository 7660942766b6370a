"""Corporate actions out of encrypted records: read as pytdx's own reader reads them, and as units of the table."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from standin.tdx import gbbq as encrypted

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.sources.tdx.gbbq import actions, decrypted

RECORDS = [
    (1, "600519", 20240619, 1, 308.76, 0.0, 0.0, 0.0),
    (0, "000001", 20100630, 1, 0.5, 5.0, 3.0, 1.0),
    (1, "510300", 20240118, 1, 0.69, 0.0, 0.0, 0.0),
    (1, "512880", 20200305, 11, 0.0, 0.0, 2.0, 0.0),
    (2, "920001", 20240510, 1, 1.0, 0.0, 2.0, 0.0),
    (1, "900901", 20240510, 1, 1.0, 0.0, 0.0, 0.0),  # a B share
    (1, "600519", 20010827, 5, 25000.0, 0.0, 25000.0, 0.0),  # a change of the share capital
]


def test_records_are_those_of_pytdxs_own_reader(tmp_path: Path):
    from pytdx.reader.gbbq_reader import GbbqReader

    generator = np.random.default_rng(3)
    more = [
        (int(market), f"{code:06d}", 20240101 + n, int(category), *map(float, np.float32(numbers)))
        for n, (market, code, category, numbers) in enumerate(
            zip(
                generator.integers(0, 3, 20),
                generator.integers(0, 999_999, 20),
                generator.integers(1, 15, 20),
                generator.uniform(0, 100, (20, 4)),
                strict=True,
            )
        )
    ]
    content = encrypted([*RECORDS, *more])
    (tmp_path / "gbbq").write_bytes(content)
    expected = GbbqReader().get_df(str(tmp_path / "gbbq"))
    records = decrypted(content)
    assert records["market"].tolist() == expected["market"].tolist()
    assert [code.decode() for code in records["code"].tolist()] == expected["code"].tolist()
    assert records["day"].tolist() == expected["datetime"].tolist()
    assert records["category"].tolist() == expected["category"].tolist()
    assert records["numbers"].tolist() == expected.iloc[:, 4:].to_numpy().tolist()


def test_amounts_are_per_share_and_not_per_ten():
    rows = {row["symbol"]: row for row in actions(encrypted(RECORDS)).iter_rows(named=True)}
    assert set(rows) == {"600519.SH", "000001.SZ", "510300.SH", "512880.SH", "920001.BJ"}
    terms = ("ex_date", "cash", "bonus", "rights", "rights_price", "split")
    assert [rows["600519.SH"][name] for name in terms] == [date(2024, 6, 19), 30.876, 0.0, 0.0, None, None]
    assert [rows["000001.SZ"][name] for name in terms] == [date(2010, 6, 30), 0.05, 0.3, 0.1, 5.0, None]
    assert [rows["512880.SH"][name] for name in terms] == [date(2020, 3, 5), 0.0, 0.0, 0.0, None, 2.0]
    assert {row["source"] for row in rows.values()} == {"tdx"}


def test_two_distributions_of_a_day_are_one_row():
    twice = encrypted([(1, "600000", 20240102, 1, 1.0, 0, 0, 0), (1, "600000", 20240102, 1, 0.5, 0, 0, 0)])
    assert actions(twice)["cash"].to_list() == [0.15]


def test_a_file_that_is_cut_off_says_how_much_is_missing():
    with pytest.raises(SourceChanged, match="gbbq has 206 bytes, but its 7 records need 207; it is truncated"):
        actions(encrypted(RECORDS)[:-1])


def test_a_record_with_a_day_that_is_none_is_not_read_as_another():
    with pytest.raises(SourceChanged, match="gbbq: 20241340 is not a date"):
        actions(encrypted([(1, "600000", 20241340, 1, 1.0, 0, 0, 0)]))
