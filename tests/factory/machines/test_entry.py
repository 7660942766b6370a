"""What keeps a machine from taking runs: each says what differs, where, and what to do."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from support.postgres import use_postgres
from support.project import make_folder

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.factory.machines import entry
from mystocks_dagster.factory.machines.attendance import database_url
from mystocks_dagster.instance import open_instance
from mystocks_dagster.runs import daemon_lake
from mystocks_dagster.settings import Settings

#: Each needs a server.
pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = make_folder(tmp_path / "project")
    use_postgres(folder, postgres, monkeypatch)
    return replace(Settings.from_env(), root=folder.root, dagster_home=folder.root / ".dagster", lake=str(tmp_path))


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as instance:
        yield instance


def check(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Return the warnings."""
    warnings: list[str] = []
    entry.check(settings, instance, database_url(instance), "second", warnings.append)
    return warnings


def test_a_machine_like_the_others_may_take_runs(settings: Settings, instance: dg.DagsterInstance) -> None:
    assert check(settings, instance) == []
    instance.run_storage.set_cursor_values({"mystocks/daemon_version": version("mystocks-dagster")})
    assert check(settings, instance) == []


def test_another_version_of_the_package_is_refused_with_both_versions(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    instance.run_storage.set_cursor_values({"mystocks/daemon_version": "9.9.9"})
    own = version("mystocks-dagster")
    with pytest.raises(InstanceError, match=rf"second has mystocks-dagster {own}, and the daemon has 9\.9\.9\."):
        check(settings, instance)


def test_a_machine_that_i_upgraded_before_the_head_is_not_told_to_go_back(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    instance.run_storage.set_cursor_values({"mystocks/daemon_version": "0.0.9"})
    own = version("mystocks-dagster")
    told = rf"the last daemon had 0\.0\.9; none runs now\. Install {own} on the head"
    with pytest.raises(InstanceError, match=told):
        check(settings, instance)
    lock = database_lock.DatabaseLock(instance)
    with pytest.raises(InstanceError, match=rf"second has mystocks-dagster {own}, and the daemon has 0\.0\.9\."):
        check(settings, instance)
    lock._connection.close()


def test_a_machine_with_another_lake_than_the_daemon_is_refused(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    instance.run_storage.set_cursor_values({daemon_lake.KEY: daemon_lake.note(settings)})
    assert check(replace(settings, source="simulated"), instance) == []
    with pytest.raises(InstanceError, match="The lake of second is /elsewhere, and the daemon's is"):
        check(replace(settings, lake="/elsewhere"), instance)


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        # The first migration that Dagster has ever had, and one that no release has.
        ("567bc23fd1ac", r"of an older Dagster \(revision 567bc23fd1ac.*run on one of them: mystocks upgrade"),
        ("ffffffffffff", r"of a newer Dagster \(revision ffffffffffff.*the release of the other machines"),
    ],
)
def test_tables_of_another_dagster_are_refused(
    revision: str, told: str, settings: Settings, instance: dg.DagsterInstance
) -> None:
    import psycopg2

    connection = psycopg2.connect(database_url(instance))
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    connection.close()
    with pytest.raises(InstanceError, match=told):
        check(settings, instance)


@pytest.mark.parametrize(("seconds", "told"), [(61, "is 61 s ahead of"), (-61, "is 61 s behind"), (20, None)])
def test_a_clock_that_differs_by_a_minute_is_reported(
    seconds: float, told: str | None, settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = entry.time.time
    monkeypatch.setattr(entry, "time", SimpleNamespace(time=lambda: real() + seconds))
    warnings = check(settings, instance)
    assert [told in warning for warning in warnings] == ([True] if told else [])
