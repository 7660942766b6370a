"""Strategies by name: shipped ones, and those of the project."""

import pytest

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.strategies import docs, registry

RISES = '@strategy(reads=["ma5"])\ndef rises() -> Rules:\n    """Buy what rises."""\n'


def test_a_file_beside_tasks_yaml_adds_its_strategies(write_strategies):
    assert set(registry.DEFAULT) <= set(registry.strategies())
    path = write_strategies(RISES)
    assert registry.find("rises").file == path
    path.unlink()
    assert "rises" not in registry.strategies()


def test_a_changed_file_is_read_again(write_strategies):
    write_strategies(RISES)
    assert registry.find("rises").summary == "Buy what rises."
    write_strategies(RISES.replace("what rises", "what falls now"))
    assert registry.find("rises").summary == "Buy what falls now."


def test_a_similar_name_is_suggested(write_strategies):
    write_strategies(RISES)
    with pytest.raises(UnknownName, match=r"no strategy 'risess'. Did you mean 'rises'\?"):
        registry.find("risess")


def test_a_name_of_a_shipped_strategy_cannot_be_used_again(write_strategies):
    path = write_strategies(RISES.replace("rises()", "ma_crossover()"))
    assert registry.find("ma_crossover").shipped
    (problem,) = registry.problems()
    assert f"{problem}".startswith(f"{path}:4:1: ma_crossover: the name is already used by this package")


def test_a_faulty_strategy_is_named_where_it_is_asked_for(write_strategies):
    path = write_strategies('@strategy(reads=["ma5"])\ndef rises(): ...\n')
    with pytest.raises(UnknownName, match=f"'rises' has a problem. See {path}:4"):
        registry.find("rises")


def test_the_page_of_strategies_is_in_step():
    listed = docs.PAGE.read_text(encoding="utf-8").partition(docs.BEGIN)[2].partition(docs.END)[0]
    assert listed == docs.strategies_markdown(), "run `python -m mystocks_dagster.strategies.docs`"
