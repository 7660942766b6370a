"""Jobs of tasks and groups with problems in the file: each fails with the problem, beside the jobs that work."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mystocks_dagster.tags import Tag, op_name
from mystocks_dagster.taskfile.names import dagster_name, id_fault
from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.reader import Version


def build_broken_jobs(version: Version) -> Iterator[dg.JobDefinition]:
    """Yield a job for each entry that could not be loaded; it fails at once with the file, the line and the remedy."""
    used = {task.dagster_name for task in version.taskfile.tasks} | {
        group.dagster_name for group in version.taskfile.task_groups
    }
    for label, problems in version.broken.items():
        # An invalid or duplicate id cannot name a job; `mystocks check` reports it.
        if id_fault(label) is None and dagster_name(label) not in used:
            used.add(dagster_name(label))
            yield _job(dagster_name(label), problems)


def _job(name: str, problems: Sequence[Problem]) -> dg.JobDefinition:
    reason = "\n".join(map(str, problems))

    @dg.op(name=op_name(name), description=reason, out=dg.Out(dg.Nothing))
    def broken() -> None:
        raise dg.Failure(f"{name} is not loaded: {reason}", allow_retries=False)

    return dg.GraphDefinition(
        name=name, node_defs=[broken], dependencies={dg.NodeInvocation(broken.name, alias=name): {}}
    ).to_job(description=f"BROKEN in the task file: {reason}", tags={Tag.BROKEN: "true"})
