"""One interface for locks: a file on one machine, the database on several."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.postgres import empty_database

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.shared.named_lock import held


def test_on_one_machine_it_is_a_file(tmp_path: Path) -> None:
    with held(tmp_path, "starts") as first, held(tmp_path, "starts") as second, held(tmp_path, "alerts") as other:
        assert (first, second, other) == (True, False, True)
    assert (tmp_path / "starts.lock").exists()
    with held(tmp_path, "starts") as again:
        assert again


def test_two_folders_over_one_database_exclude_each_other(tmp_path: Path, postgres: Any) -> None:
    url = empty_database(postgres, "named_lock")
    homes = [tmp_path / name for name in ("first", "second")]
    for home in homes:
        home.mkdir()
        config = {"storage": {"postgres": {"postgres_url": url}}}
        (home / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with held(homes[0], "starts") as first, held(homes[1], "starts") as second, held(homes[1], "alerts") as other:
        assert (first, second, other) == (True, False, True)
    with held(homes[1], "starts", patience=10) as again:
        assert again


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match=r"nowhere/starts\.lock cannot be written"),
        held(tmp_path / "nowhere", "starts"),
    ):
        pass
