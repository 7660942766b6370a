"""A bulk load fills the partitions of years: every day is materialized in Dagster, stored by a few commits."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from mystocks_dagster.factory.day_events import FEW, yield_or_store

KEY = dg.AssetKey("bars")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(params=["sqlite", "memory"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as `mystocks` makes it, and one whose storage takes batches as Dagster passes them."""
    opened = (
        dg.DagsterInstance.local_temp(str(tmp_path)) if request.param == "sqlite" else dg.DagsterInstance.ephemeral()
    )
    with opened as instance:
        yield instance


def load(instance: dg.DagsterInstance, days: list[str]) -> dg.ExecuteInProcessResult:
    """Run a step that has loaded those days."""

    @dg.op(out=dg.Out(dg.Nothing))
    def bulk(context: dg.OpExecutionContext):
        events = [dg.AssetMaterialization(KEY, partition=day, metadata={"day": day}) for day in days]
        yield from yield_or_store(context, events)
        yield dg.Output(None)

    @dg.job
    def loads():
        bulk()

    return loads.execute_in_process(instance=instance, run_config=QUIET)


def days(number: int) -> list[str]:
    return [f"{date(2015, 1, 1) + timedelta(n)}" for n in range(number)]


@pytest.mark.parametrize("number", [1, FEW, FEW + 1, 1_001])
def test_every_day_is_a_materialized_partition_with_its_run_and_step(instance: dg.DagsterInstance, number: int) -> None:
    result = load(instance, days(number))
    assert instance.get_materialized_partitions(KEY) == set(days(number))
    logged = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert [(entry.get_dagster_event().partition, entry.step_key) for entry in logged] == [
        (day, "bulk") for day in days(number)
    ]
    newest = instance.get_latest_materialization_event(KEY)
    assert newest is not None
    assert newest.get_dagster_event().partition == days(number)[-1]
    records = instance.fetch_materializations(dg.AssetRecordsFilter(KEY, asset_partitions=[days(number)[0]]), limit=1)
    assert records.records[0].event_log_entry.asset_materialization is not None
    assert records.records[0].event_log_entry.asset_materialization.metadata["day"].value == days(number)[0]


def test_a_later_load_of_some_days_is_the_newest_one_of_these(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        first, second = load(instance, days(60)), load(instance, days(30))
        runs = {
            day: record.run_id
            for day in (days(60)[5], days(60)[45])
            for record in instance.fetch_materializations(
                dg.AssetRecordsFilter(KEY, asset_partitions=[day]), limit=1
            ).records
        }
        assert list(runs.values()) == [second.run_id, first.run_id]
