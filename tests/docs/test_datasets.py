"""The walk-through of docs/datasets.md, step by step: a dataset of one's own, without Python and without a network."""

import re
from pathlib import Path

import pytest
import yaml
from support.blocks import block
from support.commands import Commands
from support.project import ROOT

from mystocks_dagster.datasets import registry

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def written(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder with the files of the page."""
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T19:00:00+08:00")
    root = Path(cli.folder.root)
    for name, text in _FILE.findall(PAGE):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_the_walk_through_of_the_page_works(written: Path, cli: Commands) -> None:
    console = re.search(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert console
    commands = [line.removeprefix("mystocks ") for line in console[1].splitlines()]
    assert commands[:3] == ["check", "run sync_ratings", "data head ratings"]
    assert "ok" in cli("check")
    assert "ratings: 3 rows of 1 trading days from files." in " ".join(cli("run", "sync_ratings").split())
    rows = {row["symbol"]: row for row in cli.json("data", "head", "ratings")}
    values = {"date": "2025-04-07", "broker": "甲证券", "rating": "买入", "target": 1800.0, "source": "files"}
    assert {name: rows["600519.SH"][name] for name in values} == values
    assert rows["300750.SZ"]["target"] is None
    assert "target_not_positive" in cli("data", "head", "quarantine")
    query = re.search(r'data query "(.*)"', console[1])
    assert query
    assert "买入" in cli("data", "query", query[1])
    assert "ratings" in cli("data", "tables")


def test_a_misspelt_type_is_shown_with_its_line(written: Path, cli: Commands) -> None:
    path = written / "datasets" / "ratings.yaml"
    text = path.read_text(encoding="utf-8").replace("type: number", "type: nummber")
    path.write_text(text, encoding="utf-8")
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if "nummber" in line)
    shown = cli("check", code=1)
    assert f"ratings.yaml:{line}:" in shown.replace("\n", "")
    assert "Did you mean 'number'?" in shown


def test_the_call_that_replaces_the_files_is_that_of_a_shipped_dataset_and_valid(written: Path, cli: Commands) -> None:
    call = block("datasets.md", "yaml", 2).text
    shipped = registry.SHIPPED / "block_trades.yaml"
    assert yaml.safe_load(call)["call"].items() <= yaml.safe_load(shipped.read_text(encoding="utf-8"))["call"].items()
    path = written / "datasets" / "ratings.yaml"
    text = path.read_text(encoding="utf-8").replace("files:\n  pattern: incoming/ratings-*.csv\n", call)
    assert call in text
    path.write_text(text, encoding="utf-8")
    assert "ok" in cli("check")


def test_rows_of_a_file_that_cannot_be_stored_are_named_and_the_load_is_not_complete(
    written: Path, cli: Commands
) -> None:
    (file,) = (written / "incoming").glob("*.csv")
    head, first, *_ = file.read_text(encoding="utf-8").splitlines()
    day, code = "2025-04-07", first.split(",")[1]
    rows = [first]
    rows += [first.replace(code, wrong) for wrong in ("ABCDEF", "1")]
    rows += [first.replace(day, other) for other in ("2025-04-05", "2031-01-06")]
    file.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    shown = " ".join(cli("run", "sync_ratings").split())
    assert "rows left out because symbol is no code of a security: 2; the first is 'ABCDEF' in row 2." in shown
    assert "Rows left out because their day is yet to come: 1, first 2031-01-06." in shown
    assert "Rows set aside: 1 (no_trading_day 1), first 2025-04-05" in shown
    assert "partial_success 1 " in shown
    assert len(cli.json("data", "head", "ratings")) == 1


def test_a_load_that_leaves_out_a_code_which_excel_has_shortened_is_not_complete(written: Path, cli: Commands) -> None:
    (file,) = (written / "incoming").glob("*.csv")
    head, first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([head, first, second.replace("000001", "1"), ""]), encoding="utf-8")
    shown = " ".join(cli("run", "sync_ratings").split())
    assert "partial_success 1 " in shown
    assert "the first is '1' in row 2." in shown


def test_a_rating_without_a_target_price_is_stored(written: Path, cli: Commands) -> None:
    (file,) = (written / "incoming").glob("*.csv")
    head, first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([head, first, second.rpartition(",")[0] + ",", ""]), encoding="utf-8")
    assert "ratings: 2 rows of 1 trading days from files." in " ".join(cli("run", "sync_ratings").split())
    rows = {row["symbol"]: row for row in cli.json("data", "head", "ratings")}
    assert (rows["000001.SZ"]["rating"], rows["000001.SZ"]["target"]) == ("中性", None)


def test_a_rating_that_is_missing_is_set_aside_and_the_load_is_not_complete(written: Path, cli: Commands) -> None:
    (file,) = (written / "incoming").glob("*.csv")
    head, first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([head, first, second.replace("中性,11.5", ","), ""]), encoding="utf-8")
    shown = " ".join(cli("run", "sync_ratings").split())
    assert "Rows set aside: 1 (rating_missing 1)" in shown
    assert "partial_success 1 " in shown


def test_a_rating_whose_line_ends_early_is_named_and_nothing_is_lost(written: Path, cli: Commands) -> None:
    (file,) = (written / "incoming").glob("*.csv")
    head, first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([head, first, second.replace(",中性,11.5", ""), ""]), encoding="utf-8")
    shown = " ".join(cli("run", "sync_ratings", code=1).split())
    assert f"{file.name}:3 has 3 values, and the line with the names has 5." in shown
