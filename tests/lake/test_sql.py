"""SQL reads everything and changes nothing."""

from datetime import date, datetime
from pathlib import Path

import pytest

from mystocks_dagster.errors import LakeError
from mystocks_dagster.market.clock import SHANGHAI

DAY = date(2025, 1, 2)


@pytest.fixture
def filled(lake, make_bars):
    lake.replace_days("daily_bars", make_bars(DAY), [DAY])
    return lake


def test_a_query_sees_the_tables_as_readers_do(filled):
    answer = filled.query("SELECT date, count(*) AS n, avg(close) AS price FROM daily_bars GROUP BY date")
    assert answer.rows(named=True) == [{"date": DAY, "n": 3, "price": 10.0}]
    assert filled.query("SHOW TABLES")["name"].to_list() == ["daily_bars"]
    assert "year" not in filled.query("SELECT * FROM daily_bars").columns


def test_a_table_that_was_not_there_yet_at_that_moment_is_told_with_its_first_day(filled):
    past = filled.at(datetime(2020, 1, 1, tzinfo=SHANGHAI))
    with pytest.raises(LakeError, match=r"daily_bars did not exist at 2020-01-01.*its first version is of"):
        past.query("SELECT count(*) FROM daily_bars")


def test_a_table_that_is_not_there_names_those_of_the_lake_and_no_catalog_of_duckdb(filled):
    for name, told in (
        ("daily_bras", "There is no table 'daily_bras'. Did you mean 'daily_bars'?"),
        ("xyz", "There is no table 'xyz'. The lake has: daily_bars."),
        ("index_bars", f"There is no table index_bars in the lake {filled.location} yet; run the task that writes it."),
    ):
        with pytest.raises(LakeError) as error:
            filled.query(f"SELECT * FROM {name}")
        assert str(error.value) == told


def test_columns_of_the_same_name_are_numbered(filled):
    answer = filled.query("SELECT * FROM daily_bars a JOIN daily_bars b USING (date) LIMIT 1")
    assert {"symbol", "symbol_1", "close", "close_1"} <= set(answer.columns)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP VIEW daily_bars",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO daily_bars SELECT * FROM daily_bars",
        "DELETE FROM daily_bars",
        "COPY daily_bars TO '{folder}/out.csv'",
        "ATTACH '{folder}/out.duckdb'",
        "EXPORT DATABASE '{folder}/out'",
        "SET enable_external_access = true",
        "PRAGMA version",
        "INSTALL httpfs",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW daily_bars",
        "",
    ],
)
def test_anything_but_one_select_is_refused(filled, tmp_path, sql):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LakeError, match="read-only: write a single SELECT"):
        filled.query(sql.format(folder=tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM read_text('{file}')", "SELECT * FROM '{file}'", "FROM glob('{folder}/*')"]
)
def test_no_file_can_be_read(filled, tmp_path: Path, sql):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    with pytest.raises(LakeError, match="The query failed"):
        filled.query(sql.format(file=secret, folder=tmp_path))


def test_a_mistake_is_answered_in_duckdbs_words(filled):
    with pytest.raises(LakeError, match='Referenced column "clse" not found'):
        filled.query("SELECT clse FROM daily_bars")
