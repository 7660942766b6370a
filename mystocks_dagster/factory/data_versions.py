"""From which code and which rows a table was computed, in the tags by which Dagster tells what is stale, and why.

Dagster notes them with assets that it materializes itself. Most tables are written by ops of jobs and groups, which
report their materializations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from mystocks_dagster.dagster_internals import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    compute_logical_data_version,
    extract_data_version_from_entry,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from mystocks_dagster.factory.spec import TaskSpec
from mystocks_dagster.tasks.run import tables_of


@dataclass(frozen=True)
class Input:
    """The newest materialization of a table that is read: its data version, and its number in the event log."""

    version: dg.DataVersion = DEFAULT_DATA_VERSION
    number: int | None = None


@dataclass(frozen=True)
class DataVersions:
    """What an attempt computes from.

    Attributes:
        code: The version of the code and of the parameters; the run's id for rows that are fetched.
        inputs: What it reads.
        whole: Whether it computes all that the task does, and not some symbols or columns that a person has named.
    """

    code: str
    inputs: Mapping[dg.AssetKey, Input] = field(default_factory=dict)
    whole: bool = True

    def tags(self, *, owned: bool) -> dict[str, str]:
        """Return the tags of a materialization.

        Args:
            owned: Whether the task owns the table. To that of another task Dagster would compare the other one's code.
        """
        versions = {key: item.version for key, item in self.inputs.items()}
        tags = {DATA_VERSION_TAG: compute_logical_data_version(self.code, versions).value}
        if not owned:
            return tags
        for key, item in self.inputs.items():
            tags[get_input_data_version_tag(key)] = item.version.value
            tags[get_input_event_pointer_tag(key)] = f"{item.number or NULL_EVENT_POINTER}"
        return {**tags, CODE_VERSION_TAG: self.code}


def data_versions(context: dg.OpExecutionContext, spec: TaskSpec) -> DataVersions | None:
    """Return what the attempt that begins now computes from; None if the task writes no table."""
    if not spec.owned and not spec.reported:
        return None
    params = {**spec.task.params, **(context.op_config or {})}
    code = tables_of(spec.function, params).code_version or context.run_id
    inputs = {key: _newest(context.instance, key) for key in map(spec.file.key, spec.reads)}
    whole = code == spec.tables.code_version and params.get("symbols") == spec.task.params.get("symbols")
    return DataVersions(code, inputs, whole)


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> Input:
    record = instance.get_latest_data_version_record(key)
    if record is None:
        return Input()
    return Input(extract_data_version_from_entry(record.event_log_entry) or DEFAULT_DATA_VERSION, record.storage_id)
