"""From names to sources."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import source_names
from mystocks_dagster.sources import docs
from mystocks_dagster.sources.hosts import rule_of
from mystocks_dagster.sources.registry import declarations, is_simulated, open_source
from mystocks_dagster.tasks.param_types import SourceName


@pytest.mark.parametrize(
    ("name", "opened"),
    [(None, "akshare"), ("", "akshare"), ("akshare", "akshare"), ("baostock", "baostock"), ("simulated", "simulated")],
)
def test_a_name_opens_its_source_and_none_the_default(name: str | None, opened: str):
    assert open_source(name, Settings.from_env()).name == opened


@pytest.mark.parametrize(
    ("name", "hint"), [("akshar", "'akshare'"), ("Simulated", "'simulated'"), ("record", "'recorded'")]
)
def test_an_unknown_name_lists_all_and_the_nearest(name: str, hint: str):
    with pytest.raises(UnknownName) as refusal:
        open_source(name, Settings.from_env())
    assert f"Did you mean {hint}" in str(refusal.value)
    assert all(source in str(refusal.value) for source in source_names())


def test_a_name_like_no_other_gets_no_hint():
    with pytest.raises(UnknownName) as refusal:
        open_source("xyz", Settings.from_env())
    assert "Did you mean" not in str(refusal.value)


def test_each_source_is_a_package_that_declares_its_own_name():
    assert list(declarations()) == list(source_names())
    assert all(source.name == name for name, source in declarations().items())
    assert {name for name in declarations() if is_simulated(name)} == {"simulated"}
    assert not is_simulated(None)


def test_the_declarations_are_read_without_any_source_or_polars():
    code = (
        "import sys; from mystocks_dagster.sources.registry import declarations; declarations();"
        "print(sorted({'akshare', 'polars', 'pandas', 'numpy', 'requests'} & set(sys.modules)),"
        "[name for name in sys.modules if name.startswith('mystocks_dagster.sources.') and name.endswith('.source')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_the_table_in_the_docs_is_that_of_the_declarations():
    text = docs.PAGE.read_text(encoding="utf-8")
    listed = text.partition(docs.BEGIN)[2].partition(docs.END)[0]
    assert listed == docs.sources_markdown(), "run `python -m mystocks_dagster.sources.docs`"


def test_a_task_takes_any_of_the_sources_and_no_other_name():
    takes = TypeAdapter(SourceName)
    assert [takes.validate_python(name) for name in (*source_names(), None)] == [*source_names(), None]
    with pytest.raises(ValidationError, match="akshare"):
        takes.validate_python("nowhere")


def test_the_hosts_of_a_source_have_their_own_rules():
    assert rule_of("push2.eastmoney.com").ban == 6 * 3600
    assert rule_of("finance.sina.com.cn").name == "sina"
    assert (rule_of("example.com").name, rule_of("example.com").gap) == ("example.com", 1.0)


@pytest.mark.parametrize("name", source_names())
def test_a_source_knows_no_other_source(name: str):
    others = {f"mystocks_dagster.sources.{other}" for other in source_names() if other != name}
    for path in (Path(docs.__file__).parent / name).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [other for other in others if re.search(rf"\b{re.escape(other)}\b", text)], path


def test_every_offer_is_of_a_table_from_outside_and_its_unknown_columns_may_be_null():
    for source in declarations().values():
        for offer in source.offers:
            table = TABLES[offer.table]
            assert table.origin in ("source", "snapshot"), (source.name, offer)
            assert set(offer.null_columns) <= {column.name for column in table.columns if column.null}, offer


@pytest.mark.parametrize("name", [name for name in source_names() if declarations()[name].offers])
def test_a_source_offers_what_its_declaration_says(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MYSTOCKS_DUMPS_KEY", "a-key")
    assert declarations()[name].open(Settings.from_env()).offers == declarations()[name].tables


def test_a_table_may_be_offered_in_two_ways_with_two_costs():
    offers = declarations()["akshare"].offers_of("daily_bars")
    assert [(offer.past, offer.unit, offer.requests) for offer in offers] == [
        ("latest", "day", 67),
        ("all", "symbol", 2),
    ]
    assert declarations()["akshare"].offers_of("margin") == ()
