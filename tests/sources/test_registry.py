"""From names to sources."""

import pytest

from mystocks_dagster.errors import SettingsError, UnknownName
from mystocks_dagster.settings import SOURCES, Settings
from mystocks_dagster.sources.registry import open_source


@pytest.mark.parametrize(
    ("name", "opened"), [(None, "akshare"), ("", "akshare"), ("akshare", "akshare"), ("simulated", "simulated")]
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
    assert all(source in str(refusal.value) for source in SOURCES)


def test_a_name_like_no_other_gets_no_hint():
    with pytest.raises(UnknownName) as refusal:
        open_source("xyz", Settings.from_env())
    assert "Did you mean" not in str(refusal.value)


def test_baostock_is_not_there_yet_and_says_so():
    with pytest.raises(SettingsError, match="not available in this version; use akshare, recorded or simulated"):
        open_source("baostock", Settings.from_env())
