"""Variables that are there and empty, as `MYSTOCKS_TASKS= mystocks check` or an empty line of an env file leaves
them."""

import re
from pathlib import Path

import pytest
from support.project import Folder

from mystocks_dagster.settings import Settings, find_root
from mystocks_dagster.source_choice import source_names

VARIABLES = (
    "MYSTOCKS_TASKS", "MYSTOCKS_LAKE", "MYSTOCKS_SOURCE", "MYSTOCKS_RECORDED", "MYSTOCKS_SIMULATED",
    "MYSTOCKS_UPSTREAM", "MYSTOCKS_NOW",
    "MYSTOCKS_API_TOKEN", "MYSTOCKS_EXPORTS", "MYSTOCKS_API_COMMANDS", "MYSTOCKS_LOG_MEGABYTES", "MYSTOCKS_LOG_FILES",
    "MYSTOCKS_LANG",
    "MYSTOCKS_LOG_FORMAT",
    "MYSTOCKS_ENGINE",
    "MYSTOCKS_ROOT",
    "MYSTOCKS_CACHES",
    "MYSTOCKS_TRADING_CALENDAR", "DAGSTER_HOME",
)  # fmt: skip


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_unset(variable: str, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.root)
    unset = Settings.from_env()
    monkeypatch.setenv(variable, "")
    assert Settings.from_env() == unset
    assert find_root(Path.cwd()) == folder.root.resolve()


def test_no_variable_is_forgotten_here() -> None:
    source = Path(find_root.__code__.co_filename).read_text(encoding="utf-8")
    read = set(re.findall(r'"((?:MYSTOCKS|DAGSTER)_[A-Z_]+)"', source))
    options = {f"MYSTOCKS_{name.upper()}" for name in ("recorded", "simulated")}
    assert options < {f"MYSTOCKS_{name.upper()}" for name in source_names()}
    set_by_programs = {"DAGSTER_IS_DEFS_VALIDATION_CLI"}
    assert (read | options) - set_by_programs == set(VARIABLES)
