"""What machines are called, and how the others read it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.machines import share
from support.project import make_folder

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory.machines import launcher as launcher_module
from mystocks_dagster.factory.machines import machine, names, queue
from mystocks_dagster.factory.machines.attendance import database_url
from mystocks_dagster.instance import open_instance
from mystocks_dagster.project import server_checks
from mystocks_dagster.settings import Settings


@dg.job
def nothing() -> None:
    """A job of no step."""


NAMES = ("first", "上海 机器二", "ip-10-0-0-5.eu-central-1.compute.internal", "机" * 80, "../x", "#1")


@pytest.fixture
def instance(tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    folder = make_folder(tmp_path / "project")
    share(folder, postgres, monkeypatch)
    settings = replace(Settings.from_env(), root=folder.root, dagster_home=folder.root / ".dagster")
    with open_instance(settings) as instance:
        yield instance


@pytest.mark.slow
def test_machines_with_chinese_and_with_long_names_are_called_so_by_the_others(instance: dg.DagsterInstance) -> None:
    launcher: Any = instance.run_launcher
    url = database_url(instance)
    shown = [machine.show(url, slots, name) for slots, name in enumerate(NAMES, start=1)]
    told = [(slots, package, name) for slots, package, name in launcher.machines()]
    assert told == [(slots, names.installed(), name) for slots, name in enumerate(NAMES, start=1)]
    for lock in shown:
        lock.release()


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "\x1b[31mred"])
def test_a_name_that_is_not_one_line_is_refused_as_a_name(name: str) -> None:
    with pytest.raises(InstanceError, match="cannot be the name of a machine"):
        names.check_name(name)


@pytest.mark.slow
def test_a_second_machine_with_the_same_name_is_refused(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_NAME_SECONDS", 0.2)
    url = database_url(instance)
    first = machine.alone(url, "机器")
    machine.alone(url, "another").release()
    with pytest.raises(
        InstanceError, match=r"Another machine takes runs as 机器 already \(mystocks worker \d+ on .*--name"
    ):
        machine.alone(url, "机器")
    first.release()
    machine.alone(url, "机器").release()


@pytest.mark.slow
def test_a_machine_that_stands_still_does_not_count_and_is_named(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher: Any = instance.run_launcher
    monkeypatch.setattr(queue, "LOST_SECONDS", 1)
    monkeypatch.setattr(launcher_module, "GRACE_SECONDS", 0)
    first, second = (machine.show(database_url(instance), 2, name) for name in ("first", "second"))
    assert [len(launcher.machines()), launcher.silent()] == [2, []]
    time.sleep(1.5)
    second.keep()
    assert [[name for _, _, name in launcher.machines()], launcher.silent()] == [["second"], ["first"]]
    check = server_checks._machines(launcher.machines(), launcher.silent())
    assert (check.ok, "from first" in check.detail) == (False, True)
    second.release()
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTING)
    assert "first does not answer" in str(launcher.check_run_worker_health(run).msg)
    first.release()
