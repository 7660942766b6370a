"""Where the machines share a database, as dagster.yaml says it."""

from pathlib import Path
from typing import Any

import psycopg2.extensions
import pytest
import yaml

from mystocks_dagster.shared.place import database_url, postgres_url

LOGIN = {"username": "me", "password": {"env": "MY_PASSWORD"}}


@pytest.mark.parametrize(
    ("storage", "parts"),
    [
        ({"postgres_url": "postgresql+psycopg2://me:pass@db:5433/stocks"}, ("me", "pass", "db", "5433", "stocks")),
        ({"postgres_url": {"env": "MY_DATABASE"}}, ("me", "p@ss", "db", None, "stocks")),
        (
            {
                "postgres_db": {
                    "username": "me",
                    "password": {"env": "MY_PASSWORD"},
                    "hostname": "db",
                    "db_name": "stocks",
                }
            },
            ("me", "p@ss/word", "db", "5432", "stocks"),
        ),
    ],
)
def test_each_form_of_dagster_yaml_names_the_database(
    storage: dict[str, Any], parts: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_DATABASE", "postgresql://me:p%40ss@db/stocks?options=-c%20timezone%3DUTC")
    monkeypatch.setenv("MY_PASSWORD", "p@ss/word")
    url = postgres_url({"storage": {"postgres": storage}})
    assert url is not None
    # libpq itself reads the address.
    read = psycopg2.extensions.parse_dsn(url)
    assert tuple(read.get(name) for name in ("user", "password", "host", "port", "dbname")) == parts


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"storage": {"sqlite": {"base_dir": ".dagster"}}},
        {"storage": {"postgres": {"postgres_url": {"env": "NOT_SET_ANYWHERE"}}}},
        {"storage": {"mysql": {"mysql_url": "mysql://db/x"}}},
    ],
)
def test_any_other_storage_is_not_shared(config: Any) -> None:
    assert postgres_url(config) is None


def test_a_change_of_dagster_yaml_is_seen_and_a_broken_or_missing_one_names_nothing(tmp_path: Path) -> None:
    assert database_url(tmp_path) is None
    path = tmp_path / "dagster.yaml"
    path.write_text("storage: {sqlite: {base_dir: x}}")
    assert database_url(tmp_path) is None
    path.write_text(yaml.safe_dump({"storage": {"postgres": {"postgres_url": "postgresql://db/stocks"}}}))
    assert database_url(tmp_path) == "postgresql://db/stocks"
    path.write_text("storage: [")
    assert database_url(tmp_path) is None
