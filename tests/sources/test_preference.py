"""The order of preference of the sources."""

import pytest

from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.source_choice import source_names, split_sources
from mystocks_dagster.sources.preference import OTHERS, PREFERENCE, preferred
from mystocks_dagster.sources.registry import declarations


@pytest.mark.parametrize("name", source_names())
def test_every_real_source_has_a_place_in_the_order_of_each_of_its_tables(name: str) -> None:
    source = declarations()[name]
    if source.world == "real" and source.implementation:
        forgotten = [table for table in source.tables if name not in PREFERENCE.get(table, OTHERS)]
        assert not forgotten, f"name {name} in sources/preference.py for {forgotten}"
        assert name in OTHERS


def test_the_orders_are_of_tables_from_outside_and_name_each_source_once() -> None:
    for table, order in PREFERENCE.items():
        assert table not in TABLES or TABLES[table].origin != "computed"
        assert len(set(order)) == len(order)


def test_a_name_without_a_place_comes_last() -> None:
    assert preferred("daily_bars", ["mine", "akshare", "tdx"]) == ("tdx", "akshare", "mine")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, ()),
        ("", ()),
        ("akshare", ("akshare",)),
        (" tdx , akshare,", ("tdx", "akshare")),
        (["tdx", ""], ("tdx",)),
    ],
)
def test_a_choice_is_a_name_a_list_or_names_with_commas(given: object, names: tuple[str, ...]) -> None:
    assert split_sources(given) == names  # ty: ignore[invalid-argument-type]
